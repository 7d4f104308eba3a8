"""Cases for ops/rounding.py: away from the jumps, at which no difference is a derivative."""

import numpy

from minigrad import ops
from minigrad.ops.rounding import Ceil, Floor, FloorDivide, Fmod, Remainder, Round, Sign, Trunc
from minigrad.testing.registry import case


def between(s):
    """One array of values between integers and halves."""
    shape = s.shape()
    return numpy.asarray(s.rng().integers(-4, 4, shape) + s.uniform(shape, 0.05, 0.45)),


def quotient(s):
    """Two arrays that broadcast, their quotients between integers."""
    a, b = s.broadcastable()
    y = s.away(b, 0.0, margin=0.5)
    whole = s.rng().integers(-3, 4, numpy.broadcast_shapes(a, b))
    return numpy.asarray((whole + s.uniform(whole.shape, 0.2, 0.8)) * y), y


case(Floor, ops.floor, between, "floor")
case(Ceil, ops.ceil, between, "ceil")
case(Round, ops.round, between, "round")
case(Trunc, ops.trunc, between, "trunc")
case(Sign, ops.sign, between, "sign")
case(Remainder, ops.remainder, quotient, "remainder")
case(Fmod, ops.fmod, quotient, "fmod")
case(FloorDivide, ops.floor_divide, quotient, lambda torch, x, y: torch.div(x, y, rounding_mode="floor"))
case(None, ops.frac, between, "frac")
