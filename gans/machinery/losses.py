"""The losses of GANs, each a pair of functions of D's logits, and the penalties that hold a discriminator back.

A Loss has `d(real, fake)`, the two parts of D's loss on its logits for real and for generated images, and
`g(fake, real=None)`, G's loss on D's logits for its images (only the relativistic one looks at the real ones). All are
means over a batch, differentiable as often as one likes. `LOSSES` has them by name, so that a chapter can offer
`--loss`; a chapter that is about one of them takes it as `losses.NS` and the like.

    d_real, d_fake = NS.d(D(real), D(fake.detach()))
    g = NS.g(D(fake))
"""

from collections.abc import Callable
from math import log
from typing import NamedTuple

import minigrad as mg
from minigrad import autograd
from minigrad.nn import functional as F

LN2 = {"ln 2 = 0.693: D answers 0.5": log(2)}
QUARTER = {"0.25: D answers 0.5, squared error": 0.25}


class Loss(NamedTuple):
    """What D and G minimise."""

    d: Callable  # (logits of real images, logits of generated ones) -> (loss on real, loss on generated), scalars
    g: Callable  # (logits of generated images, logits of real ones or None) -> scalar
    answers: str  # what D's outputs mean: "logits", whose sigmoid is a probability, or "scores" without a scale
    ideals: dict  # {label: loss} of a D that cannot tell, where there is such a number


def called_real(logits):
    """-log D, the cross-entropy of D's logits with the answer "real"."""
    return F.binary_cross_entropy_with_logits(logits, mg.ones_like(logits))


def called_fake(logits):
    """-log(1 - D), the cross-entropy of D's logits with the answer "generated"."""
    return F.binary_cross_entropy_with_logits(logits, mg.zeros_like(logits))


NS = Loss(
    d=lambda real, fake: (called_real(real), called_fake(fake)),
    g=lambda fake, real=None: called_real(fake),
    answers="logits", ideals=LN2)
"""Non-saturating: G maximises log D instead (Goodfellow et al. 2014, end of section 3)."""

MINIMAX = Loss(
    d=NS.d,
    g=lambda fake, real=None: -called_fake(fake),
    answers="logits", ideals={**LN2, "-ln 2: G's, when D answers 0.5": -log(2)})
"""The game as it was first written: G minimises log(1 - D), whose slope vanishes where D is sure (same paper)."""

LSGAN = Loss(
    d=lambda real, fake: (((real - 1) ** 2).mean(), (fake ** 2).mean()),
    g=lambda fake, real=None: ((fake - 1) ** 2).mean(),
    answers="scores", ideals={"0.25: D answers 0.5": 0.25})
"""Least squares: targets 1 and 0 (Mao et al. 2017)."""

WGAN = Loss(
    d=lambda real, fake: (-real.mean(), fake.mean()),
    g=lambda fake, real=None: -fake.mean(),
    answers="scores", ideals={"0: D cannot tell": 0.0})
"""Wasserstein: -(d_real + d_fake) estimates the distance, if D is 1-Lipschitz (Arjovsky et al. 2017)."""

HINGE = Loss(
    d=lambda real, fake: (F.relu(1 - real).mean(), F.relu(1 + fake).mean()),
    g=lambda fake, real=None: -fake.mean(),
    answers="scores", ideals={"1: D answers 0": 1.0})
"""Only answers inside the margin count for D (Lim & Ye 2017; Miyato et al. 2018)."""

RELATIVISTIC = Loss(
    d=lambda real, fake: (called_real(real - fake.mean()), called_fake(fake - real.mean())),
    g=lambda fake, real: (called_real(fake - real.mean()) + called_fake(real - fake.mean())) / 2,
    answers="scores", ideals=LN2)
"""Relativistic average: how much more real than the average of the others (Jolicoeur-Martineau 2019)."""

LOSSES = {"ns": NS, "minimax": MINIMAX, "lsgan": LSGAN, "wgan": WGAN, "hinge": HINGE, "relativistic": RELATIVISTIC}


def steepness(D, real, answers, directions, reach=0.3, *labels):
    """R1 by a difference: |dD/dx|**2 at real images, without a second derivative.

    Over random directions u, E[(D(x + reach u) - D(x))**2] / reach**2 is |dD/dx|**2 for a small reach; a larger one
    smooths D further out. `answers` are D(real), which are there already; `labels`, where D is given some, go with it.
    """
    return (((D(real + reach * directions, *labels) - answers) / reach) ** 2).mean()


def r1(D, real):
    """R1 as it is written: the mean over a batch of |dD/dx|**2 at real images (Mescheder et al. 2018, equation 9)."""
    return (_slopes(D, real) ** 2).sum(1).mean()


def gradient_penalty(D, real, fake, mix, target=1.0):
    """WGAN-GP: the mean of (|dD/dx| - target)**2 between real and generated images (Gulrajani et al. 2017).

    `mix` are uniform random numbers (N, 1, ...), one an image and not one a pixel; the norm is over all of an image's
    values; 1e-12 inside the root keeps its slope finite where the gradient is 0.
    """
    between = mix * real + (1 - mix) * fake.detach()
    return ((((_slopes(D, between) ** 2).sum(1) + 1e-12) ** 0.5 - target) ** 2).mean()


def _slopes(D, x):
    """dD/dx for each of a batch, (N, values), differentiable."""
    x = x.detach().requires_grad_()
    slopes, = autograd.grad(D(x).sum(), x, create_graph=True)
    return slopes.reshape(len(x), -1)


def energy(images, redrawn):
    """(N,): the squared distance of each of the images (N, values) to what an autoencoder made of it."""
    return ((redrawn - images) ** 2).sum(1)


def pull_away(codes):
    """The mean, over pairs of codes (N, K), of their squared cosine: 0 if all are orthogonal, 1 if all are one.

    EBGAN's remedy against collapse (Zhao et al. 2017, equation 4). 1e-8 inside the root is for a code of zeros.
    """
    n = len(codes)
    directions = codes / ((codes ** 2).sum(1, keepdim=True) + 1e-8) ** 0.5
    return (((directions @ directions.T) ** 2).sum() - n) / (n * (n - 1))


def energy_based(margin):
    """The Loss on energies instead of logits: D makes those of real images small, and others at least the margin.

    Of the latter only what is missing to the margin counts (Zhao et al. 2017, "Energy-based GANs", equations 1 and 2).
    """
    return Loss(d=lambda real, fake: (real.mean(), F.relu(margin - fake).mean()),
                g=lambda fake, real=None: fake.mean(),
                answers="scores", ideals={f"the margin, {margin:g}": float(margin)})


def mean_slope(D, x):
    """The mean of |dD/dx| at each of x: what the gradient penalty holds at 1."""
    return float(((_slopes(D, x) ** 2).sum(1) ** 0.5).mean())
