"""What CuPy does its own way: the GPU's half of the list of differences (see `numpy.py` for the CPU's).

Importing this file imports CuPy; nothing else in the package does.
"""

import cupy
import cupyx
import cupyx.scipy.special

NAME = "cuda"


def scatter_add(out, index, values):
    """out[index] += values, adding repeatedly where `index` repeats."""
    cupyx.scatter_add(out, index, values)


def to_host(array):
    """A copy of the array in NumPy."""
    return cupy.asnumpy(array)


def einsum(spec, *operands):
    """cupy.einsum along the contraction order that `optimize` finds."""
    return cupy.einsum(spec, *operands, optimize=len(operands) > 1)


def erf(x):
    """The error function."""
    return cupyx.scipy.special.erf(x)


def synchronize():
    """Wait until the device has done all that was asked of it."""
    cupy.cuda.get_current_stream().synchronize()
