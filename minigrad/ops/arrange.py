"""More rearranging, all of it made of the ops of shape.py and index.py: moving, tiling, joining and cutting axes."""

import numpy

from minigrad.backend import array_module
from minigrad.convert import Clone
from minigrad.graph import Handle
from minigrad.ops.checks import whole
from minigrad.ops.index import GetItem, index_select, integers
from minigrad.ops.shape import (
    axes_of,
    axis_of,
    broadcast_to,
    cat,
    flip,
    pad,
    permute,
    repeat,
    sizes,
    split,
    stack,
    transpose,
)


class Windows(GetItem):
    """y = x[..., rows, ...] for windows at equal distances, as a view"""

    def __init__(self, index, dim, step):
        super().__init__(index)
        self.dim, self.step = dim, step

    def forward(self, x):
        self.shape = x.shape
        before, stride, (count, size) = self.dim, x.strides[self.dim], self.index[self.dim].shape
        return array_module(x).lib.stride_tricks.as_strided(
            x, (*x.shape[:before], count, size, *x.shape[before + 1:]),
            (*x.strides[:before], self.step * stride, stride, *x.strides[before + 1:]))


def movedim(x, source, destination):
    """x with axes moved to other places, an axis or a tuple of them, the rest in order.

    >>> from minigrad import ones
    >>> movedim(ones(2, 3, 4), 0, -1).shape
    (3, 4, 2)
    """
    ndim = len(x.shape)
    source, destination = axes_of(source, ndim, "movedim"), axes_of(destination, ndim, "movedim")
    if len(source) != len(destination):
        raise ValueError(f"movedim: {len(source)} axes are to move to {len(destination)} places; give as many")
    order = [axis for axis in range(ndim) if axis not in source]
    for place, axis in sorted(zip(destination, source)):
        order.insert(place, axis)
    return permute(x, tuple(order))


def tile(x, *times, dims=None):
    """x repeated a number of times along each of its last axes; where there are more numbers than axes, new ones come.

    >>> from minigrad import arange
    >>> tile(arange(2), 2)
    tensor([0, 1, 0, 1])
    """
    counts = sizes(times) if dims is None else tuple(dims)
    return repeat(x, (1,) * (len(x.shape) - len(counts)) + counts)


def repeat_interleave(x, repeats, dim=None):
    """Each slice of x along `dim` repeated on its own, a number of times for all or for each; without `dim`, of x flat.

    >>> from minigrad import tensor
    >>> repeat_interleave(tensor([1, 2]), 2)
    tensor([1, 1, 2, 2])
    """
    if dim is None:
        x, dim = x.reshape(-1), 0
    dim = axis_of(dim, len(x.shape), "repeat_interleave")
    n = x.shape[dim]
    counts = integers("repeat_interleave", repeats).reshape(-1)
    if counts.size not in (1, n) or counts.size and counts.min() < 0:
        raise ValueError(f"repeat_interleave: {counts.size} counts for {n} slices along axis {dim}, the smallest "
                         f"{counts.min() if counts.size else None}; give one of 0 or more, or one a slice")
    host = counts if isinstance(counts, numpy.ndarray) else counts.get()
    rows = numpy.repeat(numpy.arange(n), host if counts.size == n else int(host[0]))
    return index_select(x, dim, array_module(x.array if isinstance(x, Handle) else x).asarray(rows))


def meshgrid(*tensors, indexing="ij"):
    """The vectors (or numbers) as a grid: of n inputs, n views with n axes. With indexing="xy" the first two change.

    >>> from minigrad import arange
    >>> x, y = meshgrid(arange(2), arange(3))
    >>> x.shape, y[0]
    ((2, 3), tensor([0, 1, 2]))
    """
    tensors = sizes(tensors)
    if indexing not in ("ij", "xy"):
        raise ValueError(f"meshgrid: indexing is {indexing!r}; use 'ij' or 'xy'")
    if not tensors or any(len(x.shape) > 1 for x in tensors):
        raise ValueError(f"meshgrid: the shapes are {[tuple(x.shape) for x in tensors]}; give vectors")
    lengths = [x.shape[0] if x.shape else 1 for x in tensors]
    grid = tuple(broadcast_to(x.reshape(tuple(-1 if i == axis else 1 for i in range(len(lengths)))), lengths)
                 for axis, x in enumerate(tensors))
    return tuple(transpose(x, 0, 1) for x in grid) if indexing == "xy" and len(grid) > 1 else grid


def broadcast_tensors(*tensors):
    """The tensors in the shape to which they broadcast together, without copying."""
    shape = broadcast_shapes(*(x.shape for x in tensors))
    return tuple(broadcast_to(x, shape) for x in tensors)


def broadcast_shapes(*shapes):
    """The shape to which the shapes broadcast together."""
    shapes = [tuple(s) if isinstance(s, (tuple, list)) else (whole("broadcast_shapes", "a size", s),) for s in shapes]
    try:
        return numpy.broadcast_shapes(*shapes)
    except ValueError:
        raise ValueError(f"broadcast_shapes: {shapes} do not broadcast; make each pair of sizes, "
                         "from the last axis back, equal or 1") from None


def atleast_1d(x):
    """A number as a vector of one; anything else as it is."""
    return x if x.shape else x.reshape(1)


def atleast_2d(x):
    """A number or a vector as a matrix of one row; anything else as it is."""
    return x if len(x.shape) > 1 else x.reshape(1, -1)


def hstack(tensors):
    """The tensors side by side: joined along axis 1, vectors along axis 0."""
    tensors = [atleast_1d(x) for x in tensors]
    return cat(tensors, 0 if tensors and len(tensors[0].shape) == 1 else 1)


