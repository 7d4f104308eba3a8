"""Making tensors: from data, filled, counted, drawn. Floats are float32 unless asked otherwise, as in PyTorch."""

import numpy

from minigrad import ops, random
from minigrad.autograd import array_of
from minigrad.backend import as_array
from minigrad.backend.device import device_of, module_for, move
from minigrad.graph import Handle, Op

float16, float32, float64 = numpy.dtype("float16"), numpy.dtype("float32"), numpy.dtype("float64")
int32, int64, uint8, bool_ = numpy.dtype("int32"), numpy.dtype("int64"), numpy.dtype("uint8"), numpy.dtype("bool")

_KINDS = "fiub"
_default = {"dtype": float32, "device": None}


def set_default_dtype(dtype):
    """The dtype of floating tensors that are made without naming one: float32 at the start."""
    dtype = numpy.dtype(dtype)
    if dtype.kind != "f":
        raise TypeError(f"set_default_dtype: {dtype} is not a floating dtype; use float16, float32 or float64")
    _default["dtype"] = dtype


def get_default_dtype():
    """The dtype of floating tensors that are made without naming one."""
    return _default["dtype"]


def set_default_device(device):
    """Where tensors are made that do not name a device; None: the CPU."""
    module_for(device)
    _default["device"] = device


def _place(device):
    return module_for(_default["device"] if device is None else device)


def _finish(array, requires_grad):
    result = Op.wrap(array)
    return result.requires_grad_() if requires_grad else result


def tensor(data, dtype=None, device=None, requires_grad=False):
    """A tensor with a copy of `data`: a number, nested lists of numbers or tensors, an array.

    Python floats become float32 (the default dtype), integers int64, bools bool; an array keeps its dtype.

    >>> tensor([[1, 2], [3, 4]]).dtype, tensor([1.5]).dtype
    (dtype('int64'), dtype('float32'))
    >>> tensor([[1.0], [1.0, 2.0]])
    Traceback (most recent call last):
    ValueError: tensor: the lists have different lengths; make every row as long as the others
    """
    if isinstance(data, Handle):
        data = data.array
    if not hasattr(data, "dtype"):
        listed = _lists(data)
        try:
            array = numpy.array(listed)
        except ValueError:
            raise ValueError("tensor: the lists have different lengths; make every row as long as the others") from None
        if dtype is None and array.dtype == float64 and not _holds_float64(data):
            dtype = _default["dtype"]
    else:
        array = data
        device = device or (None if isinstance(data, (numpy.ndarray, numpy.generic)) else device_of(data))
    if array.dtype.kind not in _KINDS:
        raise TypeError(f"tensor: cannot make a tensor of {array.dtype} ({str(data)[:40]!r}); give floats, integers or "
                        "bools")
    module = _place(device)
    array = move(as_array(array), "cpu" if module is numpy else "cuda")
    return _finish(module.array(array, dtype=dtype), requires_grad)


def _lists(data):
    """Nested sequences with the Tensors in them as arrays."""
    if isinstance(data, Handle):
        return data.array.get() if not isinstance(data.array, (numpy.ndarray, numpy.generic)) else data.array
    return [_lists(item) for item in data] if isinstance(data, (list, tuple)) else data


def _holds_float64(data):
    """Whether a float64 array (and not a Python float) stands in nested sequences."""
    if isinstance(data, (list, tuple)):
        return any(_holds_float64(item) for item in data[:1])
    return getattr(array_of(data), "dtype", float32) == float64  # (a dtype equals None if it is float64)


def as_tensor(data, dtype=None, device=None):
    """`data` as a tensor, sharing its memory where it is an array or tensor of that dtype already."""
    if isinstance(data, Handle):
        return data.to(device=device, dtype=dtype)
    if isinstance(data, numpy.ndarray):
        return from_numpy(data).to(device=device, dtype=dtype)
    return tensor(data, dtype, device)


def from_numpy(array):
    """A tensor that shares the memory of a NumPy array."""
    if not isinstance(array, numpy.ndarray) or array.dtype.kind not in _KINDS:
        raise TypeError(f"from_numpy: got {getattr(array, 'dtype', type(array).__name__)}; give a NumPy array of "
                        "floats, integers or bools")
    return Op.wrap(array)


def _sizes(name, size):
    size = ops.shape.sizes(size)
    for n in size:
        if not isinstance(n, (int, numpy.integer)) or n < 0:
            raise ValueError(f"{name}: the size {size} holds {n!r}; sizes are integers of 0 or more")
    return size


