"""Choosing between values, and finding those that are not 0: where, maximum, minimum, clamp, nonzero.

Ties are PyTorch's: `maximum` and `minimum` share the gradient equally, `clamp` passes it on its bounds.
"""

import numpy

from minigrad.backend import array_module, defaults
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
    """x held between two bounds, numbers or tensors that broadcast, either of which may be None.

    A bound itself passes the gradient on to x. Where a bound is NaN, so is the result.
    """
    if not hasattr(min, "shape") and not hasattr(max, "shape"):
        return Clamp(min, max)(x)
    x = x if min is None else where((x < min) | (min != min), min, x)
    return x if max is None else where((x > max) | (max != max), max, x)


def clamp_min(x, min):
    """x, but `min` where it is below."""
    return clamp(x, min, None)


def clamp_max(x, max):
    """x, but `max` where it is above."""
    return clamp(x, None, max)


def mask_of(name, mask):
    """A mask as an array of bools: uint8 counts as such. TypeError, for `name`, for any other dtype."""
    array = mask.array if isinstance(mask, Handle) else numpy.asarray(mask) if isinstance(mask, (bool, list)) else mask
    if array.dtype.kind != "b" and array.dtype != numpy.uint8:
        raise TypeError(f"{name}: the mask is {array.dtype}; give bools, such as x > 0")
    return array if array.dtype.kind == "b" else array.astype(bool)


def where(condition, x=None, y=None):
    """x where `condition` (bools; uint8 will do) holds, else y. All three broadcast, and x and y may be numbers.

    Without x and y, the indices at which the condition holds: `nonzero(condition, as_tuple=True)`.

    >>> from minigrad import tensor
    >>> where(tensor([True, False]), tensor([1., 2.]), 0.)
    tensor([1., 0.])
    """
    if x is None and y is None:
        return nonzero(condition, as_tuple=True)
    if not isinstance(condition, Handle):
        return Where(condition)(x, y)
    mask = condition.array
    z = Where(mask if mask.dtype.kind == "b" else mask_of("where", mask))(x, y)
    if isinstance(z, Handle):
        return z
    numbers = not hasattr(x, "shape") and not hasattr(y, "shape")
    return Op.wrap(z.astype(defaults.dtype) if numbers and z.dtype.kind == "f" else z)


def nonzero(x, as_tuple=False):
    """The indices of the elements that are not 0: int64, a row each; or, as_tuple, a vector an axis, to index with.

    >>> from minigrad import tensor
    >>> nonzero(tensor([[0, 2], [3, 0]]))
    tensor([[0, 1],
            [1, 0]])
    """
    array = x.array if isinstance(x, Handle) else x
    xp = array_module(array)
    found = (array if array.ndim else array.reshape(1)).nonzero()
    if as_tuple:
        return tuple(map(Op.wrap, found))
    if not array.ndim:
        return Op.wrap(xp.zeros((len(found[0]), 0), "int64"))
    return Op.wrap(xp.stack(found, 1))


def argwhere(x):
    """The indices of the elements that are not 0, a row each."""
    return nonzero(x)
