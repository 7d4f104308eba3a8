"""Rounding and what is left over: floor, ceil, round, trunc, sign, whole quotients, and remainders.

Steps are flat: their slope is 0 wherever there is one, and taken as 0 at the jumps, as in PyTorch.
"""

from minigrad.backend import array_module
from minigrad.graph import Op
from minigrad.ops.broadcast import BROADCAST, function, shape_of, unbroadcast


def flat(g, shape):
    """The gradient of a step, for an input of that shape: zeros like g, an array or a Tensor."""
    array = getattr(g, "array", g)
    return array_module(array).zeros(shape, array.dtype)


class Step(Op):
    """A function that is constant but for jumps; `compute` is NumPy's name for it"""
    compute = None

    def forward(self, x):
        if x.dtype.kind != "f":
            return self.of_whole(x)
        return getattr(array_module(x), self.compute)(x)

    def of_whole(self, x):
        """Integers are rounded already."""
        if x.dtype.kind == "b":
            raise TypeError("truth values cannot be rounded; use .int() first")
        return x.copy()

    def backward(self, g):
        return flat(g, g.shape),


class Floor(Step):
    """y = the largest integer not above x"""
    compute = "floor"


class Ceil(Step):
    """y = the smallest integer not below x"""
    compute = "ceil"


class Round(Step):
    """y = the nearest integer, the even one at a tie"""
    compute = "rint"


class Trunc(Step):
    """y = the integer next to x on the way to 0"""
    compute = "trunc"


class Sign(Step):
    """y = -1, 0 or 1, and 0 of NaN"""

    def forward(self, x):
        if x.dtype.kind != "f":
            return self.of_whole(x)
        xp = array_module(x)
        return xp.where(xp.isnan(x), x.dtype.type(0), xp.sign(x))

    def of_whole(self, x):
        return array_module(x).sign(x) if x.dtype.kind != "b" else x.copy()


def module_of_pair(x, y):
    """The array library of two operands, one of which may be a number; whole numbers are not divided by 0."""
    zero = y == 0
    if all(isinstance(v, int) or hasattr(v, "dtype") and v.dtype.kind in "biu" for v in (x, y)) and (
            zero.any() if hasattr(zero, "any") else zero):
        raise ZeroDivisionError("an integer is divided by 0")
    return array_module(x if hasattr(x, "shape") else y)


class FloorDivide(Op):
    """z = the largest integer not above x / y, with slope 0"""
    fix = BROADCAST

    def forward(self, x, y):
        module_of_pair(x, y)
        self.shapes = shape_of(x), shape_of(y)
        return x // y

    def backward(self, g):
        return [flat(g, shape) if needed else None for shape, needed in zip(self.shapes, self.needs)]


class Remainder(Op):
    """z = x - y * floor(x / y), which has y's sign; the quotient, a step, is a constant to the derivative"""
    fix = BROADCAST
    compute = "remainder"

    def forward(self, x, y):
        xp = module_of_pair(x, y)
        self.shapes = shape_of(x), shape_of(y)
        z = getattr(xp, self.compute)(x, y)
        self.quotient = xp.rint((x - z) / y) if z.dtype.kind == "f" else None
        return z

    def backward(self, g):
        return (unbroadcast(g, self.shapes[0]) if self.needs[0] else None,
                unbroadcast(g * -self.quotient, self.shapes[1]) if self.needs[1] else None)


class Fmod(Remainder):
    """z = x - y * trunc(x / y), which has x's sign; the quotient, a step, is a constant to the derivative"""
    compute = "fmod"


floor, ceil, trunc, sign = map(function, (Floor, Ceil, Trunc, Sign))
remainder, fmod = map(function, (Remainder, Fmod))


def floor_divide(x, y):
    """The largest integer not above x / y. Unlike PyTorch's it has a slope: 0."""
    return FloorDivide()(x, y)


def round(x, decimals=0):
    """The nearest number of `decimals` decimals, the even one at a tie.

    >>> from minigrad import tensor
    >>> round(tensor([1.5, 2.5])), round(tensor([1.26]), decimals=1)
    (tensor([2., 2.]), tensor([1.3]))
    """
    return Round()(x * 10.0 ** decimals) / 10.0 ** decimals if decimals else Round()(x)


def frac(x):
    """x - trunc(x), which has x's sign and slope 1."""
    return x - trunc(x)
