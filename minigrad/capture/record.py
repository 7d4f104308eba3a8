"""What a step did, written down: calls on views of memory, and the numbers that Python keeps beside them.

A `View` says where an operand lies: in which buffer, at which offset, in which shape and strides. Reshaping, slicing
and transposing make other views of the same memory, so they need no call; an in-place operation, an `out=`, a parameter
inside its optimiser's flat buffer are views that a call writes. A `Number` is a Python number that may be another one
in the next step (a step count, a learning rate): it computes, and remembers the expression that it came from.
"""

import builtins
import keyword
import linecache
import math
import operator
import os
import re
import sys
import threading
import weakref
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy

from minigrad.backend import owner
from minigrad.errors import MinigradError
from minigrad.graph import Op

_HOME = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
TAKEN = re.compile("args|kwargs|given|MISS|run|wrap|touch|np|math|generator|refuse|shared|written|wrong|flags|expected|"
                   "replay|(numbers|input|shape|dtype|draw|args|options|memory|span|result|carried)_[0-9a-z]+")
"""The names in the text around a plan that are its own."""
LARGE = 1 << 24  # bytes: no array that a step makes by NumPy itself may be larger


class Refused(MinigradError, RuntimeError):
    """A step that cannot be captured; the message names the line and the way out."""


class Where(NamedTuple):
    """Where a call came from: `file:line`, the text of that line, the module or optimiser, the op and its direction."""

    line: str
    code: str
    module: str = ""
    op: str = ""

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
        ends = [(n - 1) * s for n, s in zip(self.shape, self.strides)]
        return (self.offset, self.offset) if not self.size else (
            self.offset + sum(e for e in ends if e < 0),
            self.offset + sum(e for e in ends if e > 0) + self.dtype.itemsize)


@dataclass
class Buffer:
    """A piece of memory.

    `kind`: "live" (there before the step), "scratch" (too, but nobody reads it later), "carried" (of a tensor in whose
    place the step puts another), "input", "drawn" (random numbers), "numbers", "constant", "memory" (made by the step),
    "flags" (branches on values).
    `array` owns the memory where it is to stay.
    """

    number: int
    kind: str
    size: int
    name: str = ""
    array: numpy.ndarray | None = None


@dataclass
class Call:
    """One call. `kind`: "each" (element by element), "reduce", "product", or "call", any function.

    `ins` are views and literal numbers, `outs` the views that it writes.
    """

    kind: str
    name: str
    ins: tuple
    outs: tuple
    where: Where
    options: dict = field(default_factory=dict)

    @property
    def views(self):
        """The operands that lie in memory."""
        return [x for x in self.ins if isinstance(x, View)]

    def signature(self):
        """What has to be equal when the step is recorded again; a literal equals itself, NaN included."""
        literals = [x if isinstance(x, View) else (type(x), repr(x)) for x in self.ins]
        return self.kind, self.name, literals, self.outs, repr({k: v for k, v in self.options.items() if k != "run"})


class Number:
    """A Python number and the expression that makes it, in names that the plan binds."""

    __slots__ = ("value", "text", "count")
    __hash__ = None

    def __init__(self, value, text, count=None):
        self.value, self.text, self.count = value, text, count or (text, 0)  # the text is count[0] + count[1]

    def fixed(self):
        """The value for Python, of which the step then depends: the plan checks that it stays."""
        recorder().expected.append(f"{self.text} == {self.value!r}")
        return self.value

    __float__ = lambda self: float(self.fixed())
    __int__ = __index__ = lambda self: operator.index(self.fixed())

    def __bool__(self):
        recorder().expected.append(f"bool({self.text}) is {bool(self.value)}")
        return bool(self.value)

    def __neg__(self):
        return Number(-self.value, f"(-{self.text})")

    def __add__(self, other):
        if type(other) in (int, bool) and type(self.value) is int:  # a count
            base, more = self.count[0], self.count[1] + int(other)
            return Number(self.value + other, f"({base} + {more})", (base, more))
        return self.operation(operator.add, "+", other)

    def operation(self, compute, sign, other):
        """self sign other."""
        if not isinstance(other, (int, float, Number)):
            return NotImplemented
        return Number(compute(self.value, plain(other)), f"({self.text} {sign} {text_of(other)})")

    def compare(self, compute, sign, other):
        """self sign other, of which the step then depends."""
        result = compute(self.value, plain(other))
        if self.text != text_of(other):
            recorder().expected.append(f"({self.text} {sign} {text_of(other)}) is {result}")
        return result


