"""What nearest neighbours tell of samples: whether they are good, whether all kinds come, whether they are new.

All of it is of rows, (N, F), and their Euclidean distances: features of a classifier, or the pixels themselves.
"""

from dataclasses import dataclass, field

import numpy as np

from gans.machinery.metrics.refusals import MeasureError, finite, usable

ROWS_AT_ONCE = 512  # rows whose distances to all others are in memory together; no figure depends on it


@dataclass(frozen=True)
class PrecisionRecall:
    """What `precision_recall` measures."""

    precision: float  # the share of samples that lie where real ones do: are they good?
    recall: float  # the share of real ones that lie where samples do: do all kinds come?

    def __str__(self):
        return f"precision {self.precision:.1%}, recall {self.recall:.1%}"


def precision_recall(samples, real, k=3):
    """Improved precision and recall of samples (N, F) beside real rows (M, F): a PrecisionRecall.

    Where a set lies is the union of balls about its rows, each up to the row's k-th nearest other one of the set
    (Kynkäänniemi et al. 2019, arXiv 1904.06991, section 2). Precision is the share of samples in the balls of real
    rows, recall that of real rows in the balls of samples.

    - Perfect samples do not reach 1: see `beside_floor`. Both fall with fewer rows and rise with k.
    - A single outlier has a ball that swallows its surroundings; `density_coverage` stands above that.

    MeasureError for k rows or fewer, for NaN, and for real rows that are all equal, which have no balls.

    >>> x, y = np.random.default_rng(0).normal(size=(2, 500, 2))
    >>> precision_recall(x, x) == PrecisionRecall(1.0, 1.0), precision_recall(x, y + 99) == PrecisionRecall(0.0, 0.0)
    (True, True)
    """
    samples, real = _centred(*_neighbourly("precision_recall", samples, real, k))
    balls, others = _radii("precision_recall", real, k), _radii(None, samples, k)
    return PrecisionRecall(*(float(np.concatenate([inside.any(1) for inside in _inside(points, centres, radii)]).mean())
                             for points, centres, radii in ((samples, real, balls), (real, samples, others))))


@dataclass(frozen=True)
class DensityCoverage:
    """What `density_coverage` measures."""

    density: float  # in how many balls of real rows a sample lies, over k; 1 for perfect samples, and it may be more
    coverage: float  # the share of real rows that have a sample in their ball

    def __str__(self):
        return f"density {self.density:.2f}, coverage {self.coverage:.1%}"


def density_coverage(samples, real, k=5):
    """Density and coverage of samples (N, F) beside real rows (M, F): a DensityCoverage.

    With the balls of real rows alone, each up to its k-th nearest other real row (Naeem et al. 2020, arXiv 2002.09797,
    section 3), so that neither an outlier among the samples nor a single ball around one decides. For two sets of n
    rows from one distribution, the expected density is 1, and the expected coverage 1 - (n - 1) ... (n - k) /
    ((2n - 1) ... (2n - k)), or about 1 - 2**-k: 97 % for k = 5.

    Errors as for `precision_recall`.

    >>> x, y = np.random.default_rng(0).normal(size=(2, 2000, 2))
    >>> found = density_coverage(x, y)
    >>> abs(found.density - 1) < 0.05, abs(found.coverage - 0.97) < 0.02
    (True, True)
    """
    samples, real = _centred(*_neighbourly("density_coverage", samples, real, k))
    radii, hits, met = _radii("density_coverage", real, k), 0, np.zeros(len(real), bool)
    for inside in _inside(samples, real, radii):
        hits += int(inside.sum())
        met |= inside.any(0)
    return DensityCoverage(hits / (k * len(samples)), float(met.mean()))


@dataclass(frozen=True)
class TwoSamples:
    """What `two_samples` measures: how often a row's nearest neighbour is of its own set. 0.5 for perfect samples."""

    accuracy: float  # of both sets: 1 for sets apart, below 0.5 for samples that sit upon real rows
    on_real: float
    on_samples: float

    def __str__(self):
        return f"{self.accuracy:.1%} (real {self.on_real:.1%}, samples {self.on_samples:.1%})"


def two_samples(samples, real):
    """The 1-nearest-neighbour two-sample test of samples (N, F) and real rows (N, F), leave-one-out: a TwoSamples.

    Each row is taken for what its nearest other row is, among both sets (Lopez-Paz & Oquab 2017, arXiv 1610.06545; for
    GANs: Xu et al. 2018, arXiv 1806.07755). It is given for each set, as they may err in opposite ways: the samples of
    a collapsed generator are next to each other (1), and most real rows next to real ones. Where a real and a generated
    row are equally near, it counts half.

    Of sets of different length the first min(N, M) rows are compared: in a larger set one's own are nearer for that
    alone. The standard error of the accuracy is about 0.4 / sqrt(N). Errors as for `kernel_distance`.

    >>> x, y = np.random.default_rng(0).normal(size=(2, 500, 2))
    >>> two_samples(x, y + 99).accuracy, two_samples(x, x).accuracy, abs(two_samples(x, y).accuracy - 0.5) < 0.06
    (1.0, 0.0, True)
    """
    samples, real = usable("two_samples", samples, real)
    count = min(len(samples), len(real))
    samples, real = _centred(samples[:count], real[:count])
    on_samples, on_real = (
        float(np.mean((own < other) + 0.5 * (own == other)))
        for own, other in ((_nearest_squares(x, x, others=True), _nearest_squares(x, y))
                           for x, y in ((samples, real), (real, samples))))
    return TwoSamples((on_real + on_samples) / 2, on_real, on_samples)


