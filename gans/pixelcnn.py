"""Pixel by pixel: a network that says how probable a picture is, with no second one to judge it.

  python -m gans.pixelcnn                 learns digits, draws, completes halves
  python -m gans.pixelcnn --data fashion  the same of clothes

The probability of a picture is a product: that of its first pixel, of the second if the first is known, and so on, row
by row. A network that answers for each pixel, "white with what probability?", is a model of whole pictures, if only no
answer depends on the pixel itself or on a later one. Its loss is -ln of the probability of real pictures, in nats: a
figure that can be compared, which no GAN has.

That it does not look ahead is a matter of masks (van den Oord, Kalchbrenner & Kavukcuoglu 2016): A leaves out the own
pixel, in the first layer, which sees the picture; B keeps it, in later ones, whose values there know only what came
before. One stack of such layers has a blind spot, pixels above to the right that no layer passes on. Two have none (van
den Oord et al. 2016): one goes down, a whole row at a time, the other along the row, and is told what the first knows.

What to look at: halves.png, where a half allows for several digits; nats.png, beside a linear model, and which pixels
cost what. Pixels are black or white, white with the probability of their grey: drawn anew at each look at an image to
learn from, once and for all of test digits. Nats of pictures that were made so in another way do not compare.

What to try: in the file, mask B in the first layer, whose loss goes to 0: it copies; no `place`.
"""

import sys
from operator import call

import minigrad as mg
from gans.machinery import figures, pixels
from gans.machinery.commandline import main, parse, parser
from gans.machinery.imagesets import DIGITS, open_digits
from gans.machinery.parts import update
from gans.machinery.pixels import Draw, binarised, nats
from gans.machinery.run import Run
from gans.machinery.samples import described
from minigrad import nn, optim

QUICK = "--data synthetic --steps 25 --batch 8"
WIDTH, DILATIONS, RATE = 32, (1, 2, 4, 8, 8), 3e-3
LINEAR = 96.6  # nats of MNIST's test digits: 784 logistic regressions, each of a pixel upon those before it


def borders(kernel, mask, dilation):
    """The zeros above and below, left and right, that move what a kernel sees back to where a mask would allow it."""
    (rows, columns), late = kernel, mask == "A"
    return ((rows - 1) * dilation + late, columns // 2 * dilation) if rows > 1 else (0, (columns - 1) * dilation + late)


class Masked(nn.Module):
    """A convolution (N, inputs, H, W) -> (N, outputs, H, W) that does not look ahead.

    One of several rows sees those above and, by mask B, the own one, to both sides; one of a single row what is to the
    left and, by mask B, the pixel itself. Weights that a mask would set to 0 are not even there.
    """

    def __init__(self, inputs, outputs, kernel, mask, dilation=1):
        super().__init__()
        self.mask = mask
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=borders(kernel, mask, dilation), dilation=dilation)

    def forward(self, x):
        return self.conv(x)[:, :, :x.shape[2], :x.shape[3]]


class Block(nn.Module):
    """One more layer of both stacks, which add it to what they had."""

    def __init__(self, width, dilation):
        super().__init__()
        self.down, self.told = Masked(width, width, (2, 3), "B", dilation), nn.Conv2d(width, width, 1)
        self.along, self.mixed = Masked(width, width, (1, 2), "B", dilation), nn.Conv2d(width, width, 1)


class PixelCNN(nn.Module):
    """Pictures of 0 and 1, (N, 1, H, W), 28x28 at most -> the logit of each pixel, in the same shape.

    Masked layers are called by `see(layer, x)`: who draws has only a row, or a pixel, at a time.
    """

    def __init__(self, width=WIDTH, dilations=DILATIONS):
        super().__init__()
        self.down, self.along = Masked(1, width, (4, 9), "A"), Masked(1, width, (1, 4), "A")
        self.place, self.told = nn.Parameter(mg.zeros(1, width, 28, 28)), nn.Conv2d(width, width, 1)
        self.blocks = nn.ModuleList([Block(width, dilation) for dilation in dilations])
        self.last = nn.Sequential(nn.ReLU(), nn.Conv2d(width, 2 * width, 1), nn.ReLU(), nn.Conv2d(2 * width, 1, 1))

    def above(self, x, first=0, see=call):
        """What the stack that goes down tells the other of all rows above each: [(N, width, H, W)], layer by layer."""
        v = see(self.down, x) + self.place[:, :, first:first + x.shape[2], :x.shape[3]]  # (N, width, H, W)
        told = [self.told(v)]
        for block in self.blocks:
            v = v + see(block.down, v.relu())                                  # (N, width, H, W)
            told.append(block.told(v))
        return told

    def forward(self, x, above=None, see=call):
        first, *others = above or self.above(x)
        h = see(self.along, x) + first                                         # (N, width, H, W)
        for block, told in zip(self.blocks, others):
            h = h + block.mixed((see(block.along, h.relu()) + told).relu())    # (N, width, H, W)
        return self.last(h)                                                    # (N, 1, H, W)


def generator(options=None):
    return described(Draw(PixelCNN()), (1, 28, 28), seeds="uniform", image_shape=(28, 28, 1))


def train(run, pictures):
    """Returns the averaged network, as one that draws."""
    G = generator().to(run.device)
    net, average, optimiser = G.net, optim.EMA(G, 0.99), optim.Adam(G.parameters(), RATE)
    run.keep(net=net, average=average, optimiser=optimiser)

    for step in run.steps():
        optimiser.param_groups[0]["lr"] = RATE * min(1, 2 * (1 - step / run.args.steps))  # to 0 in the second half
        grey = run.batch(step, pictures, like=G)                               # (batch, 1, 28, 28)
        x = (run.uniform(step, *grey.shape, name="black or white") < grey).float()
        loss = nats(net(x), x).mean()
        update(optimiser, loss)
        average.update()
        run.log(step, nats=loss)
        run.look(step, average.model)
    return average.model


def demo(argv=None):
    p = parser("pixelcnn", __doc__, steps=1200, batch=16, samples=True)
    p.add_argument("--data", choices=DIGITS, default="auto", help="auto: MNIST, or digits drawn by code without it")
    args = parse(p, argv)
    pictures, whole = open_digits(args.data).for_run(args), args.steps >= 500
    test, n = binarised(pictures.held_out, 0, "black or white"), None if whole else 100  # the same in all runs
    with Run(args, "what a picture costs, in nats", pictures=10 if whole else 1) as run:
        G = train(run, pictures)
        run.finish(G)
        costs, found = pixels.compared(run, G.net, pictures, test[:n], linear=whole)
        run.paths += [figures.nats(run.folder / "nats.png", run.losses()["nats"], costs, found),
                      figures.sheets(run.folder / "halves.png",
                                     pixels.halves(G, test, pictures.held_out_labels, run.seed))]
        mine, bar = found.pop("PixelCNN"), min([*found.values(), *([LINEAR] if pictures.name == "mnist" else [])])
        early, missed, own, wrong = pixels.sound(G, run.seed, whole) if args.check else (0, 0, mine, 0)
        return run.end([
            ("pixels seen too early", early, early == 0, "==0"),
            ("earlier pixels never seen", missed, missed == 0, "==0"),
            ("nats of own pictures, error", wrong, wrong <= 1e-5, "<=1e-5"),
            *([("the same / test pictures'", own / mine, abs(own / mine - 1) <= 0.1, "0.9..1.1")] if whole else []),
            ("nats of test pictures", mine, mine < bar, f"<{bar:.4g}"),
        ], f"python -m gans.sample {run.folder}, which draws more")


if __name__ == "__main__":
    sys.exit(main(demo))
