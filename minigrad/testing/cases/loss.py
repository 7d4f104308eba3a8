"""Cases for ops/loss.py."""

import numpy

from minigrad import ops
from minigrad.ops.loss import L1, Bce, BceWithLogits, Mse, SmoothL1
from minigrad.testing.registry import case

REDUCTIONS = ("mean", "sum", "none")


def reduction(s):
    """The reduction as an option."""
    return {"reduction": s.choice(REDUCTIONS)}


def two(s):
    """Two arrays of one shape."""
    shape = s.shape()
    return (s.normal(shape), s.normal(shape)), reduction(s)


def apart(s):
    """Two arrays whose difference keeps away from 0 and, for smooth_l1, from +-beta."""
    beta = s.choice((1.0, 0.5, 2.0))
    t = s.normal(s.shape())
    return (t + s.away(t.shape, 0.0, beta, -beta), t), {"beta": beta, **reduction(s)}


def differing(s):
    """Two arrays that differ everywhere."""
    (x, t), options = apart(s)
    return (x, t), {"reduction": options["reduction"]}


def probabilities(s):
    """Probabilities and targets, both inside (0, 1)."""
    shape = s.shape()
    return (s.uniform(shape), s.uniform(shape, 0.0, 1.0)), reduction(s)


def logits(s):
    """Logits away from 0, where |x| has its kink, and targets."""
    shape = s.shape()
    return (s.away(shape, 0.0, scale=3.0), s.uniform(shape, 0.0, 1.0)), reduction(s)


def weighted(s):
    """Logits, targets, weights and positive weights that broadcast."""
    shape = s.shape(1, 2)
    return (s.away(shape, 0.0), s.uniform(shape, 0.0, 1.0)), {
        "weight": s.uniform(shape[-1:]) if s.flag() else None,
        "pos_weight": s.uniform(shape[-1:], 0.5, 2.0),
        **reduction(s),
    }


def classes(s):
    """Logits and class indices, some of them ignored, with class weights or without."""
    count, inner = s.integer(1, 4), s.shape(0, 2, (1, 3))
    batch = s.choice(((), (s.integer(1, 4),)))
    inner = inner if batch else ()
    target = s.labels((*batch, *inner), count)
    options = {"weight": s.uniform((count,)) if s.flag() else None, **reduction(s)}
    if s.flag() and target.size > 1:
        target = numpy.where(numpy.arange(target.size).reshape(target.shape) % 3 == 1, -100, target)
    return (s.normal((*batch, count, *inner)),), {"target": target, **options}


def smoothed(s):
    """The same with label smoothing."""
    arrays, options = classes(s)
    return arrays, {**options, "label_smoothing": s.choice((0.0, 0.1, 0.7, 1.0))}


def soft_classes(s):
    """Logits and class probabilities, label smoothing and class weights."""
    count, inner = s.integer(1, 4), s.shape(0, 1, (1, 3))
    shape = (s.integer(1, 4), count, *inner)
    target = s.uniform(shape)
    return (s.normal(shape), target), {"weight": s.uniform((count,)) if s.flag() else None, **reduction(s),
                                       "label_smoothing": s.choice((0.0, 0.2))}


def typed(f):
    """f with the arrays or tensors among its options, which are float64, in the input's dtype."""
    def call(x, *rest, **options):
        for name, v in options.items():
            if getattr(v, "dtype", None) == "float64":
                options[name] = (v.to if hasattr(v, "to") else v.astype)(x.dtype)
        return f(x, *rest, **options)

    return call


def as_tensors(torch, options):
    """The options with arrays as PyTorch tensors."""
    return {k: torch.tensor(v) if isinstance(v, numpy.ndarray) else v for k, v in options.items()}


def same(name):
    """The PyTorch function of that name below nn.functional, on the same options."""
    return lambda torch, *xs, **options: getattr(torch.nn.functional, name)(*xs, **as_tensors(torch, options))


def plain_bce(torch, x, t, **options):
    """BCE of probabilities; PyTorch's has no gradient for targets, so the formula itself."""
    each = -(t * torch.log(x) + (1 - t) * torch.log1p(-x))
    return {"mean": torch.mean, "sum": torch.sum, "none": lambda each: each}[options["reduction"]](each)


case(Mse, ops.mse_loss, two, "nn.functional.mse_loss")
case(L1, ops.l1_loss, differing, "nn.functional.l1_loss")
case(SmoothL1, ops.smooth_l1_loss, apart, "nn.functional.smooth_l1_loss")
case(Bce, ops.bce, probabilities, plain_bce)
case(BceWithLogits, ops.bce_with_logits, logits, "nn.functional.binary_cross_entropy_with_logits")
case(
    None,
    typed(ops.bce_with_logits),
    weighted,
    same("binary_cross_entropy_with_logits"),
    name="bce_with_logits-weighted",
)
case(None, typed(ops.nll_loss), classes, same("nll_loss"), name="nll_loss")
case(None, typed(ops.cross_entropy), smoothed, same("cross_entropy"), name="cross_entropy")
case(None, typed(ops.cross_entropy), soft_classes, same("cross_entropy"), name="cross_entropy-soft")
