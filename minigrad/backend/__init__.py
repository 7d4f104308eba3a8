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


def integer_promoted(op, out, arrays):
    """`out`, or, where no floating array asked for float64, the result in the default dtype, as PyTorch has it.

    NumPy turns `int64 / 2`, `float32 * int64` and `float32 * numpy.float64(2)` into float64.
    """
    if op.asked_for_dtype:
        return out
    wide = [a for a in arrays if hasattr(a, "ndim") and not isinstance(a, np.generic)]
    if any(a.dtype.char == "d" for a in wide) or not wide:
        return out
    if any(isinstance(a, np.generic) for a in arrays):
        out = op.forward(*[a.item() if isinstance(a, np.generic) else a for a in arrays])
    floats = [a.dtype for a in wide if a.dtype.kind == "f"]
    return out.astype(np.result_type(*floats) if floats else np.float32)
