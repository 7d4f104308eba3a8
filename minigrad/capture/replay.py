"""A plan and the Python function around it: what is checked, filled in and counted beside the arrays.

Before the arrays' part come the arguments, the numbers (learning rates, what Adam makes of its step count) and the
draws; after it the counters, the writes that a pending `backward()` must know of, and the results. All of that is one
generated function, of which `print(captured.plan)` shows the text.
"""

import time

import numpy

from minigrad import random
from minigrad.backend import owner
from minigrad.capture.plan import alive, joined, places, traffic
from minigrad.capture.record import Call, Number, Refused, Where, plain
from minigrad.capture.source import Memory, Source
from minigrad.capture.traced import Traced
from minigrad.graph import Handle, Op
from minigrad.writes import touch

MISS = object()  # what a replay returns, having done nothing, where its conditions do not hold


def unless(conditions):
    """The lines that end a replay before it began, unless conditions hold."""
    return ["    if not (" + "\n            and ".join(conditions) + "):", "        return MISS"] if conditions else []


def leaves(x, text):
    """(kind, where it stands, it) of the arrays, the values, the containers and their keys in an argument."""
    if isinstance(x, (Handle, numpy.ndarray)):
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


def replaced(x, arrays):
    """An argument with its arrays, in the order of `leaves`, replaced."""
    if isinstance(x, Handle):
        return Op.wrap(next(arrays))
    if isinstance(x, numpy.ndarray):
        return next(arrays)
    if isinstance(x, (tuple, list)):
        return type(x)(replaced(part, arrays) for part in x)
    return {key: replaced(part, arrays) for key, part in x.items()} if isinstance(x, dict) else x


