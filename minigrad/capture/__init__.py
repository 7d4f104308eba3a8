"""`capture`: a step recorded once and replayed as compiled code, to the last bit. docs/capture.md is for its users.

A training step that never changes its shapes does the same calls on the same memory again and again; what it pays for
at every step is finding that out. `capture(step)` finds it out once, and the whole design is in how the first calls go
(`Captured._otherwise` below leads through them):

    1. `_first`   runs the step as it is, and sees what it changes in Python: counts, and tensors that it replaces.
    2. `_record`  runs it with a third array library flowing through the very same modules, ops and optimisers
                  (`traced.py`), which computes, and writes down each call on views of memory (`record.py`).
                  `state.py` finds what a step reaches, and lets it hold Traced arrays and Numbers meanwhile.
                  Convolutions and batch normalisations are written down as one call each (`kernels.py`).
    3. `_record`  again: a Python number or array that is another one now is refused by its line. The second recording
                  becomes a plan: what nobody reads goes, calls join into loops, memory is used again (`plan.py`).
    4. `_check`   runs plan and step from one state. Only a plan that leaves the same bits everywhere is used.

From then on `plan.replay(args, kwargs)` is the step: a Python function of a few lines, made as text (`replay.py`), that
looks whether all that the recording depended on is still so, fills in arguments, rates and random numbers, and runs the
arrays' part: lines of NumPy (`source.py`, which is also what `print(captured.plan)` shows), or, where llvmlite is
installed, one call of machine code whose bits are NumPy's (`machine.py`). Where something is no longer so it returns
MISS, and another plan, or the four calls for one, follow. `picture.py` looks at plans.

The order to read: this file, `record.py` (View, Call, Number: what a recording is made of), `traced.py`, `plan.py`.
"""

import numpy

from minigrad.backend import owner
from minigrad.capture.record import Recorder, Refused, text_of
from minigrad.capture.replay import MISS, Plan, leaves, rebuilt
from minigrad.capture.state import Draws, Reach, Recording, changed, noting, same, simple
from minigrad.capture.traced import Traced
from minigrad.graph import Handle, Op
from minigrad.hooks import HookHandle
from minigrad.modes import mode
from minigrad.nn.module import Module

__all__ = ["Captured", "Refused", "capture"]
AGAIN = object()
PATIENCE = 3  # calls that a plan waits for one that it fits, to be checked beside it
TRIES = 3  # further recordings when two differ in how Python numbers compared
VARIANTS = 8  # plans of one step, for the values of flags and the like on which it depends


