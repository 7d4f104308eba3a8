"""Choosing between values: where, maximum, minimum, clamp.

Ties are PyTorch's: `maximum` and `minimum` share the gradient equally, `clamp` passes it on its bounds.
"""

from minigrad.backend import array_module
from minigrad.graph import Handle, Op
from minigrad.ops.broadcast import BROADCAST, function, shape_of, unbroadcast


class Maximum(Op):
    """z = max(x, y); a tie gives each half of the gradient"""
    fix = BROADCAST
    select = staticmethod(lambda xp, x, y: (xp.maximum(x, y), x > y, x == y))

    def forward(self, x, y):
        xp = array_module(x if hasattr(x, "shape") else y)
        z, mine, tie = self.select(xp, x, y)
        self.shapes = shape_of(x), shape_of(y)
        self.share = mine + 0.5 * tie  # of the first input: 1, 1/2 or 0
        self.share = self.share.astype(z.dtype) if z.dtype.kind == "f" else self.share
        return z

    def backward(self, g):
        return (unbroadcast(g * self.share, self.shapes[0]) if self.needs[0] else None,
                unbroadcast(g * (1 - self.share), self.shapes[1]) if self.needs[1] else None)


class Minimum(Maximum):
    """z = min(x, y); a tie gives each half of the gradient"""
    select = staticmethod(lambda xp, x, y: (xp.minimum(x, y), x < y, x == y))


class Clamp(Op):
    """y = min(max(x, low), high), bounds being Python scalars or None; the bounds themselves pass the gradient"""
    fix = "give min, max or both as numbers"

    def __init__(self, low=None, high=None):
        if low is None and high is None:
            raise ValueError("Clamp: neither min nor max is given; give one of them at least")
        self.low, self.high = low, high

    def forward(self, x):
        y = array_module(x).clip(x, self.low, self.high)
        self.inside = (y == x) | (x != x)  # NaN stays NaN, and passes
        return y

    def backward(self, g):
        return g * self.inside,


class Where(Op):
    """z = x where the condition holds, else y; the condition is an array and gets no gradient"""
    fix = BROADCAST
    watched = ("condition",)

    def __init__(self, condition):
        self.condition = condition

    def forward(self, x, y):
        xp = array_module(self.condition)
        self.shapes = shape_of(x), shape_of(y)
        return xp.where(self.condition, x, y)

    def backward(self, g):
        return (unbroadcast(where(self.condition, g, 0.0), self.shapes[0]) if self.needs[0] else None,
                unbroadcast(where(self.condition, 0.0, g), self.shapes[1]) if self.needs[1] else None)


maximum, minimum = map(function, (Maximum, Minimum))


def clamp(x, min=None, max=None):
    """x held between two numbers, either of which may be None; a bound itself passes the gradient."""
    return Clamp(min, max)(x)


def where(condition, x, y):
    """x where `condition` (a bool tensor or array) holds, else y. All three broadcast.

    >>> from minigrad import tensor
    >>> where(tensor([True, False]), tensor([1., 2.]), 0.)
    tensor([1., 0.])
    """
    if not isinstance(condition, Handle):
        return Where(condition)(x, y)
    z = Where(condition.array)(x, y)
    if isinstance(z, Handle):
        return z
    numbers = not hasattr(x, "shape") and not hasattr(y, "shape")
    return Op.wrap(z.astype("float32") if numbers and z.dtype.kind == "f" else z)
