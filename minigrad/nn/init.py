"""Initialisation, in place: how the parameters of a network begin.

fan_in is the number of inputs of one output, fan_out the other way round; convolutions count their window.
"""

import functools
import math
import warnings

import numpy

from minigrad import create, random
from minigrad.absent import names_of
from minigrad.backend import array_module
from minigrad.backend.device import move
from minigrad.modes import no_grad

__getattr__ = names_of(__name__)

GAINS = {"linear": 1.0, "conv1d": 1.0, "conv2d": 1.0, "conv_transpose1d": 1.0, "conv_transpose2d": 1.0, "sigmoid": 1.0,
         "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75}


def calculate_gain(nonlinearity, param=None):
    """The factor by which weights must grow so that a nonlinearity keeps the variance.

    >>> round(calculate_gain("leaky_relu", 0.2), 4)
    1.3868
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in GAINS:
        raise ValueError(f"calculate_gain: unknown nonlinearity {nonlinearity!r}; use leaky_relu or one of "
                         f"{sorted(GAINS)}")
    return GAINS[nonlinearity]


def fans(tensor):
    """(fan_in, fan_out) of a weight (out, in, *window), each at least 1."""
    if tensor.dim() < 2:
        raise ValueError(f"init: a weight of shape {tensor.shape} has no fan in and out; give it two axes or more")
    window = math.prod(tensor.shape[2:])
    return max(tensor.shape[1] * window, 1), max(tensor.shape[0] * window, 1)


@no_grad()
def uniform_(tensor, a=0.0, b=1.0, generator=None):
    """Uniform draws between a and b; here and below, of the Generator `generator` instead of the global one."""
    return tensor.uniform_(a, b, generator=generator)


@no_grad()
def normal_(tensor, mean=0.0, std=1.0, generator=None):
    """Normal draws of the given mean and standard deviation."""
    return tensor.normal_(mean, std, generator=generator)


@no_grad()
def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None):
    """Normal draws of the given mean and standard deviation, of which only those between a and b are taken.

    Uniform draws are kept with the probability that their density asks for, relative to the largest between a and b,
    and beyond ten standard deviations from that place there are none.
    """
    if not a <= b or not std > 0:
        raise ValueError(f"trunc_normal_: std is {std}, a is {a}, b is {b}; use a positive std, and a at most b")
    peak = min(max(mean, a), b)
    low, high = max(a, peak - 10 * std), min(b, peak + 10 * std)
    values = numpy.empty(tensor.numel())
    xp, left = array_module(tensor.array), numpy.arange(tensor.numel())
    while left.size:
        x, u = (move(random.draw(xp, "random", left.shape, numpy.dtype("float64"), generator), "cpu") for _ in range(2))
        x = low + (high - low) * x
        kept = numpy.log1p(-u) <= ((peak - mean) ** 2 - (x - mean) ** 2) / (2 * std * std)
        values[left[kept]] = x[kept]
        left = left[~kept]
    return tensor.copy_(move(values.reshape(tensor.shape), tensor.device))


@no_grad()
def constant_(tensor, val):
    """One value everywhere."""
    return tensor.fill_(val)


def zeros_(tensor):
    """Zeros."""
    return constant_(tensor, 0.0)


def ones_(tensor):
    """Ones."""
    return constant_(tensor, 1.0)


@no_grad()
def eye_(tensor):
    """The identity, of a matrix of any shape."""
    if tensor.dim() != 2:
        raise ValueError(f"eye_: the tensor has shape {tensor.shape}; give it two axes")
    return tensor.copy_(create.eye(*tensor.shape, dtype=tensor.dtype, device=tensor.device))


@no_grad()
def dirac_(tensor, groups=1):
    """A convolution (out, in, *window) that passes its channels on as they are, as many as there are, a group each."""
    if tensor.dim() not in (3, 4, 5) or tensor.shape[0] % groups:
        raise ValueError(f"dirac_: the tensor has shape {tensor.shape}, for {groups} groups; give it three to five "
                         "axes, the first divisible by groups")
    tensor.zero_()
    each, middle = tensor.shape[0] // groups, tuple(n // 2 for n in tensor.shape[2:])
    for group in range(groups):
        for channel in range(min(each, tensor.shape[1])):
            tensor[(group * each + channel, channel, *middle)] = 1.0
    return tensor


def xavier_uniform_(tensor, gain=1.0, generator=None):
    """Uniform with variance gain**2 * 2 / (fan_in + fan_out) (Glorot & Bengio 2010)."""
    bound = gain * math.sqrt(6 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor, gain=1.0, generator=None):
    """Normal with variance gain**2 * 2 / (fan_in + fan_out) (Glorot & Bengio 2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(fans(tensor))), generator)


