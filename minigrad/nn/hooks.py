"""Hooks of a module: functions that see what goes into its forward, what comes out, and the gradients of both.

A module that has none never comes here. `Hooks.call` is what calling a module is from its first hook on. For the
gradients it sends the tensors on either side through a `gate`: the tensors as they are, and in the backward pass one
function that gets all of their gradients together.
"""

import warnings
from collections import OrderedDict

from minigrad.autograd import array_of
from minigrad.backend import array_module
from minigrad.graph import Handle, Op
from minigrad.hooks import HookHandle
from minigrad.modes import mode


class Hooks:
    """The hooks of one module, kind by kind, in the order in which they run."""

    def __init__(self):
        self.before, self.after, self.grad_before, self.grad = (OrderedDict() for _ in range(4))

    def add(self, kind, hook, prepend=False, with_kwargs=False, always_call=False):
        """Register a hook of a kind ("before", "after", "grad_before", "grad"); returns the handle that removes it."""
        hooks = getattr(self, kind)
        handle = HookHandle(hooks, _Hook(hook, with_kwargs, always_call))
        if prepend:
            hooks.move_to_end(next(reversed(hooks)), last=False)
        return handle

    def discard(self, *functions):
        """Take these functions off, whatever kind they are."""
        for hooks in vars(self).values():
            for key in [key for key, hook in hooks.items() if hook.function in functions]:
                del hooks[key]
                HookHandle.changed += 1

    def __getstate__(self):
        return {kind: list(hooks.values()) for kind, hooks in vars(self).items()}

    def __setstate__(self, state):
        self.__init__()
        for kind, hooks in state.items():  # under new keys: those of another process may be taken here
            for hook in hooks:
                HookHandle(getattr(self, kind), hook)

    def call(self, module, inputs, options):
        """The module's forward, with the hooks around it."""
        waiting = [hook for hook in self.after.values() if hook.always]
        try:
            for hook in list(self.before.values()):
                changed = hook.called(module, inputs, options)
                if changed is not None and hook.takes_options:
                    inputs, options = _pair(module, changed)
                elif changed is not None:
                    inputs = changed if isinstance(changed, tuple) else (changed,)
            watched = _Backward(module, self) if self.grad or self.grad_before else None
            if watched:
                inputs = watched.enter(inputs)
            result = module.forward(*inputs, **options)
            for hook in list(self.after.values()):
                waiting = [other for other in waiting if other is not hook]
                changed = hook.called(module, inputs, options, result)
                result = result if changed is None else changed
            return watched.leave(result) if watched else result
        except Exception:
            for hook in waiting:
                hook.called(module, inputs, options, None)
            raise


class _Hook:
    """A function and how it wants to be called."""

    def __init__(self, function, takes_options, always):
        self.function, self.takes_options, self.always = function, takes_options, always

    def called(self, module, inputs, options, *result):
        """What the function returns, given the options only if it takes them."""
        given = (inputs, options) if self.takes_options else (inputs,)
        return self.function(module, *given, *result)


def _pair(module, changed):
    if not isinstance(changed, tuple) or len(changed) != 2:
        raise RuntimeError(f"{type(module).__name__}: a forward pre-hook with_kwargs returned "
                           f"{type(changed).__name__}; return (inputs, options), or None")
    return changed


class _Backward:
    """What one call of a module does in the backward pass: `grad_before` at its outputs, `grad` at its inputs."""

    def __init__(self, module, hooks):
        self.module, self.hooks = module, hooks
        self.inputs = self.outputs = 0  # how many there are
        self.entered, self.grad_output = False, None

    def enter(self, inputs):
        """The inputs; their gradients come to `arrived`."""
        self.inputs = len(inputs)
        gated = gate(inputs, self.arrived)
        self.entered = gated is not None
        return gated if self.entered else inputs

    def leave(self, result):
        """The result; its gradients come to `starting`."""
        alone = not isinstance(result, tuple)
        if alone and not isinstance(result, Handle):
            warnings.warn(f"{type(self.module).__name__}: its backward hooks are not called: forward returned "
                          f"{type(result).__name__}; return a tensor or a tuple of tensors", stacklevel=4)
            return result
        gated = gate((result,) if alone else result, self.starting)
        return result if gated is None else gated[0] if alone else gated

    def starting(self, grads):
        """The gradients of the outputs, as the hooks leave them."""
        for hook in list(self.hooks.grad_before.values()):
            grads = self.checked(hook.function(self.module, grads), grads)
        if self.entered:
            self.grad_output = grads
        else:  # no input wants a gradient: this is all that there will be
            self.run((None,) * self.inputs, grads)
        return grads

    def arrived(self, grads):
        """The gradients of the inputs, as the hooks leave them."""
        grad_output, self.grad_output = self.grad_output, None
        if grad_output is None:  # the gradient came through a recorded gradient, not through the module's output
            return grads
        return self.run(grads, grad_output)

    def run(self, grads, grad_output):
        """`grad` hooks, one after the other."""
        for hook in list(self.hooks.grad.values()):
            grads = self.checked(hook.function(self.module, grads, grad_output), grads)
        return grads

    def checked(self, changed, grads):
        """What a hook returned, where it is something: as many gradients as it was given."""
        if changed is None:
            return grads
        changed = changed if isinstance(changed, tuple) else (changed,)
        if len(changed) != len(grads):
            raise RuntimeError(f"{type(self.module).__name__}: a backward hook returned {len(changed)} gradients for "
                               f"{len(grads)}; return as many, or None")
        return changed


def gate(values, function):
    """The values, the tensors among them with another node; `function` is to get their gradients in the backward pass.

    It is given a tuple, None for what is no tensor, and returns one. None where no tensor carries a graph.
    """
    places = [i for i, x in enumerate(values) if isinstance(x, Handle)]
    if not mode.grad or all(values[i].node is None for i in places):
        return None
    gather, passed = Gather(function, places, len(values)), list(values)
    end = gather(*(values[i] for i in places))
    for k, i in enumerate(places):
        if values[i].node is not None:
            passed[i] = Pass(gather, k)(values[i], end)
    return tuple(passed)


class Gather(Op):
    """0, made of several tensors: created before all `Pass`, its backward runs after theirs, and has their gradients"""

    def __init__(self, function, places, count):
        self.function, self.places, self.count = function, places, count

    def forward(self, *xs):
        self.found, self.kinds = [None] * len(xs), [(x.shape, x.dtype) for x in xs]
        return array_module(xs[0]).zeros((), next(x.dtype for x in xs if x.dtype.kind == "f"))

    def backward(self, g):
        found, self.found = self.found, [None] * len(self.found)
        xp, recorded, grads = array_module(array_of(g)), isinstance(g, Handle), [None] * self.count
        for place, x, (shape, dtype) in zip(self.places, found, self.kinds):
            x = xp.zeros(shape, dtype) if x is None else x
            grads[place] = x if isinstance(x, Handle) else Op.wrap(x)
        grads = self.function(tuple(grads))
        return tuple(grads[i] if recorded else array_of(grads[i]) for i in self.places)


class Pass(Op):
    """y = x; the gradient goes to a `Gather`, which hands it on to x"""

    def __init__(self, gather, place):
        self.gather, self.place = gather, place

    def forward(self, x, end):
        return x

    def backward(self, g):
        self.gather.found[self.place] = g
        zero = array_module(array_of(g)).zeros((), g.dtype)
        return None, Op.wrap(zero) if isinstance(g, Handle) else zero
