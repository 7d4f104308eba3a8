"""The two array libraries behind one short list of differences.

`array_module(x)` is the library that x belongs to: all mathematics in `ops/` is written once, against the names that
NumPy and CuPy share. What they do not share is in `numpy.py` and `cuda.py`, function by function, under the same names;
`backend_of(x)` picks one.
"""

import sys

import numpy as np  # `numpy` here is the submodule

from minigrad.backend import numpy as cpu


def array_module(x):
    """numpy or cupy, whichever `x` (an array or a Python scalar) belongs to.

    >>> array_module(1.0).__name__
    'numpy'
    """
    if isinstance(x, np.ndarray):
        return np
    cupy = sys.modules.get("cupy")
    if cupy is not None and isinstance(x, cupy.ndarray):
        return cupy
    return getattr(x, "library", np)  # what `capture` records with brings its own


def backend_of(x):
    """The module of differences, `minigrad.backend.numpy` or `.cuda`, for the array x."""
    if isinstance(x, np.ndarray) or array_module(x) is np:
        return cpu
    if hasattr(x, "differences"):
        return x.differences
    from minigrad.backend import cuda

    return cuda


def as_array(x, dtype=None):
    """x as an array of its own library (0-d NumPy results are scalars), cast to `dtype` if one is given."""
    if isinstance(x, (np.generic, int, float)):
        return np.asarray(x, dtype)
    return x if dtype is None or x.dtype == dtype else x.astype(dtype)


def owner(array):
    """The array that owns the memory of `array`: itself, or the last array of its chain of bases."""
    base = getattr(array, "base", None)
    while base is not None and hasattr(base, "base"):
        array, base = base, base.base
    return array


class defaults:
    """What is taken where nothing is said: the floating dtype, and the device (None: the CPU). Set them in `create`."""

    dtype, device = np.dtype("float32"), None


def floating(x):
    """The array x, or, of integers and bools, the same in the default dtype, as PyTorch's functions take them."""
    return x.astype(defaults.dtype) if x.dtype.kind in "biu" else x


def promoted(compute, out, arrays):
    """`out`, computed from the arrays and numbers, in the dtype that PyTorch gives it, where NumPy has another.

    Floating tensors decide alone; without one, what is floating is in the default dtype. NumPy has float64 for
    `int64 / 2` and `float32 * int64`, float32 for `float16 * int16`, float16 for the exponential of int8.
    numpy.float64 and its kin are numbers here, as Python's are, and widen nothing.
    """
    dtypes = [a.dtype for a in arrays if hasattr(a, "ndim") and not isinstance(a, np.generic)]
    if len(dtypes) < len(arrays) and any(isinstance(a, np.generic) for a in arrays):
        arrays = [a.item() if isinstance(a, np.generic) else a for a in arrays]
        out = compute(*arrays)
    if out.dtype.kind != "f":
        return out.astype(np.int64) if out.dtype.char == "b" and all(d.kind == "b" for d in dtypes) else out  # bool**2
    floats = [d for d in dtypes if d.kind == "f"]
    wanted = np.result_type(*floats) if floats else defaults.dtype
    if not floats and out.dtype.itemsize < wanted.itemsize:
        out = compute(*[floating(a) if hasattr(a, "ndim") else a for a in arrays])
    return out if out.dtype == wanted else out.astype(wanted)
