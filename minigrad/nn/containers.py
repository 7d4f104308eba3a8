"""Modules that hold modules: Sequential, ModuleList."""

from minigrad.nn.activations import LeakyReLU, ReLU, Sigmoid, Tanh
from minigrad.nn.layers import Linear
from minigrad.nn.module import Module, children_of
from minigrad.nn.norm import BatchNorm1d, BatchNorm2d

# Which layers can apply which activations themselves, in one op; and what their forward is, for it may be replaced.
FUSED = {Linear: (Sigmoid, Tanh, ReLU, LeakyReLU), BatchNorm1d: (ReLU, LeakyReLU), BatchNorm2d: (ReLU, LeakyReLU)}
FORWARDS = {kind: kind.forward for kind in (*FUSED, Sigmoid, Tanh, ReLU, LeakyReLU)}


class _Modules(Module):
    """Modules by number, under the names "0", "1", ... (or others, as they were given)."""

    def append(self, module):
        """Add a module at the end; returns the container."""
        Module.add_module(self, str(_Modules.__len__(self)), module)
        return self

    def extend(self, modules):
        """Add modules at the end; returns the container."""
        for module in list(modules):
            _Modules.append(self, module)
        return self

    def insert(self, index, module):
        """Add a module before number `index`; those behind it get the next numbers."""
        modules = _held(self)
        if not -len(modules) <= index <= len(modules):
            raise IndexError(f"{type(self).__name__}: insert at {index} among {len(modules)} modules; use "
                             f"{-len(modules)} to {len(modules)}")
        modules.insert(index, module)
        _renew(self, modules)
        return self

    def pop(self, index):
        """Remove module number `index` (or those of a slice); returns it."""
        found = self[index]
        del self[index]
        return found

    def __setitem__(self, index, module):
        Module.add_module(self, _name(self, index), module)

    def __delitem__(self, index):
        modules = _held(self)
        if not isinstance(index, slice):
            _name(self, index)
        del modules[index]
        _renew(self, modules)

    def __len__(self):
        return len(children_of(self))

    def __iter__(self):
        return iter(_held(self))

    def __iadd__(self, modules):
        return self.extend(modules)


def _held(container):
    """The modules, in order; one may be there twice."""
    return [module for _, module in children_of(container)]


def _name(container, index):
    """What module number `index` is called."""
    names = [name for name, _ in children_of(container)]
    if not -len(names) <= index < len(names):
        raise IndexError(f"{type(container).__name__}: index {index} is out of range; it holds {len(names)} modules")
    return names[index]


def _renew(container, modules):
    """Let the container hold these modules, numbered anew."""
    for name, _ in children_of(container):
        delattr(container, name)
    _Modules.extend(container, modules)


class Sequential(_Modules):
    """Modules one after the other: Sequential(a, b) is x -> b(a(x)). Or from an OrderedDict of names and modules.

    A layer and the activation after it run as one op where the layer can apply it.
    """

    _plan, _planned = None, 0

    def __init__(self, *modules):
        super().__init__()
        named = modules[0].items() if len(modules) == 1 and isinstance(modules[0], dict) else enumerate(modules)
        for name, module in named:
            Module.add_module(self, str(name), module)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)(dict(children_of(self)[index]))
        return vars(self)[_name(self, index)]

    def __add__(self, other):
        return Sequential(*self, *other) if isinstance(other, Sequential) else NotImplemented

    def __mul__(self, times):
        return Sequential(*list(self) * times)

    __rmul__ = __mul__

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        vars(self)["_plan"] = None

    def __delattr__(self, name):
        super().__delattr__(name)
        vars(self)["_plan"] = None

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "_plan"}

    def _make_plan(self):
        """[(module, None, None, None), or (layer, activation, and the forward of each)], after every change here.

        Of the modules themselves only hooks are looked for, which `_planned` counts; `forward` looks at the rest.
        """
        plan, modules = [], _held(self)
        while modules:
            module, after = modules.pop(0), modules[0] if modules else None
            if type(after) in FUSED.get(type(module), ()) and _is_plain(module) and _is_plain(after):
                plan.append((module, modules.pop(0), module.forward, after.forward))
            else:
                plan.append((module, None, None, None))
        vars(self).update(_plan=plan, _planned=Module.hooked)
        return plan

    def forward(self, x):
        plan = self._plan
        if plan is None or self._planned != Module.hooked:
            plan = self._make_plan()
        for module, activation, forward, then in plan:
            if activation is None:
                x = module(x)
            elif forward == module.forward and then == activation.forward:
                x = forward(x, activation.op())
            else:  # one of them was given another forward, or another class
                x = activation(module(x))
        return x


def _is_plain(module):
    """Whether calling the module is calling the forward that its class was written with."""
    kind, own = type(module), getattr(module.forward, "__func__", None)
    return own is FORWARDS[kind] and kind.__call__ is Module.__call__ and module._hooks is None


class ModuleList(_Modules):
    """A list of modules whose parameters count."""

    def __init__(self, modules=None):
        super().__init__()
        self.extend(modules or ())

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)(_held(self)[index])
        return vars(self)[_name(self, index)]

    def __add__(self, modules):
        return type(self)([*self, *modules])

    def forward(self, *inputs):
        raise NotImplementedError("ModuleList has no forward: call its modules, or use Sequential")
