"""Cases for ops/pairs.py."""

import numpy

from minigrad.ops import pairs
from minigrad.ops.loss import SmoothL1
from minigrad.testing.registry import case

REDUCTIONS = ("mean", "sum", "none")


def vectors(s, count=2):
    """Arrays (N, D), no two of them near each other."""
    shape = s.integer(1, 4), s.integer(1, 4)
    return [s.away(shape, 0.0, margin=0.2) + 0.05 * i for i in range(count)]


def signs(s, shape):
    """An array of 1 and -1."""
    return numpy.where(s.rng().random(shape) < 0.5, -1, 1)


def similar(s):
    """Two stacks of vectors and the axis that they lie along."""
    shape = s.shape(1, 3, (2, 4))
    return (s.normal(shape) + 0.3, s.normal(shape) - 0.3), {"dim": s.axis(len(shape))}


def distant(s):
    """Two stacks of vectors and a norm."""
    x, y = vectors(s)
    return (x, y + 3.0), {"p": s.choice((2.0, 1.0, 3.0)), "keepdim": s.flag()}


def huber(s):
    """Two arrays whose difference is away from the points where the loss changes, and delta."""
    delta, shape = s.choice((1.0, 0.4)), s.shape()
    difference = s.away(shape, -delta, delta)
    x = s.normal(shape)
    return (x, x - difference), {"delta": delta, "reduction": s.choice(REDUCTIONS)}


def divergence(s):
    """Log-probabilities and probabilities, or their logarithms. (PyTorch warns of reduction="mean".)"""
    shape, log_target = s.shape(1), s.flag()
    target = s.normal(shape) if log_target else s.uniform(shape)
    return (s.normal(shape), target), {"log_target": log_target, "reduction": s.choice(("batchmean", "sum", "none"))}


def embedded(s):
    """Pairs of vectors whose cosines are away from the margin, and signs."""
    x, y = vectors(s)
    cos = (x * y).sum(-1) / numpy.sqrt((x * x).sum(-1) * (y * y).sum(-1))
    margin = float(cos.min()) - 0.1 if s.flag() else 1.1
    return (x, y), {"target": signs(s, cos.shape), "margin": margin, "reduction": s.choice(REDUCTIONS)}


def ranked(s):
    """Two arrays whose difference is away from the margin, and signs."""
    shape = s.shape()
    x, margin = s.normal(shape), 0.3
    return (x, x + s.away(shape, -margin, margin)), {"target": signs(s, shape), "margin": margin,
                                                     "reduction": s.choice(REDUCTIONS)}


def hinged(s):
    """An array away from the margin, and signs."""
    shape = s.shape()
    return (s.away(shape, 1.0),), {"target": signs(s, shape), "reduction": s.choice(REDUCTIONS)}


def triplets(s):
    """Three arrays of vectors, far from the points where the loss changes."""
    x, y, z = vectors(s, 3)
    return (x, y + 3.0, z - 8.0), {"swap": s.flag(), "margin": s.choice((1.0, 20.0)), "p": s.choice((2.0, 3.0)),
                                   "reduction": s.choice(REDUCTIONS)}


def with_signs(name):
    """PyTorch's function, the target as its tensor."""
    def call(torch, *xs, target, **options):
        return getattr(torch.nn.functional, name)(*xs, torch.tensor(target), **options)

    return call


case(None, pairs.cosine_similarity, similar, "nn.functional.cosine_similarity")
case(None, pairs.pairwise_distance, distant, "nn.functional.pairwise_distance", rtol=1e-8)
case(SmoothL1, pairs.huber_loss, huber, "nn.functional.huber_loss", name="huber_loss")
case(None, pairs.kl_div, divergence, "nn.functional.kl_div")
case(None, pairs.cosine_embedding_loss, embedded, with_signs("cosine_embedding_loss"))
case(None, pairs.margin_ranking_loss, ranked, with_signs("margin_ranking_loss"))
case(None, pairs.soft_margin_loss, hinged, with_signs("soft_margin_loss"))
case(None, pairs.hinge_embedding_loss, hinged, with_signs("hinge_embedding_loss"))
case(None, pairs.triplet_margin_loss, triplets, "nn.functional.triplet_margin_loss", rtol=1e-8)
