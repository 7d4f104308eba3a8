"""The nonlinearities of networks. All are free of overflow: large inputs of either sign give finite values.

Slopes at kinks are PyTorch's: relu' and leaky_relu' at 0 are those of the negative side.
"""

from math import pi, sqrt

from minigrad.backend import array_module, as_array, backend_of, floating
from minigrad.backend import compiled as loops
from minigrad.graph import OUT, Handle, Op
from minigrad.ops.checks import floating_only
from minigrad.ops.elementwise import exp
from minigrad.ops.select import clamp, where

SHORT = 1 << 12  # values: of fewer, what counts is how many calls there are


class Tanh(Op):
    """y = tanh x"""
    keep = (OUT,)

    def forward(self, x):
        return array_module(x).tanh(x)

    def backward(self, g, y):
        return g * (1 - y * y),


class Sigmoid(Op):
    """y = 1 / (1 + e**-x)"""
    keep = (OUT,)

    def forward(self, x):
        if x.dtype.kind in "biu":
            x = floating(x)
        xp, y = array_module(x), as_array(-x)
        xp.exp(y, y)  # e**-x = inf gives the right 0
        y += backend_of(y).number(1, y.dtype)
        return xp.reciprocal(y, y)

    def backward(self, g, y):
        return g * (y - y * y),


class Relu(Op):
    """y = max(x, 0)"""

    def forward(self, x):
        self.positive = x > 0
        return array_module(x).maximum(x, 0)

    def backward(self, g):
        return g * self.positive,


class LeakyRelu(Op):
    """y = x if x > 0, else slope * x"""

    def __init__(self, slope=0.01):
        self.slope = float(slope)
        self.keep = (OUT,) if 0 < slope <= 1 else ()  # y has the sign of x then, and is the larger of x and slope * x

    def forward(self, x):
        xp = array_module(x)
        if not self.keep:
            self.factor = xp.where(x > 0, 1, self.slope).astype(x.dtype) if self.slope else slopes(x, 0)
            return x * self.factor
        y, backend = xp.empty_like(x), backend_of(x)
        slope = backend.number(self.slope, y.dtype)
        if y.size <= SHORT:
            return xp.maximum(x, xp.multiply(x, slope, out=y), out=y)
        loop = backend.shared_loop(loops.leaky, x)

        def part(y, x):
            xp.multiply(x, slope, out=y)
            xp.maximum(x, y, out=y)

        backend.for_pieces(part, 2, y, x, loop=loop, numbers=(x.dtype.type(self.slope),))
        return y

    def backward(self, g, y=None):
        if not self.keep:
            return g * self.factor,
        if isinstance(g, Handle) or g.size <= SHORT:
            return g * slopes(array_of(y), self.slope),
        xp, backend = array_module(g), backend_of(g)
        out, loop = xp.empty_like(g), backend.shared_loop(loops.leaky_slope, g) if g.dtype == y.dtype else None

        def part(out, g, y):
            xp.multiply(g, slopes(y, self.slope), out=out)

        backend.for_pieces(part, 4, out, g, y, loop=loop, numbers=(g.dtype.type(self.slope),))
        return out,


def slopes(y, slope):
    """The derivative of max(x, slope * x), told from its value y; `where` would mispredict a branch an element."""
    number, xp = backend_of(y).number, array_module(y)
    one = (y > number(0, y.dtype)).astype(y.dtype)
    if one.size <= SHORT:
        return xp.maximum(one, number(slope, y.dtype))
    return one.clip(slope, 1, one if one.ndim else None)  # maximum() with a number takes three times as long


class Elu(Op):
    """y = scale * (x if x > 0, else alpha * (e**(rate x) - 1))"""
    keep = (0,)

    def __init__(self, alpha=1.0, scale=1.0, rate=1.0):
        self.alpha, self.scale, self.rate = alpha, scale, rate

    def forward(self, x):
        xp = array_module(x)
        return self.scale * xp.where(x > 0, x, self.alpha * xp.expm1(xp.minimum(x, 0) * self.rate))

    def backward(self, g, x):  # from x: told from y, the slope would lose its digits where it is small
        values = array_of(x)
        slope = self.scale * self.alpha * self.rate * exp(where(values < 0, x, 0.0) * self.rate)
        return g * where(values <= 0, slope, self.scale),  # which passes g on where x is NaN, as PyTorch does


