"""Wrong rules on purpose: small errors of the kind that autograd engines really have, and checks that must find each.

A fault replaces one attribute of a class or module while it is planted. `rejected_by` runs the quick checks meanwhile,
the likeliest first, and tells which of them noticed. `python -m minigrad.testing --faults` prints the score;
`--hunt` plants one for you to find.
"""

import contextlib
import math
from dataclasses import dataclass, field
from typing import Any

import numpy

import minigrad
from minigrad import convert, graph, modes, nn, optim
from minigrad.nn import functional
from minigrad.nn import module as modules
from minigrad.ops import activation, conv, elementwise, index, linalg, loss, pool, reduce, select, shape, trigonometry
from minigrad.ops.activation import array_of
from minigrad.ops.broadcast import unbroadcast
from minigrad.ops.norm import Normalize, batch_norm
from minigrad.testing import check_contracts, check_grad, check_properties, registry
from minigrad.testing.gradcheck import Nondifferentiable
from minigrad.testing.source import Seeded


@dataclass(frozen=True)
class Fault:
    """One wrong rule: `what` is wrong, in `attribute` of `target`; `first` names the checks that are tried first."""

    name: str
    what: str
    target: Any
    attribute: str
    replacement: Any = field(repr=False)
    first: tuple = ()

    @contextlib.contextmanager
    def planted(self):
        """Inside, the rule is wrong."""
        missing = object()
        before = vars(self.target).get(self.attribute, missing)
        setattr(self.target, self.attribute, self.replacement)
        try:
            yield self
        finally:
            if before is missing:
                delattr(self.target, self.attribute)
            else:
                setattr(self.target, self.attribute, before)

    @property
    def place(self):
        """Where to look, as `module.Class.attribute`."""
        name = self.target.__name__
        return (
            f"{self.target.__module__}.{name}.{self.attribute}"
            if isinstance(self.target, type)
            else f"{name}.{self.attribute}"
        )


FAULTS = []


def wrong(name, what, target, replacement, attribute="backward", first=()):
    """Add a fault."""
    if not hasattr(target, attribute):
        raise AttributeError(f"fault {name}: {target.__name__} has no {attribute}; plant it where the rule is now")
    FAULTS.append(Fault(name, what, target, attribute, replacement, (first,) if isinstance(first, str) else first))


def changed(op, change, position=0):
    """op's backward, with result `position` replaced by change(result, op, g, *kept)."""
    original = op.backward

    def backward(self, g, *kept):
        results = list(original(self, g, *kept))
        if results[position] is not None:
            results[position] = change(results[position], self, g, *kept)
        return tuple(results)

    return backward


def ones(self, count=2):
    """self.needs, also where the sweep left it out because there is one input."""
    return getattr(self, "needs", [True] * count)


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

# Nonlinearities.

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

# Shapes and indices.

wrong("reshape-order", "the gradient of reshape comes back in reverse order", shape.Reshape,
      lambda self, g: (shape.flip(g.reshape(-1), 0).reshape(self.source),))
wrong("permute-not-inverted", "a shuffled axis: the gradient is permuted as the input was, not back", shape.Permute,
      lambda self, g: (shape.permute(g, self.dims),))
wrong("broadcast-average", "broadcast_to divides the gradient by the number of copies", shape.BroadcastTo,
      changed(shape.BroadcastTo, lambda r, self, g: r * (math.prod(self.source) / max(math.prod(g.shape), 1))))
wrong("cat-shifted", "every piece of cat gets the first piece's gradient", shape.Cat, lambda self, g: tuple(
    g[(*(slice(None),) * self.dim, slice(0, n))] for n in self.lengths))
wrong("pad-mirrored", "the gradient of pad is cut at the wrong ends", shape.Pad,
      lambda self, g: (shape.Pad([(-after, -before) for before, after in self.widths])(g),))
wrong("flip-forgotten", "the gradient of flip is not turned back", shape.Flip, lambda self, g: (g,))
wrong(
    "roll-onward",
    "the gradient of roll is rolled onward",
    shape.Roll,
    lambda self, g: (shape.Roll(self.shifts, self.dims)(g),),
)
wrong("index-overwrites", "accumulate by overwrite: an element read twice gets one gradient only", index.PutItem,
      lambda self, x: (setattr(self, "source", x.shape), _overwritten(self, x))[1], "forward", "case gather")
wrong("index-reversed", "an index reads its axis from the wrong end in the second derivative", index.PutItem,
      lambda self, g: (shape.flip(index.GetItem(self.index)(g)),))

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

# Reductions.

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

