"""Convolution in one and two dimensions, and its transpose.

One trilinear form stands behind everything here. With the image x (N, C, H, W), the weight w (O, C, kh, kw) and an
output-sized g (N, O, OH, OW), summed over n, o, c, the windows p and the taps t,

    <g, conv(x, w)> = sum of  g[n,o,p] * x[n,c, p * stride + t * dilation - padding] * w[o,c,t]

Leave out one factor and its gradient remains: `Conv2d(x, w)`, `ConvTranspose2d(g, w)` and `ConvWeight2d(x, g)`. Each is
the other two's gradient, so three classes are closed under differentiation at every order (Dumoulin & Visin 2016 draw
the geometry).

Shapes are PyTorch's, memory is channels-last under them: an (N, C, H, W) array is a permuted view of an (N, H, W, C)
buffer, a weight one of (O, kh, kw, C). The kw * C values that a row of a window reads then lie side by side, all
windows of some images are copied into the rows of a matrix as straight runs, and a convolution is that matrix times the
weight's: no transposes. The transposed convolution goes the same way back: one product, whose rows are added to the
pixels they came from. `Windows` is this way; `winograd.Tiles` has the same six maps between arrays and matrices, with
fewer products, for the convolutions of a DCGAN. Any other memory order works as well, at the price of a copy.
"""

import math
from typing import NamedTuple

from minigrad.backend import array_module, backend_of
from minigrad.graph import Handle, Op
from minigrad.ops import winograd
from minigrad.ops.checks import whole
from minigrad.ops.half import add_up
from minigrad.ops.norm import lines
from minigrad.ops.shape import permute

FEW, LONG = 16, 32  # values in a run: too few for it, and enough for a product of its own


