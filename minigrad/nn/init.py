"""Initialisation, in place: how the parameters of a network begin.

fan_in is the number of inputs of one output, fan_out the other way round; convolutions count their window.
"""

import math

from minigrad.modes import no_grad

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
    """(fan_in, fan_out) of a weight (out, in, *window)."""
    if tensor.dim() < 2:
        raise ValueError(f"init: a weight of shape {tensor.shape} has no fan in and out; give it two axes or more")
    window = math.prod(tensor.shape[2:])
    return tensor.shape[1] * window, tensor.shape[0] * window


@no_grad()
def uniform_(tensor, a=0.0, b=1.0):
    """Uniform draws between a and b."""
    return tensor.uniform_(a, b)


@no_grad()
def normal_(tensor, mean=0.0, std=1.0):
    """Normal draws of the given mean and standard deviation."""
    return tensor.normal_(mean, std)


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


def xavier_uniform_(tensor, gain=1.0):
    """Uniform with variance gain**2 * 2 / (fan_in + fan_out) (Glorot & Bengio 2010)."""
    bound = gain * math.sqrt(6 / sum(fans(tensor)))
    return uniform_(tensor, -bound, bound)


def xavier_normal_(tensor, gain=1.0):
    """Normal with variance gain**2 * 2 / (fan_in + fan_out) (Glorot & Bengio 2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(fans(tensor))))


def _kaiming_std(tensor, a, mode, nonlinearity):
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"init: mode is {mode!r}; use 'fan_in' or 'fan_out'")
    return calculate_gain(nonlinearity, a) / math.sqrt(fans(tensor)[mode == "fan_out"])


def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    """Uniform with variance gain**2 / fan (He et al. 2015); `a` is the slope of the leaky ReLU that follows."""
    bound = math.sqrt(3) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound)


def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu"):
    """Normal with variance gain**2 / fan (He et al. 2015); `a` is the slope of the leaky ReLU that follows."""
    return normal_(tensor, 0.0, _kaiming_std(tensor, a, mode, nonlinearity))


def torch_default_(weight, bias=None):
    """What Linear and the convolutions begin with: weight and bias uniform in +-1/sqrt(fan_in), PyTorch's choice."""
    kaiming_uniform_(weight, a=math.sqrt(5))
    if bias is not None:
        bound = 1 / math.sqrt(max(fans(weight)[0], 1))
        uniform_(bias, -bound, bound)
