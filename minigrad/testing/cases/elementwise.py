"""Cases for ops/elementwise.py and ops/select.py."""

import numpy

from minigrad import ops
from minigrad.ops.elementwise import Abs, Add, Div, Exp, Log, Log1p, Mul, Neg, Pow, Sqrt, Sub
from minigrad.ops.select import Clamp, Maximum, Minimum, Where
from minigrad.testing.registry import case


def pair(s):
    """Two arrays that broadcast."""
    a, b = s.broadcastable()
    return s.normal(a), s.normal(b)


def one(s):
    """One array."""
    return s.normal(s.shape()),


def positive(s):
    """One array between 0.2 and 3."""
    return s.uniform(s.shape(), 0.2, 3.0),


def ratio(s):
    """Two arrays that broadcast, the second away from 0."""
    a, b = s.broadcastable()
    return s.normal(a), s.away(b, 0.0, margin=0.3)


def power(s):
    """A positive base and an exponent, that broadcast."""
    a, b = s.broadcastable()
    return s.uniform(a, 0.3, 2.0), s.normal(b)


def untied(s):
    """Two arrays that broadcast and differ everywhere."""
    a, b = s.broadcastable()
    x, y = s.distinct(a, 0.2), s.distinct(b, 0.2)
    return x, numpy.round(y, 1) + 0.05 if numpy.min(numpy.abs(x[..., None] - y.ravel())) < 0.01 else y


def scalar_power(s):
    """A positive base and an exponent that is a Python number."""
    return (s.uniform(s.shape(), 0.3, 2.0),), {"exponent": s.choice((2, 3, 0.5, -1, 1, 0, -2.5, 1.5))}


def whole_power(s):
    """A base of either sign and a non-negative integer exponent."""
    return (s.away(s.shape(), 0.0),), {"exponent": s.choice((2, 3, 1, 0, 4))}


def masked(s):
    """Two arrays and a mask, all broadcasting."""
    a, b, c = s.broadcastable(3)
    return (s.normal(a), s.normal(b)), {"mask": s.rng().random(c) < 0.5}


def choose(x, y, mask):
    """where, its condition last."""
    return ops.where(mask, x, y)


def scalar_arithmetic(x):
    """Python numbers on either side of every operator."""
    return (2 - x) * 3 + (x - 1) / 4 + 2 / (x * x + 1) + 1.5 * x - (-x) + (1 + x) * 2


def base_power(x):
    """A Python number to the power of x."""
    return 2.5 ** x


case(Add, ops.add, pair, "add")
case(Sub, ops.sub, pair, "sub")
case(Mul, ops.mul, pair, "mul")
case(Div, ops.div, ratio, "div")
case(Pow, ops.pow, power, "pow")
case(Pow, lambda x, exponent: x ** exponent, scalar_power, lambda torch, x, exponent: x ** exponent, name="Pow-scalar")
case(Pow, lambda x, exponent: x ** exponent, whole_power, lambda torch, x, exponent: x ** exponent, name="Pow-whole")
case(Pow, base_power, one, lambda torch, x: 2.5 ** x, name="Pow-base")
case(Neg, ops.neg, one, "neg")
case(Exp, ops.exp, one, "exp")
case(Log, ops.log, positive, "log")
case(Log1p, ops.log1p, positive, "log1p")
case(Sqrt, ops.sqrt, positive, "sqrt")
case(Abs, ops.abs, lambda s: (s.away(s.shape(), 0.0),), "abs")
case(Mul, ops.square, one, "square", name="square")
case(None, scalar_arithmetic, one, lambda torch, x: scalar_arithmetic(x))
case(Maximum, ops.maximum, untied, "maximum")
case(Minimum, ops.minimum, untied, "minimum")
case(Maximum, lambda x: ops.maximum(x, 0.3), lambda s: (s.away(s.shape(), 0.3),),
     lambda torch, x: torch.maximum(x, torch.tensor(0.3, dtype=x.dtype)), name="Maximum-scalar")
case(Clamp, ops.clamp, lambda s: ((s.away(s.shape(), -0.5, 0.7),),
                                  s.choice(({"min": -0.5, "max": 0.7}, {"min": -0.5}, {"max": 0.7}))), "clamp")
case(Where, choose, masked, lambda torch, x, y, mask: torch.where(torch.tensor(mask), x, y))
case(
    Where,
    lambda x, mask: ops.where(mask, x, 1.5),
    lambda s: (lambda a, b: ((s.normal(a),), {"mask": s.rng().random(b) < 0.5}))(*s.broadcastable()),
    lambda torch, x, mask: torch.where(torch.tensor(mask), x, 1.5),
    name="Where-scalar",
)
