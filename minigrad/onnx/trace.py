"""What a network does, written down: each op of one forward pass, with the names of what goes in.

`steps_of` runs the network at three batch sizes and notes every op as it is applied: nothing in the engine knows of it,
as `Op.__call__` is exchanged for one that notes while a `Recorder` is entered. A value is known by its array. What
belongs to the state has its name in the state dict; what the ops made has a number; anything else is a constant, which
has to be the same in all three runs. A size that differs among them is one of the batch's.
"""

import contextlib
import threading
from dataclasses import dataclass
from typing import NamedTuple

import numpy

from minigrad.anomaly import calling_line
from minigrad.backend import backend_of, owner
from minigrad.graph import Handle, Op
from minigrad.inplace import InPlace
from minigrad.modes import no_grad
from minigrad.nn.module import Module
from minigrad.nn.norm import BatchNorm1d, BatchNorm2d
from minigrad.ops import compare

BATCHES = (2, 3, 5)  # of two, x[:n // 2] would seem to be a constant


class Unexpressible(Exception):
    """Something that ONNX has no words for."""


class Value(NamedTuple):
    """What an input (0, 1, ...) or a step made."""

    number: int


class State(NamedTuple):
    """A parameter or buffer."""

    name: str


class Batch(NamedTuple):
    """A size that grows with the batch: times * n + more."""

    times: int
    more: int


ONE = threading.Lock()  # of several threads that record, one does: what they exchange is there once
UNEVEN = object()  # a size that grows in any other way
NUMBERS = (bool, int, float, numpy.number, numpy.bool_, type(None))


def size(found):
    """What a size is that was found to be so at each of BATCHES: an int, a Batch, or UNEVEN.

    >>> size([4, 4, 4]), size([4, 6, 10])
    (4, Batch(times=2, more=0))
    """
    first, second, third = found
    if first == second == third:
        return first
    times = second - first
    more = first - times * BATCHES[0]
    return Batch(times, more) if times * BATCHES[2] + more == third else UNEVEN


def sizes(shapes):
    """What the sizes of a shape are that was found to be so at each of BATCHES."""
    if len({len(shape) for shape in shapes}) > 1:
        raise Unexpressible(f"how many axes it has depends on the batch size: {', '.join(map(str, shapes))}")
    return tuple(map(size, zip(*shapes)))


@dataclass
class Step:
    """An op, or a layer that ONNX has as one, as it ran at each of BATCHES, or what is the same in all runs.

    Attributes:
        kind: the class of the op or layer, or the name of a function without a gradient.
        sources: the op or layer, or the options of the function; one a run.
        inputs: Values, States, arrays and numbers; `shapes` and `dtypes` are theirs, None of numbers.
        held: the same of arrays that the op has as attributes, {name: what}, in tuples as they are there.
        number: of the Value that it makes, of `shape` and `dtype`.
        place, line: the dotted name of the module that was running, and the user's line that called it.
    """

    kind: object
    sources: tuple
    inputs: tuple
    shapes: tuple
    dtypes: tuple
    held: dict
    number: int
    shape: tuple
    dtype: numpy.dtype
    place: str
    line: str

    def same(self, name):
        """An attribute of the op, which has to be the same at every batch size."""
        found = [source[name] if isinstance(source, dict) else getattr(source, name) for source in self.sources]
        if found[0] != found[1] or found[0] != found[2]:
            raise Unexpressible(f"its {name} depends on the batch size: {found[0]}, {found[1]}, ...")
        return found[0]

    def differs(self, name):
        """Whether an attribute of the op depends on the batch size."""
        return any(getattr(source, name) != getattr(self.sources[0], name) for source in self.sources)

    @property
    def name(self):
        """What the op is called in messages."""
        return self.kind if isinstance(self.kind, str) else self.kind.__name__


def has_own_words(module):
    """Whether ONNX has a layer as it is: batch normalisation by the running statistics."""
    return (type(module) in (BatchNorm1d, BatchNorm2d) and "forward" not in vars(module)
            and module.running_mean is not None and module.running_var is not None)


