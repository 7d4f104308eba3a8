"""Gradient clipping, and spectral norm under PyTorch's roof."""

from minigrad import create, ops
from minigrad.autograd import array_of
from minigrad.modes import no_grad
from minigrad.nn.spectral import remove_spectral_norm, spectral_norm
from minigrad.tensor import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_", "remove_spectral_norm", "spectral_norm"]


def _with_grad(parameters):
    return [p for p in ([parameters] if isinstance(parameters, Tensor) else parameters) if p.grad is not None]


@no_grad()
def clip_grad_norm_(parameters, max_norm, norm_type=2.0):
    """Scale all gradients by one factor so that their common norm is at most `max_norm`; returns the norm it was."""
    parameters = _with_grad(parameters)
    if not parameters:
        return create.tensor(0.0)
    total = ops.norm(ops.stack([ops.norm(p.grad, norm_type) for p in parameters]), norm_type)
    factor = array_of(ops.clamp(max_norm / (total + 1e-6), max=1.0))
    for p in parameters:
        p.grad.mul_(factor)
    return total


@no_grad()
def clip_grad_value_(parameters, clip_value):
    """Hold every gradient's elements between -clip_value and clip_value."""
    for p in _with_grad(parameters):
        p.grad.clamp_(-clip_value, clip_value)
