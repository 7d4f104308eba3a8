"""Why G's loss is not minus D's: what is left of G's slope as D gets sure."""

import numpy as np

from gans.machinery.losses import MINIMAX, NS
from gans.machinery.parts import update
from gans.machinery.pictures import write_atomically
from gans.machinery.plots import figure_of
from minigrad import autograd, optim


def silence(run, G, D, data, steps=300):
    """Of a new G and D: draw into the run's folder what D's learning does to G's slope, G standing still.

    `data(k)` gives the k-th (real samples, noise). Returns the (name, value, passed, threshold) of the slope that the
    saturating loss leaves at the end, over the other loss's.
    """
    rows = slopes(G.to(run.device), D.to(run.device), data, steps)
    run.paths.append(plot_slopes(run.folder / "gradients.png", rows))
    left = rows[-1][2] / rows[-1][1]
    return "G's slope, saturating / other", left, left < 0.1, "<0.1"


def slopes(G, D, data, steps, every=10):
    """While D learns and G stands still: [(step, |dG| by the non-saturating loss, |dG| by the saturating one)]."""
    rows, optimiser_d = [], optim.Adam(D.parameters(), 2e-3, betas=(0.5, 0.99))
    for k in range(steps + 1):
        real, z = data(k)
        fake = G(z)
        if k % every == 0:
            rows.append((k, *(length(autograd.grad(loss.g(D(fake)), list(G.parameters()), retain_graph=True))
                              for loss in (NS, MINIMAX))))
        update(optimiser_d, sum(NS.d(D(real), D(fake.detach()))))
    return rows


def length(slopes):
    """The Euclidean length of a list of tensors as one vector."""
    return float(sum((slope ** 2).sum() for slope in slopes) ** 0.5)


def plot_slopes(path, rows):
    """Both lengths over the steps, as a PNG file."""
    figure, axes = figure_of((6, 4))
    step, ns, minimax = np.transpose(rows)
    axes.semilogy(step, ns, color="tab:green", label="non-saturating: G maximises ln D")
    axes.semilogy(step, minimax, color="tab:red", label="saturating: G minimises ln(1 - D)")
    axes.set(xlabel="steps of D, G standing still", ylabel="length of G's gradient",
             title="As D gets sure, the saturating loss falls silent")
    axes.legend(loc="best")
    return write_atomically(path, lambda p: figure.savefig(p, dpi=110))
