"""A plan as NumPy source: what a person reads, and what NumPy runs where there is no compiler.

Each call is a line, under a comment that says from which module, op and line of the user's program it came. Every name
in it is an array that exists already, a part of the network's own memory or of the plan's arena, so that nothing is
allocated and nothing is looked up.
"""

import contextlib
import ctypes
import functools
import itertools
import keyword
import math
import operator

import numpy

from minigrad.backend import threads
from minigrad.capture.record import Recorder, View
from minigrad.capture.traced import multiplies

AS_IT_IS = contextlib.nullcontext()


class Memory:
    """Addresses for the buffers of a recording, and arrays at views of them."""

    def __init__(self, recording: Recorder, offsets, size):
        self.keep = self.arena = numpy.zeros(size + 64, numpy.uint8)
        start = -(-self.arena.ctypes.data // 64) * 64
        self.buffers, self.address = recording.buffers, {number: start + at for number, at in offsets.items()}
        self.owners = []
        for buffer in self.buffers:
            if buffer.kind in ("numbers", "flags"):
                buffer.array = numpy.zeros(8 * max(1, len(recording.numbers), len(recording.guards)), numpy.uint8)
            if buffer.array is not None:
                self.owners.append(buffer.array)
                self.address[buffer.number] = numpy.lib.array_utils.byte_bounds(buffer.array)[0]

    def at(self, view):
        """The address of a view's first element."""
        return self.address[view.buffer] + view.offset

    def array(self, view):
        """The view as an array."""
        if not view.size:
            return numpy.empty(view.shape, view.dtype)
        first, last = view.span
        memory = (ctypes.c_ubyte * max(1, last - first)).from_address(self.address[view.buffer] + first)
        return numpy.ndarray(view.shape, view.dtype, memory, view.offset - first, view.strides)


class Source:
    """The text of a plan's steps, and the namespace in which it runs."""

    def __init__(self, recording, steps, memory):
        self.recording, self.memory, self.called = recording, memory, recording.called
        self.names, self.count = {}, {}
        self.namespace = {"np": numpy, "put": put, "run": None, "float": float, "slice": slice}
        self.lines = [[self.statement(call) for call in step.calls] for step in steps]
        self.steps = steps

    def text(self):
        """The whole as a function `run()`, with comments."""
        lines, place = ["def run():"], None
        for step, statements in zip(self.steps, self.lines):
            for call, statement in zip(step.calls, statements):
                if call.where != place:
                    place = call.where
                    origin = " ".join(part for part in (place.module, place.op) if part)
                    lines.append(f"    # {origin + ': ' if origin else ''}{place}"[:118])
                lines.append(f"    {statement}")
        return "\n".join([*lines, "    pass" * (len(lines) == 1)])

    def compile(self, statements):
        """A function without arguments that runs statements."""
        scope = dict(self.namespace)
        exec("def run():\n " + "\n ".join(statements or ["pass"]), scope)
        return scope["run"]

    @functools.cached_property
    def run(self):
        """The plan by NumPy, as a function."""
        groups = itertools.groupby(zip(self.steps, self.lines), lambda pair: opaque(pair[0]))
        return in_order([([self.compile([line for _, lines in group for line in lines])], [step for step, _ in group])
                         for group in (list(group) for _, group in groups)])

    def name(self, x):
        """An operand, as it stands in the text."""
        if isinstance(x, View):
            if x not in self.names:
                there = x.buffer in self.memory.address  # else a loop of machine code has it in registers
                self.names[x] = self.bind(self.memory.array(x) if there else None, self.hint(x))
            return self.names[x]
        if isinstance(x, numpy.generic):
            return repr(x) if numpy.isfinite(x) else f"np.{x.dtype}('{x}')"
        if isinstance(x, float) and not numpy.isfinite(x):
            return f"float('{x}')"
        if isinstance(x, (tuple, list)):
            inner = ", ".join(map(self.name, x))
            return f"[{inner}]" if isinstance(x, list) else f"({inner}{',' * (len(x) == 1)})"
        if isinstance(x, slice):
            return f"slice({', '.join(self.name(part) for part in (x.start, x.stop, x.step))})"
        return repr(x) if x is not Ellipsis else "..."

    def hint(self, view):
        """What the user calls an operand, or t1, t2, ... for what the step makes."""
        buffer = self.memory.buffers[view.buffer]
        name = None
        if buffer.kind == "live":
            at, flipped = self.memory.at(view), view.shape[::-1]
            name = self.called.get((at, view.shape)) or (at, flipped) in self.called and self.called[at, flipped] + "_T"
            name = name or next((name for (there, shape), name in self.called.items()
                                 if there == at and math.prod(shape) == view.size), None)
        if buffer.kind == "numbers":
            name = next(text for (text, _), place in self.recording.numbers.items() if 8 * place == view.offset)
        elif not name:
            name = f"t{view.buffer}" if buffer.kind == "memory" else buffer.name or buffer.kind
        name = "".join(c if c.isalnum() else "_" for c in name).strip("_")
        return f"_{name}" if keyword.iskeyword(name) or name[:1].isdigit() or not name else name

    def bind(self, value, hint):
        """A name of its own for a value."""
        name, number = hint, 2
        while name in self.namespace:
            name, number = f"{hint}_{number}", number + 1
        self.namespace[name] = value
        return name

    def statement(self, call):
        """A call as a line of NumPy."""
        outs = [self.name(view) for view in call.outs]
        if call.kind == "call":
            return self.other(call, outs)
        ins, out = ", ".join(map(self.name, call.ins)), outs[0]
        if call.name == "copy":
            return f"{out}[...] = {ins}"
        if call.name == "where":
            return f"{out}[...] = np.where({ins})"
        if call.kind == "reduce":
            return f"np.{call.name}.reduce({ins}, axis={call.options['axis']}, keepdims={call.options['keepdims']}, " \
                   f"out={out})"
        dtype = f", dtype='{call.options['dtype']}'" if call.options.get("dtype") else ""
        return f"np.{call.name}({ins}, out={out}{dtype})"

    def other(self, call, outs):
        """A call of kind "call": any function, by the name that it is bound to."""
        run, args = call.options["run"], call.options["args"]
        given = "".join(f", {key}={self.name(value)}" for key, value in call.options["given"].items())
        if run is operator.getitem:
            value = f"{self.name(args[0])}[{self.name(args[1])}]"
        elif run is operator.setitem:
            return f"{self.name(args[0])}[{self.name(args[1])}] = {self.name(args[2])}"
        else:
            value = f"{self.bind(run, call.name)}({', '.join(map(self.name, args))}{given})"
        if call.options["writes"]:
            return value
        return f"{outs[0]}[...] = {value}" if len(outs) == 1 else f"put({value}, {', '.join(outs)})"


def opaque(step):
    """Whether a step is a kernel of minigrad's own, which tells the BLAS itself how many threads to use."""
    return step.calls[0].kind == "call" and hasattr(step.calls[0].options["run"], "__self__")


def one_thread(step):
    """Whether the step has a product for which `backend.threads.dot` keeps the BLAS on one thread."""
    call = step.calls[0]
    if call.kind == "product":
        return len(call.views) == 2 and multiplies(*call.views) >= threads.EARLY
    return call.kind == "call" and not opaque(step)


def in_order(parts):
    """A function that runs [([function], their steps)] in order, without warnings, the BLAS on one thread where due."""
    parts = [(run, any(map(one_thread, steps))) for run, steps in parts]

    def run():
        with numpy.errstate(all="ignore"):
            for functions, single in parts:
                with threads.one_blas_thread if single else AS_IT_IS:
                    for function in functions:
                        function()

    return run


def put(results, *outs):
    """Copy the results of a call to their places."""
    for out, result in zip(outs, results):
        out[...] = result
