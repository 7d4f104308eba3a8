"""Cases for ops/statistics.py."""

import numpy

from minigrad import ops
from minigrad.ops.statistics import Median
from minigrad.testing.registry import case


def distinct(s):
    """One array of different values."""
    return s.distinct(s.shape(0, 3)),


def ranked(s):
    """An array of different values, an axis and a rank."""
    shape = s.shape(1, 3)
    dim = s.axis(len(shape))
    return (s.distinct(shape),), {"k": s.integer(1, shape[dim]), "dim": dim, "keepdim": s.flag()}


def shared(s):
    """An array of different values, a share or two, an axis or none."""
    shape = s.shape(1, 3)
    return (s.distinct(shape),), {"q": s.choice((0.0, 0.3, 0.5, 1.0)), "dim": s.choice((None, s.axis(len(shape)))),
                                  "keepdim": s.flag(),
                                  "interpolation": s.choice(("linear", "lower", "higher", "nearest", "midpoint"))}


def along(s):
    """An array and an axis, of more than one element."""
    shape = s.shape(1, 3, (2, 6))
    return (s.normal(shape),), {"dim": s.axis(len(shape))}


def product(s):
    """The same, at times with zeros in it."""
    (x,), options = along(s)
    return (numpy.where(s.rng().random(x.shape) < 0.25 * s.integer(0, 2), 0.0, x),), options


def differences(s):
    """An array, an axis and how often to take differences."""
    (x,), options = along(s)
    return (x,), {**options, "n": s.integer(0, 3)}


def torch_cumprod(torch, x, dim):
    """cumprod as a stack of products: PyTorch's own second derivative at zeros is wrong by NaN."""
    return torch.stack([torch.prod(x.narrow(dim, 0, i + 1), dim) for i in range(x.shape[dim])], dim)


case(Median, ops.median, distinct, "median")
case(None, lambda x, k, dim, keepdim: ops.kthvalue(x, k, dim, keepdim)[0], ranked,
     lambda torch, x, k, dim, keepdim: torch.kthvalue(x, k, dim, keepdim)[0], name="kthvalue")
case(None, lambda x, k, dim, keepdim: ops.median(x, dim, keepdim)[0], ranked,
     lambda torch, x, k, dim, keepdim: torch.median(x, dim, keepdim)[0], name="median-dim")
case(None, ops.quantile, shared, "quantile", name="quantile")
case(None, ops.cumprod, product, torch_cumprod, name="cumprod")
case(None, ops.logcumsumexp, along, "logcumsumexp", name="logcumsumexp")
case(None, ops.diff, differences, "diff", name="diff")
