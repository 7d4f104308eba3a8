"""All measures of a run's samples that apply, as a table, each beside what real images have in their place.

Samples are compared with images that were kept back: no network, and no judge, has learnt from those. Digits and
clothes are compared in the features of the judge (gans/machinery/judge.py), other pictures as they are when shrunk to
the coarsest level of their pyramid, where no normal distribution fits and no classes are known.
"""

import argparse
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from gans.machinery import folder
from gans.machinery.commandline import Parser, at_least, positive, say
from gans.machinery.imagesets import DIGITS, learnt_from
from gans.machinery.judge import judge_of, middle
from gans.machinery.metrics import (
    MeasureError,
    beside_floor,
    density_coverage,
    frechet_distance,
    inception_score,
    kernel_distance,
    laplacian_pyramid,
    memorised,
    mode_counts,
    precision_recall,
    shares,
    sliced_wasserstein,
    two_samples,
)
from gans.machinery.metrics.refusals import finite
from gans.machinery.progress import telling
from gans.machinery.samples import as_images, load, noise, of_noise, outputs
from minigrad.errors import MinigradError

MOST = 5_000  # samples, unless --n asks for others
MOST_PIXELS = 1_000  # samples of which the pixels are compared, which takes the longest
FEWEST = 10  # samples, of any pictures; of digits, their features' number
BLOCK = 64  # images that are shrunk together

# What is shown of what a measure finds: {name: (attribute, or None for all of it; format; what is wanted)}
DISTANCE = {"Fréchet distance": (None, ".4g", "low")}
KERNEL = {"kernel distance (KID)": (None, ".4g", "low")}
SCORE = {"inception score": (None, ".3f", "high")}
GOOD = {"precision": ("precision", ".1%", "high"), "recall": ("recall", ".1%", "high")}
DENSE = {"density": ("density", ".3f", "1"), "coverage": ("coverage", ".1%", "high")}
TOLD = {"1-NN test, accuracy": ("accuracy", ".1%", "50%"), "  on real images": ("on_real", ".1%", "50%"),
        "  on samples": ("on_samples", ".1%", "50%")}
NEAR = {"distance to training images, ratio": ("ratio", ".3f", "1"),
        "  closer than 95 % of real": ("closer", ".1%", "5%")}
KINDS = {"classes that come": ("hit", "d", "all"), "classes with a fair share": ("fair", "d", "all"),
         "KL of the classes' shares": ("kl", ".3g", "low")}
ASKED = {"read as the class asked for": (None, ".1%", "high")}


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    name: str
    value: float
    floor: float  # what real images have in the samples' place
    n: int
    wanted: str  # "low", "high", or a number that perfect samples have
    form: str  # of the numbers

    def cells(self):
        """The line as words."""
        return self.name, format(self.value, self.form), format(self.floor, self.form), f"{self.n:,}", self.wanted


def rows(parts, measure, samples, real, seed):
    """The rows of one measure of samples beside real ones; `parts` as above."""
    found = beside_floor(measure, samples, real, seed=seed)
    return [Row(name, *(x if part is None else getattr(x, part) for x in (found.value, found.floor)), found.n, wanted,
                form) for name, (part, form, wanted) in parts.items()]


