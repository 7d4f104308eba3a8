"""Making tensors: from data, filled, counted, drawn. Floats are float32 unless asked otherwise, as in PyTorch."""

import math

import numpy

from minigrad import ops, random
from minigrad.autograd import array_of
from minigrad.backend import array_module, as_array, defaults
from minigrad.backend.device import device_of, module_for, move
from minigrad.backend.numpy import quiet
from minigrad.graph import Handle, Op
from minigrad.ops.checks import whole

float16, float32, float64 = numpy.dtype("float16"), numpy.dtype("float32"), numpy.dtype("float64")
int32, int64, uint8, bool_ = numpy.dtype("int32"), numpy.dtype("int64"), numpy.dtype("uint8"), numpy.dtype("bool")

_KINDS = "fiub"


def set_default_dtype(dtype):
    """The dtype of floating tensors that are made without naming one: float32 at the start."""
    dtype = numpy.dtype(dtype)
    if dtype.kind != "f":
        raise TypeError(f"set_default_dtype: {dtype} is not a floating dtype; use float16, float32 or float64")
    defaults.dtype = dtype


def get_default_dtype():
    """The dtype of floating tensors that are made without naming one."""
    return defaults.dtype


def set_default_device(device):
    """Where tensors are made that do not name a device; None: the CPU."""
    module_for(device)
    defaults.device = device


def _place(device):
    return module_for(defaults.device if device is None else device)


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
            if array.dtype == int64:
                array = numpy.array(listed, dtype)  # which says so where a number is too large for the dtype
        except OverflowError as error:
            raise ValueError(f"tensor: {error}; give a dtype that holds it") from None
        except ValueError:
            raise ValueError("tensor: the lists have different lengths; make every row as long as the others") from None
        if dtype is None and array.dtype == float64 and not _holds_float64(data):
            dtype = defaults.dtype
        if dtype is not None and array.dtype.kind == "f":
            _check_whole(array, numpy.dtype(dtype))
    else:
        array = data
        device = device or (None if isinstance(data, (numpy.ndarray, numpy.generic)) else device_of(data))
    if array.dtype.kind not in _KINDS:
        raise TypeError(f"tensor: cannot make a tensor of {array.dtype} ({str(data)[:40]!r}); give floats, integers or "
                        "bools")
    module = _place(device)
    array = move(as_array(array), "cpu" if module is numpy else "cuda")
    return _finish(quiet().run(module.array, array, dtype=dtype), requires_grad)


def _check_whole(array, dtype):
    """ValueError where floats are to become integers that their dtype cannot hold, or are no numbers at all."""
    if dtype.kind not in "iu" or not array.size:
        return
    limits = numpy.iinfo(dtype)
    if not (array.min() >= limits.min and array.max() < limits.max + 1):  # which NaN fails, too
        raise ValueError(f"tensor: {dtype} cannot hold all of {array.min()} to {array.max()}; give a floating dtype")


def _lists(data):
    """Nested sequences with the Tensors in them as arrays."""
    if isinstance(data, Handle):
        return data.array.get() if not isinstance(data.array, (numpy.ndarray, numpy.generic)) else data.array
    return [_lists(item) for item in data] if isinstance(data, (list, tuple)) else data


def _holds_float64(data):
    """Whether a float64 array (and not a Python float) stands in nested sequences."""
    if isinstance(data, (list, tuple)):
        return any(map(_holds_float64, data))
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


def _sizes(name, shape, size=None):
    """The sizes of `f(2, 3)`, `f((2, 3))` and `f(size=(2, 3))` as (2, 3)."""
    if size is not None:
        if shape:
            raise TypeError(f"{name}: got the sizes {shape} and size={size}; give one of them")
        shape = size if isinstance(size, (tuple, list)) else (size,)
    sizes = tuple(whole(name, "a size", n) for n in ops.shape.sizes(shape))
    for n in sizes:
        if n < 0:
            raise ValueError(f"{name}: the size {sizes} holds {n}; sizes are integers of 0 or more")
    return sizes


def zeros(*shape, size=None, dtype=None, device=None, requires_grad=False):
    """Zeros: zeros(2, 3), zeros((2, 3)) or zeros(size=(2, 3))."""
    return full(_sizes("zeros", shape, size), 0, dtype or defaults.dtype, device, requires_grad)


def ones(*shape, size=None, dtype=None, device=None, requires_grad=False):
    """Ones: ones(2, 3), ones((2, 3)) or ones(size=(2, 3))."""
    return full(_sizes("ones", shape, size), 1, dtype or defaults.dtype, device, requires_grad)


def empty(*shape, size=None, dtype=None, device=None, requires_grad=False):
    """Memory as it comes, to be written before it is read."""
    return _finish(_place(device).empty(_sizes("empty", shape, size), dtype or defaults.dtype), requires_grad)


