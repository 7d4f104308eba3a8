"""Faults of the engine: graph, sweep, switches, modules."""

import numpy

import minigrad
from minigrad import convert, graph, modes, optim
from minigrad.nn import functional
from minigrad.nn import module as modules
from minigrad.testing.faults.fault import wrong

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
      lambda node: None, "_check_unwritten", "case Mul")
wrong("no-grad-records", "no_grad records a graph all the same", modes.no_grad, True, "value", "switches")
wrong("detach-attached", "detach returns the tensor itself", minigrad.Tensor, lambda self: self, "detach", "switches")
wrong("clone-shares", "clone shares the memory of its source", convert.Clone, lambda self, x: x, "forward", "switches")
wrong(
    "zero-grad-forgets",
    "zero_grad leaves the gradients",
    optim,
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
