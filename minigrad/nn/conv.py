"""Convolution layers. Weights have PyTorch's shapes and lie channels-last in memory, as `ops.conv` multiplies them."""

from minigrad import create, ops
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.module import Module, Parameter

MODES = ("zeros", "reflect", "replicate", "circular")


def _tuple(value, count):
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * count


class _Conv(Module):
    """What all four share. weight (out_channels, in_channels / groups, *kernel_size), bias (out_channels,)."""

    axes = 2

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True,
                 padding_mode="zeros", device=None, dtype=None):
        super().__init__()
        name = type(self).__name__
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(f"{name}: {in_channels} channels to {out_channels} in {groups} groups; groups must divide "
                             "both")
        if padding_mode not in MODES:
            raise ValueError(f"{name}: padding_mode is {padding_mode!r}; use one of {', '.join(MODES)}")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride, self.dilation = (_tuple(v, self.axes) for v in (kernel_size, stride, dilation))
        self.padding = padding if isinstance(padding, str) else _tuple(padding, self.axes)
        self.padding_mode = padding_mode
        first, second = self.weight_channels()
        memory = create.empty(first, *self.kernel_size, second, device=device, dtype=dtype)
        self.weight = Parameter(ops.permute(memory, 0, self.axes + 1, *range(1, self.axes + 1)))
        self.bias = Parameter(create.empty(out_channels, device=device, dtype=dtype)) if bias else None
        init.torch_default_(self.weight, self.bias)

    def weight_channels(self):
        """The first two sizes of the weight."""
        return self.out_channels, self.in_channels // self.groups

    def padded(self, x):
        """(x, padding): x padded here, and padding 0, where the border is not zeros."""
        if self.padding_mode == "zeros":
            return x, self.padding
        if self.padding == "valid":
            return x, 0
        if self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size)]
            widths = [(total // 2, total - total // 2) for total in totals]
        else:
            widths = [(p, p) for p in self.padding]
        return ops.pad(x, [w for pair in reversed(widths) for w in pair], self.padding_mode), 0

    def extra_repr(self):
        text = (f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}, "
                f"padding={self.padding}, dilation={self.dilation}, groups={self.groups}, bias={self.bias is not None}")
        return text if self.padding_mode == "zeros" else f"{text}, padding_mode={self.padding_mode!r}"


class Conv1d(_Conv):
    """Convolution of lines: (N, in_channels, L) to (N, out_channels, L')."""

    axes = 1

    def forward(self, x):
        x, padding = self.padded(x)
        return F.conv1d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv2d(_Conv):
    """Convolution of images: (N, in_channels, H, W) to (N, out_channels, H', W').

    >>> import minigrad as torch
    >>> torch.nn.Conv2d(3, 8, 4, stride=2, padding=1)(torch.zeros(1, 3, 64, 64)).shape
    (1, 8, 32, 32)
    """

    def forward(self, x):
        x, padding = self.padded(x)
        return F.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class _ConvTranspose(_Conv):
    """What the transposed ones share. weight (in_channels, out_channels / groups, *kernel_size)."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1,
                 bias=True, dilation=1, padding_mode="zeros", device=None, dtype=None):
        if padding_mode != "zeros":
            raise ValueError(f"{type(self).__name__}: padding_mode is {padding_mode!r}; only 'zeros' has a meaning")
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode,
                         device, dtype)
        self.output_padding = _tuple(output_padding, self.axes)

    def weight_channels(self):
        return self.in_channels, self.out_channels // self.groups

    def padding_for(self, x, output_size):
        """The output_padding with which x comes out at `output_size` (sizes of the last axes), or the layer's own."""
        if output_size is None:
            return self.output_padding
        least = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, s, p, d, k in
                 zip(x.shape[-self.axes:], self.stride, self.padding, self.dilation, self.kernel_size)]
        extra = tuple(n - m for n, m in zip(output_size[-self.axes:], least))
        if min(extra) < 0 or any(e >= s for e, s in zip(extra, self.stride)):
            raise ValueError(f"{type(self).__name__}: output_size {tuple(output_size)} cannot be reached; from "
                             f"{tuple(x.shape)} it lies between {tuple(least)} and "
                             f"{tuple(m + s - 1 for m, s in zip(least, self.stride))}")
        return extra

    def extra_repr(self):
        return f"{super().extra_repr()}, output_padding={self.output_padding}"


class ConvTranspose1d(_ConvTranspose):
    """Transposed convolution of lines: (N, in_channels, L) to (N, out_channels, L')."""

    axes = 1

    def forward(self, x, output_size=None):
        return F.conv_transpose1d(x, self.weight, self.bias, self.stride, self.padding,
                                  self.padding_for(x, output_size), self.groups, self.dilation)


class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution of images: (N, in_channels, H, W) to (N, out_channels, H', W').

    >>> import minigrad as torch
    >>> torch.nn.ConvTranspose2d(8, 3, 4, stride=2, padding=1)(torch.zeros(1, 8, 32, 32)).shape
    (1, 3, 64, 64)
    """

    def forward(self, x, output_size=None):
        return F.conv_transpose2d(x, self.weight, self.bias, self.stride, self.padding,
                                  self.padding_for(x, output_size), self.groups, self.dilation)
