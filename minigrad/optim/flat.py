"""One buffer for the parameters of a group, so that an update is a handful of array operations."""

from minigrad.backend import array_module, backend_of, owner
from minigrad.writes import span

BLOCK = 1 << 17  # elements: half a megabyte an operand; more loses the cache, less or threads pay more for their calls
SMALL = 1 << 14  # elements: copying fewer costs less than a dozen calls of their own


class Flat:
    """Parameters of one dtype and device as views of one buffer, with their state laid out alike."""

    def __init__(self, parameters, slots):
        array, size = parameters[0].array, sum(p.array.size for p in parameters)
        self.xp, dtype = array_module(array), array.dtype
        on_host = self.xp.__name__ == "numpy"
        self.block, self.small = (BLOCK, SMALL) if on_host else (size, size)  # a GPU wants few calls, however long
        # The small ones last, as one stretch; large ones, whose sizes 16 often divides, then begin at cache lines.
        self.parameters = parameters = sorted(parameters, key=lambda p: p.array.size <= self.small)
        self.starts = [0]
        for p in parameters:
            self.starts.append(self.starts[-1] + p.array.size)
        zeros = backend_of(array).aligned_zeros
        self.values = zeros(size, dtype)
        self.memory = owner(self.values)
        self.state = {name: zeros(size, dtype) for name in slots}
        self.steps = [0] * len(parameters)
        self.orders = [sorted(range(p.array.ndim), key=lambda axis: -p.array.strides[axis]) for p in parameters]
        self.cut = {}  # blocks that were cut before
        self.views = [self.view(self.values, i) for i in range(len(parameters))]
        self.plan = self.stretches()
        self.gather_parameters()

    def view(self, buffer, i, first=0):
        """The part that belongs to parameter i, in its shape and memory order, of a buffer from parameter first on."""
        shape, order, start = self.parameters[i].array.shape, self.orders[i], self.starts[first]
        part = buffer[self.starts[i] - start:self.starts[i + 1] - start].reshape([shape[axis] for axis in order])
        return part.transpose([order.index(axis) for axis in range(len(order))])

    def stretches(self):
        """[(first, last + 1, buffer, its views)]: neighbours that are small share a buffer for their gradients."""
        plan, first, count = [], 0, len(self.parameters)
        while first < count:
            last = first
            while last < count and self.starts[last + 1] - self.starts[last] <= self.small:
                last += 1
            if last > first:
                buffer = self.xp.empty(self.starts[last] - self.starts[first], self.values.dtype)
                plan.append((first, last, buffer, [self.view(buffer, i, first) for i in range(first, last)]))
            else:
                last = first + 1
                plan.append((first, last, None, ()))
            first = last
        return plan

    def gather_parameters(self):
        """Take in the values of parameters whose array is not our view of them."""
        for p, view in zip(self.parameters, self.views):
            if p.array is not view:
                view[...] = p.array
                p.array = view

    def fits(self):
        """Whether every parameter still is our view: `.data =` and `.to()` put another array in its place."""
        for p, view in zip(self.parameters, self.views):
            if p.array is not view:
                return False
        return True

    def gradients(self):
        """The stretches of the buffer that have a gradient: [(start, end, step, the gradient, flat)].

        A gradient of its own stretch is not copied if it is in its parameter's memory order.
        """
        found, parameters, steps, starts = [], self.parameters, self.steps, self.starts
        for p in parameters:  # before any step is counted
            if p.grad is not None and p.grad.array.shape != p.array.shape:
                raise ValueError(f"step: a parameter of shape {p.shape} has a gradient of shape {p.grad.shape}; give "
                                 "it one of its own shape")
        for first, last, buffer, views in self.plan:
            together = buffer is not None
            for i in range(first, last):
                if parameters[i].grad is None:
                    together = False
                    continue
                steps[i] += 1
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

    def scratch(self):
        """Memory for the intermediate results of a block; kept, it would add to the peak of the next backward pass."""
        return self.xp.empty(min(self.block, len(self.values)), self.values.dtype)

    def whole(self, start, end, names):
        """The buffers from start to end: [values, *state], the state in the order of `names`."""
        key = start, end, names
        if key not in self.cut:
            buffers = self.values, *(self.state[name] for name in names)
            self.cut[key] = [buffer[start:end] for buffer in buffers]
        return self.cut[key]

    def span(self, start, end):
        """The bytes of the values from start to end, for `touch`: other parameters of the buffer stay as they are."""
        key = start, end
        if key not in self.cut:
            self.cut[key] = span(self.values[start:end])
        return self.cut[key]

    def blocks(self, start, end):
        """The buffers from start to end, a block at a time: [(values, state, place in the gradient)]."""
        key = start, end, self.block
        if key not in self.cut:
            slices = [slice(i, min(i + self.block, end)) for i in range(start, end, self.block or 1)]
            self.cut[key] = [(self.values[s], {name: buffer[s] for name, buffer in self.state.items()},
                              slice(s.start - start, s.stop - start)) for s in slices]
        return self.cut[key]