class Recorder:
    """Notes, as long as it is entered, what this thread does with tensors within the modules of a network.

    The network is in evaluation mode meanwhile, and afterwards as it was.
    """

    def __init__(self, net):
        self.net, self.thread = net, threading.get_ident()
        self.state = {id(tensor.array): State(name) for name, tensor in
                      reversed(Module.state_dict(net, keep_vars=True).items())}
        self.restored = contextlib.ExitStack()

    def begin(self, inputs):
        """Forget what was noted: a run with these inputs begins."""
        self.notes, self.places, self.own, self.alive, self.stale = [], [], [], [], {}
        self.values, self.count = {}, 0
        for x in inputs:
            self.named(x.array)

    def named(self, array):
        """The number of a new value."""
        self.alive.append(array)  # as long as it is, its id is its own
        self.values[id(array)] = Value(self.count)
        self.count += 1
        return self.count - 1

    # What goes in

    def reference(self, x):
        """What an input of an op is: a Value, a State, an array, a number; of tuples, of each part."""
        if isinstance(x, tuple):
            return tuple(self.reference(part) for part in x)
        array = x.array if isinstance(x, Handle) else x
        if id(array) in self.stale:
            raise Unexpressible(f"one of its inputs was changed in place by {self.stale[id(array)]}; make a new tensor "
                                "instead (cat, stack, where)")
        return self.values.get(id(array)) or self.state.get(id(array)) or array

    def note(self, kind, source, inputs, result, held=()):
        """A step, unless it is within a layer that is noted as one, or another thread's."""
        if threading.get_ident() != self.thread or self.own or not isinstance(result, Handle):
            return
        place, line = self.places[-1] if self.places else "", calling_line()
        try:
            references = tuple(self.reference(x) for x in inputs)
            attributes = {name: self.reference(getattr(source, name)) for name in held}
        except Unexpressible as error:
            raise refusal(kind if isinstance(kind, str) else kind.__name__, place, line, error) from None
        arrays = [x.array if isinstance(x, Handle) else x for x in inputs]
        self.notes.append(Step(kind, source, references, tuple(getattr(a, "shape", None) for a in arrays),
                               tuple(getattr(a, "dtype", None) for a in arrays), attributes, self.named(result.array),
                               result.shape, result.dtype, place, line))

    def written(self, target, name, index, value):
        """A tensor was written to: what its memory held before is gone."""
        if threading.get_ident() != self.thread or self.own:
            return
        source = self.values.get(id(getattr(value, "array", value)))
        memory = owner(target)
        touched = [array for array in self.alive if owner(array) is memory]
        if touched or source:
            self.alive.append(target)
            self.stale |= {id(array): name for array in (*touched, target)}
        if source and index is Ellipsis and (value.shape, value.dtype) == (target.shape, target.dtype):
            del self.stale[id(target)]
            self.values[id(target)] = source

    # What is watched

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            stack.enter_context(ONE)
            stack.enter_context(no_grad())
            for name, module in Module.named_modules(self.net):
                stack.callback(setattr, module, "training", module.training)
                module.training = False
                self._listen(stack, name, module)
            call, assign, recorder = Op.__call__, InPlace._assign, self

            def noted(op, *inputs):
                result = call(op, *inputs)
                recorder.note(type(op), op, inputs, result, op.watched)
                return result

            def noted_write(tensor, name, index, value):
                result = assign(tensor, name, index, value)
                recorder.written(tensor.array, name, index, value)
                return result

            Op.__call__, InPlace._assign = noted, noted_write
            stack.callback(setattr, Op, "__call__", call)
            stack.callback(setattr, InPlace, "_assign", assign)
            compare.watchers.append(self.note)
            stack.callback(compare.watchers.remove, self.note)
            self.restored = stack.pop_all()
        return self

    def __exit__(self, *exc):
        self.restored.close()
        Module.hooked += 1  # hooks have gone, too: a Sequential may join its layers again

    def _listen(self, stack, name, module):
        """Know when a module runs. A Sequential calls modules with hooks one by one."""
        if module._hooks is None:
            stack.callback(vars(module).pop, "_hooks", None)
        enter = module.register_forward_pre_hook(lambda *_: self.places.append(name), prepend=True)
        leave = module.register_forward_hook(lambda *_: self._leave(), always_call=True)
        stack.callback(enter.remove), stack.callback(leave.remove)
        if has_own_words(module):
            begin = module.register_forward_pre_hook(lambda _, inputs: self.own.append(inputs))
            end = module.register_forward_hook(self._note_layer, prepend=True, always_call=True)
            stack.callback(begin.remove), stack.callback(end.remove)

    def _leave(self):
        self.places.pop()

    def _note_layer(self, module, _, result):
        inputs = self.own.pop()
        if result is not None:
            self.note(type(module), module, inputs, result)


def refusal(name, place, line, reason):
    """What is said of an op that cannot be written."""
    where = f"the module {place!r}" if place else "the network itself"
    return Unexpressible(f"{name} in {where}, called at {line}: {reason}")


