"""Losses: a difference between an input and a target, left as it is, averaged or summed.

`reduction` is "none", "mean" or "sum"; `size_average` and `reduce` are the two switches that it once was. The mean of
nothing is NaN. Conventions are PyTorch's: `bce` clamps its logarithms at -100, `cross_entropy` takes logits, class axis
1 (0 for one sample), and class indices or probabilities.
"""

from minigrad.backend import array_module, backend_of
from minigrad.graph import Handle, Op
from minigrad.modes import mode
from minigrad.ops.activation import array_of, sigmoid, softplus
from minigrad.ops.checks import floating_only, whole
from minigrad.ops.elementwise import log, log1p
from minigrad.ops.half import in_single
from minigrad.ops.index import gather
from minigrad.ops.reduce import log_softmax
from minigrad.ops.reduce import mean as mean_of
from minigrad.ops.reduce import sum as sum_of
from minigrad.ops.select import clamp, where

REDUCTIONS = ("mean", "sum", "none")


class Loss(Op):
    """An elementwise loss and its reduction in one op: one node a training step instead of four.

    A subclass gives `value(x, target)` on arrays, and its derivatives `slope` and `target_slope`.
    """
    keep = (0, 1)
    fix = "the input and the target must have the same shape"

    def __init__(self, reduction="mean", size_average=None, reduce=None):
        if reduction not in REDUCTIONS or size_average is not None or reduce is not None:
            reduction = reduction_of(type(self).__name__, reduction, size_average, reduce)
        self.reduction = reduction

    def forward(self, x, target):
        if x.shape != target.shape:
            raise ValueError(f"the input has shape {x.shape} and the target {target.shape}")
        each = self.value(x if x.dtype.kind == "f" else self.floats(x, target), target)
        if self.reduction == "none":
            self.scale = 1.0
            return each
        self.scale = 1.0 if self.reduction == "sum" else 1.0 / each.size if each.size else float("nan")
        total = each.sum() if each.ndim != 1 else backend_of(each).vector_sum(each)
        return total * self.scale if self.reduction == "mean" else total

    def backward(self, g, x, target):
        g = g * self.scale
        return (g * self.slope(x, target) if self.needs[0] else None,
                g * self.target_slope(x if x.dtype.kind == "f" else self.floats(x, target), target) if self.needs[1]
                else None)

    def floats(self, x, target):
        """x, integers in the dtype of a floating target; two integer tensors are refused."""
        if x.dtype.kind not in "biu":  # complex, in checks by complex steps
            return x
        if target.dtype.kind in "biu":
            raise TypeError(f"{type(self).__name__}: the input is {x.dtype} and the target {target.dtype}; call "
                            ".float() on one of them first")
        return x.astype(target.dtype)


class Mse(Loss):
    """(x - t)**2"""

    def value(self, x, t):
        d = x - t
        return d * d

    def slope(self, x, t):
        d = x - t
        return d + d  # a sum of arrays costs half of 2 * d

    def target_slope(self, x, t):
        return self.slope(t, x)


class L1(Loss):
    """|x - t|, with slope 0 where they are equal"""

    def value(self, x, t):
        return array_module(x).abs(x - t)

    def slope(self, x, t):
        difference = array_of(x) - array_of(t)
        return array_module(difference).sign(difference)

    def target_slope(self, x, t):
        return -self.slope(x, t)


class SmoothL1(Loss):
    """d**2 / (2 beta) where d = |x - t| < beta, else d - beta/2 (Girshick 2015)"""

    def __init__(self, reduction="mean", size_average=None, reduce=None, beta=1.0):
        super().__init__(reduction, size_average, reduce)
        if not beta > 0:
            raise ValueError(f"SmoothL1: beta is {beta}; use a positive one, or l1_loss")
        self.beta = beta

    def value(self, x, t):
        xp = array_module(x)
        d = xp.abs(x - t)
        near = xp.minimum(d, self.beta)
        return near * near * (0.5 / self.beta) + (d - near)

    def slope(self, x, t):
        return clamp((x - t) * (1 / self.beta), -1.0, 1.0)

    def target_slope(self, x, t):
        return clamp((t - x) * (1 / self.beta), -1.0, 1.0)


class Bce(Loss):
    """-(t ln x + (1 - t) ln(1 - x)), each logarithm at least -100"""

    def value(self, x, t):
        xp, backend = array_module(x), backend_of(x)
        one, least = backend.number(1, x.dtype), backend.number(-100, x.dtype)
        ln_x, ln_rest = xp.log(x), xp.log1p(-x)  # ln 0 is what the bound is for
        each = (t - one) * xp.maximum(ln_rest, least) - t * xp.maximum(ln_x, least)
        total = each.sum()  # NaN if one is: if x is NaN, below 0 or above 1, or the target strange
        if total != total and not (x.min() >= 0 and x.max() <= 1):
            raise ValueError(f"the input reaches from {x.min()} to {x.max()} and must be probabilities in 0..1 (end "
                             "the network with a sigmoid, or use bce_with_logits)")
        return each

    def slope(self, x, t):
        spread = x * (1 - x)
        floor = clamp if isinstance(spread, Handle) else array_module(spread).maximum  # clamp would also keep a mask
        return (x - t) / floor(spread, 1e-12)

    def target_slope(self, x, t):
        return clamp(log1p(-x), -100) - clamp(log(x), -100)


