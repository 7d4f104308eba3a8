"""Modes: how many of the kinds that there are come, and in which shares."""

import numpy as np


def shares(labels, classes):
    """The share of each class among integer labels: (classes,) float64 that add up to 1."""
    return np.bincount(labels, minlength=classes) / len(labels)
