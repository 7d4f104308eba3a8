"""Module: a tree of parameters. What a module holds is what its attributes hold; no other list is kept."""

from collections import namedtuple

from minigrad import create
from minigrad.autograd import array_of
from minigrad.backend import as_array
from minigrad.backend.device import move
from minigrad.nn.hooks import Hooks
from minigrad.tensor import Tensor

NOTHING = object()  # in place of an argument


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
    _dispensable = ()  # those that a loaded state may lack, as PyTorch's older ones do
    _hooks = None  # a `Hooks` from the first registration on
    hooked = 0  # how often a hook was registered, on any module

    def __init__(self):
        pass

    def forward(self, *inputs):
        """What the module computes; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward(); define what it computes there")

    def __call__(self, x=NOTHING, /, *inputs, **options):
        """The forward, whatever it is by now, and the hooks around it."""
        if inputs or options or x is NOTHING or self._hooks is not None:
            inputs = inputs if x is NOTHING else (x, *inputs)
            return self.forward(*inputs, **options) if self._hooks is None else self._hooks.call(self, inputs, options)
        return self.forward(x)  # one input and no hook: half of the time of the general call

    def __setattr__(self, name, value):
        if type(value) is Tensor and isinstance(vars(self).get(name), Parameter):
            raise TypeError(f"{type(self).__name__}.{name}: is a parameter, and a plain tensor in its place would not "
                            "be trained; assign nn.Parameter(...), or write the values with .data or copy_()")
        object.__setattr__(self, name, value)

    def __delattr__(self, name):
        object.__delattr__(self, name)
        if name in self._buffers:
            self._forget_buffer(name)

    def _forget_buffer(self, name):
        self._buffers, self._transient = (tuple(key for key in names if key != name)
                                          for names in (self._buffers, self._transient))

    def register_buffer(self, name, tensor, persistent=True):
        """Make `tensor` (or None) an attribute that is part of the state, moves with the module and is not trained."""
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"{type(self).__name__}: buffer {name!r} is to be a {type(tensor).__name__}; give a tensor")
        self._forget_buffer(name)
        self._buffers = (*self._buffers, name)
        if not persistent:
            self._transient = (*self._transient, name)
        setattr(self, name, tensor)

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        """Call `hook(module, inputs)` before each forward; a tuple, or a single value, that it returns replaces them.

        Here and below: hooks run when the module is called, not when its `forward` is; with_kwargs gives the hook the
        keyword arguments as well (and it returns both); prepend puts it before those that are there. The returned
        handle's `remove()` undoes it.
        """
        return self._add_hook("before", hook, prepend=prepend, with_kwargs=with_kwargs)

    def register_forward_hook(self, hook, *, prepend=False, with_kwargs=False, always_call=False):
        """Call `hook(module, inputs, output)` after each forward; what it returns, if not None, is the output.

        With always_call it runs after a forward that raised, too, the output being None.

        >>> import minigrad as torch
        >>> seen, layer = [], torch.nn.Linear(2, 3)
        >>> handle = layer.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
        >>> layer(torch.ones(5, 2)).shape, seen
        ((5, 3), [(5, 3)])
        """
        return self._add_hook("after", hook, prepend=prepend, with_kwargs=with_kwargs, always_call=always_call)

    def register_full_backward_pre_hook(self, hook, prepend=False):
        """Call `hook(module, grad_output)` once the gradients of the outputs are known; a tuple replaces them."""
        return self._add_hook("grad_before", hook, prepend=prepend)

    def register_full_backward_hook(self, hook, prepend=False):
        """Call `hook(module, grad_input, grad_output)` once the gradients of the inputs are known.

        Both are tuples, with None for what is no tensor. A tuple that the hook returns takes grad_input's place. Where
        no input wants a gradient, the hook is called once those of the outputs are known.
        """
        return self._add_hook("grad", hook, prepend=prepend)

    def _add_hook(self, kind, hook, **options):
        if self._hooks is None:
            self._hooks = Hooks()
        Module.hooked += 1
        return self._hooks.add(kind, hook, **options)

    def register_parameter(self, name, parameter):
        """The same as assigning the attribute, of a Parameter or None; TypeError for anything else."""
        if parameter is not None and not isinstance(parameter, Parameter):
            raise TypeError(f"{type(self).__name__}: parameter {name!r} is to be a {type(parameter).__name__}, which "
                            "would not be trained; give an nn.Parameter")
        setattr(self, name, parameter)

    def add_module(self, name, module):
        """The same as assigning the attribute, of a module or None.

        TypeError for anything else, KeyError for a name that cannot be one, or is that of something else here.
        """
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{type(self).__name__}: {module!r} is not a Module; wrap functions in a Module")
        there = vars(self).get(name)
        taken = there is not None and not isinstance(there, Module) or hasattr(type(self), str(name))
        if not isinstance(name, str) or not name or "." in name or taken:
            raise KeyError(f"{type(self).__name__}: {name!r} cannot name a module; use a word without a dot that "
                           "nothing else here is called")
        setattr(self, name, module)

    register_module = add_module

    def named_children(self):
        """(name, module) of the modules directly in this one, each once."""
        seen = set()
        return ((name, module) for name, module in children_of(self) if not (module in seen or seen.add(module)))

    def children(self):
        """The modules directly in this one, each once."""
        return (module for _, module in Module.named_children(self))

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        """(dotted name, module) of this module and all below, each once; without those in the set `memo`."""
        return iter(_tree(self, prefix, (memo if memo is not None else set()) if remove_duplicate else ()))

    def modules(self):
        """This module and all below, each once."""
        return (module for _, module in _tree(self))

    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        """(dotted name, parameter) of all parameters, each once."""
        return iter(_tensors(self, _is_parameter, prefix, recurse, remove_duplicate))

    def parameters(self, recurse=True):
        """All parameters, each once."""
        return (parameter for _, parameter in _tensors(self, _is_parameter, "", recurse))

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        """(dotted name, tensor) of all buffers, each once."""
        return iter(_tensors(self, _is_buffer, prefix, recurse, remove_duplicate))

    def buffers(self, recurse=True):
        """All buffers, each once."""
        return (buffer for _, buffer in _tensors(self, _is_buffer, "", recurse))

    def get_submodule(self, target):
        """The module of that dotted name below this one; "" is this one. AttributeError says where the way ends."""
        module = self
        for name in target.split(".") if target else ():
            module = _part(module, name, Module, "module", target)
        return module

    def get_parameter(self, target):
        """The parameter of that dotted name."""
        path, _, name = target.rpartition(".")
        return _part(Module.get_submodule(self, path), name, Parameter, "parameter", target)

    def get_buffer(self, target):
        """The buffer of that dotted name."""
        path, _, name = target.rpartition(".")
        module = Module.get_submodule(self, path)
        return _part(module, name if name in module._buffers else "", Tensor, "buffer", target)

    def state_dict(self, *, prefix="", keep_vars=False):
        """{dotted name: tensor} of the parameters and buffers, sharing their memory; with keep_vars they themselves."""
        return {prefix + name: tensor if keep_vars else tensor.detach()
                for name, tensor in _tensors(self, _is_state, once=False)}

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Copy the values of `state_dict` (tensors or arrays) into the parameters and buffers of the same names.

        All names and shapes are checked before anything is copied. With strict=False names on one side only are left
        out. With assign the parameters and buffers take the given memory and dtype instead of a copy. Returns
        (missing_keys, unexpected_keys), by these names; RuntimeError lists what does not fit.
        """
        if not hasattr(state_dict, "keys"):
            raise TypeError(f"load_state_dict: got a {type(state_dict).__name__}; give a dict, such as load(path) or "
                            "model.state_dict() returns")
        own = dict(_tensors(self, _is_state, once=False))
        late = {f"{path}.{name}" if path else name for path, module in _tree(self, seen=())
                for name in module._dispensable}
        missing = [name for name in own if name not in state_dict and name not in late]
        unexpected = [name for name in state_dict if name not in own]
        given = {name: state_dict[name] for name in own if name in state_dict}
        other = [f"{name} is a {type(value).__name__}" for name, value in given.items() if not hasattr(value, "shape")]
        shapes = [f"{name}: {tuple(value.shape)} for {own[name].shape}" for name, value in given.items()
                  if tuple(getattr(value, "shape", own[name].shape)) != own[name].shape]
        problems = [f"{what}: {', '.join(names)}" for what, names in
                    (("missing", missing if strict else ()), ("unexpected", unexpected if strict else ()),
                     ("wrong shape", shapes), ("no tensor", other)) if names]
        if problems:
            raise RuntimeError(f"load_state_dict: {type(self).__name__} does not fit: {'; '.join(problems)}; build the "
                               "same network" + (", or pass strict=False" if missing or unexpected else ""))
        for name, value in given.items():
            array, tensor = array_of(value), own[name]
            if assign:
                tensor.array = create.as_tensor(value).array
            else:
                tensor.detach().copy_(array if isinstance(array, type(tensor.array)) else move(array, tensor.device))
        return IncompatibleKeys(missing, unexpected)

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
        for child in Module.children(self):
            Module.apply(child, function)
        function(self)
        return self

    def extra_repr(self):
        """What stands between the brackets of the repr."""
        return ""

    def __repr__(self):
        children = [f"({name}): {child!r}".replace("\n", "\n  ") for name, child in children_of(self)]
        inner = "\n  " + "\n  ".join(children) + "\n" if children else self.extra_repr()
        return f"{type(self).__name__}({inner})"


