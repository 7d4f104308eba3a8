"""Cases for ops/norm.py."""

from minigrad import create, ops
from minigrad.ops.norm import (
    BatchNormalize,
    Normalize,
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
    local_response_norm,
)
from minigrad.testing.registry import case


def layers(s):
    """Input, weight and bias of a layer norm, the last two at times absent."""
    inner = s.shape(1, 2, (2, 4))
    x = s.normal((*s.shape(0, 2, (1, 3)), *inner), 1.5)
    options = {"normalized_shape": inner, "eps": s.choice((1e-5, 0.1))}
    return ((x, s.normal(inner), s.normal(inner)) if s.flag() else (x,)), options


def batches(s):
    """Input, weight and bias of a batch norm in training, the last two at times absent."""
    channels = s.integer(1, 3)
    x = s.normal((s.integer(2, 4), channels, *s.shape(0, 2, (1, 3))), 1.5)
    options = {"eps": s.choice((1e-5, 0.1))}
    return ((x, s.normal((channels,)), s.normal((channels,))) if s.flag() else (x,)), options


def grouped(s):
    """Input and number of groups of a group norm."""
    groups = s.integer(1, 2)
    return (s.normal((s.integer(1, 2), groups * s.integer(1, 2), s.integer(2, 3), *s.shape(0, 1, (1, 2))), 1.5),), {
        "num_groups": groups, "eps": s.choice((1e-5, 0.1))}


def instances(s):
    """Input of an instance norm."""
    return (s.normal((s.integer(1, 2), s.integer(1, 2), s.integer(2, 4), *s.shape(0, 1, (1, 2))), 1.5),), {
        "eps": s.choice((1e-5, 0.1))}


def train_norm(x, weight=None, bias=None, eps=1e-5):
    """batch_norm in training mode, without running statistics."""
    return batch_norm(x, None, None, weight, bias, True, 0.1, eps)


def sloped(s):
    """Input, weight and bias of a batch norm, and the slope of a leaky ReLU behind it or None."""
    channels = s.integer(1, 3)
    x = s.normal((s.integer(2, 4), channels, *s.shape(0, 2, (1, 3))), 1.5)
    return (x, s.normal((channels,)), s.normal((channels,))), {
        "eps": s.choice((1e-5, 0.1)),
        "slope": s.choice((None, 0.0, 0.2)),
    }


def sloped_norm(x, weight, bias, eps, slope):
    """The fused batch norm and leaky ReLU."""
    return BatchNormalize(len(x.shape), x.shape[1], eps, slope)(x, weight, bias)


def torch_sloped_norm(torch, x, weight, bias, eps, slope):
    """The same in two steps."""
    y = torch.nn.functional.batch_norm(x, None, None, weight, bias, True, 0.1, eps)
    return y if slope is None else torch.nn.functional.leaky_relu(y, slope)


def eval_norm(x, weight, bias, mean, var):
    """batch_norm by running statistics, given as arrays."""
    return batch_norm(x, create.tensor(mean).to(x), create.tensor(var).to(x), weight, bias, False)


def fixed(s):
    """Input, statistics, weight and bias of a batch norm in eval mode."""
    channels = s.integer(1, 3)
    x = s.normal((s.integer(1, 4), channels, *s.shape(0, 2, (1, 3))))
    return (x, s.normal((channels,)), s.normal((channels,))), {"mean": s.normal((channels,)),
                                                               "var": s.uniform((channels,), 0.3, 2.0)}


case(
    Normalize,
    lambda x, weight=None, bias=None, **options: layer_norm(x, weight=weight, bias=bias, **options),
    layers,
    lambda torch, x, weight=None, bias=None, **options: torch.nn.functional.layer_norm(
        x, weight=weight, bias=bias, **options
    ),
    name="layer_norm",
    rtol=1e-9,
)
case(None, train_norm, batches, lambda torch, x, weight=None, bias=None, eps=1e-5:
     torch.nn.functional.batch_norm(x, None, None, weight, bias, True, 0.1, eps), name="batch_norm", rtol=1e-9)
case(
    None,
    eval_norm,
    fixed,
    lambda torch, x, weight, bias, mean, var: torch.nn.functional.batch_norm(
        x, torch.tensor(mean), torch.tensor(var), weight, bias, False
    ),
    name="batch_norm-eval",
)
case(BatchNormalize, sloped_norm, sloped, torch_sloped_norm, rtol=1e-9)
case(None, group_norm, grouped, "nn.functional.group_norm", rtol=1e-9)
case(None, instance_norm, instances, "nn.functional.instance_norm", rtol=1e-9)
case(None, lambda x: ops.mean((x - ops.mean(x)) ** 2), lambda s: (s.normal(s.shape(1, 2)),),
     lambda torch, x: torch.mean((x - torch.mean(x)) ** 2), name="variance-by-hand")
case(None, local_response_norm, lambda s: (
    (s.normal((s.integer(1, 2), s.integer(1, 6), *s.shape(1, 2, (1, 3)))),),
    {"size": s.integer(1, 5), "alpha": s.choice((1e-4, 0.5)), "beta": s.choice((0.75, 2.0)),
     "k": s.choice((1.0, 2.0))}),
     "nn.functional.local_response_norm", edges=False)
