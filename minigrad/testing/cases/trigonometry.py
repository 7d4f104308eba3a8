"""Cases for ops/trigonometry.py."""

from minigrad import ops
from minigrad.ops.trigonometry import Acos, Acosh, Asin, Asinh, Atan, Atan2, Atanh, Cos, Cosh, Sin, Sinh, Tan
from minigrad.testing.cases.elementary import apart, one
from minigrad.testing.registry import case


def inside(s):
    """One array between -0.9 and 0.9."""
    return s.uniform(s.shape(), -0.9, 0.9),


case(Sin, ops.sin, one, "sin")
case(Cos, ops.cos, one, "cos")
case(Tan, ops.tan, inside, "tan")
case(Asin, ops.asin, inside, "asin")
case(Acos, ops.acos, inside, "acos")
case(Atan, ops.atan, one, "atan")
case(Sinh, ops.sinh, one, "sinh")
case(Cosh, ops.cosh, one, "cosh")
case(Asinh, ops.asinh, one, "asinh")
case(Acosh, ops.acosh, lambda s: (s.uniform(s.shape(), 1.2, 3.0),), "acosh")
case(Atanh, ops.atanh, inside, "atanh")
case(Atan2, ops.atan2, apart, "atan2")
