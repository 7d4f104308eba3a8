"""Faces in colour from a fully connected GAN: layer normalisation, HDF5, and an eye on memory.

  python -m gans.face                          CelebA as it is, or faces drawn by code where it cannot be had
  python -m gans.face --size 64                the middle of each picture, at 64x64
  python -m gans.face --data faces.h5          an image set of your own (python -m minigrad.data.images build)

The networks are those of Rashid, "Make Your First GAN with PyTorch" (2020): each of a picture's 218 x 178 x 3 values is
wired to every hidden one, so nearly all weights sit at the image, and memory is what to watch. The book learns from one
picture a step; here it is a batch, and samples come from a running average of G, as in gans/mnist.py. Its penalty on D
is off: noise at the pixels is just what D must be steep against here (docs/faces.md).

What to look at: the peak memory at the end, beside what it is made of; and the sliced Wasserstein distance to faces
that the networks never saw, beside the distance of such faces to others.
"""

import sys
from math import log, prod

import numpy as np

import minigrad as mg
from gans.machinery.commandline import decay, non_negative, parser, positive
from gans.machinery.imagesets import open_faces, open_own
from gans.machinery.judge import distance_to_real, progress
from gans.machinery.memory import Peak, size_of
from gans.machinery.pictures import grid, write_atomically
from gans.machinery.run import Run, check_lines, main, parse, report_paths, say
from minigrad import nn, optim

SEED, HIDDEN = 100, 300  # numbers that a face is made from, and those between them and the pixels
LIMIT = 20_000  # photographs, as many as the book uses
START = 0.1  # of PyTorch's initial weights, where the pixels are
COMPARED = 1_000  # samples whose distance to real faces is measured


def networks(shape):
    """(G, D) for images (C, H, W) in 0..1. D answers with a logit."""
    G = nn.Sequential(nn.Linear(SEED, HIDDEN), nn.LeakyReLU(0.02), nn.LayerNorm(HIDDEN),
                      nn.Linear(HIDDEN, prod(shape)), nn.Sigmoid(), nn.Unflatten(1, shape))
    D = nn.Sequential(nn.Flatten(), nn.Linear(prod(shape), 100), nn.LeakyReLU(0.02), nn.LayerNorm(100),
                      nn.Linear(100, 1))
    with mg.no_grad():  # each pixel has random weights of its own: that is noise, which takes long to unlearn
        for widest in (G[3], D[1]):
            widest.weight.mul_(START)
    return G, D


def train(run, pictures, G, D, every=4):
    """The three steps of gans/mnist.py. Returns the averaged G, and what was in memory all along, in MiB by name."""
    args, device = run.args, run.device
    average, loss = optim.EMA(G, args.average), nn.BCEWithLogitsLoss()
    optimiser_g, optimiser_d = (optim.Adam(net.parameters(), args.lr, betas=(0.5, 0.999)) for net in (G, D))
    run.keep(G=G, D=D, average=average, optimiser_g=optimiser_g, optimiser_d=optimiser_d)
    ones, zeros = mg.ones(args.batch, 1, device=device), mg.zeros(args.batch, 1, device=device)

    for step in run.steps():
        # 1 and 2. D learns from real and from generated faces in one update.
        real = mg.tensor(pictures.batch(run.batch_order(step, len(pictures.train), args.batch)), device=device)
        fake = G(run.noise(step, args.batch, SEED))
        answers = D(real)
        d_real, d_fake = loss(answers, ones), loss(D(fake.detach()), zeros)
        d = d_real + d_fake
        if args.penalty and step % every == 0:
            d = d + every * args.penalty / 2 * steepness(D, real, answers, run.noise(step, *real.shape, name="u"))
        optimiser_d.zero_grad()
        d.backward()
        optimiser_d.step()
        optimiser_d.zero_grad()  # the memory of D's gradients and images is free for G's
        del real

        # 3. G learns to be answered with 1. D only passes the gradient on, so it needs none of its own.
        D.requires_grad_(False)
        g = loss(D(fake), ones)
        optimiser_g.zero_grad()
        g.backward()
        optimiser_g.step()
        optimiser_g.zero_grad()
        D.requires_grad_(True)
        average.update()

        run.log(step, d_real=d_real, d_fake=d_fake, g=g)
        if run.picture_due(step):
            run.picture(step, sheet(run, average.model))
    return average.model, {"parameters": size_of(G, D), "their running average": size_of(average),
                           "Adam's state": size_of(optimiser_g, optimiser_d)}


