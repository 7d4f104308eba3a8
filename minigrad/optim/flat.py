"""One buffer for the parameters of a group, so that an update is a handful of array operations."""

import weakref
from collections import Counter
from sys import getrefcount

import numpy

from minigrad.backend import array_module, backend_of, owner
from minigrad.backend.device import move
from minigrad.graph import Handle
from minigrad.writes import span, touch

BLOCK = 1 << 17  # elements: half a megabyte an operand; more loses the cache, less or threads pay more for their calls
SMALL = 1 << 14  # elements: copying fewer costs less than a dozen calls of their own


class Flat:
    """Parameters of one dtype and device as views of one buffer, and their state laid out alike.

    A parameter whose memory somebody else holds, too, stays where it is, at the price of an update of its own: so a
    `detach()` or a `state_dict()` that was taken before the optimiser was made, a NumPy array under a parameter, and a
    second optimiser all go on seeing the same values, as in PyTorch. So does a parameter that is given another array
    later (`p.data = ...`). An optimiser over the same parameters as another takes the other's buffer.
    """

    laid_out = weakref.WeakValueDictionary()  # the ids of the parameters -> a Flat of them

    def __init__(self, parameters):
        size = sum(p.array.size for p in parameters)
        self.xp, self.dtype, self.size = array_module(parameters[0].array), parameters[0].array.dtype, size
        on_host = self.xp is numpy
        self.place = "cpu" if on_host else "cuda"
        self.block, self.small = (BLOCK, SMALL) if on_host else (size, size)  # a GPU wants few calls, however long
        # The small ones last, as one stretch; large ones, whose sizes 16 often divides, then begin at cache lines.
        self.parameters = parameters = sorted(parameters, key=lambda p: p.array.size <= self.small)
        self.starts = [0]
        for p in parameters:
            self.starts.append(self.starts[-1] + p.array.size)
        self.names, self.state, self.counts = (), {}, False
        self.steps = [0] * len(parameters)
        self.shapes = [p.array.shape for p in parameters]
        self.orders = [sorted(range(p.array.ndim), key=lambda axis: -p.array.strides[axis]) for p in parameters]
        self.strays = {}  # (start, end) of a parameter that stays where it is -> its number
        self.cut = {}  # what was cut from the buffers before
        self.take_in()
        self.plan = self.stretches()

    def take_in(self):
        """Move the values into the buffer, but those that are to stay where they are."""
        self.key = tuple(map(id, self.parameters))
        other = Flat.laid_out.get(self.key)
        if other is not None and other.fits() and not other.strays:
            self.values, self.memory, self.orders, self.views = other.values, other.memory, other.orders, other.views[:]
            return
        self.values = backend_of(self.parameters[0].array).aligned_zeros(self.size, self.dtype)
        self.memory, self.views = owner(self.values), []
        together = Counter(id(p.array.base) for p in self.parameters)
        for i, p in enumerate(self.parameters):
            if is_shared(p, together):
                self.views.append(p.array)
                self.strays[self.starts[i], self.starts[i + 1]] = i
            else:
                view = self.view(self.values, i)
                view[...] = p.array
                p.array = view
                self.views.append(view)
        Flat.laid_out[self.key] = self

    def view(self, buffer, i, first=0):
        """The part that belongs to parameter i, in its shape and memory order, of a buffer from parameter first on."""
        shape, order, start = self.shapes[i], self.orders[i], self.starts[first]
        part = buffer[self.starts[i] - start:self.starts[i + 1] - start].reshape([shape[axis] for axis in order])
        return part.transpose([order.index(axis) for axis in range(len(order))])

    def stretches(self):
        """[(first, last + 1, buffer, its views)]: neighbours that are small share a buffer for their gradients."""
        plan, first, count, starts = [], 0, len(self.parameters), self.starts
        while first < count:
            last = first
            while last < count and starts[last + 1] - starts[last] <= self.small \
                    and (starts[last], starts[last + 1]) not in self.strays:
                last += 1
            if last > first:
                buffer = self.xp.empty(starts[last] - starts[first], self.dtype)
                plan.append((first, last, buffer, [self.view(buffer, i, first) for i in range(first, last)]))
            else:
                last = first + 1
                plan.append((first, last, None, ()))
            first = last
        return plan

    def use(self, names, initial, counts):
        """Work with the state of these names, which is `initial[name]` or 0 at first; whether steps count."""
        self.names, self.counts = names, counts
        for name in names:
            self.buffer(name, initial.get(name, 0))

    def buffer(self, name, initial=0):
        """The state of a name, which stays from the first use on."""
        if name not in self.state:
            self.state[name] = backend_of(self.values).aligned_zeros(self.size, self.dtype)
            if initial:
                self.state[name] += initial
        return self.state[name]

    def let_go(self):
        """Hold the parameters' arrays no longer, so that the next Flat can take them."""
        self.views = []
        if Flat.laid_out.get(self.key) is self:
            del Flat.laid_out[self.key]

    def fits(self):
        """Whether every parameter still has the array that it had: `.data =` and `.to()` give it another one."""
        for p, view in zip(self.parameters, self.views):
            if p.array is not view:
                return False
        return True

    def settle(self):
        """Let parameters that were given another array stay in it; False where one is of another dtype or device."""
        before = len(self.strays)
        for i, (p, view) in enumerate(zip(self.parameters, self.views)):
            if p.array is view:
                continue
            if p.array.dtype != self.dtype or array_module(p.array) is not self.xp:
                return False
            if p.array.shape != self.shapes[i]:
                raise ValueError(f"step: a parameter of shape {self.shapes[i]} was given values of shape "
                                 f"{p.array.shape}; make a new optimiser for it")
            if not is_writable(p.array):
                p.array = p.array.copy()
            self.views[i] = p.array
            self.strays[self.starts[i], self.starts[i + 1]] = i
        if len(self.strays) > before:
            self.plan = self.stretches()
        return True

    def check_gradients(self):
        """Raise for a gradient that cannot be this parameter's, before anything is updated."""
        kind = type(self.values)
        try:
            for p, shape in zip(self.parameters, self.shapes):
                g = p.grad
                if g is not None and (g.array.shape != shape or type(g.array) is not kind):
                    raise ValueError(f"step: a parameter of shape {shape} has a gradient of shape {g.shape} on "
                                     f"{g.device}; give it one of its own shape on {p.device}")
        except AttributeError:
            raise TypeError(f"step: a parameter of shape {shape} has a gradient that is a {type(g).__name__}; give it "
                            "a tensor") from None

    def gradients(self):
        """The stretches of the buffer that have a gradient: [(start, end, step, the gradient, flat)].

        A gradient of its own stretch is not copied if it is in its parameter's memory order.
        """
        found, parameters, steps, starts, counts = [], self.parameters, self.steps, self.starts, self.counts
        for first, last, buffer, views in self.plan:
            together = buffer is not None
            for i in range(first, last):
                if parameters[i].grad is None:
                    together = False
                    continue
                steps[i] += counts
                if together:
                    views[i - first][...] = parameters[i].grad.array
                    together = steps[i] == steps[first]
            if together:
                found.append((starts[first], starts[last], steps[first], buffer))
                continue
            for i in range(first, last):
                if parameters[i].grad is not None:
                    flat = parameters[i].grad.array.transpose(self.orders[i]).reshape(-1)
                    found.append((starts[i], starts[i + 1], steps[i], flat))
        return found

    def touch(self, start, end):
        """Declare that the values from start to end are about to change; others of the buffer stay as they are."""
        key = start, end
        if key in self.strays:
            return touch(self.parameters[self.strays[key]].array)
        where = self.cut.get(key)
        if where is None:
            where = self.cut[key] = span(self.values[start:end])
        touch(self.memory, where)

    def stray(self, start, end):
        """The values of one that stays where it is, flat, and what to write them back into; each may be None."""
        i = self.strays.get((start, end))
        if i is None:
            return None, None
        part = self.parameters[i].array.transpose(self.orders[i])
        values = part.reshape(-1)
        return values, None if self.xp.may_share_memory(values, part) else part

    def scratch(self):
        """Memory for the intermediate results of a block; kept, it would add to the peak of the next backward pass."""
        return self.xp.empty(min(self.block, self.size), self.dtype)

    def whole(self, start, end, names):
        """The buffers from start to end: [values, *state], the state in the order of `names`."""
        key = start, end, names
        if key not in self.cut:
            buffers = self.values, *(self.state[name] for name in names)
            self.cut[key] = [buffer[start:end] for buffer in buffers]
        return self.cut[key]

    def blocks(self, start, end, names):
        """The buffers from start to end, a block at a time: [(values, {name: state}, place in the gradient)]."""
        key = start, end, names, self.block
        if key not in self.cut:
            slices = [slice(i, min(i + self.block, end)) for i in range(start, end, self.block or 1)]
            self.cut[key] = [(self.values[s], {name: self.state[name][s] for name in names},
                              slice(s.start - start, s.stop - start)) for s in slices]
        return self.cut[key]

    def go_on_from(self, source, j, i):
        """Let parameter i have the state and the steps that parameter j of another Flat has."""
        self.steps[i] = source.steps[j]
        for name, buffer in source.state.items():
            self.view(self.buffer(name), i)[...] = move(source.view(buffer, j), self.place)


def is_writable(array):
    """Whether an array's elements can be written one by one."""
    return getattr(array.flags, "writeable", True) and not any(
        stride == 0 and n > 1 for n, stride in zip(array.shape, array.strides))


def is_shared(parameter, together):
    """Whether somebody else holds the parameter's array, or the memory under it, and would be cut off from it.

    `together` counts, by id, the parameters that move at once and lie on one memory.
    """
    alone = getrefcount(parameter.array) <= _ALONE and (parameter.array.base is None or getrefcount(
        parameter.array.base) < _ALONE + together[id(parameter.array.base)])
    return not alone and is_writable(parameter.array)


def _alone():
    """What `getrefcount` says of an array that only a tensor holds."""
    tensor = Handle()
    tensor.array = object()
    return getrefcount(tensor.array)


_ALONE = _alone()