class BceWithLogits(Loss):
    """-(t ln s + (1 - t) ln(1 - s)) with s = sigmoid(x), as max(x, 0) - x t + ln(1 + e**-|x|)"""

    def value(self, x, t):
        xp = array_module(x)
        return xp.maximum(x, 0) - x * t + xp.log1p(xp.exp(-xp.abs(x)))

    def slope(self, x, t):
        return sigmoid(x) - t

    def target_slope(self, x, t):
        return -x


def reduction_of(name, reduction, size_average=None, reduce=None):
    """`reduction`, or what PyTorch's two old switches say: both True by default, "mean"; the first False, "sum"."""
    if size_average is not None or reduce is not None:
        for word, value in (("size_average", size_average), ("reduce", reduce)):
            if not isinstance(value, (bool, int, type(None))):
                raise ValueError(f"{name}: {word} is {value!r}; give True or False, or say reduction={value!r}")
        reduction = "none" if reduce is not None and not reduce else "sum" if size_average is not None and \
            not size_average else "mean"
    if reduction not in REDUCTIONS:
        raise ValueError(f"{name}: reduction is {reduction!r}; use one of {REDUCTIONS}")
    return reduction


@in_single
def mse_loss(x, target, size_average=None, reduce=None, reduction="mean"):
    """The squared difference of two tensors of one shape.

    >>> from minigrad import tensor
    >>> mse_loss(tensor([1., 2.]), tensor([1., 4.]))
    tensor(2.)
    """
    return Mse(reduction, size_average, reduce)(x, target)


@in_single
def l1_loss(x, target, size_average=None, reduce=None, reduction="mean"):
    """The absolute difference of two tensors of one shape."""
    return L1(reduction, size_average, reduce)(x, target)


