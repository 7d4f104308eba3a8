"""Convolutional GANs by the DCGAN paper's guidelines: digits, faces, your own pictures.

  python -m gans.dcgan                          MNIST at 28x28
  python -m gans.dcgan --data faces             CelebA at 64x64
  python -m gans.dcgan --data synthetic-faces   faces drawn by code
  python -m gans.dcgan --data pictures/         a folder, zip or HDF5 file

Radford, Metz & Chintala, "Unsupervised Representation Learning with Deep Convolutional GANs" (2016), section 3, gives
guidelines for convolutional GANs that train. Each is an option, so that you can break it and see what it does:

  1. strided convolutions, no pooling: --downsample pool, --upsample resize
  2. batch normalisation, but not at G's output nor D's input: --norm none, --norm everywhere
  3. no fully connected hidden layers: --hidden 100
  4. ReLU in G, and tanh at its output: --activation gelu|leaky_relu|..., --output sigmoid
  5. LeakyReLU of slope 0.2 in D: --activation changes it, too
  6. Adam with rate 2e-4 and beta1 0.5: --lr, --beta1
  7. weights from N(0, 0.02): --init default

Two things are newer than the paper: samples come from a running average of G, and D pays for being steep around real
images, as in gans/mnist.py. That steadies training, so that larger rates work. --paper is without either.

What to look at: the first samples are blobs that know where ink goes; strokes and features come later. A checkerboard
pattern comes from transposed convolutions: compare --upsample resize.
"""

import sys

from gans.machinery import guidelines
from gans.machinery.commandline import decay, main, non_negative, parse, parser, positive
from gans.machinery.imagesets import DIGITS, image_options
from gans.machinery.judge import compared, distance_to_real, judged
from gans.machinery.losses import LN2, NS, steepness
from gans.machinery.parts import from_normal, frozen, update
from gans.machinery.run import Run
from gans.machinery.samples import described, generate
from minigrad import nn, optim

RECIPES = {"digits": {"steps": 8_000, "lr": 1e-3, "beta1": 0.0, "penalty": 1.0, "average": 0.999},
           "pictures": {"steps": 4_000, "lr": 5e-4, "beta1": 0.5, "penalty": 1.0, "average": 0.999}}
PAPER = {"lr": 2e-4, "beta1": 0.5, "penalty": 0.0, "average": 0.0}
QUICK = "--data synthetic-faces --size 16 --width 16 --steps 600 --lr 1e-3 --average 0.99"


def paper(w, c):
    """The paper's (G, D) for 64x64 images of c channels; its code has w = 64."""
    G = nn.Sequential(                                                                     # (N, 100, 1, 1)
        nn.ConvTranspose2d(100, 8 * w, 4, bias=False), nn.BatchNorm2d(8 * w), nn.ReLU(),   # (N, 8w, 4, 4)
        nn.ConvTranspose2d(8 * w, 4 * w, 4, 2, 1, bias=False), nn.BatchNorm2d(4 * w), nn.ReLU(),  # (N, 4w, 8, 8)
        nn.ConvTranspose2d(4 * w, 2 * w, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * w), nn.ReLU(),  # (N, 2w, 16, 16)
        nn.ConvTranspose2d(2 * w, w, 4, 2, 1, bias=False), nn.BatchNorm2d(w), nn.ReLU(),   # (N, w, 32, 32)
        nn.ConvTranspose2d(w, c, 4, 2, 1), nn.Tanh())                                      # (N, c, 64, 64)
    D = nn.Sequential(                                                                     # (N, c, 64, 64)
        nn.Conv2d(c, w, 4, 2, 1), nn.LeakyReLU(0.2),                                       # (N, w, 32, 32)
        nn.Conv2d(w, 2 * w, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * w), nn.LeakyReLU(0.2),  # (N, 2w, 16, 16)
        nn.Conv2d(2 * w, 4 * w, 4, 2, 1, bias=False), nn.BatchNorm2d(4 * w), nn.LeakyReLU(0.2),  # (N, 4w, 8, 8)
        nn.Conv2d(4 * w, 8 * w, 4, 2, 1, bias=False), nn.BatchNorm2d(8 * w), nn.LeakyReLU(0.2),  # (N, 8w, 4, 4)
        nn.Conv2d(8 * w, 1, 4))                                                            # (N, 1, 1, 1): logits
    return G, D


