"""Distances of sets of features, and the inception score: what a classifier makes of samples."""

import numpy as np


def frechet_distance(a, b):
    """The Fréchet distance between normal distributions fitted to two sets of features, (N, F) and (M, F).

    |mean a - mean b|**2 + tr(A + B - 2 (A B)**(1/2)), with A and B the covariances (Dowson & Landau 1982; on a
    network's features: Heusel et al. 2017, section 3). 0 for equal distributions; it has the features' unit, squared.

    >>> x = np.random.default_rng(0).normal(size=(1000, 3))
    >>> abs(frechet_distance(x, x)) < 1e-9, round(frechet_distance(x, x + [2.0, 0.0, 0.0]), 6)
    (True, 4.0)
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(f"frechet_distance: features of shape {a.shape} and {b.shape}; "
                         "give two rows or more of one width")
    a, b = a.astype(np.float64), b.astype(np.float64)
    gap = a.mean(0) - b.mean(0)
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    cov_a, cov_b = np.atleast_2d(cov_a), np.atleast_2d(cov_b)
    # tr (A B)**(1/2) through the symmetric R B R with R = A**(1/2): its eigenvalues are those of A B.
    values, vectors = np.linalg.eigh(cov_a)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ cov_b @ root).clip(0)).sum()
    return float(gap @ gap + np.trace(cov_a) + np.trace(cov_b) - 2 * cross)
