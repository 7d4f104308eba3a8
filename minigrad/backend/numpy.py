"""What NumPy does its own way: the CPU's half of the list of differences (see `cuda.py` for the other half)."""

import contextvars
import functools
import threading

import numpy

from minigrad.backend import compiled, threads

dot, matmul, one_blas_thread = threads.dot, threads.matmul, threads.one_blas_thread  # they are parts of the list
for_blocks, for_pieces, sum_blocks, LEAST = threads.for_blocks, threads.for_pieces, threads.sum_blocks, threads.LEAST
parts, share, LIGHT = threads.parts, threads.share, threads.LIGHT

NAME = "cpu"
CACHE_LINE = 64  # bytes
VECTOR = 10_000  # values: of longer vectors the BLAS's sums are less exact than NumPy's, and made on several threads
LARGE = 1 << 20  # elements: beyond the cache the BLAS takes two to four times as long for an outer product as `*`


def _keep_freed_memory():
    """Let glibc keep the memory of freed arrays for the next ones, up to 256 MiB of it.

    By default it hands blocks back to the system at once, and every step of a training faults the same pages in again:
    a fifth to a quarter of the time of a fully connected GAN's step. Other C libraries are left as they are.
    """
    import ctypes

    trim_threshold, top_pad, mmap_threshold = -1, -2, -3  # the parameters' numbers in malloc.h
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):  # not glibc
        return
    mallopt(mmap_threshold, 32 << 20)
    mallopt(trim_threshold, 256 << 20)
    mallopt(top_pad, 16 << 20)


_keep_freed_memory()


_loud = contextvars.copy_context()  # NumPy keeps what it warns of in a context variable
_silent = contextvars.copy_context()
_silent.run(numpy.seterr, all="ignore")
_variable = next((variable for variable in _silent if _silent[variable] is not _loud.get(variable)), None)

quiet = _silent.copy
"""quiet().run(function, *arrays) calls it without NumPy's warnings, where numpy.errstate takes twenty times as long.

The infinities and NaNs of an op are its result, as in PyTorch; whoever hunts one asks for anomaly mode.
"""


class Unwarned:
    """`with Unwarned():` the same for a block, in which other context variables stay as they are."""

    def __enter__(self):
        self.before = _variable.set(_silent[_variable])

    def __exit__(self, *exc):
        _variable.reset(self.before)


if _variable is None:  # an older NumPy, which keeps it elsewhere
    def Unwarned():
        return numpy.errstate(all="ignore")


class _Given(threading.local):
    """Memory for the next result of a kernel in this thread, where it is known before: see `capture`."""

    array = None


given = _Given()


def channels_last(shape, dtype):
    """An empty array (N, C, *sizes) that owns its memory, in which the C values of a pixel lie side by side."""
    if given.array is not None:
        array, given.array = given.array, None
        if array.shape == tuple(shape) and array.dtype == dtype:
            return array
    strides, step = [0] * len(shape), numpy.dtype(dtype).itemsize
    for axis in (1, *range(len(shape) - 1, 1, -1), 0):
        strides[axis] = step
        step *= shape[axis]
    return numpy.ndarray(shape, dtype, strides=strides)


def shared_loop(function, like):
    """The loop(start, stop, *arrays), one of `compiled`'s, as run(count, block, *arrays), which all threads share.

    It is compiled for arrays of the size and dtype of `like`. None without numba, for dtypes other than float32 and
    float64, and where it is not worth it.
    """
    return compiled.shared(function) if is_worth_compiling(like) else None


def is_worth_compiling(array):
    """Whether a loop over arrays like this one would be compiled."""
    return array.size >= LEAST and _is_compilable(array.dtype)


def _is_compilable(dtype):
    return dtype.char in "fd" and dtype.isnative


def convolution(geometry, images, values, c, o):
    """The `convolve.Convolution` of c image and o output channels for (N, ...) arrays of which a window takes `values`.

    None where it would not be compiled, or cannot be, and of fewer images than threads: the BLAS splits those.
    """
    if (len(images) * values < LEAST or len(images) < threads._threads.count or not _is_compilable(images.dtype) or
            compiled.compiler() is None):
        return None
    from minigrad.backend import convolve

    return convolve.convolution(geometry, c, o)


def aligned_zeros(size, dtype):
    """A vector of zeros that begins at a cache line, so that a compiled loop, 64 bytes at a time, meets one a time."""
    memory = numpy.zeros(size * dtype.itemsize + CACHE_LINE, numpy.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start:start + size * dtype.itemsize].view(dtype)


def strided(x, shape, strides):
    """x seen with this shape and these strides, copied unless all of it lies side by side.

    What lies side by side is copied as one element. NumPy's loops would go over 4 values here and 4 values there, at
    four times the cost.
    """
    run, axes = x.itemsize, len(shape)
    while axes and (strides[axes - 1] == run or shape[axes - 1] == 1):
        axes -= 1
        run *= shape[axes]
    if not (axes and x.size and x.flags.c_contiguous):
        return numpy.lib.stride_tricks.as_strided(x, shape, strides)
    runs = numpy.ndarray(shape[:axes], f"V{run}", x, 0, strides[:axes])
    return runs.copy().view(x.dtype).reshape(shape)


