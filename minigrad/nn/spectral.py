"""Spectral normalisation: a layer's weight divided by its largest singular value (Miyato et al. 2018).

The layer keeps `weight_orig`, the parameter, and the vectors `weight_u` and `weight_v`, which a step of power iteration
at every training forward pass turns towards the singular vectors. The names are those of torch.nn.utils.spectral_norm.
"""

from minigrad import create, ops
from minigrad.modes import no_grad
from minigrad.nn.conv import ConvTranspose1d, ConvTranspose2d
from minigrad.nn.functional import normalize
from minigrad.nn.module import Parameter


class SpectralNorm:
    """The hook before a layer's forward: it computes the weight `name`. `after` is the hook behind it."""

    def __init__(self, name, iterations, eps, dim):
        self.name, self.iterations, self.eps, self.dim = name, iterations, eps, dim

    def __call__(self, module, inputs):
        setattr(module, self.name, self.weight(module, module.training))

    def after(self, module, inputs, output):
        """What stays readable carries no graph, which no layer could be copied with."""
        setattr(module, self.name, getattr(module, self.name).detach())

    def matrix(self, weight):
        """The weight with one row for each index of axis `dim`."""
        order = (self.dim, *(axis for axis in range(weight.dim()) if axis != self.dim))
        return ops.permute(weight, *order).reshape(weight.shape[self.dim], -1)

    def weight(self, module, iterate):
        """The normalised weight; with `iterate`, u and v go a step further first. No gradient flows through them."""
        weight, u, v = (getattr(module, f"{self.name}_{part}") for part in ("orig", "u", "v"))
        matrix = self.matrix(weight)
        if iterate:
            with no_grad():
                new_u, new_v, fixed = u, v, matrix.detach()
                for _ in range(self.iterations):
                    new_v = normalize(fixed.T @ new_u, dim=0, eps=self.eps)
                    new_u = normalize(fixed @ new_v, dim=0, eps=self.eps)
                u.copy_(new_u), v.copy_(new_v)
                u, v = new_u, new_v
        else:
            u, v = u.clone(), v.clone()  # a later training step changes the buffers in place
        return weight / (u * (matrix @ v)).sum()


def spectral_norm(module, name="weight", n_power_iterations=1, eps=1e-12, dim=None):
    """Let the layer `module` use its parameter `name` divided by its spectral norm; returns the layer.

    The parameter is seen as a matrix with one row for each index of axis `dim`: by default the output channels, 1 for
    transposed convolutions and 0 for all others.

    >>> import minigrad as torch
    >>> layer = torch.nn.utils.spectral_norm(torch.nn.Linear(3, 2))
    >>> [key for key in layer.state_dict()]
    ['bias', 'weight_orig', 'weight_u', 'weight_v']
    """
    if n_power_iterations < 1:
        raise ValueError(f"spectral_norm: n_power_iterations is {n_power_iterations}; use 1 or more")
    weight = getattr(module, name, None)
    if not isinstance(weight, Parameter):
        raise ValueError(f"spectral_norm: {type(module).__name__} has no parameter {name!r}; name one of "
                         f"{[key for key, _ in module.named_parameters(recurse=False)]}")
    if dim is None:
        dim = 1 if isinstance(module, (ConvTranspose1d, ConvTranspose2d)) else 0
    norm = SpectralNorm(name, n_power_iterations, eps, dim)
    delattr(module, name)
    module.register_parameter(f"{name}_orig", weight)
    with no_grad():
        for part, size in zip("uv", norm.matrix(weight).shape):
            draw = create.randn(size, dtype=weight.dtype, device=weight.device)
            module.register_buffer(f"{name}_{part}", normalize(draw, dim=0, eps=eps))
    setattr(module, name, weight.detach())
    module.register_forward_pre_hook(norm)
    module.register_forward_hook(norm.after, always_call=True)
    return module


def remove_spectral_norm(module, name="weight"):
    """Make the normalised weight the parameter again; returns the layer."""
    norm = next((hook.function for hook in (module._hooks.before.values() if module._hooks else ())
                 if isinstance(hook.function, SpectralNorm) and hook.function.name == name), None)
    if norm is None:
        raise ValueError(f"remove_spectral_norm: {type(module).__name__} has no spectral norm of {name!r}")
    with no_grad():
        weight = norm.weight(module, False)
    module._hooks.discard(norm, norm.after)
    for key in (name, f"{name}_orig", f"{name}_u", f"{name}_v"):
        delattr(module, key)
    module.register_parameter(name, Parameter(weight))
    return module
