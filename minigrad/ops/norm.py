"""Normalisation: y = (x - mean x) / sqrt(var x + eps) * weight + bias, the statistics taken over some of the axes.

Ioffe & Szegedy 2015 (over the batch), Ba, Kiros & Hinton 2016 (the layer), Ulyanov, Vedaldi & Lempitsky 2016 (each
channel of a sample), Wu & He 2018 (groups of channels). The backward pass is written in terms of x, so that the second
derivative is right: the statistics depend on x as well.
"""

from minigrad.backend import array_module
from minigrad.graph import Handle, Op
from minigrad.ops.broadcast import unbroadcast
from minigrad.ops.elementwise import sqrt
from minigrad.ops.reduce import mean


class Normalize(Op):
    """y = (x - m) / sqrt(v + eps) * w + b with the mean m and the (biased) variance v of x over `axes`.

    w and b are viewed in `shape`, which broadcasts against x. `mean` and `var` are there after the forward pass.
    """
    keep = (0, 1)
    fix = "the weight and the bias must have the size of the normalised features"

    def __init__(self, axes, shape, eps):
        self.axes, self.shape, self.eps = axes, shape, eps

    def forward(self, x, w=None, b=None):
        xp = array_module(x)
        count = 1
        for axis in self.axes:
            count *= x.shape[axis]
        self.mean = x.sum(self.axes, keepdims=True) * (1.0 / count)
        y = x - self.mean
        self.var = xp.square(y).sum(self.axes, keepdims=True) * (1.0 / count)
        self.scale = 1.0 / xp.sqrt(self.var + self.eps)
        y *= self.scale
        if w is None:
            self.keep = (0,)
        else:
            y *= w.reshape(self.shape)
        if b is not None:
            y += b.reshape(self.shape)
        return y

    def backward(self, g, x, w=None):
        # The statistics found forward serve while plain arrays flow; for a second derivative they are functions of x.
        if isinstance(x, Handle):
            centred = x - mean(x, self.axes, True)
            scale = 1.0 / sqrt(mean(centred * centred, self.axes, True) + self.eps)
        else:
            centred, scale = x - self.mean, self.scale
        hat = centred * scale
        gx = gw = gb = None
        if w is None:
            gy = g
        else:
            gy = g * w.reshape(self.shape)
            gw = unbroadcast(g * hat, self.shape).reshape(w.shape)
            gb = unbroadcast(g, self.shape).reshape(w.shape)
        if len(self.parents) == 1 or self.needs[0]:
            gx = scale * (gy - mean(gy, self.axes, True) - hat * mean(gy * hat, self.axes, True))
        return (gx, gw, gb)[:len(self.parents)]


def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Normalise over the last axes, whose sizes are `normalized_shape`; weight and bias have that shape.

    >>> from minigrad import tensor
    >>> layer_norm(tensor([[1., 3.]]), (2,), eps=0.)
    tensor([[-1.,  1.]])
    """
    n = len(normalized_shape)
    if not n or tuple(x.shape[-n:]) != tuple(normalized_shape):
        raise ValueError(f"layer_norm: the input has shape {tuple(x.shape)}, its last axes must be "
                         f"{tuple(normalized_shape)}; give normalized_shape the input's last sizes")
    axes = tuple(range(len(x.shape) - n, len(x.shape)))
    return normalized(Normalize(axes, tuple(normalized_shape), eps), x, weight, bias)


def normalized(op, x, weight, bias):
    """A Normalize applied to x and those of weight and bias that are there."""
    if weight is not None:
        return op(x, weight) if bias is None else op(x, weight, bias)
    return op(x) if bias is None else op(x) + bias.reshape(op.shape)


def batch_norm(x, running_mean=None, running_var=None, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    """Normalise each channel (axis 1) over the batch and all other axes, or, not training, by the running statistics.

    In training the running statistics, where given, move by `momentum` towards the batch's mean and unbiased variance.
    """
    if len(x.shape) < 2:
        raise ValueError(f"batch_norm: the input has shape {tuple(x.shape)}; give it a batch axis and a channel axis")
    shape = (1, x.shape[1]) + (1,) * (len(x.shape) - 2)
    if not training and running_mean is not None:
        scale = 1.0 / sqrt(running_var.detach() + eps)
        if weight is not None:
            scale = scale * weight
        y = (x - running_mean.detach().reshape(shape)) * scale.reshape(shape)
        return y if bias is None else y + bias.reshape(shape)
    count = 1
    for n in x.shape[:1] + x.shape[2:]:
        count *= n
    if count < 2:
        raise ValueError(f"batch_norm: the input has shape {tuple(x.shape)}, one value a channel, which has no "
                         "variance; train with batches of two or more, or call eval()")
    op = Normalize((0, *range(2, len(x.shape))), shape, eps)
    y = normalized(op, x, weight, bias)
    if running_mean is not None:
        running_mean.lerp_(op.mean.reshape(-1), momentum)
        running_var.lerp_(op.var.reshape(-1) * (count / (count - 1)), momentum)
    return y


def instance_norm(x, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True,
                  momentum=0.1, eps=1e-5):
    """Normalise each channel of each sample of x (N, C, ...) by itself; without use_input_stats, as batch_norm does.

    The running statistics, where given, move by `momentum` towards the means over the batch.
    """
    if not use_input_stats:
        return batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    count = 1
    for n in x.shape[2:]:
        count *= n
    if len(x.shape) < 3 or count < 2:
        raise ValueError(f"instance_norm: the input has shape {tuple(x.shape)}; give (N, C, ...) with more than one "
                         "value a channel")
    op = Normalize(tuple(range(2, len(x.shape))), (1, x.shape[1]) + (1,) * (len(x.shape) - 2), eps)
    y = normalized(op, x, weight, bias)
    if running_mean is not None:
        running_mean.lerp_(op.mean.mean(0).reshape(-1), momentum)
        running_var.lerp_(op.var.mean(0).reshape(-1) * (count / (count - 1)), momentum)
    return y


def group_norm(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Normalise x (N, C, ...) over groups of C / num_groups neighbouring channels and all axes behind them.

    >>> from minigrad import tensor
    >>> group_norm(tensor([[1., 3., 5., 9.]]), 2, eps=0.)
    tensor([[-1.,  1., -1.,  1.]])
    """
    if len(x.shape) < 2 or num_groups < 1 or x.shape[1] % num_groups:
        raise ValueError(f"group_norm: the input has shape {tuple(x.shape)}, to be divided into {num_groups} groups; "
                         "the groups must divide the channels (axis 1)")
    n, c, *sizes = x.shape
    op = Normalize(tuple(range(2, len(sizes) + 3)), (1, num_groups, c // num_groups) + (1,) * len(sizes), eps)
    return normalized(op, x.reshape(n, num_groups, c // num_groups, *sizes), weight, bias).reshape(x.shape)
