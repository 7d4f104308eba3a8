"""Modes: how many of the kinds that there are come, and in which shares."""

from dataclasses import dataclass

import numpy as np

from gans.machinery.metrics.refusals import MeasureError, usable

FAIR = 0.5  # of what a mode should have: less is no fair share


def shares(labels, classes):
    """The share of each class among integer labels: (classes,) float64 that add up to 1."""
    return np.bincount(labels, minlength=classes) / len(labels)


@dataclass(frozen=True)
class Modes:
    """What `mode_counts` and `modes_around` count among n samples."""

    hit: int  # modes with a sample or more: the rule of most papers, which collapsed generators pass
    fair: int  # modes with at least half the samples that they should have
    high_quality: float  # the share of samples that belong to a mode at all
    kl: float  # the Kullback-Leibler divergence of the modes' shares among samples from what they should be, in nats
    floor: float  # what it is, on average, for n perfect samples
    modes: int
    n: int

    def __str__(self):
        """Both counts, and the rest: "8 of 8 modes hit, 7 with a fair share, HQ 93.1 %, KL 0.021 (...)"."""
        return (f"{self.hit} of {self.modes} modes hit, {self.fair} with a fair share, HQ {self.high_quality:.1%}, "
                f"KL {self.kl:.3g} (perfect samples {self.floor:.2g}; n = {self.n:,})")


def mode_counts(labels, expected):
    """How many of the modes come among samples whose mode is known: a Modes.

    labels are integers (N,), and -1 for a sample that is of no mode. `expected` is the number of modes, which then
    should come equally often, or their shares, (K,). The divergence is KL(samples | expected) over the samples that
    have a mode, and its floor (K - 1) / (2 n): of 26,000 samples and 1,000 modes, 0.019. Counting by one hit is that of
    PacGAN (Lin et al. 2018, arXiv 1712.04086, section 4) and VEEGAN (Srivastava et al. 2017, arXiv 1705.07761).

    MeasureError for fewer samples than modes: most of them could not come.

    >>> print(mode_counts(np.array([0] * 90 + [1] * 9 + [-1]), 3))
    2 of 3 modes hit, 1 with a fair share, HQ 99.0%, KL 0.794 (perfect samples 0.01; n = 100)
    """
    labels, expected = np.asarray(labels), np.asarray(expected, np.float64)
    if expected.ndim == 0:
        expected = np.full(int(expected), 1 / max(int(expected), 1))
    count = len(expected)
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or len(labels) < max(count, 1):
        raise MeasureError(f"mode_counts: {labels.dtype} labels of shape {labels.shape} for {count} modes; give one "
                           "integer a sample, and at least as many samples as modes")
    if labels.min() < -1 or labels.max() >= count:
        raise MeasureError(f"mode_counts: labels from {labels.min()} to {labels.max()} for {count} modes; give "
                           f"0 to {count - 1}, or -1 for none")
    if not np.isfinite(expected).all() or expected.min() <= 0:
        raise MeasureError(f"mode_counts: expected shares from {expected.min()} on; give one above 0 for each mode")
    return _counted(labels, labels[labels >= 0], expected / expected.sum())


def _counted(labels, nearest, expected):
    """The Modes of labels that may be -1, the divergence being that of the labels `nearest`, which are not."""
    n, count = len(labels), len(expected)
    found, all_of_them = (np.bincount(these, minlength=count) for these in (labels[labels >= 0], nearest))
    share = all_of_them / max(len(nearest), 1)
    kl = float((share * np.log(np.where(share > 0, share / expected, 1))).sum()) if len(nearest) else float("inf")
    return Modes(int((found > 0).sum()), int((found >= FAIR * n * expected).sum()), float(found.sum() / n), kl,
                 (count - 1) / (2 * n), count, n)


def modes_around(points, centres, sigma, within=3):
    """How many of the modes around centres (K, F) come among points (N, F): a Modes.

    A point is of the mode whose centre is the nearest, if that is no farther than `within` times sigma, the deviation
    of a mode in each direction; else it is of none, and no high quality. In two dimensions, 98.9 % of perfect samples
    are within three. The divergence counts each point for the nearest centre, however far: what lies between modes is
    told by the share of high quality.

    >>> print(modes_around(np.float32([[0, 0.2], [0, -0.1], [5, 3]]), [[0, 0], [0, 9]], 0.1))
    1 of 2 modes hit, 1 with a fair share, HQ 66.7%, KL 0.693 (perfect samples 0.17; n = 3)
    """
    points, centres = usable("modes_around", points, centres, 1, "there is nothing to count")
    if not 0 < sigma < np.inf:
        raise MeasureError(f"modes_around: sigma {sigma}; give the deviation of a mode, above 0")
    if len(points) < len(centres):
        raise MeasureError(f"modes_around: {len(points)} samples for {len(centres)} modes; give at least as many")
    squares = ((points[:, None] - centres) ** 2).sum(2)
    nearest = squares.argmin(1)
    return _counted(np.where(squares.min(1) <= (within * sigma) ** 2, nearest, -1), nearest,
                    np.full(len(centres), 1 / len(centres)))
