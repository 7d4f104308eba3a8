"""The user's handle on an array: operators and methods, each one line onto an op. The names are PyTorch's."""

import numpy

from minigrad import ops
from minigrad.autograd import array_of, backward, cotangent
from minigrad.backend import as_array
from minigrad.backend.device import device_of
from minigrad.backend.numpy import quiet
from minigrad.convert import Conversions
from minigrad.copies import Copies
from minigrad.graph import Handle, Leaf, Op, sweep
from minigrad.hooks import Hooks
from minigrad.inplace import InPlace
from minigrad.methods import Methods
from minigrad.ops import elementwise as plain


class Tensor(Conversions, Copies, Hooks, InPlace, Methods):
    """An n-dimensional array that remembers how it was made.

    `array` is the NumPy or CuPy array itself, `grad` the gradient that `backward` left (None before), `node` its place
    in the graph (None where it has none). Make tensors with `tensor`, `zeros`, `randn` and their like.

    >>> import minigrad
    >>> x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ()
    __array_ufunc__ = None  # so that `ndarray * tensor` leaves the work to the tensor

    def __new__(cls, *data):
        """A float32 copy of numbers, or of the given sizes without content, as torch.Tensor has it; see `tensor`."""
        self = object.__new__(cls)
        sized = len(data) != 1 or isinstance(data[0], int)
        values = numpy.empty(data or 0, "f4") if sized else quiet().run(
            numpy.array, getattr(data[0], "array", data[0]), "f4")
        self.array, self.node, self.grad = values, None, None
        return self

    shape = property(lambda self: self.array.shape, doc="The sizes of the axes, a tuple.")
    dtype = property(lambda self: self.array.dtype, doc="The NumPy dtype of the elements.")
    ndim = property(lambda self: self.array.ndim, doc="The number of axes.")
    device = property(lambda self: device_of(self.array), doc="Where the array lies.")
    is_cuda = property(lambda self: self.device.type == "cuda", doc="Whether it lies on a GPU.")
    is_xpu = is_mps = is_meta = is_sparse = is_quantized = is_mkldnn = False
    grad_fn = property(lambda self: self.node if isinstance(self.node, Op) else None, doc="The op that made it.")
    is_leaf = property(lambda self: not isinstance(self.node, Op), doc="Whether no op made it.")
    requires_grad = property(lambda self: self.node is not None, lambda self, value: self.requires_grad_(value),
                             doc="Whether gradients flow to or through it.")
    data = property(lambda self: Op.wrap(self.array), lambda self, value: setattr(self, "array", array_of(value)),
                    doc="The same memory without the graph; assigning puts another array in its place.")
    T = property(lambda self: self.permute(*range(self.array.ndim)[::-1]), doc="The axes in reverse order.")
    mT = property(lambda self: self.transpose(-1, -2), doc="The last two axes exchanged.")

    def size(self, dim=None):
        """The shape, or the length of one axis."""
        return self.array.shape if dim is None else self.array.shape[dim]

    def dim(self):
        """The number of axes."""
        return self.array.ndim

    def numel(self):
        """The number of elements."""
        return self.array.size

    def requires_grad_(self, requires_grad=True):
        """Make this leaf want a gradient, or no longer; returns the tensor."""
        if not requires_grad and isinstance(self.node, Op):
            raise RuntimeError(f"requires_grad_: this tensor is the output of {self.node!r}; use detach()")
        if requires_grad and self.array.dtype.kind != "f":
            raise TypeError(f"requires_grad_: {self.dtype} has no gradients; use a floating dtype (.float())")
        if requires_grad and self.node is None:
            if not hasattr(self, "leaf"):
                self.leaf = Leaf(self)
            self.node = self.leaf
        elif not requires_grad:
            self.node = None
        return self

    def backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
        """Add d(self)/d(leaf), weighed by `gradient` (1 for a scalar), to `.grad` of every leaf that self came from.

        The graph is freed on the way unless `retain_graph`; with `create_graph` the gradients carry a graph themselves;
        with `inputs` only these tensors get theirs. RuntimeError without a graph, for a non-scalar without `gradient`,
        and for a graph that was freed before.
        """
        if inputs is not None:
            return backward(self, gradient, retain_graph, create_graph, inputs)
        g = cotangent("backward", self, gradient, create_graph)
        sweep([self.node], [g], None, create_graph if retain_graph is None else retain_graph, create_graph)

    def detach(self):
        """The same memory without the graph."""
        return Op.wrap(self.array)

    __add__, __sub__, __mul__, __truediv__, __pow__ = plain.add, plain.sub, plain.mul, plain.div, ops.pow
    __radd__, __rsub__, __rmul__ = map(ops.reflected, (plain.add, plain.sub, plain.mul))
    __rtruediv__, __rpow__ = map(ops.reflected, (plain.div, ops.pow))
    __matmul__, __rmatmul__ = ops.linalg.matmul, ops.reflected(ops.linalg.matmul)
    __pos__, __neg__, __abs__, __invert__ = ops.positive, ops.neg, ops.abs, ops.bitwise_not
    __floordiv__, __mod__, __getitem__, __hash__ = ops.floor_divide, ops.remainder, ops.getitem, Handle.__hash__
    __rfloordiv__, __rmod__ = map(ops.reflected, (ops.floor_divide, ops.remainder))
    __eq__, __ne__, __lt__, __le__, __gt__, __ge__ = ops.eq, ops.ne, ops.lt, ops.le, ops.gt, ops.ge
    __and__, __or__, __xor__ = ops.bitwise_and, ops.bitwise_or, ops.bitwise_xor
    __rand__, __ror__, __rxor__ = map(ops.reflected, (ops.bitwise_and, ops.bitwise_or, ops.bitwise_xor))
    __lshift__, __rshift__ = ops.bitwise_left_shift, ops.bitwise_right_shift
    __rlshift__, __rrshift__ = map(ops.reflected, (ops.bitwise_left_shift, ops.bitwise_right_shift))


_new, _ndarray = object.__new__, numpy.ndarray


def wrap(array):
    """A Tensor on an array: how ops hand out what they made."""
    tensor = _new(Tensor)
    tensor.array = array if type(array) is _ndarray else as_array(array)
    tensor.node = tensor.grad = None
    return tensor


Op.wrap = staticmethod(wrap)
