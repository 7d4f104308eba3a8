"""When each piece of memory was last changed in place: how a backward pass learns that what it kept is stale.

Nodes and writes are stamped by one clock. A node that is older than a write to an array that it keeps must not use
that array any more. Watching the memory instead of a count on each Tensor finds a write through any view, and costs the
forward pass nothing; `latest` makes the usual case, nothing written since the forward pass, one comparison a node.
Within the memory of one owner, such as the buffer in which an optimiser keeps all parameters, writes are told apart by
the bytes from the first to the last that they reach.
"""

import itertools
import math
import weakref

from minigrad.backend import backend_of, owner

tick = itertools.count(1).__next__
MOST = 256  # stretches that are told apart within one owner's memory
WHOLE = -math.inf, math.inf


class Writes:
    """The last write to each stretch of memory, and to any."""

    latest = 0
    by_owner = {}  # id of the memory's owner -> ({(first byte, last byte + 1): tick}, weak reference that removes it)

    @classmethod
    def after(cls, order, array):
        """Whether the memory of `array` was written after the tick `order`."""
        stretches, _ = cls.by_owner.get(id(owner(array)), ((), None))
        if not stretches:
            return False
        low, high = span(array)
        return low < high and any(when > order and first < high and low < last
                                  for (first, last), when in stretches.items())


def span(array):
    """(first byte, last byte + 1) of what an array reaches; equal where it has no elements."""
    low = high = backend_of(array).address(array)
    if array.size:
        high += array.itemsize
        for n, stride in zip(array.shape, array.strides):
            if stride > 0:
                high += (n - 1) * stride
            else:
                low += (n - 1) * stride
    return low, high


def touch(array, where=None):
    """Declare that `array` is about to be changed in place. Every writer in the library calls this first.

    `where` is span(array), for those who know it already.
    """
    base = owner(array)
    key, now = id(base), tick()
    where = where or (WHOLE if base is array else span(array))
    entry = Writes.by_owner.get(key)
    if entry is None:
        entry = Writes.by_owner[key] = {}, weakref.ref(base, lambda _: Writes.by_owner.pop(key, None))
    stretches = entry[0]
    if where[0] == where[1]:
        return
    stretches[where] = now
    if len(stretches) > MOST:  # from here on they count as one
        firsts, lasts = zip(*stretches)
        stretches.clear()
        stretches[min(firsts), max(lasts)] = now
    Writes.latest = now


def check_unwritten(node):
    """RuntimeError if something that the op `node` kept for its backward was written after its forward pass."""
    named = [("its output" if slot < 0 else f"its input {slot}", array) for slot, array in zip(node.keep, node.kept)]
    for name in node.watched:
        value = getattr(node, name)
        parts = [getattr(part, "array", part) for part in (value if isinstance(value, tuple) else (value,))]
        named += [(f"its {name}", part) for part in parts if hasattr(part, "strides")]
    for which, array in named:
        if Writes.after(node.order, array):
            raise RuntimeError(f"backward through {type(node).__name__}: {which}, a tensor of shape "
                               f"{tuple(array.shape)}, was changed in place after the forward pass; clone() it before "
                               "the change, or change it after backward()")
