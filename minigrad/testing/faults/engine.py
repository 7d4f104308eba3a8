"""Faults of the engine: graph, sweep, switches, modules."""

import numpy

import minigrad
from minigrad import convert, graph, modes, nn, optim
from minigrad.nn import functional
from minigrad.nn import module as modules
from minigrad.testing.faults.fault import check, expect, wrong

wrong(
    "leaf-overwrites",
    "accumulate by overwrite: a second backward replaces .grad",
    graph.Leaf,
    lambda self, g, owned: setattr(
        self.tensor(), "grad", g if isinstance(g, minigrad.Tensor) else minigrad.from_numpy(numpy.array(g))
    ),
    "accumulate",
    "accumulation",
)
wrong(
    "leaf-aliases",
    ".grad shares its memory with the cotangent that reached it",
    graph.Leaf,
    lambda self, g, owned: setattr(self.tensor(), "grad", graph.Op.wrap(getattr(g, "array", g))),
    "accumulate",
    "accumulation",
)
wrong("graph-untied", "the second derivative takes everything that an op kept for a constant", graph,
      lambda node, slot, array: array, "_tie", "case Mul")
wrong("writes-unseen", "an input changed after the forward pass is used as it is now", graph,
      lambda node: None, "check_unwritten", "case Mul")
wrong("no-grad-records", "no_grad records a graph all the same", modes.no_grad, True, "value", "switches")
wrong("detach-attached", "detach returns the tensor itself", minigrad.Tensor, lambda self: self, "detach", "switches")
wrong("clone-shares", "clone shares the memory of its source", convert.Clone, lambda self, x: x, "forward", "switches")
wrong(
    "zero-grad-forgets",
    "zero_grad leaves the gradients",
    optim.optimizer,
    lambda p, set_to_none=True: None,
    "forget_grad",
    "zero_grad",
)
wrong(
    "module-zero-grad",
    "Module.zero_grad leaves the gradients",
    modules,
    lambda p, set_to_none=True: None,
    "forget_grad",
    "zero_grad",
)
wrong(
    "dropout-unscaled",
    "dropout does not scale up what stays",
    functional,
    lambda x, p=0.5, training=True: (
        x * (numpy.random.default_rng(0).random(x.shape) >= p).astype(x.dtype) if training else x
    ),
    "dropout",
    "dropout",
)
wrong("dropout-always", "dropout drops in eval mode, too", functional,
      (lambda dropout: lambda x, p=0.5, training=True: dropout(x, p, True))(functional.dropout), "dropout", "dropout")


@check("accumulation")
def check_accumulation():
    """`.grad` adds up, over uses and over calls, and belongs to nobody else."""
    x = minigrad.tensor(numpy.array([1.0, 2.0]), requires_grad=True)
    y = x * x + x * 3.0
    y.sum().backward(retain_graph=True)
    expect(x.grad, [5, 7], "x.grad of x**2 + 3x")
    y.sum().backward()
    expect(x.grad, [10, 14], "x.grad after a second backward")
    a, b = (minigrad.tensor(numpy.ones(2), requires_grad=True) for _ in range(2))
    seed = minigrad.tensor(numpy.array([1.0, 2.0]))
    (a + b).backward(seed)
    a.grad.mul_(10.0)
    expect(b.grad, [1, 2], "b.grad after a.grad was changed")
    expect(seed, [1, 2], "the cotangent after a.grad was changed")


@check("switches")
def check_switches():
    """no_grad, detach and clone do what their names say."""
    x = minigrad.tensor(numpy.array([1.0, 2.0]), requires_grad=True)
    with modes.no_grad():
        if (x * 2.0).requires_grad:
            raise AssertionError("an op under no_grad gave a tensor with a graph")
    if (x * 2.0).detach().requires_grad:
        raise AssertionError("a detached tensor carries a graph")
    copied = minigrad.tensor([1.0, 2.0])
    copied.clone().zero_()
    expect(copied, [1, 2], "a tensor after its clone was set to zero")


@check("zero_grad")
def check_zero_grad():
    """Gradients are forgotten on demand."""
    layer = nn.Linear(2, 1)
    for forget in (layer.zero_grad, optim.SGD(layer.parameters(), lr=0.1).zero_grad):
        layer(minigrad.ones(1, 2)).sum().backward()
        forget()
        if layer.weight.grad is not None:
            raise AssertionError("a gradient outlived zero_grad")


@check("dropout")
def check_dropout():
    """Dropout keeps the mean in training and does nothing in eval mode."""
    layer, x = nn.Dropout(0.5), minigrad.ones(4000)
    expect(abs(layer(x).mean().item() - 1) < 0.2, True, "whether dropout keeps the mean")
    expect(layer.eval()(x), x, "dropout in eval mode")