# Normalisation and losses.

wrong("norm-stale-statistics", "a stale statistic: mean and 1/std are constants to the second derivative", Normalize,
      lambda self, g, x, w=None: _normalize_backward(self, g, x, w, stale=True), first="case layer_norm")
wrong("norm-no-variance", "the slope of a normalisation forgets that the variance depends on x", Normalize,
      lambda self, g, x, w=None: _normalize_backward(self, g, x, w, variance=False), first="case batch_norm")
wrong("norm-zero", "a normalisation has slope 0 (which all-ones cotangents do not see)", Normalize,
      changed(Normalize, lambda r, *_: r * 0.0), first="case batch_norm")
wrong("norm-weight", "the weight's gradient uses x instead of the normalised x", Normalize,
      lambda self, g, x, w=None: _normalize_backward(self, g, x, w, hat=False), first="case layer_norm")
wrong(
    "batch-norm-frozen",
    "a stale statistic: training does not move the running mean and variance",
    functional,
    lambda x, m=None, v=None, *rest, **options: (
        batch_norm(x, None, None, *rest, **options)
        if rest and rest[2:3] == (True,)
        else batch_norm(x, m, v, *rest, **options)
    ),
    "batch_norm",
    "running statistics",
)
wrong(
    "mse-factor", "the squared error lacks a factor 2 in its slope", loss.Mse, changed(loss.Mse, lambda r, *_: r * 0.5)
)
wrong("mse-reduction", "the mean squared error forgets to divide its slope by n", loss.Mse,
      changed(loss.Mse, lambda r, self, *_: r * (1.0 / self.scale)))
wrong(
    "l1-target", "the target of the absolute error has the input's sign", loss.L1, changed(loss.L1, lambda r, *_: -r, 1)
)
wrong("smooth-l1-beta", "smooth_l1's slope ignores beta", loss.SmoothL1,
      lambda self, x, t: minigrad.clamp(x - t, -1.0, 1.0), "slope")
wrong("bce-denominator", "binary cross-entropy lacks 1/(x(1-x)) in its slope", loss.Bce, lambda self, x, t: x - t,
      "slope")
wrong("bce-logits-target", "the target's gradient of bce_with_logits has the wrong sign", loss.BceWithLogits,
      changed(loss.BceWithLogits, lambda r, *_: -r, 1))

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

# The engine.

wrong(
    "leaf-overwrites",
    "accumulate by overwrite: a second backward replaces .grad",
    graph.Leaf,
    lambda self, g, owned: setattr(
        self.tensor(), "grad", g if isinstance(g, minigrad.Tensor) else minigrad.from_numpy(numpy.array(g))
    ),
    "accumulate",
    "accumulation",
)
wrong(
    "leaf-aliases",
    ".grad shares its memory with the cotangent that reached it",
    graph.Leaf,
    lambda self, g, owned: setattr(self.tensor(), "grad", graph.Op.wrap(getattr(g, "array", g))),
    "accumulate",
    "accumulation",
)
wrong("graph-untied", "the second derivative takes everything that an op kept for a constant", graph,
      lambda node, slot, array: array, "_tie", "case Mul")
wrong("writes-unseen", "an input changed after the forward pass is used as it is now", graph,
      lambda node: None, "check_unwritten", "case Mul")
wrong("no-grad-records", "no_grad records a graph all the same", modes.no_grad, True, "value", "switches")
wrong("detach-attached", "detach returns the tensor itself", minigrad.Tensor, lambda self: self, "detach", "switches")
wrong("clone-shares", "clone shares the memory of its source", convert.Clone, lambda self, x: x, "forward", "switches")
wrong(
    "zero-grad-forgets",
    "zero_grad leaves the gradients",
    optim.optimizer,
    lambda p, set_to_none=True: None,
    "forget_grad",
    "zero_grad",
)
wrong(
    "module-zero-grad",
    "Module.zero_grad leaves the gradients",
    modules,
    lambda p, set_to_none=True: None,
    "forget_grad",
    "zero_grad",
)
wrong(
    "dropout-unscaled",
    "dropout does not scale up what stays",
    functional,
    lambda x, p=0.5, training=True: (
        x * (numpy.random.default_rng(0).random(x.shape) >= p).astype(x.dtype) if training else x
    ),
    "dropout",
    "dropout",
)
wrong("dropout-always", "dropout drops in eval mode, too", functional,
      (lambda dropout: lambda x, p=0.5, training=True: dropout(x, p, True))(functional.dropout), "dropout", "dropout")

# Optimisers.


