"""Reading by index, and adding into zeros by index: `GetItem` and `PutItem` are each other's adjoint.

An index is first resolved to PyTorch's rules, which are NumPy's but for these: an integer (a number, or a tensor
without axes) selects first, so that the arrays beside it meet without it, where NumPy would count it among them and put
their axes elsewhere; uint8 arrays are masks; a list of sequences is a tuple of indices. Steps may be negative, as in
NumPy.
"""

import numpy

from minigrad.backend import array_module, backend_of
from minigrad.backend.numpy import quiet
from minigrad.errors import explain
from minigrad.graph import Handle, Op
from minigrad.ops.broadcast import unbroadcast
from minigrad.ops.checks import whole
from minigrad.ops.shape import axes_of, axis_of, broadcast_to

_BASIC = (int, slice, type(None), type(Ellipsis))
MOST = 32  # parts: a list of so many is an array, whatever it holds


def resolved(array, index):
    """An index as (first, then): x[index] is x[first][then], each of which NumPy reads as PyTorch does.

    `first` has everything but arrays where there are integers beside arrays, `then` the arrays; else `then` is None.
    IndexError for what is no index, such as a float.
    """
    if type(index) in _BASIC:
        return index, None
    if not isinstance(index, tuple) and not _is_tuple(index):  # one part
        part = _part(index)
        if type(array) is not numpy.ndarray:
            _check_range(array, (part,))
        return part, None
    integers, arrays, parts = False, False, []
    for part in index:
        if type(part) not in _BASIC:
            part = _part(part)
            arrays = arrays or type(part) is not int
        integers = integers or type(part) is int
        parts.append(part)
    parts = tuple(parts)
    if arrays and type(array) is not numpy.ndarray:
        _check_range(array, parts)
    if not (arrays and integers):
        return parts, None
    first, then = [], []
    for part in parts:
        if not hasattr(part, "dtype"):
            first.append(part)
            then += [] if type(part) is int else [Ellipsis if part is Ellipsis else slice(None)]
        else:  # a mask without axes adds one
            first += [slice(None)] * _axes(part) or [None]
            then.append(part if part.ndim else part.reshape(1))
    return tuple(first), tuple(then)


def _is_tuple(index):
    """Whether a list is a tuple of indices: PyTorch's rule, which was NumPy's once."""
    return isinstance(index, list) and len(index) < MOST and any(
        part is None or part is Ellipsis or isinstance(part, (Handle, list, tuple, range, slice, numpy.ndarray))
        for part in index)


def _part(part):
    """One part of an index as an int, an array of integers, or a mask; an array of the caller's is copied.

    Writes into it go by unseen, unlike those into a tensor, and `backward` reads it again.
    """
    array = part.array if isinstance(part, Handle) else part
    if type(array) is numpy.ndarray and array.ndim and array.dtype.char in "l?":  # what most indices are
        return array if array is not part else array.copy()
    if isinstance(array, (list, tuple, range)):
        array = _listed(array)
    if isinstance(array, (bool, numpy.bool_)):
        return numpy.asarray(array)
    if isinstance(array, (int, numpy.integer)):
        return int(array)
    kind = getattr(getattr(array, "dtype", None), "kind", "")
    if kind not in ("b", "i", "u"):
        raise IndexError(f"{part!r:.60} is no index; use integers, slices, None, ..., or tensors of integers or bools")
    if array.dtype == numpy.uint8:
        return array.astype(bool)
    return (array if array is not part else array.copy()) if array.ndim or kind == "b" else int(array)


def _listed(part):
    """A list of integers or bools, which may be nested and hold tensors, as an array."""
    def plain(value):
        return value.tolist() if isinstance(value, Handle) else [plain(v) for v in value] if isinstance(
            value, (list, tuple)) else value

    array = numpy.asarray(plain(part))
    return array if array.size else array.astype("int64")


def _axes(part):
    """How many axes an array among the parts of an index takes: one, or all of a mask's."""
    return part.ndim if part.dtype.kind == "b" else 1