def measured(samples, pictures, *, judge=None, classes=0, seed=0):
    """The rows of all measures that apply to samples, uint8 (N, H, W) or (N, H, W, C), of a generator of `pictures`.

    Args:
        judge: for digits and clothes, whose features and answers are then measured, too.
        classes: how many the generator takes; the samples are of class 0, 1, 2, ... in turn.

    MeasureError for samples that are too few, or plain.
    """
    samples, real = samples.reshape(-1, *pictures.shape), pictures.held_out
    if all((image == image[0, 0]).all() for image in samples):
        raise MeasureError(f"all {len(samples):,} samples are plain: each is of one colour, and there is nothing to "
                           "measure; look at the run's losses and samples, and train it anew")
    compare, table = partial(rows, seed=seed), []
    if judge is not None:
        (ours, answers), (theirs, their_answers) = (judge.read(middle(x[..., 0])) for x in (samples, real))
        known = shares(pictures.labels, answers.shape[1])
        table += compare(DISTANCE, frechet_distance, ours, theirs)
        table += compare(SCORE, lambda a, _: inception_score(a), answers, their_answers)
        table += compare(KINDS, lambda a, _: mode_counts(a, known), answers.argmax(1), their_answers.argmax(1))
        if classes:
            right = answers.argmax(1) == np.arange(len(samples)) % classes
            table += compare(ASKED, lambda a, _: float(a.mean()), right,
                             their_answers.argmax(1) == pictures.held_out_labels)
    else:
        ours, theirs = coarse(samples), coarse(real)
    for parts, measure in ((KERNEL, kernel_distance), (GOOD, precision_recall), (DENSE, density_coverage),
                           (TOLD, two_samples)):
        table += compare(parts, measure, ours, theirs)
    few = samples[:MOST_PIXELS]
    table += compare(NEAR, partial(memorised, train=pictures.train), few, real)
    sliced = beside_floor(partial(sliced_wasserstein, seed=seed), few, real, seed=seed)
    table.append(Row("sliced Wasserstein distance", sliced.value.average, sliced.floor.average, sliced.n, "low", ".1f"))
    if len(sliced.value.levels) > 1:
        table += [Row(f"  at {size}", distance, sliced.floor.levels[size], sliced.n, "low", ".1f")
                  for size, distance in sliced.value.levels.items()]
    return table


def coarse(images):
    """Images (N, H, W, C) at the coarsest level of their pyramid, in 0..1, a row each."""
    small = np.concatenate([laplacian_pyramid(images[k:k + BLOCK])[-1] for k in range(0, len(images), BLOCK)])
    return small.reshape(len(images), -1) / 255


def lines(table):
    """The table as lines: name, samples, real images in their place, n, what is wanted."""
    cells = [("", "samples", "real", "n", "wanted"), *(row.cells() for row in table)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    return ["  ".join([name.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:]))])
            for name, *rest in cells]


def main(argv=None):
    """`python -m gans.measure RUN`: print the table of a run; returns the exit status."""
    p = Parser(prog="python -m gans.measure", usage="%(prog)s RUN [options]",
               description="How good are the samples of a run? Each figure beside that of real images in their place. "
                           "Nothing is written. docs/measures.md says what each tells, and when it misleads.")
    p.add_argument("run", metavar="RUN", help="the folder of a run, say runs/mnist")
    p.add_argument("--n", type=positive, metavar="N", help=f"samples (half the images kept back, {MOST} at most)")
    p.add_argument("--seed", type=at_least(0), metavar="N", help="of the noise (the run's own)")
    args = p.parse_args(argv)
    run = Path(args.run)
    options = argparse.Namespace(**folder.read(run))
    G = of_noise(load(run), run)
    if G.image_shape is None:
        raise MinigradError(f"{run}: gans.{options.demo} makes no images, which is all that is measured here; python "
                            f"-m gans.{options.demo} --check says how good it is")
    pictures = learnt_from(options)
    most = len(pictures.held_out) // 2
    if most < FEWEST:
        raise MinigradError(f"{run}: of {pictures.name}, {len(pictures.held_out)} images were kept back, a tenth; too "
                            f"few to measure anything beside them: train on {20 * FEWEST} or more")
    if (args.n or 0) > most:
        raise MinigradError(f"--n {args.n}: of {pictures.name}, {len(pictures.held_out):,} images were kept back; half "
                            f"of them stand in the samples' place, so give --n {most} or less")
    n, seed = args.n or min(most, MOST), options.seed if args.seed is None else args.seed
    judge = judge_of(pictures) if pictures.name in DIGITS and pictures.shape[2] == 1 else None
    with telling(f"{n:,} samples of {run}, seed {seed}, are measured beside images that were kept back"):
        values = outputs(G, noise(G, n, seed))
        finite(str(run), "samples", values)
        table = measured(as_images(values, G), pictures, judge=judge, classes=0 if G.coded else G.classes)
    for line in lines(table):
        say(line)
    return 0
