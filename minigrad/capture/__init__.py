"""`capture`: a step recorded once and replayed as compiled code.

A training step that never changes its shapes does the same calls on the same memory again and again; what it pays for
at every step is finding that out. `capture(step)` finds it out once. The first calls run the step as it is, with a
third array library (`traced.py`) flowing through the very same modules, ops and optimisers; what it wrote down
(`record.py`) becomes a plan (`plan.py`), which NumPy runs line by line (`source.py`) or, where llvmlite is installed,
machine code (`machine.py`) in a single call. Read them in this order.
"""

import gc

import numpy

from minigrad.capture.record import Recorder, Refused, text_of
from minigrad.capture.replay import MISS, Plan, arrays_in, bits, leaves, replaced
from minigrad.capture.state import Reach, Recording, changed
from minigrad.capture.traced import Traced
from minigrad.graph import Handle, Op
from minigrad.modes import mode
from minigrad.random import generator

__all__ = ["Captured", "Refused", "capture"]
AGAIN = object()
VARIANTS = 8  # plans of one step, for the values of flags and the like on which it depends


def capture(step, executor="auto"):
    """A function that does what `step` does, to the last bit, in a fraction of the time.

    `step(*tensors)` is a training step: a function of tensors, which may also read and change whatever it can reach:
    models, optimisers, averages. What differs from step to step has to come in as an argument. `executor` is "machine"
    (llvmlite: `pip install minigrad[fast]`), "numpy", or "auto": machine code where it can be had.

    The first four calls prepare: one runs the step as it is, two record it, one checks that plan and step give equal
    bits; and so do the first four with another flag, mode or option. RuntimeError (`Refused`) says which line cannot be captured and what to do.

    >>> import minigrad as torch
    >>> w = torch.zeros(2, requires_grad=True)
    >>> optimiser = torch.optim.SGD([w], lr=0.5)
    >>> @torch.capture
    ... def step(x):
    ...     loss = ((w - x) ** 2).sum()
    ...     optimiser.zero_grad()
    ...     loss.backward()
    ...     optimiser.step()
    ...     return loss
    >>> [step(torch.ones(2)).item() for _ in range(6)]
    [2.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    return Captured(step, executor)


class Captured:
    """A captured step. `plan` is what it replays, None during the first calls; `step` is the step itself."""

    def __init__(self, step, executor="auto"):
        self.step, self.executor, self.__wrapped__ = step, _executor(executor), step
        self.plan, self.replays = None, 0
        self.plans, self._begun, self._guards = [], {}, ()

    def __call__(self, *args, **kwargs):
        if self.plan is not None:
            result = self.plan.replay(args, kwargs)
            if result is not MISS:
                self.replays += 1
                return result
        return self._otherwise(args, kwargs)

    def profile(self, repeats=20):
        """Where the plan's time goes, by line: a table to print. Runs it some times, and puts the state back."""
        from minigrad.capture.picture import Profile

        return Profile(self._planned("profile"), repeats)

    def draw(self, path):
        """Write a picture (SVG) of the plan's steps, and of which reads what another wrote; returns the path."""
        from minigrad.capture.picture import Profile, draw

        plan = self._planned("draw")
        return draw(plan, path, Profile(plan))

    def _planned(self, name):
        if self.plan is None:
            raise Refused(f"capture: {name}() needs a plan, which is there after four calls of the step")
        return self.plan

    def _otherwise(self, args, kwargs):
        """A call for which the plan at hand does not do: by another one, or by recording one more."""
        if mode.anomaly or Recorder.active is not None:
            raise Refused("capture: detect_anomaly looks at every op, and a captured step has none; call the step "
                          "itself, captured.step" if mode.anomaly else "capture: a captured step is called within "
                          "another that is being recorded; call captured.step there")
        for plan in self.plans:
            result = plan.replay(args, kwargs)
            if result is not MISS:
                self.plan = plan
                return result
        found = [leaf for part, text in ((args, "args"), (kwargs, "kwargs")) for leaf in leaves(part, text)]
        if len(self.plans) + len(self._begun) > VARIANTS:
            raise Refused(f"capture: {len(self.plans)} plans were made for this step, and none fits this call; one of "
                          f"these changes too often: {', '.join(self.plans[-1].conditions)}. Pass what changes as a "
                          "tensor, or leave it outside the step")
        key = self._key(found)
        stage = self._begun.get(key)
        if stage in (None, AGAIN):
            return self._first(found, args, kwargs)
        if isinstance(stage, Plan):
            return self._check(key, stage, args, kwargs)
        del self._begun[key]  # whatever is refused begins anew
        changes = stage.changes if isinstance(stage, Recording) else stage
        result, recording, inputs = self._record(found, changes, args, kwargs)
        if isinstance(stage, Recording):
            difference = stage.recorder.difference(recording.recorder)
            if difference:
                raise Refused(f"capture: {difference}")
            recording = Plan(recording, inputs, result, self._conditions(found, recording), self.executor)
        self._begun[key] = recording
        return _returned(result)

    def _key(self, found):
        """What tells one way through the step from another, before it is known how: arguments, flags, options."""
        return (*((kind, text, type(x) if kind == "array" else x) for kind, text, x in found),
                *(slot.value for slot in self._guards))

    def _first(self, found, args, kwargs):
        """The step itself, and what it changes in Python beside arrays."""
        reach = Reach(self.step)
        for text, x in [leaf[1:] for leaf in found] + [(reach.names[id(x)], x) for x in reach.things]:
            if isinstance(x, Handle) and not isinstance(x.array, numpy.ndarray):
                raise Refused(f"capture: {text} lies on the GPU; steps are captured on the CPU only, call the step "
                              "itself")
        numbers, tensors, old = reach.values((int, float)), reach.values(Handle), self._begun.get(self._key(found))
        result = self.step(*args, **kwargs)
        reach = Reach(self.step)
        now = reach.values((int, float))
        counted = changed(numbers, now, lambda a, b: a == b or a != a)
        carried = changed(tensors, reach.values(Handle), lambda a, b: a is b)
        self._guards = reach.guarded(counted)
        # New counters, as of a buffer that an optimiser made anew, are watched during another such call.
        self._begun[self._key(found)] = AGAIN if old is None and now.keys() - numbers.keys() else (counted, carried)
        return result

    def _record(self, found, changes, args, kwargs):
        """Run the step with Traced arrays."""
        given = [(text, x) for kind, text, x in found if kind == "array"]
        statics = [numpy.array(getattr(x, "array", x), order="K") for _, x in given]
        with Recording(self.step, *changes, self.executor is not None) as recording:
            for i, static in enumerate(statics):
                recording.recorder.before[id(static)] = "input", f"input_{i}", static
            traced = iter([Traced(static, static) for static in statics])
            arguments, options = replaced(args, traced), replaced(kwargs, traced)
            result = self.step(*arguments, **options)
            del arguments, options
            recording.finish(result)
        texts = [text + ".array" * isinstance(x, Handle) for text, x in given]
        return result, recording, list(zip(texts, statics))

    def _conditions(self, found, recording):
        """What has to hold for the plan to be that of a call, as Python text."""
        r, conditions = recording.recorder, []
        for kind, text, x in found:
            if kind == "array":
                conditions.append(f"type({text}) is {r.bind(type(x), type(x).__name__)}")
            elif kind == "container":
                conditions.append(f"len({text}) == {x}")
            elif kind == "key":
                conditions.append(f"{x!r} in {text}")
            else:
                conditions.append(f"{text} == {r.bind(x, 'value')}")
        for slot in self._guards:
            test = "==" if isinstance(slot.value, (int, float, str)) and not isinstance(slot.value, bool) else "is"
            conditions.append(f"{slot.text(r)} {test} {text_of(slot.value)}")
        conditions += [f"{slot.text(r)}.array is {r.bind(array, 'carried')}" for slot, array in recording.carried]
        for tensor, array in recording.used():
            name = r.bind(tensor, r.names.get(id(tensor), "tensor"))
            conditions += [f"{name}.array is {r.bind(array, f'{name}_array')}",
                           f"{name}.node is {'not ' * (tensor.node is not None)}None"]
        return conditions

    def _check(self, key, plan, args, kwargs):
        """The first replay: beside the step itself, from the same state, to the last bit."""
        state, draws = plan.state(), generator(numpy).bit_generator.state
        del self._begun[key]
        try:
            replayed = plan.replay(args, kwargs)
            mine = plan.state()
        finally:
            plan.restore(state)
        if replayed is MISS:
            return self._otherwise(args, kwargs)
        generator(numpy).bit_generator.state = draws
        result = self.step(*args, **kwargs)
        plan.recording.settle(), plan.recording.forget_gradients()
        theirs = plan.state()
        wrong = [buffer.name for buffer, a, b in zip(plan.written, mine[0], theirs[0]) if bits([a]) != bits([b])]
        wrong += [slot.path for (slot, _), a, b in zip(plan.recording.counts, mine[1], theirs[1]) if a != b]
        if bits(_arrays(replayed)) != bits(_arrays(result)):
            wrong.append("the step's result")
        if wrong:
            raise Refused(f"capture: the plan and the step itself differ in {', '.join(wrong)}; the step was done "
                          "uncaptured. This step cannot be captured, or minigrad.capture has an error")
        self.plans.append(plan)
        self.plan = plan
        return result


def _arrays(x):
    """The arrays in a result."""
    return [getattr(leaf, "array", leaf) for kind, _, leaf in leaves(x, "") if kind == "array"]


def _returned(x):
    """A result of a recorded step, with NumPy's arrays in it."""
    if isinstance(x, Handle):
        return Op.wrap(x.array.value.copy("K")) if isinstance(x.array, Traced) else x
    if isinstance(x, Traced):
        return x.value.copy("K")
    if isinstance(x, (tuple, list)):
        return type(x)(map(_returned, x))
    return {key: _returned(value) for key, value in x.items()} if isinstance(x, dict) else getattr(x, "value", x)


def _executor(name):
    """The class that makes machine code, or None for NumPy."""
    if name not in ("auto", "machine", "numpy"):
        raise ValueError(f"capture: executor is {name!r}; use 'auto', 'machine' or 'numpy'")
    if name == "numpy":
        return None
    try:
        from minigrad.capture.machine import Machine
    except (ImportError, OSError, TypeError) as error:  # not installed, or no C library to be asked for functions
        if name == "auto":
            return None
        raise Refused(f"capture: executor 'machine' needs llvmlite ({error}); pip install minigrad[fast]") from None
    return Machine
