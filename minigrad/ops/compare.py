"""Comparisons and logic: functions without a gradient. Their results carry no graph."""

import operator

from minigrad.backend import array_module
from minigrad.graph import Handle, Op


def plain(name, compute, doc):
    """A function of Tensors or arrays that computes on arrays and carries no graph."""
    def apply(*inputs, **options):
        arrays = [x.array if isinstance(x, Handle) else x for x in inputs]
        try:
            result = compute(*arrays, **options)
        except (ValueError, TypeError) as error:
            given = ", ".join(str(getattr(a, "shape", a)) for a in arrays)
            raise type(error)(f"{name}: {error}; inputs: {given}; fix: give shapes that broadcast") from None
        return Op.wrap(result) if any_handle(inputs) else result

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = doc
    return apply


def any_handle(inputs):
    """Whether a Tensor is among the inputs."""
    for x in inputs:
        if isinstance(x, Handle):
            return True
    return False


def comparison(name):
    """The elementwise comparison of that name in `operator`; unequal to anything that has no elements to compare."""
    compare = getattr(operator, name)

    def compute(x, y):
        result = compare(x, y)
        return result if hasattr(result, "dtype") else array_module(x).full(x.shape, result)

    return plain(name, compute, f"x {name} y, element by element: a bool tensor.")


eq, ne, lt, le, gt, ge = map(comparison, ("eq", "ne", "lt", "le", "gt", "ge"))
logical_and = plain("logical_and", lambda x, y: x & y, "x and y of bools; bitwise on integers.")
logical_or = plain("logical_or", lambda x, y: x | y, "x or y of bools; bitwise on integers.")
logical_xor = plain("logical_xor", lambda x, y: x ^ y, "Whether one of two bools holds; bitwise on integers.")
logical_not = plain("logical_not", lambda x: ~x, "Not x, for bools; bitwise on integers.")
isnan = plain("isnan", lambda x: array_module(x).isnan(x), "Where x is NaN.")
isinf = plain("isinf", lambda x: array_module(x).isinf(x), "Where x is infinite.")
isfinite = plain("isfinite", lambda x: array_module(x).isfinite(x), "Where x is neither NaN nor infinite.")
any = plain("any", lambda x, dim=None, keepdim=False: x.any(dim, keepdims=keepdim), "Whether any element is not 0.")
all = plain("all", lambda x, dim=None, keepdim=False: x.all(dim, keepdims=keepdim), "Whether no element is 0.")


def allclose(x, y, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Whether |x - y| <= atol + rtol * |y| everywhere."""
    x, y = (a.array if isinstance(a, Handle) else a for a in (x, y))
    return bool(array_module(x).allclose(x, y, rtol, atol, equal_nan))
