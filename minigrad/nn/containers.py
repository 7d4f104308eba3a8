"""Modules that hold modules or parameters, in order or by name: Sequential, ModuleList, ModuleDict, ParameterList, ...

What they hold is their attributes, as in any module; the methods of lists and dicts are here.
"""

from collections.abc import MutableMapping

from minigrad.nn.activations import LeakyReLU, ReLU, Sigmoid, Tanh
from minigrad.nn.layers import Linear
from minigrad.nn.module import Module, Parameter, children_of
from minigrad.nn.norm import BatchNorm1d, BatchNorm2d
from minigrad.tensor import Tensor

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


class _Named(MutableMapping, Module):
    """A module with the methods of a dict; subclasses say what it holds."""

    __eq__, __hash__ = Module.__eq__, Module.__hash__  # not a dict's: modules are told apart by identity

    def __len__(self):
        return len(self._keys())

    def __iter__(self):
        return iter(self._keys())

    def __getitem__(self, key):
        if key not in self._keys():
            raise KeyError(f"{type(self).__name__}: there is no {key!r}; there are {', '.join(self._keys()) or 'none'}")
        return vars(self)[key]

    def __delitem__(self, key):
        self[key]
        delattr(self, key)

    def forward(self, *inputs):
        raise NotImplementedError(f"{type(self).__name__} has no forward: use what it holds")


class ModuleDict(_Named):
    """Modules by name, whose parameters count: ModuleDict({"up": a, "down": b}), or from pairs.

    >>> import minigrad as torch
    >>> parts = torch.nn.ModuleDict({"up": torch.nn.Linear(1, 2)})
    >>> parts["down"] = torch.nn.Linear(2, 1)
    >>> list(parts), [name for name, _ in parts.named_parameters()]
    (['up', 'down'], ['up.weight', 'up.bias', 'down.weight', 'down.bias'])
    """

    def __init__(self, modules=None):
        super().__init__()
        self.update(modules or {})

    def _keys(self):
        return [name for name, _ in children_of(self)]

    def __setitem__(self, key, module):
        Module.add_module(self, key, module)


class ParameterDict(_Named):
    """Parameters by name; tensors become parameters, other values stay what they are.

    >>> import minigrad as torch
    >>> weights = torch.nn.ParameterDict({"left": torch.ones(2)})
    >>> weights["right"] = torch.nn.Parameter(torch.zeros(3))
    >>> [(name, p.shape) for name, p in weights.named_parameters()]
    [('left', (2,)), ('right', (3,))]
    """

    _names = ()

    def __init__(self, parameters=None):
        super().__init__()
        self.update(parameters or {})

    def _keys(self):
        return self._names

    def __setitem__(self, key, value):
        if not isinstance(key, str) or key not in self._names and hasattr(self, key):
            raise KeyError(f"{type(self).__name__}: {key!r} cannot name a parameter; use a word that nothing else here "
                           "is called")
        setattr(self, key, _parameter(value))
        if key not in self._names:
            self._names = (*self._names, key)

    def __delitem__(self, key):
        super().__delitem__(key)
        self._names = tuple(name for name in self._names if name != key)

    def copy(self):
        """Another one with the same parameters."""
        return type(self)(dict(self))

    def __or__(self, other):
        return type(self)({**self, **other})

    def extra_repr(self):
        return _described(self.items())


class ParameterList(Module):
    """A list of parameters; tensors become parameters, other values stay what they are."""

    _size = 0

    def __init__(self, values=None):
        super().__init__()
        self.extend(values or ())

    def append(self, value):
        """Add a parameter at the end; returns the list."""
        setattr(self, str(self._size), _parameter(value))
        self._size += 1
        return self

    def extend(self, values):
        """Add parameters at the end; returns the list."""
        for value in list(values):
            ParameterList.append(self, value)
        return self

    def __getitem__(self, index):
        found = [vars(self)[str(i)] for i in range(self._size)][index]
        return type(self)(found) if isinstance(index, slice) else found

    def __setitem__(self, index, value):
        setattr(self, str(range(self._size)[index]), _parameter(value))

    def __len__(self):
        return self._size

    def __iter__(self):
        return iter([vars(self)[str(i)] for i in range(self._size)])

    def __iadd__(self, values):
        return self.extend(values)

    def extra_repr(self):
        return _described(enumerate(self))

    def forward(self, *inputs):
        raise NotImplementedError("ParameterList has no forward: use its parameters")


def _parameter(value):
    """The value; a tensor as a Parameter on the same memory."""
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value


def _described(pairs):
    lines = [f"({name}): {type(value).__name__}{f' of {value.dtype}{value.shape}' if isinstance(value, Tensor) else ''}"
             for name, value in pairs]
    return "\n  " + "\n  ".join(lines) + "\n" if lines else ""
