"""Wrong rules of nonlinearities."""

import math

import numpy

import minigrad
from minigrad.ops import activation
from minigrad.ops.activation import array_of
from minigrad.testing.faults.fault import changed, wrong

wrong("tanh-square", "tanh has slope 1 - y", activation.Tanh, lambda self, g, y: (g * (1 - y),))
wrong("tanh-constant", "the second derivative takes tanh x for a constant", activation.Tanh,
      lambda self, g, y: (g * (1 - array_of(y) ** 2),))
wrong("sigmoid-factor", "sigmoid has slope y instead of y (1 - y)", activation.Sigmoid, lambda self, g, y: (g * y,))
wrong("sigmoid-sign", "sigmoid has slope y (1 + y)", activation.Sigmoid, lambda self, g, y: (g * (y + y * y),))
wrong("relu-open", "relu passes gradients of negative inputs", activation.Relu, lambda self, g: (g * 1.0,))
wrong("relu-at-zero", "relu has slope 1 at 0", activation.Relu,
      lambda self, x: (setattr(self, "positive", x >= 0), numpy.maximum(x, 0))[1], "forward", "conventions")
wrong(
    "leaky-closed",
    "leaky_relu has slope 0 on the left",
    activation.LeakyRelu,
    lambda self, g, y=None: (g * (array_of(y) > 0 if self.keep else self.factor == 1),),
)
wrong("elu-alpha", "elu forgets alpha in its slope", activation.Elu,
      lambda self, g, x, y: (g * minigrad.where(array_of(x) > 0, 1.0, y + 1.0),))
wrong("gelu-density", "gelu lacks the term with the density", activation.Gelu,
      lambda self, g, x: (g * (0.5 + 0.5 * activation.erf(x * 0.5 ** 0.5)),))
wrong("gelu-tanh-cubic", "the inner slope of gelu's tanh form lacks its cubic part", activation.GeluTanh,
      changed(activation.GeluTanh, lambda r, self, g, x: r * (1 + 1e-2 * x * x)))
wrong(
    "silu-product",
    "silu lacks half of the product rule",
    activation.Silu,
    lambda self, g, x: (g * activation.sigmoid(x),),
)
wrong("softplus-beta", "softplus ignores beta in its slope", activation.Softplus,
      lambda self, g, x: (g * minigrad.where(self.linear, 1.0, activation.sigmoid(x)),))
wrong("ndtr-width", "the normal density is e**-x**2 instead of e**(-x**2 / 2)", activation.Ndtr,
      lambda self, g, x: (g * minigrad.exp(-x * x) / (2 * math.pi) ** 0.5,))
wrong("erf-scale", "erf lacks 2/sqrt(pi)", activation.Erf, lambda self, g, x: (g * minigrad.exp(-x * x),))
