"""Borders around lines (N, C, L) and images (N, C, H, W), or one of them without the batch axis.

`padding` is one width for all sides, or (left, right), for images (left, right, top, bottom).
"""

from minigrad.nn import functional as F
from minigrad.nn.module import Module


class _Pad(Module):
    """What all share: how many axes are padded, and how."""

    axes, mode = 1, "constant"

    def __init__(self, padding):
        super().__init__()
        sides = 2 * self.axes
        self.padding = tuple(padding) if isinstance(padding, (tuple, list)) else (padding,) * sides
        if len(self.padding) != sides:
            raise ValueError(f"{type(self).__name__}: padding is {padding}; give one width, or {sides}")

    def forward(self, x):
        if x.dim() not in (self.axes + 1, self.axes + 2) and self.mode != "constant":
            raise ValueError(f"{type(self).__name__}: the input has shape {x.shape}; it takes {self.axes + 1} or "
                             f"{self.axes + 2} axes")
        return F.pad(x, self.padding, self.mode)

    def extra_repr(self):
        return str(self.padding)


class ReflectionPad1d(_Pad):
    """A border that mirrors the line, without its outermost value."""

    mode = "reflect"


class ReflectionPad2d(ReflectionPad1d):
    """A border that mirrors the image, without its outermost pixels.

    >>> import minigrad as torch
    >>> torch.nn.ReflectionPad2d(1)(torch.arange(4.).view(1, 2, 2))[0, 0]
    tensor([3., 2., 3., 2.])
    """

    axes = 2


class ReplicationPad1d(_Pad):
    """A border of the outermost values."""

    mode = "replicate"


class ReplicationPad2d(ReplicationPad1d):
    """A border of the outermost pixels."""

    axes = 2


class CircularPad1d(_Pad):
    """A border that goes on at the other end."""

    mode = "circular"


class CircularPad2d(CircularPad1d):
    """A border that goes on at the opposite side."""

    axes = 2


class ConstantPad1d(_Pad):
    """A border of one value, on the last axis of any tensor; negative widths cut."""

    def __init__(self, padding, value):
        super().__init__(padding)
        self.value = value

    def forward(self, x):
        return F.pad(x, self.padding, "constant", self.value)

    def extra_repr(self):
        return f"padding={self.padding}, value={self.value}"


class ConstantPad2d(ConstantPad1d):
    """A border of one value, on the last two axes of any tensor; negative widths cut."""

    axes = 2


class ZeroPad1d(ConstantPad1d):
    """A border of zeros; negative widths cut."""

    def __init__(self, padding):
        super().__init__(padding, 0.0)

    def extra_repr(self):
        return str(self.padding)


class ZeroPad2d(ZeroPad1d):
    """A border of zeros, on the last two axes; negative widths cut."""

    axes = 2
