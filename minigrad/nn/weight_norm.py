"""Weight normalisation: a weight's length and direction as two parameters, w = g v / |v| (Salimans & Kingma 2016)."""

from minigrad import ops
from minigrad.modes import no_grad
from minigrad.nn.computed import Computed, hook_of, parameter_of
from minigrad.nn.module import Parameter


class WeightNorm(Computed):
    """g v / |v|, the norm taken over all axes but `dim`, or over all where it is None or -1."""

    def __init__(self, name, places, dim):
        super().__init__(name, places)
        self.dim = dim

    def length(self, v):
        """|v|, in a shape that broadcasts against v."""
        if self.dim in (None, -1):
            return ops.norm(v)
        return ops.norm(v, 2, tuple(axis for axis in range(v.dim()) if axis != self.dim), True)

    def value(self, module):
        """The weight as it is now."""
        v = self.part(module, "v")
        return v * (self.part(module, "g") / self.length(v))


def weight_norm(module, name="weight", dim=0):
    """Let the layer `module` keep its parameter `name` as `name`_g, the lengths, and `name`_v; returns the layer.

    There is one length an index of axis `dim` (0: an output channel), or, with None, one for all.

    >>> import minigrad as torch
    >>> [(key, value.shape) for key, value in torch.nn.utils.weight_norm(torch.nn.Linear(3, 2)).state_dict().items()]
    [('bias', (2,)), ('weight_g', (2, 1)), ('weight_v', (2, 3))]
    """
    return _attached(module, name, dim, {"g": f"{name}_g", "v": f"{name}_v"})


def parametrized(module, name="weight", dim=0):
    """`nn.utils.parametrizations.weight_norm`: the same as `nn.utils.weight_norm` under its newer names."""
    path = f"parametrizations.{name}.original"
    return _attached(module, name, dim, {"g": f"{path}0", "v": f"{path}1"})


def _attached(module, name, dim, places):
    weight, norm = parameter_of("weight_norm", module, name), WeightNorm(name, places, dim)
    with no_grad():
        return norm.attach(module, g=Parameter(norm.length(weight)), v=weight)


def remove_weight_norm(module, name="weight"):
    """Make the weight the parameter again; returns the layer."""
    norm = hook_of("remove_weight_norm", "weight norm", module, name, WeightNorm)
    with no_grad():
        return norm.remove(module, norm.value(module))
