"""What a step can reach: its tensors, the names by which the user knows them, and the Python numbers that it changes.

While a step is recorded, every Tensor and every optimiser's buffer that there is holds a `Traced` in the place of its
array, and the numbers that change from step to step (a step count, a learning rate) are `Number`s. Afterwards all is
put back as it was.
"""

import functools
import gc
import types
from typing import NamedTuple

import numpy

from minigrad import optim, random
from minigrad.backend import owner
from minigrad.capture import kernels
from minigrad.capture.record import Number, Recorder, Refused, at_work, here, plain, recorder, text_of
from minigrad.capture.traced import LIBRARY, Traced
from minigrad.graph import Handle, Op
from minigrad.nn.module import Module

_LEAVES = (type, types.ModuleType, types.BuiltinFunctionType, numpy.ndarray, numpy.generic, numpy.random.Generator, str,
           bytes, Op)


class Slot(NamedTuple):
    """A place that holds a value: an entry of a dict or list, or a variable of a function (a cell)."""

    path: str
    holder: object
    key: object

    @property
    def value(self):
        """What it holds now; None where it is gone."""
        try:
            return self.holder.cell_contents if self.key is None else self.holder[self.key]
        except (ValueError, KeyError, IndexError):
            return None

    def put(self, value):
        """Let it hold another value."""
        if self.key is None:
            self.holder.cell_contents = value
        else:
            self.holder[self.key] = value

    def text(self, recorder):
        """It, as Python text in names that the recorder binds."""
        name = recorder.bind(self.holder, self.path.rpartition(".")[0].rpartition("[")[0] or self.path)
        return f"{name}.cell_contents" if self.key is None else f"{name}[{self.key!r}]"


