"""The less common elementary functions, each with its derivative beside it, and arithmetic with PyTorch's options."""

import math

import numpy

from minigrad.backend import array_module, defaults
from minigrad.convert import Clone, cast
from minigrad.graph import OUT, Op
from minigrad.ops.activation import array_of, ndtr, sigmoid
from minigrad.ops.broadcast import BROADCAST, function, unbroadcast
from minigrad.ops.checks import floating_only
from minigrad.ops.compare import either, isnan, plain
from minigrad.ops.elementwise import Add, Div, Sub, log, log1p
from minigrad.ops.half import in_single
from minigrad.ops.rounding import floor_divide, module_of_pair, trunc
from minigrad.ops.select import clamp, where


class Hypot(Op):
    """z = sqrt(x**2 + y**2), without overflow; its gradient at (0, 0) is 0"""
    keep = (0, 1, OUT)
    fix = BROADCAST

    def forward(self, x, y):
        return either(x, y).hypot(x, y)

    def backward(self, g, x, y, z):
        z = where(z == 0, float("inf"), z)
        return (unbroadcast(g * (x / z), x.shape) if self.needs[0] else None,
                unbroadcast(g * (y / z), y.shape) if self.needs[1] else None)


class LogAddExp(Op):
    """z = ln(e**x + e**y), without overflow"""
    keep = (0, 1)
    fix = BROADCAST

    def forward(self, x, y):
        return either(x, y).logaddexp(x, y)

    def backward(self, g, x, y):
        share = sigmoid(x - y)
        return (unbroadcast(g * share, x.shape) if self.needs[0] else None,
                unbroadcast(g * (1 - share), y.shape) if self.needs[1] else None)


class Log2(Op):
    """y = the logarithm of x to base 2"""
    keep = (0,)

    def forward(self, x):
        return array_module(x).log2(x)

    def backward(self, g, x):
        return g / (x * math.log(2)),


class Log10(Op):
    """y = the logarithm of x to base 10"""
    keep = (0,)

    def forward(self, x):
        return array_module(x).log10(x)

    def backward(self, g, x):
        return g / (x * math.log(10)),


class Exp2(Op):
    """y = 2**x"""
    keep = (OUT,)

    def forward(self, x):
        return array_module(x).exp2(x)

    def backward(self, g, y):
        return g * (y * math.log(2)),


class Expm1(Op):
    """y = e**x - 1, exact near 0"""
    keep = (OUT,)

    def forward(self, x):
        return array_module(x).expm1(x)

    def backward(self, g, y):
        return g * (y + 1),


class Reciprocal(Op):
    """y = 1 / x"""
    keep = (OUT,)

    def forward(self, x):
        return 1.0 / x

    def backward(self, g, y):
        return -g * y * y,


class Rsqrt(Op):
    """y = 1 / sqrt(x)"""
    keep = (OUT,)

    def forward(self, x):
        return 1.0 / array_module(x).sqrt(x)

    def backward(self, g, y):
        return -0.5 * g * y * y * y,


log2, log10, exp2, expm1, reciprocal, rsqrt = map(function, (Log2, Log10, Exp2, Expm1, Reciprocal, Rsqrt))
hypot, logaddexp = map(function, (Hypot, LogAddExp))


def add(input, other, alpha=1):
    """input + alpha * other"""
    return Add()(input, other if alpha == 1 else _times(other, alpha, input))


def sub(input, other, alpha=1):
    """input - alpha * other"""
    return Sub()(input, other if alpha == 1 else _times(other, alpha, input))


def rsub(input, other, alpha=1):
    """other - alpha * input"""
    return Sub()(other, input if alpha == 1 else _times(input, alpha, other))


def _times(x, alpha, beside):
    """alpha * x, where x is of integers in the floating dtype of what it stands beside."""
    floats = getattr(getattr(beside, "dtype", None), "kind", "") == "f"
    return (as_floating(x, beside.dtype) if floats and hasattr(x, "dtype") else x) * alpha


