"""Digits on request: a conditional GAN, told which class to draw.

  python -m gans.cgan                       ten rows of digits, one class a row
  python -m gans.cgan --data fashion        T-shirts to ankle boots
  python -m gans.cgan --labels projection   labels as learned vectors

After the conditional GAN of Rashid, "Make Your First GAN with PyTorch" (2020), and of Mirza & Osindero, "Conditional
Generative Adversarial Nets" (2014): the label goes into both networks, so D can object to a good three that was ordered
as a seven. `--labels projection` is Miyato & Koyama, "cGANs with Projection Discriminator" (2018): D adds the inner
product of the label's vector with its features, G is given the label's vector beside its seed.

What to look at: the grid. Each row is one class, each column one seed: the seed decides the hand, the label the digit.
The measured figure is the share of samples that a classifier reads as the class that was asked for.

What to try: --data fashion; a label that is half of two classes (gans.load gives you G).
"""

import sys

import numpy as np

import minigrad as mg
from gans.machinery.commandline import main, parse, parser, say
from gans.machinery.imagesets import DIGITS, open_digits
from gans.machinery.judge import judge_of, judged, names_of
from gans.machinery.losses import LN2, NS, steepness
from gans.machinery.parts import frozen, update
from gans.machinery.run import Run
from gans.machinery.samples import described, one_hot
from minigrad import nn, optim

CLASSES = 10
QUICK = "--data synthetic --labels projection --steps 1000"


class Generator(nn.Module):
    """(seeds (N, 100), one-hot labels (N, 10)) -> images (N, 784) in 0..1."""

    def __init__(self, labels):
        super().__init__()
        self.label = nn.Linear(CLASSES, 50, bias=False) if labels == "projection" else nn.Identity()
        width = 100 + (50 if labels == "projection" else CLASSES)
        self.model = nn.Sequential(                                        # (N, width): seed and label
            nn.Linear(width, 256), nn.BatchNorm1d(256), nn.LeakyReLU(0.2),  # (N, 256)
            nn.Linear(256, 512), nn.BatchNorm1d(512), nn.LeakyReLU(0.2),    # (N, 512)
            nn.Linear(512, 784), nn.Sigmoid())                              # (N, 784)

    def forward(self, seeds, labels):
        return self.model(mg.cat([seeds, self.label(labels)], 1))


class Discriminator(nn.Module):
    """(images (N, 784), one-hot labels (N, 10)) -> logits (N, 1)."""

    def __init__(self, labels):
        super().__init__()
        self.projects = labels == "projection"
        self.features = nn.Sequential(                                     # (N, 784), or (N, 794) with the label
            nn.Linear(784 + (0 if self.projects else CLASSES), 512), nn.LeakyReLU(0.2),  # (N, 512)
            nn.Linear(512, 256), nn.LeakyReLU(0.2))                        # (N, 256)
        self.answer = nn.Linear(256, 1)                                    # (N, 1)
        self.label = nn.Linear(CLASSES, 256, bias=False) if self.projects else None

    def forward(self, images, labels):
        features = self.features(images if self.projects else mg.cat([images, labels], 1))
        answer = self.answer(features)
        return answer + (self.label(labels) * features).sum(1, keepdim=True) if self.projects else answer


def generator(options):
    """G of a run."""
    return described(Generator(options.labels), (100,), image_shape=(28, 28, 1), rows=True, classes=CLASSES)


def train(run, pictures, penalty=0.2, every=4):
    """The steps of gans/mnist.py, with the labels in both networks. Returns the averaged G."""
    G, D = generator(run.args).to(run.device), Discriminator(run.args.labels).to(run.device)
    average = optim.EMA(G, 0.999)
    optimiser_g, optimiser_d = (optim.Adam(net.parameters(), 1e-3, betas=(0.0, 0.999)) for net in (G, D))
    run.keep(G=G, D=D, average=average, optimiser_g=optimiser_g, optimiser_d=optimiser_d)

    @run.captured
    def learn(real, asked, seeds, directions):
        # 1 and 2. D learns from real images with their own labels, and from images generated for the same labels.
        fake = G(seeds, asked)
        on_real, on_fake = D(real, asked), D(fake.detach(), asked)
        d_real, d_fake = NS.d(on_real, on_fake)
        d = d_real + d_fake
        if directions is not None:
            d = d + every * penalty / 2 * steepness(D, real, on_real, directions, 0.3, asked)
        update(optimiser_d, d)

        # 3. G learns to be answered with 1 for what it was asked.
        with frozen(D):
            g = NS.g(D(fake, asked))
            update(optimiser_g, g)
        average.update()
        return dict(d_real=d_real, d_fake=d_fake, g=g, logits=(on_real, on_fake), images=(real, fake))

    for step in run.steps():
        real, seeds = run.batch(step, pictures, like=G), run.noise(step, run.args.batch, 100)
        chosen = run.batch_order(step, len(pictures.train), run.args.batch)
        asked = one_hot(pictures.labels[chosen], CLASSES, run.device)
        directions = run.noise(step, *real.shape, name="directions") if step % every == 0 else None
        run.log(step, **learn(real, asked, seeds, directions))
        run.look(step, average.model, D)
    return average.model


def demo(argv=None):
    p = parser("cgan", __doc__, steps=12_000, batch=64, samples=True, capture=True)
    p.add_argument("--data", choices=DIGITS, default="auto", help="auto: MNIST, or digits drawn by code without it")
    p.add_argument("--labels", choices=["concat", "projection"], default="concat", help="how labels enter (concat)")
    args = parse(p, argv)
    pictures = open_digits(args.data).for_run(args)

    with Run(args, "conditional: the losses of D and G", LN2) as run:
        judge = judge_of(pictures)  # first, as its layers are drawn from the run's random numbers
        G = train(run, pictures)
        run.finish(G)
        found = judged(run, G, pictures, judge)
        asked = np.arange(len(found.read)) % CLASSES
        right = found.read == asked
        say(f"{right.mean():.1%} of the samples are read as the class that was asked for: "
            + ", ".join(f"{name} {right[asked == c].mean():.0%}" for c, name in enumerate(names_of(pictures))) + ".")
        run.measure(run.step, read_as_asked=right.mean())
        return run.end([
            ("read as asked", right.mean(), right.mean() >= 0.95, ">=0.95"),
            ("Frechet distance / noise's", found.distance, found.distance <= 0.04, "<=0.04"),
        ], "python -m gans.cgan --data fashion, the same for clothes")


if __name__ == "__main__":
    sys.exit(main(demo))
