"""Module: a tree of parameters. What a module holds is what its attributes hold; no other list is kept."""

from minigrad.autograd import array_of
from minigrad.backend import as_array
from minigrad.backend.device import move
from minigrad.tensor import Tensor


class Parameter(Tensor):
    """A tensor that a Module lists among its parameters; it wants a gradient from the start."""

    __slots__ = ()

    def __new__(cls, data=(), requires_grad=True):
        self = object.__new__(cls)
        self.array, self.node, self.grad = as_array(array_of(data)), None, None
        return self.requires_grad_() if requires_grad else self

    def __repr__(self):
        return f"Parameter containing:\n{super().__repr__()}"


class Module:
    """The base of networks and layers: subclass it, make layers in `__init__`, write `forward`.

    Parameters and modules are found by looking at the attributes, in the order of their assignment. A subclass may give
    any of these methods another meaning (a `train` of its own, say): nothing in here depends on it.

    >>> import minigrad as torch
    >>> class Net(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layer = torch.nn.Linear(2, 1)
    ...     def forward(self, x):
    ...         return self.layer(x)
    >>> [(name, p.shape) for name, p in Net().named_parameters()]
    [('layer.weight', (1, 2)), ('layer.bias', (1,))]
    """

    training = True
    _buffers = ()  # the names of the attributes that are state without a gradient
    _transient = ()  # those among them that state_dict leaves out

    def __init__(self):
        pass

    def forward(self, *inputs):
        """What the module computes; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward(); define what it computes there")

    def __init_subclass__(cls):
        """Calling a module is calling its `forward`: the same function, not another one around it.

        A `__call__` of one's own stays. The forward may come from any base, also from one that is no Module.
        """
        owner = next(base for base in cls.__mro__ if "__call__" in vars(base))
        own = owner is not Module and vars(owner)["__call__"] is not vars(owner).get("forward")
        if not own and cls.forward is not Module.forward:
            cls.__call__ = cls.forward

    def __call__(self, *inputs, **options):
        return self.forward(*inputs, **options)

    def __setattr__(self, name, value):
        if type(value) is Tensor and isinstance(vars(self).get(name), Parameter):
            raise TypeError(f"{type(self).__name__}.{name}: is a parameter, and a plain tensor in its place would not "
                            "be trained; assign nn.Parameter(...), or write the values with .data or copy_()")
        object.__setattr__(self, name, value)

    def register_buffer(self, name, tensor, persistent=True):
        """Make `tensor` (or None) an attribute that is part of the state, moves with the module and is not trained."""
        self._buffers = (*self._buffers, name)
        if not persistent:
            self._transient = (*self._transient, name)
        setattr(self, name, tensor)

    def register_parameter(self, name, parameter):
        """The same as assigning the attribute."""
        setattr(self, name, parameter)

    def add_module(self, name, module):
        """The same as assigning the attribute."""
        setattr(self, name, module)

    def named_children(self):
        """(name, module) of the modules directly in this one."""
        return iter(_children(self))

    def children(self):
        """The modules directly in this one."""
        return (module for _, module in _children(self))

    def named_modules(self, prefix=""):
        """(dotted name, module) of this module and all below, each once."""
        return iter(_tree(self, prefix))

    def modules(self):
        """This module and all below, each once."""
        return (module for _, module in _tree(self))

    def named_parameters(self, prefix="", recurse=True):
        """(dotted name, parameter) of all parameters, each once."""
        return iter(_tensors(self, _is_parameter, prefix, recurse))

    def parameters(self, recurse=True):
        """All parameters, each once."""
        return (parameter for _, parameter in _tensors(self, _is_parameter, "", recurse))

    def named_buffers(self, prefix="", recurse=True):
        """(dotted name, tensor) of all buffers, each once."""
        return iter(_tensors(self, _is_buffer, prefix, recurse))

    def buffers(self, recurse=True):
        """All buffers, each once."""
        return (buffer for _, buffer in _tensors(self, _is_buffer, "", recurse))

    def state_dict(self):
        """{dotted name: tensor} of the parameters and buffers, sharing their memory."""
        return {name: tensor.detach() for name, tensor in _tensors(self, _is_state, once=False)}

    def load_state_dict(self, state_dict, strict=True):
        """Copy the values of `state_dict` (tensors or arrays) into the parameters and buffers of the same names.

        All names and shapes are checked before anything is copied. With strict=False names on one side only are left
        out. Returns (missing, unexpected) names; RuntimeError lists what does not fit.
        """
        own = Module.state_dict(self)
        missing = [name for name in own if name not in state_dict]
        unexpected = [name for name in state_dict if name not in own]
        shapes = [f"{name}: {tuple(state_dict[name].shape)} for {own[name].shape}" for name in own
                  if name in state_dict and tuple(state_dict[name].shape) != own[name].shape]
        problems = [f"{what}: {', '.join(names)}" for what, names in
                    (("missing", missing if strict else ()), ("unexpected", unexpected if strict else ()),
                     ("wrong shape", shapes)) if names]
        if problems:
            raise RuntimeError(f"load_state_dict: {type(self).__name__} does not fit: {'; '.join(problems)}; build the "
                               "same network" + (", or pass strict=False" if missing or unexpected else ""))
        for name, tensor in own.items():
            if name in state_dict:
                value = array_of(state_dict[name])
                tensor.copy_(value if isinstance(value, type(tensor.array)) else move(value, tensor.device))
        return missing, unexpected

    def train(self, mode=True):
        """Training behaviour (dropout, batch statistics) on, or off, here and below; returns the module."""
        for _, module in _tree(self):
            module.training = bool(mode)
        return self

    def eval(self):
        """Training behaviour off; returns the module."""
        return Module.train(self, False)

    def to(self, *args, **options):
        """Move and cast the parameters and buffers in place (floating ones only are cast); returns the module."""
        for _, tensor in _tensors(self, lambda *entry: _is_parameter(*entry) or _is_buffer(*entry)):
            moved = tensor.detach().to(*args, **options)
            if tensor.dtype.kind != "f":
                moved = tensor.detach().to(moved.device)
            tensor.array = moved.array
            if tensor.grad is not None:
                tensor.grad = tensor.grad.detach().to(*args, **options)
        return self

    def cuda(self, device=None):
        """Everything to the GPU; returns the module."""
        return Module.to(self, "cuda")

    def cpu(self):
        """Everything to the CPU; returns the module."""
        return Module.to(self, "cpu")

    def float(self):
        """Everything in float32; returns the module."""
        return Module.to(self, dtype="float32")

    def double(self):
        """Everything in float64; returns the module."""
        return Module.to(self, dtype="float64")

    def half(self):
        """Everything in float16; returns the module."""
        return Module.to(self, dtype="float16")

    def zero_grad(self, set_to_none=True):
        """Forget the gradients of all parameters."""
        for parameter in Module.parameters(self):
            forget_grad(parameter, set_to_none)

    def requires_grad_(self, requires_grad=True):
        """Whether the parameters want gradients; returns the module."""
        for parameter in Module.parameters(self):
            parameter.requires_grad_(requires_grad)
        return self

    def apply(self, function):
        """Call `function(module)` on every module below and on this one, children first; returns the module."""
        for _, child in _children(self):
            Module.apply(child, function)
        function(self)
        return self

    def extra_repr(self):
        """What stands between the brackets of the repr."""
        return ""

    def __repr__(self):
        children = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in _children(self)]
        inner = "\n  " + "\n  ".join(children) + "\n" if children else self.extra_repr()
        return f"{type(self).__name__}({inner})"


def forget_grad(parameter, set_to_none=True):
    """Drop the parameter's gradient, or write zeros into it."""
    if set_to_none or parameter.grad is None:
        parameter.grad = None
    else:
        parameter.grad = parameter.grad.detach().zero_()


def _children(module):
    return [(name, value) for name, value in vars(module).items() if isinstance(value, Module)]


def _tree(module, prefix="", seen=None):
    """(dotted name, module) of a module and all below; each once, or, with seen=(), under each of its names."""
    seen = set() if seen is None else seen
    if module in seen:
        return []
    if isinstance(seen, set):
        seen.add(module)
    found = [(prefix, module)]
    for name, child in _children(module):
        found += _tree(child, f"{prefix}.{name}" if prefix else name, seen)
    return found


def _tensors(root, wanted, prefix="", recurse=True, once=True):
    """(dotted name, tensor) of the attributes, at or below `root`, of which wanted(module, name, value) holds."""
    found, seen = [], set()
    for path, module in _tree(root, prefix, None if once else ()) if recurse else [(prefix, root)]:
        for name, value in vars(module).items():
            if isinstance(value, Tensor) and wanted(module, name, value) and not (once and value in seen):
                seen.add(value)
                found.append((f"{path}.{name}" if path else name, value))
    return found


def _is_parameter(module, name, value):
    return isinstance(value, Parameter)


def _is_buffer(module, name, value):
    return name in module._buffers


def _is_state(module, name, value):
    return isinstance(value, Parameter) or name in module._buffers and name not in module._transient
