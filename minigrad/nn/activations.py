"""The activations and losses as modules, one line each onto `nn.functional`."""

from minigrad import ops
from minigrad.nn import functional as F
from minigrad.nn.module import Module


class Sigmoid(Module):
    """1 / (1 + e**-x)"""

    def op(self):
        """The op that this module applies, for a layer before it to apply at once."""
        return ops.activation.Sigmoid()

    def forward(self, x):
        return ops.sigmoid(x)


class Tanh(Module):
    """The hyperbolic tangent."""

    def op(self):
        """The op that this module applies, for a layer before it to apply at once."""
        return ops.activation.Tanh()

    def forward(self, x):
        return ops.tanh(x)


class ReLU(Module):
    """max(x, 0)"""

    def __init__(self, inplace=False):
        super().__init__()

    def op(self):
        """The op that this module applies, for a layer before it to apply at once."""
        return ops.activation.Relu()

    def forward(self, x):
        return ops.relu(x)


class LeakyReLU(Module):
    """x where positive, else negative_slope * x"""

    def __init__(self, negative_slope=0.01, inplace=False):
        super().__init__()
        self.negative_slope = negative_slope

    def op(self):
        """The op that this module applies, for a layer before it to apply at once."""
        return ops.activation.LeakyRelu(self.negative_slope)

    def forward(self, x):
        return ops.leaky_relu(x, self.negative_slope)

    def extra_repr(self):
        return f"negative_slope={self.negative_slope}"


class ELU(Module):
    """x where positive, else alpha * (e**x - 1)"""

    def __init__(self, alpha=1.0, inplace=False):
        super().__init__()
        self.alpha = alpha

    def forward(self, x):
        return ops.elu(x, self.alpha)

    def extra_repr(self):
        return f"alpha={self.alpha}"


class GELU(Module):
    """x times the normal distribution function; approximate="tanh" takes the tanh form"""

    def __init__(self, approximate="none"):
        super().__init__()
        self.approximate = approximate

    def forward(self, x):
        return ops.gelu(x, self.approximate)

    def extra_repr(self):
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """x * sigmoid(x)"""

    def forward(self, x):
        return ops.silu(x)


class Softplus(Module):
    """ln(1 + e**(beta x)) / beta; x itself above the threshold"""

    def __init__(self, beta=1.0, threshold=20.0):
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, x):
        return ops.softplus(x, self.beta, self.threshold)

    def extra_repr(self):
        return f"beta={self.beta}, threshold={self.threshold}"


class Softmax(Module):
    """e**x / sum e**x along `dim`; without one as `nn.functional.softmax` chooses it"""

    def __init__(self, dim=None):
        super().__init__()
        self.dim = dim

    def forward(self, x):
        return F.softmax(x, self.dim)

    def extra_repr(self):
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """The logarithm of softmax along `dim`"""

    def forward(self, x):
        return F.log_softmax(x, self.dim)


class _Loss(Module):
    """A loss module: what it is called with, beyond (input, target), it was made with.

    `size_average` and `reduce`, where given, say what `reduction` says now: see `ops.loss.reduction_of`.
    """

    function = None

    def __init__(self, size_average=None, reduce=None, reduction="mean", **options):
        super().__init__()
        reduction = ops.loss.reduction_of(type(self).__name__, reduction, size_average, reduce)
        self.options = {"reduction": reduction, **options}
        for name in ("weight", "pos_weight"):
            if name in options:
                self.register_buffer(name, self.options.pop(name))

    def forward(self, x, target):
        if not self._buffers:
            return self.function(x, target, **self.options)
        return self.function(x, target, **self.options, **{name: getattr(self, name) for name in self._buffers})


class MSELoss(_Loss):
    """The squared difference."""

    function = staticmethod(ops.loss.mse_loss)


class L1Loss(_Loss):
    """The absolute difference."""

    function = staticmethod(ops.loss.l1_loss)


class SmoothL1Loss(_Loss):
    """Squared below beta, absolute above."""

    function = staticmethod(ops.loss.smooth_l1_loss)

    def __init__(self, size_average=None, reduce=None, reduction="mean", beta=1.0):
        super().__init__(size_average, reduce, reduction, beta=beta)


class BCELoss(_Loss):
    """Binary cross-entropy of probabilities, its logarithms clamped at -100."""

    function = staticmethod(ops.loss.bce)

    def __init__(self, weight=None, size_average=None, reduce=None, reduction="mean"):
        super().__init__(size_average, reduce, reduction, weight=weight)


class BCEWithLogitsLoss(_Loss):
    """Binary cross-entropy of the sigmoid of logits of any size."""

    function = staticmethod(ops.loss.bce_with_logits)

    def __init__(self, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None):
        super().__init__(size_average, reduce, reduction, weight=weight, pos_weight=pos_weight)


class NLLLoss(_Loss):
    """The negative log-probability of the class."""

    function = staticmethod(ops.loss.nll_loss)

    def __init__(self, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
        super().__init__(size_average, reduce, reduction, weight=weight, ignore_index=ignore_index)


class CrossEntropyLoss(_Loss):
    """The cross-entropy of logits (class axis 1) with classes or probabilities."""

    function = staticmethod(ops.loss.cross_entropy)

    def __init__(self, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean",
                 label_smoothing=0.0):
        super().__init__(size_average, reduce, reduction, weight=weight, ignore_index=ignore_index,
                         label_smoothing=label_smoothing)