def networks(args):
    """(G, D) for the images of a run, initialised: the paper's, or what its guidelines, kept or broken, make of it."""
    size, _, channels = args.shape
    if size == 64 and guidelines.kept(args):
        G, D = paper(args.width, channels)
    else:
        G, D = guidelines.generator(args, size, channels), guidelines.discriminator(args, size, channels)
    if args.init == "normal":
        G.apply(from_normal), D.apply(from_normal)
    return described(G, (100, 1, 1), image_shape=args.shape,
                     value_range=(-1.0, 1.0) if args.output == "tanh" else (0.0, 1.0)), D


def generator(options):
    """G of a run."""
    return networks(options)[0]


def train(run, pictures, G, D, every=4):
    """The three steps of gans/mnist.py, on images. Returns the averaged G."""
    args, average = run.args, optim.EMA(G, run.args.average)
    optimiser_g, optimiser_d = (optim.Adam(net.parameters(), args.lr, betas=(args.beta1, 0.999)) for net in (G, D))
    run.keep(G=G, D=D, average=average, optimiser_g=optimiser_g, optimiser_d=optimiser_d)

    @run.captured
    def learn(real, seeds, directions):
        # 1 and 2. D learns from a batch of each, so that batch normalisation sees real and generated ones apart.
        fake = G(seeds)
        on_real, on_fake = D(real), D(fake.detach())
        d_real, d_fake = NS.d(on_real, on_fake)
        d = d_real + d_fake
        if directions is not None:
            d = d + every * args.penalty / 2 * steepness(D, real, on_real, directions, reach=0.6)
        update(optimiser_d, d)

        # 3. G learns to be answered with 1.
        with frozen(D):
            g = NS.g(D(fake))
            update(optimiser_g, g)
        average.update()
        return dict(d_real=d_real, d_fake=d_fake, g=g, logits=(on_real, on_fake), images=(real, fake))

    for step in run.steps():
        real, seeds = run.batch(step, pictures, like=G), run.noise(step, args.batch, 100, 1, 1)
        due = args.penalty and step % every == 0
        run.log(step, **learn(real, seeds, run.noise(step, *real.shape, name="directions") if due else None))
        run.look(step, average.model, D)
    return average.model


def demo(argv=None):
    p = parser("dcgan", __doc__, steps="digits 8000, others 4000", batch=32, samples=True, capture=True)
    image_options(p, "auto (MNIST, or drawn digits), mnist, fashion, synthetic, faces, synthetic-faces")
    p.add_argument("--size", type=positive, metavar="S", help="of the images (28 for digits, 64 for faces)")
    p.add_argument("--width", type=positive, default=32, metavar="W", help="channels of the widest images (32)")
    p.add_argument("--lr", type=non_negative, metavar="X",
                   help="Adam's rate (digits 1e-3, others 5e-4, the paper 2e-4)")
    p.add_argument("--beta1", type=decay, metavar="X", help="Adam's first decay (digits 0, others and the paper 0.5)")
    p.add_argument("--penalty", type=non_negative, metavar="X", help="what D pays for steepness; 0 for none (1)")
    p.add_argument("--average", type=decay, metavar="X", help="decay of G's average; 0 for none (0.999)")
    p.add_argument("--paper", action="store_true", help="--lr 2e-4 --beta1 0.5 --penalty 0 --average 0")
    guidelines.options(p)
    args = parse(p, argv)
    digits = args.data in DIGITS
    for name, value in {**RECIPES["digits" if digits else "pictures"], **(PAPER if args.paper else {})}.items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    pictures = guidelines.pictures_of(args).for_run(args)

    with Run(args, "DCGAN: the losses of D and G", LN2) as run:
        G, D = (net.to(run.device) for net in networks(args))
        if not digits and not run.replayed:
            before = distance_to_real(generate(G, min(1_000, len(pictures.held_out)), seed=args.seed), pictures)
        G = train(run, pictures, G, D)
        run.finish(G)
        if not digits:
            share = compared(run, G, pictures, before)
            return run.end([("distance now / before", share, share <= 0.5, "<=0.5")],
                           "python -m gans.face, without convolutions")
        found = judged(run, G, pictures)
        return run.end([
            ("mean top probability", found.confidence, found.confidence >= 0.90, ">=0.90"),
            ("smallest share", found.shares.min(), found.shares.min() >= 0.05, ">=0.05"),
            ("largest share", found.shares.max(), found.shares.max() <= 0.16, "<=0.16"),
            ("Frechet distance / noise's", found.distance, found.distance <= 0.05, "<=0.05"),
        ], "python -m gans.dcgan --data faces")


if __name__ == "__main__":
    sys.exit(main(demo))
