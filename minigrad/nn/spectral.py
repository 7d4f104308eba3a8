"""Spectral normalisation: a layer's weight divided by its largest singular value (Miyato et al. 2018).

The layer keeps `weight_orig`, the parameter, and the vectors `weight_u` and `weight_v`, which a step of power iteration
at every training forward pass turns towards the singular vectors. The names are those of torch.nn.utils.spectral_norm.
"""

from minigrad import create, ops
from minigrad.modes import no_grad
from minigrad.nn.functional import normalize
from minigrad.nn.module import Parameter


class _Spectral:
    """Put in front of a layer's class: `forward` computes the weight first. A class, so that layers can be copied."""

    def forward(self, *inputs):
        name = self._spectral["name"]
        try:
            setattr(self, name, _weight(self, self.training))
            return super().forward(*inputs)
        finally:  # what stays readable carries no graph, which no layer could be copied with
            setattr(self, name, getattr(self, name).detach())

    __call__ = forward  # a layer's class has a __call__ of its own, which is its forward


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
        dim = 1 if type(module).__name__.startswith("ConvTranspose") else 0
    module._spectral = {"name": name, "iterations": n_power_iterations, "eps": eps, "dim": dim}
    delattr(module, name)
    module.register_parameter(f"{name}_orig", weight)
    with no_grad():
        for part, size in zip("uv", _matrix(module, weight).shape):
            draw = create.randn(size, dtype=weight.dtype, device=weight.device)
            module.register_buffer(f"{name}_{part}", normalize(draw, dim=0, eps=eps))
    setattr(module, name, weight.detach())
    module.__class__ = type(type(module).__name__, (_Spectral, type(module)), {})
    return module


def remove_spectral_norm(module, name="weight"):
    """Make the normalised weight the parameter again; returns the layer."""
    if not isinstance(module, _Spectral) or module._spectral["name"] != name:
        raise ValueError(f"remove_spectral_norm: {type(module).__name__} has no spectral norm of {name!r}")
    with no_grad():
        weight = _weight(module, False)
    module.__class__ = type(module).__mro__[2]
    module._buffers = tuple(key for key in module._buffers if key not in (f"{name}_u", f"{name}_v"))
    for key in (name, f"{name}_orig", f"{name}_u", f"{name}_v", "_spectral"):
        delattr(module, key)
    module.register_parameter(name, Parameter(weight))
    return module


def _matrix(module, weight):
    dim = module._spectral["dim"]
    order = (dim, *(axis for axis in range(weight.dim()) if axis != dim))
    return ops.permute(weight, *order).reshape(weight.shape[dim], -1)


def _weight(module, iterate):
    """The normalised weight; with `iterate`, u and v go a step further first. No gradient flows through them."""
    name, eps = module._spectral["name"], module._spectral["eps"]
    weight, u, v = (getattr(module, f"{name}_{part}") for part in ("orig", "u", "v"))
    matrix = _matrix(module, weight)
    if iterate:
        with no_grad():
            new_u, new_v, fixed = u, v, matrix.detach()
            for _ in range(module._spectral["iterations"]):
                new_v = normalize(fixed.T @ new_u, dim=0, eps=eps)
                new_u = normalize(fixed @ new_v, dim=0, eps=eps)
            u.copy_(new_u), v.copy_(new_v)
            u, v = new_u, new_v
    else:
        u, v = u.clone(), v.clone()  # a later training step changes the buffers in place
    return weight / (u * (matrix @ v)).sum()
