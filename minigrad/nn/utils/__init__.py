"""Gradient clipping, parameters as one vector, and weights that are computed, under PyTorch's roof."""

import math

from minigrad import create, ops
from minigrad.absent import names_of
from minigrad.autograd import array_of
from minigrad.backend import array_module
from minigrad.backend.numpy import quiet
from minigrad.modes import no_grad
from minigrad.nn.spectral import remove_spectral_norm, spectral_norm
from minigrad.nn.utils import parametrizations
from minigrad.nn.weight_norm import remove_weight_norm, weight_norm
from minigrad.tensor import Tensor
from minigrad.writes import touch

__all__ = ["clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm", "parameters_to_vector",
           "parametrizations", "remove_spectral_norm", "remove_weight_norm", "spectral_norm", "vector_to_parameters",
           "weight_norm"]
__getattr__ = names_of(__name__)


def _gradients(parameters):
    return [p.grad for p in ([parameters] if isinstance(parameters, Tensor) else parameters) if p.grad is not None]


@no_grad()
def get_total_norm(tensors, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The norm of several tensors as if they were one vector: a number with no axes.

    RuntimeError with error_if_nonfinite where it is not finite. `foreach`, here and below, makes no difference.
    """
    norms = [ops.norm(x.detach(), float(norm_type)) for x in ([tensors] if isinstance(tensors, Tensor) else tensors)]
    if not norms:
        return create.tensor(0.0)
    total = ops.norm(ops.stack([norm.to(norms[0].device) for norm in norms]), float(norm_type))
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise RuntimeError(f"get_total_norm: the norm of order {norm_type} is {total.item()}; look for what made it so "
                           "(autograd.detect_anomaly() names the line), or pass error_if_nonfinite=False")
    return total


@no_grad()
def clip_grads_with_norm_(parameters, max_norm, total_norm, foreach=None):
    """Scale all gradients by one factor, such that `total_norm`, which is known to be theirs, is at most `max_norm`."""
    factor = ops.clamp(max_norm / (total_norm + 1e-6), max=1.0)
    for g in _gradients(parameters):
        touch(g.array)
        # In place also where create_graph recorded the gradient.
        quiet().run(array_module(g.array).multiply, g.array, array_of(factor.to(g.device)), g.array)


def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scale all gradients by one factor so that their common norm is at most `max_norm`; returns the norm it was.

    RuntimeError with error_if_nonfinite where the norm is not finite; nothing is scaled then.
    """
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


def clip_grad_value_(parameters, clip_value, foreach=None):
    """Hold every gradient's elements between -clip_value and clip_value."""
    for g in _gradients(parameters):
        touch(g.array)
        g.array.clip(-float(clip_value), float(clip_value), out=g.array)


def parameters_to_vector(parameters):
    """All parameters, one after the other, as one vector, through which gradients flow."""
    return ops.cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec, parameters):
    """Let the parameters be parts of the vector, one after the other: they share its memory then, as in PyTorch."""
    parameters = list(parameters)
    count = sum(p.numel() for p in parameters)
    if vec.shape != (count,):
        raise ValueError(f"vector_to_parameters: a vector of shape {vec.shape} for {count} values; give one of as "
                         "many, such as parameters_to_vector makes")
    start = 0
    for p in parameters:
        p.data = vec.data[start:start + p.numel()].view(p.shape)
        start += p.numel()