def steepness(D, real, answers, directions, reach=0.3):
    """How much D's answers change on average, squared, from real images to nearby ones, for the way between them."""
    return (((D(real + reach * directions) - answers) / reach) ** 2).mean()


def activations(G, D, batch, image):
    """MiB that a batch of real images takes, with one of all that the layers of G and D put out."""
    x, values = mg.zeros(1, SEED), prod(image)
    with mg.no_grad():
        for layer in [*G.cpu(), *D.cpu()]:
            x = layer(x)
            values += 0 if isinstance(layer, (nn.Flatten, nn.Unflatten)) else x.numel()
    return batch * values * 4 / 2**20


def generate(run, G, n, name="samples"):
    """n faces, uint8 (n, H, W, 3), or (n, H, W) of grey ones, a batch at a time: more would show in the peak memory."""
    chunks, batch = [], run.args.batch
    with mg.no_grad():
        for k in range(0, n, batch):
            images = G(run.noise(k, min(batch, n - k), SEED, name=name)).cpu().numpy()
            chunks.append(np.rint(images * 255).astype(np.uint8).transpose(0, 2, 3, 1))
    images = np.concatenate(chunks)
    return images[..., 0] if images.shape[-1] == 1 else images


def sheet(run, G):
    """24 faces, always of the same seeds, as one picture."""
    return grid(generate(run, G, 24, "picture"), columns=6, scale=1)


def demo(argv=None):
    p = parser("face", __doc__, steps=2_500, batch=32)
    p.add_argument("--data", default="auto", metavar="NAME|PATH",
                   help="auto (CelebA, or faces drawn by code where it cannot be had), faces, synthetic-faces, or a "
                        "folder, zip or HDF5 image set")
    p.add_argument("--size", type=positive, metavar="S", help="pixels a side; without it, faces as they are (218x178)")
    p.add_argument("--limit", type=positive, default=LIMIT, metavar="N", help=f"photographs to learn from ({LIMIT})")
    p.add_argument("--lr", type=non_negative, default=2e-4, help="Adam's rate (2e-4; the book, a face a step: 1e-4)")
    p.add_argument("--penalty", type=non_negative, default=0.0, help="what D pays for steepness (0; see docs/faces.md)")
    p.add_argument("--average", type=decay, default=0.999, help="decay of G's average; 0 for none (0.999)")
    p.add_argument("--samples", type=positive, metavar="N", help="write N samples to samples.npy, uint8 N x H x W x 3")
    args = parse(p, argv)
    if args.data in ("auto", "faces", "synthetic-faces"):
        pictures = open_faces(args.data, args.size, limit=args.limit, log=say)
    else:
        pictures = open_own(args.data, args.size, limit=args.limit, log=say)
    height, width, channels = pictures.shape
    pictures.enough_for(args.batch)
    args.data = pictures.name
    run = Run(args)
    say(f"data: {pictures.provenance}; images of {height}x{width}")

    G, D = networks((channels, height, width))
    G.to(run.device), D.to(run.device)
    if not run.replayed:
        before = distance_to_real(generate(run, G, COMPARED), pictures)
        run.picture(0, sheet(run, G))
    peak = Peak()
    G, kept = train(run, pictures, G, D)
    host, device = peak.host(), peak.device()
    del peak  # counting would slow the plots
    say(f"{args.steps} steps of {args.batch} in {run.seconds:.0f} s")

    paths = run.finish("faces: the losses of D and G", {"ln 2 = 0.693: D answers 0.5": log(2)},
                       "D stays a little ahead: its losses hover below the line, the generator's above.")
    samples = generate(run, G, max(COMPARED, args.samples or 0))
    if args.samples:
        paths.append(write_atomically(run.folder / "samples.npy", lambda path: np.save(path, samples[:args.samples])))
    kept["a batch's activations"] = activations(G, D, args.batch, pictures.shape)
    say(f"peak memory: {host:.0f} MiB of arrays on the host"
        + (f", {device:.0f} MiB on the GPU" if device is not None else "") + f"; {sum(kept.values()):.0f} are "
        + ", ".join(f"{name} {size:.0f}" for name, size in kept.items()) + ".")
    share, words = progress(before, samples, pictures)
    say(words)
    status = 0
    if args.check:
        ratio = (device if run.device.type == "cuda" else host) / sum(kept.values())
        status = check_lines([
            ("distance now / before", share, share <= 0.5, "<=0.5"),
            ("peak memory / what is in it", ratio, ratio <= 1.2, "<=1.2")])
    report_paths(paths, "python -m gans.dcgan --data faces, with convolutions")
    return status


if __name__ == "__main__":
    sys.exit(main(demo))
