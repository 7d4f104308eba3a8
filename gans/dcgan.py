"""Convolutional GANs by the DCGAN paper's guidelines: digits, clothes, faces, your own pictures.

  python -m gans.dcgan                          MNIST at 28x28
  python -m gans.dcgan --data faces             CelebA at 64x64
  python -m gans.dcgan --data synthetic-faces   faces drawn by code, for a machine without photographs
  python -m gans.dcgan --data pictures/         any folder, zip or HDF5 image set of your own

Radford, Metz & Chintala, "Unsupervised Representation Learning with Deep Convolutional GANs" (2016), section 3, gives
guidelines for convolutional GANs that train. Each is an option here, so that you can break it and see what it does:

  1. strided convolutions instead of pooling, transposed ones in G    --downsample pool, --upsample resize
  2. batch normalisation, but not at G's output nor D's input         --norm none, --norm everywhere
  3. no fully connected hidden layers                                 --hidden 100
  4. ReLU in G, and tanh at its output                                --activation gelu|leaky_relu|..., --output sigmoid
  5. LeakyReLU of slope 0.2 in D                                      (--activation changes it, too)
  6. Adam with rate 2e-4 and beta1 0.5                                --lr, --beta1
  7. weights from N(0, 0.02)                                          --init default

Two things are newer than the paper: samples come from a running average of G, and D pays for being steep around real
images, as in gans/mnist.py. That steadies training, so that larger rates work. --paper is without either.

What to look at: the first samples are blobs that know where ink goes; strokes and features come later. A checkerboard
pattern comes from transposed convolutions: compare --upsample resize.
"""

import sys
from math import log

import numpy as np

import minigrad as mg
from gans.machinery.commandline import decay, non_negative, parser, positive
from gans.machinery.imagesets import open_digits, open_faces, open_own
from gans.machinery.judge import NAMES, cached_judge, distance_to_real, progress, verdict
from gans.machinery.pictures import grid, write_atomically
from gans.machinery.run import Run, check_lines, main, parse, report_paths, say
from minigrad import nn, optim
from minigrad.errors import MinigradError

SEED = 100  # numbers that a picture is made from
DIGITS = ("auto", "mnist", "fashion", "synthetic")  # of --data
FACES = ("faces", "synthetic-faces")
SIZES = (16, 28, 32, 56, 64, 112, 128)  # 4 doubled, or 7 doubled, which is made of 4
RECIPES = {"digits": {"steps": 8_000, "lr": 1e-3, "beta1": 0.0, "penalty": 1.0, "average": 0.999},
           "pictures": {"steps": 4_000, "lr": 5e-4, "beta1": 0.5, "penalty": 1.0, "average": 0.999}}
PAPER = {"lr": 2e-4, "beta1": 0.5, "penalty": 0.0, "average": 0.0}
ACTIVATIONS = {"relu": nn.ReLU, "leaky_relu": lambda: nn.LeakyReLU(0.2), "gelu": nn.GELU, "elu": nn.ELU}