def full(size, fill_value, dtype=None, device=None, requires_grad=False):
    """One value everywhere: full((2, 3), 0.5). Without a dtype, that of the number: the default dtype, int64 or bool.

    >>> full((2,), 0.5)
    tensor([0.5, 0.5])
    """
    fill_value = _number("full", "fill_value", fill_value)
    if dtype is None and isinstance(fill_value, float):
        dtype = defaults.dtype
    if isinstance(fill_value, float) and not math.isfinite(fill_value) and numpy.dtype(dtype).kind in "iu":
        raise ValueError(f"full: {dtype} cannot hold {fill_value}; give a number, or a floating dtype")
    size = _sizes("full", (size,))
    return _finish(quiet().run(_place(device).full, size, fill_value, dtype), requires_grad)


def _number(name, what, value):
    """A number as Python's own, also where it comes as NumPy's or as a tensor of one element."""
    value = value.item() if isinstance(value, (Handle, numpy.generic, numpy.ndarray)) else value
    if not isinstance(value, (int, float)):
        raise TypeError(f"{name}: {what} is {value!r:.60}; give a number")
    return value


def eye(n, m=None, dtype=None, device=None, requires_grad=False):
    """The n by m identity."""
    n, = _sizes("eye", (n,))
    m, = (n,) if m is None else _sizes("eye", (m,))
    return _finish(_place(device).eye(n, m, dtype=dtype or defaults.dtype), requires_grad)


