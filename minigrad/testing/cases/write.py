"""Cases for ops/write.py: out of place, no place written twice but where values add up."""

import numpy

from minigrad import ops
from minigrad.testing.cases.index import along
from minigrad.testing.registry import case


def once(s):
    """An array, values, and an axis with an index along it that names no place twice."""
    shape = s.shape(1, 3)
    dim = s.axis(len(shape))
    axis, rng = dim % len(shape), s.rng()
    size = tuple(s.integer(1, n) for n in shape)
    index = rng.permuted(x=numpy.broadcast_to(numpy.arange(shape[axis]).reshape(
        [-1 if i == axis else 1 for i in range(len(shape))]), shape), axis=axis)[tuple(slice(n) for n in size)]
    return (s.normal(shape), s.normal(tuple(n + s.integer(0, 1) for n in size))), {"dim": dim, "index": index}


def number(s):
    """What `along` gives, and a number to write."""
    arrays, options = along(s)
    return arrays, {**options, "value": s.choice((0.0, 1.5))}


def slices(s):
    """An array, slices for different places along an axis, and those places."""
    shape = s.shape(1, 3)
    dim = s.axis(len(shape))
    axis, count = dim % len(shape), s.integer(1, shape[dim])
    index = numpy.array(s.permutation(shape[dim])[:count])
    return (s.normal(shape), s.normal((*shape[:axis], count, *shape[axis + 1:]))), {"dim": dim, "index": index}


def repeated(s):
    """As `slices`, with places that repeat, and a factor."""
    (x, _), options = slices(s)
    count, axis = s.integer(1, 5), options["dim"] % x.ndim
    return (x, s.normal((*x.shape[:axis], count, *x.shape[axis + 1:]))), {
        "dim": options["dim"], "index": s.labels((count,), x.shape[axis]), "alpha": s.choice((1, 2.5))}


def points(s):
    """An array, values that broadcast, and different places, as one index array an axis."""
    shape = s.shape(1, 3)
    count = s.integer(1, int(numpy.prod(shape)))
    flat = s.rng().permutation(int(numpy.prod(shape)))[:count]
    return (s.normal(shape), s.normal(s.choice(((count,), (1,), ())))), {
        "indices": numpy.array(numpy.unravel_index(flat, shape)), "accumulate": s.flag()}


def masked(s):
    """An array and a mask that broadcasts to it."""
    shape = s.shape(0, 3)
    start = s.integer(0, len(shape))
    return (s.normal(shape),), {"mask": numpy.asarray(s.rng().random(shape[start:]) < 0.5)}


def masked_source(s):
    """The same, and more values than the mask asks for."""
    (x,), options = masked(s)
    return (x, s.normal((x.size + 1,))), options


def along_in_torch(name):
    """PyTorch's function of that name, which takes the index as a tensor before what is written."""
    return lambda torch, x, src, dim, index, **rest: getattr(torch, name)(x, dim, torch.tensor(index), src, **rest)


def index_put(x, values, indices, accumulate):
    """index_put, its indices the rows of an array."""
    return ops.index_put(x, tuple(indices), values, accumulate)


case(None, lambda x, src, dim, index: ops.scatter(x, dim, index, src), once,
     lambda torch, x, src, dim, index: torch.scatter(x, dim, torch.tensor(index), src[tuple(map(slice, index.shape))]),
     name="scatter")
case(None, lambda x, dim, index, value: ops.scatter(x, dim, index, value), number,
     lambda torch, x, dim, index, value: torch.scatter(x, dim, torch.tensor(index), value), name="scatter-number")
case(None, lambda x, src, dim, index, alpha: ops.index_add(x, dim, index, src, alpha=alpha), repeated,
     along_in_torch("index_add"), name="index_add")
case(None, lambda x, src, dim, index: ops.index_copy(x, dim, index, src), slices, along_in_torch("index_copy"),
     name="index_copy")
case(None, lambda x, dim, index, value: ops.index_fill(x, dim, index, value),
     lambda s: (lambda drawn: (drawn[0][:1], {**drawn[1], "value": 1.5}))(slices(s)),
     lambda torch, x, dim, index, value: torch.index_fill(x, dim, torch.tensor(index), value), name="index_fill")
case(None, index_put, points, lambda torch, x, values, indices, accumulate: torch.index_put(
    x, tuple(torch.tensor(indices)), values, accumulate), name="index_put")
case(None, lambda x, mask: ops.masked_fill(x, mask, 2.5), masked,
     lambda torch, x, mask: torch.masked_fill(x, torch.tensor(mask), 2.5), name="masked_fill")
case(None, ops.masked_select, masked, lambda torch, x, mask: torch.masked_select(x, torch.tensor(mask)),
     name="masked_select")
case(None, lambda x, source, mask: ops.masked_scatter(x, mask, source), masked_source,
     lambda torch, x, source, mask: torch.masked_scatter(x, torch.tensor(mask), source), name="masked_scatter")
