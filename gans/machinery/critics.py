"""What a critic has learnt: on a line, between two heaps of numbers, and among the digits of a run."""

from typing import NamedTuple

import numpy as np

import minigrad as mg
from gans.machinery.judge import middle, verdict
from gans.machinery.losses import gradient_penalty, mean_slope
from gans.machinery.samples import as_real, generate
from minigrad import nn
from minigrad.random import stream

GRID = np.linspace(-4, 4, 401, dtype=np.float32)


class Learnt(NamedTuple):
    """A critic of numbers, as figures."""

    answers: np.ndarray  # at GRID, (401,)
    gap: float  # mean answer to the right heap, less that to the left
    certainty: float  # the Jensen-Shannon divergence that its answers, as logits, show: at most ln 2
    slope: float  # |df/dx|, the mean of it half way between the heaps


def on_a_line(f, learn, apart, *, seed=1, steps=600, batch=256, width=0.3):
    """Let a critic of numbers f learn, by calls of `learn(real, fake, mix, weight)`, between two heaps of numbers.

    These lie `apart`, the real ones on the right. On a line a slope has a sign, and a critic that is born with the
    wrong one would have to pass through slope 0, where a penalty is highest: so the weight of that grows over the first
    third, to 10. Among images a slope can turn instead. Returns what was Learnt.
    """
    real, fake = (mg.tensor(width * stream(seed, name).standard_normal((8 * batch, 1), np.float32) + side * apart / 2)
                  for name, side in (("right", 1), ("left", -1)))
    for step in range(steps):
        some = slice(step % 8 * batch, (step % 8 + 1) * batch)
        learn(real[some], fake[some], mg.rand(batch, 1), 10 * min(1, 3 * step / steps))
    with mg.no_grad():
        answers, right, left = (f(x).numpy()[:, 0].astype(float) for x in (mg.tensor(GRID[:, None]), real, fake))
    certainty = np.log(2) - (np.logaddexp(0, -right).mean() + np.logaddexp(0, left).mean()) / 2
    return Learnt(answers, right.mean() - left.mean(), certainty, mean_slope(f, (real + fake) / 2))


def gaps(run, pictures, judge, G, f, n=2000):
    """{name: number} of how a critic and a generator of digits stand, on n images.

    The critic's gap to images that are learnt from, and to others; its mean slope half way between these and samples;
    and how far off the samples are, as `judge.verdict` has it.
    """
    images = generate(G, n, seed=run.seed)
    known, others = pictures.train[:n], pictures.held_out[:n]
    made, known, others = (mg.tensor(as_real(these.reshape(len(these), 28, 28, 1), G), device=run.device)
                           for these in (images[:len(others)], known, others))
    with mg.no_grad():
        fake, real, held_out = (float(f(x).mean()) for x in (made, known, others))
    return {"gap": real - fake, "gap held out": held_out - fake, "slope": mean_slope(f, (made + others) / 2),
            "distance": verdict(judge, images, middle(pictures.held_out[:n, ..., 0])).distance}


def over_time(rows):
    """(mean slope in the second half, correlation of the two gaps) of a run's rows, which hold what `gaps` found."""
    slopes, known, others = ([row[f"measure.{name}"] for row in rows if f"measure.{name}" in row]
                             for name in ("slope", "gap", "gap held out"))
    return float(np.mean(slopes[len(slopes) // 2:])), float(np.corrcoef(known, others)[0, 1]) if len(known) > 1 else 0.0


def linear_error():
    """How far the penalty of a linear critic w x is from (|w| - 1)^2, which it should be everywhere."""
    f = nn.Linear(784, 1).double()
    found = gradient_penalty(f, *(mg.randn(5, 784, dtype=mg.float64) for _ in "xy"), mg.rand(5, 1, dtype=mg.float64))
    return abs(found.item() - (np.linalg.norm(f.weight.detach().numpy()) - 1) ** 2)
