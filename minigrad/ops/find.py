"""Finding and counting: different values, how often they occur, where others would stand among them. No gradients."""

import numpy

from minigrad.backend import array_module
from minigrad.graph import Handle, Op
from minigrad.ops.index import integers
from minigrad.ops.reduce import reduced


def count_nonzero(x, dim=None):
    """How many elements are not 0, over `dim`: None (all axes), an axis or a tuple of them; int64."""
    array = x.array if isinstance(x, Handle) else x
    return Op.wrap((array != 0).sum(reduced(dim, array.ndim), dtype="int64"))


def unique(x, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The different elements of x in order, or, with `dim`, the different slices. A NaN differs from all others.

    With return_inverse or return_counts a tuple: also where each element stands among them, and how often each occurs.

    >>> from minigrad import tensor
    >>> unique(tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    array = x.array if isinstance(x, Handle) else x
    found = array_module(array).unique(array, return_inverse=return_inverse, return_counts=return_counts, axis=dim,
                                       equal_nan=False)
    if not isinstance(found, tuple):
        return Op.wrap(found)
    values, *rest = found
    if return_inverse:
        rest[0] = rest[0].reshape(array.shape if dim is None else -1)
    return tuple(map(Op.wrap, (values, *rest)))


def unique_consecutive(x, return_inverse=False, return_counts=False):
    """The elements of x, flat, each run of equal ones as one; also where each stands among them, and the runs' lengths.

    >>> from minigrad import tensor
    >>> unique_consecutive(tensor([1, 1, 2, 1]), return_counts=True)
    (tensor([1, 2, 1]), tensor([2, 1, 1]))
    """
    array = x.array if isinstance(x, Handle) else x
    xp, flat = array_module(array), array.reshape(-1)
    starts = xp.concatenate([xp.ones(min(1, flat.size), bool), flat[1:] != flat[:-1]])
    first = starts.nonzero()[0]
    found = [flat[first]]
    if return_inverse:
        found.append((starts.cumsum() - 1).reshape(array.shape))
    if return_counts:
        found.append(xp.concatenate([first[1:], xp.full(min(1, flat.size), flat.size)]) - first)
    return tuple(map(Op.wrap, found)) if len(found) > 1 else Op.wrap(found[0])


def bincount(x, weights=None, minlength=0):
    """How often each of 0, 1, 2, ... occurs among the integers of a vector, or the sum of their weights.

    >>> from minigrad import tensor
    >>> bincount(tensor([1, 1, 3]))
    tensor([0, 2, 0, 1])
    """
    labels = integers("bincount", x)
    if labels.ndim != 1 or labels.size and labels.min() < 0:
        raise ValueError(f"bincount: the input has shape {labels.shape} and the smallest element "
                         f"{labels.min() if labels.size else None}; give a vector of integers from 0 on")
    xp = array_module(labels)
    counts = xp.bincount(labels, None if weights is None else weights.detach().array, minlength)
    return Op.wrap(counts if weights is None or weights.dtype != "float32" else counts.astype("float32"))


def searchsorted(sorted_sequence, x, right=False, side=None):
    """Where each value of x would be put into a sorted vector, before equal ones, or behind them (right=True): int64.

    >>> from minigrad import tensor
    >>> searchsorted(tensor([1., 3., 5.]), tensor([3., 4.]))
    tensor([1, 2])
    """
    array = sorted_sequence.array
    if array.ndim != 1:
        raise ValueError(f"searchsorted: the sequence has shape {array.shape}; give a vector")
    wanted = x.array if isinstance(x, Handle) else array_module(array).asarray(x)
    places = array_module(array).searchsorted(array, wanted, side or ("right" if right else "left"))
    return Op.wrap(numpy.asarray(places, "int64") if isinstance(array, numpy.ndarray) else places.astype("int64"))


def bucketize(x, boundaries, right=False):
    """The number of the interval between the boundaries, a sorted vector, in which each element of x lies."""
    return searchsorted(boundaries, x, right)


def isin(elements, test_elements, invert=False):
    """Where an element is among the others, or, inverted, is not: a bool tensor."""
    array, others = ((a.array if isinstance(a, Handle) else numpy.asarray(a)) for a in (elements, test_elements))
    return Op.wrap(array_module(array).isin(array, others, invert=invert))
