"""Modules that hold modules: Sequential, ModuleList."""

from minigrad.nn.module import Module


class Sequential(Module):
    """Modules one after the other: Sequential(a, b) is x -> b(a(x)). Or from an OrderedDict of names and modules.

    A layer and an activation after it that its class says it `fuses` run as one op.
    """

    _plan = None

    def __init__(self, *modules):
        super().__init__()
        named = modules[0].items() if len(modules) == 1 and isinstance(modules[0], dict) else enumerate(modules)
        for name, module in named:
            self.append(module, str(name))

    def append(self, module, name=None):
        """Add a module at the end; returns the container."""
        if not isinstance(module, Module):
            raise TypeError(f"{type(self).__name__}: {module!r} is not a Module; wrap functions in a Module")
        setattr(self, str(len(self)) if name is None else name, module)
        return self

    def __len__(self):
        return sum(1 for _ in Module.children(self))

    def __iter__(self):
        return Module.children(self)

    def __getitem__(self, index):
        found = list(Module.children(self))[index]
        return type(self)(*found) if isinstance(found, list) else found

    def __setattr__(self, name, value):
        super().__setattr__(name, value)
        vars(self)["_plan"] = None

    def _make_plan(self):
        """[(module, the activation that it is to apply itself, or None)], anew after each change of an attribute."""
        plan, modules = [], list(Module.children(self))
        while modules:
            module = modules.pop(0)
            fused = modules and type(modules[0]) in vars(type(module)).get("fuses", ())
            plan.append((module, modules.pop(0) if fused else None))
        vars(self)["_plan"] = plan
        return plan

    def forward(self, x):
        for module, activation in self._plan or self._make_plan():
            x = module(x) if activation is None else module(x, activation.op())
        return x


class ModuleList(Sequential):
    """A list of modules whose parameters count."""

    def __init__(self, modules=()):
        super().__init__(*modules)

    def __getitem__(self, index):
        found = list(Module.children(self))[index]
        return ModuleList(found) if isinstance(found, list) else found

    def extend(self, modules):
        """Add modules at the end; returns the list."""
        for module in modules:
            self.append(module)
        return self

    def forward(self, *inputs):
        raise NotImplementedError("ModuleList has no forward: call its modules, or use Sequential")
