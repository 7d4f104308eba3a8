"""Arithmetic of seeds: what a generator draws for sums, differences and multiples of seeds, and on the way between two.

A seed of N(0, 1) numbers is a direction and a length. Where a layer norm follows the first layer, which is linear but
for its biases, most of the length is divided out: three times a seed is much the same digit, and a + b much like what
lies half way between a and b. Near 0, where the biases rule, all seeds are one.
"""

import numpy as np

from gans.machinery import figures
from gans.machinery.judge import judge_of
from gans.machinery.samples import as_images, outputs
from gans.machinery.ways import difference
from minigrad.random import stream

STEPS, PAIRS = 12, 200
SCALES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 4.0)


def walk(first, second, steps=STEPS):
    """Seeds (steps, n) on the straight line from the first to the second, both included."""
    return first + np.linspace(0, 1, steps, dtype=np.float32)[:, None] * (second - first)


def draw(G, seeds):
    """uint8 images (N, H, W) of seeds (N, n)."""
    return as_images(outputs(G, np.asarray(seeds, np.float32)), G)


def sheet(path, G, seed, pairs=4):
    """Write sums and differences, multiples, and walks, of a few pairs of seeds, as one picture."""
    drawn = {"sums and differences": ([], ("a", "b", "a + b", "a - b", "b - a", "-a")),
             "multiples: mostly the direction is the digit, but near 0 all are one": ([], [f"{s:g} a" for s in SCALES]),
             f"a walk of {STEPS} steps from a to b": ([], [str(k) for k in range(1, STEPS + 1)])}
    sums, multiples, walks = (rows for rows, _ in drawn.values())
    for a, b in stream(seed, "pairs").standard_normal((pairs, 2, *G.seed_shape), np.float32):
        sums.append(draw(G, [a, b, a + b, a - b, b - a, -a]))
        multiples.append(draw(G, np.outer(SCALES, a)))
        walks.append(draw(G, walk(a, b)))
    return figures.sheets(path, drawn, (8, 9.6))


def of_seeds(run, G, pictures):
    """Write seeds.png into a run's folder; returns [(name, value, passed, threshold)] over pairs of seeds."""
    run.paths.append(sheet(run.folder / "seeds.png", G, run.seed))
    a, b = stream(run.seed, "arithmetic").standard_normal((2, PAIRS, *G.seed_shape), np.float32)
    first, second, half = draw(G, a), draw(G, b), draw(G, (a + b) / 2)
    other = difference(first, second)
    judge = judge_of(pictures)
    faded = ((first.astype(int) + second) // 2).astype(np.uint8)
    ends, between, blend = (judge.read(images)[1].max(1).mean() for images in (np.concatenate([first, second]), half,
                                                                             faded))
    triple, whole = difference(first, draw(G, 3 * a)) / other, difference(half, draw(G, a + b)) / other
    longest = np.mean([_longest(draw(G, walk(*pair))) for pair in zip(a[:50], b[:50])])
    run.measure(run.step, triple=triple, sum=whole, between=between / ends, faded=blend / ends, longest=longest)
    return [("3 a beside a, share of b beside a", triple, triple <= 0.5, "<=0.5"),
            ("a + b beside the middle, likewise", whole, whole <= 0.5, "<=0.5"),
            ("judge's confidence, middle / ends", between / ends, between / ends >= 0.8, ">=0.8"),
            ("the same / a cross-fade's", between / blend, between > blend, ">1"),
            ("longest of 11 steps of a walk", longest, longest <= 3 / 11, "<=3/11")]


def _longest(images):
    """The longest step of a walk (n, H, W), as a share of the length of the whole way."""
    steps = np.linalg.norm(np.diff(images.reshape(len(images), -1).astype(np.float32), axis=0), axis=1)
    return steps.max() / max(steps.sum(), 1e-9)
