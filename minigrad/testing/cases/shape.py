"""Cases for ops/shape.py."""

import numpy

from minigrad import ops
from minigrad.ops.shape import BroadcastTo, Cat, Flip, Pad, Permute, Reshape, Roll
from minigrad.testing.registry import case


def reshaped(s):
    """An array and another shape of as many elements."""
    shape = s.shape(1, 3)
    order = s.permutation(len(shape))
    sizes = s.choice(([shape[i] for i in order], [-1], [1, *shape], [-1, shape[0]]))
    return (s.normal(shape),), {"shape": tuple(sizes)}


def permuted(s):
    """An array and an order of its axes, some counted from the end."""
    shape = s.shape()
    return (s.normal(shape),), {"dims": tuple(a - len(shape) * s.integer(0, 1) for a in s.permutation(len(shape)))}


def broadcast(s):
    """An array and a shape that it can grow to."""
    small = s.shape()
    full = tuple(s.integer(1, 3) if n == 1 else n for n in small)
    return (s.normal(small),), {"shape": s.shape(0, 2, (1, 3)) + full}


def expanded(s):
    """As `broadcast`, with -1 for an axis that stays."""
    (x,), options = broadcast(s)
    shape = options["shape"]
    new = len(shape) - x.ndim
    return (x,), {"shape": tuple(-1 if i >= new and n == x.shape[i - new] else n for i, n in enumerate(shape))}


def joined(s):
    """One to three arrays that differ along one axis only."""
    shape = list(s.shape(1, 3))
    dim = s.axis(len(shape))
    arrays = []
    for _ in range(s.integer(1, 3)):
        shape[dim] = s.integer(0, 3)
        arrays.append(s.normal(tuple(shape)))
    return tuple(arrays), {"dim": dim}


def stacked(s):
    """Arrays of one shape, and a new axis."""
    shape = s.shape(0, 2)
    return tuple(s.normal(shape) for _ in range(s.integer(1, 3))), {"dim": s.axis(len(shape) + 1)}


def padded(s):
    """An array and widths, negative ones too, for its last axes."""
    shape = s.shape(1, 3)
    widths = []
    for n in shape[::-1][:s.integer(1, len(shape))]:
        before = s.integer(-n, 3)
        widths += [before, s.integer(max(-n, -n - before), 3)]
    return (s.normal(shape),), {"pad": tuple(widths), "value": s.choice((0.0, 1.5))}


def bordered(s):
    """A 4-D array and widths for a mode that repeats its elements."""
    shape = (s.integer(1, 2), s.integer(1, 2), s.integer(2, 4), s.integer(2, 4))
    mode = s.choice(("reflect", "replicate", "circular"))
    widths = tuple(s.integer(0, n - 1) for n in (shape[3], shape[3], shape[2], shape[2]))
    return (s.normal(shape),), {"pad": widths, "mode": mode}


def shifted(s):
    """An array, shifts and axes."""
    shape = s.shape(1, 3)
    if s.flag():
        dims = s.permutation(len(shape))[:s.integer(1, len(shape))]
        return (s.normal(shape),), {"shifts": tuple(s.integer(-5, 5) for _ in dims), "dims": dims}
    return (s.normal(shape),), {"shifts": s.integer(-5, 5), "dims": s.choice((None, s.axis(len(shape))))}


def flipped(s):
    """An array and axes to turn round."""
    shape = s.shape(1, 3)
    return (s.normal(shape),), {
        "dims": tuple(numpy.atleast_1d(s.permutation(len(shape))[: s.integer(1, len(shape))]).tolist())
    }


def pieces(s):
    """An array and how to split it."""
    shape = s.shape(1, 3)
    dim = s.axis(len(shape))
    first = s.integer(0, shape[dim])
    return (s.normal(shape),), {"size": s.choice((s.integer(1, 3), [first, shape[dim] - first])), "dim": dim}


def tiled(s):
    """An array and how often to repeat it along each axis, new ones in front."""
    shape = s.shape(0, 2)
    return (s.normal(shape),), {"sizes": s.shape(0, 1, (1, 3)) + tuple(s.integer(0, 3) for _ in shape)}


def two_axes(s):
    """An array and two of its axes."""
    shape = s.shape(1, 3)
    return (s.normal(shape),), {"dim0": s.axis(len(shape)), "dim1": s.axis(len(shape))}


def cat(*xs, dim):
    """cat of several inputs."""
    return ops.cat(xs, dim)


def stack(*xs, dim):
    """stack of several inputs."""
    return ops.stack(xs, dim)


case(Reshape, lambda x, shape: ops.reshape(x, shape), reshaped, "reshape")
case(Permute, lambda x, dims: ops.permute(x, dims), permuted, "permute")
case(Permute, ops.transpose, two_axes, "transpose", name="transpose")
case(BroadcastTo, lambda x, shape: ops.broadcast_to(x, shape), broadcast, lambda torch, x, shape: x.broadcast_to(shape))
case(
    BroadcastTo, lambda x, shape: ops.expand(x, shape), expanded, lambda torch, x, shape: x.expand(shape), name="expand"
)
case(Cat, cat, joined, lambda torch, *xs, dim: torch.cat(xs, dim))
case(Cat, stack, stacked, lambda torch, *xs, dim: torch.stack(xs, dim), name="stack")
case(Pad, ops.pad, padded, "nn.functional.pad")
case(None, ops.pad, bordered, "nn.functional.pad", name="pad-border")
case(Flip, ops.flip, flipped, "flip")
case(Roll, ops.roll, shifted, "roll")
case(None, lambda x, size, dim: ops.split(x, size, dim), pieces,
     lambda torch, x, size, dim: torch.split(x, size, dim), name="split")
case(None, lambda x, sizes: ops.repeat(x, sizes), tiled, lambda torch, x, sizes: x.repeat(sizes), name="repeat")
