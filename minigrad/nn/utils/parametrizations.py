"""Spectral and weight norm under the names of torch.nn.utils.parametrizations."""

from minigrad.nn.spectral import parametrized as spectral_norm
from minigrad.nn.weight_norm import parametrized as weight_norm

__all__ = ["spectral_norm", "weight_norm"]
