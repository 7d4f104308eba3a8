"""The table of cases: for every Op of the package, inputs to test it on, and what PyTorch calls it.

A case is made where its family lives, in `minigrad/testing/cases/`; a file put there is found by itself. To cover a new
op write, for instance, in cases/elementwise.py:

    case(Exp, ops.exp, lambda s: (s.normal(s.shape()),), torch="exp")

where `s` is a `Source` and the sample is the tuple of input arrays, or a pair (arrays, keyword arguments).
"""

import importlib
import pkgutil
from dataclasses import dataclass
from typing import Any

import numpy

from minigrad.backend.device import move
from minigrad.graph import Op

CASES = []
BASES = {"minigrad.ops.loss.Loss", "minigrad.ops.rounding.Step", "minigrad.autograd.function._Call",
         "minigrad.autograd.function._Output", "minigrad.autograd.function._Once"}  # what only others are built on
AWAITED = ()  # modules whose ops may lack a case for now, such as "minigrad.ops.fused"; the tests list them as skipped


@dataclass(frozen=True)
class Case:
    """One way to call an op: how to draw its inputs and what to compare it with.

    `sample(source)` gives (arrays, options); `f(*tensors, **options)` gets float64 tensors for floating arrays,
    integer arrays as they are. `op` is the Op class that it exercises (None: several), `torch` PyTorch's name for f
    below `torch`, or a function of (torch, *tensors, **options). `order` is how often it can be differentiated: 2, or
    1 for an op that must raise at the second. `rtol` is what PyTorch's values are compared with. `edges` tells
    whether zero-size and 0-d inputs make sense beside the drawn options.
    """

    name: str
    f: Any
    sample: Any
    op: type | None = None
    torch: Any = None
    order: int = 2
    rtol: float = 1e-10
    edges: bool = True

    def bind(self, options):
        """f with its options, under the case's name: a function of the tensors alone.

        Arrays among the options, such as masks and class weights, are given to f on the device of the tensors.
        """
        def call(*xs):
            if not any(getattr(x, "is_cuda", False) for x in xs):
                return self.f(*xs, **options)
            arrays = {name: move(numpy.asarray(value), "cuda") for name, value in options.items()
                      if isinstance(value, (numpy.ndarray, numpy.bool_))}
            return self.f(*xs, **{**options, **arrays})

        call.__name__ = call.__qualname__ = f"{self.name}({', '.join(f'{k}={v!r}' for k, v in options.items())})"
        return call

    def draw(self, source):
        """(arrays, options) from a Source."""
        drawn = self.sample(source)
        return drawn if len(drawn) == 2 and isinstance(drawn[1], dict) else (drawn, {})

    def __repr__(self):
        return f"Case({self.name})"


def case(op, f, sample, torch=None, *, name=None, order=2, rtol=1e-10, edges=True):
    """Add a case to the table; its name is the op's, or that of f, unless given."""
    name = name or (op.__name__ if op else f.__name__)
    if any(other.name == name for other in CASES):
        raise ValueError(f"case: there is a case {name!r} already; give this one a name of its own")
    CASES.append(Case(name, f, sample, op, torch, order, rtol, edges))


def load():
    """Import every file of cases; returns the table."""
    from minigrad.testing import cases

    for module in pkgutil.iter_modules(cases.__path__):
        importlib.import_module(f"{cases.__name__}.{module.name}")
    return CASES


def op_classes():
    """Every differentiable Op class of the package, after importing all of its modules that define one."""
    import minigrad
    from minigrad import ops

    for package in (ops, minigrad.nn, minigrad.backend):
        for module in pkgutil.iter_modules(package.__path__):
            if module.name != "cuda":
                importlib.import_module(f"{package.__name__}.{module.name}")
    found, stack = [], [Op]
    while stack:
        for kind in stack.pop().__subclasses__():
            stack.append(kind)
            inside = kind.__module__.startswith("minigrad.") and not kind.__module__.startswith("minigrad.testing")
            if inside and f"{kind.__module__}.{kind.__name__}" not in BASES and kind not in found:
                found.append(kind)
    return sorted(found, key=lambda kind: (kind.__module__, kind.__name__))


def uncovered():
    """The Op classes that no case names, as `module.Class`."""
    covered = {c.op for c in load()}
    return [f"{kind.__module__}.{kind.__name__}" for kind in op_classes() if kind not in covered]
