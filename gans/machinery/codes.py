"""Codes that nobody labelled: what a generator has made of them, found by measuring.

A code of kinds is a one-hot input, which kind is which digit a classifier tells. Numbers are the first few of the seed;
what one of them turns, slant or width, is told by the moments of the images.
"""

import numpy as np

import minigrad as mg
from gans.machinery import figures
from gans.machinery.commandline import say
from gans.machinery.judge import names_of
from gans.machinery.samples import as_images, noise, outputs, shown
from gans.machinery.watch import host

SHIFTED = ("slant", "width")  # what numbers are expected to turn


def matched(table):
    """The one-to-one matching of the rows of a table (n, n) with its columns that adds up to the most.

    Returns the column of each row, (n,). Exact: for each set of columns, the best that the first rows can do with it.

    >>> matched([[9, 8], [7, 1]]).tolist()
    [1, 0]
    """
    best = {frozenset(): (0, [])}
    for row in np.asarray(table):
        longer = {}
        for used, (total, columns) in best.items():
            for column in set(range(len(row))) - used:
                key, found = used | {column}, (total + row[column], [*columns, column])
                longer[key] = max(found, longer.get(key, found))
        best = longer
    (_, columns), = best.values()
    return np.array(columns)


def counts(rows, columns, n):
    """(n, n): how many pairs there are of each of the n rows with each of the n columns."""
    return np.bincount(np.asarray(rows) * n + columns, minlength=n * n).reshape(n, n)


def shapes(images):
    """{"slant": (N,), "width": (N,)} of uint8 images (N, H, W), by the moments of their ink.

    Of the ink's covariances xx, xy and yy, x to the right and y upward: slant is xy / yy, by how much the middle of the
    ink moves to the right a pixel upward; width is the deviation along x that is left without it, the root of
    xx - xy**2 / yy, in pixels. (0, 0) where there is no ink.
    """
    ink = images.astype(np.float64)
    ink /= np.maximum(ink.sum((1, 2), keepdims=True), 1)
    y, x = (along - (ink * along).sum((1, 2), keepdims=True)
            for along in (-np.arange(ink.shape[1])[:, None], np.arange(ink.shape[2])[None]))
    xx, xy, yy = ((ink * product).sum((1, 2)) for product in (x * x, x * y, y * y))
    slant = xy / np.maximum(yy, 1e-9)
    return {"slant": slant, "width": np.sqrt(np.maximum(xx - slant * xy, 0))}


def along(G, number, values, n, seed=1):
    """uint8 images (len(values), n, H, W): the same n seeds, but for the number of that index, which goes along."""
    seeds = np.tile(noise(G, n, seed, "codes"), (len(values), 1))
    seeds[:, number] = np.repeat(np.asarray(values, np.float32), n)
    labels = np.tile(np.arange(n) % G.classes, len(values))
    images = as_images(outputs(G, seeds, labels), G)
    return images.reshape(len(values), n, *images.shape[1:])


def turned(G, real, values=(-2, -1, 0, 1, 2), n=500, seed=1):
    """{"slant": (number, means), "width": (number, means)}: which of two numbers turns it, and how.

    Means (len(values),) are over n samples, from the mean of `real` images on, in their deviations. Which number is
    which is found by measuring: so that the two together move the most from the first value to the last.
    """
    reals = shapes(real)
    found = [{name: (each.reshape(len(values), n).mean(1) - reals[name].mean()) / reals[name].std()
              for name, each in shapes(along(G, number, values, n, seed).reshape(-1, *real.shape[1:])).items()}
             for number in range(len(SHIFTED))]
    reach = [[abs(means[name][-1] - means[name][0]) for name in SHIFTED] for means in found]
    return {SHIFTED[k]: (number, found[number][SHIFTED[k]]) for number, k in enumerate(matched(reach))}


def steady(means):
    """Whether each of the means is larger than the one before, or each is smaller."""
    steps = np.diff(means)
    return bool((steps > 0).all() or (steps < 0).all())


@mg.no_grad()
def read(D, G, images):
    """What D, beside its answers, reads in uint8 images (N, H, W, C) in the form in which G makes its own: (N, K)."""
    device = next(D.parameters()).device
    return np.concatenate([host(D(*shown(G, images[k:k + 1000], device=device))[1])
                           for k in range(0, len(images), 1000)])


def sweep(G, digits, seed, steps=9, numbers=2):
    """For each of the first numbers of a seed, images (kinds, steps, H, W): a row a kind, in the order of its digit.

    The number goes from -2 to 2 along a row; all else of the seed is the same everywhere.
    """
    rows = np.argsort(digits)
    found = []
    for number in range(numbers):
        seeds = np.tile(noise(G, 1, seed, "sweep"), (len(rows) * steps, 1))
        seeds[:, number] = np.tile(np.linspace(-2, 2, steps), len(rows))
        images = as_images(outputs(G, seeds, np.repeat(rows, steps)), G)
        found.append(images.reshape(len(rows), steps, *images.shape[1:]))
    return found


def found(run, G, D, pictures, reading):
    """Find out, say and draw what a run's codes are: (share of the samples of each kind that are its digit, `turned`).

    `reading` is the class that each of many samples is read as, whose kinds are 0, 1, 2, ... in turn.
    """
    names, n = names_of(pictures), G.classes
    table = counts(np.arange(len(reading)) % n, reading, n)
    digits, turns = matched(table), turned(G, pictures.held_out[..., 0], seed=run.seed)
    shares = table[range(n), digits] / table.sum(1)
    by_d = float((digits[read(D, G, pictures.held_out)[:, :n].argmax(1)] == pictures.held_out_labels).mean())
    say("Kinds, and what they are read as: "
        + ", ".join(f"{kind} is {names[digit]} ({shares[kind]:.0%})" for kind, digit in enumerate(digits)))
    for name, (number, means) in turns.items():
        say(f"Number {number} turns {name}: from -2 to 2, " + ", ".join(f"{mean:.2f}" for mean in means)
            + " deviations of real images off their mean.")
    say(f"D, which has seen no label, reads {by_d:.1%} of the test images right by these kinds.")
    run.measure(run.step, matched=shares.mean(), read_by_d=by_d)
    run.paths.append(figures.codes(run.folder / "codes.png", sweep(G, digits, run.seed), names))
    return shares, turns


def results(shares, turns, long):
    """The (name, value, passed, threshold) of what was `found`; a short run is asked for less."""
    least, far = (0.8, 0.5) if long else (0.2, 0.0)
    reach = {name: abs(means[-1] - means[0]) for name, (_, means) in turns.items()}
    return [("samples that are their kind's digit", shares.mean(), shares.mean() >= least, f">={least}"),
            *((f"{name} goes one way", steady(means), steady(means), "==1") for name, (_, means) in turns.items()),
            *((f"{name}, deviations from -2 to 2", reach[name], reach[name] >= far, f">={far}") for name in turns)]
