"""Wrong rules of arithmetic, of the elementary functions, and of choosing."""

import math

import minigrad
from minigrad.ops import elementwise, select, trigonometry
from minigrad.ops.activation import array_of
from minigrad.ops.broadcast import unbroadcast
from minigrad.testing.faults.fault import changed, wrong

# Arithmetic and the elementary functions.

wrong("mul-dropped-factor", "the gradient of x lacks the factor y", elementwise.Mul,
      changed(elementwise.Mul, lambda r, self, g, x, y: unbroadcast(g * (y * 0 + 1), x.shape)))
wrong("mul-swapped", "each factor gets its own value for a slope", elementwise.Mul,
      lambda self, g, x, y: (unbroadcast(g * x, x.shape), unbroadcast(g * y, y.shape)))
wrong("missing-unbroadcast", "the gradient of a broadcast input keeps the output's shape", elementwise,
      lambda g, shape: g, "unbroadcast", "case Mul")
wrong(
    "unbroadcast-averages",
    "a broadcast input gets the mean of the gradients instead of their sum",
    elementwise,
    lambda g, shape: unbroadcast(g, shape) * (math.prod(shape) / max(math.prod(g.shape), 1)),
    "unbroadcast",
    "case Add",
)
wrong(
    "unbroadcast-picks-one",
    "a broadcast input gets the gradient of one place only",
    elementwise,
    lambda g, shape: g[(0,) * (len(g.shape) - len(shape)) + tuple(slice(n) for n in shape)],
    "unbroadcast",
    "case Sub",
)
wrong("sub-sign", "the second operand of - gets a gradient of the wrong sign", elementwise.Sub,
      changed(elementwise.Sub, lambda r, *_: -r, 1))
wrong("div-square", "the gradient of the divisor lacks a 1/y", elementwise.Div,
      changed(elementwise.Div, lambda r, self, g, x, y: unbroadcast(-g * x / y, y.shape), 1))
wrong("div-sign", "the gradient of the divisor has the wrong sign", elementwise.Div,
      changed(elementwise.Div, lambda r, *_: -r, 1))
wrong("pow-exponent", "x**y has slope x**(y-1), without the factor y", elementwise.Pow,
      changed(elementwise.Pow, lambda r, self, g, x, y: unbroadcast(g * x ** (y - 1), x.shape)))
wrong("pow-degree", "x**y has slope y * x**y", elementwise.Pow,
      changed(elementwise.Pow, lambda r, self, g, x, y: unbroadcast(g * y * x ** y, x.shape)))
wrong("pow-logarithm", "the slope in the exponent lacks ln x", elementwise.Pow,
      changed(elementwise.Pow, lambda r, self, g, x, y: unbroadcast(g * x ** y, y.shape), 1))
wrong("neg-identity", "-x has slope 1", elementwise.Neg, lambda self, g: (g,))
wrong("exp-dropped", "e**x has slope 1", elementwise.Exp, lambda self, g, y: (g * (y * 0 + 1),))
wrong(
    "exp-constant",
    "the second derivative takes e**x for a constant",
    elementwise.Exp,
    lambda self, g, y: (g * array_of(y),),
)
wrong("log-inverse", "ln x has slope x", elementwise.Log, lambda self, g, x: (g * x,))
wrong("log1p-as-log", "ln(1 + x) has slope 1/x", elementwise.Log1p, lambda self, g, x: (g / x,))
wrong("sqrt-half", "sqrt x lacks the factor 1/2", elementwise.Sqrt, changed(elementwise.Sqrt, lambda r, *_: r * 2.0))
wrong("sqrt-constant", "the second derivative takes sqrt x for a constant", elementwise.Sqrt,
      lambda self, g, y: (0.5 * g / array_of(y),))
wrong("abs-sign", "|x| has slope 1 everywhere", elementwise.Abs, lambda self, g: (g * abs(self.sign),))
wrong("sin-sign", "sin x has slope -cos x", trigonometry.Sin, changed(trigonometry.Sin, lambda r, *_: -r))
wrong("cos-sign", "cos x has slope sin x", trigonometry.Cos, changed(trigonometry.Cos, lambda r, *_: -r))

# Choosing.

wrong("maximum-both", "both operands of maximum get the whole gradient", select.Maximum,
      lambda self, g: (unbroadcast(g, self.shapes[0]), unbroadcast(g, self.shapes[1])))
wrong(
    "maximum-tie",
    "a tie of maximum goes to the first operand",
    select.Maximum,
    lambda self, g: (
        unbroadcast(g * (self.share > 0), self.shapes[0]),
        unbroadcast(g * (self.share == 0), self.shapes[1]),
    ),
    first="conventions",
)
wrong("minimum-swapped", "minimum gives the gradient to the larger one", select.Minimum, lambda self, g: (
    unbroadcast(g * (1 - self.share), self.shapes[0]), unbroadcast(g * self.share, self.shapes[1])))
wrong("clamp-passes", "clamp passes the gradient outside its bounds", select.Clamp, lambda self, g: (g * 1.0,))
wrong("where-swapped", "where gives each branch the other's gradient", select.Where, lambda self, g: (
    unbroadcast(minigrad.where(self.condition, 0.0, g), self.shapes[0]),
    unbroadcast(minigrad.where(self.condition, g, 0.0), self.shapes[1])))
