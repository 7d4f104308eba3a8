"""A plan and the Python function around it: what is checked, filled in and counted beside the arrays.

Before the arrays' part come the arguments, the numbers (learning rates, what Adam makes of its step count) and the
draws; after it the counters, the writes that a pending `backward()` must know of, and the results. All of that is one
generated function, of which `print(captured.plan)` shows the text.
"""

import math
import time

import numpy

from minigrad import random
from minigrad.backend import owner
from minigrad.capture.plan import alive, joined, places, traffic
from minigrad.capture.record import Number, Refused
from minigrad.capture.source import Memory, Source
from minigrad.capture.traced import Traced
from minigrad.graph import Handle, Op
from minigrad.writes import touch

MISS = object()  # what a replay returns, having done nothing, where its conditions do not hold


def leaves(x, text=""):
    """(kind, where it stands, it) of the arrays, values, containers and keys in an argument or a result."""
    if isinstance(x, (Handle, Traced, numpy.ndarray)):
        yield "array", text, x
    elif isinstance(x, (tuple, list)):
        yield "container", text, len(x)
        for i, part in enumerate(x):
            yield from leaves(part, f"{text}[{i}]")
    elif isinstance(x, dict):
        yield "container", text, len(x)
        for key, part in x.items():
            yield "key", text, key
            yield from leaves(part, f"{text}[{key!r}]")
    else:
        yield "value", text, x


def rebuilt(x, function):
    """x with function(leaf) in the place of each array and value in it."""
    if isinstance(x, (tuple, list)):
        parts = [rebuilt(part, function) for part in x]
        return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
    return {key: rebuilt(part, function) for key, part in x.items()} if isinstance(x, dict) else function(x)


class Text(str):
    """A piece of Python text, which stands for itself in the text of a container."""

    __repr__ = str.__str__


