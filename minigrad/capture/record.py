"""What a step did, written down: calls on views of memory, and the numbers that Python keeps beside them.

A `View` says where an operand lies: in which buffer, at which offset, in which shape and strides. Reshaping, slicing
and transposing make other views of the same memory, so they need no call; an in-place operation, an `out=`, a parameter
inside its optimiser's flat buffer are views that a call writes. A `Number` is a Python number that may be another one
in the next step (a step count, a learning rate): it computes, and remembers the expression that it came from.
"""

import linecache
import math
import operator
import os
import sys
import threading
import weakref
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy

from minigrad.backend import owner
from minigrad.graph import Op

_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
LARGE = 1 << 24  # bytes: no array that a step makes by NumPy itself may be larger


class Refused(RuntimeError):
    """A step that cannot be captured; the message names the line and the way out."""


class Where(NamedTuple):
    """Where a call came from: `file:line`, the text of that line, the module or optimiser, the op and its direction."""

    line: str
    code: str
    module: str
    op: str

    def __str__(self):
        return f"{self.line}: {self.code}"


class View(NamedTuple):
    """An operand: part of a buffer, counted in bytes."""

    buffer: int
    offset: int
    shape: tuple
    strides: tuple
    dtype: numpy.dtype

    @property
    def size(self):
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def span(self):
        """(first, last + 1) of the bytes that it reaches."""
        if not self.size:
            return self.offset, self.offset
        ends = [(n - 1) * s for n, s in zip(self.shape, self.strides)]
        return (self.offset + sum(e for e in ends if e < 0),
                self.offset + sum(e for e in ends if e > 0) + self.dtype.itemsize)

    @property
    def dense(self):
        """Whether it has every byte of its span."""
        first, last = self.span
        return last - first == self.size * self.dtype.itemsize


@dataclass
class Buffer:
    """A piece of memory.

    `kind`: "live" (there before the step), "carried" (of a tensor in whose place the step puts another), "input",
    "drawn" (random numbers), "numbers", "constant", "memory" (made by the step), "flags" (branches on values).
    """

    number: int
    kind: str
    size: int
    name: str = ""
    array: numpy.ndarray | None = None  # the owner of the memory, where it is to stay


@dataclass
class Call:
    """One call of the array library. `kind` is "each" (element by element), "reduce", "product", "guard" or "call"."""

    kind: str
    name: str
    ins: tuple
    outs: tuple
    where: Where
    options: dict = field(default_factory=dict)

    def views(self):
        """The operands that are read and lie in memory."""
        return [x for x in self.ins if isinstance(x, View)]

    def signature(self):
        """What has to be equal when the step is recorded again."""
        shown = {k: v for k, v in self.options.items() if k != "run"}
        return self.kind, self.name, tuple(map(_comparable, self.ins)), self.outs, repr(shown)


def _comparable(x):
    """A literal as something that equals itself, NaN included, and never one of another type."""
    return x if isinstance(x, View) else (type(x).__name__, repr(x))


class Number:
    """A Python number and the expression that makes it, in names that the plan binds."""

    __slots__ = ("value", "text", "count")

    def __init__(self, value, text, count=None):
        self.value, self.text, self.count = value, text, count or (text, 0)  # text is count[0] + count[1]

    def _fixed(self):
        """The value for Python, of which the step then depends: the plan checks that it stays."""
        recorder().expected[f"{self.text} == {self.value!r}"] = here()
        return self.value

    __float__ = lambda self: float(self._fixed())
    __int__ = lambda self: int(self._fixed())
    __index__ = lambda self: operator.index(self._fixed())
    __round__ = lambda self, *digits: round(self._fixed(), *digits)
    __hash__ = None

    def __bool__(self):
        recorder().expected[f"bool({self.text}) is {bool(self.value)}"] = here()
        return bool(self.value)

    def __repr__(self):
        return f"{self.value!r} ({self.text})"


def text_of(x):
    """A number as Python text."""
    if isinstance(x, Number):
        return x.text
    return repr(x) if not isinstance(x, float) or math.isfinite(x) else f"float('{x}')"


def _arithmetic(name, sign):
    compute = getattr(operator, name)

    def forward(self, other):
        if not isinstance(other, (int, float, Number)):
            return NotImplemented
        if name == "add" and type(other) is int and type(self.value) is int:
            base, more = self.count[0], self.count[1] + other
            return Number(self.value + other, f"({base} + {more})", (base, more))
        return Number(compute(self.value, plain(other)), f"({self.text} {sign} {text_of(other)})")

    def reflected(self, other):
        if not isinstance(other, (int, float)):
            return NotImplemented
        return Number(compute(other, self.value), f"({text_of(other)} {sign} {self.text})")

    return forward, reflected