def stages(size):
    """The sides that the images grow through in G, and shrink through in D.

    >>> stages(64), stages(28)
    ([4, 8, 16, 32, 64], [4, 7, 14, 28])
    """
    if size not in SIZES:
        raise MinigradError(f"--size {size}: the networks double images of 4 or 7 pixels, so they cannot make "
                            f"{size}x{size}; the nearest sizes that they can are {nearest(size, ' and ')}")
    sides = [size]
    while sides[0] > 4:
        sides.insert(0, (sides[0] + 1) // 2)
    return sides


def nearest(size, between):
    """The two legal sizes next to a size, as text."""
    return between.join(map(str, sorted(sorted(SIZES, key=lambda legal: abs(legal - size))[:2])))


def kernel(side):
    """What makes `side` of its half, or its half of it, with stride 2 and padding 1; 7 is made of 4."""
    return 4 if side % 2 == 0 else 3


def generator(args, size, channels):
    """(N, 100, 1, 1) -> (N, channels, size, size) in -1..1 (tanh) or 0..1 (sigmoid)."""
    first, *sides = stages(size)
    widths = [args.width * 2**k for k in reversed(range(len(sides)))]
    layers = []
    if args.hidden:  # against guideline 3
        layers += [nn.Flatten(), nn.Linear(SEED, args.hidden), activation(args, "relu"),
                   nn.Unflatten(1, (args.hidden, 1, 1))]
    layers += [nn.ConvTranspose2d(args.hidden or SEED, widths[0], first, bias=args.norm == "none")]
    layers += [*norm(args, widths[0]), activation(args, "relu")]
    for side, a, b in zip(sides, widths, [*widths[1:], channels]):
        last = side == size
        bias = not norm(args, b, edge=last)
        layers += [nn.ConvTranspose2d(a, b, kernel(side), 2, 1, bias=bias)] if args.upsample == "strided" else [
            nn.Upsample(size=side), nn.Conv2d(a, b, 3, padding=1, bias=bias)]
        layers += norm(args, b, edge=last)
        layers += [] if last else [activation(args, "relu")]
    return nn.Sequential(*layers, nn.Tanh() if args.output == "tanh" else nn.Sigmoid())


def discriminator(args, size, channels):
    """(N, channels, size, size) -> logits (N, 1, 1, 1)."""
    last, *sides = stages(size)
    widths = [args.width * 2**k for k in range(len(sides))]
    layers = []
    for side, a, b in zip(reversed(sides), [channels, *widths], widths):
        first = side == size
        bias = not norm(args, b, edge=first)
        layers += [nn.Conv2d(a, b, kernel(side), 2, 1, bias=bias)] if args.downsample == "strided" else [
            nn.Conv2d(a, b, 3, padding=1, bias=bias), nn.MaxPool2d(2, ceil_mode=True)]
        layers += [*norm(args, b, edge=first), activation(args, "leaky_relu")]
    if args.hidden:  # against guideline 3
        layers += [nn.Flatten(), nn.Linear(widths[-1] * last * last, args.hidden), activation(args, "leaky_relu"),
                   nn.Linear(args.hidden, 1), nn.Unflatten(1, (1, 1, 1))]
    else:
        layers += [nn.Conv2d(widths[-1], 1, last)]
    return nn.Sequential(*layers)


def norm(args, channels, edge=False):
    """Guideline 2: batch normalisation, but not on the edges, at G's output and D's input."""
    wanted = args.norm == "everywhere" or (args.norm == "batch" and not edge)
    return [nn.BatchNorm2d(channels)] if wanted else []


def activation(args, paper):
    """Guidelines 4 and 5: what the paper has there, unless --activation names another for everywhere."""
    return ACTIVATIONS[paper if args.activation == "paper" else args.activation]()


def from_normal(module):
    """Guideline 7: weights from N(0, 0.02), the factors of batch normalisation from N(1, 0.02)."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def networks(args, size, channels):
    """(G, D), initialised."""
    G, D = generator(args, size, channels), discriminator(args, size, channels)
    if args.init == "normal":
        G.apply(from_normal), D.apply(from_normal)
    return G, D


def train(run, pictures, G, D, reach=0.6, every=4):
    """The three steps of gans/mnist.py, on images. Returns the averaged G."""
    args, size = run.args, pictures.shape[0]
    average, loss = optim.EMA(G, args.average), nn.BCEWithLogitsLoss()
    optimiser_g, optimiser_d = (optim.Adam(net.parameters(), args.lr, betas=(args.beta1, 0.999)) for net in (G, D))
    run.keep(G=G, D=D, average=average, optimiser_g=optimiser_g, optimiser_d=optimiser_d)
    ones, zeros = mg.ones(args.batch, 1, 1, 1, device=run.device), mg.zeros(args.batch, 1, 1, 1, device=run.device)

    for step in run.steps():
        # 1 and 2. D learns from real and from generated images, a batch of each, so that batch normalisation sees
        # them apart.
        real = real_batch(run, step, pictures)
        fake = G(run.noise(step, args.batch, SEED, 1, 1))
        answers = D(real)
        d_real, d_fake = loss(answers, ones), loss(D(fake.detach()), zeros)
        d = d_real + d_fake
        if args.penalty and step % every == 0:
            nearby = real + reach * run.noise(step, *real.shape, name="directions")
            d = d + every * args.penalty / 2 * (((D(nearby) - answers) / reach) ** 2).mean()
        optimiser_d.zero_grad()
        d.backward()
        optimiser_d.step()

        # 3. G learns to be answered with 1. D only passes the gradient on, so it needs none of its own.
        D.requires_grad_(False)
        g = loss(D(fake), ones)
        optimiser_g.zero_grad()
        g.backward()
        optimiser_g.step()
        D.requires_grad_(True)
        average.update()

        run.log(step, d_real=d_real, d_fake=d_fake, g=g)
        if run.picture_due(step):
            run.picture(step, grid(generate(run, average.model, 64, "picture"), columns=8, scale=2 if size < 64 else 1))
    return average.model


def real_batch(run, step, pictures):
    """The step's real images, (batch, C, H, W), in the range that G makes."""
    real = pictures.batch(run.batch_order(step, len(pictures.train), run.args.batch))
    if run.args.output == "tanh":
        real *= 2
        real -= 1
    return mg.tensor(real, device=run.device)


def generate(run, G, n, name="samples"):
    """n images, uint8 (n, H, W, C), or (n, H, W) where there is one channel."""
    training, chunks = G.training, []
    G.eval()
    with mg.no_grad():
        for k in range(0, n, 100):
            images = G(run.noise(k, min(100, n - k), SEED, 1, 1, name=name)).cpu().numpy().transpose(0, 2, 3, 1)
            images = (images + 1) / 2 if run.args.output == "tanh" else images
            chunks.append(np.rint(images * 255).astype(np.uint8))
    G.train(training)
    images = np.concatenate(chunks)
    return images[..., 0] if images.shape[-1] == 1 else images


def open_pictures(args):
    """The Pictures of `--data` at `--size`, once it is certain that the networks can make them."""
    if args.size:
        stages(args.size)
    if args.data in DIGITS:
        size = args.size or 28
        if size < 28:
            raise MinigradError(f"--size {size}: digits are 28x28; give --size 28, 32 or 64")
        pictures = open_digits(args.data, size, log=say)
    elif args.data in FACES:
        size = args.size or 64
        pictures = open_faces(args.data, size, log=say)
    else:
        pictures = open_own(args.data, args.size, log=say)
        height, width, _ = pictures.shape
        size = args.size or height
        if (height, width) != (size, size) or size not in SIZES:
            raise MinigradError(f"{args.data}: its images are {height}x{width} (height x width), and the networks make "
                                f"squares of {', '.join(map(str, SIZES))}: build it again with python -m "
                                f"minigrad.data.images build --crop square --size {nearest(size, ' or ')}")
    pictures.enough_for(args.batch)
    args.data, args.size = pictures.name, size
    return pictures


def judged_digits(pictures, samples):
    """Say what a classifier reads in samples; return what --check looks at."""
    real, samples = (middle(images, 28) for images in (pictures.held_out[..., 0], samples))
    judge = cached_judge(middle(pictures.train[..., 0], 28), pictures.labels, log=say)
    found = verdict(judge, samples, real)
    for line in found.words(NAMES["fashion" if pictures.name == "fashion" else "digits"]):
        say(line)
    return [("mean top probability", found.confidence, found.confidence >= 0.90, ">=0.90"),
            ("smallest share", found.shares.min(), found.shares.min() >= 0.05, ">=0.05"),
            ("largest share", found.shares.max(), found.shares.max() <= 0.16, "<=0.16"),
            ("Frechet distance / noise's", found.distance, found.distance <= 0.05, "<=0.05")]


def middle(images, size):
    """The middle of images (N, H, W), without the margin that made them larger."""
    edge = (images.shape[1] - size) // 2
    return np.ascontiguousarray(images[:, edge:edge + size, edge:edge + size])


def demo(argv=None):
    p = parser("dcgan", __doc__, steps=8_000, batch=32)
    p.set_defaults(steps=None)
    p.add_argument("--data", default="auto", metavar="NAME|PATH",
                   help="auto (MNIST, or digits drawn by code where it cannot be had), mnist, fashion, synthetic, "
                        "faces, synthetic-faces, or a folder, zip or HDF5 image set")
    p.add_argument("--size", type=positive, metavar="S", help=f"of the images, one of {', '.join(map(str, SIZES))} "
                                                              "(28 for digits, 64 for faces)")
    p.add_argument("--width", type=positive, default=32, help="channels of the widest images in both networks; the "
                                                              "paper's code has 64 (32)")
    p.add_argument("--upsample", choices=["strided", "resize"], default="strided", help="how G doubles its images")
    p.add_argument("--downsample", choices=["strided", "pool"], default="strided", help="how D halves its images")
    p.add_argument("--norm", choices=["batch", "none", "everywhere"], default="batch", help="where to normalise")
    p.add_argument("--hidden", type=positive, metavar="N", help="a fully connected hidden layer of N in both networks")
    p.add_argument("--activation", choices=["paper", *ACTIVATIONS], default="paper",
                   help="paper: ReLU in G and LeakyReLU in D; else one for both, as gelu in Rashid's book")
    p.add_argument("--output", choices=["tanh", "sigmoid"], default="tanh", help="of G, with images to match")
    p.add_argument("--lr", type=non_negative, help="Adam's rate (digits 1e-3, others 5e-4; the paper 2e-4)")
    p.add_argument("--beta1", type=decay, help="Adam's first decay (digits 0, others 0.5; the paper 0.5)")
    p.add_argument("--init", choices=["normal", "default"], default="normal", help="N(0, 0.02), or the layers' own")
    p.add_argument("--penalty", type=non_negative, help="what D pays for steepness; 0 for none (1)")
    p.add_argument("--average", type=decay, help="decay of G's average; 0 for none (0.999)")
    p.add_argument("--paper", action="store_true",
                   help="train as the paper: --lr 2e-4 --beta1 0.5 --penalty 0 --average 0")
    p.add_argument("--samples", type=positive, metavar="N", help="write N samples to samples.npy, uint8 N x H x W x C")
    args = parse(p, argv)
    digits = args.data in DIGITS
    for name, value in {**RECIPES["digits" if digits else "pictures"], **(PAPER if args.paper else {})}.items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    pictures = open_pictures(args)
    run = Run(args)
    say(f"data: {pictures.provenance}; images of {args.size}x{args.size}")
    G, D = networks(args, args.size, pictures.shape[2])
    G.to(run.device), D.to(run.device)
    n = 10_000 if digits else min(1_000, len(pictures.held_out))
    before = None if digits or run.replayed else distance_to_real(generate(run, G, n), pictures)
    G = train(run, pictures, G, D)
    say(f"{args.steps} steps of {args.batch} in {run.seconds:.0f} s")

    paths = run.finish("DCGAN: the losses of D and G", {"ln 2 = 0.693: D answers 0.5": log(2)},
                       "D stays ahead: its losses hover below the line, the generator's above.")
    samples = generate(run, G, max(n, args.samples or 0))
    if args.samples:
        paths.append(write_atomically(run.folder / "samples.npy", lambda path: np.save(path, samples[:args.samples])))
    if digits:
        results = judged_digits(pictures, samples[:n])
    else:
        share, words = progress(before, samples, pictures)
        say(words)
        results = [("distance now / before", share, share <= 0.5, "<=0.5")]
    status = check_lines(results) if args.check else 0
    report_paths(paths, "python -m gans.dcgan --data faces" if digits else "python -m gans.face, without convolutions")
    return status


if __name__ == "__main__":
    sys.exit(main(demo))
