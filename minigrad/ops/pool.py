"""Making images smaller and larger: pooling, interpolation, pixel shuffle.

A pooling window is walked tap by tap: tap (i, j) of all windows at once is a strided slice of the image, so that any
memory order stays as it is and every step is a straight array operation. Interpolation and adaptive pooling are linear
and separable: one small matrix an axis. Sizes, paddings and ties are PyTorch's; all functions take images with or
without the batch axis, those that end in 1d lines.
"""

import math

import numpy

from minigrad.backend import array_module
from minigrad.convert import Clone
from minigrad.graph import Handle, Op
from minigrad.ops.checks import floating_only, whole
from minigrad.ops.conv import Geometry, _pair, _single
from minigrad.ops.half import HALF, half, input_in_single, single
from minigrad.ops.linalg import matmul
from minigrad.ops.reduce import sum as sum_of
from minigrad.ops.shape import broadcast_to, cat, permute, squeeze


def _taps(x, geometry):
    """(number, view) of each tap: view[n, c, p] is the pixel of the padded x that the tap reads in window p."""
    for i in range(geometry.kernel[0]):
        for j in range(geometry.kernel[1]):
            rows, pixels = (slice(k * d, k * d + s * (m - 1) + 1, s) for k, d, s, m in
                            zip((i, j), geometry.dilation, geometry.stride, geometry.windows))
            yield i * geometry.kernel[1] + j, x[:, :, rows, pixels]


def _padded(x, geometry, value):
    """x with a border of `value`; x itself where there is none."""
    (top, bottom), (left, right) = geometry.padding
    if not (top or bottom or left or right):
        return x
    n, c, h, w = x.shape
    y = _filled(x, (n, c, top + h + bottom, left + w + right), value)
    y[:, :, top:top + h, left:left + w] = x
    return y


def _filled(x, shape, value):
    """An array of `shape` full of `value`, channels-last, of x's dtype."""
    n, c, h, w = shape
    return array_module(x).full((n, h, w, c), value, x.dtype).transpose(0, 3, 1, 2)


def _spread(g, geometry, weighed):
    """Zeros with weighed(tap) added at every tap's pixels, without the border: the transpose of reading the taps."""
    (top, bottom), (left, right) = geometry.padding
    h, w = geometry.image
    y = _filled(g, (*g.shape[:2], top + h + bottom, left + w + right), 0)
    for number, there in _taps(y, geometry):
        there += weighed(number)
    return y[:, :, top:top + h, left:left + w]


class MaxPool2d(Op):
    """y[n,c,p] = the largest x[n,c] in window p; of equal ones the first is chosen, and gets the gradient"""

    def __init__(self, geometry):
        self.geometry = geometry

    def forward(self, x):
        xp = array_module(x)
        y = None
        lowest = -float("inf") if x.dtype.kind == "f" else numpy.iinfo(x.dtype).min
        for number, there in _taps(_padded(x, self.geometry, lowest), self.geometry):
            if y is None:
                y, chosen = there.copy("K"), xp.zeros_like(there, numpy.int32)
                continue
            better = (there > y) | (there != there)  # a NaN wins, as in PyTorch
            chosen = xp.maximum(chosen, better * numpy.int32(number))  # numbers grow: the last better one stays
            y = xp.maximum(y, there, out=y)
        self.chosen = chosen
        return y

    def backward(self, g):
        return SpreadChosen(self.geometry, self.chosen)(g),

    def places(self):
        """The number of each chosen pixel in its image, row by row, int64."""
        geometry, xp = self.geometry, array_module(self.chosen)
        taps = self.chosen.astype("int64")
        (top, _), (left, _) = geometry.padding
        rows, columns = (xp.arange(m) * s - p for m, s, p in zip(geometry.windows, geometry.stride, (top, left)))
        row = rows[:, None] + taps // geometry.kernel[1] * geometry.dilation[0]
        return row * geometry.image[1] + columns + taps % geometry.kernel[1] * geometry.dilation[1]


