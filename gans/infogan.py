"""Codes that nobody labelled: a GAN that finds digits, slant and width by itself.

  python -m gans.infogan                   ten kinds, and two numbers
  python -m gans.infogan --information 0   codes that nobody reads
  python -m gans.infogan --noise 1         seeds that drown the codes

After Chen et al., "InfoGAN" (2016). Beside noise, G is given a code: one of ten kinds, and two numbers. No label says
what they are for. But D also guesses the code of an image, and both pay for what it misses: so G has to make the code
visible in what still must look like digits. What is missed of the kinds is a cross-entropy; ln 10 = 2.303 less it is
what an image tells at least, in nats. Three things that the paper does not have make kinds digits within minutes:

    noise    is weak, 0.2 of N(0, 1): at full strength it outweighs a one-hot kind, and each kind is of all digits
    a warp   turns, slants, stretches and shifts the images before kinds are read: none of that can be a kind
    reals    are read, too, and first alone: D sorts them into kinds that are equally many and survive a warp

What to look at: codes.png, a row for each kind, a column for each value of a number; kind in losses.png, from 2.303 on.

What to try: the commands above; --data fashion; in the file, leave out one of the three.
"""

import sys
from math import log

import minigrad as mg
from gans.machinery import codes
from gans.machinery.commandline import main, non_negative, parse, parser
from gans.machinery.imagesets import DIGITS, open_digits
from gans.machinery.judge import judge_of, judged
from gans.machinery.losses import LN2, NS, steepness
from gans.machinery.parts import frozen, update
from gans.machinery.run import Run
from gans.machinery.samples import described, one_hot
from gans.machinery.warps import warp, warped
from minigrad import nn, optim
from minigrad.nn import functional as F
from minigrad.random import stream

KINDS, NUMBERS, Z = 10, 2, 64  # the first numbers of a seed are the code's, the others noise
QUICK = "--data synthetic --steps 300 --batch 64"


class Generator(nn.Module):
    """(seeds (N, 64), one-hot kinds (N, 10)) -> images (N, 784) in 0..1."""

    def __init__(self, noise):
        super().__init__()
        self.noise = noise
        self.model = nn.Sequential(                                        # (N, 74): numbers, weak noise, kind
            nn.Linear(Z + KINDS, 256), nn.BatchNorm1d(256), nn.ReLU(),     # (N, 256)
            nn.Linear(256, 512), nn.BatchNorm1d(512), nn.ReLU(),           # (N, 512)
            nn.Linear(512, 784), nn.Sigmoid())                             # (N, 784)

    def forward(self, seeds, kinds):
        return self.model(mg.cat([seeds[:, :NUMBERS] / 2, self.noise * seeds[:, NUMBERS:], kinds], 1))