class Gelu(Op):
    """y = x * Phi(x), Phi the normal distribution function (Hendrycks & Gimpel 2016)"""
    keep = (0,)

    def forward(self, x):
        return x * backend_of(x).ndtr(x)

    def backward(self, g, x):
        return g * (ndtr(x) + x * exp(-0.5 * x * x) * (1 / sqrt(2 * pi))),


class GeluTanh(Op):
    """y = x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 x**3))), the approximation of GELU

    (1 + tanh z) / 2 is sigmoid(2 z), which keeps its digits where tanh z is close to -1.
    """
    keep = (0,)

    def forward(self, x):
        return x * sigmoid(sqrt(8 / pi) * (x + 0.044715 * x * x * x))

    def backward(self, g, x):
        x = clamp(x, -10.0, 10.0)  # beyond, sigmoid is 0 or 1 in every dtype, and x * 0 * x**2 would be NaN at last
        z = sqrt(8 / pi) * (x + 0.044715 * x * x * x)
        s, inner = sigmoid(z), sqrt(8 / pi) * (1 + 3 * 0.044715 * x * x)
        return g * (s + x * s * sigmoid(-z) * inner),  # sigmoid(-z) is 1 - s, with its digits


class Silu(Op):
    """y = x * sigmoid(x)"""
    keep = (0,)

    def forward(self, x):
        return x * sigmoid(x)

    def backward(self, g, x):
        s = sigmoid(x)
        return g * (s + x * s * (1 - s)),


class Softplus(Op):
    """y = ln(1 + e**(beta x)) / beta, taken as x where beta x is above the threshold"""
    keep = (0,)

    def __init__(self, beta=1.0, threshold=20.0):
        self.beta, self.threshold = beta, threshold

    def forward(self, x):
        xp = array_module(x)
        z = self.beta * x
        self.linear = z > self.threshold
        soft = (xp.maximum(z, 0) + xp.log1p(xp.exp(-xp.abs(z)))) / self.beta
        return xp.where(self.linear, x, soft)

    def backward(self, g, x):
        return g * where(self.linear, 1.0, sigmoid(self.beta * x)),


class Ndtr(Op):
    """y = (1 + erf(x / sqrt 2)) / 2, the normal distribution function"""
    keep = (0,)

    def forward(self, x):
        return backend_of(x).ndtr(floating(x))

    def backward(self, g, x):
        return g * exp(-0.5 * x * x) * (1 / sqrt(2 * pi)),


class Erf(Op):
    """y = 2/sqrt(pi) * the integral of e**(-t**2) from 0 to x"""
    keep = (0,)

    def forward(self, x):
        return backend_of(x).erf(floating(x))

    def backward(self, g, x):
        return g * exp(-x * x) * (2 / sqrt(pi)),


def array_of(x):
    """The array of a Tensor, or the array itself: for masks, through which no gradient goes."""
    return getattr(x, "array", x)


def tanh(input):
    """The hyperbolic tangent."""
    return Tanh()(input)


def sigmoid(input):
    """1 / (1 + e**-x), for any finite x without overflow.

    >>> from minigrad import tensor
    >>> sigmoid(tensor([-1e4, 0., 1e4]))
    tensor([0. , 0.5, 1. ])
    """
    return Sigmoid()(input)


def relu(input):
    """max(x, 0), with slope 0 at 0."""
    return Relu()(input)


def leaky_relu(input, negative_slope=0.01):
    """x where it is positive, else negative_slope * x."""
    return LeakyRelu(negative_slope)(input)


def elu(input, alpha=1.0, inplace=False):
    """x where it is positive, else alpha * (e**x - 1)."""
    floating_only("elu", input)
    return Elu(alpha)(input)


def gelu(input, approximate="none"):
    """x * Phi(x); `approximate="tanh"` takes the tanh form."""
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate is {approximate!r}; use 'none' or 'tanh'")
    floating_only("gelu", input)
    return (Gelu if approximate == "none" else GeluTanh)()(input)


def silu(input, inplace=False):
    """x * sigmoid(x), also called swish."""
    floating_only("silu", input)
    return Silu()(input)


def softplus(input, beta=1.0, threshold=20.0):
    """ln(1 + e**(beta x)) / beta; x itself where beta x > threshold."""
    floating_only("softplus", input)
    return Softplus(beta, threshold)(input)


def erf(input):
    """The error function."""
    return Erf()(input)


def ndtr(input):
    """The normal distribution function, the probability of a value of N(0, 1) below x."""
    return Ndtr()(input)
