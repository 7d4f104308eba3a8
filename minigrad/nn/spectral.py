"""Spectral normalisation: a layer's weight divided by its largest singular value (Miyato et al. 2018).

The layer keeps the parameter, and the vectors u and v, which a step of power iteration at every training forward pass
turns towards the singular vectors. Under `nn.utils` they are called `weight_orig`, `weight_u` and `weight_v`, under
`nn.utils.parametrizations` as PyTorch calls them there; the latter also begins with 15 steps.
"""

from minigrad import create, ops
from minigrad.modes import no_grad
from minigrad.nn.computed import Computed, hook_of, parameter_of
from minigrad.nn.conv import ConvTranspose1d, ConvTranspose2d
from minigrad.nn.functional import normalize


class SpectralNorm(Computed):
    """weight / sigma, the weight being seen as a matrix with one row for each index of axis `dim`."""

    v_first = True  # which of the two a step of the power iteration turns first

    def __init__(self, name, places, iterations, eps, dim):
        super().__init__(name, places)
        self.iterations, self.eps, self.dim = iterations, eps, dim

    def matrix(self, weight):
        """The weight with one row for each index of axis `dim`."""
        order = (self.dim, *(axis for axis in range(weight.dim()) if axis != self.dim))
        return ops.permute(weight, *order).reshape(weight.shape[self.dim], -1)

    def turn(self, matrix, u, v, times):
        """Steps of the power iteration, in u and v."""
        with no_grad():
            matrix = matrix.detach()
            for _ in range(times):
                for first in (self.v_first, not self.v_first):
                    x, y, a = (u, v, matrix.T) if first else (v, u, matrix)
                    y.copy_(normalize(a @ x, dim=0, eps=self.eps))

    def value(self, module):
        """The normalised weight; in training, u and v go a step further first. No gradient flows through them."""
        weight, u, v = (self.part(module, part) for part in ("orig", "u", "v"))
        matrix = self.matrix(weight)
        if module.training:
            self.turn(matrix, u, v, self.iterations)
        u, v = u.clone(), v.clone()  # a later training step changes the buffers in place
        return weight / (u * (matrix @ v)).sum()

    def first(self, module):
        return self.part(module, "orig").detach()


class ParametrizedSpectralNorm(SpectralNorm):
    """The same as PyTorch has it under `parametrizations`: u is turned first."""

    v_first = False


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Let the layer `module` use its parameter `name` divided by its spectral norm; returns the layer.

    The parameter is seen as a matrix with one row for each index of axis `dim`: by default the output channels, 1 for
    transposed convolutions and 0 for all others.

    >>> import minigrad as torch
    >>> layer = torch.nn.utils.spectral_norm(torch.nn.Linear(3, 2))
    >>> [key for key in layer.state_dict()]
    ['bias', 'weight_orig', 'weight_u', 'weight_v']
    """
    places = {part: f"{name}_{part}" for part in ("orig", "u", "v")}
    return _attached(SpectralNorm, module, name, places, n_power_iterations, eps, dim, 0)


def parametrized(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """`nn.utils.parametrizations.spectral_norm`: the same as `nn.utils.spectral_norm` under its newer names.

    >>> import minigrad as torch
    >>> layer = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(3, 2, bias=False))
    >>> [key for key in layer.state_dict()]
    ['parametrizations.weight.original', 'parametrizations.weight.0._u', 'parametrizations.weight.0._v']
    """
    path = f"parametrizations.{name}"
    places = {"orig": f"{path}.original", "u": f"{path}.0._u", "v": f"{path}.0._v"}
    return _attached(ParametrizedSpectralNorm, module, name, places, n_power_iterations, eps, dim, 15)


def _attached(kind, module, name, places, iterations, eps, dim, at_first):
    if iterations < 1:
        raise ValueError(f"spectral_norm: n_power_iterations is {iterations}; use 1 or more")
    weight = parameter_of("spectral_norm", module, name)
    if weight.dim() < 2:
        raise ValueError(f"spectral_norm: {name!r} has shape {weight.shape}, no matrix; name another parameter")
    if dim is None:
        dim = 1 if isinstance(module, (ConvTranspose1d, ConvTranspose2d)) else 0
    norm = kind(name, places, iterations, eps, dim)
    with no_grad():
        matrix = norm.matrix(weight)
        u, v = (normalize(create.randn(size, dtype=weight.dtype, device=weight.device), dim=0, eps=eps)
                for size in matrix.shape)
    norm.turn(matrix, u, v, at_first)
    return norm.attach(module, orig=weight, u=u, v=v)


def remove_spectral_norm(module, name="weight"):
    """Make the normalised weight the parameter again; returns the layer."""
    norm = hook_of("remove_spectral_norm", "spectral norm", module, name, SpectralNorm)
    training, module.training = module.training, False
    try:
        with no_grad():
            return norm.remove(module, norm.value(module))
    finally:
        module.training = training
