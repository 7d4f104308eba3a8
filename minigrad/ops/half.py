"""float16 as a format to keep numbers in, not to add them up in: what accumulates does so in float32, as in PyTorch."""

import functools

import numpy

from minigrad.convert import cast
from minigrad.graph import Handle

HALF, SINGLE = numpy.dtype("float16"), numpy.dtype("float32")


def in_single(f):
    """f, in float32 where its first argument, and whatever else is floating, is float16; the result is float16 again.

    The casts are part of the graph, so that the derivatives of any order are computed in float32, too.
    """
    @functools.wraps(f)
    def apply(x, *rest, **options):
        others = (*rest, *options.values())
        if x.dtype != HALF or options.get("dtype") is not None or any(is_of(a, "f", but=HALF) for a in others):
            return f(x, *rest, **options)
        return half(f(single(x), *map(single, rest), **{name: single(value) for name, value in options.items()}))

    return apply


def is_of(x, kinds, but=None):
    """Whether x is a tensor or array with a dtype of these kinds, other than `but`."""
    return hasattr(x, "dtype") and not isinstance(x, numpy.generic) and x.dtype.kind in kinds and x.dtype != but


def single(x):
    """x in float32 if it is a float16 tensor or array; anything else as it is."""
    return cast(x, SINGLE) if is_of(x, "f") and x.dtype == HALF else x


def half(x):
    """x in float16 if it is a floating tensor or array, inf beyond its range; anything else as it is."""
    with numpy.errstate(over="ignore"):
        return cast(x, HALF) if is_of(x, "f") else x


def add_up(g, axes):
    """The sum of an array or Tensor over axes, for the backward rules."""
    if isinstance(g, Handle) or g.dtype != HALF:
        return g.sum(axes)
    return g.sum(axes, dtype=SINGLE).astype(HALF)