def _check_range(array, parts):
    """IndexError for integers beyond an axis, in arrays: CuPy would wrap them around."""
    taken = sum(_axes(part) if hasattr(part, "dtype") else part is not None and part is not Ellipsis for part in parts)
    axis = 0
    for part in parts:
        n = array.shape[axis] if axis < array.ndim else 0
        if hasattr(part, "dtype") and part.dtype.kind != "b" and part.size and (part.min() < -n or part.max() >= n):
            raise IndexError(f"the index reaches from {part.min()} to {part.max()} along axis {axis} of length {n}")
        axis += array.ndim - taken if part is Ellipsis else _axes(part) if hasattr(part, "dtype") else part is not None


def put(array, index, value):
    """array[index] = value, by PyTorch's rules for the index."""
    first, then = resolved(array, index)
    if then is not None:
        array, first = array[first], then
    if isinstance(value, float) and array.dtype.kind in "iu":
        value = int(value)  # cut off, and refused by NumPy where the dtype does not hold it
    while getattr(value, "ndim", 0) and value.shape[0] == 1:  # one element may be written as [[1]]
        value = value[0]
    quiet().run(array.__setitem__, first, value)


def plain_index(index):
    """The index with Tensors in it replaced by their arrays."""
    if isinstance(index, Handle):
        return index.array
    if isinstance(index, tuple):
        return tuple(plain_index(i) for i in index)
    return index


class GetItem(Op):
    """y = x[index], for any index that NumPy takes"""
    watched = ("index",)
    fix = "an index must fit the tensor: integers in range, masks of its shape"

    def __init__(self, index):
        self.index = index

    def forward(self, x):
        self.shape = x.shape
        y = x[self.index]
        return y if y.ndim or self.index is Ellipsis else element(x, self.index, y)

    def backward(self, g):
        return PutItem(self.index, self.shape)(g),


def element(x, index, y):
    """y, x[index] without axes, as a view of x: NumPy gives a number, unless there is an Ellipsis."""
    index = index if isinstance(index, tuple) else (index,)
    return x[(*index, Ellipsis)] if all(type(i) in _BASIC for i in index) and Ellipsis not in index else y


class PutItem(Op):
    """y = zeros(shape) with y[index] += x: the adjoint of GetItem"""
    watched = ("index",)

    def __init__(self, index, shape):
        self.index, self.shape = index, shape

    def forward(self, x):
        self.source = x.shape
        y = array_module(x).zeros(self.shape, x.dtype)
        if _reads_once(self.index):
            y[self.index] = x
        else:
            backend_of(x).scatter_add(y, self.index, x)
        return y

    def backward(self, g):
        return unbroadcast(GetItem(self.index)(g), self.source),


def _reads_once(index):
    """Whether no element is read twice: the index is of integers, slices, None, Ellipsis and masks only."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(i is None or i is Ellipsis or isinstance(i, (slice, int)) and not isinstance(i, bool) or
               getattr(i, "dtype", None) == bool for i in parts)  # noqa: E721 (a dtype)


def _along(index, dim):
    """The advanced index that reads element index[i, j, ...] along `dim` and i, j, ... along the other axes."""
    xp = array_module(index)
    grid = xp.ogrid[tuple(slice(n) for n in index.shape)]
    return tuple(index if axis == dim else grid[axis] for axis in range(index.ndim))


def integers(name, index):
    """An index as an array of integers; TypeError, for `name`, for any other dtype."""
    array = index.array if isinstance(index, Handle) else array_module(index).asarray(index)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name}: the index is {array.dtype}; use an integer tensor (int64)")
    return array


def in_range(name, index, low, length, axis):
    """The index, if it lies in low..length - 1; IndexError, for `name`, if not."""
    if index.size and (index.min() < low or index.max() >= length):
        raise IndexError(f"{name}: the index reaches from {index.min()} to {index.max()} along axis {axis} of length "
                         f"{length}; keep it in {low}..{length - 1}")
    return index


def _checked_along(name, x, dim, index):
    """`dim` as an axis of x, and `index` as an array that may be used along it."""
    dim, = axes_of(dim, len(x.shape), name) or (0,)
    index = integers(name, index)
    if index.ndim != len(x.shape):
        raise ValueError(f"{name}: the index has {index.ndim} axes and the tensor {len(x.shape)}; give it as many")
    in_range(name, index, 0, x.shape[dim] if x.shape else 1, dim)
    for axis, (n, m) in enumerate(zip(index.shape, x.shape)):
        if axis != dim and n > m:
            raise ValueError(f"{name}: the index {index.shape} is longer than the tensor {tuple(x.shape)} along axis "
                             f"{axis}; only axis {dim} may be")
    return dim, index


def getitem(x, index):
    """x[index]: integers, slices, None, Ellipsis, lists, integer tensors and masks, each by PyTorch's rules."""
    array = x.array if isinstance(x, Handle) else x
    try:
        first, then = resolved(array, index)
    except (IndexError, TypeError, ValueError) as error:
        explain(GetItem(index), error, [array])
    y = GetItem(first)(x)
    return y if then is None else GetItem(then)(y)