def vstack(tensors):
    """The tensors above each other: joined along axis 0, vectors as rows."""
    return cat([atleast_2d(x) for x in tensors], 0)


def dstack(tensors):
    """The tensors behind each other: joined along axis 2."""
    tensors = [atleast_2d(x) for x in tensors]
    return cat([x if len(x.shape) > 2 else x.unsqueeze(2) for x in tensors], 2)


def column_stack(tensors):
    """The tensors side by side, vectors as columns."""
    return cat([x if len(x.shape) > 1 else x.reshape(-1, 1) for x in tensors], 1)


def tensor_split(x, indices_or_sections, dim=0):
    """x cut along `dim` into a number of pieces, the first ones longer by one, or before each of the given positions.

    >>> from minigrad import arange
    >>> [len(piece) for piece in tensor_split(arange(7), 3)]
    [3, 2, 2]
    """
    dim = axis_of(dim, len(x.shape), "tensor_split")
    n = x.shape[dim]
    if isinstance(indices_or_sections, (tuple, list)):
        cuts = [whole("tensor_split", "a position", i) for i in indices_or_sections]
    else:
        pieces = whole("tensor_split", "the number of pieces", indices_or_sections)
        if pieces < 1:
            raise ValueError(f"tensor_split: {pieces} pieces; ask for 1 or more")
        cuts = [i * (n // pieces) + min(i, n % pieces) for i in range(1, pieces)]
    before, ends = (slice(None),) * dim, [0, *cuts, n]
    return tuple(x[(*before, slice(i, j))] for i, j in zip(ends, ends[1:]))


def hsplit(x, indices_or_sections):
    """`tensor_split` along axis 1, of vectors along axis 0."""
    return _evenly("hsplit", x, indices_or_sections, 0 if len(x.shape) == 1 else 1)


def vsplit(x, indices_or_sections):
    """`tensor_split` along axis 0, of two axes or more."""
    axes_of((1,), len(x.shape), "vsplit")
    return _evenly("vsplit", x, indices_or_sections, 0)


def _evenly(name, x, indices_or_sections, dim):
    """`tensor_split` at positions, or into so many pieces of one length; ValueError where they do not divide."""
    even = isinstance(indices_or_sections, (tuple, list)) or x.shape[axis_of(dim, len(x.shape), name)] % whole(
        name, "the number of pieces", indices_or_sections) == 0
    if not even:
        raise ValueError(f"{name}: {indices_or_sections} equal pieces of {x.shape[dim]} slices; use tensor_split for "
                         "unequal ones")
    return tensor_split(x, indices_or_sections, dim)


def fliplr(x):
    """x backwards along axis 1"""
    return flip(x, axis_of(1, len(x.shape), "fliplr"))


def flipud(x):
    """x backwards along axis 0"""
    return flip(x, axis_of(0, len(x.shape), "flipud"))


def rot90(x, k=1, dims=(0, 1)):
    """x turned k times by 90 degrees in the plane of two axes, from the first towards the second."""
    a, b = axes_of(tuple(dims), len(x.shape), "rot90")
    if k % 4 == 2:
        return flip(x, (a, b))
    if k % 4 == 0:
        return Clone()(x)
    return transpose(flip(x, b), a, b) if k % 4 == 1 else flip(transpose(x, a, b), b)


def unfold(x, dim, size, step):
    """Windows of `size` along `dim`, `step` apart: the axis counts them, and a new last one has what is in them.

    >>> from minigrad import arange
    >>> unfold(arange(4), 0, 2, 1)
    tensor([[0, 1],
            [1, 2],
            [2, 3]])
    """
    if not x.shape:
        return unfold(x.reshape(1), dim, size, step)[0]
    dim = axis_of(dim, len(x.shape), "unfold")
    n, size, step = x.shape[dim], whole("unfold", "size", size), whole("unfold", "step", step)
    if not 0 <= size <= n or step < 1:
        raise ValueError(f"unfold: windows of {size}, {step} apart, of {n} elements; give a size of 0 to {n} and a "
                         "step of 1 or more")
    xp = array_module(x.array if isinstance(x, Handle) else x)
    rows = step * xp.arange((n - size) // step + 1)[:, None] + xp.arange(size)
    return movedim(Windows((slice(None),) * dim + (rows,), dim, step)(x), dim + 1, -1)


def split_with_sizes(x, split_sizes, dim=0):
    """Pieces of the given sizes along `dim`."""
    return split(x, list(split_sizes), dim)


def atleast_3d(x):
    """x with three axes: a number as (1, 1, 1), a vector as (1, n, 1), a matrix as (n, m, 1); more as it is."""
    return x if len(x.shape) > 2 else atleast_2d(x).unsqueeze(2)


def cartesian_prod(*tensors):
    """All tuples of elements of the vectors, a row each, the last one changing fastest; of one vector itself.

    >>> from minigrad import arange
    >>> cartesian_prod(arange(2), arange(2)).tolist()
    [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    if len(tensors) == 1:
        return tensors[0]
    return stack([x.reshape(-1) for x in meshgrid(*tensors)], 1)


def block_diag(*tensors):
    """Matrices (vectors as rows, numbers as 1 by 1) along the diagonal of one, zeros elsewhere."""
    matrices = [atleast_2d(x) for x in tensors]
    if any(len(x.shape) > 2 for x in matrices):
        raise ValueError(f"block_diag: the shapes are {[tuple(x.shape) for x in tensors]}; give matrices, vectors or "
                         "numbers")
    width, left, rows = sum(x.shape[1] for x in matrices), 0, []
    for x in matrices:
        rows.append(pad(x, (left, width - left - x.shape[1])))
        left += x.shape[1]
    return cat(rows, 0)