class Plan:
    """One way through a step, ready to be replayed.

    `steps` are its loops and calls in order, `memory` where their operands lie, `source` their text; `replay(args,
    kwargs)` does the whole step, or returns MISS where something that the recording depended on is no longer so.
    """

    def __init__(self, recording, inputs, result, conditions, executor):
        began, r = time.perf_counter(), recording.recorder
        self.recording, self.recorder, self.inputs = recording, r, inputs
        calls, self.misses = r.calls, 0
        outs = [(call, view, r.buffers[view.buffer]) for call in calls for view in call.outs]
        for call, _, buffer in outs:
            if buffer.kind in ("input", "carried"):
                what = "an argument of the step" if buffer.kind == "input" else f"{buffer.name}, and replaces it later"
                raise Refused(f"capture: {call.where}\nwrites into {what}; clone() it first")
        self.results = [r.view(x.value) for x in traced_in(result)] + [r.view(new) for new in recording.rebound]
        carried = [r.view(old) for _, old in recording.carried]
        for buffer in r.buffers:
            if buffer.kind == "carried":
                buffer.array = buffer.array.copy("K")  # the plan's own: whoever holds the old tensor goes on seeing it
        self.check_memory()
        kept = self.results + [view for _, view, b in outs if b.kind in ("live", "flags")]
        self.written = list({b.number: b for _, _, b in outs if b.kind == "live"}.values())
        self.steps = joined(alive(calls, kept), kept)
        pinned = {view.buffer for view in self.results}
        self.memory = Memory(r, *places(self.steps, r.buffers, pinned, registers=executor is not None))
        self.carried = [self.memory.array(view) for view in carried]
        self.source = Source(r, self.steps, self.memory)
        self.machine = executor(self) if executor else None
        self.run = self.machine.run if self.machine else self.source.run
        self.later = [text for text in dict.fromkeys(r.expected) if any(name in text for name in r.prologue)]
        self.conditions = [*conditions, *(text for text in dict.fromkeys(r.expected) if text not in self.later)]
        self.replay, self.text = self.compile(result)
        self.seconds = time.perf_counter() - began

    def compile(self, result):
        """The Python function around the plan, and its text."""
        r = self.recorder
        names = {"MISS": MISS, "run": self.run, "wrap": Op.wrap, "touch": touch, "np": numpy, "math": math,
                 "generator": random.generator, "refuse": self.refuse_input, "wrong": self.refuse_way,
                 "shared": r.check_shared, "written": {id(b.array): b.name for b in self.written}}
        lines = ["def replay(args, kwargs):", "    try:", *(f"    {line}" for line in unless(self.conditions)),
                 "    except (LookupError, AttributeError, ValueError):  # something is gone", "        return MISS"]
        lines += [f"    {name} = {text}" for name, text in r.prologue.items()]
        lines += unless(self.later)
        for i, (text, static) in enumerate(self.inputs):
            names[f"input_{i}"], names[f"shape_{i}"], names[f"dtype_{i}"] = static, static.shape, static.dtype
            lines += [f"    given = {text}", f"    if given.shape != shape_{i} or given.dtype != dtype_{i}:",
                      f"        refuse({text!r}, given, shape_{i}, dtype_{i})",
                      f"    if given.strides != {static.strides}:", "        return MISS",
                      "    if id(given) in written or id(given.base) in written:", f"        shared({text!r}, given)",
                      f"    input_{i}[...] = given"]
        for i, ((slot, _), place) in enumerate(zip(self.recording.carried, self.carried)):
            names[f"carried_{i}"] = place
            lines.append(f"    carried_{i}[...] = {slot.text(r)}.array")
        array = r.number_buffer.array
        for (text, dtype), place in r.numbers.items():
            kind = f"numbers_{dtype.char}"
            names[kind] = memoryview(array).cast(dtype.char) if dtype.char in "fdlqi" else array.view(dtype)
            lines.append(f"    {kind}[{place * (8 // dtype.itemsize)}] = {text}")
        for i, (view, own, method, args, options) in enumerate(r.draws):
            names[f"draw_{i}"], names[f"args_{i}"], names[f"options_{i}"] = self.memory.array(view), args, options
            source = "" if own is None else f", {r.bind(own, 'own_generator')}"
            lines.append(f"    draw_{i}[...] = generator(np{source}).{method}(*args_{i}, **options_{i})")
        lines.append("    run()")
        if r.guards:
            names["flags"] = memoryview(r.flags.array[:len(r.guards)])
            names["expected"] = bytes(truth for truth, _ in r.guards)
            lines += ["    if flags != expected:", "        wrong(flags)"]
        counts = [(slot.text(r), value.text) for slot, value in self.recording.counts
                  if isinstance(value, Number) and value.text != slot.text(r)]
        if counts:
            lines.append("    {} = {}".format(*map(", ".join, zip(*counts))))
        seen = {id(owner(array)) for _, array in self.recording.tensors}
        for i, (number, first, last) in enumerate(self.stretches()):
            buffer = r.buffers[number]
            if id(buffer.array) in seen:
                names[f"memory_{i}"], start = buffer.array, self.memory.address[number]
                names[f"span_{i}"] = start + first, start + last
                lines.append(f"    touch(memory_{i}, span_{i})")
        views = iter(enumerate(self.results))

        def returned(x):
            if not list(traced_in(x)):
                return Text(x.text if isinstance(x, Number) else r.bind(x, "same"))
            i, view = next(views)
            names[f"result_{i}"] = self.memory.array(view)
            return Text(f"wrap(result_{i}.copy('K'))" if isinstance(x, Handle) else f"result_{i}.copy('K')")

        given_back = f"    return {rebuilt(result, returned)!r}"
        for (slot, _), (i, view) in zip(self.recording.carried, views):
            names[f"result_{i}"] = self.memory.array(view)
            lines.append(f"    {slot.text(r)} = wrap(result_{i}.copy('K'))")
        lines.append(given_back)
        names.update({type(x).__name__: type(x) for x in (result,) if hasattr(x, "_fields")}, **r.bound)
        exec("\n".join(lines), names)
        return names["replay"], "\n".join(lines)

    def stretches(self):
        """(buffer, first, last + 1) of the bytes from before the step that it writes, neighbours put together."""
        written, found = {b.number for b in self.written}, []
        for number, first, last in sorted({(v.buffer, *v.span) for step in self.steps for call in step.calls
                                           for v in call.outs if v.buffer in written}):
            if found and found[-1][0] == number and first <= found[-1][2]:
                found[-1] = number, found[-1][1], max(last, found[-1][2])
            else:
                found.append((number, first, last))
        return found

    def generators(self):
        """The sources of random numbers that it draws from."""
        owns = {id(own): own for _, own, *_ in self.recorder.draws}
        return [random.generator(numpy, own).bit_generator for own in owns.values()]

    def state(self):
        """A copy of all that a replay changes: the memory, the numbers that it counts, the sources of random ones."""
        return ([buffer.array.copy("K") for buffer in self.written], [slot.value for slot, _ in self.recording.counts],
                [source.state for source in self.generators()], [slot.value for slot, _ in self.recording.carried])

    def restore(self, state):
        """Put everything back as it was."""
        for buffer, array in zip(self.written, state[0]):
            buffer.array[...] = array
        for (slot, _), value in zip(self.recording.counts, state[1]):
            slot.put(value)
        for source, value in zip(self.generators(), state[2]):
            source.state = value
        for (slot, _), value in zip(self.recording.carried, state[3]):
            slot.put(value)

    def check_memory(self):
        """Two arrays in the same memory, each of which says that it is its own (`numpy.frombuffer`), look like two."""
        spans = sorted((*numpy.lib.array_utils.byte_bounds(b.array), b.name) for b in self.recorder.buffers
                       if b.array is not None and b.array.size and b.kind != "carried")
        for (_, end, one), (start, _, other) in zip(spans, spans[1:]):
            if start < end:
                raise Refused(f"capture: {one} and {other} lie in the same memory, which NumPy does not tell; let one "
                              "be a view of the other, or clone() it")

    def refuse_input(self, text, given, shape, dtype):
        """An argument of another shape or dtype."""
        raise Refused(f"capture: {text} is {given.dtype}{tuple(given.shape)} and was {dtype}{tuple(shape)} when the "
                      "step was recorded; give arguments of one shape (drop_last=True in a DataLoader), or call the "
                      "step itself, captured.step")

    def refuse_way(self, flags):
        """A branch on a value that would have gone the other way."""
        truth, where = next(g for g, now in zip(self.recorder.guards, flags) if g[0] != bool(now))
        raise Refused(f"capture: {where}\ntakes a branch by a value: it was {truth} when the step was recorded and "
                      f"is {not truth} now; this step went the recorded way, and its results are not to be used. Call "
                      "the step itself, captured.step, to see what it says")

    def __repr__(self):
        loops, moved = sum(step.loop for step in self.steps), sum(map(traffic, self.steps))
        return (f"{len(self.recorder.calls)} calls as {loops} loops and {len(self.steps) - loops} calls, which move "
                f"{moved / 1e6:.3f} MB a step; arena of {self.memory.arena.nbytes / 1e6:.3f} MB")

    def __str__(self):
        return f"# {self!r}\n{self.text}\n\n\n{self.source.text()}\n"


def traced_in(x):
    """The Traced in a result."""
    return (getattr(leaf, "array", leaf) for kind, _, leaf in leaves(x)
            if isinstance(getattr(leaf, "array", leaf), Traced))


def unless(conditions):
    """The lines that end a replay before it began, unless conditions hold."""
    return ["    if not (" + "\n            and ".join(conditions) + "):", "        return MISS"] if conditions else []