@dataclass(frozen=True)
class Memorised:
    """What `memorised` measures."""

    ratio: float  # the median distance of a sample to the nearest training row, over that of rows that were kept back
    closer: float  # the share of samples nearer to a training row than 95 % of rows that were kept back: expected .05
    nearest: np.ndarray = field(repr=False)  # (N,) the index of each sample's nearest training row
    distances: np.ndarray = field(repr=False)  # (N,) to it

    def __str__(self):
        return f"{self.ratio:.2f} times as far, {self.closer:.1%} closer than 95 % of them"


def memorised(samples, real, train):
    """How near samples (N, ...) are to what was learnt from, beside real ones (M, ...) kept back: a Memorised.

    A generator that learnt the distribution is as far from the training set as other draws from that distribution
    are; one that repeats it is nearer (Meehan, Chaudhuri & Dasgupta 2020, "A non-parametric test to detect data-copying
    in generative models", arXiv 2004.05675). A ratio of 1 is expected of perfect samples, 0 of copies, and more than 1
    of samples that are plainly no real ones: it says nothing of quality. A black picture is nearer to every digit than
    other digits are, and a blur nearer to every face: before a small ratio is called copying, look at `nearest`.

    `train` is read in blocks, by slices: an array (K, ...), or anything with a length and slices. MeasureError for NaN,
    for empty sets, and for real rows of which half are in the training set, so that there is no distance to divide by.

    >>> x, y, z = np.random.default_rng(0).normal(size=(3, 500, 2))
    >>> round(memorised(x, y, z).ratio), memorised(z[:100], y, z).ratio, memorised(z[:100], y, z).closer
    (1, 0.0, 1.0)
    """
    index, distances = nearest(samples, train)
    beside = nearest(real, train)[1]
    usual = float(np.median(beside))
    if usual == 0:
        raise MeasureError(f"memorised: {int((beside == 0).sum())} of {len(beside)} real rows are in the training set; "
                           "give rows that were kept back")
    return Memorised(float(np.median(distances)) / usual, float((distances < np.quantile(beside, 0.05)).mean()),
                     index, distances)


def nearest(rows, train):
    """For each of rows (N, ...), the index of the nearest of train (K, ...) and the distance to it: two arrays (N,).

    >>> index, distance = nearest(np.float32([[0, 0], [3, 5]]), np.float32([[9, 9], [3, 1], [0, 0]]))
    >>> index.tolist(), distance.tolist()
    ([2, 1], [0.0, 4.0])
    """
    if min(len(rows), len(train)) == 0 or rows.shape[1:] != train.shape[1:]:
        raise MeasureError(f"nearest: rows of shape {rows.shape} and {train.shape}; give one or more of each, of one "
                           "shape")
    finite("nearest", "samples", rows)
    rows = np.asarray(rows, np.float64).reshape(len(rows), -1)
    middle = np.rint(rows.mean(0))
    flat = (rows - middle).astype(np.float32)  # enough to find it, in half the time
    best, index = np.full(len(rows), np.inf, np.float32), np.zeros(len(rows), np.int64)
    for start in range(0, len(train), ROWS_AT_ONCE):
        block = np.asarray(train[start:start + ROWS_AT_ONCE], np.float64).reshape(-1, flat.shape[1])
        finite("nearest", "training rows", block)
        block = (block - middle).astype(np.float32)
        # |row|**2 is the same for all of them, and left out of what is compared.
        squares = np.einsum("kf,kf->k", block, block) - 2 * flat @ block.T
        closest = squares.argmin(1)
        found = squares[np.arange(len(rows)), closest]
        better = found < best
        best[better], index[better] = found[better], start + closest[better]
    # Again without what cancels above: a copy is at 0.
    gaps = [np.asarray(train[k:k + 1], np.float64).ravel() - row for k, row in zip(index.tolist(), rows)]
    return index, np.array([np.linalg.norm(gap) for gap in gaps])


def squared_distances(a, b):
    """The squared distances of rows (N, F) from rows (M, F): (N, M). 0 where they are equal but for rounding."""
    sizes = (a * a).sum(1)[:, None] + (b * b).sum(1)
    squares = sizes - 2 * a @ b.T
    squares[squares <= 1e-12 * sizes] = 0
    return squares


def _neighbourly(name, samples, real, k):
    if k < 1:
        raise MeasureError(f"{name}: k = {k} neighbours; give 1 or more")
    return usable(name, samples, real, k + 1, f"each needs {k} neighbours of its own set")


def _centred(samples, real):
    """Both about the mean of the real rows, so that less cancels; whole numbers stay whole, and ties stay ties."""
    middle = np.rint(real.mean(0))
    return samples - middle, real - middle


def _blocks(a, b, others=False):
    """The squared distances of some rows of a from all of b at a time; `others`: b is a, and no row its own other."""
    for start in range(0, len(a), ROWS_AT_ONCE):
        squares = squared_distances(a[start:start + ROWS_AT_ONCE], b)
        if others:
            squares[np.arange(len(squares)), start + np.arange(len(squares))] = np.inf
        yield squares


def _radii(name, rows, k):
    """The squared distance of each row to its k-th nearest other one. With a name, MeasureError where all are 0."""
    radii = np.concatenate([np.partition(squares, k - 1, 1)[:, k - 1] for squares in _blocks(rows, rows, others=True)])
    if name and not radii.any():
        raise MeasureError(f"{name}: each of the {len(rows)} real rows has {k} equals, so that there is nothing around "
                           "them; give rows that differ")
    return radii


def _inside(points, centres, radii):
    """Which of the balls, (M,) squared radii about centres, hold which points: blocks (some, M) of booleans."""
    for squares in _blocks(points, centres):
        yield squares <= radii


def _nearest_squares(a, b, others=False):
    """The squared distance of each row of a to the nearest of b."""
    return np.concatenate([squares.min(1) for squares in _blocks(a, b, others)])
