"""From a recording to a plan: what is dead goes, calls join into loops, and what remains gets its place in memory.

A `Step` is a loop over the elements of one or more calls that go element by element, or one call of another kind. Calls
join a loop when it goes over as many elements, and when of two accesses to the same memory, one of them a write, both
are the same view: element i of the one then waits for nothing but element i of the other.
"""

import math
from collections import defaultdict

CACHE_LINE = 64

# What a loop of machine code computes exactly as NumPy does. The other functions are NumPy's own, each by itself.
IN_LOOPS = {"add", "subtract", "multiply", "divide", "negative", "positive", "absolute", "sqrt", "square", "reciprocal",
            "sign", "maximum", "minimum", "clip", "where", "copy", "greater", "greater_equal", "less", "less_equal",
            "equal", "not_equal", "bitwise_and", "bitwise_or", "bitwise_xor", "invert", "logical_and", "logical_or",
            "logical_not", "isnan", "rint", "floor"}
REAL = {"divide", "absolute", "sqrt", "reciprocal", "sign", "isnan", "rint", "floor"}  # in loops of floats only
DTYPES = "?ilqfd"


class Ranges:
    """For each buffer, the bytes that are read later."""

    def __init__(self, views):
        self.of = defaultdict(list)
        for view in views:
            self.add(view)

    def add(self, view):
        """These bytes are read."""
        span = view.span
        if span not in self.of[view.buffer]:
            self.of[view.buffer].append(span)

    def cut(self, view):
        """These bytes are written; what was in them before is read by nobody."""
        first, last = view.span
        if last - first == view.size * view.dtype.itemsize:
            self.of[view.buffer] = [part for a, b in self.of[view.buffer]
                                    for part in ((a, min(b, first)), (max(a, last), b)) if part[0] < part[1]]

    def meets(self, view):
        """Whether any of these bytes is read."""
        first, last = view.span
        return any(a < last and first < b for a, b in self.of[view.buffer])


def alive(calls, kept):
    """The calls on which the views `kept` depend."""
    needed, left = Ranges(kept), []
    for call in reversed(calls):
        if any(map(needed.meets, call.outs)):
            left.append(call)
            for view in call.outs:
                needed.cut(view)
            for view in call.views:
                needed.add(view)
    return left[::-1]


def walk(view, shape, order):
    """A view as a walk through memory: (buffer, first byte, ((length, stride), ...), dtype), as short as can be told.

    The elements are taken in the `order` of the axes of `shape`, to which the view is broadcast.
    """
    strides = [0] * (len(shape) - len(view.shape)) + [0 if n == 1 else s for n, s in zip(view.shape, view.strides)]
    steps = []
    for axis in order:
        length, stride = shape[axis], strides[axis]
        if length > 1 and steps and steps[-1][1] == length * stride:
            steps[-1] = steps[-1][0] * length, stride
        elif length > 1:
            steps.append((length, stride))
    return view.buffer, view.offset, tuple(steps) or ((1, 0),), view.dtype


def walks(call):
    """The walks of the operands that lie in memory, the result's last; in the order in which the result's lies."""
    out = call.outs[0]
    order = sorted(range(len(out.shape)), key=lambda axis: -abs(out.strides[axis]))
    return [walk(view, out.shape, order) for view in (*call.views, out)]


def cuts(steps):
    """The numbers of elements after which a walk makes another step than to the next element."""
    found, inner = {1}, 1
    for length, _ in reversed(steps):
        inner *= length
        found.add(inner)
    return found


def nested(numbers):
    """Whether each of the numbers divides the next larger one: one nest of loops then serves all."""
    numbers = sorted(numbers)
    return all(b % a == 0 for a, b in zip(numbers, numbers[1:]))


class Step:
    """A loop, or one call that is none.

    A loop's `loads` and `stores` are the walks that it reads from memory, and those that it writes there; what it
    computes for itself stays in registers.
    """

    def __init__(self, call, loop):
        self.calls, self.loop, self.size = [], loop, call.outs[0].size
        self.before = 0  # the numbers of the steps that have to come before, as bits
        self.cuts, self.loads, self.stores = set(), set(), set()
        self.add(call)

    def add(self, call):
        """Let a call join."""
        self.calls.append(call)
        if self.loop:
            self.cuts |= call.cuts


def loops(call):
    """Whether a call can be part of a loop; its walks and their cuts are noted on it."""
    if call.kind != "each" or call.name not in IN_LOOPS:
        return False
    views = [*call.views, *call.outs]
    kinds = {t.char for t in call.options.get("types", ())} | {view.dtype.char for view in views}
    if kinds - set(DTYPES) or call.name in REAL and kinds - set("fd?") or not all(v.dtype.isnative for v in views):
        return False
    call.walks = walks(call)
    call.cuts = set().union(*(cuts(w[2]) for w in call.walks))
    (first, last), out = views[-1].span, call.walks[-1]
    overlaps = any(v.buffer == views[-1].buffer and v.span[0] < last and first < v.span[1] and w != out
                   for v, w in zip(views[:-1], call.walks))  # NumPy makes a copy first
    return nested(call.cuts) and not overlaps and call.options.get("dtype") is None


