"""Writing by index, out of place: x with other values at some places.

Where several values arrive at one place, `scatter_add` and `index_add` add them up; in all others the last one stays,
and gets the gradient.
"""

import numpy

from minigrad.backend import array_module
from minigrad.convert import Clone
from minigrad.graph import Handle
from minigrad.ops.index import GetItem, PutItem, _along, _checked_along, integers, resolved, rows
from minigrad.ops.select import mask_of, where
from minigrad.ops.shape import broadcast_to


def scatter_add(x, dim, index, src):
    """x with src[i][j]... added at [i][index[i][j]...]... along `dim`, repeats adding up: torch.scatter_add.

    `src` has the shape of `index`, or is longer.
    """
    if x.dtype != src.dtype:
        raise TypeError(f"scatter_add: the tensor is {x.dtype} and src {src.dtype}; bring both to one dtype")
    index = integers("scatter_add", index)
    if x.shape and not index.ndim:  # a number counts as a line of one
        return scatter_add(x, dim, index.reshape(1), src.reshape(1))
    dim, index = _checked_along("scatter_add", x, dim, index)
    return x + PutItem(_along(index, dim), tuple(x.shape))(_as_long("scatter_add", src, index))


def _as_long(name, src, index):
    """The part of src that an index of its shape, or a smaller one, asks for."""
    if tuple(src.shape) == index.shape:
        return src
    if len(src.shape) != index.ndim or any(n > m for n, m in zip(index.shape, src.shape)):
        raise ValueError(f"{name}: src {tuple(src.shape)} is smaller than the index {index.shape}; give it that shape")
    return src[tuple(slice(n) for n in index.shape)]


def scatter(x, dim, index, src=None, value=None, reduce=None):
    """x with src[i][j]... at [i][index[i][j]...]... along `dim`, or with the number `value` there: torch.scatter.

    `src` has the shape of `index`, or is longer. With reduce="add" it is added.

    >>> from minigrad import tensor, zeros
    >>> scatter(zeros(2, 3), 1, tensor([[2], [0]]), 1.0)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    if (src is None) == (value is None) or reduce not in (None, "add"):
        raise ValueError(f"scatter: src, value and reduce are {src!r:.20}, {value} and {reduce!r}; give a tensor or a "
                         "number, and 'add' or no reduce")
    if not hasattr(src, "shape") or isinstance(src, numpy.generic):
        src, value = None, src if value is None else value
    index = integers("scatter", index)
    if x.shape and not index.ndim:
        return scatter(x, dim, index.reshape(1), src if src is None else src.reshape(1), value, reduce)
    dim, index = _checked_along("scatter", x, dim, index)
    if src is None:
        if reduce is None:
            return filled(x, _along(index, dim), value)
        src = array_module(index).full(index.shape, value, x.dtype)
    if reduce == "add":
        return scatter_add(x, dim, index, src)
    return replaced("scatter", x, _along(index, dim), _as_long("scatter", src, index))


def filled(x, index, value):
    """x with the number `value`, in x's dtype, at an index that NumPy takes."""
    there = array_module(x.array if isinstance(x, Handle) else x).zeros(tuple(x.shape), bool)
    there[index] = True
    return where(there, in_dtype(value, x.dtype), x)


def in_dtype(value, dtype):
    """A number, or a tensor without axes, as one that does not widen `dtype`; integers have their fractions cut off."""
    if isinstance(value, Handle) and value.node is not None:
        return value
    value = value.item() if hasattr(value, "item") else value
    if dtype.kind in "iu" and not numpy.iinfo(dtype).min <= value <= numpy.iinfo(dtype).max:
        raise ValueError(f"{dtype} cannot hold {value}; give a number within its range, or cast the tensor")
    return bool(value) if dtype.kind == "b" else value if dtype.kind == "f" else int(value)


def replaced(name, x, index, src):
    """x with x[index] = src; of the elements of src that meet in one place, the last stays, and gets the gradient."""
    if x.dtype != src.dtype:
        raise TypeError(f"{name}: the tensor is {x.dtype} and what is written {src.dtype}; bring both to one dtype")
    xp = array_module(x.array if isinstance(x, Handle) else x)
    last = xp.full(tuple(x.shape), -1)
    count = 1
    for n in last[index].shape:
        count *= n
    last[index] = xp.arange(count).reshape(last[index].shape)
    if not count:
        return Clone()(x)
    src = broadcast_to(src, last[index].shape)
    return where(last >= 0, GetItem(xp.maximum(last, 0))(src.reshape(-1)), x)