def capture(step, executor="auto"):
    """A function that does what `step` does, to the last bit, in a fraction of the time.

    `step(*tensors)` is a training step: a function of tensors, which may also read and change whatever it can reach:
    models, optimisers, averages. What differs from step to step has to come in as a tensor. `executor` is "machine"
    (llvmlite: `pip install minigrad[fast]`), "numpy", or "auto": machine code where it can be had.

    The first four calls prepare: one runs the step as it is, two record it, one checks that plan and step give equal
    bits; and so do the first four with another flag, mode or option. `Refused`, a RuntimeError, says which line cannot
    be captured and what to do.

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
    """A captured step.

    `plan` is what it replays, None during the first calls, `plans` all that it has, `replays` how often it did, `step`
    the step itself.
    """

    def __init__(self, step, executor="auto"):
        self.step = self.__wrapped__ = step
        self.plan, self.plans, self.replays = None, [], 0
        self._executor, self._begun, self._guards = _executor(executor), {}, ()
        self._watched, self._hooks, self.hooked = [], (), HookHandle.changed
        self._seen = []  # (what plans depend on, its value), whenever one was begun

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

        return draw(Profile(self._planned("draw"), 5), path)

    def _planned(self, name):
        if self.plan is None:
            raise Refused(f"capture: {name}() needs a plan, which is there after four calls of the step")
        return self.plan

    def _otherwise(self, args, kwargs):
        """A call for which the plan at hand does not do: by another one, or by what leads to one more."""
        if mode.anomaly or Recorder.active is not None:
            raise Refused("capture: detect_anomaly looks at every op, and a captured step has none; call the step "
                          "itself, captured.step" if mode.anomaly else "capture: a captured step is called within "
                          "another that is being recorded; call captured.step there")
        if HookHandle.changed != self.hooked:
            self.hooked, now = HookHandle.changed, hooks_of(self._watched)
            if now != self._hooks:  # of one of these, not of another's
                self.plans, self.plan, self._begun, self._hooks = [], None, {}, now
        for plan in self.plans:
            result = plan.replay(args, kwargs)
            if result is not MISS:
                self.plan, self.replays = plan, self.replays + 1
                return result
        found = [*leaves(args, "args"), *leaves(kwargs, "kwargs")]
        for kind, text, x in found:
            if kind == "array" and isinstance(x, Handle) and x.node is not None:
                raise Refused(f"capture: {text} has a graph (it requires a gradient), which a captured step does not "
                              "go on with; detach() it, or make the leaf before and let the step name it itself")
        if len(self.plans) + len(self._begun) > VARIANTS:
            self._seen += [(text, x) for kind, text, x in found if kind == "value"]
            names = [name for name, first in dict(reversed(self._seen)).items()
                     if any(name == other and not same(first, value) for other, value in self._seen)]
            raise Refused(f"capture: {len(self.plans)} plans were made for this step, and none fits this call; one of "
                          f"these changes too often: {', '.join(names) or 'the layouts of the arguments'}. Pass what "
                          "changes as a tensor, or leave it outside the step")
        key = self._key(found)
        stage = self._begun.pop(key, None)  # whatever is refused begins anew
        if stage in (None, AGAIN):
            result, stage = self._first(found, stage, args, kwargs)
        elif isinstance(stage, Plan):
            return self._check(stage, key, args, kwargs)
        else:
            result, stage = self._record(found, stage, args, kwargs)
        self._begun[self._key(found)] = stage
        return result

    def _key(self, found):
        """What tells one way through the step from another, before it is known how: arguments, flags, options."""
        return (*((kind, text, (type(x), strides(x)) if kind == "array" else x) for kind, text, x in found),
                *(x if simple(x) else Same(type(x) if isinstance(x, Handle) else x)  # a tensor may not be used at all
                  for x in (slot.value for slot in self._guards)))

    def _first(self, found, stage, args, kwargs):
        """The step itself, and what it changes in Python beside arrays."""
        reach = Reach(self.step)
        for text, x in [leaf[1:] for leaf in found] + [(reach.names[id(x)], x) for x in reach.things]:
            if isinstance(x, Handle) and not isinstance(x.array, numpy.ndarray):
                raise Refused(f"capture: {text} lies on the GPU; steps are captured on the CPU only, call the step "
                              "itself")
        numbers, tensors = reach.values((int, float)), reach.values(Handle)
        hooks, ran = hooks_of(reach.things), set()
        with noting(ran):
            result = self.step(*args, **kwargs)
        if hooks_of(reach.things) != hooks:
            raise Refused("capture: the step registers or takes off hooks of modules or parameters; do that outside")
        reach = Reach(self.step)
        now = reach.values((int, float))
        counted = changed(numbers, now, lambda a, b: a == b or a != a)
        carried = changed(tensors, reach.values(Handle), lambda a, b: a is b)
        self._guards = reach.guarded(ran, [*counted, *carried])
        self._seen += [(slot.path, slot.value) for slot in self._guards]
        self._watched = [x for x in reach.things if isinstance(x, (Module, Handle))]
        self._hooks = hooks_of(self._watched)
        # New counters, as of a buffer that an optimiser made anew, are watched during another such call.
        return result, AGAIN if stage is None and now.keys() - numbers.keys() else (counted, carried)

    def _record(self, found, stage, args, kwargs):
        """The step with Traced arrays: the first time for comparison, the second time for the plan."""
        before = stage if isinstance(stage, Recording) else None
        given = [(text, x) for kind, text, x in found if kind == "array"]
        statics, values = [alike(getattr(x, "array", x)) for _, x in given], [slot.value for slot in self._guards]
        with Recording(self.step, *(before.changes if before else stage), bool(self._executor)) as recording:
            draws = Draws(recording.reach)
            for i, static in enumerate(statics):
                recording.recorder.before[id(owner(static))] = "input", f"input_{i}", owner(static)
            traced = iter([Traced(static, static) for static in statics])

            def replaced(x):
                return Op.wrap(next(traced)) if isinstance(x, Handle) else next(traced) if isinstance(
                    x, numpy.ndarray) else x

            result = self.step(*rebuilt(args, replaced), **rebuilt(kwargs, replaced))
            recording.finish([leaf for _, _, leaf in leaves(result)])
            result = rebuilt(result, lambda x: Op.wrap(x.array) if isinstance(getattr(x, "array", None), Traced) else x)
        for text, x in given:
            recording.recorder.check_shared(text, getattr(x, "array", x))
        own = [same(slot.value, value) for slot, value in zip(self._guards, values)]
        for slot, stayed in zip(self._guards, own):
            if not stayed and isinstance(slot.value, (bool, str)):
                raise Refused(f"capture: the step changes {slot.path}, now {slot.value!r}, which a replay would not; "
                              "do that outside")
        self._guards = [slot for slot, stayed in zip(self._guards, own) if stayed]
        if before:
            difference = before.recorder.difference(recording.recorder)
            if difference and recording.recorder.expected != before.recorder.expected and before.tries < TRIES:
                recording.tries = before.tries + 1  # a count has passed a limit, and may stay beyond it
                return rebuilt(result, _returned), recording
            if difference:
                raise Refused(f"capture: {difference}")
            draws.check({id(own) for _, own, *_ in recording.recorder.draws})
            texts = [text + ".array" * isinstance(x, Handle) for text, x in given]
            recording = Plan(recording, list(zip(texts, statics)), result, self._conditions(found, recording),
                             self._executor)
        return rebuilt(result, _returned), recording

    def _conditions(self, found, recording):
        """What has to hold for the plan to be that of a call, as Python text."""
        r = recording.recorder
        conditions = [f"{r.bind(HookHandle, 'hooks')}.changed == {r.bind(self, 'captured')}.hooked"]
        for kind, text, x in found:
            if kind == "array":
                conditions.append(f"type({text}) is {r.bind(type(x), type(x).__name__)}")
                conditions += [f"{text}.node is None"] * isinstance(x, Handle)
            elif kind == "container":
                conditions.append(f"len({text}) == {x}")
            elif kind == "key":
                conditions.append(f"{x!r} in {text}")
            elif x is None or isinstance(x, bool):
                conditions.append(f"{text} is {x}")
            else:
                conditions.append(f"type({text}) is {r.bind(type(x), 'kind')} and {text} == {r.bind(x, 'value')}")
        used = {id(tensor) for tensor, _, _ in recording.used()}
        for slot in self._guards:
            value = slot.value
            if isinstance(value, Handle) and id(value) not in used:
                continue
            test = "==" if simple(value) and not isinstance(value, (bool, type(None))) else "is"
            text = r.bind(value, slot.path) if isinstance(value, tuple) or not simple(value) else text_of(value)
            conditions.append(f"{slot.text(r)} {test} {text}")
        for slot, array in recording.carried:
            text, dtype = slot.text(r), r.bind(array.dtype, "dtype")
            conditions += [f"type({text}) is {r.bind(type(slot.value), type(slot.value).__name__)}",
                           f"{text}.node is None", f"{text}.array.shape == {array.shape}",
                           f"{text}.array.dtype == {dtype}"]
        for optimiser in recording.watched:
            conditions.append(f"len({r.bind(optimiser, 'optimiser')}.param_groups) == {len(optimiser.param_groups)}")
        for tensor, array, name in recording.used():
            name = r.bind(tensor, name)
            conditions += [f"{name}.array is {r.bind(array, f'{name}_array')}",
                           f"{name}.node is {'not ' * (tensor.node is not None)}None"]
        return conditions

    def _check(self, plan, key, args, kwargs):
        """The first replay: beside the step itself, from the same state, to the last bit."""
        state = plan.state()
        try:
            replayed = plan.replay(args, kwargs)
            mine = plan.state()
        finally:
            plan.restore(state)
        if replayed is MISS:  # such as at a count that a schedule looks at in every third step only
            plan.misses += 1
            if plan.misses > PATIENCE:
                return self._otherwise(args, kwargs)
            self._begun[key] = plan
            return self.step(*args, **kwargs)
        result = self.step(*args, **kwargs)
        plan.recording.forget_gradients()
        theirs = plan.state()
        wrong = [b.name for b, x, y in zip(plan.written, mine[0], theirs[0]) if x.tobytes() != y.tobytes()]
        wrong += [slot.path for (slot, _), x, y in zip(plan.recording.counts, mine[1], theirs[1]) if x != y]
        wrong += ["the random numbers"] * (repr(mine[2]) != repr(theirs[2]))
        wrong += [slot.path for (slot, _), x, y in zip(plan.recording.carried, mine[3], theirs[3])
                  if x.array.tobytes() != y.array.tobytes()]
        if [_bits(leaf) for leaf in leaves(replayed)] != [_bits(leaf) for leaf in leaves(result)]:
            wrong.append("the step's result")
        if wrong:
            raise Refused(f"capture: the plan and the step itself differ in {', '.join(wrong)}; the step was done "
                          "uncaptured. This step cannot be captured, or minigrad.capture has an error")
        self.plans.append(plan)
        self.plan = plan
        return result


class Same:
    """An object, to be compared by identity."""

    def __init__(self, thing):
        self.thing = thing

    def __eq__(self, other):
        return self.thing is other.thing if isinstance(other, Same) else False

    def __hash__(self):
        return id(self.thing)


def strides(x):
    """Where the elements of an argument lie: sums and products of other layouts round otherwise."""
    return getattr(x, "array", x).strides


def alike(array):
    """A copy of an array with the same strides, its gaps included."""
    if not array.size:
        return array.copy("K")
    base = numpy.lib.array_utils.byte_bounds(array)
    memory = numpy.zeros(base[1] - base[0], numpy.uint8)
    copy = numpy.ndarray(array.shape, array.dtype, memory, array.__array_interface__["data"][0] - base[0],
                         array.strides)
    copy[...] = array
    return copy


def hooks_of(things):
    """The keys of all hooks of modules and tensors."""
    found = []
    for x in things:
        hooks = vars(x._hooks).values() if isinstance(x, Module) and x._hooks else ()
        if isinstance(x, Handle) and x.node is not None and x.node.parents == () and x.node.hooks:  # a leaf
            hooks = [x.node.hooks]
        found.append([list(these) for these in hooks if these])
    return found


def _bits(leaf):
    """A leaf of a result as something that equals what has the same bits."""
    kind, text, x = leaf
    array = numpy.asarray(getattr(x, "array", x)) if kind == "array" else None
    return (text, array.shape, array.tobytes()) if kind == "array" else (kind, text, x)


def _returned(x):
    """A leaf of the result of a recorded step, with NumPy's array in it."""
    traced = getattr(x, "array", x)
    if not isinstance(traced, Traced):
        return getattr(x, "value", x)
    return Op.wrap(traced.value.copy("K")) if isinstance(x, Handle) else traced.value.copy("K")


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