def _codes(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _inside(path, thing):
    """The slots of an object."""
    if isinstance(thing, types.FunctionType):
        if not (thing.__module__ or "").startswith("minigrad."):
            for name, cell in zip(thing.__code__.co_freevars, thing.__closure__ or ()):
                yield Slot(name, cell, None)
            for name in sorted({name for code in _codes(thing.__code__) for name in code.co_names}):
                if name in thing.__globals__:
                    yield Slot(name, thing.__globals__, name)
            for i, value in enumerate(thing.__defaults__ or ()):
                yield Slot(f"{path}.default{i}", [value], 0)
    elif isinstance(thing, types.MethodType):
        yield Slot(path, [thing.__self__], 0)
        yield Slot(path, [thing.__func__], 0)
    elif isinstance(thing, functools.partial):
        for i, value in enumerate([thing.func, *thing.args, *thing.keywords.values()]):
            yield Slot(f"{path}.partial{i}", [value], 0)
    elif isinstance(thing, dict):
        for key in list(thing):
            if isinstance(key, (str, int)):
                yield Slot(f"{path}[{key!r}]", thing, key)
    elif isinstance(thing, (list, tuple)):
        for i in range(len(thing)):
            yield Slot(f"{path}[{i}]", thing, i)
    elif hasattr(thing, "__dict__"):
        for name in list(vars(thing)):
            yield Slot(f"{path}.{name}" if path else name, vars(thing), name)
        call = type(thing).__dict__.get("__call__")
        if call is not None:
            yield Slot(path, [call], 0)


class Reach:
    """What can be reached from a step: the slots, and the names of the things in them."""

    def __init__(self, step):
        self.slots, self.names, self.keep = [], {}, []
        around = [x for x in gc.get_objects() if isinstance(x, (optim.Optimizer, optim.EMA))]
        seen = set()
        for root in [("", step)] + [(type(x).__name__, x) for x in around]:
            queue = [root]
            for path, thing in queue:  # grows
                for slot in _inside(path, thing):
                    value = slot.value
                    self.slots.append(slot)
                    self.names.setdefault(id(value), slot.path)
                    if id(value) not in seen:
                        seen.add(id(value))
                        self.keep.append(value)  # so that its id stays its own
                        if not isinstance(value, _LEAVES):
                            queue.append((slot.path, value))

    def values(self, kind):
        """{place: (slot, value)} of all values of a kind."""
        return {(id(slot.holder), slot.key): (slot, slot.value) for slot in self.slots if isinstance(slot.value, kind)}

    def guarded(self, counted):
        """The slots whose values the step may have branched on: variables of the user's functions, `training`."""
        places = {(id(slot.holder), slot.key) for slot in counted}
        return [slot for slot in self.slots if isinstance(slot.value, (bool, int, float, str, type(None)))
                and (id(slot.holder), slot.key) not in places
                and (slot.key is None or slot.key == "training" or not set(slot.path) & set(".["))]


def changed(before, after, same):
    """The slots whose values are other ones after a call than before it."""
    return [slot for place, (slot, value) in after.items() if place in before and not same(before[place][1], value)]


class Recording:
    """A `with` block in which whatever there is of minigrad's arrays is recorded.

    `counted` are the slots of numbers that the step changes, `carried` those into which it puts another tensor.
    """

    def __init__(self, reach, counted, carried, whole):
        self.whole = whole  # whether optimisers go over all parameters at once, not a block that fits the cache
        self.recorder, self.reach, self.undo = Recorder(reach.names), reach, []
        self.counted, self.carried, self.twins = list(counted), carried, {}

    def __enter__(self):
        Recorder.active, names, gathered = self.recorder, self.reach.names, gc.get_objects()
        for optimiser in [x for x in gathered if isinstance(x, optim.Optimizer)]:
            name = names.get(id(optimiser), type(optimiser).__name__)
            for i, flat in enumerate(flat for flats in optimiser._flats for flat in flats):
                self.swap(flat, f"{name}.{i}" if i else name)
            self.watch(optimiser, name)
        self.before_carried = [(slot, slot.value.array) for slot in self.carried]
        for slot, array in self.before_carried:
            self.recorder.before[id(owner(array))] = "carried", slot.path, owner(array)
        for tensor in [x for x in gathered if isinstance(x, Handle) and isinstance(x.array, numpy.ndarray)]:
            base = owner(tensor.array)
            self.recorder.before.setdefault(id(base), ("live", names.get(id(tensor), "a tensor"), base))
            if tensor.grad is not None:
                base = owner(tensor.grad.array)
                self.recorder.before[id(base)] = "gradient", f"the gradient of {names.get(id(tensor), '')}", base
        self.tensors = [(x, x.array) for x in self.reach.keep
                        if isinstance(x, Handle) and isinstance(x.array, numpy.ndarray)]
        for tensor, array in self.tensors:
            self.undo.append((setattr, tensor, "array", array))
            tensor.array = self.twin(array, names[id(tensor)])
            self.recorder.called[array.__array_interface__["data"][0], array.shape] = names[id(tensor)]
        for array in [x for x in self.reach.keep if isinstance(x, numpy.ndarray)]:
            base = owner(array)
            self.recorder.before.setdefault(id(base), ("live", names[id(array)], base))
        for slot in self.counted:
            slot.put(Number(slot.value, slot.text(self.recorder)))
        for place, name, replacement in ((Op, "wrap", staticmethod(_wrapping(Op.wrap))), (random, "draw", _draw),
                                         (random, "generator", _generator), *kernels.replacements()):
            self.undo.append((setattr, place, name, vars(place)[name]))
            setattr(place, name, replacement)
        return self

    def __exit__(self, *exc):
        self.counts = [(slot, slot.value) for slot in self.counted]
        for slot, value in self.counts:
            slot.put(plain(value))
        for function, *args in reversed(self.undo):
            function(*args)
        Recorder.active = None
        self.settle()

    def finish(self, result):
        """Look at what the step left behind, which has to be known to the plan."""
        self.forget_gradients()
        mine = {id(tensor) for tensor, _ in self.tensors} | {id(slot.value) for slot in self.carried}
        self.rebound = [(slot, slot.value, old, slot.value.array) for slot, old in self.before_carried]
        for tensor, array in self.tensors:
            if plain(tensor.array) is not array:
                raise Refused(f"capture: the step gives {self.recorder.names[id(tensor)]} other memory (.data =, .to()); "
                              "write into it with copy_(), or do that before")
        result = set(map(id, handles_in(result)))
        for thing in gc.get_objects():
            mine_ = isinstance(thing, Handle) and getattr(thing.array, "home", None) is self.recorder
            if mine_ and not {id(thing)} & (mine | result):
                view = self.recorder.view(thing.array.value)
                line = next((c.where for c in reversed(self.recorder.calls) if view in c.outs), "a line of the step")
                raise Refused(f"capture: {line}\nmakes a tensor of shape {thing.shape} that the step leaves behind in "
                              "a list or another object; return it from the step, and keep it outside")

    def settle(self):
        """Let tensors that the step puts in others' places have the memory of those."""
        for slot, old in self.before_carried:
            if slot.value.array is not old:
                old[...] = plain(slot.value.array)
                slot.value.array = old

    def forget_gradients(self):
        """No gradient outlives a captured step."""
        for tensor, _ in self.tensors:
            tensor.grad = None

    def used(self):
        """The (tensor, array) whose memory the step used."""
        memory = {id(buffer.array) for buffer in self.recorder.buffers}
        return [(tensor, array) for tensor, array in self.tensors if id(owner(array)) in memory]

    def twin(self, array, name):
        """The Traced that stands for an array from before the step."""
        twin = self.twins.get(id(array))
        if twin is None:
            base = owner(array)
            self.recorder.before.setdefault(id(base), ("live", name, base))
            twin = self.twins[id(array)] = Traced(array, array)
            self.recorder.called.setdefault((array.__array_interface__["data"][0], array.shape), name)
        return twin

    def swap(self, flat, name):
        """Let an optimiser's buffers be Traced."""
        for attribute, value in list(vars(flat).items()):
            swapped = self.swapped(value, name if attribute in ("state", "plan") else f"{name}.{attribute}")
            if attribute == "block" and self.whole:
                swapped = len(flat.values)
            if swapped is not value:
                self.undo.append((setattr, flat, attribute, value))
                setattr(flat, attribute, swapped)

    def swapped(self, value, name):
        """The value with every array in it as a Traced; the value itself where there is none."""
        if isinstance(value, numpy.ndarray):
            return self.twin(value, name)
        if value is numpy:
            return LIBRARY
        if isinstance(value, (list, tuple)):
            parts = [self.swapped(x, f"{name}[{i}]") for i, x in enumerate(value)]
            return type(value)(parts) if any(x is not y for x, y in zip(parts, value)) else value
        if isinstance(value, dict):
            parts = {key: self.swapped(x, f"{name}.{key}") for key, x in value.items()}
            return parts if any(parts[key] is not value[key] for key in value) else value
        return value

    def watch(self, optimiser, name):
        """Let an optimiser's options and the numbers of its update be Numbers."""
        r = self.recorder
        compute, there = type(optimiser).numbers, {(id(slot.holder), slot.key) for slot in self.counted}
        for i, group in enumerate(optimiser.param_groups):
            self.counted += [Slot(f"{name}_group{i}.{key}", group, key) for key, value in group.items()
                             if isinstance(value, (int, float)) and not isinstance(value, bool)
                             and (id(group), key) not in there]

        def numbers(group, step):
            values = compute(optimiser, plain(group), plain(step))
            text = r.bind(group, f"{name}_group")
            other = {k: v.text for k, v in group.items() if isinstance(v, Number) and v.text != f"{text}[{k!r}]"}
            if other:
                text = f"{{**{text}, {', '.join(f'{k!r}: {v}' for k, v in other.items())}}}"
            filled = r.hoist(f"{r.bind(optimiser, name)}.numbers({text}, {text_of(step)})")
            return tuple(Number(value, f"{filled}[{i}]") for i, value in enumerate(values))

        vars(optimiser)["numbers"] = numbers
        self.undo.append((vars(optimiser).pop, "numbers"))


def handles_in(x):
    """The tensors in a result."""
    if isinstance(x, Handle):
        yield x
    elif isinstance(x, (tuple, list, dict)):
        for part in x.values() if isinstance(x, dict) else x:
            yield from handles_in(part)


def _wrapping(wrap):
    """Op.wrap, for arrays that the step makes by NumPy itself."""
    def apply(array):
        if at_work() and not isinstance(array, Traced):
            array = numpy.asarray(array)
            recorder().operand(array)
            array = Traced(array)
        return wrap(array)

    return apply


def _draw(xp, method, shape, dtype):
    if not at_work():
        return _real_draw(xp, method, shape, dtype)
    native = dtype if dtype in (numpy.float32, numpy.float64) else numpy.dtype("float32")
    return Traced(getattr(_Draws(), method)(shape, dtype=native)).astype(dtype, copy=False)


def _generator(xp):
    return _Draws() if at_work() else _real_generator(xp)


_real_draw, _real_generator = random.draw, random.generator


class _Draws:
    """The global generator, whose draws are memory that is filled anew before each replay."""

    def __getattr__(self, method):
        def draw(*args, **options):
            r = recorder()
            values = numpy.asarray(getattr(_real_generator(numpy), method)(*args, **options))
            if method == "bit_generator":
                raise Refused(f"capture: the state of the generator is used at {here()}, within the step")
            r.know(values, "drawn")
            r.draws.append((r.view(values), method, args, options))
            return values

        return draw