def index_add(x, dim, index, source, alpha=1):
    """x with `alpha` times the slices of `source` along `dim` added to the slices at `index`, repeats adding up.

    >>> from minigrad import ones, tensor, zeros
    >>> index_add(zeros(3, 2), 0, tensor([2, 2]), ones(2, 2))
    tensor([[0., 0.],
            [0., 0.],
            [2., 2.]])
    """
    if not x.shape:
        return index_add(x.reshape(1), dim, index, source.reshape(1), alpha).reshape(())
    dim, index, source = _slices("index_add", x, dim, index, source)
    return x + PutItem((slice(None),) * dim + (index,), tuple(x.shape))(source if alpha == 1 else source * alpha)


def index_copy(x, dim, index, source):
    """x with the slices of `source` along `dim` in the place of those at `index`."""
    if not x.shape:
        return index_copy(x.reshape(1), dim, index, source.reshape(1)).reshape(())
    dim, index, source = _slices("index_copy", x, dim, index, source)
    return replaced("index_copy", x, (slice(None),) * dim + (index,), source)


def _slices(name, x, dim, index, source):
    """`dim`, the index, and the source, which has a slice for each of the index's integers."""
    dim, index = rows(name, x, dim, index)
    wanted = (*x.shape[:dim], index.size, *x.shape[dim + 1:])
    if tuple(source.shape) != wanted:
        raise ValueError(f"{name}: the source has shape {tuple(source.shape)}; {index.size} slices along axis {dim} of "
                         f"the tensor {tuple(x.shape)} have shape {wanted}")
    if source.dtype != x.dtype:
        raise TypeError(f"{name}: the tensor is {x.dtype} and the source {source.dtype}; bring both to one dtype")
    return dim, index, source


def index_fill(x, dim, index, value):
    """x with a number in the slices at `index` along `dim`; negative integers count from the end."""
    if not x.shape:
        return index_fill(x.reshape(1), dim, index, value).reshape(())
    dim, index = rows("index_fill", x, dim, index, low=-1)
    return filled(x, (slice(None),) * dim + (index,), value)


def index_put(x, indices, values, accumulate=False):
    """x with x[indices] = values, or x[indices] += values, repeats adding up; `indices` is a tuple of tensors.

    >>> from minigrad import tensor, zeros
    >>> index_put(zeros(3), (tensor([0, 0, 2]),), tensor(1.), accumulate=True)
    tensor([2., 0., 1.])
    """
    array = x.array if isinstance(x, Handle) else x
    first, then = resolved(array, tuple(indices))
    if then is not None:
        raise IndexError("index_put: an index is a number; give tensors of one axis or more")
    return PutItem(first, tuple(x.shape))(broadcast_to(values, array[first].shape)) + x if accumulate else \
        replaced("index_put", x, first, values)


def masked_fill(x, mask, value):
    """x with a number (or tensor without axes) where the mask, which broadcasts, holds. The dtype stays x's.

    >>> from minigrad import tensor
    >>> masked_fill(tensor([1., -2.]), tensor([False, True]), 0.)
    tensor([1., 0.])
    """
    if getattr(value, "ndim", 0):
        raise ValueError(f"masked_fill: the value has shape {tuple(value.shape)}; give a number, or use where")
    return where(mask_of("masked_fill", mask), in_dtype(value, x.dtype), x)


def masked_select(x, mask):
    """The elements of x where the mask holds, in one axis; both broadcast."""
    mask = mask_of("masked_select", mask)
    shape = numpy.broadcast_shapes(tuple(x.shape), mask.shape)
    return GetItem(array_module(mask).broadcast_to(mask, shape))(broadcast_to(x, shape))


def masked_scatter(x, mask, source):
    """x with the elements of `source`, in order, where the mask holds; x and the mask broadcast."""
    mask = mask_of("masked_scatter", mask)
    shape = numpy.broadcast_shapes(tuple(x.shape), mask.shape)
    x, mask = x if x.shape == shape else broadcast_to(x, shape), array_module(mask).broadcast_to(mask, shape)
    count = int(mask.sum())
    if source.numel() < count:
        raise ValueError(f"masked_scatter: the mask holds at {count} places and the source has {source.numel()} "
                         "elements; give as many")
    return replaced("masked_scatter", x, mask, source.reshape(-1)[:count])