for _name, _sign in (("add", "+"), ("sub", "-"), ("mul", "*"), ("truediv", "/"), ("floordiv", "//"), ("mod", "%"),
                     ("pow", "**")):
    _compute = getattr(operator, _name)
    if _name != "add":
        setattr(Number, f"__{_name}__", lambda self, other, f=_compute, s=_sign: self.operation(f, s, other))
    setattr(Number, f"__r{_name}__", lambda self, other, f=_compute, s=_sign: Number(
        other, text_of(other)).operation(f, s, self) if isinstance(other, (int, float)) else NotImplemented)
for _name, _sign in (("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">="), ("eq", "=="), ("ne", "!=")):
    _compute = getattr(operator, _name)
    setattr(Number, f"__{_name}__", lambda self, other, f=_compute, s=_sign: self.compare(f, s, other))


def tracked(function, name):
    """function(x), a Number of a Number."""
    return lambda x, *rest: function(x, *rest) if not isinstance(x, Number) else Number(
        function(x.value, *map(plain, rest)), f"{name}({', '.join(map(text_of, (x, *rest)))})")


class TrackedMath:
    """The module math, whose functions of Numbers are Numbers."""

    def __getattr__(self, name):
        thing = getattr(math, name)
        return tracked(thing, f"math.{name}") if callable(thing) else thing


def text_of(x):
    """A number as Python text."""
    if isinstance(x, Number):
        return x.text
    return repr(x) if not isinstance(x, float) or math.isfinite(x) else f"float('{x}')"


def plain(x):
    """What NumPy computes with: the array of a Traced, the value of a Number; also within tuples, lists, dicts."""
    if hasattr(x, "value"):
        return x.value
    if type(x) in (tuple, list):
        return type(x)(map(plain, x))
    return {key: plain(value) for key, value in x.items()} if type(x) is dict else x


class Recorder:
    """The calls of one step. `names` maps ids of modules and optimisers to what the user calls them.

    `before` has the memory that was there before the step: id of the owner -> (kind, name, owner).
    """

    active = None

    def __init__(self, names):
        self.names, self.thread, self.before, self.called = names, threading.get_ident(), {}, {}
        self.calls, self.buffers, self.by_owner, self.modules, self.held = [], [], {}, {}, {}
        self.numbers = {}  # (text, dtype) -> place among the numbers that are filled in before a replay
        self.bound, self.prologue = {}, {}  # name -> object; name -> expression evaluated before a replay
        self.expected = []  # conditions on which the step depended
        self.draws, self.guards = [], []  # (view, method, arguments, options); (whether a value was true, where)
        self.number_buffer, self.flags = self.add_buffer("numbers", 0), self.add_buffer("flags", 0)

    def add_buffer(self, kind, size, name="", array=None):
        """A new buffer."""
        self.buffers.append(Buffer(len(self.buffers), kind, size, name, array))
        return self.buffers[-1]

    def know(self, array, kind):
        """The buffer of an array's memory; one of this kind if it is new."""
        base = owner(array)
        key = id(base)
        if key in self.by_owner:
            return self.by_owner[key][0]
        kind, name = self.before[key][:2] if key in self.before else (kind, "")
        start, stop = numpy.lib.array_utils.byte_bounds(base)
        if kind == "gradient":
            raise Refused(f"capture: {name} from before the step is used at {here()}; call zero_grad() within the step")
        if kind == "constant" and stop - start > LARGE:
            raise Refused(f"capture: an array of {stop - start:,} bytes, made by NumPy within the step, is used at "
                          f"{here()}; pass it as an argument of the step, or make it before")
        buffer = self.add_buffer(kind, stop - start, name, None if kind == "memory" else base)
        # Memory that is made in the step goes as it does in an uncaptured one; its id may then be another's.
        self.by_owner[key] = buffer, start, weakref.ref(base, lambda _: self.by_owner.pop(key, None))
        return buffer

    def made(self, result):
        """A result that lies in new memory, as an array."""
        result = numpy.asarray(result)
        self.know(result, "memory")
        return result

    def view(self, array):
        """Where a NumPy array lies. One that nobody knows is a constant, which must be the same the next time."""
        buffer = self.know(array, "constant")
        offset = array.__array_interface__["data"][0] - self.by_owner[id(owner(array))][1]
        strides = tuple(0 if n == 1 else s for n, s in zip(array.shape, array.strides))
        return View(buffer.number, offset, array.shape, strides, array.dtype)

    def operand(self, x, dtype=None):
        """A View, or a literal number. A Number lies among the numbers, in the `dtype` that it is computed with."""
        if isinstance(x, Number):
            place = self.numbers.setdefault((x.text, dtype), len(self.numbers))
            return View(self.number_buffer.number, 8 * place, (), (), dtype)
        x = plain(x)
        if not isinstance(x, numpy.ndarray):
            return x
        key = id(owner(x))
        return self.view(x) if x.ndim or key in self.by_owner or key in self.before else x[()]

    def add(self, kind, name, ins, outs, **options):
        """Write a call down."""
        if all(view.size for view in outs):
            self.calls.append(Call(kind, name, tuple(ins), tuple(outs), here(), options))

    def guard(self, value):
        """The truth of an array of one element; its flag is looked at after each replay."""
        truth, place = bool(value), View(self.flags.number, len(self.guards), (), (), numpy.dtype(bool))
        self.add("each", "copy", [self.operand(value.reshape(()))], [place])
        self.guards.append((truth, here()))
        return truth

    def bind(self, thing, hint):
        """The name by which the plan's Python text knows an object."""
        for name, other in self.bound.items():
            if other is thing:
                return name
        name = "".join(c if c.isalnum() else "_" for c in hint).strip("_")
        name = f"_{name}" if not name or name[0].isdigit() else name
        while name in self.bound or TAKEN.fullmatch(name) or keyword.iskeyword(name) or hasattr(builtins, name):
            name += "_"
        self.bound[name] = thing
        return name

    def check_shared(self, text, given):
        """Refuse an argument in memory that the step writes: the copy that is made before does not see that."""
        numbers = [buffer.number for buffer in self.buffers if buffer.array is owner(given)]
        if any(view.buffer in numbers for call in self.calls for view in call.outs):
            raise Refused(f"capture: {text} shares its memory with {self.buffers[numbers[0]].name}, which the step "
                          "changes; clone() it")

    def difference(self, other):
        """The first thing in which another recording of the step differs, in words, or None."""
        for mine, theirs in zip(self.calls, other.calls):
            if mine.signature() != theirs.signature():
                return f"{mine.where}\n{self.how(other, mine, theirs)}"
        for mine, theirs in zip(self.buffers, other.buffers):
            if mine.kind == "live" and mine.array is not theirs.array:
                return (f"the step used the memory of {mine.name} once, and of {theirs.name} the next time; pass what "
                        "changes from step to step as an argument")
            if mine.kind == "constant" and mine.array.tobytes() != theirs.array.tobytes():
                place = next((c.where for c in self.calls if any(v.buffer == mine.number for v in c.views)), "")
                return (f"{place}\nuses an array that NumPy or Python made within the step, another one each time; "
                        "pass it as an argument of the step")
        mine, theirs = ((len(r.calls), r.prologue, r.numbers, r.expected) for r in (self, other))
        return None if mine == theirs else "the step went another way, or compared other Python numbers, the next time"

    def how(self, other, mine, theirs):
        """What differs between two calls."""
        if (mine.kind, mine.name) != (theirs.kind, theirs.name):
            return f"called {mine.name} when the step was recorded, and {theirs.name} when it was recorded again"
        for x, y in zip(mine.ins, theirs.ins):
            if repr(x) != repr(y):
                one, two = (f"{r.buffers[v.buffer].name or 'an array'}[{v.offset}] of shape {v.shape}"
                            if isinstance(v, View) else repr(v) for r, v in ((self, x), (other, y)))
                return (f"used {one} when the step was recorded, and {two} the next time; pass what changes from step "
                        "to step as a tensor, an argument of the step")
        return f"called {mine.name} with {mine.options}, and then with {theirs.options}"


def at_work():
    """Whether this thread is recording."""
    return Recorder.active is not None and Recorder.active.thread == threading.get_ident()


def recorder():
    """The recorder at work in this thread."""
    if not at_work():
        raise Refused("capture: an array of a step that was recorded is used outside of that step; return it from the "
                      "step instead")
    return Recorder.active


def here():
    """Where in the user's program, and in which module and op, the recorded step is."""
    frame, op, module, way, r = sys._getframe(1), None, None, "", Recorder.active
    while frame.f_back is not None:
        mine = frame.f_locals.get("self") if "self" in frame.f_code.co_varnames[:1] else None
        if isinstance(mine, Op):
            if op is None and frame.f_code.co_name in ("forward", "backward"):
                op, way = mine, frame.f_code.co_name
                module = r.modules.get(id(op)) if way == "backward" else None
        elif module is None and mine is not None:
            module = r.names.get(id(mine))
        if not frame.f_code.co_filename.startswith(_HOME):
            break
        frame = frame.f_back
    if way == "forward" and module:
        r.modules[id(op)] = module
    path, number = frame.f_code.co_filename, frame.f_lineno
    code = " ".join(linecache.getline(path, number).split())
    name = f"{type(op).__name__}{'.backward' * (way == 'backward')}" if op else ""
    return Where(f"{path.removeprefix(os.getcwd() + os.sep)}:{number}", code, module or "", name)
