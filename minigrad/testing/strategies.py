"""Inputs for property tests, as hypothesis strategies: shapes and parameters shrink, values are drawn from a seed.

Import hypothesis yourself; this module does so only when a strategy is made. To skip points at kinks:

    @given(away_from(shapes(), 0.0))
    def test(x):
        with assuming_differentiable():
            check_grad(my_op, x)
"""

import contextlib

from minigrad.testing.gradcheck import Nondifferentiable
from minigrad.testing.source import Source


class Drawn(Source):
    """A Source whose integers hypothesis draws."""

    def __init__(self, draw):
        self.draw = draw

    def integer(self, low, high):
        from hypothesis import strategies as st

        return self.draw(st.integers(low, high))


def sampled(sample):
    """The strategy of what `sample(source)` returns."""
    from hypothesis import strategies as st

    @st.composite
    def build(draw):
        return sample(Drawn(draw))

    return build()


def cases(case):
    """(arrays, options) of a registered case."""
    return sampled(case.draw)


def shapes(low=0, high=3, sides=(1, 4)):
    """Shapes of low..high axes of the given sizes; sides=(0, 4) has empty ones among them."""
    return sampled(lambda s: s.shape(low, high, sides))


def broadcastable_shapes(count=2, low=0, high=3, sides=(1, 4)):
    """Lists of shapes that broadcast against each other."""
    return sampled(lambda s: s.broadcastable(count, low, high, sides))


def arrays(shape=None, scale=1.0):
    """float64 arrays of normal draws; of a given shape, a strategy of shapes, or any small shape."""
    return _shaped(shape, lambda s, n: s.normal(n, scale))


def tensors(shape=None, scale=1.0, requires_grad=True):
    """float64 tensors of normal draws."""
    from minigrad.create import tensor

    return arrays(shape, scale).map(lambda a: tensor(a, requires_grad=requires_grad))


def uniform(shape=None, low=0.1, high=0.9):
    """float64 arrays with values between low and high."""
    return _shaped(shape, lambda s, n: s.uniform(n, low, high))


def away_from(shape, *kinks, margin=0.05):
    """float64 arrays with no value nearer than `margin` to a kink."""
    return _shaped(shape, lambda s, n: s.away(n, *kinks, margin=margin))


def distinct(shape=None, gap=0.1):
    """float64 arrays no two values of which are nearer than gap / 2: no ties for max and sort."""
    return _shaped(shape, lambda s, n: s.distinct(n, gap))


def axes(ndim):
    """None, an axis, or a tuple of axes, positive or negative, of an array of `ndim` axes."""
    return sampled(lambda s: s.axes(ndim))


def indices(shape):
    """Indices into an array of that shape: integers, slices, None, Ellipsis, integer arrays, masks."""
    return sampled(lambda s: s.index(shape))


def windows(rank=2, most=3):
    """Convolution and pooling geometries, floor cases too: a dict of size, kernel, stride, padding, dilation."""
    return sampled(lambda s: s.window(rank, most))


@contextlib.contextmanager
def assuming_differentiable():
    """Inside, a Nondifferentiable makes hypothesis draw another example."""
    from hypothesis import reject

    try:
        yield
    except Nondifferentiable:
        reject()


def _shaped(shape, make):
    def build(s):
        if shape is None:
            return make(s, s.shape())
        return make(s, s.draw(shape) if hasattr(shape, "example") else shape)

    return sampled(build)
