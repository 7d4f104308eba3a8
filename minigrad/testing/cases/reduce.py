"""Cases for ops/reduce.py."""

import numpy

from minigrad import ops
from minigrad.ops.reduce import Amax, Amin, CumSum, LogSoftmax, LogSumExp, Mean, Norm, Softmax, Sum, Var
from minigrad.testing.registry import case


def over_axes(s):
    """An array, axes and keepdim."""
    shape = s.shape()
    return (s.normal(shape),), {"dim": s.axes(len(shape)), "keepdim": s.flag()}


def distinct(s):
    """The same, of distinct values."""
    (x,), options = over_axes(s)
    return (s.distinct(x.shape),), options


def nonzero(s):
    """The same, away from zero."""
    (x,), options = over_axes(s)
    return (s.away(x.shape, 0.0, margin=0.2),), options


def spread(s):
    """The same with a correction that leaves at least one degree of freedom; the values differ."""
    shape = s.shape(1, 3, (2, 4))
    dim = s.axes(len(shape))
    return (s.distinct(shape, 0.4),), {"dim": dim, "correction": s.choice((1, 0)), "keepdim": s.flag()}


def along_axis(s):
    """An array and one axis."""
    shape = s.shape(1, 3)
    return (s.normal(shape),), {"dim": s.axis(len(shape))}


def kept_axis(s):
    """An array of distinct values, one axis and keepdim."""
    shape = s.shape(1, 3)
    return (s.distinct(shape),), {"dim": s.axis(len(shape)), "keepdim": s.flag()}


def some_axes(s):
    """An array, one axis or several, and keepdim."""
    shape = s.shape(1, 3)
    dim = s.axes(len(shape))
    return (s.normal(shape),), {"dim": s.axis(len(shape)) if dim is None else dim, "keepdim": s.flag()}


def p_norm(s):
    """An array away from zero with distinct absolute values, and p."""
    (x,), options = over_axes(s)
    signs = s.rng().choice((-1.0, 1.0), x.shape)
    values = numpy.abs(s.distinct(x.shape, 0.2))
    values = (values.ravel().argsort().argsort().reshape(x.shape) + 1) * 0.2
    return (signs * values,), {"p": s.choice((1, 3, 1.5, 4.0, float("inf"), -float("inf"))), **options}


def factors(s):
    """An array in which some elements may be 0, one axis or all."""
    shape = s.shape(0, 3)
    x = s.away(shape, 0.0, margin=0.2)
    x = numpy.where(s.rng().random(shape) < 0.25 * s.integer(0, 2), 0.0, x)
    dim = s.choice((None, s.axis(len(shape)))) if shape else None
    return (x,), {"dim": dim, "keepdim": dim is not None and s.flag()}


def torch_prod(torch, x, dim, keepdim):
    """prod, as a product of a stack of slices: PyTorch's own second derivative at zeros is checked elsewhere."""
    return torch.prod(x) if dim is None else torch.prod(x, dim, keepdim=keepdim)


def torch_amax(name):
    """amax or amin, whose dim is () for all axes in PyTorch."""
    return lambda torch, x, dim, keepdim: getattr(torch, name)(x, () if dim is None else dim, keepdim)


case(Sum, ops.sum, over_axes, "sum")
case(Mean, ops.mean, over_axes, "mean")
case(Var, ops.var, spread, "var")
case(None, ops.std, spread, "std", name="std")
case(Norm, ops.norm, nonzero, lambda torch, x, dim, keepdim: torch.linalg.vector_norm(x, 2, dim, keepdim))
case(
    None,
    ops.norm,
    p_norm,
    lambda torch, x, p, dim, keepdim: torch.linalg.vector_norm(x, p, dim, keepdim),
    name="norm-p",
)
case(Amax, ops.amax, distinct, torch_amax("amax"))
case(Amin, ops.amin, distinct, torch_amax("amin"))
case(None, lambda x, dim, keepdim: ops.max(x, dim, keepdim)[0], kept_axis,
     lambda torch, x, dim, keepdim: torch.max(x, dim, keepdim)[0], name="max-dim")
case(None, lambda x, dim, keepdim: ops.min(x, dim, keepdim)[0], kept_axis,
     lambda torch, x, dim, keepdim: torch.min(x, dim, keepdim)[0], name="min-dim")
case(LogSumExp, ops.logsumexp, some_axes, "logsumexp")
case(Softmax, ops.softmax, along_axis, "softmax")
case(LogSoftmax, ops.log_softmax, along_axis, "log_softmax")
case(CumSum, ops.cumsum, along_axis, "cumsum")
case(None, ops.prod, factors, torch_prod, name="prod")
