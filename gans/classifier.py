"""Reading digits: a weak network, and what each change of thirty years is worth to it.

  python -m gans.classifier                       nine networks, a rung each
  python -m gans.classifier --check --seeds 5     each gain, with its interval
  python -m gans.classifier --batch 1             the book's pace

The data first: an image is 28 x 28 numbers in 0..255, with a label; data.png shows what that means. Then the ladder of
Rashid, "Make Your First GAN with PyTorch" (2020): 784-200-10 with sigmoids, squared error and plain SGD at 0.01, and
four changes, each alone and then one on the other:

    loss        squared error -> cross-entropy: a slope even where a sigmoid is wrong and flat
    activation  sigmoid -> LeakyReLU in the hidden layer: a slope of 1 instead of at most 1/4
    optimiser   SGD -> Adam: a rate for each weight
    norm        + LayerNorm on the hidden layer: its values stay where the next layer can use them

and at last a convolutional network, which knows that neighbouring pixels belong together (LeCun et al. 1989). The book
feeds an image a step; here a step takes ten, and SGD's rate is 0.01 an image, which is nearly the same.

What to look at: ladder.png. What a change is worth depends on what is there already, so that both orders are shown: the
last one may add nothing to the others.

What to try: --data fashion; in the file, nn.ReLU(), or a second hidden layer.
"""

import sys
from functools import partial

import numpy as np

import minigrad as mg
from gans.machinery import figures
from gans.machinery.commandline import main, only, parse, parser, positive, say
from gans.machinery.imagesets import DIGITS, open_digits
from gans.machinery.judge import as_input
from gans.machinery.run import Run, other_seeds
from gans.machinery.supervised import accuracy, learn, paired
from minigrad import nn, optim
from minigrad.nn import functional as F

QUICK = "--data synthetic --steps 3430"
START = {"loss": "squared", "activation": "sigmoid", "optimiser": "SGD", "norm": "none"}
CHANGES = {"loss": "cross-entropy", "activation": "LeakyReLU", "optimiser": "Adam", "norm": "LayerNorm"}
NAMES = list(CHANGES)
RUNGS = {"start": START, **{f"{name} alone": {**START, name: CHANGES[name]} for name in NAMES},
         **{f"+ {NAMES[k]}": {**START, **{name: CHANGES[name] for name in NAMES[:k + 1]}} for k in (1, 2, 3)},
         "convolutional": None}
BARS = {"mnist": (0.97, 0.99)}  # for all four changes, and for the convolutional network
LADDER = ["start", "loss alone", "+ activation", "+ optimiser", "+ norm", "convolutional"]
PARTS = 6 * (len(RUNGS) - 1) + 1  # of all steps: 6 for a rung, and 1 for the last, which takes 6 times as many images


def fully_connected(activation, norm):
    return nn.Sequential(                                                      # (N, 784)
        nn.Linear(784, 200),                                                   # (N, 200)
        nn.Sigmoid() if activation == "sigmoid" else nn.LeakyReLU(0.02),
        nn.LayerNorm(200) if norm == "LayerNorm" else nn.Identity(),
        nn.Linear(200, 10))                                                    # (N, 10): the last sigmoid is below


def convolutional():
    return nn.Sequential(nn.Unflatten(1, (1, 28, 28)),                         # (N, 1, 28, 28)
        nn.Conv2d(1, 16, 5, padding=2), nn.BatchNorm2d(16), nn.LeakyReLU(0.02), nn.MaxPool2d(2),  # (N, 16, 14, 14)
        nn.Conv2d(16, 32, 5), nn.BatchNorm2d(32), nn.LeakyReLU(0.02), nn.MaxPool2d(2),            # (N, 32, 5, 5)
        nn.Flatten(), nn.Dropout(0.3), nn.Linear(800, 128), nn.LeakyReLU(0.02),                   # (N, 128)
        nn.Dropout(0.3), nn.Linear(128, 10))                                                      # (N, 10)


def squared(logits, labels):
    """The squared distance of each answer, through a sigmoid, to 1 at the label and to 0 elsewhere."""
    return F.mse_loss(logits.sigmoid(), F.one_hot(labels, 10).float())


def cross_entropy(logits, labels):
    """Ten yes-or-no questions, each by its binary cross-entropy."""
    return F.binary_cross_entropy_with_logits(logits, F.one_hot(labels, 10).float())


