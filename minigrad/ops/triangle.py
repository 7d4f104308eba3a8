"""Triangles and diagonals of matrices, which may be stacked."""

import numpy

from minigrad.backend import array_module
from minigrad.convert import Clone
from minigrad.graph import Handle
from minigrad.ops.checks import whole
from minigrad.ops.index import GetItem, PutItem
from minigrad.ops.reduce import sum
from minigrad.ops.select import where
from minigrad.ops.shape import axes_of, permute


class Diagonal(GetItem):
    """y[i] = x[i, i + offset], as a view"""

    def __init__(self, index, offset):
        super().__init__(index)
        self.offset = offset

    def forward(self, x):
        self.shape = x.shape
        y = x.diagonal(self.offset)
        if array_module(x) is numpy:  # which gives it read-only
            y.flags.writeable = x.flags.writeable
        return array_module(x).moveaxis(y, -1, 0)


def tril(x, diagonal=0):
    """The lower triangle of matrices (..., n, m), zeros above it; `diagonal` moves its border up.

    >>> from minigrad import ones
    >>> tril(ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]])
    """
    diagonal = whole("tril", "the diagonal", diagonal)
    return _masked("tril", x, lambda i, j: j - i <= diagonal)


def triu(x, diagonal=0):
    """The upper triangle of matrices (..., n, m), zeros below it; `diagonal` moves its border up."""
    diagonal = whole("triu", "the diagonal", diagonal)
    return _masked("triu", x, lambda i, j: j - i >= diagonal)


def _masked(name, x, holds):
    if len(x.shape) < 2:
        raise ValueError(f"{name}: the input has shape {tuple(x.shape)}; give a matrix, or a stack of them")
    array = x.array if isinstance(x, Handle) else x
    xp = array_module(array)
    mask = holds(xp.arange(array.shape[-2])[:, None], xp.arange(array.shape[-1]))
    return where(mask, x, array.dtype.type(0).item())


def diagonal(x, offset=0, dim1=0, dim2=1):
    """The diagonal, `offset` places above the main one, of the matrices in axes dim1 and dim2, as a new last axis.

    It is a view: what is written into it is written into x.
    """
    a, b = axes_of((dim1, dim2), len(x.shape), "diagonal")
    rest = [axis for axis in range(len(x.shape)) if axis not in (a, b)]
    offset = whole("diagonal", "the offset", offset)
    i, j = _places(x, max(min(x.shape[a] + min(offset, 0), x.shape[b] - max(offset, 0)), 0), offset)
    y = Diagonal((i, j), offset)(permute(x, (a, b, *rest)))
    return permute(y, (*range(1, len(rest) + 1), 0))


def _places(x, count, offset):
    """The rows and columns of `count` elements on a diagonal."""
    i = array_module(x.array if isinstance(x, Handle) else x).arange(count)
    return i - min(offset, 0), i + max(offset, 0)


def diag_embed(x, offset=0, dim1=-2, dim2=-1):
    """Matrices, in the axes dim1 and dim2 of the result, with the last axis of x as their diagonal and zeros elsewhere.

    >>> from minigrad import ones
    >>> diag_embed(ones(1, 2))
    tensor([[[1., 0.],
             [0., 1.]]])
    """
    ndim = len(x.shape) + 1
    a, b = axes_of((dim1, dim2), ndim, "diag_embed")
    offset = whole("diag_embed", "the offset", offset)
    n = x.shape[-1] + abs(offset)
    i, j = _places(x, x.shape[-1], offset)
    y = PutItem((i, j), (n, n, *x.shape[:-1]))(permute(x, (ndim - 2, *range(ndim - 2))))
    order = list(range(2, ndim))
    for place, axis in sorted(((a, 0), (b, 1))):
        order.insert(place, axis)
    return permute(y, tuple(order))


def diag(x, diagonal=0):
    """Of a vector the matrix with that diagonal, of a matrix its diagonal."""
    if len(x.shape) not in (1, 2):
        raise ValueError(f"diag: the input has shape {tuple(x.shape)}; give a vector or a matrix, or use diagonal and "
                         "diag_embed")
    return diag_embed(x, diagonal) if len(x.shape) == 1 else Clone()(_diagonal(x, diagonal))


def diagflat(x, offset=0):
    """The matrix with all elements of x, in C order, on a diagonal."""
    return diag_embed(x.reshape(-1), offset)


_diagonal = diagonal  # `diag` has an argument of that name


def trace(x):
    """The sum of the diagonal of a matrix."""
    if len(x.shape) != 2:
        raise ValueError(f"trace: the input has shape {tuple(x.shape)}; give a matrix")
    return sum(diagonal(x))
