"""Comparisons, logic and bits: functions without a gradient. Their results carry no graph."""

import operator

from minigrad.backend import array_module, promoted
from minigrad.backend.numpy import quiet
from minigrad.graph import Handle, Op
from minigrad.ops.shape import axes_of

watchers = []  # functions of (name, options, inputs, result), for those who note what is computed


def answered(name, result, inputs, **options):
    """The array `result` of a function without a gradient, as a Tensor without a graph."""
    tensor = Op.wrap(result)
    for watcher in watchers:
        watcher(name, options, inputs, tensor)
    return tensor


def plain(name, compute, doc):
    """A function of one or two Tensors, arrays or numbers that computes on arrays and carries no graph."""
    def run(*inputs):
        arrays = [x.array if isinstance(x, Handle) else x for x in inputs]
        try:
            result = quiet().run(compute, *arrays)
            if result.dtype.kind != "b":
                result = quiet().run(promoted, compute, result, arrays)
        except (ValueError, TypeError) as error:
            given = ", ".join(f"{a.dtype}{tuple(a.shape)}" if hasattr(a, "shape") else repr(a) for a in arrays)
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{name}: {error}; inputs: {given}; fix: give shapes that broadcast, of dtypes that have "
                       f"{name}") from None
        return answered(name, result, inputs) if any_handle(inputs) else result

    if compute.__code__.co_argcount == 1:
        def apply(input):
            return run(input)
    else:
        def apply(input, other):
            return run(input, other)

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
logical_and = plain("logical_and", lambda x, y: either(x, y).logical_and(x, y), "Whether both are not 0.")
logical_or = plain("logical_or", lambda x, y: either(x, y).logical_or(x, y), "Whether one at least is not 0.")
logical_xor = plain("logical_xor", lambda x, y: either(x, y).logical_xor(x, y), "Whether exactly one is not 0.")
logical_not = plain("logical_not", lambda x: array_module(x).logical_not(x), "Whether x is 0.")
bitwise_and = plain("bitwise_and", lambda x, y: x & y, "x & y: the bits that both integers have; of bools, and.")
bitwise_or = plain("bitwise_or", lambda x, y: x | y, "x | y: the bits that one integer at least has; of bools, or.")
bitwise_xor = plain("bitwise_xor", lambda x, y: x ^ y, "x ^ y: the bits that one of two integers has; of bools, !=.")
bitwise_not = plain("bitwise_not", lambda x: ~x, "~x: the bits that an integer has not; of bools, not.")
bitwise_left_shift = plain("bitwise_left_shift", lambda x, y: x << y, "x << y: the bits of integers, y places up.")
bitwise_right_shift = plain("bitwise_right_shift", lambda x, y: x >> y, "x >> y: the bits of integers, y places down.")
isnan = plain("isnan", lambda x: array_module(x).isnan(x), "Where x is NaN.")
isinf = plain("isinf", lambda x: array_module(x).isinf(x), "Where x is infinite.")
isfinite = plain("isfinite", lambda x: array_module(x).isfinite(x), "Where x is neither NaN nor infinite.")


def either(x, y):
    """The library of the one of two operands that is an array."""
    return array_module(x if hasattr(x, "shape") else y)


def any(x, dim=None, keepdim=False):
    """Whether any element is not 0, over `dim`: None (all axes), an axis or a tuple of them. Of uint8 as uint8.

    >>> from minigrad import tensor
    >>> any(tensor([[0, 2], [0, 0]]), 1)
    tensor([ True, False])
    """
    return _holds("any", x, dim, keepdim)


def all(x, dim=None, keepdim=False):
    """Whether no element is 0, over `dim`: None (all axes), an axis or a tuple of them. Of uint8 as uint8."""
    return _holds("all", x, dim, keepdim)


def _holds(name, x, dim, keepdim):
    array = x.array if isinstance(x, Handle) else x
    result = getattr(array, name)(axes_of(dim, array.ndim, name), keepdims=keepdim)
    result = result.astype(array.dtype) if array.dtype.char == "B" else result
    return answered(name, result, (x,), dim=dim, keepdim=keepdim) if isinstance(x, Handle) else result


def isclose(x, y, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Where |x - y| <= atol + rtol * |y|: a bool tensor.

    >>> from minigrad import tensor
    >>> isclose(tensor([1., 2.]), tensor([1., 2.1]))
    tensor([ True, False])
    """
    if x.dtype != y.dtype:
        raise TypeError(f"isclose: the inputs are {x.dtype} and {y.dtype}; bring both to one dtype")
    x, y = (a.array if isinstance(a, Handle) else a for a in (x, y))
    return Op.wrap(array_module(x).isclose(x, y, rtol, atol, equal_nan))


def allclose(x, y, rtol=1e-5, atol=1e-8, equal_nan=False):
    """Whether |x - y| <= atol + rtol * |y| everywhere."""
    x, y = (a.array if isinstance(a, Handle) else a for a in (x, y))
    return bool(array_module(x).allclose(x, y, rtol, atol, equal_nan))


def equal(x, y):
    """Whether two tensors have the same shape and elements."""
    return x.shape == y.shape and bool((x == y).all())