def gather(x, dim, index):
    """y[i][j]... = x[i][index[i][j]...]... along `dim`: torch.gather.

    `index` is an int64 tensor with as many axes as x.

    >>> from minigrad import tensor
    >>> gather(tensor([[1., 2.], [3., 4.]]), 1, tensor([[1], [0]]))
    tensor([[2.],
            [3.]])
    """
    index = integers("gather", index)
    if not x.shape or not index.ndim:  # a number counts as a line of one
        return gather(x.reshape(x.shape or (1,)), dim, index.reshape(index.shape or (1,))).reshape(index.shape)
    dim, index = _checked_along("gather", x, dim, index)
    return GetItem(_along(index, dim))(x)


def take(x, index):
    """x's elements, counted in C order, at `index`: torch.take. The result has the index's shape."""
    x, index = x.reshape(-1), integers("take", index)
    return GetItem(in_range("take", index, -x.shape[0], x.shape[0], 0))(x)


def take_along_dim(x, indices, dim=None):
    """`gather` whose index broadcasts against x in the other axes; without `dim` along all elements in C order.

    >>> from minigrad import tensor
    >>> x = tensor([[3., 1.], [2., 4.]])
    >>> take_along_dim(x, x.argsort(1), 1)
    tensor([[1., 3.],
            [2., 4.]])
    """
    indices = integers("take_along_dim", indices)
    if dim is None:
        return gather(x.reshape(-1), 0, indices.reshape(-1))
    dim = axis_of(dim, len(x.shape), "take_along_dim")
    shape = numpy.broadcast_shapes(*([*s[:dim], 1, *s[dim + 1:]] for s in (x.shape, indices.shape)))
    wide = [(*shape[:dim], s[dim], *shape[dim + 1:]) for s in (x.shape, indices.shape)]
    return gather(broadcast_to(x, wide[0]), dim, array_module(indices).broadcast_to(indices, wide[1]))


def index_select(x, dim, index):
    """The slices of x at the integers `index` along `dim`: one axis of them, each in 0..n - 1."""
    dim, index = rows("index_select", x, dim, index)
    if not x.shape:
        return x.reshape(1)[index].reshape(())
    return GetItem((slice(None),) * dim + (index,))(x)


def rows(name, x, dim, index, low=0):
    """`dim` as an axis of x, and an array of one axis that counts along it, from `low` on."""
    dim, = axes_of(dim, len(x.shape), name) or (0,)
    index = integers(name, index)
    if index.ndim > 1 or not x.shape and index.size != 1:
        raise IndexError(f"{name}: the index has shape {index.shape} for a tensor of shape {tuple(x.shape)}; give it "
                         "one axis (flatten() it)")
    length = x.shape[dim] if x.shape else 1
    return dim, in_range(name, index.reshape(-1), low and -length, length, dim)


def select(x, dim, index):
    """The slice of x at an integer along `dim`, without that axis."""
    dim = axis_of(dim, len(x.shape), "select")
    return x[(slice(None),) * dim + (whole("select", "the index", index),)]


def narrow(x, dim, start, length):
    """`length` slices of x along `dim` from `start` on, which may be negative: a view."""
    dim = axis_of(dim, len(x.shape), "narrow")
    start, length, n = whole("narrow", "start", start), whole("narrow", "length", length), x.shape[dim]
    start = start + n if start < 0 else start
    if not 0 <= start <= start + length <= n:
        raise IndexError(f"narrow: {length} slices from {start} on, of axis {dim} of length {n}; stay within it")
    return x[(slice(None),) * dim + (slice(start, start + length),)]