def products(x, y):
    """The matrix products of two stacks (P, M, K) and (P, K, N), either of which may be one matrix for all."""
    return numpy.matmul(x, y) if x.shape[2] != 1 else x * y  # a tenth of the time, of an outer product


@functools.lru_cache(maxsize=256)
def _ones(size, dtype):
    return numpy.ones(size, dtype)


def vector_sum(x):
    """The sum of a vector: of a short one as a product, which takes a third of the time of x.sum()."""
    return x.dot(_ones(x.size, x.dtype)) if x.size <= VECTOR and x.dtype.kind == "f" else x.sum()


@functools.lru_cache(maxsize=1024)
def number(value, dtype):
    """A number as an array of a floating dtype: an operation of it and a small array takes half of the time."""
    return numpy.array(value, dtype) if dtype.kind == "f" else value


def outer(x, y):
    """Each element of the vector x times the vector y: (len(x), len(y))."""
    size = x.size * y.size
    if size < threads.EARLY:
        return x.reshape(-1, 1).dot(y.reshape(1, -1))
    if size >= LEAST and x.dtype == y.dtype:
        out = numpy.empty((x.size, y.size), x.dtype)
        compute = shared_loop(compiled.outer, out)
        if compute:
            compute(x.size, threads.share(x.size, y.size), x, y, out)
            return out
    return x.reshape(-1, 1) * y if size > LARGE else dot(x.reshape(-1, 1), y.reshape(1, -1))


def scatter_add(out, index, values):
    """out[index] += values, adding repeatedly where `index` repeats."""
    numpy.add.at(out, index, values)


def address(array):
    """Where in memory the first element lies, a number."""
    return array.__array_interface__["data"][0]


def to_host(array):
    """The array as NumPy has it: itself."""
    return array


def einsum(spec, *operands):
    """numpy.einsum along the contraction order that `optimize` finds, which turns most of it into GEMMs."""
    with one_blas_thread:
        return numpy.einsum(spec, *operands, optimize=len(operands) > 1)


def synchronize():
    """Nothing to wait for: NumPy's calls return when their work is done."""


# Rational approximations of W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23
# (1969), as in the public CALERF: numerator and denominator, highest power first, for |x| <= 0.46875 in x**2 (A/B), for
# |x| <= 4 in |x| (C/D, erfc), and beyond in 1/x**2 (P/Q, erfc). Relative error below 6e-19 each.
_A = (1.85777706184603153e-1, 3.16112374387056560e00, 1.13864154151050156e02, 3.77485237685302021e02,
      3.20937758913846947e03)
_B = (1.0, 2.36012909523441209e01, 2.44024637934444173e02, 1.28261652607737228e03, 2.84423683343917062e03)
_C = (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e00, 6.61191906371416295e01,
      2.98635138197400131e02, 8.81952221241769090e02, 1.71204761263407058e03, 2.05107837782607147e03,
      1.23033935479799725e03)
_D = (1.0, 1.57449261107098347e01, 1.17693950891312499e02, 5.37181101862009858e02, 1.62138957456669019e03,
      3.29079923573345963e03, 4.36261909014324716e03, 3.43936767414372164e03, 1.23033935480374942e03)
_P = (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
      1.60837851487422766e-2, 6.58749161529837803e-4)
_Q = (1.0, 2.56852019228982242e00, 1.87295284992346047e00, 5.27905102951428412e-1, 6.05183413124413191e-2,
      2.33520497626869185e-3)


def _horner(coefficients, x):
    y = coefficients[0]
    for c in coefficients[1:]:
        y = y * x + c
    return y


def _erf_near_and_erfc_far(x):
    """|x| in float64, erf(|x|) for those up to 0.46875, and 1 - erf(|x|) for those beyond."""
    y = numpy.abs(x, dtype=numpy.float64)
    near = numpy.minimum(y, 0.46875) ** 2
    middle = numpy.clip(y, 0.46875, 4.0)
    far = 1.0 / numpy.clip(y, 4.0, 30.0) ** 2  # beyond 27 the tail is 0 in float64
    small = numpy.minimum(y, 0.46875) * _horner(_A, near) / _horner(_B, near)
    tail = numpy.exp(-numpy.minimum(y, 30.0) ** 2)
    mid = tail * _horner(_C, middle) / _horner(_D, middle)
    big = tail * numpy.sqrt(far) * (0.56418958354775629 - far * _horner(_P, far) / _horner(_Q, far))
    return y, small, numpy.where(y <= 4.0, mid, big)


def erf(x):
    """The error function, which NumPy lacks, to the last digits of float64. The dtype is kept."""
    y, small, beyond = _erf_near_and_erfc_far(x)
    result = numpy.where(y <= 0.46875, small, 1.0 - beyond)
    return numpy.copysign(numpy.where(y == y, result, y), x).astype(x.dtype)


def ndtr(x):
    """The normal distribution function, (1 + erf(x / sqrt 2)) / 2, with all digits in the left tail, too."""
    u = numpy.multiply(x, 0.5 ** 0.5, dtype=numpy.float64)
    y, small, beyond = _erf_near_and_erfc_far(u)
    result = numpy.where(y <= 0.46875, 1.0 + numpy.copysign(small, u), numpy.where(u < 0, beyond, 2.0 - beyond))
    return (0.5 * numpy.where(y == y, result, y)).astype(x.dtype)