def _comparison(name, sign):
    compare = getattr(operator, name)

    def method(self, other):
        result = compare(self.value, plain(other))
        if self.text != text_of(other):
            recorder().expected[f"({self.text} {sign} {text_of(other)}) is {result}"] = here()
        return result

    return method


for _name, _sign in (("add", "+"), ("sub", "-"), ("mul", "*"), ("truediv", "/"), ("floordiv", "//"), ("mod", "%"),
                     ("pow", "**")):
    _methods = _arithmetic(_name, _sign)
    setattr(Number, f"__{_name}__", _methods[0]), setattr(Number, f"__r{_name}__", _methods[1])
for _name, _sign in (("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">="), ("eq", "=="), ("ne", "!=")):
    setattr(Number, f"__{_name}__", _comparison(_name, _sign))
Number.__neg__ = lambda self: Number(-self.value, f"(-{self.text})")


def plain(x):
    """What NumPy computes with: the array of a Traced, the value of a Number; also within tuples, lists, slices."""
    if hasattr(x, "value"):
        return x.value
    if isinstance(x, (tuple, list)):
        return type(x)(map(plain, x)) if not hasattr(x, "_fields") else x
    if isinstance(x, dict):
        return {key: plain(value) for key, value in x.items()}
    return x


class Recorder:
    """The calls of one step. `names` maps ids of modules and optimisers to what the user calls them.

    `before` has the memory that was there before the step: id of the owner -> (kind, name, owner).
    """

    active = None

    def __init__(self, names):
        self.names, self.thread, self.before = names, threading.get_ident(), {}
        self.calls, self.buffers, self.by_owner, self.made_by = [], [], {}, {}
        self.numbers = {}  # (text, dtype) -> place among the numbers that are filled in before a replay
        self.bound, self.prologue = {}, {}  # name -> object; name -> expression evaluated before a replay
        self.expected = {}  # condition -> where the step depended on it
        self.draws = []  # (view, generator's method, arguments)
        self.guards = []  # (whether the value was true, where)
        self.called = {}  # (address, shape) -> the name of a tensor from before the step
        self.number_buffer = self.add_buffer("numbers", 0)
        self.flags = self.add_buffer("flags", 0)

    def add_buffer(self, kind, size, name="", array=None):
        """A new buffer."""
        self.buffers.append(Buffer(len(self.buffers), kind, size, name, array))
        return self.buffers[-1]

    def know(self, array, kind):
        """The buffer of an array's memory; one of this kind if it is new."""
        base = owner(array)
        key, entry = id(base), self.by_owner.get(id(base))
        if entry is not None:
            return entry[0]
        kind, name = self.before[key][:2] if key in self.before else (kind, "")
        if kind == "gradient":
            raise Refused(f"capture: {name} from before the step is used at {here()}; call zero_grad() within the step")
        start, stop = numpy.lib.array_utils.byte_bounds(base)
        if kind == "constant" and stop - start > LARGE:
            raise Refused(f"capture: an array of {stop - start:,} bytes, made by NumPy within the step, is used at "
                          f"{here()}; pass it as an argument of the step, or make it before")
        buffer = self.add_buffer(kind, stop - start, name, None if kind == "memory" else base)
        if kind == "constant":
            buffer.array = base.copy("K")
            start_of_copy = numpy.lib.array_utils.byte_bounds(buffer.array)
            if buffer.array.strides != base.strides or start_of_copy[1] - start_of_copy[0] != stop - start:
                buffer.array = base
        # Memory that is made in the step goes as it does in an uncaptured one; its number may then be another's.
        self.by_owner[key] = buffer, start, weakref.ref(base, lambda _: self.by_owner.pop(key, None))
        return buffer

    def view(self, array):
        """Where a NumPy array lies. One that nobody knows is a constant, which must be the same the next time."""
        buffer = self.know(array, "constant")
        start = self.by_owner[id(owner(array))][1]
        offset = array.__array_interface__["data"][0] - start
        strides = tuple(0 if n == 1 else s for n, s in zip(array.shape, array.strides))
        return View(buffer.number, offset, array.shape, strides, array.dtype)

    def operand(self, x, dtype=None):
        """A View, or a literal number. A Number lies among the numbers, in the `dtype` that it is computed with."""
        if isinstance(x, Number):
            key = x.text, dtype
            place = self.numbers.setdefault(key, len(self.numbers))
            return View(self.number_buffer.number, 8 * place, (), (), dtype)
        x = plain(x)
        return self.view(x) if isinstance(x, numpy.ndarray) else x

    def add(self, kind, name, ins, outs, **options):
        """Write a call down."""
        if all(view.size for view in outs):
            self.calls.append(Call(kind, name, tuple(ins), tuple(outs), here(), options))

    def bind(self, thing, hint):
        """The name by which the plan's Python text knows an object."""
        for name, other in self.bound.items():
            if other is thing:
                return name
        name = "".join(c if c.isalnum() else "_" for c in hint)
        name = name if name and not name[0].isdigit() else f"_{name}"
        while name in self.bound:
            name += "_"
        self.bound[name] = thing
        return name

    def hoist(self, text):
        """The name of what an expression gives, evaluated once before a replay."""
        name = f"fill_{len(self.prologue)}"
        self.prologue[name] = text
        return name

    def difference(self, other):
        """The first thing in which another recording of the step differs, in words, or None."""
        for mine, theirs in zip(self.calls, other.calls):
            if mine.signature() != theirs.signature():
                return f"{mine.where}\n{_how(self, other, mine, theirs)}"
        if len(self.calls) != len(other.calls):
            longer = max(self.calls, other.calls, key=len)
            return (f"{longer[min(len(self.calls), len(other.calls))].where}\nwas reached in one of two recordings of "
                    "the step only")
        for mine, theirs in zip(self.buffers, other.buffers):
            if mine.kind == "constant" == theirs.kind and mine.array.tobytes() != theirs.array.tobytes():
                user = next((c.where for c in self.calls if any(v.buffer == mine.number for v in c.views())), "")
                return (f"{user}\nuses an array that the step made by NumPy or Python, and that was another one in the "
                        "step's next recording; pass it as an argument of the step")
            if mine.kind == "live" and mine.array is not theirs.array:
                return f"the step used the memory of {mine.name} once and of {theirs.name} the next time"
        if (self.prologue, self.numbers, list(self.expected)) != (other.prologue, other.numbers, list(other.expected)):
            return "the step counted or compared other Python numbers the next time"
        return None


def _how(recording, again, mine, theirs):
    """What differs between two calls."""
    if (mine.kind, mine.name) != (theirs.kind, theirs.name):
        return f"called {mine.name} when the step was recorded, and {theirs.name} when it was recorded again"
    for x, y in zip(mine.ins, theirs.ins):
        if _comparable(x) != _comparable(y):
            if isinstance(x, View) and isinstance(y, View):
                if x.shape != y.shape:
                    return f"had an operand of shape {x.shape} when the step was recorded, and {y.shape} the next time"
                one, other = (r.buffers[v.buffer] for r, v in ((recording, x), (again, y)))
                return (f"used {one.name or one.kind} [{x.offset}] when the step was recorded, and "
                        f"{other.name or other.kind} [{y.offset}] the next time; pass what changes from step to step "
                        "as an argument")
            return (f"computed with {x} when the step was recorded, and with {y} the next time; pass what changes from "
                    "step to step as a tensor, an argument of the step")
    return f"called {mine.name} with {mine.options} and results {mine.outs}, then {theirs.options} and {theirs.outs}"


def at_work():
    """Whether this thread is recording."""
    return Recorder.active is not None and Recorder.active.thread == threading.get_ident()


def recorder():
    """The recorder at work in this thread."""
    active = Recorder.active
    if not at_work():
        raise Refused("capture: an array of a step that was recorded is used outside of that step; return it from the "
                      "step instead")
    return active


def here():
    """Where in the user's program, and in which module and op, the recorded step is."""
    frame, op, module, made_by, names = sys._getframe(1), None, None, Recorder.active.made_by, Recorder.active.names
    while frame.f_back is not None:
        mine = frame.f_locals.get("self") if "self" in frame.f_code.co_varnames[:1] else None
        if op is None and isinstance(mine, Op) and frame.f_code.co_name in ("forward", "backward"):
            op, way = mine, frame.f_code.co_name
            module = made_by.get(id(op)) if way == "backward" else None
        if module is None and mine is not None and id(mine) in names and not isinstance(mine, Op):
            module = names[id(mine)]
        if not frame.f_code.co_filename.startswith(_HOME):
            break
        frame = frame.f_back
    if op is not None and module and way == "forward":
        made_by[id(op)] = module
    path, number = frame.f_code.co_filename, frame.f_lineno
    return Where(f"{path.removeprefix(os.getcwd() + os.sep)}:{number}",
                 linecache.getline(path, number).strip(), module or "",
                 "" if op is None else f"{type(op).__name__}{'' if way == 'forward' else '.backward'}")
