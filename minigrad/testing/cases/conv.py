"""Cases for ops/conv.py."""

from minigrad.ops.conv import (
    Conv2d,
    ConvTranspose2d,
    ConvWeight2d,
    Geometry,
    conv1d,
    conv2d,
    conv_transpose1d,
    conv_transpose2d,
)
from minigrad.testing.registry import case


def convolution(rank):
    """Image, weight and, at times, bias of a convolution of any stride, padding, dilation and groups."""
    def sample(s):
        window, groups = s.window(rank), s.integer(1, 2)
        c, o = groups * s.integer(1, 2), groups * s.integer(1, 2)
        arrays = (s.normal((s.integer(1, 2), c, *window["size"])), s.normal((o, c // groups, *window["kernel"])))
        options = {k: window[k] for k in ("stride", "padding", "dilation")}
        return (*arrays, s.normal((o,))) if s.flag() else arrays, {**options, "groups": groups}

    return sample


def transposed(rank):
    """The same for a transposed convolution, with an output padding."""
    def sample(s):
        window, groups = s.window(rank), s.integer(1, 2)
        c, o = groups * s.integer(1, 2), groups * s.integer(1, 2)
        options = {k: window[k] for k in ("stride", "dilation")}
        options["padding"] = tuple(min(p, 1) if k * d > 2 else 0 for k, d, p in
                                   zip(window["kernel"], window["dilation"], window["padding"]))
        options["output_padding"] = tuple(
            s.integer(0, max(a, b) - 1) for a, b in zip(options["stride"], options["dilation"])
        )
        sizes = tuple(s.integer(2, 3) for _ in range(rank))
        arrays = (s.normal((s.integer(1, 2), c, *sizes)), s.normal((c, o // groups, *window["kernel"])))
        return (*arrays, s.normal((o,))) if s.flag() else arrays, {**options, "groups": groups}

    return sample


def weight_gradient(s):
    """Image, output cotangent and geometry, for the gradient of a convolution's weight."""
    window, groups = s.window(2), s.integer(1, 2)
    c, o = groups * s.integer(1, 2), groups * s.integer(1, 2)
    windows = tuple((n + 2 * p - d * (k - 1) - 1) // t + 1 for n, k, t, p, d in zip(
        window["size"], window["kernel"], window["stride"], window["padding"], window["dilation"]))
    geometry = Geometry(window["size"], windows, window["kernel"], window["stride"],
                        tuple((p, p) for p in window["padding"]), window["dilation"], groups)
    n = s.integer(1, 2)
    return (s.normal((n, c, *window["size"])), s.normal((n, o, *windows))), {"geometry": geometry}


def torch_weight_gradient(torch, x, g, geometry):
    """The gradient of the weight in PyTorch, by its own autograd."""
    with torch.enable_grad():
        shape = (g.shape[1], x.shape[1] // geometry.groups, *geometry.kernel)
        w = torch.zeros(shape, dtype=x.dtype, requires_grad=True)
        y = torch.nn.functional.conv2d(x, w, None, geometry.stride, [p for p, _ in geometry.padding], geometry.dilation,
                                       geometry.groups)
        return torch.autograd.grad(y, w, g, create_graph=True)[0]


case(Conv2d, conv2d, convolution(2), "nn.functional.conv2d")
case(ConvTranspose2d, conv_transpose2d, transposed(2), "nn.functional.conv_transpose2d")
case(ConvWeight2d, lambda x, g, geometry: ConvWeight2d(geometry)(x, g), weight_gradient, torch_weight_gradient)
case(Conv2d, conv1d, convolution(1), "nn.functional.conv1d", name="conv1d")
case(ConvTranspose2d, conv_transpose1d, transposed(1), "nn.functional.conv_transpose1d", name="conv_transpose1d")
