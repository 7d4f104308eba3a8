"""Wrong rules of matrix products, convolution and pooling."""

import numpy

import minigrad
from minigrad.ops import conv, linalg, pool, shape
from minigrad.ops.activation import array_of
from minigrad.testing.faults.fault import changed, wrong

# Matrix products.

wrong("matmul-transpose", "the gradient of x lacks a transpose of y", linalg.Matmul,
      lambda self, g, x, y: (g @ y, minigrad.matmul(x.swapaxes(-1, -2), g)))
wrong(
    "matmul-scaled",
    "the gradient of the second matrix is halved",
    linalg.Matmul,
    changed(linalg.Matmul, lambda r, *_: r * 0.5, 1),
)
wrong(
    "linear-bias-mean",
    "the bias gets the mean over the batch instead of the sum",
    linalg.Linear,
    lambda self, g, x, w: (
        g.dot(w) if len(x.shape) == 1 else (g.reshape(-1, g.shape[-1]).dot(w)).reshape(x.shape),
        g.reshape(-1, g.shape[-1]).T.dot(x.reshape(-1, x.shape[-1])),
        g.reshape(-1, g.shape[-1]).mean(0),
    )[: len(self.parents)],
)
wrong(
    "linear-weight-constant",
    "the second derivative of linear takes the weight for a constant",
    linalg.Linear,
    changed(
        linalg.Linear,
        lambda r, self, g, x, w: (
            g.dot(array_of(w))
            if len(g.shape) == 1 and not isinstance(g, minigrad.Tensor)
            else minigrad.matmul(g, minigrad.tensor(array_of(w)) if isinstance(g, minigrad.Tensor) else w)
        ),
    ),
)
wrong("einsum-factor", "einsum's gradient forgets one of its factors", linalg.Einsum,
      changed(linalg.Einsum, lambda r, self, g, *xs: r * 0 + g.sum() if len(xs) > 1 else r))


# Convolution and pooling.

wrong("conv-weight-missing", "the weight of a convolution gets twice its gradient", conv.Conv2d,
      changed(conv.Conv2d, lambda r, *_: r * 2.0, 1))
wrong("conv-bias-mean", "a convolution's bias gets the mean instead of the sum", conv.Conv2d,
      lambda self, g, x, w: (conv.ConvTranspose2d(self.geometry)(g, w), conv.ConvWeight2d(self.geometry)(x, g),
                             conv.pixels(g).mean(0))[:len(self.parents)])
wrong(
    "conv-unflipped",
    "a transposed convolution's input gets a gradient from a kernel turned round",
    conv.ConvTranspose2d,
    changed(conv.ConvTranspose2d, lambda r, self, h, g, w: conv.Conv2d(self.geometry)(h, shape.flip(w, (2, 3)))),
)
wrong("max-pool-spread", "every pixel of a max pooling's window gets the gradient", pool.MaxPool2d, lambda self, g: (
    pool.SpreadAverage(self.geometry, numpy.ones(self.geometry.windows))(g),))
wrong("avg-pool-unscaled", "mean pooling has the slope of sum pooling", pool.AvgPool2d,
      lambda self, g: (pool.SpreadAverage(self.geometry, numpy.ones(self.geometry.windows))(g),))