def zeros(*size, dtype=None, device=None, requires_grad=False):
    """Zeros: zeros(2, 3) or zeros((2, 3))."""
    return full(_sizes("zeros", size), 0, dtype or _default["dtype"], device, requires_grad)


def ones(*size, dtype=None, device=None, requires_grad=False):
    """Ones: ones(2, 3) or ones((2, 3))."""
    return full(_sizes("ones", size), 1, dtype or _default["dtype"], device, requires_grad)


def empty(*size, dtype=None, device=None, requires_grad=False):
    """Memory as it comes, to be written before it is read."""
    return _finish(_place(device).empty(_sizes("empty", size), dtype or _default["dtype"]), requires_grad)


def full(size, fill_value, dtype=None, device=None, requires_grad=False):
    """One value everywhere: full((2, 3), 0.5).

    >>> full((2,), 0.5)
    tensor([0.5, 0.5])
    """
    size = _sizes("full", (size,) if isinstance(size, int) else tuple(size))
    fill_value = array_of(fill_value)
    if dtype is None and isinstance(fill_value, float):
        dtype = _default["dtype"]
    return _finish(_place(device).full(size, fill_value, dtype), requires_grad)


def eye(n, m=None, dtype=None, device=None, requires_grad=False):
    """The n by m identity."""
    return _finish(_place(device).eye(n, m, dtype=dtype or _default["dtype"]), requires_grad)


def arange(start, end=None, step=1, dtype=None, device=None, requires_grad=False):
    """start, start + step, ... below end; int64 if all three are integers.

    >>> arange(3)
    tensor([0, 1, 2])
    """
    start, end = (0, start) if end is None else (start, end)
    if step == 0 or (end - start) * step < 0:
        raise ValueError(f"arange: steps of {step} do not lead from {start} to {end}; turn the sign of step")
    if dtype is None and any(isinstance(v, float) for v in (start, end, step)):
        dtype = _default["dtype"]
    return _finish(_place(device).arange(start, end, step, dtype), requires_grad)


def linspace(start, end, steps, dtype=None, device=None, requires_grad=False):
    """`steps` evenly spaced values from start to end, both included."""
    return _finish(_place(device).linspace(start, end, steps, dtype=dtype or _default["dtype"]), requires_grad)


def rand(*size, dtype=None, device=None, requires_grad=False):
    """Uniform draws from [0, 1)."""
    return _drawn("random", _sizes("rand", size), dtype, device, requires_grad)


def randn(*size, dtype=None, device=None, requires_grad=False):
    """Draws from the normal distribution N(0, 1)."""
    return _drawn("standard_normal", _sizes("randn", size), dtype, device, requires_grad)


def _drawn(method, size, dtype, device, requires_grad):
    return _finish(random.draw(_place(device), method, size, numpy.dtype(dtype or _default["dtype"])), requires_grad)


def randint(low, high=None, size=None, dtype=None, device=None):
    """Integers drawn uniformly from low..high - 1: randint(10, (3,)) or randint(5, 10, (3,))."""
    if size is None:
        low, high, size = 0, low, high
    if high <= low:
        raise ValueError(f"randint: no integer lies in {low}..{high - 1}; give high above low")
    module = _place(device)
    return _finish(module.asarray(random.generator(module).integers(low, high, size), dtype or int64), False)


def randperm(n, device=None):
    """0..n - 1 in random order."""
    module = _place(device)
    return _finish(module.asarray(random.generator(numpy).permutation(n)), False)


def zeros_like(x, dtype=None, device=None, requires_grad=False):
    """Zeros in the shape, dtype and place of x."""
    return full(x.shape, 0, dtype or x.dtype, device or x.device, requires_grad)


def ones_like(x, dtype=None, device=None, requires_grad=False):
    """Ones in the shape, dtype and place of x."""
    return full(x.shape, 1, dtype or x.dtype, device or x.device, requires_grad)


def full_like(x, fill_value, dtype=None, device=None, requires_grad=False):
    """One value in the shape, dtype and place of x."""
    return full(x.shape, fill_value, dtype or x.dtype, device or x.device, requires_grad)


def rand_like(x, dtype=None, device=None, requires_grad=False):
    """Uniform draws from [0, 1) in the shape, dtype and place of x."""
    return rand(*x.shape, dtype=dtype or x.dtype, device=device or x.device, requires_grad=requires_grad)


def randn_like(x, dtype=None, device=None, requires_grad=False):
    """Draws of N(0, 1) in the shape, dtype and place of x."""
    return randn(*x.shape, dtype=dtype or x.dtype, device=device or x.device, requires_grad=requires_grad)