def _kaiming_std(tensor, a, mode, nonlinearity):
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"init: mode is {mode!r}; use 'fan_in' or 'fan_out'")
    return calculate_gain(nonlinearity, a) / math.sqrt(fans(tensor)[mode == "fan_out"])


def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Uniform with variance gain**2 / fan (He et al. 2015); `a` is the slope of the leaky ReLU that follows."""
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Normal with variance gain**2 / fan (He et al. 2015); `a` is the slope of the leaky ReLU that follows."""
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


@no_grad()
def orthogonal_(tensor, gain=1.0, generator=None):
    """Orthonormal rows, or columns where there are fewer, times gain; axes but the first are one (Saxe et al. 2014)."""
    if tensor.dim() < 2:
        raise ValueError(f"orthogonal_: the tensor has shape {tensor.shape}; give it two axes or more")
    if not tensor.numel():
        return tensor
    rows, columns = tensor.shape[0], tensor.numel() // tensor.shape[0]
    xp = array_module(tensor.array)
    drawn = random.draw(xp, "standard_normal", (max(rows, columns), min(rows, columns)), numpy.dtype("float64"),
                        generator)
    q, r = xp.linalg.qr(drawn)
    q = q * xp.sign(xp.diagonal(r))  # the decomposition's own choice of signs would not be uniform
    q = q if rows >= columns else q.T
    return tensor.copy_(gain * q.reshape(tensor.shape))


@no_grad()
def sparse_(tensor, sparsity, std=0.01, generator=None):
    """Normal draws, of which in each column the share `sparsity` is 0 (Martens 2010)."""
    if tensor.dim() != 2:
        raise ValueError(f"sparse_: the tensor has shape {tensor.shape}; give it two axes")
    rows, columns = tensor.shape
    zeros, xp = math.ceil(sparsity * rows), array_module(tensor.array)
    tensor.normal_(0.0, std, generator=generator)
    for column in range(columns):
        tensor[random.permutation(xp, rows, generator)[:zeros], column] = 0.0
    return tensor


def _old(function):
    """The function under the name that it had before PyTorch 0.4, without the underscore."""
    name = function.__name__

    @functools.wraps(function)
    def apply(*arguments, **options):
        warnings.warn(f"nn.init.{name[:-1]} is now called nn.init.{name}", FutureWarning, stacklevel=2)
        return function(*arguments, **options)

    apply.__name__ = name[:-1]
    return apply


uniform, normal, constant, eye, dirac = map(_old, (uniform_, normal_, constant_, eye_, dirac_))
xavier_uniform, xavier_normal, kaiming_uniform = map(_old, (xavier_uniform_, xavier_normal_, kaiming_uniform_))
kaiming_normal, orthogonal, sparse = map(_old, (kaiming_normal_, orthogonal_, sparse_))


def torch_default_(weight, bias=None):
    """What Linear and the convolutions begin with: weight and bias uniform in +-1/sqrt(fan_in), PyTorch's choice."""
    kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is not None:
        bound = 1 / math.sqrt(fans(weight)[0]) if weight.numel() else 0.0
        uniform_(bias, -bound, bound)
