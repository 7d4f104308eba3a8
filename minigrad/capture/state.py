"""What a step can reach: its tensors, the names by which the user knows them, and the Python numbers that it changes.

While a step is recorded, every Tensor that it can reach and every optimiser's buffer holds a `Traced` in the place of
its array, and the numbers that change from step to step are `Number`s. Afterwards all is put back as it was.
"""

import contextlib
import functools
import gc
import itertools
import os
import sys
import sysconfig
import types
from typing import NamedTuple

import numpy

from minigrad import lr_scheduler, optim, random
from minigrad.backend import backend_of, defaults, owner
from minigrad.capture import kernels
from minigrad.capture.record import (
    Number,
    Recorder,
    Refused,
    TrackedMath,
    at_work,
    here,
    plain,
    recorder,
    text_of,
    tracked,
)
from minigrad.capture.traced import Traced
from minigrad.graph import Handle, Op
from minigrad.modes import mode
from minigrad.nn.containers import Sequential
from minigrad.nn.module import Module
from minigrad.optim import updates

_LEAVES = (type, types.ModuleType, types.BuiltinFunctionType, numpy.ndarray, numpy.generic, numpy.random.Generator, str,
           bytes, int, float, type(None), Op)
_LIBRARIES = tuple({os.path.dirname(os.path.dirname(os.path.abspath(__file__))), *map(
    sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib"))})  # whose functions are not the user's
_COUNTING = updates, lr_scheduler  # the modules that compute with step counts and rates
_SIMPLE = (bool, int, float, str, type(None))
_PLAIN = types.ModuleType, types.BuiltinFunctionType, type  # in variables: nobody puts another one in their place
FEW = 64  # entries of a list or dict of the user's that are looked at before each replay


class Slot(NamedTuple):
    """A place that holds a value: an entry of a dict or list, an attribute, or a variable of a function (a cell)."""

    path: str
    holder: object
    key: object

    @property
    def value(self):
        """What it holds now; None where it is gone."""
        try:
            if isinstance(self.holder, (dict, list, tuple)):
                return self.holder[self.key]
            return getattr(self.holder, self.key)
        except (ValueError, LookupError, AttributeError):  # an empty cell has no value
            return None

    def put(self, value):
        """Let it hold another value."""
        if isinstance(self.holder, (dict, list)):
            self.holder[self.key] = value
        else:
            setattr(self.holder, self.key, value)

    def text(self, recorder):
        """It, as Python text in names that the recorder binds."""
        cut = self.path.rfind("[") if self.path.endswith("]") else self.path.rfind(".")
        name = recorder.bind(self.holder, self.path[:max(cut, 0)] or self.path)
        listed = isinstance(self.holder, (dict, list, tuple))
        return f"{name}[{self.key!r}]" if listed else f"{name}.{self.key}"


class Has(NamedTuple):
    """Whether a dict has a key, in the place of a Slot."""

    path: str
    holder: dict
    key: str

    @property
    def value(self):
        """Whether it has now."""
        return self.key in self.holder

    def text(self, recorder):
        """It, as Python text in names that the recorder binds."""
        return f"({self.key!r} in {recorder.bind(self.holder, 'attributes')})"


class Length(NamedTuple):
    """How many entries a list or dict has, in the place of a Slot."""

    path: str
    holder: object
    key: object = None

    @property
    def value(self):
        """How many there are now."""
        return len(self.holder)

    def text(self, recorder):
        """It, as Python text in names that the recorder binds."""
        return f"len({recorder.bind(self.holder, 'container')})"


def living(*classes):
    """All objects of some classes that there are, which refer to their class.

    `gc.get_objects` would hold all others, too, for a moment: tuples that another thread is just making fail by it.
    """
    kinds = list(classes)
    for kind in kinds:  # grows
        kinds += kind.__subclasses__()
    return [x for x in gc.get_referrers(*kinds) if isinstance(x, classes)]


@contextlib.contextmanager
def noting(ran):
    """A `with` block in which the code that this thread runs is put in a set; all of it, None, beside a profiler."""
    if sys.getprofile() is not None:
        ran.add(None)
        yield
        return
    sys.setprofile(lambda frame, event, argument: ran.add(frame.f_code) if event == "call" else None)
    try:
        yield
    finally:
        sys.setprofile(None)


def _codes(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


class Draws:
    """Sources of random numbers that a replay would not draw from: Python's, and NumPy's where minigrad does not."""

    def __init__(self, reach):
        mine = {id(value) for x in reach.things if isinstance(x, random.Generator) for value in vars(x).values()}
        python, named = sys.modules.get("random"), "random" in reach.used
        sources = [getattr(x, "__self__", x) if isinstance(x, types.BuiltinFunctionType) else x for x in reach.things]
        sources += [numpy.random.mtrand._rand] * named
        sources += [python._inst] * (python is not None and (named or id(python) in reach.names))
        kinds = (numpy.random.Generator, numpy.random.RandomState, *([python.Random] if python else []))
        self.sources = {id(x): x for x in sources if isinstance(x, kinds) and id(x) not in mine}
        self.states = self.now()

    def now(self):
        """{id of a source: its state}"""
        return {key: repr(x.bit_generator.state if isinstance(x, numpy.random.Generator) else
                          x.get_state() if isinstance(x, numpy.random.RandomState) else x.getstate())
                for key, x in self.sources.items()}

    def check(self, known):
        """Refuse a step that has drawn from one since, but for those whose ids are `known`."""
        now = self.now()
        if any(now[key] != state for key, state in self.states.items() if key not in known):
            raise Refused("capture: the step draws from Python's or NumPy's random numbers, which a replay would not; "
                          "draw from minigrad (rand, randn, a Generator), or pass what is drawn as an argument")


def _names(code):
    """The names and texts in a function's code."""
    return *code.co_names, *(text for text in code.co_consts if isinstance(text, str))


class Reach:
    """What can be reached from a step, and from the optimisers and averages that there are.

    `slots` are the places of values, `names` the paths to objects by their ids, `used` the names in the user's
    functions, `living` all tensors, optimisers and averages of the process.
    """

    def __init__(self, step):
        self.step, self.slots, self.names, self.things, self.used, self.held = step, [], {}, [], set(), []
        self.living = living(Handle, optim.Optimizer, optim.EMA)
        self.optimisers = [x for x in self.living if isinstance(x, optim.Optimizer)]
        for path, root in [("", step)] + [(type(x).__name__, x) for x in self.living if not isinstance(x, Handle)]:
            queue = [(path, root)]
            for path, thing in queue:  # grows
                for slot in self.inside(path, thing):
                    value = slot.value
                    self.slots.append(slot)
                    if id(value) not in self.names:
                        self.names[id(value)] = slot.path
                        self.things.append(value)  # so that its id stays its own
                        if not isinstance(value, _LEAVES) and type(value).__module__ != "minigrad.capture":
                            queue.append((slot.path, value))

        self.labels = {id(x): self.names[id(x)] for x in self.things
                       if isinstance(x, (Module, optim.Optimizer, optim.EMA))}

    def inside(self, path, thing):
        """The slots of an object."""
        if isinstance(thing, types.FunctionType):
            if not thing.__code__.co_filename.startswith(_LIBRARIES):
                names = {name for code in _codes(thing.__code__) for name in code.co_names}
                self.used |= {*itertools.chain(*map(_names, _codes(thing.__code__)))}
                for name, cell in zip(thing.__code__.co_freevars, thing.__closure__ or ()):
                    yield Slot(name, cell, "cell_contents")
                yield from (Slot(name, thing.__globals__, name) for name in sorted(names) if name in thing.__globals__)
                yield from (Slot(path, thing.__defaults__, i) for i in range(len(thing.__defaults__ or ())))
        elif isinstance(thing, types.MethodType):
            yield from (Slot(path, (thing.__self__, thing.__func__), i) for i in range(2))
        elif isinstance(thing, functools.partial):
            parts = (thing.func, *thing.args, *thing.keywords.values())
            yield from (Slot(path, parts, i) for i in range(len(parts)))
        elif isinstance(thing, dict):
            yield from (Slot(f"{path}[{key!r}]", thing, key) for key in list(thing) if isinstance(key, (str, int)))
        elif isinstance(thing, (list, tuple)):
            yield from (Slot(f"{path}[{i}]", thing, i) for i in range(len(thing)))
        elif hasattr(thing, "__dict__"):
            yield from (Slot(f"{path}.{name}" if path else name, vars(thing), name) for name in list(vars(thing))
                        if not (isinstance(thing, Sequential) and name.startswith("_plan")))  # it makes that anew
            for kind in type(thing).__mro__:
                yield from (Slot(path, (method,), 0) for method in vars(kind).values()
                            if isinstance(method, types.FunctionType))

    def values(self, kind):
        """{place: (slot, value)} of all values of a kind; no bools, which count nothing."""
        return {(id(slot.holder), slot.key): (slot, slot.value) for slot in self.slots
                if isinstance(slot.value, kind) and not isinstance(slot.value, bool)}

    def guarded(self, ran, changing):
        """The slots on whose values the step depends, but for those that it changes itself.

        Variables, attributes and entries that the user's functions which `ran` name, whatever modules hold, options.
        """
        places = {(id(slot.holder), slot.key) for slot in changing}
        codes = [code for code in ran if code and not code.co_filename.startswith(_LIBRARIES)]
        names = self.used if None in ran else {*itertools.chain(*map(_names, codes))}
        found, queue, met = [], [("", self.step)], {id(self.step)}
        for path, thing in queue:  # grows
            if isinstance(thing, types.FunctionType) and not (None in ran or ran.intersection(_codes(thing.__code__))):
                continue
            counting = type(thing).__module__.startswith("minigrad.") and any(
                (id(vars(thing)), key) in places for key in getattr(thing, "__dict__", ()))
            if isinstance(thing, (dict, list)):
                found.append(Length(f"the length of {path}", thing))
            for slot in self.inside(path, thing):
                value = slot.value
                if not _matters(thing, slot, value, names, counting):
                    continue
                if not isinstance(slot.holder, tuple) and (id(slot.holder), slot.key) not in places:
                    found.append(slot)
                if id(value) not in met and not isinstance(value, (*_LEAVES, Handle)):
                    met.add(id(value))
                    self.held.append(value)
                    queue.append((slot.path, value))
            if isinstance(thing, Module):
                found += [Slot(f"{path}.training", thing, "training")] * ("training" not in vars(thing))
                found.append(Has(f"whether {path} has a forward of its own", vars(thing), "forward"))
            elif type(thing).__module__.split(".")[0] not in ("minigrad", "builtins") and hasattr(thing, "__dict__"):
                of_class = {name for kind in type(thing).__mro__ for name, x in vars(kind).items()
                            if isinstance(x, _SIMPLE) and not name.startswith("__")}
                found += [Slot(f"{path}.{name}", thing, name) for name in sorted(names & of_class - vars(thing).keys())]
        for optimiser in (x for x in self.things if isinstance(x, optim.Optimizer)):
            for i, group in enumerate(optimiser.param_groups):
                found += [Slot(f"{self.names[id(optimiser)]}_group{i}[{key!r}]", group, key)
                          for key, value in group.items() if isinstance(value, (bool, str, tuple, type(None)))]
        return [*found, Slot("grad mode.grad", mode, "grad"), Slot("anomaly mode.anomaly", mode, "anomaly"),
                Slot("the default dtype.dtype", defaults, "dtype")]


def _matters(thing, slot, value, names, counting):
    """Whether what the step does can depend on a slot of a thing; `names` are those in the user's functions.

    `counting`: the thing is a schedule or an average that the step lets go on.
    """
    if isinstance(value, _PLAIN) or isinstance(thing, optim.Optimizer):  # an optimiser's options are looked at below
        return False
    if isinstance(thing, types.FunctionType):
        return slot.key in names or slot.key == "cell_contents" or isinstance(slot.holder, tuple)
    if isinstance(slot.holder, tuple):
        return True
    if isinstance(thing, (dict, list)):
        return len(thing) <= FEW
    if isinstance(thing, Module) or counting:
        return not slot.key.startswith("_") or isinstance(value, (Module, Handle)) or slot.key in names
    return slot.key in names


def same(x, y):
    """Whether a plan that depends on x does for y."""
    return x is y or type(x) is type(y) and simple(x) and x == y


def simple(x):
    """Whether a value may be another object, as long as it is equal: numbers, texts, tuples of them."""
    return isinstance(x, _SIMPLE) or isinstance(x, tuple) and all(map(simple, x))


def changed(before, after, same):
    """The slots whose values are other ones after a call than before it."""
    return [slot for place, (slot, value) in after.items() if place in before and not same(before[place][1], value)]


class Recording:
    """A `with` block in which whatever the step reaches is recorded.

    `counted` are the slots of numbers that the step changes, `carried` those in which it puts another tensor. `whole`:
    optimisers go over all parameters at once, not by blocks that fit the cache.
    """

    def __init__(self, step, counted, carried, whole):
        self.changes = counted, carried
        self.reach, self.whole, self.undo, self.twins = Reach(step), whole, [], {}
        self.recorder, self.counted, self.tensors = Recorder(self.reach.labels), list(counted), []
        self.carried = [(slot, slot.value.array) for slot in carried]

    def __enter__(self):
        Recorder.active = self.recorder
        try:
            self.begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def begin(self):
        """Put Traced, Numbers and recording functions in their places."""
        names = self.reach.names
        for slot, array in self.carried:
            self.before("carried", slot.path, array)
        handles = [x for x in self.reach.living if isinstance(x, Handle) and hasattr(x, "grad")]  # not half made
        for x in handles:
            if x.grad is not None:
                self.before("gradient", f"the gradient of {names.get(id(x), 'a tensor')}", x.grad.array)
        for optimiser in self.reach.optimisers:
            name, layouts = names.get(id(optimiser), type(optimiser).__name__), optimiser._layouts.values()
            for i, flat in enumerate(flat for layout in layouts for flat in layout.flats):
                self.swap(flat, f"{name}.{i}" if i else name)
            for layout in layouts:
                self.put(layout, "arrays", self.swapped(layout.arrays, name))
            self.watch(optimiser, name)
        for x in self.reach.things:
            if isinstance(x, numpy.ndarray):
                self.before("live", names[id(x)], x)
            elif isinstance(x, Handle) and isinstance(x.array, numpy.ndarray):
                self.tensors.append((x, x.array))
                self.put(x, "array", self.twin(x.array, names[id(x)]))
                self.recorder.called[self.tensors[-1][1].__array_interface__["data"][0], x.shape] = names[id(x)]
        for x in handles:
            if isinstance(x.array, numpy.ndarray):
                self.before("live", "a tensor", x.array)  # out of reach, but perhaps met on the way
        for slot in self.counted:
            slot.put(Number(slot.value, slot.text(self.recorder)))
        for place, name, replacement in ((Op, "wrap", staticmethod(_wrapping(Op.wrap))), (random, "draw", _draw),
                                         (random, "generator", _generator), *kernels.replacements(),
                                         *((module, "float", tracked(float, "float")) for module in _COUNTING),
                                         *((module, "math", TrackedMath()) for module in _COUNTING)):
            self.put(place, name, replacement)

    def __exit__(self, *exc):
        self.counts = [(slot, slot.value) for slot in self.counted]
        for slot, value in self.counts:
            slot.put(plain(value))
        for place, name, value in reversed(self.undo):
            delattr(place, name) if value is Ellipsis else setattr(place, name, value)
        for optimiser in self.watched:
            del optimiser.numbers
        Recorder.active = self.reach = None
        for slot, _ in self.carried:
            if isinstance(slot.value, Handle):
                slot.value.array = plain(slot.value.array)

    watched, tries = (), 0

    def put(self, place, name, value):
        """Set an attribute until the end of the recording; as it stands in the class, not as an instance sees it."""
        own = vars(place) if hasattr(place, "__dict__") else {}
        self.undo.append((place, name, own[name] if name in own else getattr(place, name, ...)))
        setattr(place, name, value)

    def before(self, kind, name, array):
        """Note memory that is there before the step."""
        base = owner(array)
        self.recorder.before.setdefault(id(base), (kind, name, base))

    def twin(self, array, name, kind="live"):
        """The Traced that stands for an array from before the step."""
        if id(array) not in self.twins:
            self.before(kind, name, array)
            self.twins[id(array)] = Traced(array, array)
        return self.twins[id(array)]

    def swap(self, flat, name):
        """Let an optimiser's buffers be Traced."""
        for attribute, value in sorted(vars(flat).items(), key=lambda item: item[0] not in ("values", "state")):
            if attribute == "plan":  # memory in which the gradients of small parameters are put together
                for *_, buffer, _ in value:
                    if buffer is not None:
                        self.twin(buffer, f"{name}.gradients", "scratch")
            swapped = self.swapped(value, name if attribute == "state" else f"{name}.{attribute}")
            if attribute == "block" and self.whole:
                swapped = len(flat.values)
            if swapped is not value:
                self.put(flat, attribute, swapped)

    def swapped(self, value, name):
        """The value with every array in it as a Traced; the value itself where there is none."""
        if isinstance(value, numpy.ndarray):
            return self.twin(value, name)
        if value is numpy:
            return Traced.library
        if isinstance(value, (list, tuple)):
            parts = [self.swapped(x, f"{name}[{i}]") for i, x in enumerate(value)]
            return type(value)(parts) if any(x is not y for x, y in zip(parts, value)) else value
        if isinstance(value, dict):
            parts = {key: self.swapped(x, f"{name}.{key}") for key, x in value.items()}
            return parts if any(parts[key] is not value[key] for key in value) else value
        return value

    def watch(self, optimiser, name):
        """Let an optimiser's options, and the numbers that it makes of them and of a step count, be Numbers."""
        r, there = self.recorder, {(id(slot.holder), slot.key) for slot in self.counted}
        for i, group in enumerate(optimiser.param_groups):
            self.counted += [Slot(f"{name}_group{i}.{key}", group, key) for key, value in group.items() if isinstance(
                value, (int, float)) and not isinstance(value, bool) and (id(group), key) not in there]
        if type(optimiser).numbers is optim.Optimizer.numbers:
            return

        def numbers(group, step):
            values, text = type(optimiser).numbers(optimiser, plain(group), plain(step)), r.bind(group, f"{name}_group")
            other = {k: v.text for k, v in group.items() if isinstance(v, Number) and v.text != f"{text}[{k!r}]"}
            text = f"{{**{text}, {', '.join(f'{k!r}: {v}' for k, v in other.items())}}}" if other else text
            filled = f"{r.bind(optimiser, name)}_numbers_{len(r.prologue)}"
            r.prologue[filled] = f"{r.bind(optimiser, name)}.numbers({text}, {text_of(step)})"
            r.expected += [f"({filled}[{i}] is None) is {value is None}" for i, value in enumerate(values)]
            return tuple(value if value is None else Number(value, f"{filled}[{i}]") for i, value in enumerate(values))

        optimiser.numbers = numbers
        self.watched = (*self.watched, optimiser)

    def finish(self, results):
        """Look at what the step left behind, beside its results, which has to be known to the plan."""
        self.forget_gradients()
        self.rebound = [plain(slot.value.array) for slot, _ in self.carried]
        for tensor, array in self.tensors:
            if plain(tensor.array) is not array:
                raise Refused(f"capture: the step gives {self.reach.names[id(tensor)]} other memory (.data =, .to()); "
                              "write into it with copy_(), or do that before")
        mine = {id(tensor) for tensor, _ in self.tensors} | {id(slot.value) for slot, _ in self.carried}
        mine |= set(map(id, results))
        for x in living(Handle):
            array = getattr(x, "array", None)
            if isinstance(array, Traced) and array.home is self.recorder and id(x) not in mine:
                view = self.recorder.view(array.value)
                line = next((c.where for c in reversed(self.recorder.calls) if view in c.outs), "the step")
                raise Refused(f"capture: {line}\nleaves a tensor of shape {x.shape} behind, in a list or another "
                              "object; return it from the step, and keep it outside")

    def forget_gradients(self):
        """No gradient outlives a captured step."""
        for tensor, _ in self.tensors:
            tensor.grad = None

    def used(self):
        """(tensor, array, name) of the tensors whose memory the step used."""
        memory = {id(buffer.array) for buffer in self.recorder.buffers if buffer.kind != "carried"}
        return [(tensor, array, self.recorder.called[array.__array_interface__["data"][0], array.shape])
                for tensor, array in self.tensors if id(owner(array)) in memory]


def _wrapping(wrap):
    """Op.wrap, for arrays that the step makes by NumPy itself."""
    def apply(array):
        if at_work() and not isinstance(array, Traced):
            if backend_of(array).NAME != "cpu":
                raise Refused(f"capture: an array on the GPU is used at {here()}; steps are captured on the CPU only, "
                              "call the step itself")
            recorder().operand(numpy.asarray(array))
            array = Traced(numpy.asarray(array))
        return wrap(array)

    return apply


_real_draw, _real_generator = random.draw, random.generator


def _draw(xp, method, shape, dtype, own=None):
    if not at_work():
        return _real_draw(xp, method, shape, dtype, own)
    native = dtype if dtype in (numpy.float32, numpy.float64) else numpy.dtype("float32")
    return Traced(getattr(_Draws(own), method)(shape, dtype=native)).astype(dtype, copy=False)


def _generator(xp, own=None):
    return _Draws(own) if at_work() else _real_generator(xp, own)


class _Draws:
    """A generator, the global one or the user's own, whose draws are memory that is filled anew before each replay."""

    def __init__(self, own):
        self.own = own

    def __getattr__(self, method):
        def draw(*args, **options):
            r = recorder()
            values = numpy.asarray(getattr(_real_generator(numpy, self.own), method)(*args, **options))
            r.know(values, "drawn")
            r.draws.append((r.view(values), self.own, method, args, options))
            return values

        if method == "bit_generator":
            raise Refused(f"capture: the generator's state is used at {here()}, within the step; do that outside")
        return draw