class Geometry(NamedTuple):
    """Which pixels of an image the windows read. Pairs are (height, width)."""

    image: tuple
    windows: tuple  # how many there are: the size of the convolution's output
    kernel: tuple
    stride: tuple
    padding: tuple  # ((top, bottom), (left, right))
    dilation: tuple
    groups: int

    def channels(self, images, outputs):
        """(image channels, output channels) of each group, as slices: groups are convolutions side by side."""
        c, o = images // self.groups, outputs // self.groups
        return [(slice(i * c, (i + 1) * c), slice(i * o, (i + 1) * o)) for i in range(self.groups)]

    def spread_weight(self, scheme, w):
        """The spread weight of each group."""
        each = len(w) // self.groups
        return [scheme.spread_weight(w[i * each:(i + 1) * each]) for i in range(self.groups)]

    def scheme(self, count, images, outputs):
        """How to multiply `count` images: window by window, or with fewer products where that is possible and pays."""
        fewer = winograd.applies(self, count, images // self.groups, outputs // self.groups)
        return winograd.Tiles(self) if fewer else Windows(self)


def pixels(x):
    """(N, C, H, W) as the matrix (N * H * W, C): a view where memory is channels-last."""
    return permute(x, 0, 2, 3, 1).reshape(-1, x.shape[1])


def channel_sums(x):
    """The sums over all axes of (N, C, ...) but the channels."""
    return pixels(x).sum(0) if isinstance(x, Handle) else add_up(add_up(lines(x), 0).reshape(-1, x.shape[1]), 0)


def add_to_channels(x, b):
    """x += b, of arrays (N, C, ...) in channels-last memory and (C,)."""
    rows = lines(x)
    rows += array_module(b).tile(b, rows.shape[1] // len(b))


class Windows:
    """The image, the weight and the output as matrices, and back: the plain way to multiply.

    `spread_*` makes a stack of matrices (here of one), `gather_*` is its transpose and writes into a given array. With
    V, U, M for the spread image, weight and output, a convolution gathers V U^T, its transpose M U (`gather_image`
    takes both factors), and the weight's gradient M^T V.
    """

    def __init__(self, geometry):
        self.geometry = geometry
        self.rows, self.taps = math.prod(geometry.windows), math.prod(geometry.kernel)

    def sizes(self, images, outputs):
        """Of one image: the rows of its matrix, the values in it, and the multiply-adds of the product."""
        values = self.rows * self.taps * images // self.geometry.groups
        return self.rows, values, values * outputs

    def compiled(self, x, images, outputs):
        """The same in compiled code, for images or outputs x of the batch; None where there is none."""
        return backend_of(x).convolution(self.geometry, x, self.rows * self.taps * images, images, outputs)

    def spread_image(self, x):
        """Every window of (N, C, H, W) as a row: (1, N * OH * OW, kh * kw * C)."""
        xp, geometry, (n, c, h, w) = array_module(x), self.geometry, x.shape
        (top, bottom), (left, right) = geometry.padding
        (sh, sw), (dh, dw) = geometry.stride, geometry.dilation
        x = x.transpose(0, 2, 3, 1)
        if top or bottom or left or right:
            padded = xp.zeros((n, top + h + bottom, left + w + right, c), x.dtype)
            padded[:, top:top + h, left:left + w] = x
            x = padded
        image, row, pixel, channel = x.strides
        windows = backend_of(x).strided(x, (n, *geometry.windows, *geometry.kernel, c),
                                        (image, sh * row, sw * pixel, dh * row, dw * pixel, channel))
        return windows.reshape(1, n * self.rows, self.taps * c)

    def gather_image(self, m, u, out):
        """Every row of M U, (1, N * OH * OW, kh * kw * C), added to the pixels of its window, in out (N, C, H, W).

        Without dilation, `stride` neighbouring taps of all windows are one addition: their runs of stride * C values
        lie side by side in the image. Each such run has a product of its own where that can be, so that a row of
        windows lies side by side, too. Where the runs are short, the product is made transposed and the image is built
        up plane by plane, with the same effect.
        """
        xp, backend, (n, c, h, w) = array_module(m), backend_of(m), out.shape
        (top, bottom), (left, right) = self.geometry.padding
        (kh, kw), (sh, sw), (dh, dw) = self.geometry.kernel, self.geometry.stride, self.geometry.dilation
        (oh, ow), out = self.geometry.windows, out.transpose(0, 2, 3, 1)
        if (oh, ow) == (1, 1) and (kh, kw) == (h, w) and not (top or bottom or left or right):
            out[...] = backend.products(m, u).reshape(n, h, w, c)
            return
        run, tall = sw if dw == 1 else 1, top + h + bottom
        wide = max(-(-(left + w + right) // sw), (kw - 1) * dw // sw + ow)  # in blocks of `stride` pixels
        if sw * c < FEW < ow:
            v = backend.products(u.transpose(0, 2, 1), m.transpose(0, 2, 1)).transpose(0, 2, 1)
            blocks = xp.zeros((sw * c, n, tall, wide), m.dtype).transpose(1, 2, 3, 0)
        else:
            if run * c >= LONG and kw % run == 0:
                u = u.reshape(-1, kh * kw // run, run * c).transpose(1, 0, 2)
            v = backend.products(m, u)
            blocks = xp.zeros((n, tall, wide, sw * c), m.dtype)
        v = v.reshape(kh, kw // run, n, oh, ow, run * c) if len(v) > 1 else v.reshape(n, oh, ow, kh, kw * c)
        for i in range(kh):
            for j in range(0, kw, run):
                taps = v[i, j // run] if v.ndim == 6 else v[:, :, :, i, j * c:(j + run) * c]
                block, pixel = divmod(j * dw, sw)
                blocks[:, i * dh:i * dh + sh * (oh - 1) + 1:sh, block:block + ow,
                       pixel * c:pixel * c + taps.shape[-1]] += taps
        out[...] = blocks.reshape(n, tall, wide * sw, c)[:, top:top + h, left:left + w]

    def spread_weight(self, w):
        """(O, C, kh, kw) as (1, O, kh * kw * C): a view where memory is channels-last."""
        return w.transpose(0, 2, 3, 1).reshape(1, len(w), -1)

    def gather_weight(self, u, out):
        """(1, O, kh * kw * C) into out (O, C, kh, kw)."""
        o, c, kh, kw = out.shape
        u, out = u.reshape(o, kh, kw, c), out.transpose(0, 2, 3, 1)

        def part(i):
            out[i] = u[i]

        backend_of(u).for_blocks(part, o, 1, 2 * u[0].size, 2 * u[0].size)

    def spread_output(self, y):
        """(N, O, OH, OW) as (1, N * OH * OW, O): a view where memory is channels-last."""
        return y.transpose(0, 2, 3, 1).reshape(1, -1, y.shape[1])

    def gather_output(self, m, out):
        """(1, N * OH * OW, O) into out (N, O, OH, OW)."""
        n, o, h, w = out.shape
        out.transpose(0, 2, 3, 1)[...] = m.reshape(n, h, w, o)


class Conv2d(Op):
    """y[n,o,p] = sum over c, t of x[n,c, p*stride + t*dilation - padding] * w[o,c,t], plus b[o]

    `spread` is the weight as the scheme wants it, where that is known already: backward gets it from forward.
    """
    keep = (0, 1)

    def __init__(self, geometry, spread=None):
        self.geometry, self.spread = geometry, spread

    def forward(self, x, w, b=None):
        backend, n, c, o = backend_of(x), len(x), x.shape[1], len(w)
        scheme = self.geometry.scheme(n, c, o)
        y = backend.channels_last((n, o, *self.geometry.windows), x.dtype)
        compiled = scheme.compiled(x, c, o)
        if compiled:
            compiled.conv(x, w, b, y)
            return y
        self.spread = self.spread or self.geometry.spread_weight(scheme, w)
        groups = [(i, j, u) for (i, j), u in zip(self.geometry.channels(c, o), self.spread)]

        def part(images):
            for i, j, u in groups:
                m = backend.products(scheme.spread_image(x[images, i]), u.transpose(0, 2, 1))
                scheme.gather_output(m, y[images, j])
            if b is not None:
                add_to_channels(y[images], b)

        backend.for_blocks(part, n, *scheme.sizes(c, o))
        return y

    def backward(self, g, x, w):
        gx = ConvTranspose2d(self.geometry, self.spread)(g, w) if self.needs[0] else None
        gw = ConvWeight2d(self.geometry)(x, g) if self.needs[1] else None
        return (gx, gw) if len(self.parents) == 2 else (gx, gw, channel_sums(g) if self.needs[2] else None)


class ConvTranspose2d(Op):
    """x[n,c, p*stride + t*dilation - padding] = sum over o, t of g[n,o,p] * w[o,c,t], plus b[c]; `spread` as above"""
    keep = (0, 1)

    def __init__(self, geometry, spread=None):
        self.geometry, self.spread = geometry, spread

    def forward(self, g, w, b=None):
        backend, n, c, o = backend_of(g), len(g), w.shape[1] * self.geometry.groups, len(w)
        scheme = self.geometry.scheme(n, c, o)
        x = backend.channels_last((n, c, *self.geometry.image), g.dtype)
        compiled = scheme.compiled(x, c, o)
        if compiled:
            compiled.conv_transpose(g, w, b, x)
            return x
        self.spread = self.spread or self.geometry.spread_weight(scheme, w)
        groups = [(i, j, u) for (i, j), u in zip(self.geometry.channels(c, o), self.spread)]

        def part(images):
            for i, j, u in groups:
                scheme.gather_image(scheme.spread_output(g[images, j]), u, x[images, i])
            if b is not None:
                add_to_channels(x[images], b)

        backend.for_blocks(part, n, *scheme.sizes(c, o))
        return x

    def backward(self, h, g, w):
        gg = Conv2d(self.geometry, self.spread)(h, w) if self.needs[0] else None
        gw = ConvWeight2d(self.geometry)(h, g) if self.needs[1] else None
        return (gg, gw) if len(self.parents) == 2 else (gg, gw, channel_sums(h) if self.needs[2] else None)


class ConvWeight2d(Op):
    """w[o,c,t] = sum over n, p of g[n,o,p] * x[n,c, p*stride + t*dilation - padding]"""
    keep = (0, 1)

    def __init__(self, geometry):
        self.geometry = geometry

    def forward(self, x, g):
        backend, n, c, o = backend_of(x), len(x), x.shape[1], g.shape[1]
        scheme = self.geometry.scheme(n, c, o)
        w = backend.channels_last((o, c // self.geometry.groups, *self.geometry.kernel), x.dtype)
        compiled = scheme.compiled(x, c, o)
        if compiled:
            compiled.conv_weight(x, g, w)
            return w
        for i, j in self.geometry.channels(c, o):
            def part(images, i=i, j=j):
                m = scheme.spread_output(g[images, j])
                return backend.products(m.transpose(0, 2, 1), scheme.spread_image(x[images, i]))

            scheme.gather_weight(backend.sum_blocks(part, n, *scheme.sizes(c, o)), w[j])
        return w

    def backward(self, v, x, g):
        return (ConvTranspose2d(self.geometry)(g, v) if self.needs[0] else None,
                Conv2d(self.geometry)(x, v) if self.needs[1] else None)


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """The cross-correlation of x (N, C, H, W) with weight (O, C/groups, kh, kw), plus bias (O,): (N, O, OH, OW).

    OH = floor((H + 2 padding - dilation (kh - 1) - 1) / stride) + 1. stride, padding and dilation are a number or a
    pair (height, width); padding may be "valid" (none) or "same" (as much as keeps the size; stride 1). x may lack the
    batch axis.

    >>> from minigrad import ones
    >>> conv2d(ones(1, 1, 3, 3), ones(1, 1, 2, 2)).shape, conv2d(ones(1, 1, 3, 3), ones(1, 1, 2, 2), padding=1).shape
    ((1, 1, 2, 2), (1, 1, 4, 4))
    """
    if len(x.shape) == 3:
        return conv2d(x.reshape(1, *x.shape), weight, bias, stride, padding, dilation, groups)[0]
    stride, dilation = _pair("conv2d", "stride", stride, 1), _pair("conv2d", "dilation", dilation, 1)
    _check("conv2d", x, weight, bias, groups, weight.shape[1] * groups, weight.shape[0])
    image, kernel = tuple(x.shape[2:]), tuple(weight.shape[2:])
    padding = _paddings(padding, kernel, stride, dilation)
    windows = tuple((n + before + after - d * (k - 1) - 1) // s + 1
                    for n, (before, after), k, s, d in zip(image, padding, kernel, stride, dilation))
    if min(windows) < 1:
        raise ValueError(f"conv2d: a window of {kernel} with dilation {dilation} does not fit into the image {image} "
                         f"with padding {padding}; give a larger image, more padding or a smaller kernel")
    op = Conv2d(Geometry(image, windows, kernel, stride, padding, dilation, groups))
    return op(x, weight) if bias is None else op(x, weight, bias)


def conv_transpose2d(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """The transpose of `conv2d`: x (N, I, H, W), weight (I, O/groups, kh, kw), bias (O,): (N, O, OH, OW).

    OH = (H - 1) stride - 2 padding + dilation (kh - 1) + output_padding + 1, where output_padding, below the stride or
    the dilation, chooses among the sizes that a convolution would map to H. x may lack the batch axis.

    >>> from minigrad import ones
    >>> conv_transpose2d(ones(1, 1, 2, 2), ones(1, 1, 4, 4), stride=2, padding=1).shape
    (1, 1, 4, 4)
    """
    name = "conv_transpose2d"
    if len(x.shape) == 3:
        x = x.reshape(1, *x.shape)
        return conv_transpose2d(x, weight, bias, stride, padding, output_padding, groups, dilation)[0]
    stride, dilation = _pair(name, "stride", stride, 1), _pair(name, "dilation", dilation, 1)
    padding, extra = _pair(name, "padding", padding, 0), _pair(name, "output_padding", output_padding, 0)
    _check(name, x, weight, bias, groups, weight.shape[0], weight.shape[1] * groups)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation)):
        raise ValueError(f"{name}: output_padding {extra} with stride {stride} and dilation {dilation}; keep it below "
                         "the larger of the two")
    windows, kernel = tuple(x.shape[2:]), tuple(weight.shape[2:])
    image = tuple((n - 1) * s - 2 * p + d * (k - 1) + e + 1
                  for n, s, p, d, k, e in zip(windows, stride, padding, dilation, kernel, extra))
    if min(image) < 1:
        raise ValueError(f"{name}: the input {windows} with kernel {kernel} and padding {padding} gives the size "
                         f"{image}; use less padding")
    op = ConvTranspose2d(Geometry(image, windows, kernel, stride, tuple((p, p) for p in padding), dilation, groups))
    return op(x, weight) if bias is None else op(x, weight, bias)


def conv1d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """`conv2d` on lines: x (N, C, L) or (C, L), weight (O, C/groups, k), bias (O,): (N, O, L').

    >>> from minigrad import tensor
    >>> conv1d(tensor([[[1., 2., 4.]]]), tensor([[[-1., 1.]]]))
    tensor([[[1., 2.]]])
    """
    name = "conv1d"
    padding = padding if isinstance(padding, str) else (0, _single(name, "padding", padding))
    y = conv2d(_as_image(name, x, 2), _as_image(name, weight, 3), bias, (1, _single(name, "stride", stride)), padding,
               (1, _single(name, "dilation", dilation)), groups)
    return y.reshape(*y.shape[:-2], y.shape[-1])


def conv_transpose1d(x, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
    """`conv_transpose2d` on lines: x (N, I, L) or (I, L), weight (I, O/groups, k), bias (O,): (N, O, L')."""
    name = "conv_transpose1d"
    y = conv_transpose2d(_as_image(name, x, 2), _as_image(name, weight, 3), bias, (1, _single(name, "stride", stride)),
                         (0, _single(name, "padding", padding)), (0, _single(name, "output_padding", output_padding)),
                         groups, (1, _single(name, "dilation", dilation)))
    return y.reshape(*y.shape[:-2], y.shape[-1])


def _as_image(name, x, least):
    """Lines (..., L) as images of height 1."""
    if len(x.shape) not in (least, 3):
        raise ValueError(f"{name}: got shape {tuple(x.shape)}; give (N, C, L) and a weight of three axes")
    return x.reshape(*x.shape[:-1], 1, x.shape[-1])


def _single(name, what, value):
    """A number, given as one or as a tuple of one."""
    if not isinstance(value, (tuple, list)):
        return value
    if len(value) != 1:
        raise ValueError(f"{name}: {what} is {value}; give one number")
    return value[0]


def _pair(name, what, value, least):
    """A number or a pair (height, width) as a pair."""
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    pair = tuple([v if type(v) is int else whole(name, what, v) for v in pair])
    if len(pair) != 2 or min(pair) < least:
        raise ValueError(f"{name}: {what} is {value!r}; give an integer of {least} or more, or a pair of them")
    return pair


def _paddings(padding, kernel, stride, dilation):
    """((top, bottom), (left, right)) of what conv2d takes as padding."""
    if padding == "valid":
        return (0, 0), (0, 0)
    if padding == "same":
        if stride != (1, 1):
            raise ValueError(f"conv2d: padding 'same' with stride {stride}; it is defined for stride 1, give numbers")
        return tuple((d * (k - 1) // 2, d * (k - 1) - d * (k - 1) // 2) for k, d in zip(kernel, dilation))
    if isinstance(padding, str):
        raise ValueError(f"conv2d: padding is {padding!r}; use 'same', 'valid', a number or a pair")
    return tuple((p, p) for p in _pair("conv2d", "padding", padding, 0))


def _check(name, x, weight, bias, groups, inputs, outputs):
    """One clear line where the shapes do not fit; `inputs` and `outputs` are the channels that the weight speaks of."""
    shapes = f"{name}: input {tuple(x.shape)}, weight {tuple(weight.shape)}, groups {groups}"
    if len(x.shape) != 4 or len(weight.shape) != 4:
        raise ValueError(f"{shapes}; give an input (N, C, H, W) or (C, H, W) and a weight of four axes")
    if groups < 1 or weight.shape[0] % groups:
        raise ValueError(f"{shapes}; groups must divide the weight's first size")
    if x.shape[1] != inputs:
        raise ValueError(f"{shapes}; the input has {x.shape[1]} channels (axis 1) and the weight takes {inputs}")
    if min(weight.shape) < 1:
        raise ValueError(f"{shapes}; the weight is empty, give it sizes of 1 or more")
    if bias is not None and tuple(bias.shape) != (outputs,):
        raise ValueError(f"{shapes}, bias {tuple(bias.shape)}; the bias must have shape ({outputs},)")
    if x.dtype != weight.dtype:
        raise TypeError(f"{shapes}: the input is {x.dtype} and the weight {weight.dtype}; bring both to one dtype")
