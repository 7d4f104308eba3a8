"""Cases for ops/index.py and ops/order.py."""

import numpy

from minigrad import ops
from minigrad.ops.index import GetItem, PutItem
from minigrad.testing.registry import case


def indexed(s):
    """An array and an index into it."""
    shape = s.shape(0, 3)
    return (s.normal(shape),), {"index": s.index(shape)}


def put(s):
    """An index into a shape, and values for what it reads."""
    shape = s.shape(0, 3)
    index = s.index(shape)
    return (s.normal(numpy.empty(shape)[index].shape),), {"index": index, "shape": shape}


def along(s):
    """An array, an axis and an index along it."""
    shape = s.shape(1, 3)
    dim = s.axis(len(shape))
    size = tuple(s.integer(1, 5) if i == dim % len(shape) else s.integer(1, n) for i, n in enumerate(shape))
    return (s.normal(shape),), {"dim": dim, "index": s.labels(size, shape[dim])}


def added(s):
    """What `along` gives, and values to add."""
    (x,), options = along(s)
    return (x, s.normal(options["index"].shape)), options


def added_part(s):
    """As `added`, the values having more elements than the index."""
    (x, src), options = added(s)
    return (x, s.normal(tuple(n + s.integer(0, 1) for n in src.shape))), options


def rows(s):
    """An array, an axis, and a vector of positions along it."""
    shape = s.shape(1, 3)
    dim = s.axis(len(shape))
    return (s.normal(shape),), {"dim": dim, "index": s.labels((s.integer(1, 4),), shape[dim])}


def flat(s):
    """An array and positions in it, counted in C order."""
    shape = s.shape(0, 3)
    return (s.normal(shape),), {"index": s.labels(s.shape(0, 2), int(numpy.prod(shape)))}


def sortable(s):
    """Distinct values and an axis."""
    shape = s.shape(1, 3)
    return (s.distinct(shape),), {"dim": s.axis(len(shape)), "descending": s.flag()}


def top(s):
    """Distinct values, an axis and a count."""
    shape = s.shape(1, 3)
    dim = s.axis(len(shape))
    return (s.distinct(shape),), {"k": s.integer(1, shape[dim]), "dim": dim, "largest": s.flag()}


def torch_getitem(torch, x, index):
    """x[index] in PyTorch, which takes no negative steps: the elements are looked up by their numbers in C order."""
    return torch.take(x, torch.tensor(numpy.array(numpy.arange(x.numel()).reshape(x.shape)[index], dtype="int64")))


def torch_put(torch, x, index, shape):
    """The adjoint of getitem in PyTorch, by its own autograd."""
    with torch.enable_grad():
        whole = torch.zeros(shape, dtype=x.dtype, requires_grad=True)
        y = torch_getitem(torch, whole, index)
        return torch.autograd.grad(y, whole, x, create_graph=True, allow_unused=True, materialize_grads=True)[0]


case(GetItem, lambda x, index: x[index], indexed, torch_getitem)
case(PutItem, lambda x, index, shape: PutItem(index, shape)(x), put, torch_put)
case(GetItem, ops.gather, along, lambda torch, x, dim, index: torch.gather(x, dim, torch.tensor(index)), name="gather")
case(PutItem, lambda x, src, dim, index: ops.scatter_add(x, dim, index, src), added,
     lambda torch, x, src, dim, index: torch.scatter_add(x, dim, torch.tensor(index), src), name="scatter_add")
case(PutItem, lambda x, src, dim, index: ops.scatter_add(x, dim, index, src), added_part, name="scatter_add-part")
case(GetItem, ops.index_select, rows,
     lambda torch, x, dim, index: torch.index_select(x, dim, torch.tensor(index)), name="index_select")
case(GetItem, ops.take, flat, lambda torch, x, index: torch.take(x, torch.tensor(index)), name="take")
case(None, lambda x, dim, descending: ops.sort(x, dim, descending)[0], sortable,
     lambda torch, x, dim, descending: torch.sort(x, dim, descending)[0], name="sort")
case(None, lambda x, k, dim, largest: ops.topk(x, k, dim, largest)[0], top,
     lambda torch, x, k, dim, largest: torch.topk(x, k, dim, largest)[0], name="topk")
