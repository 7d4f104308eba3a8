"""Faults that are planted in the demos, and how many of them the monitor names: `python -m tests.gans.planted`.

Each fault is an edit of a chapter's own source, as a slip of its author would be: the chapter knows nothing of it. The
runs are small ones on data drawn by code. The confusion matrix has a row for each fault, and for each demo as it is; a
column for each sign of the monitor; and in it the number of runs in which the sign was seen within the fault's steps.
`--seeds 10` takes ten seeds of each; `--keep DIR` keeps the runs, and takes those that are there already.
"""

import argparse
import contextlib
import functools
import importlib
import io
import os
import shutil
import sys
import tempfile
import types
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from gans.machinery import imagesets, log, monitor, run
from gans.machinery.signs import SIGNS
from minigrad.data.digits import synthetic_digits
from minigrad.errors import MinigradError

NAMES = [sign.name for sign in SIGNS]
NUMBERS = [sign.number for sign in SIGNS]
LETTERS = [f"{number}{'b' if number in NUMBERS[:k] else ''}" for k, number in enumerate(NUMBERS)]

SMALL_DIGITS = ("--data", "synthetic", "--batch", "16")
SMALL_FACES = ("--data", "synthetic-faces", "--size", "16", "--width", "8", "--batch", "16", "--lr", "1e-3")


def adam(rate, beta=0.5):
    """The optimisers of G and D in gans/mnist.py, with a rate of one's own."""
    return f"optim.Adam(net.parameters(), {rate}, betas=({beta}, 0.999)) for net in (G, D)"


STOP = 300  # steps, after which a run that is to be resumed is interrupted
NO_PENALTY = "if directions is not None", "if False"
SLOW_G = adam("1e-3"), adam("1e-3 if net is D else 1e-5")


@dataclass
class Fault:
    """A slip in a chapter, what the monitor is to call it, and within how many steps."""

    name: str  # of the sign
    chapter: str
    options: tuple
    steps: int
    edits: tuple  # (what stands in the chapter, what stands there instead), ...
    cause: str
    again: tuple = ()  # edits of the process that goes on with the run, where it is resumed


MNIST = "mnist", SMALL_DIGITS
CGAN = "cgan", SMALL_DIGITS
DCGAN = "dcgan", SMALL_FACES

FAULTS = (
    Fault("D wins", *MNIST, 600, (SLOW_G, NO_PENALTY), "G learns a hundred times more slowly, no penalty"),
    Fault("the loss saturates", *MNIST, 200, (
        ("g = NS.g(D(fake))", "g = -NS.d(D(fake), D(fake))[1]"), SLOW_G, NO_PENALTY), "G minimises log(1 - D)"),
    Fault("total collapse", *MNIST, 250, (
        ("for net in networks(\"steady\"))", "for net in deaf(networks(\"steady\")))"),), "G does not hear its noise"),
    Fault("partial collapse", *MNIST, 300, (
        ("for net in networks(\"steady\"))", "for net in deaf(networks(\"steady\"), 3))"),),
        "G hears the signs of 3 of 100 numbers"),
    Fault("oscillation", *MNIST, 400, (
        (adam("1e-3"), adam("1e-2", 0.9)), ("optim.EMA(G, run.args.average)", "optim.EMA(G, 0.0)")),
        "ten times the rate, beta1 0.9, no average"),
    Fault("D is fooled", *MNIST, 10, (
        ("for net in (G, D))\n    run.keep(G=G, D=D, average=average",
         "for net in (G, D))\n    optimiser_g = optim.Adam([*G.parameters(), *D.parameters()], 1e-3)\n"
         "    run.keep(G=G, D=D, average=average"),
        ("with frozen(D):", "with mg.enable_grad():")), "G's optimiser holds D's parameters, too"),
    Fault("not a number", *MNIST, 20, (
        ("steepness(D, real, on_real, directions, reach=0.3)",
         "((D(real) - D(real)) ** 2).sum() ** 0.5"),), "the slope of a root at 0"),
    Fault("checkerboard", *DCGAN, 300, (
        ("G.apply(from_normal), D", "G = sparse(G)\n        G.apply(from_normal), D"),),
        "a kernel of 1 at a stride of 2"),
    Fault("the two modes differ", *CGAN, 250, (
        ("nn.BatchNorm1d(256)", "nn.BatchNorm1d(256, momentum=1e-5)"),
        ("nn.BatchNorm1d(512)", "nn.BatchNorm1d(512, momentum=1e-5)")), "running statistics hardly move"),
    Fault("one batch for real and generated", *DCGAN, 50, (
        ("on_real, on_fake = D(real), D(fake.detach())",
         "on_real, on_fake = D(mg.cat([real, fake.detach()])).chunk(2)"),),
        "D sees both in one batch"),
    Fault("ranges differ", "dcgan", (*SMALL_FACES, "--output", "sigmoid"), 250, (
        ("value_range=(-1.0, 1.0) if args.output == \"tanh\" else (0.0, 1.0)", "value_range=(-1.0, 1.0)"),),
        "images in -1..1, a G that ends in a sigmoid"),
    Fault("sigmoid twice", *MNIST, 150, (
        ("D if recipe == \"book\" else D[:-1]", "D"),), "a sigmoid before the loss of logits"),
    Fault("D overfits", *MNIST, 500, (
        ("pictures = open_digits(args.data).for_run(args)", "pictures = few(open_digits(args.data)).for_run(args)"),
        NO_PENALTY), "16 images to learn from, no penalty"),
    Fault("worse since it was resumed", *MNIST, 350, (), "G is not in the checkpoint, its average is", (
        ("run.keep(G=G, D=D, average=average", "run.keep(D=D, average=average"),)),
    Fault("labels are ignored", *CGAN, 500, (
        ("asked = one_hot(pictures.labels[chosen], CLASSES, run.device)",
         "asked = one_hot(pictures.labels[chosen[::-1]], CLASSES, run.device)"),), "each image has another's label"),
    Fault("the critic is unbounded", *MNIST, 300, (
        ("NS.d(on_real, on_fake)", "(-on_real.mean(), on_fake.mean())"), ("NS.g(D(fake))", "-D(fake).mean()"),
        ("logits=(on_real", "scores=(on_real"), NO_PENALTY),
        "a Wasserstein loss, and nothing bounds D"),
)

