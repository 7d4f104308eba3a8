"""Broadcasting, and what it asks of gradients."""

from minigrad.ops.half import add_up

BROADCAST = "make each pair of sizes, from the last axis back, equal or 1 (reshape, unsqueeze, expand)"


def shape_of(x):
    """The shape of an array or Tensor, () for a Python scalar."""
    return getattr(x, "shape", ())


def function(op):
    """The function that applies an op of one or two inputs without parameters, documented by it."""
    if op.forward.__code__.co_argcount == 2:  # self and one input
        def apply(input):
            return op()(input)
    else:
        def apply(input, other):
            return op()(input, other)

    apply.__name__ = apply.__qualname__ = op.__name__.lower()
    apply.__doc__, apply.__module__ = op.__doc__, op.__module__
    return apply


def unbroadcast(g, shape):
    """Sum g over the axes that broadcasting added or stretched: the adjoint of `broadcast_to`."""
    if g.shape == shape:
        return g
    extra = len(g.shape) - len(shape)
    axes = tuple(range(extra)) + tuple(i + extra for i, n in enumerate(shape) if n == 1 and g.shape[i + extra] != 1)
    if axes:
        g = add_up(g, axes)
    return g.reshape(shape)


def reflected(f):
    """f with its two arguments exchanged: what `2 - x` asks of x."""
    return lambda x, y: f(y, x)