class Plan:
    """One way through a step, ready to be replayed.

    `steps` are its loops and calls in order, `memory` where their operands lie, `source` their text; `replay(args,
    kwargs)` does the whole step, or returns MISS where something that the recording depended on is no longer so.
    """

    def __init__(self, recording, inputs, result, conditions, executor):
        began = time.perf_counter()
        self.recording, self.recorder, self.inputs = recording, recording.recorder, inputs
        r = self.recorder
        calls = list(r.calls)
        self.results = [r.view(traced.value) for traced in arrays_in(result)]
        kept = [*self.results, *(call.outs[0] for call in calls if call.outs[0].buffer == r.flags.number)]
        calls += [Call("each", "copy", (r.view(new),), (r.view(old),), Where(path, "stays"))
                  for path, old, new in recording.rebound]
        self.written = [b for b in r.buffers if b.kind in ("live", "carried")
                        and any(v.buffer == b.number for call in calls for v in call.outs)]
        kept += [v for call in calls for v in call.outs if r.buffers[v.buffer] in self.written]
        for call in calls:
            for v in call.outs:
                if r.buffers[v.buffer].kind == "input" and v.size:
                    raise Refused(f"capture: {call.where}\nwrites into an argument of the step; clone() it first")
        self.steps = joined(alive(calls, kept), kept)
        pinned = {view.buffer for view in self.results}
        self.memory = Memory(r, *places(self.steps, r.buffers, pinned, registers=executor is not None))
        self.source = Source(r, self.steps, self.memory, r.called)
        self.machine = executor(self) if executor else None
        self.run = self.machine.run if self.machine else self.source.run()
        self.conditions = [*conditions, *(text for text in dict.fromkeys(r.expected) if "fill_" not in text)]
        self.replay, self.text = self.compile(result)
        self.seconds = time.perf_counter() - began

    def compile(self, result):
        """The Python function around the plan, and its text."""
        r = self.recorder
        names = {"MISS": MISS, "run": self.run, "wrap": Op.wrap, "touch": touch, "generator": random.generator,
                 "refuse": self.refuse_input, "wrong": self.refuse_way, "np": numpy, **r.bound}
        lines = ["def replay(args, kwargs):", *unless(self.conditions)]
        lines += [f"    {name} = {text}" for name, text in r.prologue.items()]
        lines += unless([text for text in dict.fromkeys(r.expected) if "fill_" in text])
        for i, (text, static) in enumerate(self.inputs):
            names[f"input_{i}"], names[f"shape_{i}"], names[f"dtype_{i}"] = static, static.shape, static.dtype
            lines += [f"    given = {text}",
                      f"    if given.shape != shape_{i} or given.dtype != dtype_{i}:",
                      f"        refuse({text!r}, given, shape_{i}, dtype_{i})",
                      f"    input_{i}[...] = given"]
        numbers = memoryview(r.number_buffer.array)
        for (text, dtype), place in r.numbers.items():
            kind = f"numbers_{dtype.char}"
            names[kind] = numbers.cast(dtype.char if dtype.char != "?" else "B")
            lines.append(f"    {kind}[{place * (8 // dtype.itemsize)}] = {text}")
        for i, (view, method, args, options) in enumerate(r.draws):
            names[f"draw_{i}"], names[f"args_{i}"], names[f"options_{i}"] = self.memory.array(view), args, options
            lines.append(f"    draw_{i}[...] = generator(np).{method}(*args_{i}, **options_{i})")
        lines.append("    run()")
        if r.guards:
            names["flags"] = memoryview(r.flags.array[:len(r.guards)])
            names["expected"] = bytes(truth for truth, _ in r.guards)
            lines += ["    if flags != expected:", "        wrong(flags)"]
        counts = [(slot.text(r), value.text) for slot, value in self.recording.counts
                  if isinstance(value, Number) and value.text != slot.text(r)]
        if counts:
            targets, values = zip(*counts)
            lines.append(f"    {', '.join(targets)} = {', '.join(values)}")
        names.update(r.bound)
        seen = {id(owner(array)) for _, array in self.recording.tensors}
        for i, buffer in enumerate(b for b in self.written if id(b.array) in seen):
            names[f"memory_{i}"] = buffer.array
            lines.append(f"    touch(memory_{i})")
        views = iter(enumerate(self.results))
        lines.append(f"    return {self.result_text(result, views, names)}")
        text = "\n".join(lines)
        exec(text, names)
        return names["replay"], text

    def result_text(self, x, views, names):
        """The step's result, as Python text."""
        if isinstance(x, (Traced, Handle)):
            if isinstance(x, Handle) and not isinstance(x.array, Traced):
                name = f"same_{len(names)}"  # a tensor that was there before
                names[name] = x
                return name
            i, view = next(views)
            names[f"result_{i}"] = self.memory.array(view)
            return f"wrap(result_{i}.copy('K'))" if isinstance(x, Handle) else f"result_{i}.copy('K')"
        if isinstance(x, dict):
            return "{" + ", ".join(f"{k!r}: {self.result_text(v, views, names)}" for k, v in x.items()) + "}"
        if isinstance(x, (tuple, list)):
            inner = ", ".join(self.result_text(part, views, names) for part in x)
            return f"[{inner}]" if isinstance(x, list) else f"({inner}{',' * (len(x) == 1)})"
        if isinstance(x, Number):
            return x.text
        name = f"value_{len(names)}"
        names[name] = x
        return name

    def state(self):
        """A copy of all that a replay changes: the memory, and the numbers that it counts."""
        return ([buffer.array.copy("K") for buffer in self.written], [slot.value for slot, _ in self.recording.counts])

    def restore(self, state):
        """Put everything back as it was."""
        for buffer, array in zip(self.written, state[0]):
            buffer.array[...] = array
        for (slot, _), value in zip(self.recording.counts, state[1]):
            slot.put(value)

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

    @property
    def statistics(self):
        """(calls recorded, loops, other calls, bytes read and written, bytes of arena)"""
        loops = sum(step.loop for step in self.steps)
        return (len(self.recorder.calls), loops, len(self.steps) - loops, sum(map(traffic, self.steps)),
                self.memory.arena.nbytes)

    def __str__(self):
        calls, loops, others, moved, arena = self.statistics
        return (f"# {calls} calls recorded; {loops} loops and {others} calls left, which move {moved:,} bytes a step; "
                f"arena of {arena:,} bytes\n{self.text}\n\n\n{self.source.text().replace('def step()', 'def run()')}\n")


def arrays_in(x):
    """The Traced in a result, in the order of `Plan.result_text`."""
    if isinstance(x, Handle):
        x = x.array
    if isinstance(x, Traced):
        yield x
    elif isinstance(x, (tuple, list)):
        for part in x:
            yield from arrays_in(part)
    elif isinstance(x, dict):
        for part in x.values():
            yield from arrays_in(part)


def bits(arrays):
    """The bytes of arrays."""
    return [numpy.asarray(plain(a)).tobytes() for a in arrays]