def rung(changes, batch):
    """(network, loss, optimiser) of what a rung of the ladder is made of; None is the convolutional one."""
    if changes is None:
        net = convolutional()
        return net, F.cross_entropy, optim.Adam(net.parameters(), 2e-3)
    net = fully_connected(changes["activation"], changes["norm"])
    optimiser = (optim.SGD(net.parameters(), 0.01 * batch) if changes["optimiser"] == "SGD" else
                 optim.Adam(net.parameters(), 1e-3))
    return net, squared if changes["loss"] == "squared" else cross_entropy, optimiser


def climb(run, pictures):
    """Train all rungs, each a phase of the run, and return the share of the test images that each reads right."""
    last = parts = 0
    for name, changes in RUNGS.items():
        parts, batch = (parts + 6, run.args.batch) if changes else (parts + 1, 6 * run.args.batch)
        first, last = last, run.args.steps * parts // PARTS
        run.phase(name)
        mg.manual_seed(run.seed)  # every rung begins with the same weights
        net, loss, optimiser = rung(changes, batch)
        run.keep(net=net.to(run.device), optimiser=optimiser)
        learnt = run.captured(partial(learn, net, loss, optimiser))

        for step in run.steps(to=last):
            if name == "convolutional":  # its rate falls to 0, on a straight line
                optimiser.param_groups[0]["lr"] = 2e-3 * (last - step) / (last - first)
            chosen = run.batch_order(step - first, len(pictures.train), batch)
            images = as_input(pictures.train[chosen]).to(run.device)           # (batch, 784)
            labels = mg.tensor(pictures.labels[chosen].astype(np.int64), device=run.device)
            run.log(step, error=learnt(images, labels))

        if run.begun and run.step == last and name not in run.measured():  # not if a resumed run has done it
            right = accuracy(net, pictures.held_out, pictures.held_out_labels)
            run.measure(last, **{name: right})
            say(f"  {name:<18} {right:.2%}")
    return {name: right for name, right in run.measured().items() if name in RUNGS}


def gains(climbs):
    """{change: (mean gain over the rung before it, half of the 95 % interval)} within each of several seeds' climbs."""
    pairs = [(f"{name} alone", "start") for name in NAMES] + list(zip(LADDER[2:], LADDER[1:]))
    return {after: paired([c[after] for c in climbs], [c[before] for c in climbs]) for after, before in pairs}


def demo(argv=None):
    p = parser("classifier", __doc__, steps="4 epochs of each network", batch=10, capture=True)
    p.add_argument("--data", choices=DIGITS, default="auto", help="auto: MNIST, or digits drawn by code without it")
    p.add_argument("--seeds", type=positive, metavar="N", help="with --check: train N seeds from --seed on (1)")
    args = parse(p, argv)
    only(args, ["seeds"], args.check, "--check")
    pictures = open_digits(args.data).for_run(args)
    args.steps = args.steps or 4 * PARTS * len(pictures.train) // (6 * args.batch)
    with Run(args, "the error of one network after the other") as run:
        shown = figures.data(run.folder / "data.png", pictures.train[..., 0], pictures.labels)
        climbs = [climb(run, pictures)]
        run.finish()
        climbs += [climb(other, pictures) for other in other_seeds(run, (args.seeds or 1) - 1)]
        worth, whole = gains(climbs), {name: np.mean([each[name] for each in climbs]) for name in RUNGS}
        for name, (gain, half) in worth.items():
            say(f"  {name:<18} {100 * gain:+6.2f} points" + (f" +- {100 * half:.2f}" if len(climbs) > 1 else ""))
        run.paths += [shown, figures.ladder(run.folder / "ladder.png", climbs, worth)]
        least, (four, best) = min(worth[f"{name} alone"][0] for name in NAMES), BARS.get(pictures.name, (0.85, 0.88))
        return run.end([
            ("start", whole["start"], whole["start"] <= 0.89, "<=0.89"),
            ("all four changes", whole["+ norm"], whole["+ norm"] >= four, f">={four}"),
            ("convolutional", whole["convolutional"], whole["convolutional"] >= best, f">={best}"),
            ("least gain alone", least, least > 0, ">0"),
        ], "python -m gans.mnist, where such a network answers to another one")


if __name__ == "__main__":
    sys.exit(main(demo))
