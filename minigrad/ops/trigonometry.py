"""Sine, cosine, tangent, their hyperbolic kin, and the inverses of all of them.

Where a slope is infinite, it is: that of asin and acos at -1 and 1.
"""

from minigrad.backend import array_module
from minigrad.graph import OUT, Op
from minigrad.ops.activation import array_of
from minigrad.ops.broadcast import BROADCAST, function, unbroadcast
from minigrad.ops.elementwise import sqrt
from minigrad.ops.select import where


class Sin(Op):
    """y = sin x"""
    keep = (0,)

    def forward(self, x):
        return array_module(x).sin(x)

    def backward(self, g, x):
        return g * cos(x),


class Cos(Op):
    """y = cos x"""
    keep = (0,)

    def forward(self, x):
        return array_module(x).cos(x)

    def backward(self, g, x):
        return -g * sin(x),


class Tan(Op):
    """y = tan x"""
    keep = (OUT,)

    def forward(self, x):
        return array_module(x).tan(x)

    def backward(self, g, y):
        return g * (1 + y * y),


class Asin(Op):
    """y = asin x"""
    keep = (0,)

    def forward(self, x):
        return array_module(x).arcsin(x)

    def backward(self, g, x):
        return g / sqrt(1 - x * x),


class Acos(Op):
    """y = acos x"""
    keep = (0,)

    def forward(self, x):
        return array_module(x).arccos(x)

    def backward(self, g, x):
        return -g / sqrt(1 - x * x),


class Atan(Op):
    """y = atan x"""
    keep = (0,)

    def forward(self, x):
        return array_module(x).arctan(x)

    def backward(self, g, x):
        return g / (1 + x * x),


class Sinh(Op):
    """y = sinh x"""
    keep = (0,)

    def forward(self, x):
        return array_module(x).sinh(x)

    def backward(self, g, x):
        return g * cosh(x),


class Cosh(Op):
    """y = cosh x"""
    keep = (0,)

    def forward(self, x):
        return array_module(x).cosh(x)

    def backward(self, g, x):
        return g * sinh(x),


class Asinh(Op):
    """y = asinh x"""
    keep = (0,)

    def forward(self, x):
        return array_module(x).arcsinh(x)

    def backward(self, g, x):
        return g / sqrt(x * x + 1),


class Acosh(Op):
    """y = acosh x"""
    keep = (0,)

    def forward(self, x):
        return array_module(x).arccosh(x)

    def backward(self, g, x):
        return g / sqrt(x * x - 1),


class Atanh(Op):
    """y = atanh x"""
    keep = (0,)

    def forward(self, x):
        return array_module(x).arctanh(x)

    def backward(self, g, x):
        return g / (1 - x * x),


class Atan2(Op):
    """z = the angle of the point (y, x), written atan2(x, y) with the ordinate first; its slope at the origin is 0"""
    keep = (0, 1)
    fix = BROADCAST

    def forward(self, x, y):
        return array_module(x if hasattr(x, "shape") else y).arctan2(x, y)

    def backward(self, g, x, y):
        square = x * x + y * y
        square = where(array_of(square) == 0, float("inf"), square)
        return (unbroadcast(g * (y / square), x.shape) if self.needs[0] else None,
                unbroadcast(-g * (x / square), y.shape) if self.needs[1] else None)


sin, cos, tan, asin, acos, atan = map(function, (Sin, Cos, Tan, Asin, Acos, Atan))
sinh, cosh, asinh, acosh, atanh, atan2 = map(function, (Sinh, Cosh, Asinh, Acosh, Atanh, Atan2))