class IncompatibleKeys(namedtuple("IncompatibleKeys", ("missing_keys", "unexpected_keys"))):
    """What `load_state_dict` returns: the names that only the module has, and those that only the state has."""

    __slots__ = ()

    def __repr__(self):
        return super().__repr__() if any(self) else "<All keys matched successfully>"


def forget_grad(parameter, set_to_none=True):
    """Drop the parameter's gradient, or write zeros into it."""
    if set_to_none or parameter.grad is None:
        parameter.grad = None
    else:
        parameter.grad = parameter.grad.detach().zero_()


def _part(module, name, kind, what, target):
    """The attribute `name` of a module, which has to be of a kind."""
    found = vars(module).get(name)
    if not isinstance(found, kind):
        there = [key for key, value in vars(module).items() if isinstance(value, kind)]
        raise AttributeError(f"{type(module).__name__} has no {what} {target!r}; on this level there are "
                             f"{', '.join(there) or 'none'}")
    return found


def children_of(module):
    """[(name, module)] of what is directly in a module, under each of its names."""
    return [(name, value) for name, value in vars(module).items() if isinstance(value, Module)]


def _tree(module, prefix="", seen=None):
    """(dotted name, module) of a module and all below; each once, or, with seen=(), under each of its names."""
    seen = set() if seen is None else seen
    if module in seen:
        return []
    if isinstance(seen, set):
        seen.add(module)
    found = [(prefix, module)]
    for name, child in children_of(module):
        found += _tree(child, f"{prefix}.{name}" if prefix else name, seen)
    return found


def _tensors(root, wanted, prefix="", recurse=True, once=True):
    """(dotted name, tensor) of the attributes, at or below `root`, of which wanted(module, name, value) holds."""
    found, seen = [], set()
    for path, module in _tree(root, prefix, None if once else ()) if recurse else [(prefix, root)]:
        for name, value in sorted(vars(module).items(), key=lambda item: item[0] in module._buffers):  # they come last
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