def steps_of(net, batches):
    """(steps, outputs): the steps of a network in order, and what its outputs are, in the form in which it gives them.

    `batches` are tuples of inputs, one for each of BATCHES. An output is (reference, shape, dtype).
    """
    runs, results = [], []
    with Recorder(net) as recorder:
        for inputs in batches:
            recorder.begin(inputs)
            result = net(*inputs)
            results.append([(recorder.reference(x), x.shape, x.dtype) for x in tensors_of(result)])
            runs.append(recorder.notes)
    if len({tuple((step.kind, step.place) for step in run) for run in runs}) != 1:
        raise Unexpressible(f"the network takes another way for {BATCHES[0]} samples than for {BATCHES[2]}; what it "
                            "does must not depend on the batch size or on values")
    if len({len(found) for found in results}) > 1:
        raise Unexpressible("how many tensors the network returns depends on the batch size; return one of all")
    outputs = [(agreed([found[0] for found in each]), sizes([found[1] for found in each]), each[0][2])
               for each in zip(*results)]
    return [merged(steps) for steps in zip(*runs)], outputs


def tensors_of(result):
    """The tensors of what a forward returned, in order."""
    if isinstance(result, Handle):
        return [result]
    parts = result.values() if isinstance(result, dict) else result if isinstance(result, (tuple, list)) else None
    if parts is None:
        raise Unexpressible(f"the network returned {type(result).__name__}; return a tensor, or a tuple, list or dict "
                            "of tensors")
    return [tensor for part in parts for tensor in tensors_of(part)]


def merged(steps):
    """The notes of one step at each batch size, as one."""
    first = steps[0]
    try:
        inputs = agreed([step.inputs for step in steps])
        held = {name: agreed([step.held[name] for step in steps]) for name in first.held}
        shapes = tuple(None if found[0] is None else sizes(found) for found in zip(*(step.shapes for step in steps)))
        shape = sizes([step.shape for step in steps])
    except Unexpressible as error:
        raise refusal(first.name, first.place, first.line, error) from None
    return Step(first.kind, tuple(step.sources for step in steps), inputs, shapes, first.dtypes, held, first.number,
                shape, first.dtype, first.place, first.line)


def agreed(found):
    """What an input is in all runs; a constant may grow with the batch, where it repeats itself along an axis."""
    first = found[0]
    if len({type(x) if isinstance(x, (Value, State, tuple, slice)) else None for x in found}) > 1:
        raise Unexpressible("its inputs are of another kind at another batch size")
    if isinstance(first, (Value, State)):
        if first != found[1] or first != found[2]:
            raise Unexpressible("its inputs come from elsewhere at another batch size")
        return first
    if isinstance(first, tuple):
        if len(set(map(len, found))) > 1:
            raise Unexpressible("how many inputs it has depends on the batch size")
        return tuple(agreed(list(parts)) for parts in zip(*found))
    if isinstance(first, slice):
        ends = (size([getattr(part, end) for part in found]) if getattr(first, end) is not None else None
                for end in ("start", "stop", "step"))
        return slice(*ends)
    if isinstance(first, NUMBERS) or first is Ellipsis:
        if all(x == first or x != x for x in found):
            return first
        if all(type(x) is int for x in found) and isinstance(size(found), Batch):
            return size(found)
        raise Unexpressible(f"one of its inputs, a number, differs from run to run: {first}, {found[1]}; it was "
                            "computed outside of minigrad's ops, or drawn at random")
    return constant([backend_of(array).to_host(array) for array in found])


class Repeated(NamedTuple):
    """A constant that is the same along axes that grow with the batch, and has length 1 there."""

    array: numpy.ndarray
    shape: tuple


class Counting(NamedTuple):
    """0, 1, 2, ... along the one axis that grows with the batch; the others have length 1."""

    shape: tuple


class Unit(NamedTuple):
    """The unit matrix, of as many rows as there are samples."""

    dtype: numpy.dtype
    shape: tuple


def constant(arrays):
    """The array that they all are, or the Repeated, the Counting or the Unit."""
    shape = sizes([array.shape for array in arrays])
    if UNEVEN not in shape:
        core = arrays[0][tuple(slice(None) if isinstance(n, int) else slice(0, 1) for n in shape)]
        if all(numpy.array_equal(array, numpy.broadcast_to(core, array.shape), array.dtype.kind == "f")
               for array in arrays):
            return numpy.array(core) if all(isinstance(n, int) for n in shape) else Repeated(core, shape)
        if all(array.dtype == "int64" and array.size == max(array.shape)
               and numpy.array_equal(array.reshape(-1), numpy.arange(array.size)) for array in arrays):
            return Counting(shape)
        if len(shape) == 2 and all(numpy.array_equal(array, numpy.eye(len(array))) for array in arrays):
            return Unit(arrays[0].dtype, shape)
    raise Unexpressible("one of its inputs, an array, differs from run to run; it was computed outside of minigrad's "
                        "ops, by one that is not recorded, or drawn at random")