@in_single
def smooth_l1_loss(x, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """Squared below beta, absolute above: robust against outliers."""
    op = SmoothL1(reduction, size_average, reduce, beta) if beta else L1(reduction, size_average, reduce)
    return op(x, target)


@in_single
def bce(x, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """Binary cross-entropy of probabilities x in 0..1, its logarithms clamped at -100 (so the loss is at most 100).

    ValueError if x leaves 0..1. `weight` multiplies each element before the reduction.
    """
    if weight is None:
        return Bce(reduction, size_average, reduce)(x, target)
    each = _weighed("bce", Bce("none")(x, target), weight)
    return reduced(each, reduction_of("bce", reduction, size_average, reduce))


@in_single
def bce_with_logits(x, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None):
    """Binary cross-entropy of sigmoid(x), exact for logits of any size. `pos_weight` multiplies the positive part."""
    if weight is None and pos_weight is None:
        return BceWithLogits(reduction, size_average, reduce)(x, target)
    reduction = reduction_of("bce_with_logits", reduction, size_average, reduce)
    if x.shape != target.shape:
        raise ValueError(f"bce_with_logits: the input has shape {tuple(x.shape)} and the target {tuple(target.shape)}; "
                         "give both one shape")
    if pos_weight is None:
        each = BceWithLogits("none")(x, target)
    else:
        each = (1 - target) * x + (1 + (pos_weight - 1) * target) * softplus(-x, threshold=float("inf"))
    return reduced(_weighed("bce_with_logits", each, weight), reduction)


@in_single
def nll_loss(x, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
    """The negative of the log-probability of each sample's class.

    x (N, C, ...) or (C,) log-probabilities; target (N, ...) or () int64 in 0..C-1, or `ignore_index`: such a row adds
    nothing, whatever is in it. `weight` (C,) weighs the classes, and the mean with it.
    """
    reduction = reduction_of("nll_loss", reduction, size_average, reduce)
    floating_only("nll_loss", x)
    labels, counted = _labels("nll_loss", x, target, weight, ignore_index)
    return _picked(_counted_rows(x, counted), labels, counted, weight, reduction)


def _axis(x):
    """The axis of the classes."""
    return 0 if len(x.shape) == 1 else 1


def _labels(name, x, target, weight, ignore_index):
    """The target as an array, 0 where it is ignored, and where it counts."""
    axis, labels = _axis(x), array_of(target)
    classes = x.shape[axis]
    if labels.dtype.kind not in "iu":
        raise TypeError(f"{name}: the target is {labels.dtype}; give class indices as int64 (.long())")
    if labels.shape != x.shape[:axis] + x.shape[axis + 1:]:
        raise ValueError(f"{name}: the input has shape {tuple(x.shape)} and the target {labels.shape}; the target "
                         "has the input's shape without the class axis")
    _check_weight(name, weight, classes)
    if mode.grad and getattr(weight, "node", None) is not None:
        raise RuntimeError(f"{name}: the weight wants a gradient, and gets none beside class indices; give its "
                           "detach()")
    counted = labels != (ignore_index if type(ignore_index) is int else whole(name, "ignore_index", ignore_index))
    bad = counted & ((labels < 0) | (labels >= classes))
    if bad.any():
        raise IndexError(f"{name}: a target is {labels[bad].flat[0]}; classes go from 0 to {classes - 1}")
    return array_module(labels).where(counted, labels, 0), counted


def _check_weight(name, weight, classes):
    if not classes:
        raise ValueError(f"{name}: the input has no classes; give it one or more")
    if weight is not None and tuple(weight.shape) != (classes,):
        raise ValueError(f"{name}: the weight has shape {tuple(weight.shape)}; give one a class, ({classes},)")


def _counted_rows(x, counted):
    """x with zeros for the classes of what does not count: NaN and inf there are to reach neither loss nor gradient."""
    return x if counted.all() else where(array_module(counted).expand_dims(counted, _axis(x)), x, 0.0)


def _picked(logp, labels, counted, weight, reduction):
    """The reduced negatives of the log-probabilities that the labels pick."""
    share = as_array_of(logp, counted)
    if weight is not None:
        share = share * array_of(weight)[labels]
    axis = _axis(logp)
    each = -gather(logp, axis, array_module(labels).expand_dims(labels, axis)).reshape(labels.shape) * share
    if reduction == "none":
        return each if counted.all() else where(counted, each, 0.0)
    total = sum_of(each)
    return total if reduction == "sum" else total / nan_if_zero(share.sum())


@in_single
def cross_entropy(x, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean",
                  label_smoothing=0.0):
    """The cross-entropy of the logits x (N, C, ...) or (C,) with classes (int64) or class probabilities (x's shape).

    Rows whose class is `ignore_index` add nothing, whatever is in them.

    >>> from minigrad import zeros, tensor
    >>> cross_entropy(zeros(1, 10), tensor([3]))
    tensor(2.3026)
    """
    reduction = reduction_of("cross_entropy", reduction, size_average, reduce)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing is {label_smoothing}; use 0 to 1")
    floating_only("cross_entropy", x)
    axis = _axis(x)
    classes = x.shape[axis]
    if target.dtype.kind != "f":
        labels, counted = _labels("cross_entropy", x, target, weight, ignore_index)
        logp = log_softmax(_counted_rows(x, counted), axis)
        hard = _picked(logp, labels, counted, weight, reduction)
        if not label_smoothing:
            return hard
        share = as_array_of(x, counted)
        if weight is None:
            smooth, total = -sum_of(logp, axis) * share, share.sum()
        else:
            w = array_of(weight)
            smooth, total = -sum_of(logp * along(w, logp, axis), axis) * share, (w[labels] * share).sum()
        smooth = smooth if reduction == "none" else sum_of(smooth) / (nan_if_zero(total) if reduction == "mean" else 1)
        return hard * (1 - label_smoothing) + smooth * (label_smoothing / classes)
    if target.shape != x.shape:
        raise ValueError(f"cross_entropy: the logits have shape {tuple(x.shape)} and the probabilities "
                         f"{tuple(target.shape)}; give one probability a logit, or int64 classes")
    _check_weight("cross_entropy", weight, classes)
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    logp = log_softmax(x, axis)
    each = -sum_of(logp * target if weight is None else logp * target * along(weight, logp, axis), axis)
    return reduced(each, reduction)


def along(vector, x, axis):
    """A vector shaped so that it broadcasts along one axis of x."""
    return vector.reshape(tuple(-1 if i == axis else 1 for i in range(len(x.shape))))


def as_array_of(x, mask):
    """A mask as an array of zeros and ones in x's dtype."""
    return mask.astype(x.dtype)


def nan_if_zero(total):
    """A sum of weights to divide by; NaN instead of 0, so that the mean of nothing is NaN without a warning."""
    return array_module(total).where(total == 0, float("nan"), total)


def _weighed(name, each, weight):
    """Each loss times its weight, if there is one."""
    weighed = each if weight is None else each * weight
    if weighed.shape != each.shape:
        raise ValueError(f"{name}: the weight has shape {tuple(weight.shape)}, which does not broadcast to the losses' "
                         f"{tuple(each.shape)}; give one a loss, or fewer")
    return weighed


def reduced(each, reduction):
    return each if reduction == "none" else mean_of(each) if reduction == "mean" else sum_of(each)
