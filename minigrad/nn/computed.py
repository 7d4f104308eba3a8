"""Parameters of a layer that are computed from others before each forward: what spectral and weight norm share."""

from minigrad.modes import no_grad
from minigrad.nn.module import Module, Parameter


class Computed:
    """The hook before a layer's forward that computes its parameter `name`; `after` is the one behind it.

    `places` says where the parts are that it is computed from, {part: dotted name below the layer}. Subclasses define
    `value(module)`. A class, and not a function, so that layers can be copied.
    """

    def __init__(self, name, places):
        self.name, self.places = name, places

    def value(self, module):
        """The parameter, computed from the parts."""
        raise NotImplementedError(f"{type(self).__name__} defines no value(module)")

    def __call__(self, module, inputs):
        setattr(module, self.name, self.value(module))

    def after(self, module, inputs, output):
        """What stays readable carries no graph, which no layer could be copied with."""
        setattr(module, self.name, getattr(module, self.name).detach())

    def part(self, module, part):
        """One of the tensors that the parameter is computed from."""
        holder, name = self._holder(module, part)
        return getattr(holder, name)

    def _holder(self, module, part):
        *path, name = self.places[part].split(".")
        for step in path:
            if step not in vars(module):
                module.add_module(step, Module())
            module = getattr(module, step)
        return module, name

    def attach(self, module, **parts):
        """Put the parts, Parameters or buffers, in the parameter's place; returns the layer."""
        delattr(module, self.name)
        for part, tensor in parts.items():
            holder, name = self._holder(module, part)
            (holder.register_parameter if isinstance(tensor, Parameter) else holder.register_buffer)(name, tensor)
        with no_grad():
            setattr(module, self.name, self.first(module).clone())  # of its own: an optimiser can move the parts
        module.register_forward_pre_hook(self)
        module.register_forward_hook(self.after, always_call=True)
        return module

    def first(self, module):
        """What the parameter reads as before the first forward."""
        return self.value(module)

    def remove(self, module, value):
        """Make `value` the parameter again; returns the layer."""
        module._hooks.discard(self, self.after)
        delattr(module, self.name)
        for part in self.places:
            delattr(*self._holder(module, part))
        for step in {place.split(".")[0] for place in self.places.values()} & vars(module).keys():
            if not list(getattr(module, step).parameters()):  # nothing else is computed
                delattr(module, step)
        module.register_parameter(self.name, Parameter(value))
        return module


def parameter_of(caller, module, name):
    """The layer's parameter of that name; ValueError, for `caller`, where it has none."""
    found = getattr(module, name, None)
    if not isinstance(found, Parameter):
        raise ValueError(f"{caller}: {type(module).__name__} has no parameter {name!r}; name one of "
                         f"{[key for key, _ in module.named_parameters(recurse=False)]}")
    return found


def hook_of(caller, what, module, name, kind):
    """The hook of a kind that computes the parameter of that name; ValueError, for `caller`, where there is none."""
    for hook in module._hooks.before.values() if module._hooks else ():
        if isinstance(hook.function, kind) and hook.function.name == name:
            return hook.function
    raise ValueError(f"{caller}: {type(module).__name__} has no {what} of {name!r}")
