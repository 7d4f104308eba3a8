"""Similarities and the losses on pairs as modules, one line each onto `minigrad.ops.pairs`."""

from minigrad.nn.activations import _Loss
from minigrad.nn.module import Module
from minigrad.ops import pairs


class CosineSimilarity(Module):
    """The cosine of the angle between vectors along `dim`."""

    def __init__(self, dim=1, eps=1e-8):
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1, x2):
        return pairs.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """The p-norm of x1 - x2 + eps along the last axis."""

    def __init__(self, p=2.0, eps=1e-6, keepdim=False):
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1, x2):
        return pairs.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class HuberLoss(_Loss):
    """Squared below delta, absolute above, with slopes of delta at most."""

    function = staticmethod(pairs.huber_loss)

    def __init__(self, reduction="mean", delta=1.0):
        super().__init__(reduction=reduction, delta=delta)


class KLDivLoss(_Loss):
    """target * (ln target - x), x being log-probabilities; reduction may be "batchmean"."""

    function = staticmethod(pairs.kl_div)

    def __init__(self, size_average=None, reduce=None, reduction="mean", log_target=False):
        batch = reduction == "batchmean"
        super().__init__(size_average, reduce, "sum" if batch else reduction, log_target=log_target)
        self.options["reduction"] = reduction if batch else self.options["reduction"]


class SoftMarginLoss(_Loss):
    """ln(1 + e**(-target * x))"""

    function = staticmethod(pairs.soft_margin_loss)


class HingeEmbeddingLoss(_Loss):
    """x where the target is 1, max(0, margin - x) where it is -1."""

    function = staticmethod(pairs.hinge_embedding_loss)

    def __init__(self, margin=1.0, size_average=None, reduce=None, reduction="mean"):
        super().__init__(size_average, reduce, reduction, margin=margin)


class _Margin(_Loss):
    """A loss of three tensors."""

    def forward(self, x1, x2, x3):
        return self.function(x1, x2, x3, **self.options)


class CosineEmbeddingLoss(_Margin):
    """1 - cos of pairs with target 1, max(0, cos - margin) of those with -1: called with x1, x2, target."""

    function = staticmethod(pairs.cosine_embedding_loss)

    def __init__(self, margin=0.0, size_average=None, reduce=None, reduction="mean"):
        super().__init__(size_average, reduce, reduction, margin=margin)


class MarginRankingLoss(CosineEmbeddingLoss):
    """max(0, -target * (x1 - x2) + margin): called with x1, x2, target."""

    function = staticmethod(pairs.margin_ranking_loss)


class TripletMarginLoss(_Margin):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin): called with anchor, positive, negative."""

    function = staticmethod(pairs.triplet_margin_loss)

    def __init__(self, margin=1.0, p=2.0, eps=1e-6, swap=False, size_average=None, reduce=None, reduction="mean"):
        super().__init__(size_average, reduce, reduction, margin=margin, p=p, eps=eps, swap=swap)