class SpreadChosen(Op):
    """y = zeros with g[n,c,p] added at the pixel that window p has chosen"""

    def __init__(self, geometry, chosen):
        self.geometry, self.chosen = geometry, chosen

    def forward(self, g):
        return _spread(g, self.geometry, lambda number: g * (self.chosen == number))

    def backward(self, h):
        return ReadChosen(self.geometry, self.chosen)(h),


class ReadChosen(Op):
    """y[n,c,p] = the pixel of h that window p has chosen"""

    def __init__(self, geometry, chosen):
        self.geometry, self.chosen = geometry, chosen

    def forward(self, h):
        h = _padded(h, self.geometry, 0)
        return sum(there * (self.chosen == number) for number, there in _taps(h, self.geometry))

    def backward(self, g):
        return SpreadChosen(self.geometry, self.chosen)(g),


class AvgPool2d(Op):
    """y[n,c,p] = the sum of x[n,c] over window p, times scale[p]"""

    def __init__(self, geometry, scale):
        self.geometry, self.scale = geometry, scale

    def forward(self, x):
        y = sum(there for _, there in _taps(_padded(x, self.geometry, 0), self.geometry))
        return y * array_module(x).asarray(self.scale, x.dtype)

    def backward(self, g):
        return SpreadAverage(self.geometry, self.scale)(g),


class SpreadAverage(Op):
    """y = zeros with g[n,c,p] * scale[p] added at every pixel of window p"""

    def __init__(self, geometry, scale):
        self.geometry, self.scale = geometry, scale

    def forward(self, g):
        g = g * array_module(g).asarray(self.scale, g.dtype)
        return _spread(g, self.geometry, lambda number: g)

    def backward(self, h):
        return AvgPool2d(self.geometry, self.scale)(h),


