"""float16 as a format to keep numbers in, not to add them up in: what accumulates does so in float32, as in PyTorch."""

import functools
import inspect

import numpy

from minigrad.convert import cast
from minigrad.graph import Handle

HALF, SINGLE = numpy.dtype("float16"), numpy.dtype("float32")


def in_single(f):
    """f, in float32 where its first argument is float16; the result is float16 again, unless another is wider.

    The casts are part of the graph, so that the derivatives of any order are computed in float32, too.
    """
    def apply(x, *rest, **options):
        if options.get("dtype") is not None or rest and isinstance(rest[-1], numpy.dtype):
            return f(x, *rest, **options)
        y = f(single(x), *map(single, rest), **{name: single(value) for name, value in options.items()})
        return y if any(_is_floating(a) and a.dtype != HALF for a in (*rest, *options.values())) else half(y)

    return _where_half(f, apply)


def input_in_single(f):
    """f, its first argument in float32 if it is float16; the result is float16 again, whatever the others are."""
    return _where_half(f, lambda x, *rest, **options: half(f(single(x), *rest, **options)))


def _where_half(f, instead):
    """f, but where its first argument is float16, `instead`."""
    first = next(iter(inspect.signature(f).parameters))  # by this name it may be given, too

    @functools.wraps(f)
    def apply(*args, **options):
        if args and args[0].dtype.char != "e":  # as nearly always: every loss and norm of a training passes here
            return f(*args, **options)
        x, *rest = args or (options.pop(first),)
        return (instead if x.dtype.char == "e" else f)(x, *rest, **options)

    return apply


def _is_floating(x):
    return hasattr(x, "dtype") and not isinstance(x, numpy.generic) and x.dtype.kind == "f"


def single(x):
    """x in float32 if it is a float16 tensor or array; anything else as it is."""
    return cast(x, SINGLE) if _is_floating(x) and x.dtype == HALF else x


def half(x):
    """x in float16 if it is a floating tensor or array, inf beyond its range; anything else as it is."""
    return cast(x, HALF) if _is_floating(x) else x


def add_up(g, axes):
    """The sum of an array or Tensor over axes, for the backward rules."""
    if isinstance(g, Handle) or g.dtype != HALF:
        return g.sum(axes)
    return g.sum(axes, dtype=SINGLE).astype(HALF)
