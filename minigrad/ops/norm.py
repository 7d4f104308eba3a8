"""Normalisation: y = (x - mean x) / sqrt(var x + eps) * weight + bias, the statistics taken over some of the axes.

Ioffe & Szegedy 2015 (over the batch), Ba, Kiros & Hinton 2016 (the layer), Ulyanov, Vedaldi & Lempitsky 2016 (each
channel of a sample), Wu & He 2018 (groups of channels). The backward pass is written in terms of x, so that the second
derivative is right: the statistics depend on x as well. float16 is normalised in float32.
"""

import math

from minigrad.backend import array_module, backend_of
from minigrad.backend import compiled as loops
from minigrad.graph import OUT, Handle, Op
from minigrad.ops.activation import slopes
from minigrad.ops.broadcast import unbroadcast
from minigrad.ops.checks import floating_only
from minigrad.ops.elementwise import sqrt
from minigrad.ops.half import input_in_single
from minigrad.ops.reduce import mean
from minigrad.ops.shape import pad

LINE = 512  # values that NumPy's inner loop should have before it


class Normalize(Op):
    """y = (x - m) / sqrt(v + eps) * w + b with the mean m and the (biased) variance v of x over `axes`.

    w and b are viewed in `shape`, which broadcasts against x. `mean` and `var` are there after the forward pass.
    """
    keep = (0, 1)
    fix = "the weight and the bias must have the size of the normalised features"
    vector = False

    def __init__(self, axes, shape, eps):
        self.axes, self.shape, self.eps = axes, shape, float(eps)

    def forward(self, x, w=None, b=None):
        xp = array_module(x)
        count = 1
        for axis in self.axes:
            count *= x.shape[axis]
        self.share = 1.0 / (count or 1)
        self.vector = x.ndim == len(self.axes) == 1 and count <= backend_of(x).VECTOR
        self.mean = self.average(x)
        y = x - self.mean
        self.rest = self.average(y)  # what rounding the mean left: of values near 1e4 it is the fourth digit of y
        y -= self.rest
        self.var = self.average(y, y)
        self.scale = 1.0 / xp.sqrt(self.var + self.eps)
        y *= self.scale
        if w is None:
            self.keep = (0,)
        else:
            y *= w.reshape(self.shape)
        if b is not None:
            y += b.reshape(self.shape)
        return y

    def average(self, x, y=None):
        """The mean of x, or of x * y, over the axes, which stay with size 1; of a vector, a number."""
        if self.vector and not isinstance(x, Handle):
            return (backend_of(x).vector_sum(x) if y is None else x.dot(y)) * self.share
        x = x if y is None else x * y
        return mean(x, self.axes, True) if isinstance(x, Handle) else x.sum(self.axes, keepdims=True) * self.share

    def backward(self, g, x, w=None):
        # The statistics found forward serve while plain arrays flow; for a second derivative they are functions of x.
        if isinstance(x, Handle):
            centred = x - mean(x, self.axes, True)
            if self.rest is not None:
                centred = centred - mean(centred, self.axes, True)
            scale = 1.0 / sqrt(mean(centred * centred, self.axes, True) + self.eps)
        else:
            centred, scale = x - self.mean, self.scale
            if self.rest is not None:
                centred -= self.rest
        hat = centred * scale
        gx = gw = gb = None
        if w is None:
            gy = g
        elif g.shape == w.shape:
            gy, gw, gb = g * w, g * hat, g
        else:
            gy = g * w.reshape(self.shape)
            gw = unbroadcast(g * hat, self.shape).reshape(w.shape)
            gb = unbroadcast(g, self.shape).reshape(w.shape)
        if len(self.parents) == 1 or self.needs[0]:
            gx = scale * (gy - self.average(gy) - hat * self.average(gy, hat))
        return (gx, gw, gb)[:len(self.parents)]


