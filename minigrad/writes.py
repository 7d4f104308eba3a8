"""When each piece of memory was last changed in place: how a backward pass learns that what it kept is stale.

Nodes and writes are stamped by one clock. A node that is older than a write to an array that it keeps must not use
that array any more. Watching the memory instead of a count on each Tensor finds a write through any view, and costs the
forward pass nothing; `latest` makes the usual case, nothing written since the forward pass, one comparison a node.
"""

import itertools
import weakref

from minigrad.backend import owner

tick = itertools.count(1).__next__


class Writes:
    """The last write to each piece of memory, and to any."""

    latest = 0
    by_owner = {}  # id of the memory's owner -> (tick, weak reference that removes the entry)

    @classmethod
    def after(cls, order, array):
        """Whether the memory of `array` was written after the tick `order`."""
        return cls.by_owner.get(id(owner(array)), (0,))[0] > order


def touch(array):
    """Declare that `array` is about to be changed in place. Every writer in the library calls this first."""
    base = owner(array)
    key, now = id(base), tick()
    entry = Writes.by_owner.get(key)
    ref = entry[1] if entry else weakref.ref(base, lambda _: Writes.by_owner.pop(key, None))
    Writes.by_owner[key] = now, ref
    Writes.latest = now
