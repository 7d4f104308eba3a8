"""Similarity of vectors, and losses that ask for a margin between pairs; with them the Huber loss and KL divergence.

`target` of a margin loss is 1 or -1 and gets no gradient. `reduction` and its two old switches are those of
`minigrad.ops.loss`.
"""

import numpy

from minigrad.ops.activation import array_of, softplus
from minigrad.ops.elementary import xlogy
from minigrad.ops.elementwise import exp, sqrt
from minigrad.ops.half import in_single
from minigrad.ops.loss import SmoothL1, reduced, reduction_of
from minigrad.ops.reduce import norm
from minigrad.ops.reduce import sum as sum_of
from minigrad.ops.select import clamp, minimum, where
from minigrad.ops.shape import broadcast_to


@in_single
def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """x1 . x2 / (|x1| |x2|) along an axis; norms below eps count as eps. The other axes broadcast.

    >>> from minigrad import tensor
    >>> cosine_similarity(tensor([[1., 0.], [3., 4.]]), tensor([[0., 2.], [6., 8.]]))
    tensor([0., 1.])
    """
    if x1.shape != x2.shape:  # the lengths are those of what both broadcast to
        shape = numpy.broadcast_shapes(x1.shape, x2.shape)
        x1, x2 = broadcast_to(x1, shape), broadcast_to(x2, shape)
    x1, x2 = (x / clamp(norm(x, 2, dim, True), min=eps) for x in (x1, x2))
    return sum_of(x1 * x2, dim)


@in_single
def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    """The p-norm of x1 - x2 + eps along the last axis."""
    return norm(x1 - x2 + eps, p, -1, keepdim)


@in_single
def huber_loss(x, target, reduction="mean", delta=1.0, weight=None):
    """d**2 / 2 where d = |x - target| < delta, else delta * (d - delta / 2); `weight` multiplies each (Huber 1964)."""
    if not delta > 0:
        raise ValueError(f"huber_loss: delta is {delta}; use a positive one")
    if weight is None:
        return SmoothL1(reduction, beta=delta)(x, target) * delta
    return reduced(SmoothL1("none", beta=delta)(x, target) * delta * weight, reduction_of("huber_loss", reduction))


@in_single
def kl_div(x, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """target * (ln target - x), x being log-probabilities, and with log_target the target as well.

    The divergence of a batch is its sum, or, an average over its first axis, reduction="batchmean"; "mean" divides by
    all elements.

    >>> from minigrad import tensor
    >>> kl_div(tensor([[0.5, 0.5]]).log(), tensor([[1.0, 0.0]]), reduction="batchmean")
    tensor(0.6931)
    """
    _same("kl_div", x, target)
    batch = reduction == "batchmean"
    reduction = reduction_of("kl_div", "sum" if batch else reduction, size_average, reduce)
    each = exp(target) * (target - x) if log_target else xlogy(target, target) - target * x
    return reduced(each, reduction) / x.shape[0] if batch and x.shape else reduced(each, reduction)


@in_single
def cosine_embedding_loss(input1, input2, target, margin=0.0, size_average=None, reduce=None, reduction="mean"):
    """1 - cos for pairs (N, D) that belong together (target (N,) of 1), else max(0, cos - margin) (-1)."""
    shape = tuple(input1.shape)
    if len(shape) not in (1, 2) or tuple(input2.shape) != shape or tuple(target.shape) != shape[:-1]:
        raise ValueError(f"cosine_embedding_loss: the inputs have shapes {shape} and {tuple(input2.shape)}, the target "
                         f"{tuple(target.shape)}; give (N, D), (N, D) and (N,), or (D,), (D,) and ()")
    squares = sqrt((sum_of(input1 * input1, -1) + 1e-12) * (sum_of(input2 * input2, -1) + 1e-12))
    cos, sign = sum_of(input1 * input2, -1) / squares, array_of(target)
    each = where(sign == 1, 1 - cos, where(sign == -1, clamp(cos - margin, min=0.0), 0.0 * cos))
    return reduced(each, reduction_of("cosine_embedding_loss", reduction, size_average, reduce))


@in_single
def margin_ranking_loss(input1, input2, target, margin=0.0, size_average=None, reduce=None, reduction="mean"):
    """max(0, -target * (input1 - input2) + margin): with target 1, input1 is to be above input2 by the margin."""
    _same("margin_ranking_loss", input1, input2, target)
    each = clamp((input2 - input1) * array_of(target) + margin, min=0.0)
    return reduced(each, reduction_of("margin_ranking_loss", reduction, size_average, reduce))


@in_single
def soft_margin_loss(x, target, size_average=None, reduce=None, reduction="mean"):
    """ln(1 + e**(-target * x)), for x of any size."""
    _same("soft_margin_loss", x, target)
    each = softplus(-x * array_of(target), threshold=float("inf"))
    return reduced(each, reduction_of("soft_margin_loss", reduction, size_average, reduce))


@in_single
def hinge_embedding_loss(x, target, margin=1.0, size_average=None, reduce=None, reduction="mean"):
    """x, a distance, of pairs that belong together (target 1), else max(0, margin - x) (-1)."""
    _same("hinge_embedding_loss", x, target)
    sign = array_of(target)
    each = where(sign != -1, x, 0.0) + where(sign != 1, clamp(margin - x, min=0.0), 0.0)
    return reduced(each, reduction_of("hinge_embedding_loss", reduction, size_average, reduce))


def triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2.0, eps=1e-6, swap=False, size_average=None,
                        reduce=None, reduction="mean"):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin) of vectors (N, D), d being `pairwise_distance`.

    With `swap` the negative's distance is the smaller of those to the anchor and to the positive (Balntas et al. 2016).
    """
    near, far = pairwise_distance(anchor, positive, p, eps), pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = minimum(far, pairwise_distance(positive, negative, p, eps))
    each = clamp(near - far + margin, min=0.0)
    return reduced(each, reduction_of("triplet_margin_loss", reduction, size_average, reduce))


def _same(name, *xs):
    shapes = [tuple(x.shape) for x in xs]
    if len(set(shapes)) > 1:
        raise ValueError(f"{name}: the shapes are {', '.join(map(str, shapes))}; give tensors of one shape")
