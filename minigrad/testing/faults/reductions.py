"""Wrong rules of reductions."""

import math

import minigrad
from minigrad.ops import reduce, shape
from minigrad.ops.activation import array_of
from minigrad.testing.faults.fault import changed, wrong

wrong("sum-as-mean", "sum has the slope of mean", reduce.Sum,
      changed(reduce.Sum, lambda r, self, g: r * (1 / max(math.prod(self.shape), 1))))
wrong("mean-as-sum", "mean has the slope of sum", reduce.Mean, lambda self, g: (
    shape.broadcast_to(g.reshape(self.kept_shape), self.shape),))
wrong(
    "var-factor", "the variance lacks a factor 2 in its slope", reduce.Var, changed(reduce.Var, lambda r, *_: r * 0.5)
)
wrong("var-uncentred", "the slope of the variance uses x instead of x - mean", reduce.Var,
      lambda self, g, x: (g.reshape(self.kept_shape) * (2 * self.scale) * x,))
wrong(
    "var-stale-mean",
    "a stale statistic: the second derivative of the variance takes the mean for a constant",
    reduce.Var,
    lambda self, g, x: (
        g.reshape(self.kept_shape) * (2 * self.scale) * (x - array_of(x).mean(self.axes, keepdims=True)),
    ),
)
wrong("var-correction", "the slope of the variance divides by n, whatever the correction", reduce.Var,
      changed(reduce.Var, lambda r, self, g, x: r * ((1 / self.scale) / (1 / self.scale + self.correction))))
wrong("norm-unscaled", "the slope of the norm is x, not x / norm", reduce.Norm,
      lambda self, g, x, y: (g.reshape(self.kept_shape) * x,))
wrong("norm-constant", "the second derivative of the norm takes the norm for a constant", reduce.Norm,
      lambda self, g, x, y: (g.reshape(self.kept_shape) * (x / array_of(y).reshape(self.kept_shape)),))
wrong("amax-everywhere", "every element gets the gradient of the largest", reduce.Amax,
      lambda self, g: (shape.broadcast_to(g.reshape(self.kept_shape), self.ties.shape) * 1.0,))
wrong("amax-ties", "each of the equal largest elements gets the whole gradient", reduce.Amax,
      lambda self, g: (g.reshape(self.kept_shape) * self.ties,), first="conventions")
wrong("amin-looks-up", "amin answers with the largest", reduce.Amin, "max", "extremum", "conventions")
wrong("logsumexp-unscaled", "logsumexp's slope is e**x, not divided by the sum", reduce.LogSumExp,
      lambda self, g, x, y: (g.reshape(self.kept_shape) * minigrad.exp(x),))
wrong("softmax-diagonal", "softmax keeps the diagonal of its Jacobian only", reduce.Softmax,
      lambda self, g, y: (g * y * (1 - y),))
wrong("softmax-constant", "the second derivative of softmax takes its output for a constant", reduce.Softmax,
      lambda self, g, y: (array_of(y) * (g - (g * array_of(y)).sum(self.dim).reshape(reduce.kept_shape(
          y.shape, (self.dim % max(len(y.shape), 1),)))),))
wrong(
    "log-softmax-missing", "log_softmax passes its gradient as it is", reduce.LogSoftmax, lambda self, g, y: (g * 1.0,)
)
wrong("cumsum-forward", "the gradient of cumsum accumulates in the wrong direction", reduce.CumSum,
      lambda self, g: (reduce.cumsum(g, self.dim),))
