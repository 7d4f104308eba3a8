"""Faults of hooks, and of what a graph holds once it was used."""

import gc
import weakref

import numpy

from minigrad import autograd, create, graph, hooks
from minigrad.graph import Op
from minigrad.testing.faults.fault import check, expect, rewritten, wrong


def _once(self, hook):
    """Registers a hook under one key, whatever else is there."""
    handle = hooks.HookHandle({}, hook)
    self._hooks("register_hook")[0] = hook
    return handle


def _backwards(node, g):
    for hook in list(node.hooks.values())[::-1]:
        result = hook(Op.wrap(getattr(g, "array", g)))
        g = g if result is None else result.array
    return g


def _unheard(node, g):
    for hook in node.hooks.values():
        hook(Op.wrap(getattr(g, "array", g)))
    return g


def _early(node, g):
    """Runs `retain_grad` first."""
    return _in_order({graph.RETAIN: node.hooks[graph.RETAIN], **node.hooks} if graph.RETAIN in node.hooks
                     else node.hooks, g)


def _in_order(functions, g):
    for hook in list(functions.values()):
        result = hook(Op.wrap(getattr(g, "array", g)))
        g = g if result is None else result.array
    return g


def _replacing(self):
    """A `retain_grad` that keeps the last gradient alone."""
    me = weakref.ref(self)
    self._hooks("retain_grad")[graph.RETAIN] = lambda g: setattr(me(), "grad", g)


wrong("hook-lost", "a hook takes the place of the one before it", hooks.Hooks, _once, "register_hook", "hooks")
wrong("hook-order", "the last hook runs first", graph, _backwards, "_run_hooks", "hooks")
wrong("hook-unheard", "what a hook returns is passed over", graph, _unheard, "_run_hooks", "hooks")
wrong("hook-stays", "remove leaves the hook", hooks.HookHandle, lambda self: None, "remove", "hooks")
wrong("retained-early", "retain_grad keeps the gradient that hooks have yet to change", graph, _early, "_run_hooks",
      "hooks")
wrong("retained-last", "retain_grad keeps the last gradient alone", hooks.Hooks, _replacing, "retain_grad", "hooks")
wrong("graph-kept", "a graph that was used keeps what it held", graph,
      rewritten(graph._sweep, ("node.__dict__.clear()", "pass"),
                ("node.parents, node.needs, node.kept = None, None, ()", "pass")), "_sweep", "memory")
wrong("graph-half-kept", "a graph that was used keeps its masks and indices", graph,
      rewritten(graph._sweep, ("node.__dict__.clear()", "pass")), "_sweep", "memory")


@check("hooks")
def check_hooks():
    """Hooks run in their order, also those whose handles are gone; retain_grad adds up what they leave."""
    x = create.tensor(numpy.array([1.0, 2.0]), requires_grad=True)
    y, seen = x * 3.0, []
    y.register_hook(lambda g: seen.append(g.tolist()) or g * 2.0)
    gone = y.register_hook(lambda g: g * 100.0)
    y.retain_grad()
    y.register_hook(lambda g: seen.append(g.tolist()) or g + 1.0)
    gone.remove()
    y.sum().backward(retain_graph=True)
    expect(seen, [[1.0, 1.0], [2.0, 2.0]], "what two hooks saw, whose handles were dropped")
    expect(y.grad, [3.0, 3.0], "the gradient that retain_grad kept")
    expect(x.grad, [9.0, 9.0], "the gradient behind the hooks, 3 (2 + 1)")
    y.sum().backward()
    expect(y.grad, [6.0, 6.0], "the retained gradient after two backwards")
    x.register_hook(lambda g: None)
    x.register_hook(lambda g: g * 0.5)
    expect(autograd.grad((x * 4.0).sum(), x)[0], [2.0, 2.0], "a leaf's gradient of 4, halved by a hook")


@check("memory")
def check_memory():
    """After backward nothing holds what ops kept or stashed, though its result is still there, without a collector."""
    class Stash(Op):
        keep = (0,)

        def forward(self, x):
            self.mask = x > 0
            held.extend(map(weakref.ref, (x, self.mask)))
            return x * self.mask

        def backward(self, g, x):
            return g * self.mask,

    held, was_on = [], gc.isenabled()
    gc.disable()
    try:
        x = create.tensor(numpy.array([1.0, -2.0]), requires_grad=True)
        y = Stash()(x * 2.0)
        y.sum().backward()
        expect([ref() is not None for ref in held], [False, False], f"what {y.grad_fn!r} still holds after backward")
    finally:
        if was_on:
            gc.enable()
