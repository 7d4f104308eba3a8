"""Wrong rules of shapes and indices."""

import math

import numpy

from minigrad.ops import index, shape
from minigrad.testing.faults.fault import changed, wrong


def _overwritten(self, x):
    y = numpy.zeros(self.shape, x.dtype)
    y[self.index] = x
    return y


wrong("reshape-order", "the gradient of reshape comes back in reverse order", shape.Reshape,
      lambda self, g: (shape.flip(g.reshape(-1), 0).reshape(self.source),))
wrong("permute-not-inverted", "a shuffled axis: the gradient is permuted as the input was, not back", shape.Permute,
      lambda self, g: (shape.permute(g, self.dims),))
wrong("broadcast-average", "broadcast_to divides the gradient by the number of copies", shape.BroadcastTo,
      changed(shape.BroadcastTo, lambda r, self, g: r * (math.prod(self.source) / max(math.prod(g.shape), 1))))
wrong("cat-shifted", "every piece of cat gets the first piece's gradient", shape.Cat, lambda self, g: tuple(
    g[(*(slice(None),) * self.dim, slice(0, n))] for n in self.lengths))
wrong("pad-mirrored", "the gradient of pad is cut at the wrong ends", shape.Pad,
      lambda self, g: (shape.Pad([(-after, -before) for before, after in self.widths])(g),))
wrong("flip-forgotten", "the gradient of flip is not turned back", shape.Flip, lambda self, g: (g,))
wrong(
    "roll-onward",
    "the gradient of roll is rolled onward",
    shape.Roll,
    lambda self, g: (shape.Roll(self.shifts, self.dims)(g),),
)
wrong("index-overwrites", "accumulate by overwrite: an element read twice gets one gradient only", index.PutItem,
      lambda self, x: (setattr(self, "source", x.shape), _overwritten(self, x))[1], "forward", "case gather")
wrong("index-reversed", "an index reads its axis from the wrong end in the second derivative", index.PutItem,
      lambda self, g: (shape.flip(index.GetItem(self.index)(g)),))
