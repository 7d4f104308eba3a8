"""More nonlinearities, most of them made of others: pieces of straight lines, and products with a gate.

Slopes at kinks are PyTorch's; so are the values at infinity.
"""

from minigrad.backend import array_module
from minigrad.graph import Op
from minigrad.ops.activation import Elu, sigmoid, softplus, tanh
from minigrad.ops.elementwise import abs, neg
from minigrad.ops.select import clamp, where
from minigrad.ops.shape import axes_of, chunk

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805  # of Klambauer et al. 2017, "Self-normalizing networks"


class Hardtanh(Op):
    """y = min(max(x, low), high), with slope 0 at both ends"""

    def __init__(self, low=-1.0, high=1.0):
        if not low <= high:
            raise ValueError(f"hardtanh: min_val is {low}, max_val {high}; give them in this order")
        self.low, self.high = low, high

    def forward(self, x):
        self.inside = ((x > self.low) & (x < self.high)) | (x != x)  # NaN stays NaN, and passes
        low, high = (self.low, self.high) if x.dtype.kind == "f" else (int(self.low), int(self.high))
        return array_module(x).clip(x, low, high)

    def backward(self, g):
        return g * self.inside,


def hardtanh(x, min_val=-1.0, max_val=1.0, inplace=False):
    """x held between two numbers; unlike `clamp`, with slope 0 at both. `inplace`, here and below, has no effect."""
    return Hardtanh(min_val, max_val)(x)


def relu6(x, inplace=False):
    """x held between 0 and 6."""
    return Hardtanh(0.0, 6.0)(x)


def hardsigmoid(x, inplace=False):
    """0 below -3, 1 above 3, a straight line between."""
    return Hardtanh(0.0, 6.0)(x + 3.0) * (1 / 6)


def hardswish(x, inplace=False):
    """x * hardsigmoid(x) (Howard et al. 2019)."""
    return x * hardsigmoid(x)


def threshold(x, threshold, value, inplace=False):
    """x where it is above the threshold, else the value, which integers cut off."""
    return where(x <= threshold, value if x.dtype.kind == "f" else x.dtype.type(int(value)), x)


def hardshrink(x, lambd=0.5):
    """x, but 0 from -lambd to lambd."""
    return where(abs(x) <= lambd, 0.0, x)


def softshrink(x, lambd=0.5):
    """x moved towards 0 by lambd, and 0 from -lambd to lambd."""
    if lambd < 0:
        raise ValueError(f"softshrink: lambd is {lambd}; use 0 or more")
    return x - clamp(x, -lambd, lambd)


def tanhshrink(x):
    """x - tanh x"""
    return x - tanh(x)


def softsign(x):
    """x / (1 + |x|)"""
    return x / (abs(x) + 1.0)


def logsigmoid(x):
    """ln sigmoid(x), for x of any size.

    >>> from minigrad import tensor
    >>> logsigmoid(tensor([-1000., 0., 1000.]))
    tensor([-1.0000e+03, -6.9315e-01, -0.0000e+00])
    """
    return neg(softplus(neg(x), threshold=float("inf")))


def mish(x, inplace=False):
    """x * tanh(ln(1 + e**x)) (Misra 2020)."""
    return x * tanh(softplus(x, threshold=float("inf")))


def selu(x, inplace=False):
    """1.0507 * x where it is positive, else 1.7581 * (e**x - 1): keeps a mean of 0 and a variance of 1."""
    return Elu(SELU_ALPHA, SELU_SCALE)(x)


def celu(x, alpha=1.0, inplace=False):
    """x where it is positive, else alpha * (e**(x / alpha) - 1): smooth for any alpha (Barron 2017)."""
    if not alpha:
        raise ValueError("celu: alpha is 0; use another number")
    return Elu(alpha, 1.0, 1.0 / alpha)(x)


def prelu(x, weight):
    """x where it is positive, else weight * x; weight (1,), or (C,) along axis 1 of x (He et al. 2015)."""
    size, ndim = weight.shape, len(x.shape)
    channels = x.shape[1] if ndim > 1 else 1
    if len(size) > 1 or size not in ((), (1,), (channels,)):
        raise ValueError(f"prelu: the weight has shape {tuple(size)} for an input of shape {tuple(x.shape)}; give one "
                         f"slope, or one for each of the {channels} channels")
    slopes = weight.reshape((1, -1) + (1,) * (ndim - 2)) if ndim > 1 else weight.reshape((1,) * ndim)
    return where(x > 0, x, slopes * x)


def glu(x, dim=-1):
    """The first half of x along an axis, times the sigmoid of the second (Dauphin et al. 2017)."""
    axis, = axes_of(dim, len(x.shape), "glu") or (None,)
    if axis is None or x.shape[axis] % 2:
        raise ValueError(f"glu: the input has shape {tuple(x.shape)}, to be halved along axis {dim}; give it an even "
                         "size there")
    first, second = chunk(x, 2, axis)
    return first * sigmoid(second)