def div(input, other, rounding_mode=None):
    """input / other; rounded down with rounding_mode="floor", towards 0 with "trunc": integers stay integers then.

    >>> from minigrad import tensor
    >>> div(tensor([7, -7]), 2), div(tensor([7, -7]), 2, rounding_mode="trunc")
    (tensor([ 3.5, -3.5]), tensor([ 3, -3]))
    """
    if rounding_mode is None:
        return Div()(input, other)
    if rounding_mode not in ("floor", "trunc"):
        raise ValueError(f"div: rounding_mode is {rounding_mode!r}; use 'floor', 'trunc' or None")
    if rounding_mode == "floor":
        return floor_divide(input, other)
    z = Div()(input, other)
    whole = all(isinstance(v, int) or hasattr(v, "dtype") and v.dtype.kind in "biu" for v in (input, other))
    return _whole_quotient(input, other) if whole else trunc(z)


# x - fmod(x, y) is a multiple of y on the way to 0; the quotient in floating point would not be exact for int64.
_whole_quotient = plain("div", lambda x, y: (x - module_of_pair(x, y).fmod(x, y)) // y, "x / y, cut off towards 0.")


@in_single
def lerp(x, end, weight):
    """x + weight * (end - x): from x at weight 0 to end at 1. The weight is a number or a tensor."""
    floating_only("lerp", x, end)
    step = end - x
    if not hasattr(weight, "shape"):  # from the nearer end, so that both are exact
        return x + weight * step if -0.5 < weight < 0.5 else end - (1 - weight) * step
    return where((weight < 0.5) & (weight > -0.5), x + weight * step, end - (1 - weight) * step)


@in_single
def addcmul(x, tensor1, tensor2, value=1):
    """x + value * tensor1 * tensor2"""
    return x + (tensor1 * tensor2 if value == 1 else tensor1 * tensor2 * value)


@in_single
def addcdiv(x, tensor1, tensor2, value=1):
    """x + value * tensor1 / tensor2, one of which is floating"""
    if "f" not in (tensor1.dtype.kind, tensor2.dtype.kind):
        floating_only("addcdiv", tensor1)
    return x + (tensor1 / tensor2 if value == 1 else tensor1 / tensor2 * value)


def nan_to_num(x, nan=0.0, posinf=None, neginf=None):
    """x with `nan` for NaN, and for the infinities the dtype's largest and smallest numbers, or those given."""
    if x.dtype.kind != "f":
        return Clone()(x)
    limits = numpy.finfo(x.dtype)
    x = where(isnan(x), nan, x)
    x = where(x == float("inf"), float(limits.max) if posinf is None else posinf, x)
    return where(x == -float("inf"), float(limits.min) if neginf is None else neginf, x)


def logit(x, eps=None):
    """ln(x / (1 - x)), x held between eps and 1 - eps if one is given: the inverse of the sigmoid."""
    x = as_floating(x, defaults.dtype)
    x = x if eps is None else clamp(x, eps, 1 - eps)
    return log(x) - log1p(-x)


def xlogy(x, y):
    """x * ln y; 0 where x is 0, also for y = 0"""
    if not hasattr(y, "shape"):
        if y != y:
            return x * y
        return x * math.log(y) if y > 0 else where(x == 0, 0.0, x * (float("-inf") if y == 0 else float("nan")))
    y = as_floating(y, x.dtype if x.dtype.kind == "f" else defaults.dtype)
    if x.dtype.kind == "f" and x.dtype.itemsize > y.dtype.itemsize:  # before the logarithm loses digits
        y = cast(y, x.dtype)
    values = array_of(y)
    beyond = (array_of(x) == 0) & ~((values > 0) & (values < float("inf")))  # where the product itself would be NaN
    return where(values != values, y, where(beyond, 0.0, x * log(where(beyond, 1.0, y))))


def as_floating(x, dtype):
    """x, integers and bools in a floating dtype."""
    return cast(x, dtype) if x.dtype.kind in "biu" else x


def erfc(x):
    """1 - erf x, with its digits where erf x is close to 1"""
    return 2 * ndtr(x * -math.sqrt(2))


def deg2rad(x):
    """Degrees as radians"""
    return x * (math.pi / 180)


def rad2deg(x):
    """Radians as degrees"""
    return x * (180 / math.pi)


def positive(x):
    """x itself"""
    if x.dtype.kind == "b":
        raise TypeError("positive: the input is bool, which has no sign; call .int() on it first")
    return x