HEALTHY = {
    "pattern1010": ("--steps", "2000"),
    "xy": (),
    "ideal": ("--steps", "200"),
    "gaussian": ("--steps", "400"),
    "modes": ("--steps", "600", "--batch", "64"),
    "classifier": ("--data", "synthetic", "--steps", "700"),
    "mnist": (*SMALL_DIGITS, "--steps", "800"),
    "wgan": (*SMALL_DIGITS, "--steps", "200"),
    "ebgan": (*SMALL_DIGITS, "--steps", "500"),
    "cgan": (*SMALL_DIGITS, "--steps", "700"),
    "sgan": ("--data", "synthetic", "--steps", "150"),
    "infogan": ("--data", "synthetic", "--steps", "150", "--batch", "64"),
    "face": ("--data", "synthetic-faces", "--size", "16", "--batch", "16", "--steps", "400", "--lr", "1e-3",
             "--average", "0.98"),
    "dcgan": (*SMALL_FACES, "--steps", "500", "--average", "0.99"),
    "progan": ("--size", "16", "--width", "8", "--phase", "60"),
    "latent": ("--steps", "60", "--batch", "8", "--known", "1500"),
    "inspect": ("--steps", "60", "--batch", "16", "--known", "300"),
    "pix2pix": ("--data", "colour", "--size", "16", "--width", "8", "--steps", "300"),
    "cyclegan": ("--size", "16", "--width", "8", "--steps", "150"),
    "pixelcnn": ("--data", "synthetic", "--steps", "150", "--batch", "8"),
    "stacked": ("--data", "synthetic", "--steps", "80"),
}
RESUMED = "mnist", "dcgan"


class Enough(Exception):
    """The training is over; what a chapter does after it is of no interest here."""


def edited(chapter, edits):
    """A module of its own with a chapter's source, in which the edits are made."""
    path = Path(importlib.import_module(f"gans.{chapter}").__file__)
    source = path.read_text()
    for old, new in edits:
        if old not in source:
            raise AssertionError(f"{path} no longer holds {old!r}; this fault needs another edit")
        source = source.replace(old, new)
    module = types.ModuleType(f"gans.{chapter}")
    module.__dict__.update(mg=importlib.import_module("minigrad"), deaf=deaf, few=few, sparse=sparse)
    exec(compile(source, str(path), "exec"), module.__dict__)
    return module


def deaf(nets, signs=0):
    """(G, D) whose G hears of its noise no more than the signs of the first few numbers."""
    G, D = nets
    listen = G.forward

    def forward(z):
        heard = z.detach() * 0
        if signs:
            heard[:, :signs] = (z[:, :signs] > 0) * 2.0 - 1
        return listen(heard)

    G.forward = forward
    return G, D


def few(pictures, n=16):
    """Pictures with few of its images to learn from."""
    pictures.train, pictures.labels = pictures.train[:n], pictures.labels[:n]
    return pictures


def sparse(G):
    """G whose last layer has a kernel of 1 at a stride of 2: three of four pixels get its bias and nothing else."""
    from minigrad import nn

    *layers, last, output = G
    sparse = nn.ConvTranspose2d(last.in_channels, last.out_channels, 1, 2, output_padding=1)
    return nn.Sequential(*layers, sparse, output)


