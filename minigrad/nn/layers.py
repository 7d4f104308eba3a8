"""Linear layers, tables, dropout, and the containers and reshapers between them."""

from minigrad import create, ops
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.activations import LeakyReLU, ReLU, Sigmoid, Tanh
from minigrad.nn.module import Module, Parameter


class Identity(Module):
    """What goes in comes out; any arguments are ignored."""

    def __init__(self, *args, **options):
        super().__init__()

    def forward(self, x):
        return x


class Linear(Module):
    """y = x W.T + b: (..., in_features) to (..., out_features). weight (out, in), bias (out,)."""

    fuses = (Sigmoid, Tanh, ReLU, LeakyReLU)

    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(create.empty(out_features, in_features, device=device, dtype=dtype))
        self.bias = Parameter(create.empty(out_features, device=device, dtype=dtype)) if bias else None
        init.torch_default_(self.weight, self.bias)

    def forward(self, x, activation=None):
        return ops.linear(x, self.weight, self.bias, activation)

    def extra_repr(self):
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Embedding(Module):
    """A table of vectors: int64 (...) to (..., embedding_dim). weight (num_embeddings, embedding_dim) of N(0, 1)."""

    def __init__(self, num_embeddings, embedding_dim, device=None, dtype=None):
        super().__init__()
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.weight = Parameter(create.randn(num_embeddings, embedding_dim, device=device, dtype=dtype))

    def forward(self, index):
        return F.embedding(index, self.weight)

    def extra_repr(self):
        return f"{self.num_embeddings}, {self.embedding_dim}"


class Dropout(Module):
    """While training, each element 0 with probability p, the others divided by 1 - p."""

    def __init__(self, p=0.5, inplace=False):
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p is {p}; a probability lies in 0..1")
        self.p = p

    def forward(self, x):
        return F.dropout(x, self.p, self.training)

    def extra_repr(self):
        return f"p={self.p}"


class Flatten(Module):
    """Axes start_dim to end_dim as one; the batch axis stays."""

    def __init__(self, start_dim=1, end_dim=-1):
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x):
        return ops.flatten(x, self.start_dim, self.end_dim)

    def extra_repr(self):
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Axis `dim` as several axes of the given sizes."""

    def __init__(self, dim, unflattened_size):
        super().__init__()
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, x):
        return ops.unflatten(x, self.dim, self.unflattened_size)

    def extra_repr(self):
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


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
