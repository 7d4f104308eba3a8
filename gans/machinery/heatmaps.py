"""Samples in the plane over what D thinks of each place."""

import numpy as np

import minigrad as mg
from gans.machinery.metrics import modes_around
from gans.machinery.plots import drawn
from gans.machinery.samples import noise, outputs
from gans.machinery.watch import host, untouched

PLACES = 50  # a side


def heat_map(run, G, D, hills, answers, axes):
    """Draw 600 samples of G over D's answers to each place, light for real, and the hills (centres, deviation).

    `answers`: D's are "logits", shown as probabilities, or "scores" or "energies", stretched. A place is shown to D as
    a pack of equal ones, and in a batch of its own where D looks at those.
    """
    args, (centres, std), x = run.args, hills, outputs(G, noise(G, 600, run.seed, "picture"))
    reach = 1.35 * np.abs(centres).max()
    line = np.linspace(-reach, reach, PLACES)
    light = opinion(D, np.stack(np.meshgrid(line, line), 2).reshape(-1, 2), args.pack, args.minibatch_discrimination,
                    answers)
    axes.imshow(light.reshape(PLACES, PLACES), cmap="bone", vmin=0, vmax=1, origin="lower", interpolation="bilinear",
                extent=(-reach, reach, -reach, reach))
    axes.plot(*centres.T, "o", markersize=40 / len(centres) ** 0.5, markerfacecolor="none", markeredgecolor="#3fa7ff")
    axes.plot(*x.T, ".", color="#ff7f0e", markersize=2.5)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="x", ylabel="y")
    axes.set_title(f"step {run.step + 1:,}: {modes_around(x, centres, std).high_quality:.0%} good samples", fontsize=10)


def points(values):
    """Samples (N, 2) as a picture."""
    def draw(axes):
        axes.plot(*values.T, ".", color="#ff7f0e", markersize=2.5)
        axes.set(aspect="equal", xlabel="x", ylabel="y", title=f"{len(values):,} samples")

    return drawn(draw)


def opinion(D, places, pack=1, alone=False, answers="logits"):
    """What D thinks of places (N, 2), 0..1: the probability that its logits say, or its scores, stretched.

    Of energies the low ones are light.
    """
    x = mg.tensor(np.tile(places, pack).astype(np.float32), device=next(D.parameters()).device)
    with untouched(D):
        scores = np.concatenate([host(D(part)).ravel() for part in (x.split(1) if alone else (x,))]).astype(np.float64)
    if answers == "logits":
        return np.tanh(scores / 2) / 2 + 0.5
    scores = -scores if answers == "energies" else scores
    low, high = np.quantile(scores, (0.02, 0.98))
    return ((scores - low) / max(high - low, 1e-9)).clip(0, 1)
