"""Arithmetic and the elementary functions, element by element, with NumPy broadcasting.

One class an op: the formula in `forward`, its derivative beside it in `backward`. Each runs on arrays and, through the
same lines, on Tensors (see `graph.Op`). Below the classes stand the functions that users call. Slopes at kinks are
PyTorch's (|x|' is 0 at 0) but for one: sqrt' is 0 at 0 instead of inf, so that a penalty on a gradient that vanishes
is not NaN.
"""

import math

from minigrad.backend import array_module
from minigrad.graph import OUT, Op
from minigrad.ops.broadcast import BROADCAST, function, shape_of, unbroadcast
from minigrad.ops.select import where


class Add(Op):
    """z = x + y"""
    fix = BROADCAST

    def forward(self, x, y):
        self.shapes = shape_of(x), shape_of(y)
        return x + y

    def backward(self, g):
        return (unbroadcast(g, self.shapes[0]) if self.needs[0] else None,
                unbroadcast(g, self.shapes[1]) if self.needs[1] else None)


class Sub(Op):
    """z = x - y"""
    fix = BROADCAST

    def forward(self, x, y):
        self.shapes = shape_of(x), shape_of(y)
        return x - y

    def backward(self, g):
        return (unbroadcast(g, self.shapes[0]) if self.needs[0] else None,
                unbroadcast(-g, self.shapes[1]) if self.needs[1] else None)


class Mul(Op):
    """z = x * y"""
    keep = (0, 1)
    fix = BROADCAST

    def forward(self, x, y):
        return x * y

    def backward(self, g, x, y):
        return (unbroadcast(g * y, x.shape) if self.needs[0] else None,
                unbroadcast(g * x, y.shape) if self.needs[1] else None)


class Div(Op):
    """z = x / y"""
    keep = (0, 1)
    fix = BROADCAST

    def forward(self, x, y):
        return x / y

    def backward(self, g, x, y):
        return (unbroadcast(g / y, x.shape) if self.needs[0] else None,
                unbroadcast(-g * (x / y) / y, y.shape) if self.needs[1] else None)


class Pow(Op):
    """z = x ** y; the derivative with respect to y is taken as 0 where x = 0 and y >= 0, as PyTorch does."""
    keep = (0, 1)
    fix = BROADCAST

    def forward(self, x, y):
        return x ** y

    def backward(self, g, x, y):
        gx = gy = None
        if self.needs[0]:
            # Where y is 0 the power is constant; without the guard x ** -1 would make 0 * inf there.
            scalar = not hasattr(y, "shape")
            flat = y == 0
            power = (1.0 if flat else y) if scalar else where(flat, 1.0, y)
            gx = unbroadcast(g * 0.0 if scalar and flat else g * y * x ** (power - 1), x.shape)
        if self.needs[1]:
            zero = x == 0
            if hasattr(x, "shape"):
                gy = where(zero, 0.0, g * x ** y * log(where(zero, 1.0, x)))
            else:
                gy = g * 0.0 if zero else g * x ** y * (math.log(x) if x > 0 else math.nan)
            gy = unbroadcast(gy, y.shape)
        return gx, gy


class Neg(Op):
    """y = -x"""

    def forward(self, x):
        return -x

    def backward(self, g):
        return -g,


class Exp(Op):
    """y = e**x"""
    keep = (OUT,)

    def forward(self, x):
        return array_module(x).exp(x)

    def backward(self, g, y):
        return g * y,


class Log(Op):
    """y = ln x"""
    keep = (0,)

    def forward(self, x):
        return array_module(x).log(x)

    def backward(self, g, x):
        return g / x,


class Log1p(Op):
    """y = ln(1 + x), exact near 0"""
    keep = (0,)

    def forward(self, x):
        return array_module(x).log1p(x)

    def backward(self, g, x):
        return g / (x + 1),


class Sqrt(Op):
    """y = sqrt(x), with slope 0 at 0"""
    keep = (OUT,)

    def forward(self, x):
        return array_module(x).sqrt(x)

    def backward(self, g, y):
        return 0.5 * g / where(y == 0, float("inf"), y),


class Abs(Op):
    """y = |x|, with slope 0 at 0"""

    def forward(self, x):
        xp = array_module(x)
        self.sign = xp.sign(x)
        return xp.abs(x)

    def backward(self, g):
        return g * self.sign,


add, sub, mul, div = map(function, (Add, Sub, Mul, Div))
neg, exp, log, log1p, sqrt, abs = map(function, (Neg, Exp, Log, Log1p, Sqrt, Abs))


def pow(input, exponent):
    """input ** exponent"""
    return Pow()(input, exponent)


def square(x):
    """x * x; of bools in int64"""
    return Mul()(x, x) if x.dtype.char != "?" else x ** 2
