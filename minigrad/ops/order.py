"""Sorting. The indices carry no gradient; the values are gathered by them, and so pass it on."""

from typing import NamedTuple

from minigrad.backend import array_module
from minigrad.graph import Handle, Op
from minigrad.ops.index import gather
from minigrad.ops.shape import axes_of


class Sorted(NamedTuple):
    """What `sort` and `topk` return."""

    values: object
    indices: object


def argsort(x, dim=-1, descending=False):
    """The indices (int64) that sort x along `dim`; equal elements stay in order."""
    array = x.array if isinstance(x, Handle) else x
    axes_of((dim,), array.ndim, "argsort")
    xp = array_module(array)
    if descending:  # sorted backwards and turned round, so that equal elements stay in order
        index = array.shape[dim] - 1 - xp.flip(xp.flip(array, dim).argsort(dim, kind="stable"), dim)
    else:
        index = array.argsort(dim, kind="stable")
    index = index.reshape(array.shape)  # NumPy makes a 0-d array 1-d
    return Op.wrap(index) if isinstance(x, Handle) else index


def sort(x, dim=-1, descending=False):
    """x sorted along `dim`, and the indices: a pair (values, indices).

    >>> from minigrad import tensor
    >>> sort(tensor([2., 3., 1.]), descending=True).values
    tensor([3., 2., 1.])
    """
    indices = argsort(x, dim, descending)
    return Sorted(gather(x, dim, indices), indices)


def topk(x, k, dim=-1, largest=True):
    """The k largest (or smallest) elements along `dim`, in order: a pair (values, indices)."""
    axis, = axes_of((dim,), len(x.shape), "topk")
    if not 0 <= k <= x.shape[axis]:
        raise ValueError(f"topk: k is {k} and axis {dim} has {x.shape[axis]} elements; use 0 to {x.shape[axis]}")
    indices = argsort(x, dim, largest)[(slice(None),) * axis + (slice(k),)]
    return Sorted(gather(x, dim, indices), indices)
