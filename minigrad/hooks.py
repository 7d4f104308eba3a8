"""Hooks: functions that see a tensor's gradient once it is known, and may put another in its place."""

import itertools
import weakref

from minigrad.graph import RETAIN, Handle, Op


class HookHandle:
    """What `register_hook` returns. Used in a `with` block it takes the hook off at its end.

    `changed` counts hooks of modules and leaves (`lasting`) that were registered or taken off anywhere.
    """

    _keys, changed = itertools.count(), 0

    def __init__(self, hooks, hook, lasting=True):
        self.hooks, self.key, self.lasting = hooks, next(self._keys), lasting
        hooks[self.key] = hook
        HookHandle.changed += lasting

    def remove(self):
        """Take the hook off."""
        self.hooks.pop(self.key, None)
        HookHandle.changed += self.lasting

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()


class Hooks(Handle):
    """The part of Tensor that watches its gradient."""

    __slots__ = ()

    def _hooks(self, name):
        if self.node is None:
            raise RuntimeError(f"{name}: this tensor requires no gradient; call requires_grad_() on it first")
        if self.node.hooks is None:
            self.node.hooks = {}
        return self.node.hooks

    def register_hook(self, hook):
        """Call `hook(gradient)` once this tensor's gradient is known; a tensor that it returns takes its place.

        Hooks run in the order in which they were registered. The returned handle's `remove()` undoes it.
        """
        return HookHandle(self._hooks("register_hook"), hook, lasting=not isinstance(self.node, Op))

    def retain_grad(self):
        """Keep the gradient of this intermediate tensor in `.grad`, too: the one that all its hooks have left."""
        hooks = self._hooks("retain_grad")
        me = weakref.ref(self)  # the node must not keep the tensor alive that keeps the node alive

        def keep(g):
            tensor = me()
            if tensor is not None:
                tensor.grad = g if tensor.grad is None else tensor.grad + g

        if isinstance(self.node, Op):
            hooks[RETAIN] = keep
