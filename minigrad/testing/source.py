"""Where random test inputs come from: shapes, axes, indices, geometries and values, all made of random integers.

A `Source` needs one method, `integer(low, high)`. `Seeded` draws it from NumPy, for quick checks on a bare machine;
`strategies.py` draws it from hypothesis, which then shrinks whatever fails. A sample is described once and serves both.
Values are drawn from a seed, itself one integer: they do not shrink, shapes and parameters do.
"""

import numpy


class Source:
    """Random choices for test inputs; subclasses give `integer`."""

    def integer(self, low, high):
        """An integer in low..high, both included; low is the simplest."""
        raise NotImplementedError(f"{type(self).__name__} defines no integer(low, high); draw one there")

    def rng(self):
        """A numpy.random.Generator of its own."""
        return numpy.random.default_rng(self.integer(0, 2**32 - 1))

    def flag(self):
        """True or False; False is the simplest."""
        return bool(self.integer(0, 1))

    def choice(self, options):
        """One of a sequence; the first is the simplest."""
        return options[self.integer(0, len(options) - 1)]

    def permutation(self, n):
        """0..n - 1 in some order."""
        rest = list(range(n))
        return tuple(rest.pop(self.integer(0, len(rest) - 1)) for _ in range(n))

    def shape(self, low=0, high=3, sides=(1, 4)):
        """A shape of low..high axes, each of a size in `sides`."""
        return tuple(self.integer(*sides) for _ in range(self.integer(low, high)))

    def broadcastable(self, count=2, low=0, high=3, sides=(1, 4)):
        """`count` shapes that broadcast against each other: axes of size 1, and missing axes in front."""
        full = self.shape(low, high, sides)
        shapes = []
        for _ in range(count):
            kind = self.integer(0, 2)  # as it is, some axes of size 1, some axes missing in front
            start = self.integer(0, len(full)) if kind == 2 else 0
            shapes.append(tuple(1 if kind and self.flag() else n for n in full[start:]))
        return shapes

    def axis(self, ndim):
        """An axis, counted from either end."""
        return self.integer(-ndim, ndim - 1) if ndim else self.choice((0, -1))

    def axes(self, ndim):
        """None, an axis, or a tuple of different axes."""
        kind = self.integer(0, 2)
        if kind == 0 or not ndim:
            return None
        if kind == 1:
            return self.axis(ndim)
        return tuple(a - ndim * self.integer(0, 1) for a in self.permutation(ndim)[:self.integer(1, ndim)])

    def index(self, shape):
        """An index into an array of that shape: integers, slices, None, ..., integer arrays, or a mask."""
        kind = self.integer(0, 3)
        if kind == 3 and 0 not in shape:
            return self.rng().random(shape) < 0.5
        if kind == 2 and shape and 0 not in shape:
            rows = self.shape(1, 2, (1, 3))
            return tuple(self.rng().integers(-n, n, rows) for n in shape[:self.integer(1, len(shape))])
        parts = [self._part(n) for n in shape[:self.integer(0, len(shape))]]
        if self.flag():
            parts.insert(self.integer(0, len(parts)), None)
        if self.flag():
            parts.append(Ellipsis)
        return tuple(parts)

    def _part(self, n):
        if n and self.flag():
            return self.integer(-n, n - 1)
        step = self.choice((1, 2, -1, -2))
        ends = self.integer(-n, n), self.integer(-n, n)
        return slice(*(end if self.flag() else None for end in ends), step)

    def normal(self, shape, scale=1.0):
        """Draws from N(0, scale**2), float64."""
        return numpy.asarray(self.rng().standard_normal(shape) * scale)

    def uniform(self, shape, low=0.1, high=0.9):
        """Uniform draws between low and high, float64."""
        return numpy.asarray(self.rng().uniform(low, high, shape))

    def away(self, shape, *kinks, margin=0.05, scale=1.5):
        """Draws from N(0, scale**2) that keep `margin` from the `kinks`, which lie more than 4 margins apart."""
        x = self.normal(shape, scale)
        for kink in kinks:
            d = x - kink
            near = numpy.abs(d) < margin
            x = numpy.where(near, kink + numpy.where(d < 0, -1, 1) * (margin + numpy.abs(d)), x)
        return x

    def distinct(self, shape, gap=0.1):
        """Values no two of which are nearer than `gap` / 2, in random order."""
        rng, n = self.rng(), int(numpy.prod(shape))
        values = (rng.permutation(n) - n / 2) * gap + rng.uniform(0, gap / 2, n)
        return values.reshape(shape)

    def labels(self, shape, classes):
        """Integers in 0..classes - 1, int64."""
        return numpy.asarray(self.rng().integers(0, classes, shape))

    def window(self, rank=2, most=3):
        """The geometry of a convolution or pooling: a dict of kernel, stride, padding, dilation and a fitting size.

        Half the time the size is such that the last, incomplete step is cut off (PyTorch's floor).
        """
        kernel = tuple(self.integer(1, most) for _ in range(rank))
        stride = tuple(self.integer(1, 3) for _ in range(rank))
        dilation = tuple(self.integer(1, 2) for _ in range(rank))
        padding = tuple(self.integer(0, k // 2) for k in kernel)
        size = []
        for k, s, d, p in zip(kernel, stride, dilation, padding):
            extent = d * (k - 1) + 1
            spare = self.integer(0, s - 1)
            size.append(max(extent - 2 * p + s * self.integer(0, 2) + spare, 1))
        return {"size": tuple(size), "kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}


class Seeded(Source):
    """A Source that draws from one numpy.random.Generator.

    >>> Seeded(0).shape(2, 2) == Seeded(0).shape(2, 2)
    True
    """

    def __init__(self, seed=0):
        self.generator = numpy.random.default_rng(seed)

    def integer(self, low, high):
        return int(self.generator.integers(low, high + 1))