def _adam(self, xp, group, step, p, g, t, exp_avg, exp_avg_sq, correct=True, square=True, inside=False):
    (beta1, beta2), lr = group["betas"], group["lr"]
    if self.decoupled:
        p *= 1 - lr * group["weight_decay"]
    else:
        g = g + group["weight_decay"] * p
    exp_avg[...] = beta1 * exp_avg + (1 - beta1) * g
    exp_avg_sq[...] = beta2 * exp_avg_sq + (1 - beta2) * (g * g if square else abs(g))
    first, second = (1 - beta1 ** step, 1 - beta2 ** step) if correct else (1.0, 1.0)
    root = xp.sqrt(exp_avg_sq / second + group["eps"]) if inside else xp.sqrt(exp_avg_sq / second) + group["eps"]
    p -= lr * (exp_avg / first) / root


def _sgd(self, xp, group, step, p, g, t, momentum_buffer=None, decay=1, nesterov=True, keep=1):
    g = g + decay * group["weight_decay"] * p
    if momentum_buffer is not None:
        momentum_buffer[...] = keep * group["momentum"] * momentum_buffer + g * (
            1.0 if step == 1 else 1 - group["dampening"]
        )
        g = g + group["momentum"] * momentum_buffer if group["nesterov"] and nesterov else momentum_buffer
    p -= group["lr"] * g


def _rmsprop(
    self, xp, group, step, p, g, t, square_avg, grad_avg=None, momentum_buffer=None, swapped=False, centred=True
):
    alpha = 1 - group["alpha"] if swapped else group["alpha"]
    g = g + group["weight_decay"] * p
    square_avg[...] = alpha * square_avg + (1 - alpha) * g * g
    root = square_avg
    if grad_avg is not None:
        grad_avg[...] = alpha * grad_avg + (1 - alpha) * g
        root = square_avg - grad_avg ** 2 if centred else square_avg
    t[...] = g / (xp.sqrt(root) + group["eps"])
    if momentum_buffer is not None:
        momentum_buffer[...] = group["momentum"] * momentum_buffer + t
        t[...] = momentum_buffer
    p -= group["lr"] * t


def _with(update, **options):
    return lambda *arguments, **state: update(*arguments, **state, **options)


wrong(
    "adam-uncorrected",
    "an Adam without bias correction",
    optim.Adam,
    _with(_adam, correct=False),
    "update",
    "optimisers",
)
wrong(
    "adam-unsquared",
    "Adam's second moment averages |g| instead of g**2",
    optim.Adam,
    _with(_adam, square=False),
    "update",
    "optimisers",
)
wrong("adam-eps-inside", "Adam adds eps under the root", optim.Adam, _with(_adam, inside=True), "update", "optimisers")
wrong(
    "adamw-coupled", "AdamW adds its decay to the gradient, as Adam does", optim.AdamW, False, "decoupled", "optimisers"
)
wrong(
    "sgd-decay-sign", "SGD's weight decay grows the weights", optim.SGD, _with(_sgd, decay=-1), "update", "optimisers"
)
wrong("sgd-no-nesterov", "SGD ignores nesterov", optim.SGD, _with(_sgd, nesterov=False), "update", "optimisers")
wrong("sgd-forgets", "SGD's momentum forgets all earlier steps", optim.SGD, _with(_sgd, keep=0), "update", "optimisers")
wrong(
    "rmsprop-swapped",
    "RMSprop weighs old and new the wrong way round",
    optim.RMSprop,
    _with(_rmsprop, swapped=True),
    "update",
    "optimisers",
)
wrong(
    "rmsprop-uncentred",
    "RMSprop ignores centered",
    optim.RMSprop,
    _with(_rmsprop, centred=False),
    "update",
    "optimisers",
)
wrong(
    "optimiser-restarts",
    "load_state_dict forgets the number of steps",
    optim.Optimizer,
    (
        lambda load: (
            lambda self, state: load(self, {**state, "state": {k: {**v, "step": 0} for k, v in state["state"].items()}})
        )
    )(optim.Optimizer.load_state_dict),
    "load_state_dict",
    "optimisers",
)


def _overwritten(self, x):
    y = numpy.zeros(self.shape, x.dtype)
    y[self.index] = x
    return y


