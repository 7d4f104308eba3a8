"""What CuPy does its own way: the GPU's half of the list of differences (see `numpy.py` for the CPU's).

Importing this file imports CuPy; nothing else in the package does.
"""

import cupy
import cupyx
import cupyx.scipy.special

NAME = "cuda"
VECTOR = 0  # values up to which sums of vectors are products
LIGHT = None  # operations from which compiled loops use several threads: there are none here


def for_blocks(part, count, rows, values, work):
    """part(slice) for all at once: the device is wide enough."""
    part(slice(0, count))


def sum_blocks(part, count, rows, values, work, small=None):
    """part(slice) for all at once."""
    return part(slice(0, count))


def for_pieces(part, operations, *arrays, loop=None, numbers=()):
    """part(*arrays), whole."""
    part(*arrays)


def dot(x, y):
    """x.dot(y) of vectors or matrices."""
    return x.dot(y)


def matmul(x, y):
    """x @ y; of two matrices as .dot, which copies nothing."""
    return x.dot(y) if x.ndim == 2 == y.ndim else x @ y


def channels_last(shape, dtype):
    """An empty array (N, C, *sizes) that owns its memory, in which the C values of a pixel lie side by side."""
    n, c, *sizes = shape
    return cupy.empty_like(cupy.moveaxis(cupy.empty((n, *sizes, c), dtype), -1, 1))


def shared_loop(function, like):
    """None: compiled loops are the CPU's."""


def convolution(geometry, images, values, c, o):
    """No compiled form here: None."""


def aligned_zeros(size, dtype):
    """A vector of zeros; CuPy's memory is aligned."""
    return cupy.zeros(size, dtype)


def strided(x, shape, strides):
    """x seen with this shape and these strides."""
    return cupy.lib.stride_tricks.as_strided(x, shape, strides)


def products(x, y):
    """The matrix products of two stacks (P, M, K) and (P, K, N); one alone as a 2-D product, which copies nothing."""
    return x[0].dot(y[0])[None] if len(x) == len(y) == 1 else cupy.matmul(x, y)


def vector_sum(x):
    """The sum of a vector."""
    return x.sum()


def number(value, dtype):
    """The number, as it is."""
    return value


def outer(x, y):
    """Each element of the vector x times the vector y: (len(x), len(y))."""
    return x[:, None] * y


def scatter_add(out, index, values):
    """out[index] += values, adding repeatedly where `index` repeats."""
    if out.dtype.kind == "f":
        cupyx.scatter_add(out, index, values)
    else:  # of 64 bits CUDA adds unsigned integers only; their sums have the same bits
        sums = out.astype("int64").view("uint64")
        cupyx.scatter_add(sums, index, values.astype("int64").view("uint64"))
        out[...] = sums.view("int64")


def address(array):
    """Where in memory the first element lies, a number."""
    return array.data.ptr


def to_host(array):
    """A copy of the array in NumPy."""
    return cupy.asnumpy(array)


def einsum(spec, *operands):
    """cupy.einsum along the contraction order that `optimize` finds."""
    return cupy.einsum(spec, *operands, optimize=len(operands) > 1)


def erf(x):
    """The error function. The dtype is kept (CuPy's makes float64 of float16)."""
    return cupyx.scipy.special.erf(x).astype(x.dtype, copy=False)


def ndtr(x):
    """The normal distribution function. The dtype is kept."""
    return cupyx.scipy.special.ndtr(x).astype(x.dtype, copy=False)


def synchronize():
    """Wait until the device has done all that was asked of it."""
    cupy.cuda.get_current_stream().synchronize()
