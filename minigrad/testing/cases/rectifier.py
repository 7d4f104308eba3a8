"""Cases for ops/rectifier.py."""

from minigrad.ops import rectifier
from minigrad.ops.activation import Elu
from minigrad.ops.rectifier import Hardtanh
from minigrad.testing.registry import case


def away(*kinks):
    """One array away from these points."""
    return lambda s: (s.away(s.shape(), *kinks, scale=3.0),)


def smooth(s):
    """One array of values of a few units."""
    return s.normal(s.shape(), 2.0),


def held(s):
    """An array away from the bounds of hardtanh."""
    low, high = s.choice(((-1.0, 1.0), (0.0, 6.0), (-0.5, 2.0)))
    return (s.away(s.shape(), low, high, scale=2.0),), {"min_val": low, "max_val": high}


def sloped(s):
    """An array away from 0, and one slope, or one a channel."""
    shape = s.shape(1, 4)
    channels = shape[1] if len(shape) > 1 and s.flag() else 1
    return s.away(shape, 0.0), s.normal((channels,))


def halves(s):
    """An array and an axis of an even size."""
    shape = list(s.shape(1, 3))
    dim = s.axis(len(shape))
    shape[dim] = 2 * s.integer(1, 3)
    return (s.normal(tuple(shape)),), {"dim": dim}


def rates(s):
    """An array away from 0, and alpha."""
    return away(0.0)(s), {"alpha": s.choice((1.0, 0.5, 2.0))}


case(Hardtanh, rectifier.hardtanh, held, "nn.functional.hardtanh")
case(Elu, rectifier.celu, rates, "nn.functional.celu", name="celu")
case(Elu, rectifier.selu, away(0.0), "nn.functional.selu", name="selu", rtol=1e-7)  # PyTorch's constants are rounded
case(None, rectifier.relu6, away(0.0, 6.0), "nn.functional.relu6")
case(None, rectifier.hardsigmoid, away(-3.0, 3.0),  # PyTorch's has no second derivative
     lambda torch, x: torch.nn.functional.relu6(x + 3) / 6)
case(None, rectifier.hardswish, away(-3.0, 3.0), "nn.functional.hardswish", rtol=1e-7)
case(None, lambda x: rectifier.threshold(x, 0.7, 5.0), away(0.7),
     lambda torch, x: torch.nn.functional.threshold(x, 0.7, 5.0), name="threshold")
case(None, rectifier.hardshrink, away(-0.5, 0.5), "nn.functional.hardshrink")
case(None, rectifier.softshrink, away(-0.5, 0.5), "nn.functional.softshrink")
case(None, rectifier.tanhshrink, smooth, "nn.functional.tanhshrink", rtol=1e-9)
case(None, rectifier.softsign, smooth, "nn.functional.softsign")
case(None, rectifier.logsigmoid, smooth, "nn.functional.logsigmoid")
case(None, rectifier.mish, smooth, "nn.functional.mish", rtol=1e-9)
case(None, rectifier.prelu, sloped, "nn.functional.prelu")
case(None, rectifier.glu, halves, "nn.functional.glu")