@contextlib.contextmanager
def small(stop=None):
    """Inside, there are few drawn images, files are not forced onto the disk, and a run ends with its last step.

    With `stop`, it is interrupted after as many.
    """
    digits = {"train": drawn(4000, 0), "test": drawn(400, 1)}
    with contextlib.ExitStack() as stack:
        for where, name, value in (
                (imagesets, "DRAWN", {"train": (0, 1000), "test": (1, 200)}),
                (imagesets, "load_digits", lambda name, split="train", log=print: (*digits[split], "drawn digits")),
                (run, "say", lambda line: None), (os, "fsync", lambda _: None),
                (run.Run, "finish", lambda self, *_: _enough()), (run.Run, "save", _save_at_the_end(run.Run.save)),
                (run.Run, "_after", _interrupted(run.Run._after, stop))):
            stack.enter_context(mock.patch.object(where, name, value))
        stack.enter_context(mock.patch.dict(run.Run.__init__.__kwdefaults__, pictures=20))
        yield


drawn = functools.cache(synthetic_digits)


def _enough():
    raise Enough


def _save_at_the_end(save):
    return lambda self, step: save(self, step) if self.interrupted or step == self.args.steps else None


def _interrupted(after, stop):
    def wrapped(self, step, *rest):
        self.interrupted |= step == stop
        after(self, step, *rest)

    return wrapped


def rows_of(chapter, options, edits, seed, folder, again=()):
    """The rows of the log of a run of an edited chapter; with edits for it, it is resumed after `STOP` steps."""
    folder = Path(folder)
    if not (folder / "ended").exists():
        shutil.rmtree(folder, ignore_errors=True)
        with small(STOP if again else None):
            train(chapter, edits, [*options, "--seed", str(seed), "--out", str(folder)])
        if again:
            with small():
                train(chapter, again, ["--resume", str(folder)])
        (folder / "ended").touch()
    return log.read(folder / log.NAME)


def train(chapter, edits, options):
    """Train a chapter, with the edits, until its training is over or ends at a loss that is no number."""
    module = edited(chapter, edits)
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            module.demo(options)
        except (Enough, SystemExit):
            pass
        except MinigradError as error:
            if "became" not in str(error):
                raise


def named(fault, seed, folder):
    """{name of a sign: the step at which the monitor saw it first} of a run with a fault, up to the fault's steps."""
    rows = rows_of(fault.chapter, [*fault.options, "--steps", str(fault.steps)], fault.edits, seed,
                   Path(folder) / f"{fault.name}-{seed}", fault.again)
    return first_seen(rows)


def healthy(chapter, seed, folder, resumed=False):
    """The same of a demo as it is, or as it is resumed."""
    again = (("", ""),) if resumed else ()
    return first_seen(rows_of(chapter, HEALTHY[chapter], (), seed,
                              Path(folder) / f"{chapter}{'-resumed' * resumed}-{seed}", again))


def first_seen(rows):
    """{name of a sign: the first step at which the monitor sees it in the rows}."""
    found = {}
    for verdict in monitor.read(rows).verdicts:
        found.setdefault(verdict["name"], verdict["step"])
    return found


def matrix(seeds, folder, tell=print):
    """Tell the confusion matrix as a table in Markdown, a line as it is known; returns whether all of it is right."""
    good = True
    tell("| planted | seen in time | by step | " + " | ".join(LETTERS) + " |")
    tell("| --- " * (3 + len(SIGNS)) + "|")
    for fault in FAULTS:
        runs = [named(fault, seed, folder) for seed in seeds]
        steps = [run[fault.name] for run in runs if fault.name in run]
        good &= len(steps) >= 0.9 * len(runs)
        tell(f"| {LETTERS[NAMES.index(fault.name)]} {fault.name}: {fault.cause} | {len(steps)} of {len(runs)} | "
             f"{max(steps, default='-')} of {fault.steps} | {_counts(runs)} |")
    for chapter, resumed in [*((chapter, False) for chapter in HEALTHY), *((chapter, True) for chapter in RESUMED)]:
        runs = [healthy(chapter, seed, folder, resumed) for seed in seeds]
        alarms = sum(map(bool, runs))
        good &= not alarms
        command = " ".join(["python -m", f"gans.{chapter}", *HEALTHY[chapter]])
        tell(f"| nothing: `{command}`{f', resumed after {STOP} steps' * resumed} | {alarms} false alarms of "
             f"{len(runs)} | | {_counts(runs)} |")
    return good


def _counts(runs):
    return " | ".join(str(sum(name in run for run in runs) or "") for name in NAMES)


def main():
    p = argparse.ArgumentParser(prog="python -m tests.gans.planted", description=__doc__.splitlines()[0])
    p.add_argument("--seeds", type=int, default=10, metavar="N", help="runs of each (10)")
    p.add_argument("--first", type=int, default=1, metavar="N", help="the first seed (1)")
    p.add_argument("--keep", metavar="DIR", help="keep the runs in this folder")
    args = p.parse_args()
    with tempfile.TemporaryDirectory() if args.keep is None else contextlib.nullcontext(args.keep) as folder:
        good = matrix(range(args.first, args.first + args.seeds), folder, lambda line: print(line, flush=True))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