def _normalize_backward(self, g, x, w, stale=False, variance=True, hat=True):
    centred = x - (self.mean if stale else reduce.mean(x, self.axes, True))
    scale = self.scale if stale else 1.0 / minigrad.sqrt(reduce.mean(centred * centred, self.axes, True) + self.eps)
    normal = centred * scale
    gy = g if w is None else g * w.reshape(self.shape)
    gx = gy - reduce.mean(gy, self.axes, True)
    if variance:
        gx = gx - normal * reduce.mean(gy * normal, self.axes, True)
    kept = unbroadcast(g * 1.0, self.shape).reshape(-1)
    gw = None if w is None else unbroadcast(g * (normal if hat else x), self.shape).reshape(w.shape)
    gb = None if len(self.parents) == 1 else kept.reshape(self.shape if w is None else w.shape)
    return (scale * gx, gw, gb)[:len(self.parents)]


# The checks.


def check_case(case, seeds=range(8)):
    """Derivatives of one case at a few samples, then properties and contracts at the first of them."""
    for seed in seeds:
        arrays, options = case.draw(Seeded(seed))
        with contextlib.suppress(Nondifferentiable):
            check_grad(case.bind(options), *arrays, order=case.order, seed=seed)
    for seed in seeds[:2]:
        arrays, options = case.draw(Seeded(seed))
        if case.order > 1:
            check_properties(case.bind(options), *arrays, seed=seed)
        check_contracts(case.bind(options), *arrays, seed=seed, edges=False)


def expect(found, expected, what):
    """Raise AssertionError unless two values agree."""
    found, expected = (numpy.asarray(getattr(v, "array", v), "float64") for v in (found, expected))
    if found.shape != expected.shape or not numpy.allclose(found, expected, 1e-9, 1e-12):
        raise AssertionError(f"{what}: {found.tolist()}, expected {expected.tolist()}")


def slope(f, *values):
    """The gradient of f's sum at a vector."""
    x = minigrad.tensor(numpy.array(values), requires_grad=True)
    return minigrad.autograd.grad(f(x).sum(), x)[0]


def check_conventions():
    """Ties and kinks: PyTorch's choices."""
    expect(slope(minigrad.relu, 0.0, 1.0, -1.0), [0, 1, 0], "relu' at 0, 1, -1")
    expect(slope(minigrad.amax, 2.0, 2.0, 1.0), [0.5, 0.5, 0], "the gradient of amax at a tie")
    expect(slope(lambda x: minigrad.maximum(x, 1.0), 1.0, 2.0, 0.0), [0.5, 1, 0], "the gradient of maximum at a tie")
    expect(slope(minigrad.amin, 2.0, 3.0, 1.0), [0, 0, 1], "the gradient of amin")
    expect(slope(lambda x: x.clamp(0.0, 1.0), 0.0, 1.0, 2.0), [1, 1, 0], "the gradient of clamp at its bounds")
    expect(slope(minigrad.norm, 0.0, 0.0), [0, 0], "the gradient of the norm at 0")
    expect(minigrad.amin(minigrad.tensor([3.0, 1.0])), 1.0, "amin of 3 and 1")


def check_accumulation():
    """`.grad` adds up, over uses and over calls, and belongs to nobody else."""
    x = minigrad.tensor(numpy.array([1.0, 2.0]), requires_grad=True)
    y = x * x + x * 3.0
    y.sum().backward(retain_graph=True)
    expect(x.grad, [5, 7], "x.grad of x**2 + 3x")
    y.sum().backward()
    expect(x.grad, [10, 14], "x.grad after a second backward")
    a, b = (minigrad.tensor(numpy.ones(2), requires_grad=True) for _ in range(2))
    seed = minigrad.tensor(numpy.array([1.0, 2.0]))
    (a + b).backward(seed)
    a.grad.mul_(10.0)
    expect(b.grad, [1, 2], "b.grad after a.grad was changed")
    expect(seed, [1, 2], "the cotangent after a.grad was changed")


def check_switches():
    """no_grad, detach and clone do what their names say."""
    x = minigrad.tensor(numpy.array([1.0, 2.0]), requires_grad=True)
    with modes.no_grad():
        if (x * 2.0).requires_grad:
            raise AssertionError("an op under no_grad gave a tensor with a graph")
    if (x * 2.0).detach().requires_grad:
        raise AssertionError("a detached tensor carries a graph")
    copied = minigrad.tensor([1.0, 2.0])
    copied.clone().zero_()
    expect(copied, [1, 2], "a tensor after its clone was set to zero")


def check_zero_grad():
    """Gradients are forgotten on demand."""
    layer = nn.Linear(2, 1)
    for forget in (layer.zero_grad, optim.SGD(layer.parameters(), lr=0.1).zero_grad):
        layer(minigrad.ones(1, 2)).sum().backward()
        forget()
        if layer.weight.grad is not None:
            raise AssertionError("a gradient outlived zero_grad")


