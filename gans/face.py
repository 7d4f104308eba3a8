"""Faces in colour from a fully connected GAN, and the memory that they take.

  python -m gans.face                   CelebA, or faces drawn by code
  python -m gans.face --size 64         the middle of each, at 64x64
  python -m gans.face --data faces.h5   an image set of your own

The networks are those of Rashid, "Make Your First GAN with PyTorch" (2020): each of a picture's 218 x 178 x 3 values is
wired to every hidden one, so nearly all weights sit at the image, and memory is what to watch. The book learns from one
picture a step; here it is a batch, and samples come from a running average of G, as in gans/mnist.py. Its penalty on D
is off: noise at the pixels is just what D must be steep against here (docs/faces.md).

What to look at: the peak memory at the end, beside what it is made of; and the sliced Wasserstein distance to faces
that the networks never saw, beside the distance of such faces to others.

What to try: --lr 1e-3, and see the noise stay; --penalty 1; python -m gans.dcgan --data faces beside it.
"""

import sys
from math import prod

import minigrad as mg
from gans.machinery.commandline import decay, main, non_negative, only, parse, parser, positive, say
from gans.machinery.imagesets import image_options, open_images, own_alone
from gans.machinery.judge import compared, distance_to_real
from gans.machinery.losses import LN2, NS, steepness
from gans.machinery.memory import Peak, layer_outputs, size_of
from gans.machinery.parts import frozen, update
from gans.machinery.run import Run
from gans.machinery.samples import described, generate
from minigrad import nn, optim

LIMIT = 20_000  # photographs, as many as the book uses
START = 0.1  # of PyTorch's initial weights, where the pixels are
COMPARED = 1_000  # samples whose distance to real faces is measured
QUICK = "--data synthetic-faces --size 64 --steps 150 --lr 1e-3 --average 0.98"  # on its way: see the bar


def networks(shape):
    """(G, D) for images (H, W, C) in 0..1. D answers with a logit."""
    height, width, channels = shape
    G = nn.Sequential(                                           # (N, 100)
        nn.Linear(100, 300), nn.LeakyReLU(0.02),                 # (N, 300)
        nn.LayerNorm(300),
        nn.Linear(300, prod(shape)), nn.Sigmoid(),               # (N, C * H * W)
        nn.Unflatten(1, (channels, height, width)))              # (N, C, H, W)
    D = nn.Sequential(                                           # (N, C, H, W)
        nn.Flatten(),                                            # (N, C * H * W)
        nn.Linear(prod(shape), 100), nn.LeakyReLU(0.02),         # (N, 100)
        nn.LayerNorm(100),
        nn.Linear(100, 1))                                       # (N, 1)
    with mg.no_grad():  # each pixel has random weights of its own: that is noise, which takes long to unlearn
        for widest in (G[3], D[1]):
            widest.weight.mul_(START)
    return described(G, (100,), image_shape=shape), D


def generator(options):
    """G of a run."""
    return networks(options.shape)[0]


def train(run, pictures, G, D, every=4):
    """The three steps of gans/mnist.py. Returns the averaged G, and what was in memory all along, in MiB by name."""
    args = run.args
    average = optim.EMA(G, args.average)
    optimiser_g, optimiser_d = (optim.Adam(net.parameters(), args.lr, betas=(0.5, 0.999)) for net in (G, D))
    run.keep(G=G, D=D, average=average, optimiser_g=optimiser_g, optimiser_d=optimiser_d)

    @run.captured
    def learn(real, seeds, directions):
        # 1 and 2. D learns from real and from generated faces in one update.
        fake = G(seeds)
        on_real, on_fake = D(real), D(fake.detach())
        d_real, d_fake = NS.d(on_real, on_fake)
        d = d_real + d_fake
        if directions is not None:
            d = d + every * args.penalty / 2 * steepness(D, real, on_real, directions, reach=0.3)
        update(optimiser_d, d)
        optimiser_d.zero_grad()  # the memory of D's gradients is free for G's

        # 3. G learns to be answered with 1.
        with frozen(D):
            g = NS.g(D(fake))
            update(optimiser_g, g)
        optimiser_g.zero_grad()
        average.update()
        return dict(d_real=d_real, d_fake=d_fake, g=g, logits=(on_real, on_fake), images=(real, fake))

    for step in run.steps():
        real, seeds = run.batch(step, pictures, like=G), run.noise(step, args.batch, 100)
        due = args.penalty and step % every == 0
        run.log(step, **learn(real, seeds, run.noise(step, *real.shape, name="u") if due else None))
        run.look(step, average.model, D)
    return average.model, {"parameters": size_of(G, D), "their running average": size_of(average),
                           "Adam's state": size_of(optimiser_g, optimiser_d)}


def demo(argv=None):
    p = parser("face", __doc__, steps=2_500, batch=32, samples=True, capture=True)
    image_options(p, "auto (CelebA, or drawn by code without it), faces, synthetic-faces")
    p.add_argument("--size", type=positive, metavar="S", help="pixels a side (as they are: 218x178)")
    p.add_argument("--limit", type=positive, default=LIMIT, metavar="N", help=f"photographs to learn from ({LIMIT})")
    p.add_argument("--lr", type=non_negative, default=2e-4, metavar="X",
                   help="Adam's rate (2e-4; the book, a face a step: 1e-4)")
    p.add_argument("--penalty", type=non_negative, default=0.0, metavar="X", help="what D pays for steepness (0)")
    p.add_argument("--average", type=decay, default=0.999, metavar="X", help="decay of G's average; 0 for none (0.999)")
    args = parse(p, argv)
    only(args, ["limit"], args.data != "synthetic-faces", "photographs, or pictures of your own")
    own_alone(args)
    pictures = open_images(args, args.size, limit=args.limit).for_run(args)

    with Run(args, "faces: the losses of D and G", LN2) as run:
        G, D = (net.to(run.device) for net in networks(args.shape))
        if not run.replayed:
            before = distance_to_real(generate(G, COMPARED, seed=args.seed), pictures)
            run.show(0, G)
        peak = Peak()
        G, kept = train(run, pictures, G, D)
        host, device = peak.host(), peak.device()
        del peak  # counting would slow the plots
        run.finish(G)
        share = compared(run, G, pictures, before)
        kept["a batch's activations"] = layer_outputs([*G.cpu(), *D.cpu()], args.shape, args.batch)
        kept["its faces"] = args.batch * prod(args.shape) * 4 / 2**20
        say(f"peak memory: {host:.0f} MiB of arrays on the host"
            + (f", {device:.0f} MiB on the GPU" if device is not None else "") + f"; {sum(kept.values()):.0f} are "
            + ", ".join(f"{name} {size:.0f}" for name, size in kept.items()) + ".")
        ratio = (device if run.device.type == "cuda" else host) / sum(kept.values())
        bar = 0.5 if args.steps >= 2_000 else 0.8
        return run.end([("distance now / before", share, share <= bar, f"<={bar}"),
                        ("peak memory / what is in it", ratio, ratio <= 1.2, "<=1.2")],
                       "python -m gans.dcgan --data faces, with convolutions")


if __name__ == "__main__":
    sys.exit(main(demo))