def arange(start=None, end=None, step=1, dtype=None, device=None, requires_grad=False):
    """start, start + step, start + 2 step, ... below end; int64 if all three are integers.

    There are ceil((end - start) / step) of them, computed in float64.

    >>> arange(3)
    tensor([0, 1, 2])
    """
    start, end = (0, start) if end is None else (0 if start is None else start, end)
    start, end, step = (_number("arange", name, value) for name, value in
                        (("start", start), ("end", end), ("step", step)))
    fractions = any(isinstance(v, float) for v in (start, end, step))
    dtype = numpy.dtype(dtype or (defaults.dtype if fractions else int64))
    if not math.isfinite(end - start) or (end - start) * step < 0 or (step if dtype.kind == "f" else int(step)) == 0:
        raise ValueError(f"arange: steps of {step} do not lead from {start} to {end}; turn the sign of step")
    if fractions and dtype == int64:  # the number of them is then that of whole steps, unlike for smaller integers
        start, end, step, fractions = int(start), int(end), int(step), False
    count = math.ceil((end - start) / step) if fractions else -((start - end) // step)
    steps = _place(device).arange(count, dtype="float64" if dtype.kind == "f" else "int64")
    steps *= step if dtype.kind == "f" else int(step)
    steps += start if dtype.kind == "f" else int(start)
    return _finish(quiet().run(steps.astype, dtype, copy=False), requires_grad)


def tril_indices(row, col, offset=0, dtype=None, device=None):
    """The rows and columns of the lower triangle of a (row, col) matrix, a tensor (2, n): see `tril`."""
    return _triangle("tril", row, col, offset, dtype, device)


def triu_indices(row, col, offset=0, dtype=None, device=None):
    """The rows and columns of the upper triangle of a (row, col) matrix, a tensor (2, n): see `triu`."""
    return _triangle("triu", row, col, offset, dtype, device)


def _triangle(name, row, col, offset, dtype, device):
    ones_ = _place(device).ones(_sizes(f"{name}_indices", (row, col)), bool)
    found = getattr(_place(device), name)(ones_, whole(f"{name}_indices", "the offset", offset)).nonzero()
    return _finish(_place(device).stack(found).astype(dtype or int64), False)


def linspace(start, end, steps, dtype=None, device=None, requires_grad=False):
    """`steps` evenly spaced values from start to end, both included; integers are cut off towards 0.

    >>> linspace(0, 1, 3)
    tensor([0. , 0.5, 1. ])
    """
    dtype = numpy.dtype(dtype or defaults.dtype)
    values = _spaced("linspace", start, end, steps, dtype, device)
    return _finish(quiet().run(values.astype, dtype), requires_grad)


def logspace(start, end, steps, base=10.0, dtype=None, device=None, requires_grad=False):
    """base**start to base**end in `steps` steps, the exponents evenly spaced.

    >>> logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    dtype = numpy.dtype(dtype or defaults.dtype)
    values = _number("logspace", "base", base) ** _spaced("logspace", start, end, steps, dtype, device)
    return _finish(quiet().run(values.astype, dtype), requires_grad)


def _spaced(name, start, end, steps, dtype, device):
    """Evenly spaced values in float64, counted from the nearer end, so that both ends are exact."""
    start, end = _number(name, "start", start), _number(name, "end", end)
    steps, = _sizes(name, (steps,))
    start, end = (start, end) if dtype.kind == "f" or steps == 1 else (int(start), int(end))
    module = _place(device)
    i, step = module.arange(steps, dtype="float64"), (end - start) / max(steps - 1, 1)
    return module.where(i < max(steps // 2, 1), start + step * i, end - step * (steps - 1 - i))


def rand(*shape, size=None, generator=None, dtype=None, device=None, requires_grad=False):
    """Uniform draws from [0, 1); here and below, of the Generator `generator` instead of the global one."""
    return _drawn("random", _sizes("rand", shape, size), generator, dtype, device, requires_grad)


def randn(*shape, size=None, generator=None, dtype=None, device=None, requires_grad=False):
    """Draws from the normal distribution N(0, 1)."""
    return _drawn("standard_normal", _sizes("randn", shape, size), generator, dtype, device, requires_grad)


def _drawn(method, size, generator, dtype, device, requires_grad):
    dtype = numpy.dtype(dtype or defaults.dtype)
    if dtype.kind != "f":
        raise TypeError(f"rand, randn: draws in {dtype}, which has no fractions; use randint, or a floating dtype")
    return _finish(random.draw(_place(device), method, size, dtype, generator), requires_grad)


def randint(low=0, high=None, size=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Integers drawn uniformly from low..high - 1: randint(10, (3,)) or randint(5, 10, (3,))."""
    if size is None:
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    low, high, size = whole("randint", "low", low), whole("randint", "high", high), _sizes("randint", (size,))
    if high <= low:
        raise ValueError(f"randint: no integer lies in {low}..{high - 1}; give high above low")
    module = _place(device)
    drawn = random.generator(module, generator).integers(low, high, size)
    return _finish(module.asarray(drawn, dtype or int64), requires_grad)


def randint_like(input, low=0, high=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Integers drawn uniformly from low..high - 1 in the shape, dtype and place of the input: randint_like(x, 10)."""
    low, high = (0, low) if high is None else (low, high)
    return randint(low, high, input.shape, generator=generator, dtype=dtype or input.dtype,
                   device=device or input.device, requires_grad=requires_grad)


def randperm(n, *, generator=None, dtype=None, device=None, requires_grad=False):
    """0..n - 1 in random order."""
    n, = _sizes("randperm", (n,))
    module = _place(device)
    return _finish(module.asarray(random.permutation(module, n, generator), dtype or int64), requires_grad)


def multinomial(input, num_samples, replacement=False, *, generator=None):
    """`num_samples` indices (int64), drawn with the probabilities that the input, of one or two axes, weighs them by.

    It need not sum to 1. Without replacement no index of a row comes twice.

    >>> from minigrad import tensor
    >>> multinomial(tensor([0., 1., 0.]), 2, replacement=True)
    tensor([1, 1])
    """
    weights, count = array_of(input), whole("multinomial", "num_samples", num_samples)
    if weights.dtype.kind != "f" or weights.ndim not in (1, 2) or count < 1 or not weights.size:
        raise ValueError(f"multinomial: {count} samples of {weights.dtype}{weights.shape}; ask for 1 or more, of a "
                         "vector or a matrix of floating weights")
    xp, rows = array_module(weights), weights.reshape(-1, weights.shape[-1]).astype("float64")
    if not (rows >= 0).all() or not xp.isfinite(rows).all() or not rows.sum(1).all():
        raise ValueError("multinomial: a weight is negative, infinite or NaN, or a row holds zeros only; give weights "
                         "of 0 or more, with a positive sum")
    if replacement:
        ends = rows.cumsum(1)
        at = random.draw(xp, "random", (len(rows), count), ends.dtype, generator) * ends[:, -1:]
        index = xp.stack([xp.searchsorted(end, u, side="right") for end, u in zip(ends, at)])
        index = xp.minimum(index, xp.stack([row.nonzero()[0][-1] for row in rows])[:, None])
    else:
        most = int((rows > 0).sum(1).min())
        if count > most:
            raise ValueError(f"multinomial: {count} samples without replacement of {most} weights above 0; ask for at "
                             f"most {most}, or pass replacement=True")
        # The smallest of exponential draws, each divided by its weight, is the index with these probabilities.
        waits = -xp.log1p(-random.draw(xp, "random", rows.shape, rows.dtype, generator))
        waits /= xp.where(rows > 0, rows, 1.0)
        index = xp.where(rows > 0, waits, float("inf")).argsort(1)[:, :count]
    return Op.wrap(index.reshape((*weights.shape[:-1], count)))


def zeros_like(input, dtype=None, device=None, requires_grad=False):
    """Zeros in the shape, dtype and place of input."""
    return full(input.shape, 0, dtype or input.dtype, device or input.device, requires_grad)


def ones_like(input, dtype=None, device=None, requires_grad=False):
    """Ones in the shape, dtype and place of input."""
    return full(input.shape, 1, dtype or input.dtype, device or input.device, requires_grad)


def full_like(input, fill_value, dtype=None, device=None, requires_grad=False):
    """One value in the shape, dtype and place of input."""
    return full(input.shape, fill_value, dtype or input.dtype, device or input.device, requires_grad)


def rand_like(input, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Uniform draws from [0, 1) in the shape, dtype and place of input."""
    return rand(input.shape, generator=generator, dtype=dtype or input.dtype, device=device or input.device,
                requires_grad=requires_grad)


def randn_like(input, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Draws of N(0, 1) in the shape, dtype and place of input."""
    return randn(input.shape, generator=generator, dtype=dtype or input.dtype, device=device or input.device,
                 requires_grad=requires_grad)
