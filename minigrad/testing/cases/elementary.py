"""Cases for ops/elementary.py."""

from minigrad import ops
from minigrad.ops.elementary import Exp2, Expm1, Hypot, Log2, Log10, LogAddExp, Reciprocal, Rsqrt
from minigrad.testing.registry import case


def one(s):
    """One array."""
    return s.normal(s.shape()),


def positive(s):
    """One array between 0.2 and 3."""
    return s.uniform(s.shape(), 0.2, 3.0),


def pair(s):
    """Two arrays that broadcast."""
    a, b = s.broadcastable()
    return s.normal(a), s.normal(b)


def apart(s):
    """Two arrays that broadcast and keep away from 0."""
    a, b = s.broadcastable()
    return s.away(a, 0.0, margin=0.3), s.away(b, 0.0, margin=0.3)


def weighed(s):
    """Two arrays and a weight on either side of 1/2."""
    a, b = s.broadcastable()
    return (s.normal(a), s.normal(b)), {"weight": s.choice((0.0, 0.3, 0.5, 1.0, -0.5, 1.5))}


def three(s):
    """Three arrays that broadcast, the last away from 0, and a factor."""
    a, b, c = s.broadcastable(3)
    return (s.normal(a), s.normal(b), s.away(c, 0.0, margin=0.3)), {"value": s.choice((1, 2.5, -1))}


case(Hypot, ops.hypot, apart, "hypot")
case(LogAddExp, ops.logaddexp, pair, "logaddexp")
case(Log2, ops.log2, positive, "log2")
case(Log10, ops.log10, positive, "log10")
case(Exp2, ops.exp2, one, "exp2")
case(Expm1, ops.expm1, one, "expm1")
case(Reciprocal, ops.reciprocal, lambda s: (s.away(s.shape(), 0.0, margin=0.3),), "reciprocal")
case(Rsqrt, ops.rsqrt, positive, "rsqrt")
case(None, ops.erfc, one, "erfc", name="erfc")
case(None, ops.logit, lambda s: (s.uniform(s.shape(), 0.1, 0.9),), "logit", name="logit")
case(None, ops.xlogy, lambda s: (lambda a, b: (s.normal(a), s.uniform(b, 0.2, 3.0)))(*s.broadcastable()), "xlogy",
     name="xlogy")
case(None, ops.lerp, weighed, "lerp", name="lerp")
case(None, lambda x, end, weight: ops.lerp(x, end, weight), lambda s: (lambda a: (s.normal(a), s.normal(a), s.away(
    a, 0.5)))(s.shape()), "lerp", name="lerp-tensor")
case(None, ops.addcmul, three, "addcmul", name="addcmul")
case(None, ops.addcdiv, three, "addcdiv", name="addcdiv")
case(None, lambda x, y: ops.add(x, y, alpha=2) - ops.sub(y, x, alpha=0.5) + ops.rsub(x, y, alpha=3), pair,
     lambda torch, x, y: torch.add(x, y, alpha=2) - torch.sub(y, x, alpha=0.5) + torch.rsub(x, y, alpha=3),
     name="arithmetic with alpha")
