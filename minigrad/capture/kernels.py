"""Ops whose arrays are blocks for several threads: convolution and batch normalisation, recorded whole.

What such a kernel computes is its own affair: the plan calls the op's own method again, on the same memory. What the op
keeps on itself for a later kernel (a spread weight, a mask, statistics) is handed on from call to call as in the
recording: each replay begins with the op as it was before the recorded call.
"""

import copy

import numpy

from minigrad.backend import numpy as cpu
from minigrad.capture.record import View, plain, recorder
from minigrad.capture.traced import Traced
from minigrad.graph import Handle
from minigrad.ops.conv import Conv2d, ConvTranspose2d, ConvWeight2d
from minigrad.ops.norm import BatchNormalize

_KERNELS = ((Conv2d, "forward"), (ConvTranspose2d, "forward"), (ConvWeight2d, "forward"),
            (BatchNormalize, "forward"), (BatchNormalize, "backward"))


def replacements():
    """(class, name, function) of what takes the kernels' places while a step is recorded."""
    return [(cls, name, _recorded(vars(cls)[name])) for cls, name in _KERNELS]


def _recorded(method):
    def run(op, arrays):
        traced = any(isinstance(x, Traced) for x in arrays) and not any(isinstance(x, Handle) for x in arrays)
        return _record(method, op, arrays) if traced else method(op, *arrays)

    def forward(self, *arrays):  # under these names `record.here` knows an op
        return run(self, arrays)

    def backward(self, *arrays):
        return run(self, arrays)

    return forward if method.__name__ == "forward" else backward


class Held:
    """What an op holds for a later kernel: in a replay, whatever the earlier kernel's twin of that op holds."""

    def __init__(self, kernel, name):
        self.kernel, self.name = kernel, name


class Kernel:
    """One call of an op's method: how to make it again."""

    def __init__(self, method, op, state):
        self.method, self.state = method, state
        self.twin = copy.copy(op)
        self.twin.parents, self.twin.kept = getattr(op, "parents", ()) and [None] * len(op.parents), ()
        self.twin.needs = [bool(need) for need in getattr(op, "needs", ())]

    def run(self, *arrays):
        """Do it again, the results into `outs`, their places in the plan."""
        held = {name: getattr(x.kernel.twin, x.name) if isinstance(x, Held) else x for name, x in self.state.items()}
        vars(self.twin).clear()
        vars(self.twin).update(held)
        outs, arrays = arrays[-self.count:], arrays[:-self.count]
        cpu.given.array = outs[0]  # for the first result, which kernels make by `channels_last`
        try:
            result = self.method(self.twin, *arrays)
        finally:
            cpu.given.array = None
        results = [x for x in (result if isinstance(result, tuple) else (result,)) if x is not None]
        for out, x in zip(outs, [*results, *(vars(self.twin)[name] for name in self.kept)]):
            if x is not out:
                out[...] = x


def _record(method, op, arrays):
    r = recorder()
    made = r.held  # id of what an op holds -> (it, the kernel that made it, its name)
    now = {name: x.value if isinstance(x, Traced) else x for name, x in vars(op).items()}
    before = {name: Held(*made[id(x)][1:]) if id(x) in made else x for name, x in now.items()}
    views = [r.operand(x) for x in arrays if x is not None]
    kernel = Kernel(method, op, before)
    vars(op).update(now)
    result = method(op, *map(plain, arrays))
    several = isinstance(result, tuple)
    results = [None if x is None else Traced(x) for x in (result if several else (result,))]
    after = dict(vars(op))
    kernel.kept = [name for name, x in after.items() if isinstance(x, numpy.ndarray) and x is not now.get(name)]
    for name, x in after.items():
        if x is not now.get(name):
            made[id(x)] = x, kernel, name
    lifted = [Traced(after[name]) for name in kernel.kept]
    outs = [x for x in [*results, *lifted] if x is not None]
    for x in outs:
        r.made(x.value)
    vars(op).update(zip(kernel.kept, lifted))
    needed = [x.kernel.token for x in before.values() if isinstance(x, Held)]
    kernel.token = View(r.add_buffer("memory", 1).number, 0, (), (), numpy.dtype(bool))
    places = [r.view(x.value) for x in outs]
    kernel.count = len(places)
    r.add("call", type(op).__name__, [*views, *needed], [*places, kernel.token], run=kernel.run,
          args=(*views, *places), given={}, writes=True)
    return tuple(results) if several else results[0]
