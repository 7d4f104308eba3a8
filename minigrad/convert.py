"""How a Tensor becomes something else: a number, a list, a NumPy array, text, another dtype, another device."""

import numpy

from minigrad.backend import backend_of
from minigrad.backend.device import device, move
from minigrad.graph import Handle, Op


class Cast(Op):
    """y = x in another dtype; the gradient returns in x's"""
    asked_for_dtype = True

    def __init__(self, dtype):
        self.dtype = dtype

    def forward(self, x):
        self.source = x.dtype
        return x.astype(self.dtype)

    def backward(self, g):
        return cast(g, self.source),


class Clone(Op):
    """y = a copy of x"""

    def __init__(self, order="K"):
        self.layout = order

    def forward(self, x):
        return x.copy(self.layout)

    def backward(self, g):
        return g,


class CopyTo(Op):
    """y = x on another device; the gradient returns to x's"""
    fix = "use device 'cpu' or 'cuda'"

    def __init__(self, target):
        self.target = target

    def forward(self, x):
        self.source = backend_of(x).NAME
        return move(x, self.target)

    def backward(self, g):
        return CopyTo(self.source)(g),


def cast(x, dtype):
    """x in `dtype`; x itself if it has that dtype already. Integers and bools are steps of x and carry no graph."""
    if x.dtype == dtype:
        return x
    return Cast(dtype)(x.detach() if isinstance(x, Handle) and dtype.kind != "f" else x)


class Conversions(Handle):
    """The part of Tensor that leads out of it."""

    __slots__ = ()

    def item(self):
        """The only element, as a Python number."""
        if self.array.size != 1:
            raise ValueError(f"item: the tensor has {self.array.size} elements, shape {self.array.shape}; only one can "
                             "become a number (index it, reduce it, or use tolist())")
        return self.array.item()

    def tolist(self):
        """The elements as nested lists of Python numbers."""
        return self.array.tolist()

    def numpy(self):
        """The NumPy array, sharing memory. The tensor must lie on the CPU and carry no graph.

        A write into the array is not seen by a pending backward, as a write through the tensor would be.
        """
        if self.node is not None:
            raise RuntimeError("numpy: this tensor requires grad; use .detach().numpy()")
        if not isinstance(self.array, numpy.ndarray):
            raise TypeError("numpy: this tensor lies on the GPU; use .cpu().numpy()")
        return self.array

    def __array__(self, dtype=None, copy=None):
        return numpy.array(self.numpy(), dtype=dtype, copy=copy)

    def to(self, *args, device=None, dtype=None, copy=False, non_blocking=False):
        """This tensor in another dtype, on another device, or both, in any order; itself where nothing changes."""
        for arg in args:
            if isinstance(arg, Handle):
                device, dtype = arg.device, arg.dtype
            elif isinstance(arg, bool):
                pass  # torch's positional non_blocking
            elif isinstance(arg, _PLACES):
                device = arg
            else:
                dtype = arg
        x = self
        if device is not None and _PLACES[-1](device).type != x.device.type:
            x = CopyTo(str(device))(x)
        if dtype is not None:
            x = cast(x, numpy.dtype(dtype))
        return Clone()(x) if copy and x is self else x

    def clone(self):
        """A copy of this tensor, through which gradients flow."""
        return Clone()(self)

    def view_as(self, other):
        """This tensor in the shape of another."""
        return self.view(other.shape)

    def expand_as(self, other):
        """This tensor, its axes of length 1 repeated to the shape of another."""
        return self.expand(other.shape)

    def nelement(self):
        """The number of elements."""
        return self.array.size

    def is_floating_point(self):
        """Whether the dtype is a floating one."""
        return self.array.dtype.kind == "f"

    def is_contiguous(self):
        """Whether the elements lie in C order."""
        return self.array.flags.c_contiguous

    def contiguous(self):
        """This tensor, laid out in C order."""
        return self if self.array.flags.c_contiguous else Clone("C")(self)

    def cpu(self):
        """This tensor on the CPU."""
        return self.to(device="cpu")

    def cuda(self, device=None):
        """This tensor on the GPU."""
        return self.to(device="cuda")

    def type(self, dtype=None):
        """The dtype, or this tensor in another (a dtype, its name, or a legacy type such as FloatTensor)."""
        if dtype is None:
            return self.dtype
        return self.to(dtype=getattr(dtype, "dtype", dtype), device=getattr(dtype, "device", None))

    def type_as(self, other):
        """This tensor in the dtype and on the device of another."""
        return self.to(other)

    def double(self):
        """In float64."""
        return cast(self, numpy.dtype("float64"))

    def half(self):
        """In float16."""
        return cast(self, numpy.dtype("float16"))

    def long(self):
        """In int64."""
        return cast(self, numpy.dtype("int64"))

    def float(self):
        """In float32."""
        return cast(self, numpy.dtype("float32"))

    def int(self):
        """In int32."""
        return cast(self, numpy.dtype("int32"))

    def byte(self):
        """In uint8."""
        return cast(self, numpy.dtype("uint8"))

    def bool(self):
        """In bool: whether each element is not 0."""
        return cast(self, numpy.dtype("bool"))

    def __float__(self):
        return _FLOAT(self.item())

    def __int__(self):
        return _INT(self.item())

    def __index__(self):
        if self.array.dtype.kind == "f":
            raise TypeError(f"index: the tensor is {self.array.dtype}, {self.tolist()!r:.40}, no integer; "
                            "call .long() on it")
        return _INT(self.item())

    def __bool__(self):
        if self.array.size != 1:
            raise ValueError(f"bool: a tensor of {self.array.size} elements, shape {self.array.shape}, is neither true "
                             "nor false; use .any() or .all()")
        return _BOOL(self.array)

    def __len__(self):
        if not self.array.ndim:
            raise TypeError("len: a tensor without axes has no length; use numel()")
        return self.array.shape[0]

    def __iter__(self):
        if not self.array.ndim:
            raise TypeError("iter: a tensor without axes cannot be iterated over; use item()")
        return iter([self[i] for i in range(self.array.shape[0])])

    def __format__(self, spec):
        return format(self.item() if not self.array.ndim or spec and self.array.size == 1 else str(self), spec)

    def __repr__(self):
        array = backend_of(self.array).to_host(self.array)
        text = numpy.array2string(array, separator=", ", prefix="tensor(", precision=4, threshold=1000, edgeitems=3,
                                  formatter=None if array.size else {"all": str})
        notes = "" if array.dtype in ("float32", "int64", "bool") else f", dtype={array.dtype}"
        notes += "" if array.size else f", size={array.shape}"
        notes += "" if self.device.type == "cpu" else f", device='{self.device}'"
        made_by = self.grad_fn
        notes += f", grad_fn={made_by!r}" if made_by else ", requires_grad=True" if self.node is not None else ""
        return f"tensor({text}{notes})"


_FLOAT, _INT, _BOOL = float, int, bool  # the builtins, which methods above have for names
_PLACES = (str, device)
