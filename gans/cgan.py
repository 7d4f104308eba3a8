"""Digits on request: a conditional GAN, told which class to draw.

  python -m gans.cgan                        MNIST: ten rows of digits, one class a row
  python -m gans.cgan --data fashion         Fashion-MNIST: T-shirts to ankle boots
  python -m gans.cgan --labels projection    labels as learned vectors instead of one-hot columns

After the conditional GAN of Rashid, "Make Your First GAN with PyTorch" (2020), and of Mirza & Osindero, "Conditional
Generative Adversarial Nets" (2014): the label goes into both networks, so D can object to a good three that was ordered
as a seven. `--labels projection` is Miyato & Koyama, "cGANs with Projection Discriminator" (2018): D adds the inner
product of the label's vector with its features, G is given the label's vector beside its seed.

What to look at: the grid. Each row is one class, each column one seed: the seed decides the hand, the label the digit.
The measured figure is the share of samples that a classifier reads as the class that was asked for.
"""

import sys
from math import log

import numpy as np

import minigrad as mg
from gans.machinery.commandline import parser, positive
from gans.machinery.judge import NAMES, cached_judge, verdict
from gans.machinery.pictures import grid, write_atomically
from gans.machinery.run import Run, check_lines, main, parse, report_paths, say
from gans.mnist import load, real_batch
from minigrad import nn, optim

SEED, CLASSES = 100, 10


class Generator(nn.Module):
    """(seeds (N, 100), one-hot labels (N, 10)) -> images (N, 784) in 0..1."""

    def __init__(self, labels):
        super().__init__()
        self.label = nn.Linear(CLASSES, 50, bias=False) if labels == "projection" else nn.Identity()
        width = SEED + (50 if labels == "projection" else CLASSES)
        self.model = nn.Sequential(nn.Linear(width, 256), nn.BatchNorm1d(256), nn.LeakyReLU(0.2),
                                   nn.Linear(256, 512), nn.BatchNorm1d(512), nn.LeakyReLU(0.2),
                                   nn.Linear(512, 784), nn.Sigmoid())

    def forward(self, seeds, labels):
        return self.model(mg.cat([seeds, self.label(labels)], 1))


class Discriminator(nn.Module):
    """(images (N, 784), one-hot labels (N, 10)) -> logits (N, 1)."""

    def __init__(self, labels):
        super().__init__()
        self.projects = labels == "projection"
        self.features = nn.Sequential(nn.Linear(784 + (0 if self.projects else CLASSES), 512), nn.LeakyReLU(0.2),
                                      nn.Linear(512, 256), nn.LeakyReLU(0.2))
        self.answer = nn.Linear(256, 1)
        self.label = nn.Linear(CLASSES, 256, bias=False) if self.projects else None

    def forward(self, images, labels):
        features = self.features(images if self.projects else mg.cat([images, labels], 1))
        answer = self.answer(features)
        return answer + (self.label(labels) * features).sum(1, keepdim=True) if self.projects else answer


def train(run, images, labels, penalty=0.2, reach=0.3, every=4):
    """The steps of gans/mnist.py, with the labels in both networks. Returns the averaged G."""
    G, D = Generator(run.args.labels).to(run.device), Discriminator(run.args.labels).to(run.device)
    average, loss = optim.EMA(G, 0.999), nn.BCEWithLogitsLoss()
    optimiser_g = optim.Adam(G.parameters(), 1e-3, betas=(0.0, 0.999))
    optimiser_d = optim.Adam(D.parameters(), 1e-3, betas=(0.0, 0.999))
    run.keep(G=G, D=D, average=average, optimiser_g=optimiser_g, optimiser_d=optimiser_d)
    batch = run.args.batch
    ones, zeros = mg.ones(batch, 1, device=run.device), mg.zeros(batch, 1, device=run.device)

    for step in run.steps():
        # 1 and 2. D learns from real images with their own labels, and from images generated for the same labels.
        real = real_batch(run, step, images)
        asked = one_hot(labels[run.batch_order(step, len(images), batch)], run.device)
        fake = G(run.noise(step, batch, SEED), asked)
        answers = D(real, asked)
        d_real, d_fake = loss(answers, ones), loss(D(fake.detach(), asked), zeros)
        d = d_real + d_fake
        if step % every == 0:
            nearby = real + reach * run.noise(step, *real.shape, name="directions")
            d = d + every * penalty / 2 * (((D(nearby, asked) - answers) / reach) ** 2).mean()
        optimiser_d.zero_grad()
        d.backward()
        optimiser_d.step()

        # 3. G learns to be answered with 1 for what it was asked.
        D.requires_grad_(False)
        g = loss(D(fake, asked), ones)
        optimiser_g.zero_grad()
        g.backward()
        optimiser_g.step()
        D.requires_grad_(True)
        average.update()

        run.log(step, d_real=d_real, d_fake=d_fake, g=g)
        if run.picture_due(step):
            run.picture(step, grid(rows(run, average.model), columns=10))
    return average.model


