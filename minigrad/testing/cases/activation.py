"""Cases for ops/activation.py."""

from minigrad import ops
from minigrad.ops.activation import Elu, Erf, Gelu, GeluTanh, LeakyRelu, Ndtr, Relu, Sigmoid, Silu, Softplus, Tanh, ndtr
from minigrad.testing.registry import case


def smooth(s):
    """One array of values of a few units."""
    return s.normal(s.shape(), 2.0),


def kinked(s):
    """One array away from 0."""
    return s.away(s.shape(), 0.0, scale=2.0),


def softplus_options(s):
    """An array away from the point where the function becomes linear."""
    beta, threshold = s.choice((1.0, 0.5, 3.0)), s.choice((20.0, 2.0))
    return (s.away(s.shape(), threshold / beta, scale=3.0),), {"beta": beta, "threshold": threshold}


case(Tanh, ops.tanh, smooth, "tanh")
case(Sigmoid, ops.sigmoid, smooth, "sigmoid")
case(Relu, ops.relu, kinked, "relu")
case(LeakyRelu, ops.leaky_relu, lambda s: (kinked(s), {"negative_slope": s.choice((0.01, 0.2, 0.0, 1.0, 1.5, -0.5))}),
     "nn.functional.leaky_relu")
case(Elu, ops.elu, lambda s: (kinked(s), {"alpha": s.choice((1.0, 0.3, 2.0))}), "nn.functional.elu")
case(Gelu, ops.gelu, smooth, "nn.functional.gelu")
case(GeluTanh, lambda x: ops.gelu(x, "tanh"), smooth, lambda torch, x: torch.nn.functional.gelu(x, approximate="tanh"))
case(Silu, ops.silu, smooth, "nn.functional.silu")
case(Softplus, ops.softplus, softplus_options, "nn.functional.softplus")
case(Erf, ops.erf, smooth, "erf")
case(Ndtr, ndtr, smooth, "special.ndtr")