class Discriminator(nn.Module):
    """images (N, 784) -> (logits (N, 1), what it reads (N, 12): logits of the kinds, then the numbers)."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(                                        # (N, 784)
            nn.Linear(784, 512), nn.LeakyReLU(0.1),                        # (N, 512)
            nn.Linear(512, 256), nn.LeakyReLU(0.1))                        # (N, 256)
        self.answer = nn.Linear(256, 1)                                    # (N, 1)
        self.read = nn.Sequential(nn.Linear(256, 128), nn.LeakyReLU(0.1),  # (N, 128)
                                  nn.Linear(128, KINDS + NUMBERS))         # (N, 12)

    def forward(self, images):
        features = self.trunk(images)
        return self.answer(features), self.read(features)


def generator(options):
    return described(Generator(options.noise), (Z,), image_shape=(28, 28, 1), rows=True, classes=KINDS, coded=True)


def missed(straight, bent, kinds, numbers):
    """What D misses of the code: cross-entropy of the kinds, in warped images; squared error of the numbers."""
    return F.cross_entropy(bent[:, :KINDS], kinds), F.mse_loss(straight[:, KINDS:], numbers)


def unsettled(straight, bent):
    """How unsure D is of real images, how much else it says when they are warped, and how uneven its kinds are."""
    kinds, others = straight[:, :KINDS].softmax(1), bent[:, :KINDS].log_softmax(1)
    shares, unsure = kinds.mean(0), -(kinds * (kinds + 1e-8).log()).sum(1).mean()
    return -(kinds.detach() * others).sum(1).mean() + 0.3 * unsure + (shares * (shares + 1e-8).log()).sum()


def train(run, pictures, penalty=0.2, every=4):
    """Returns the averaged G, and D."""
    batch, worth, sorting = run.args.batch, run.args.information, min(1000, run.args.steps // 3)
    G, D = generator(run.args).to(run.device), Discriminator().to(run.device)
    average = optim.EMA(G, 0.999)
    optimiser_g, optimiser_d = (optim.Adam(net.parameters(), 1e-3, betas=(0.5, 0.999)) for net in (G, D))
    run.keep(G=G, D=D, average=average, optimiser_g=optimiser_g, optimiser_d=optimiser_d)

    for step in run.steps():
        real, seeds, draw = run.batch(step, pictures, like=G), run.noise(step, batch, Z), stream(run.seed, "code", step)
        kinds, bend = draw.integers(0, KINDS, batch), [warp(2 * draw.random(6) - 1, 28) for _ in range(4)]
        on_real, known = D(real)
        sort = unsettled(known, D(warped(real, bend))[1])
        if worth and step <= sorting:  # at first D sorts real images by itself
            update(optimiser_d, sort)
            run.log(step, sort=sort)
            continue
        fake = G(seeds, one_hot(kinds, KINDS, run.device))
        kinds, numbers = mg.tensor(kinds, device=run.device), seeds[:, :NUMBERS]

        # 1 and 2. D learns from real and from generated images, and to read the code of the latter.
        (on_fake, straight), (_, bent) = D(fake.detach()), D(warped(fake.detach(), bend))
        d_real, d_fake = NS.d(on_real, on_fake)
        kind, number = missed(straight, bent, kinds, numbers)
        d = d_real + d_fake + worth * (kind + number + sort)
        if step % every == 0:
            directions = run.noise(step, *real.shape, name="directions")
            d = d + every * penalty / 2 * steepness(lambda x: D(x)[0], real, on_real, directions)
        update(optimiser_d, d)

        # 3. G learns to be answered with 1, and to make its code readable: it pays for what D misses, too.
        with frozen(D):
            (answer, straight), (_, bent) = D(fake), D(warped(fake, bend))
            g, (kind, number) = NS.g(answer), missed(straight, bent, kinds, numbers)
            update(optimiser_g, g + worth * (kind + number))
        average.update()

        run.log(step, d_real=d_real, d_fake=d_fake, g=g, kind=kind, number=number, sort=sort,
                logits=(on_real, on_fake), images=(real, fake))
        run.look(step, average.model)
    return average.model, D


def demo(argv=None):
    p = parser("infogan", __doc__, steps=3000, batch=128, samples=True)
    p.add_argument("--data", choices=DIGITS, default="auto", help="auto: MNIST, or digits drawn by code without it")
    p.add_argument("--information", type=non_negative, default=1.0, metavar="X", help="what a missed code costs (1)")
    p.add_argument("--noise", type=non_negative, default=0.2, metavar="X", help="its strength beside the code (0.2)")
    args = parse(p, argv)
    pictures = open_digits(args.data).for_run(args)

    with Run(args, "D and G, and what D misses of the code", LN2 | {"ln 10: no kind is told": log(KINDS)}) as run:
        judge = judge_of(pictures)
        G, D = train(run, pictures)
        run.finish(G)
        found = codes.found(run, G, D, pictures, judged(run, G, pictures, judge).read)
        return run.end(codes.results(*found, args.steps >= 3000), "python -m gans.infogan --information 0")


if __name__ == "__main__":
    sys.exit(main(demo))