def one_hot(labels, device):
    """Labels (N,) as a float32 tensor (N, 10)."""
    return mg.tensor(np.eye(CLASSES, dtype=np.float32)[labels], device=device)


def generate(run, G, labels, seeds):
    """A uint8 image (28, 28) for each label (N,) from seeds (N, 100)."""
    chunks = []
    with mg.no_grad():
        for k in range(0, len(labels), 1000):
            images = G(mg.tensor(seeds[k:k + 1000], device=run.device), one_hot(labels[k:k + 1000], run.device))
            chunks.append(np.rint(images.cpu().numpy() * 255).astype(np.uint8).reshape(-1, 28, 28))
    return np.concatenate(chunks)


def rows(run, G):
    """Ten rows of one class each; a column shares its seed."""
    seeds = mg.random.stream(run.seed, "picture").standard_normal((10, SEED), np.float32)
    return generate(run, G, np.repeat(np.arange(CLASSES), 10), np.tile(seeds, (CLASSES, 1)))


def demo(argv=None):
    p = parser("cgan", __doc__, steps=12_000, batch=64)
    p.add_argument("--data", choices=["auto", "mnist", "fashion", "synthetic"], default="auto",
                   help="auto: MNIST, or digits drawn by code where it cannot be had")
    p.add_argument("--labels", choices=["concat", "projection"], default="concat", help="how labels enter (concat)")
    p.add_argument("--samples", type=positive, metavar="N",
                   help="write N samples to samples.npy, uint8 N x 28 x 28, and what was asked for to labels.npy")
    args = parse(p, argv)
    images, labels, held_out = load(args)
    run = Run(args)
    judge = cached_judge(images, labels, log=say)
    G = train(run, images, labels)
    say(f"{args.steps} steps of {args.batch} in {run.seconds:.0f} s")

    paths = run.finish("conditional: the losses of D and G", {"ln 2 = 0.693: D answers 0.5": log(2)},
                       "D stays a little ahead: its losses hover below the line, the generator's above.")
    n = args.samples or 10_000
    asked = np.arange(n) % CLASSES
    samples = generate(run, G, asked, mg.random.stream(run.seed, "samples").standard_normal((n, SEED), np.float32))
    if args.samples:
        paths.append(write_atomically(run.folder / "samples.npy", lambda path: np.save(path, samples)))
        paths.append(write_atomically(run.folder / "labels.npy", lambda path: np.save(path, asked)))
    right = judge.read(samples)[1].argmax(1) == asked
    found = verdict(judge, samples, held_out)
    names = NAMES["fashion" if args.data == "fashion" else "digits"]
    say(f"{right.mean():.1%} of the samples are read as the class that was asked for: "
        + ", ".join(f"{name} {right[asked == c].mean():.0%}" for c, name in enumerate(names)) + ".")
    say(found.words(names)[0])
    status = 0
    if args.check:
        status = check_lines([("read as asked", right.mean(), right.mean() >= 0.95, ">=0.95"),
                              ("Frechet distance / noise's", found.distance, found.distance <= 0.04, "<=0.04")])
    report_paths(paths, "python -m gans.cgan --data fashion, the same for clothes")
    return status


if __name__ == "__main__":
    sys.exit(main(demo))