class Joiner:
    """Joins calls into steps, and keeps what has to come before what."""

    def __init__(self):
        self.steps, self.by_size, self.latest = [], defaultdict(list), None
        self.uses = defaultdict(list)  # buffer -> [(step, first, last, whether written, walk)]

    def add(self, call):
        """Put a call into a loop that it may join, or make it a step of its own."""
        loop = loops(call)
        views = [(view, False) for view in call.views] + [(view, True) for view in call.outs]
        walked = call.walks if loop else [None] * len(views)
        waits, shared = {}, set()  # the steps that come first -> whether the call may join them all the same
        for (view, written), way in zip(views, walked):
            first, last = view.span
            for step, a, b, wrote, other in self.uses[view.buffer]:
                if a < last and first < b:
                    shared.add(step)
                    if written or wrote:
                        same = way is not None and way == other and all(stride for n, stride in way[2] if n > 1)
                        waits[step] = waits.get(step, True) and same
        number = self.joinable(call, waits, shared) if loop else None
        if number is None:
            number = len(self.steps)
            self.steps.append(Step(call, loop))
            self.by_size[call.outs[0].size].append(number)
        else:
            self.steps[number].add(call)
        self.latest = number
        for other in waits:
            if other != number:
                self.order(other, number)
        for (view, written), way in zip(views, walked):
            self.uses[view.buffer].append((number, *view.span, written, way))

    def joinable(self, call, waits, shared):
        """The number of a loop that the call may join: the latest that it shares memory with, or the last call's.

        The last call's, because half of an optimiser's update has nothing in common with the other half at first.
        """
        for number in [*(n for n in reversed(self.by_size[call.outs[0].size]) if n in shared), self.latest]:
            if (number is not None and self.steps[number].loop and self.steps[number].size == call.outs[0].size
                    and waits.get(number, True) and nested(self.steps[number].cuts | call.cuts)
                    and not any(self.steps[n].before >> number & 1 for n in waits if n != number)):
                return number
        return None

    def order(self, first, then):
        """Step `first`, and whatever comes before it, comes before `then`, and before what comes after that."""
        more = self.steps[first].before | 1 << first
        if self.steps[then].before | more != self.steps[then].before:
            self.steps[then].before |= more
            for step in self.steps:
                if step.before >> then & 1:
                    step.before |= self.steps[then].before

    def sorted(self):
        """The steps, each after those that come before it, otherwise in the order of their making."""
        done, left, result = 0, list(range(len(self.steps))), []
        while left:
            number = next(n for n in left if self.steps[n].before & ~done == 0)
            left.remove(number)
            done |= 1 << number
            result.append(self.steps[number])
        return result


def joined(calls, kept):
    """The steps of a plan, in an order in which they can run."""
    joiner = Joiner()
    for call in calls:
        joiner.add(call)
    steps = joiner.sorted()
    needed = Ranges(kept)
    for step in reversed(steps):
        if step.loop:
            step.stores = {call.walks[-1] for call in step.calls if needed.meets(call.outs[0])}
        for call in step.calls:
            needed.cut(call.outs[0]) if step.loop else [needed.cut(view) for view in call.outs]
        written = set()
        for call in step.calls:
            ways = call.walks if step.loop else [None] * len(call.views)
            for view, way in zip(call.views, ways):
                if way not in written:
                    step.loads.add(way)
                    needed.add(view)
            written.add(ways[-1] if step.loop else ())
    return steps


def places(steps, buffers, pinned, registers=True):
    """{buffer: offset in the arena}, and the arena's size: memory is used again as soon as nobody reads it.

    `pinned` buffers keep theirs to the end. With `registers`, what a loop keeps there needs none.
    """
    first, last = {}, {}
    for i, step in enumerate(steps):
        for call in step.calls:
            for j, view in enumerate([*call.views, *call.outs]):
                inner = registers and step.loop and call.walks[j] not in step.loads | step.stores
                if buffers[view.buffer].kind == "memory" and not inner:
                    first.setdefault(view.buffer, i)
                    last[view.buffer] = len(steps) if view.buffer in pinned else i
    offsets, size, running = {}, 0, []
    for number in sorted(first, key=lambda b: (first[b], -buffers[b].size)):
        length, start = -(-buffers[number].size // CACHE_LINE) * CACHE_LINE, 0
        running = [other for other in running if last[other[2]] >= first[number]]
        for a, b, _ in sorted(running):
            if start + length <= a:
                break
            start = max(start, b)
        offsets[number] = start
        running.append((start, start + length, number))
        size = max(size, start + length)
    return offsets, size


def traffic(step):
    """The bytes that a step reads and writes."""
    if not step.loop:
        return sum(v.size * v.dtype.itemsize for call in step.calls for v in [*call.views, *call.outs])
    return sum(math.prod(n for n, stride in way[2] if stride) * way[3].itemsize
               for ways in (step.loads, step.stores) for way in ways)