def _geometry(name, x, kernel, stride, padding, dilation, ceil_mode):
    """The windows of a pooling. With ceil_mode the last may reach over the border, but must begin before its end."""
    kernel = _pair(name, "kernel_size", kernel, 1)
    empty = stride is None or isinstance(stride, (tuple, list)) and not stride
    stride = kernel if empty else _pair(name, "stride", stride, 1)
    padding, dilation = _pair(name, "padding", padding, 0), _pair(name, "dilation", dilation, 1)
    if len(x.shape) != 4:
        raise ValueError(f"{name}: the input has shape {tuple(x.shape)}; give (N, C, H, W) or, without N, (C, H, W)")
    if any(2 * p > k for p, k in zip(padding, kernel)):
        raise ValueError(f"{name}: padding {padding} with kernel_size {kernel}; pad at most half a window")
    windows, borders = [], []
    for n, k, s, p, d in zip(x.shape[2:], kernel, stride, padding, dilation):
        room = n + 2 * p - d * (k - 1) - 1
        count = (-(-room // s) if ceil_mode else room // s) + 1
        if ceil_mode and (count - 1) * s >= n + p:
            count -= 1
        if count < 1:
            raise ValueError(f"{name}: a window of {kernel} with dilation {dilation} does not fit into the image "
                             f"{tuple(x.shape[2:])} with padding {padding}; give a larger image or a smaller window")
        windows.append(count)
        borders.append((p, max(p, (count - 1) * s + d * (k - 1) + 1 - n - p)))
    return Geometry(tuple(x.shape[2:]), tuple(windows), kernel, stride, tuple(borders), dilation, 1)


def _of_images(f, x):
    """f on x (..., C, H, W), which may have any axes in front."""
    if len(x.shape) == 4:
        return f(x)
    lead = x.shape[:-3]
    y = f(x.reshape(math.prod(lead), *x.shape[-3:]))
    return y.reshape(*lead, *y.shape[1:])


def _batched(f, x, *args, axes=3):
    """f on x, which may lack the batch axis."""
    return f(x.reshape(1, *x.shape), *args)[0] if len(x.shape) == axes else f(x, *args)


def max_pool2d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """The largest value of every window: (N, C, H, W) to (N, C, OH, OW). stride None: that of the window's size.

    With return_indices a pair: also where each value stands in its image, counted in C order.

    >>> from minigrad import tensor
    >>> max_pool2d(tensor([[[1., 5.], [7., 2.]]]), 2, return_indices=True)
    (tensor([[[7.]]]), tensor([[[2]]]))
    """
    if x.dtype.kind == "b":
        raise TypeError("max_pool2d: the input is bool; call .float() on it first")
    alone = len(x.shape) == 3
    images = x.reshape(1, *x.shape) if alone else x
    op = MaxPool2d(_geometry("max_pool2d", images, kernel_size, stride, padding, dilation, ceil_mode))
    y = op(single(images))  # its gradients are sums
    y = half(y) if x.dtype == HALF else y
    if not return_indices:
        return y[0] if alone else y
    places = Op.wrap(op.places())
    return (y[0], places[0]) if alone else (y, places)


@input_in_single
def avg_pool2d(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
    """The mean of every window: (N, C, H, W) to (N, C, OH, OW).

    The divisor counts the zeros of the padding unless count_include_pad is False; `divisor_override` takes its place.

    >>> from minigrad import tensor
    >>> avg_pool2d(tensor([[[1., 5.], [7., 2.]]]), 2)
    tensor([[[3.75]]])
    """
    floating_only("avg_pool2d", x)

    def pool(x):
        geometry = _geometry("avg_pool2d", x, kernel_size, stride, padding, 1, ceil_mode)
        counts = []
        for n, m, k, s, p in zip(geometry.image, geometry.windows, geometry.kernel, geometry.stride,
                                 _pair("avg_pool2d", "padding", padding, 0)):
            start = numpy.arange(m) * s - p
            counts.append(numpy.minimum(start + k, n + p) - start if count_include_pad else
                          numpy.minimum(start + k, n) - numpy.maximum(start, 0))
        scale = 1.0 / numpy.maximum(numpy.outer(*counts), 1) if divisor_override is None else 1.0 / divisor_override
        return AvgPool2d(geometry, scale)(x)

    return _batched(pool, x)


@input_in_single
def adaptive_avg_pool2d(x, output_size):
    """Means over windows chosen so that the output has `output_size`, a number or a pair; None keeps that axis's size.

    Window i of m on an axis of n reaches from floor(i n / m) to ceil((i + 1) n / m).
    """
    floating_only("adaptive_avg_pool2d", x)
    if 0 in x.shape[-2:]:
        raise ValueError(f"adaptive_avg_pool2d: the input {tuple(x.shape)} has no pixels; give one of size 1 or more")
    pair = output_size if isinstance(output_size, (tuple, list)) else (output_size, output_size)
    sizes = tuple(n if m is None else m for n, m in zip(x.shape[-2:], pair))
    if len(pair) != 2 or min(sizes) < 1:
        raise ValueError(f"adaptive_avg_pool2d: output_size is {output_size}; give a positive number or a pair of them")
    if all(n % m == 0 for n, m in zip(x.shape[-2:], sizes)):
        return avg_pool2d(x, tuple(n // m for n, m in zip(x.shape[-2:], sizes)))
    return _separable(x, [_window_means(n, m) for n, m in zip(x.shape[-2:], sizes)])


def _window_means(n, m):
    means = numpy.zeros((m, n))
    for i in range(m):
        start, end = i * n // m, -(-(i + 1) * n // m)
        means[i, start:end] = 1 / (end - start)
    return means


def _separable(x, matrices):
    """y[..., i, j] = sum of rows[i, k] x[..., k, l] columns[j, l]: each axis of the images times a matrix."""
    if len(x.shape) == 3:
        return _separable(x.reshape(1, *x.shape), matrices)[0]
    array = x.array if isinstance(x, Handle) else x
    if not array_module(array).isfinite(array).all():
        return _separable_locally(x, matrices)
    rows, columns = (array_module(array).asarray(m, array.dtype) for m in matrices)
    n, c, h, w = x.shape
    y = matmul(rows, permute(x, 0, 2, 3, 1).reshape(n, h, w * c))
    y = matmul(columns, y.reshape(n * len(rows), w, c))
    return permute(y.reshape(n, len(rows), len(columns), c), 0, 3, 1, 2)


def _separable_locally(x, matrices):
    """The same without the products with 0, which would carry inf and NaN into every pixel."""
    for axis, matrix in zip((2, 3), matrices):
        lines = []
        for weights in matrix:
            there = weights.nonzero()[0]
            first, last = there[0], there[-1] + 1
            part = x[(slice(None),) * axis + (slice(int(first), int(last)),)]
            array = part.array if isinstance(part, Handle) else part
            weights = array_module(array).asarray(weights[first:last], array.dtype)
            lines.append(sum_of(part * (weights[:, None] if axis == 2 else weights), axis, True))
        x = cat(lines, axis)
    return x


@input_in_single
def interpolate(x, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """x (N, C, H, W) or (N, C, L) at another size, given as such or by a factor, for each axis or for all.

    `mode`: "nearest", "bilinear" for images, "linear" for lines. With align_corners the corner pixels of input and
    output coincide; without, their outer edges do.

    >>> from minigrad import tensor
    >>> interpolate(tensor([[[1., 2.]]]), scale_factor=2)
    tensor([[[1., 1., 2., 2.]]])
    """
    axes = len(x.shape) - 2
    kinds = {1: ("nearest", "linear"), 2: ("nearest", "bilinear")}.get(axes)
    if kinds is None or mode not in kinds:
        raise ValueError(f"interpolate: mode {mode!r} for shape {tuple(x.shape)}; use 'nearest' or 'linear' for "
                         "(N, C, L), 'nearest' or 'bilinear' for (N, C, H, W)")
    if (size is None) == (scale_factor is None):
        raise ValueError(f"interpolate: size={size} and scale_factor={scale_factor}; give exactly one of them")
    if mode == "nearest" and align_corners is not None:
        raise ValueError("interpolate: align_corners with mode 'nearest'; it has a meaning for 'linear' and 'bilinear'")
    given = scale_factor if size is None else size
    given = tuple(given) if isinstance(given, (tuple, list)) else (given,) * axes
    if size is not None:
        given = tuple(whole("interpolate", "a size", n) for n in given)
    if mode != "nearest":
        floating_only("interpolate", x)
    sources = tuple(x.shape[2:])
    if min(sources) < 1:
        raise ValueError(f"interpolate: the input {tuple(x.shape)} has no pixels; give one of size 1 or more")
    sizes = given if size is not None else tuple(int(n * f) for n, f in zip(sources, given))
    if len(given) != axes or min(sizes) < 1:
        raise ValueError(f"interpolate: {'scale_factor' if size is None else 'size'} {given} for an image of "
                         f"{sources}; give one positive number an axis")
    ratios = [n / m if size is not None else 1 / f for n, m, f in zip(sources, sizes, given)]
    if axes == 1:
        y = _resize(x.reshape(*x.shape[:2], 1, *sources), (1, *sizes), [1.0, *ratios], mode, align_corners)
        return y.reshape(*y.shape[:2], *sizes)
    return _resize(x, sizes, ratios, mode, align_corners)


def _resize(x, sizes, ratios, mode, align_corners):
    if mode == "nearest":
        return _nearest(x, sizes, ratios)
    return _separable(x, [_linear_weights(n, m, r, align_corners) for n, m, r in zip(x.shape[2:], sizes, ratios)])


def _nearest(x, sizes, ratios):
    n, c, h, w = x.shape
    if sizes[0] % h == 0 and sizes[1] % w == 0 and ratios == [h / sizes[0], w / sizes[1]]:  # pixels become blocks
        tall, wide = sizes[0] // h, sizes[1] // w
        y = Clone("C")(broadcast_to(permute(x, 0, 2, 3, 1).reshape(n, h, 1, w, 1, c), (n, h, tall, w, wide, c)))
        return permute(y.reshape(n, *sizes, c), 0, 3, 1, 2)
    rows, pixels = (numpy.minimum((numpy.arange(m) * numpy.float32(ratio)).astype(int), n - 1)
                    for m, n, ratio in zip(sizes, (h, w), ratios))
    xp = array_module(x.array if isinstance(x, Handle) else x)
    return x[:, :, xp.asarray(rows)][:, :, :, xp.asarray(pixels)]


def _linear_weights(n, m, ratio, align_corners):
    """The (m, n) matrix of linear interpolation from n points to m."""
    if align_corners:
        at = numpy.arange(m) * ((n - 1) / (m - 1) if m > 1 else 0.0)
    else:
        at = numpy.maximum((numpy.arange(m) + 0.5) * ratio - 0.5, 0.0)
    low = numpy.minimum(at.astype(int), n - 1)
    share = numpy.clip(at - low, 0.0, 1.0)
    weights = numpy.zeros((m, n))
    numpy.add.at(weights, (numpy.arange(m), low), 1 - share)
    numpy.add.at(weights, (numpy.arange(m), numpy.minimum(low + 1, n - 1)), share)
    return weights


def pixel_shuffle(x, upscale_factor):
    """(..., C r**2, H, W) to (..., C, H r, W r): groups of r**2 channels become blocks of pixels (Shi et al. 2016)."""
    r = upscale_factor
    if len(x.shape) < 3 or r < 1 or x.shape[-3] % (r * r):
        raise ValueError(f"pixel_shuffle: input {tuple(x.shape)}, factor {r}; the channels must be a multiple of the "
                         "factor's square")

    def shuffle(x):
        n, c, h, w = x.shape
        y = permute(permute(x, 0, 2, 3, 1).reshape(n, h, w, c // (r * r), r, r), 0, 1, 4, 2, 5, 3)
        return permute(y.reshape(n, h * r, w * r, c // (r * r)), 0, 3, 1, 2)

    return _of_images(shuffle, x) if r > 1 else Clone()(x)


def pixel_unshuffle(x, downscale_factor):
    """(..., C, H r, W r) to (..., C r**2, H, W): the inverse of `pixel_shuffle`."""
    r = downscale_factor
    if len(x.shape) < 3 or r < 1 or x.shape[-2] % r or x.shape[-1] % r:
        raise ValueError(f"pixel_unshuffle: input {tuple(x.shape)}, factor {r}; height and width must be multiples of "
                         "the factor")

    def unshuffle(x):
        n, c, h, w = x.shape
        y = permute(permute(x, 0, 2, 3, 1).reshape(n, h // r, r, w // r, r, c), 0, 1, 3, 5, 2, 4)
        return permute(y.reshape(n, h // r, w // r, c * r * r), 0, 3, 1, 2)

    return _of_images(unshuffle, x) if r > 1 else Clone()(x)


def _on_lines(name, f, x, *args):
    """A function of images on lines (N, C, L) or (C, L)."""
    if len(x.shape) not in (2, 3):
        raise ValueError(f"{name}: the input has shape {tuple(x.shape)}; give (N, C, L) or (C, L)")
    y = f(x.reshape(*x.shape[:-1], 1, x.shape[-1]), *args)
    return tuple(squeeze(z, -2) for z in y) if isinstance(y, tuple) else squeeze(y, -2)


def max_pool1d(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
    """`max_pool2d` on lines: (N, C, L) to (N, C, L')."""
    name = "max_pool1d"
    stride = kernel_size if stride is None else stride
    return _on_lines(name, max_pool2d, x, (1, _single(name, "kernel_size", kernel_size)),
                     (1, _single(name, "stride", stride)), (0, _single(name, "padding", padding)),
                     (1, _single(name, "dilation", dilation)), ceil_mode, return_indices)


def avg_pool1d(x, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """`avg_pool2d` on lines: (N, C, L) to (N, C, L')."""
    name = "avg_pool1d"
    stride = kernel_size if stride is None else stride
    return _on_lines(name, avg_pool2d, x, (1, _single(name, "kernel_size", kernel_size)),
                     (1, _single(name, "stride", stride)), (0, _single(name, "padding", padding)), ceil_mode,
                     count_include_pad)


def adaptive_avg_pool1d(x, output_size):
    """`adaptive_avg_pool2d` on lines: (N, C, L) to (N, C, output_size)."""
    name = "adaptive_avg_pool1d"
    return _on_lines(name, adaptive_avg_pool2d, x, (1, _single(name, "output_size", output_size)))