def check_dropout():
    """Dropout keeps the mean in training and does nothing in eval mode."""
    layer, x = nn.Dropout(0.5), minigrad.ones(4000)
    expect(abs(layer(x).mean().item() - 1) < 0.2, True, "whether dropout keeps the mean")
    expect(layer.eval()(x), x, "dropout in eval mode")


def check_running_statistics():
    """A batch norm's running statistics move towards the batch's, and serve in eval mode."""
    layer = nn.BatchNorm1d(1).double()
    x = minigrad.tensor(numpy.array([[1.0], [2.0], [6.0]]))
    layer(x)
    expect(layer.running_mean, [0.3], "the running mean after one batch of mean 3")
    expect(layer.running_var, [0.9 + 0.7], "the running variance after one batch of variance 7")
    expect(layer.eval()(x), (x.numpy() - 0.3) / math.sqrt(1.6 + 1e-5), "eval mode")


def check_optimisers():
    """Three steps of every optimiser, by the formulas of the papers, over a state dict's round trip."""
    for name, options in (
        ("SGD", dict(lr=0.1, weight_decay=0.2)),
        ("SGD", dict(lr=0.1, momentum=0.9, nesterov=True)),
        ("SGD", dict(lr=0.1, momentum=0.9, dampening=0.3)),
        ("RMSprop", dict(centered=True, momentum=0.5)),
        ("RMSprop", dict(alpha=0.9)),
        ("Adam", dict(eps=1e-2)),
        ("AdamW", dict(weight_decay=0.3)),
    ):
        p = nn.Parameter(minigrad.tensor(numpy.array([1.0, -2.0])))
        optimiser, state, expected = getattr(optim, name)([p], **options), {}, numpy.array([1.0, -2.0])
        for step in range(1, 5):
            g = numpy.array([0.5, -1.5]) * step
            p.grad = minigrad.tensor(g)
            optimiser.step()
            expected = _reference_step(name, {**optimiser.defaults}, expected, g, state, step)
            expect(p, expected, f"{name} {options} after step {step}")
            if step == 2:
                saved, optimiser = optimiser.state_dict(), getattr(optim, name)([p], **options)
                optimiser.load_state_dict(saved)


def _reference_step(name, o, p, g, s, step):
    if name == "AdamW":
        p = p * (1 - o["lr"] * o["weight_decay"])
    else:
        g = g + o["weight_decay"] * p
    if name == "SGD":
        if o["momentum"]:
            s["m"] = g if step == 1 else o["momentum"] * s["m"] + (1 - o["dampening"]) * g
            g = g + o["momentum"] * s["m"] if o["nesterov"] else s["m"]
        return p - o["lr"] * g
    if name == "RMSprop":
        a = o["alpha"]
        s["v"], s["g"] = a * s.get("v", 0) + (1 - a) * g * g, a * s.get("g", 0) + (1 - a) * g
        move = g / (numpy.sqrt(s["v"] - s["g"] ** 2 * bool(o["centered"])) + o["eps"])
        s["b"] = o["momentum"] * s.get("b", 0) + move
        return p - o["lr"] * s["b"]
    b, c = o["betas"]
    s["m"], s["v"] = b * s.get("m", 0) + (1 - b) * g, c * s.get("v", 0) + (1 - c) * g * g
    return p - o["lr"] * (s["m"] / (1 - b ** step)) / (numpy.sqrt(s["v"] / (1 - c ** step)) + o["eps"])


def checks():
    """All quick checks, name -> function without arguments."""
    named = {"conventions": check_conventions, "accumulation": check_accumulation, "switches": check_switches,
             "zero_grad": check_zero_grad, "dropout": check_dropout, "running statistics": check_running_statistics,
             "optimisers": check_optimisers}
    return named | {f"case {c.name}": (lambda c=c: check_case(c)) for c in registry.load()}


def in_order(fault, names):
    """Names of checks, those that look at the fault's place first."""
    near = [f"case {c.name}" for c in registry.load() if c.op is fault.target]
    first = [name for name in (*fault.first, *near) if name in names]
    return [*first, *(name for name in names if name not in first)]


def run(check):
    """None, or what the check has to say, in one line. Whatever it raises counts."""
    try:
        with numpy.errstate(all="ignore"):
            check()
    except Exception as error:  # a fault may show as any error at all
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return None


def rejected_by(fault):
    """(name of the first check that notices the planted fault, what it says), or None if all are content."""
    every = checks()
    with fault.planted():
        for name in in_order(fault, every):
            said = run(every[name])
            if said:
                return name, said
    return None
