"""Cases for ops/pool.py: pooling, resizing, shuffling pixels."""

import functools

from minigrad.backend.device import move
from minigrad.ops import pool
from minigrad.ops.pool import AvgPool2d, MaxPool2d, ReadChosen, SpreadAverage, SpreadChosen
from minigrad.testing.registry import case


def maxima(s):
    """An image of distinct values and a window, in PyTorch's words."""
    window = s.window(2)
    shape = (s.integer(1, 2), s.integer(1, 2), *window["size"])
    options = {"kernel_size": window["kernel"], **{k: window[k] for k in ("stride", "padding", "dilation")}}
    if any(options["padding"]):
        options["dilation"] = 1  # a dilated window may lie in the padding altogether, where nothing is largest
    return (s.distinct(shape),), {**options, "ceil_mode": s.flag()}


def means(s):
    """An image and a window without dilation."""
    window = s.window(2)
    size = tuple(max(n, k) for n, k in zip(window["size"], window["kernel"]))
    return (s.normal((s.integer(1, 2), s.integer(1, 2), *size)),), {
        "kernel_size": window["kernel"],
        "stride": window["stride"],
        "padding": window["padding"],
        "ceil_mode": s.flag(),
        "count_include_pad": s.flag(),
    }


def adaptive(s):
    """An image and an output size, that at times does not divide it."""
    return (s.normal((1, s.integer(1, 2), s.integer(1, 5), s.integer(1, 5))),), {
        "output_size": (s.integer(1, 3), s.integer(1, 3))}


def resized(s):
    """An image and another size."""
    return (s.normal((1, s.integer(1, 2), s.integer(1, 4), s.integer(1, 4))),), {
        "size": (s.integer(1, 6), s.integer(1, 6)), "mode": s.choice(("nearest", "bilinear"))}


def shuffled(s):
    """An image whose channels become pixels."""
    r = s.integer(1, 3)
    return (s.normal((s.integer(1, 2), s.integer(1, 2) * r * r, s.integer(1, 3), s.integer(1, 3))),), {
        "upscale_factor": r
    }


def unshuffled(s):
    """An image whose pixels become channels."""
    r = s.integer(1, 3)
    return (s.normal((s.integer(1, 2), s.integer(1, 2), s.integer(1, 2) * r, s.integer(1, 2) * r)),), {
        "downscale_factor": r
    }


def applied(sample, function, wanted):
    """A sample of (cotangent,) and the op `wanted` that function's graph holds, with its geometry, for direct calls."""
    def draw(s):
        import minigrad

        (x,), options = sample(s)
        node = function(minigrad.tensor(x, requires_grad=True), **options).node
        shape = (*x.shape[:2], *(node.geometry.windows if wanted.startswith("Spread") else node.geometry.image))
        return (s.normal(shape),), {"like": node}

    return draw


def spread_chosen(g, like):
    """SpreadChosen with a max pooling's choices."""
    return SpreadChosen(like.geometry, move(like.chosen, g.device))(g)


def read_chosen(h, like):
    """ReadChosen with a max pooling's choices."""
    return ReadChosen(like.geometry, move(like.chosen, h.device))(h)


def spread_average(g, like):
    """SpreadAverage with a mean pooling's windows."""
    return SpreadAverage(like.geometry, like.scale)(g)


def adjoint(torch, x, like, name):
    """The adjoint of a pooling in PyTorch, by its own autograd."""
    geometry, padding = like.geometry, [before for before, _ in like.geometry.padding]
    with torch.enable_grad():
        image = torch.zeros((*x.shape[:2], *geometry.image), dtype=x.dtype, requires_grad=True)
        y = getattr(torch.nn.functional, name)(image, geometry.kernel, geometry.stride, padding)
        return torch.autograd.grad(y, image, x, create_graph=True)[0]


def plain_means(s):
    """As `means`, with every pixel of a window counted, padding or not, and no window cut."""
    arrays, options = means(s)
    return arrays, {**options, "ceil_mode": False, "count_include_pad": True}


case(MaxPool2d, pool.max_pool2d, maxima, "nn.functional.max_pool2d")
case(AvgPool2d, pool.avg_pool2d, means, "nn.functional.avg_pool2d")
case(SpreadChosen, spread_chosen, applied(maxima, pool.max_pool2d, "SpreadChosen"), edges=False)
case(ReadChosen, read_chosen, applied(maxima, pool.max_pool2d, "ReadChosen"), edges=False)
case(SpreadAverage, spread_average, applied(plain_means, pool.avg_pool2d, "SpreadAverage"),
     functools.partial(adjoint, name="avg_pool2d"), edges=False)
case(None, pool.adaptive_avg_pool2d, adaptive, "nn.functional.adaptive_avg_pool2d")
case(None, pool.interpolate, resized, "nn.functional.interpolate")
case(None, pool.pixel_shuffle, shuffled, "nn.functional.pixel_shuffle")
case(None, pool.pixel_unshuffle, unshuffled, "nn.functional.pixel_unshuffle")
