"""`minigrad.profile()`: which ops take a step's time and memory, and on whose behalf.

While a profile is open, `Op.__call__`, `Module.__call__` and `Optimizer.step` are replaced by forms that look at the
clock, and each op that was applied carries such a form of its backward: nothing is looked at otherwise. A line's time
is its own, without that of the ops it calls in turn. On a GPU the clock waits for the device, so that what queues up
there is counted where it belongs.
"""

import threading
import time
from typing import NamedTuple

from minigrad.backend import backend_of
from minigrad.graph import Handle, Op
from minigrad.nn.module import Module
from minigrad.optim import Optimizer

KEYS = {"op": lambda name, where: name, "module": lambda name, where: where or "(no module)",
        "both": lambda name, where: f"{where}: {name}" if where else name}


class Row(NamedTuple):
    """A line of a profile: the name, how many calls, seconds, bytes of memory that the results own."""

    name: str
    calls: int
    seconds: float
    bytes: int


class profile:
    """What happens inside, timed op by op: `print` it, or take its `rows`.

    Args:
        by: what makes a line: "op" (Conv2d.forward, Conv2d.backward ...), "module" (the innermost module whose forward
            applied the op, as `Sequential.0 (Linear)` where it lies in another) or "both".

    Only the calls of the thread that entered count. ValueError for another `by`, RuntimeError if it is entered twice.

    >>> import minigrad as torch
    >>> net = torch.nn.Linear(3, 2)
    >>> with torch.profile() as p:
    ...     net(torch.ones(1, 3)).sum().backward()
    >>> sorted((row.name, row.calls) for row in p.rows if "Linear" in row.name)
    [('Linear.backward', 1), ('Linear.forward', 1)]
    """

    def __init__(self, by="op"):
        if by not in KEYS:
            raise ValueError(f"profile: by is {by!r}; use {', '.join(map(repr, KEYS))}")
        self.key, self.found, self.inner = KEYS[by], {}, []
        self.modules = []  # (module, path) of those whose forward runs, the innermost last
        self.seconds, self.thread = 0.0, None  # of all that lies inside

    def __enter__(self):
        if self.thread is not None:
            raise RuntimeError("profile: this one was entered before; make a new one each time")
        self.thread, self.replaced = threading.get_ident(), []
        for place, name, make in ((Op, "__call__", self._timed_call), (Module, "__call__", self._noted_call),
                                  (Optimizer, "step", self._timed_step)):
            before = vars(place)[name]
            self.replaced.append((place, name, before))
            setattr(place, name, make(before))
        self.began = time.perf_counter()
        return self

    def __exit__(self, *exc):
        self.seconds = time.perf_counter() - self.began
        for place, name, before in reversed(self.replaced):
            setattr(place, name, before)

    def _run(self, name, where, function, args, options={}):  # noqa: B006 (read only)
        """function(*args, **options), noted under its name."""
        self.inner.append(0.0)
        result, began = None, time.perf_counter()
        try:
            result = function(*args, **options)
            wait(result)
        finally:
            took = time.perf_counter() - began
            own = took - self.inner.pop()
            if self.inner:
                self.inner[-1] += took
            key = self.key(name, where)
            calls, seconds, memory = self.found.get(key, (0, 0.0, 0))
            self.found[key] = calls + 1, seconds + own, memory + owned(result)
        return result

    def _timed_call(self, before):
        def __call__(op, *inputs):
            if threading.get_ident() != self.thread:
                return before(op, *inputs)
            name, where = type(op).__name__, place(self.modules)
            result = self._run(f"{name}.forward", where, before, (op, *inputs))
            if getattr(result, "node", None) is op:
                backward = op.backward
                op.backward = lambda *given: self._run(f"{name}.backward", where, backward, given)
            return result

        return __call__

    def _noted_call(self, before):
        def __call__(module, *inputs, **options):
            if threading.get_ident() != self.thread:
                return before(module, *inputs, **options)
            self.modules.append((module, path(module, *self.modules[-1:])))
            try:
                return before(module, *inputs, **options)
            finally:
                self.modules.pop()

        return __call__

    def _timed_step(self, before):
        def step(optimiser, *args, **options):
            if threading.get_ident() != self.thread:
                return before(optimiser, *args, **options)
            return self._run(f"{type(optimiser).__name__}.step", "", before, (optimiser, *args), options)

        return step

    @property
    def rows(self):
        """The `Row`s, the longest first."""
        return sorted((Row(name, *found) for name, found in self.found.items()), key=lambda row: -row.seconds)

    def table(self, most=20):
        """The first `most` rows as text, with the share of each in the whole; then what the others took, and the rest.

        The rest is the time between the ops: Python's, and that of code that applies none.
        """
        rows, whole = self.rows, self.seconds or sum(row.seconds for row in self.rows) or 1.0
        shown, others = rows[:most], rows[most:]
        if others:
            shown.append(Row(f"{len(others)} others", *map(sum, list(zip(*others))[1:])))
        rest = self.seconds - sum(row.seconds for row in rows)
        width = max([len(row.name) for row in shown] + [len("between them")])
        lines = [f"{'':<{width}}  {'calls':>7}  {'ms':>10}  {'share':>6}  {'MiB':>8}"]
        lines += [f"{row.name:<{width}}  {row.calls:>7}  {1000 * row.seconds:>10.3f}  {row.seconds / whole:>6.1%}  "
                  f"{row.bytes / 2**20:>8.2f}" for row in shown]
        if self.seconds:
            lines += [f"{'between them':<{width}}  {'':>7}  {1000 * rest:>10.3f}  {rest / whole:>6.1%}",
                      f"{'all':<{width}}  {'':>7}  {1000 * self.seconds:>10.3f}"]
        return "\n".join(lines)

    __str__ = table


def path(module, around=None):
    """Where a module lies in the (module, path) around it, like Sequential.0; its class, where it does not."""
    names = [f"{around[1]}.{name}" for name, child in around[0].named_modules() if child is module] if around else []
    return names[0] if names else type(module).__name__


def place(modules):
    """The name of the innermost of (module, path), with its class where the path does not tell it; "" of none."""
    if not modules:
        return ""
    module, where = modules[-1]
    return f"{where} ({type(module).__name__})" if "." in where else where


def arrays(result):
    """The arrays of what an op returned."""
    for x in result if isinstance(result, (tuple, list)) else (result,):
        if x is not None:
            yield x.array if isinstance(x, Handle) else x


def wait(result):
    """Until the device has done what it was asked for."""
    for array in arrays(result):
        if hasattr(array, "shape"):
            backend_of(array).synchronize()
            return


def owned(result):
    """Bytes of memory that the arrays of a result own; a view owns none."""
    return sum(array.nbytes for array in arrays(result) if getattr(array, "base", 0) is None)
