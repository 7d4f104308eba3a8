"""Distances of sets of features, and the inception score: what a classifier makes of samples.

Here the features are those of a classifier that minigrad trains itself (gans/machinery/judge.py), not of Inception: the
figures compare with each other, never with those of a paper.
"""

import numpy as np

from gans.machinery.metrics.refusals import MeasureError, finite, usable

ROWS_AT_ONCE = 512  # rows whose similarities to all others are in memory together; no figure depends on it


def frechet_distance(samples, real):
    """The Fréchet distance between normal distributions fitted to two sets of features, (N, F) and (M, F).

    |mean a - mean b|**2 + tr(A + B - 2 (A B)**(1/2)), with A and B the covariances (Dowson & Landau 1982; on a
    network's features: Heusel et al. 2017, arXiv 1706.08500, section 3). 0 for equal distributions; it has the
    features' unit, squared. Sets of two equal distributions are not at 0, but at a distance that falls as 1 / n.

    MeasureError for F rows or fewer: their covariance lacks directions, and the distance would be one of n alone.

    >>> x = np.random.default_rng(0).normal(size=(1000, 3))
    >>> abs(frechet_distance(x, x)) < 1e-9, round(frechet_distance(x, x + [2.0, 0.0, 0.0]), 6)
    (True, 4.0)
    """
    width = samples.shape[1] if samples.ndim == 2 else 0
    a, b = usable("frechet_distance", samples, real, max(width + 1, 2),
                  f"the covariance of {width} features needs more rows than features")
    gap = a.mean(0) - b.mean(0)
    cov_a, cov_b = np.atleast_2d(np.cov(a.T)), np.atleast_2d(np.cov(b.T))
    # tr (A B)**(1/2) through the symmetric R B R with R = A**(1/2): its eigenvalues are those of A B.
    values, vectors = np.linalg.eigh(cov_a)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ cov_b @ root).clip(0)).sum()
    return float(gap @ gap + np.trace(cov_a) + np.trace(cov_b) - 2 * cross)


def kernel_distance(samples, real):
    """KID: the squared maximum mean discrepancy of two sets of features, (N, F) and (M, F), without bias.

    mean k(x, x') + mean k(y, y') - 2 mean k(x, y), over pairs of different rows, with the kernel (x . y / F + 1)**3
    (Binkowski et al. 2018, "Demystifying MMD GANs", arXiv 1801.01401, section 4). Its expectation is 0 for equal
    distributions, whatever n is; a single figure may be a little below. Of all pairs, not the mean over subsets that is
    common: the same expectation, less noise.

    >>> x, y, z = np.random.default_rng(0).normal(size=(3, 1000, 4))
    >>> abs(kernel_distance(x, y)) < 0.01, kernel_distance(x, z + 1) > 1
    (True, True)
    """
    a, b = usable("kernel_distance", samples, real)
    within = sum((_similarity(x, x) - (((x * x).mean(1) + 1) ** 3).sum()) / (len(x) * (len(x) - 1))
                 for x in (a, b))
    return float(within - 2 * _similarity(a, b) / (len(a) * len(b)))


def _similarity(a, b):
    """The sum of the cubic kernel over all pairs of rows."""
    return float(sum(((a[k:k + ROWS_AT_ONCE] @ b.T / a.shape[1] + 1) ** 3).sum()
                     for k in range(0, len(a), ROWS_AT_ONCE)))


def inception_score(probabilities):
    """The inception score of samples, from the probabilities (N, C) that a classifier gives them.

    exp of the mean of KL(p(y|x) | p(y)) (Salimans et al. 2016, arXiv 1606.03498, section 4): 1 where all are read
    alike, the number of classes where each is read for certain and all come as often. It knows neither real images nor
    what varies within a class: a single picture of each class has the best score that there is.

    MeasureError for rows that are no probabilities, and for no more of them than classes.

    >>> inception_score(np.eye(4).repeat(5, 0)), inception_score(np.full((20, 4), 0.25))
    (4.0, 1.0)
    """
    p = np.asarray(probabilities, np.float64)
    if p.ndim != 2 or len(p) <= p.shape[1]:
        raise MeasureError(f"inception_score: probabilities of shape {p.shape}; give (N, classes), of more samples "
                           "than classes")
    finite("inception_score", "samples", p)
    if p.min() < 0 or abs(p.sum(1) - 1).max() > 1e-3:
        raise MeasureError(f"inception_score: rows from {p.min():g} on that add up to {p.sum(1).min():g} to "
                           f"{p.sum(1).max():g}; give probabilities, the softmax of logits")
    known = np.log(np.where(p > 0, p, 1))  # 0 ln 0 = 0
    together = p.mean(0)
    return float(np.exp((p * (known - np.log(np.where(together > 0, together, 1)))).sum(1).mean()))
