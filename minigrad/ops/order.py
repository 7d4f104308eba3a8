"""Sorting. The indices carry no gradient; the values are gathered by them, and so pass it on."""

from typing import NamedTuple

from minigrad.backend import array_module
from minigrad.graph import Handle, Op
from minigrad.ops.checks import whole
from minigrad.ops.index import gather
from minigrad.ops.shape import axes_of


class Sorted(NamedTuple):
    """What `sort` and `topk` return."""

    values: object
    indices: object


def argsort(x, dim=-1, descending=False, stable=True):
    """The indices (int64) that sort x along `dim`. Equal elements stay in order, whatever `stable` says."""
    array = x.array if isinstance(x, Handle) else x
    dim, = axes_of(dim, array.ndim, "argsort") or (0,)
    xp = array_module(array)
    if not array.ndim:
        index = xp.zeros((), "int64")
    elif descending:  # sorted backwards and turned round, so that equal elements stay in order
        index = array.shape[dim] - 1 - xp.flip(xp.flip(array, dim).argsort(dim, kind="stable"), dim)
    else:
        index = array.argsort(dim, kind="stable")
    return Op.wrap(index) if isinstance(x, Handle) else index


def sort(x, dim=-1, descending=False, stable=True):
    """x sorted along `dim`, and the indices: a pair (values, indices).

    >>> from minigrad import tensor
    >>> sort(tensor([2., 3., 1.]), descending=True).values
    tensor([3., 2., 1.])
    """
    indices = argsort(x, dim, descending)
    return Sorted(gather(x, dim, indices), indices)


def msort(x):
    """x sorted along axis 0"""
    return sort(x, 0).values


def topk(x, k, dim=-1, largest=True, sorted=True):
    """The k largest (or smallest) elements along `dim`, in order, asked for or not: a pair (values, indices)."""
    axis, = axes_of(dim, len(x.shape), "topk") or (0,)
    n, k = x.shape[axis] if x.shape else 1, whole("topk", "k", k)
    if not 0 <= k <= n:
        raise ValueError(f"topk: k is {k} and axis {axis} has {n} elements; use 0 to {n}")
    indices = argsort(x, dim, largest)
    if x.shape:
        indices = indices[(slice(None),) * axis + (slice(k),)]
    return Sorted(gather(x, dim, indices), indices)
