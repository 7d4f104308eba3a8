"""Tensors through `copy` and `pickle`. What is pickled is a NumPy array and a few words.

Files that minigrad itself writes and reads (`save`, `minigrad.checkpoint`) hold no pickles: reading one can run code.
"""

import copy

from minigrad.backend import backend_of
from minigrad.backend.device import device_of, move
from minigrad.graph import Handle, Op


class Copies(Handle):
    """The part of Tensor that is copied. A copy is a leaf, whatever it is a copy of; only `deepcopy` copies `.grad`."""

    __slots__ = ()

    def __copy__(self):
        """Another tensor on the same memory."""
        return _restored(type(self), self.array, self.node is not None, getattr(self, "__dict__", {}))

    def __deepcopy__(self, memo):
        """A copy of its own memory; only leaves have one."""
        if isinstance(self.node, Op):
            raise RuntimeError(f"deepcopy: this tensor is the output of {self.node!r}; copy its detach()")
        twin = _restored(type(self), self.array.copy("K"), self.node is not None,
                         copy.deepcopy(getattr(self, "__dict__", {}), memo))
        twin.grad = copy.deepcopy(self.grad, memo)
        return twin

    def __reduce_ex__(self, protocol):
        array, place = backend_of(self.array).to_host(self.array), device_of(self.array).type
        order = sorted(range(array.ndim), key=lambda axis: -array.strides[axis])  # so that the layout comes back
        return _unpickled, (type(self), array.transpose(order), order, place, self.node is not None,
                            getattr(self, "__dict__", {}))


def _unpickled(kind, array, order, place, requires_grad, attributes):
    return _restored(kind, move(array.transpose([order.index(axis) for axis in range(array.ndim)]), place),
                     requires_grad, attributes)


def _restored(kind, array, requires_grad, attributes):
    tensor = object.__new__(kind)
    tensor.array, tensor.node, tensor.grad = array, None, None
    if attributes:
        vars(tensor).update(attributes)
    return tensor.requires_grad_() if requires_grad else tensor