class BatchNormalize(Normalize):
    """Normalize over all axes but the channels (axis 1), in blocks of pixels that stay in the cache.

    With `slope`, y = max(z, slope * z) of the normalised z: a ReLU (0) or leaky ReLU behind it, in the same pass.
    """

    def __init__(self, ndim, channels, eps, slope=None):
        super().__init__((0, *range(2, ndim)), (1, channels) + (1,) * (ndim - 2), eps)
        self.slope = slope
        if slope is not None:
            self.keep = (0, 1, OUT)

    def spread(self, values, rows):
        """Values (C,) for each pixel of a line."""
        return array_module(values).tile(values, rows.shape[1] // len(values))

    @staticmethod
    def sizes(rows):
        """The lines, as the backend's functions for blocks want them described."""
        length = rows.shape[1]  # of simple operations, larger blocks than the cache's: threads queue up between them
        return len(rows), 1, max(1, length // 2), 2 * length

    def sums(self, rows, loop, part, count, *arrays):
        """`count` sums over the lines, (count, C), by the loop over `arrays`, or as part(slice), without one."""
        backend = backend_of(rows)
        if loop is None:
            totals = backend.sum_blocks(part, *self.sizes(rows), backend.LIGHT)
        else:
            parts, pieces = backend.parts(*self.sizes(rows))
            each = array_module(rows).empty((2 * count, parts, rows.shape[1]), rows.dtype)
            loop(parts, backend.share(parts, 2 * rows.size // parts), parts, pieces, *arrays, each)
            totals = each[:count].sum(1)
        return totals.reshape(count, -1, self.shape[1]).sum(-2)

    def each_line(self, rows, loop, part, *arrays):
        """Call the loop over `arrays`, or part(slice) without one, for all lines."""
        backend = backend_of(rows)
        if loop is None:
            backend.for_blocks(part, *self.sizes(rows))
        else:
            loop(len(rows), backend.share(len(rows), 2 * rows.shape[1]), *arrays)

    def loop(self, function, *arrays):
        """A compiled loop, or None; see the backend's `shared_loop`.

        The arrays have to be of one dtype. The first ones are lines, of more than one value, one after the other: only
        then does NumPy, too, add up line after line.
        """
        first = arrays[0]
        alike = all(array.dtype == first.dtype and (array.ndim == 1 or array.flags.c_contiguous) for array in arrays)
        return backend_of(first).shared_loop(function, first) if alike and first.shape[1] > 1 else None

    def forward(self, x, w, b):
        if not w.shape == b.shape == (x.shape[1],):
            raise ValueError(f"the weight {w.shape} and the bias {b.shape} are not of {x.shape[1]} channels")
        xp, rows = array_module(x), lines(x)
        share = x.shape[1] / x.size
        sums, centre, scale = (self.loop(function, rows, w, b) for function in (loops.sums, loops.centre, loops.scale))
        mean = self.sums(rows, sums, lambda i: rows[i].sum(0), 1, rows)[0] * share
        wide = self.spread(mean, rows)
        y = backend_of(x).channels_last(x.shape, x.dtype)
        out = lines(y)

        def squares(i):
            return xp.square(xp.subtract(rows[i], wide, out=out[i])).sum(0)

        var = self.sums(rows, centre, squares, 1, rows, wide, out)[0] * share
        self.mean, self.var, self.rest = mean.reshape(self.shape), var.reshape(self.shape), None
        self.scale = 1.0 / xp.sqrt(self.var + self.eps)
        factor, shift = self.spread(self.scale.reshape(-1) * w, rows), self.spread(b, rows)

        def part(i):
            z = out[i]
            z *= factor
            z += shift
            if self.slope is not None:
                xp.maximum(z, z * self.slope, out=z)

        self.each_line(out, scale, part, out, factor, shift, x.dtype.type(1 if self.slope is None else self.slope))
        return y

    def backward(self, g, x, w, y=None):
        if isinstance(g, Handle):
            if self.slope is not None:
                g = g * slopes(y.array, self.slope)
            return super().backward(g, x, w)
        xp, scale = array_module(x), self.scale.reshape(-1)
        rows, given = lines(x), lines(g)
        mean = self.spread(self.mean.reshape(-1), rows)
        gx = backend_of(x).channels_last(x.shape, x.dtype)
        out, signs = lines(gx), None if y is None else lines(y)
        each = rows, given, given if signs is None else signs, w
        slope_sums, untilt = (self.loop(function, *each) for function in (loops.slope_sums, loops.untilt))

        def part(i):
            here = given[i] if signs is None else xp.multiply(given[i], slopes(signs[i], self.slope), out=out[i])
            return xp.stack([here.sum(0), ((rows[i] - mean) * here).sum(0)])

        answers, slope = (given, 1) if signs is None else (signs, self.slope)
        gb, gh = self.sums(rows, slope_sums, part, 2, given, answers, rows, mean, x.dtype.type(slope), out)
        if self.needs[0]:
            here = given if signs is None else out
            share = x.shape[1] / x.size
            level, tilt = self.spread(gb * share, rows), self.spread(gh * scale * scale * -share, rows)
            factor = self.spread(scale * w, rows)

            def part(i):
                t = rows[i] - mean
                t *= tilt
                t += here[i]
                t -= level
                xp.multiply(t, factor, out=out[i])

            self.each_line(rows, untilt, part, out, rows, mean, tilt, level, factor)  # slope_sums left g in out
        return gx if self.needs[0] else None, gh * scale, gb


def pixels(x):
    """(N, C, ...) as the matrix (N * ..., C): a view where memory is channels-last."""
    return array_module(x).moveaxis(x, 1, -1).reshape(-1, x.shape[1])


def lines(x):
    """x as a matrix of several pixels a line, channels last: NumPy is slow on lines of 32 or 64 values."""
    count, channels = x.size // x.shape[1], x.shape[1]
    most = max(1, LINE // channels)
    together = math.gcd(count, 1 << most.bit_length() - 1)
    return pixels(x).reshape(count // together, together * channels)


@input_in_single
def layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Normalise over the last axes, whose sizes are `normalized_shape`; weight and bias have that shape.

    >>> from minigrad import tensor
    >>> layer_norm(tensor([[1., 3.]]), (2,), eps=0.)
    tensor([[-1.,  1.]])
    """
    floating_only("layer_norm", x)
    shape, features = tuple(x.shape), tuple(normalized_shape)
    first = len(shape) - len(features)
    if not features or shape[first:] != features or first < 0:
        raise ValueError(f"layer_norm: the input has shape {shape}, its last axes must be {features}; give "
                         "normalized_shape the input's last sizes")
    return normalized(Normalize(tuple(range(first, len(shape))), features, eps), x, weight, bias)


def normalized(op, x, weight, bias):
    """A Normalize applied to x and those of weight and bias that are there."""
    if weight is not None:
        return op(x, weight) if bias is None else op(x, weight, bias)
    return op(x) if bias is None else op(x) + bias.reshape(op.shape)


@input_in_single
def batch_norm(x, running_mean=None, running_var=None, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5,
               activation=None):
    """Normalise each channel (axis 1) over the batch and all other axes, or, not training, by the running statistics.

    In training the running statistics, where given, move by `momentum` towards the batch's mean and unbiased variance.
    `activation`, a Relu or LeakyRelu op, is applied to the result, in the same pass where that can be done.
    """
    floating_only("batch_norm", x)
    if len(x.shape) < 2:
        raise ValueError(f"batch_norm: the input has shape {tuple(x.shape)}; give it a batch axis and a channel axis")
    shape = (1, x.shape[1]) + (1,) * (len(x.shape) - 2)
    if not training and running_mean is not None:
        for name, values in (("weight", weight), ("bias", bias)):
            if values is not None and values.shape != (x.shape[1],):
                raise ValueError(f"batch_norm: the {name} has shape {tuple(values.shape)}, for {x.shape[1]} channels")
        scale = 1.0 / sqrt(running_var.detach() + eps)
        if weight is not None:
            scale = scale * weight
        y = (x - running_mean.detach().reshape(shape)) * scale.reshape(shape)
        y = y if bias is None else y + bias.reshape(shape)
        return y if activation is None else activation(y)
    count = 1
    for n in x.shape[:1] + x.shape[2:]:
        count *= n
    if count < 2 or 0 in x.shape:
        raise ValueError(f"batch_norm: the input has shape {tuple(x.shape)}, too few values for a variance a channel; "
                         "train with batches of two or more, or call eval()")
    array = x.array if isinstance(x, Handle) else x
    xp = array_module(array)
    slope = None if activation is None else getattr(activation, "slope", 0.0)
    fused = slope is not None and 0 <= slope <= 1
    op = BatchNormalize(len(x.shape), x.shape[1], eps, slope if fused else None)
    y = op(x, xp.ones(x.shape[1], x.dtype) if weight is None else weight,
           xp.zeros(x.shape[1], x.dtype) if bias is None else bias)
    if running_mean is not None:
        running_mean.lerp_(op.mean.reshape(-1), momentum)
        running_var.lerp_(op.var.reshape(-1) * (count / (count - 1)), momentum)
    return y if fused or activation is None else activation(y)


@input_in_single
def instance_norm(x, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True,
                  momentum=0.1, eps=1e-5):
    """Normalise each channel of each sample of x (N, C, ...) by itself; without use_input_stats, as batch_norm does.

    The running statistics, where given, move by `momentum` towards the means over the batch.
    """
    floating_only("instance_norm", x)
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
    if running_mean is not None and x.shape[0]:
        running_mean.lerp_(op.mean.mean(0).reshape(-1), momentum)
        running_var.lerp_(op.var.mean(0).reshape(-1) * (count / (count - 1)), momentum)
    return y


@input_in_single
def group_norm(x, num_groups, weight=None, bias=None, eps=1e-5):
    """Normalise x (N, C, ...) over groups of C / num_groups neighbouring channels and all axes behind them.

    >>> from minigrad import tensor
    >>> group_norm(tensor([[1., 3., 5., 9.]]), 2, eps=0.)
    tensor([[-1.,  1., -1.,  1.]])
    """
    floating_only("group_norm", x)
    if len(x.shape) < 2 or num_groups < 1 or x.shape[1] % num_groups:
        raise ValueError(f"group_norm: the input has shape {tuple(x.shape)}, to be divided into {num_groups} groups; "
                         "the groups must divide the channels (axis 1)")
    n, c, *sizes = x.shape
    op = Normalize(tuple(range(2, len(sizes) + 3)), (1, num_groups, c // num_groups) + (1,) * len(sizes), eps)
    return normalized(op, x.reshape(n, num_groups, c // num_groups, *sizes), weight, bias).reshape(x.shape)


@input_in_single
def local_response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0):
    """x (N, C, ...) / (k + alpha * m)**beta, m the mean of x**2 over `size` neighbouring channels, zeros beyond them.

    Krizhevsky, Sutskever & Hinton 2012, section 3.3.
    """
    if len(x.shape) < 3 or size < 1:
        raise ValueError(f"local_response_norm: the input has shape {tuple(x.shape)}, size is {size}; give (N, C, ...) "
                         "with three axes or more, and a size of 1 or more")
    channels, sides = x.shape[1], (0, 0) * (len(x.shape) - 2)
    squares = pad(x * x, (*sides, size // 2, (size - 1) // 2))
    total = squares[:, :channels]
    for i in range(1, size):
        total = total + squares[:, i:i + channels]
    return x / (total * (alpha / size) + k) ** beta
