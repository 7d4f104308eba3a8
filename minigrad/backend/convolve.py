"""Convolutions in compiled code: each thread copies windows, multiplies and folds back for its part of the images.

The same as `ops.conv.Windows` does by array operations, a block of windows at a time, but without Python in between:
see there for the names. Images, weights and outputs are vectors here, in channels-last order; numbers in the arguments
are those of `numbers`. The matrix of a block's windows lies in a memory of scratch that each thread has for itself.
"""

import functools
import threading

import numpy as np

from minigrad.backend import native
from minigrad.backend.compiled import compiler
from minigrad.backend.threads import ROWS, _threads, blas_function

VALUES = 1 << 17  # of a block's matrix: it stays in a core's cache until it was multiplied
KEPT = 1 << 21  # values of scratch that are kept for the next time


@functools.cache
def _copying():
    """(clear, spread, fold): zeros, the windows of an image as the rows of a matrix, and rows added to their pixels."""
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic

    jit = compiler().njit(nogil=True, error_model="numpy")

    @intrinsic
    def copy(typing, to, start, source, first, count):
        """to[start:start + count] = source[first:first + count], of vectors, by the fastest way the machine has"""
        def code(context, builder, signature, values):
            byte, place = ir.IntType(8).as_pointer(), []
            size = values[4].type(context.get_abi_sizeof(context.get_value_type(signature.args[0].dtype)))
            for array, index, kind in ((values[0], values[1], signature.args[0]),
                                       (values[2], values[3], signature.args[2])):
                data = context.make_array(kind)(context, builder, array).data
                place.append(builder.bitcast(builder.gep(data, [index]), byte))
            function = builder.module.declare_intrinsic("llvm.memcpy", [byte, byte, size.type])
            builder.call(function, [*place, builder.mul(values[4], size), ir.IntType(1)(0)])
            return context.get_dummy_value()

        return types.void(to, types.int64, source, types.int64, types.int64), code

    @jit
    def clear(v, start, count):
        for k in range(np.uint64(start), np.uint64(start + count)):  # a slice would count references, in all threads
            v[k] = 0

    @jit
    def spread(x, v, first, last, h, w, c, oh, ow, kh, kw, sh, sw, top, left, dh, dw):
        """Rows of windows, counted through all images, from first to last."""
        to, run, taps = 0, (kw if dw == 1 else 1) * c, 1 if dw == 1 else kw
        for row in range(first, last):
            n = row // oh
            for j in range(ow):
                for a in range(kh):
                    y = (row - n * oh) * sh - top + a * dh
                    for b in range(taps):
                        pixel = j * sw - left + b * dw
                        before, after = max(-pixel, 0) * c, max(min((w - pixel) * c, run), 0)
                        if y < 0 or y >= h or before >= after:
                            clear(v, to, run)
                        else:
                            clear(v, to, before)
                            copy(v, to + before, x, ((n * h + y) * w + pixel) * c + before, after - before)
                            clear(v, to + after, run - after)
                        to += run

    @jit
    def fold(v, x, n, first, last, h, w, c, oh, ow, kh, kw, sh, sw, top, left, dh, dw):
        """Rows of windows of image n, from first to last."""
        at, run, taps = 0, (kw if dw == 1 else 1) * c, 1 if dw == 1 else kw
        for i in range(first, last):
            for j in range(ow):
                for a in range(kh):
                    y = i * sh - top + a * dh
                    for b in range(taps):
                        pixel = j * sw - left + b * dw
                        before, after = max(-pixel, 0) * c, min((w - pixel) * c, run)
                        if 0 <= y < h and before < after:
                            place = np.uint64(((n * h + y) * w + pixel) * c + before)
                            source = np.uint64(at + before)
                            for k in range(np.uint64(after - before)):
                                x[place + k] += v[source + k]
                        at += run

    return clear, spread, fold


@functools.cache
def _loops(letter):
    """(convolution, its transpose, the weight's gradient) as `parallel` loops, for the dtype "s" or "d"."""
    (clear, spread, fold), multiply = _copying(), native.gemm(letter)
    real, size = (np.float32, 4) if letter == "s" else (np.float64, 8)
    jit = compiler().njit(nogil=True, error_model="numpy")

    @jit
    def add_bias(y, b, first, last):
        count = np.uint64(len(b))
        for row in range(np.uint64(first), np.uint64(last if len(b) else first)):
            for k in range(count):
                y[row * count + k] += b[k]

    def conv(start, stop, slot, scratch, gemm, x, w, b, y, rows, h, width, c, o, oh, ow, kh, kw, sh, sw, top, left, dh,
             dw):
        v, k = scratch[slot], kh * kw * c
        for i in range(start, stop, rows):  # rows of windows
            end = min(i + rows, stop)
            spread(x, v, i, end, h, width, c, oh, ow, kh, kw, sh, sw, top, left, dh, dw)
            multiply(gemm, 0, 1, (end - i) * ow, o, k, v.ctypes.data, k, w.ctypes.data, k, real(0),
                     y.ctypes.data + i * ow * o * size, o)
            add_bias(y, b, i * ow, end * ow)

    def conv_transpose(start, stop, slot, scratch, gemm, g, w, b, x, rows, h, width, c, o, oh, ow, kh, kw, sh, sw,
                       top, left, dh, dw):
        v, k = scratch[slot], kh * kw * c
        for n in range(start, stop):  # images
            clear(x, n * h * width * c, h * width * c)
            for i in range(0, oh, rows):
                end = min(i + rows, oh)
                multiply(gemm, 0, 0, (end - i) * ow, k, o, g.ctypes.data + (n * oh + i) * ow * o * size, o,
                         w.ctypes.data, k, real(0), v.ctypes.data, k)
                fold(v, x, n, i, end, h, width, c, oh, ow, kh, kw, sh, sw, top, left, dh, dw)
            add_bias(x, b, n * h * width, (n + 1) * h * width)

    def conv_weight(start, stop, slot, scratch, gemm, x, g, parts, rows, block, h, width, c, o, oh, ow, kh, kw, sh, sw,
                    top, left, dh, dw):
        v, k = scratch[slot], kh * kw * c
        for first in range(start, stop, block):  # a part is the sum over a block
            for i in range(first, min(first + block, stop), rows):
                end = min(i + rows, first + block, stop)
                spread(x, v, i, end, h, width, c, oh, ow, kh, kw, sh, sw, top, left, dh, dw)
                multiply(gemm, 1, 0, o, k, (end - i) * ow, g.ctypes.data + i * ow * o * size, o, v.ctypes.data, k,
                         real(i > first), parts.ctypes.data + first // block * o * k * size, k)

    made = []
    for loop in conv, conv_transpose, conv_weight:
        loop.__name__ = loop.__qualname__ = f"{loop.__name__}_{letter}"  # what is kept on disk is kept under its name
        made.append(native.parallel(loop, multiplies=True, has_slot=True))
    return (*made, blas_function(f"{letter}gemm")[0])


_local = threading.local()


def _scratch(values, dtype):
    """A memory of so many values for each thread, (threads, values), of the calling thread's own."""
    have = getattr(_local, dtype.char, None)
    if have is None or have.shape[1] < values or len(have) < _threads.count:
        have = np.empty((_threads.count, values), dtype)
        if values <= KEPT:
            setattr(_local, dtype.char, have)
    return have


class Convolution:
    """The three convolutions of one geometry (`ops.conv.Geometry`, of one group) with c image and o output channels."""

    def __init__(self, geometry, c, o):
        (h, w), (oh, ow), (kh, kw) = geometry.image, geometry.windows, geometry.kernel
        (top, _), (left, _) = geometry.padding
        self.numbers = h, w, c, o, oh, ow, kh, kw, *geometry.stride, top, left, *geometry.dilation
        self.oh, self.row = oh, ow * kh * kw * c  # the matrix's values in a row of windows
        self.least = -(-ROWS // ow)

    def rows(self, count):
        """How many rows of windows make a block, of `count` that there are."""
        return min(max(VALUES // self.row, self.least), -(-count // _threads.count))

    def conv(self, x, w, b, y):
        """y = conv(x, w) + b, or without b if that is None."""
        loop, _, _, gemm = _loops(_letter(x))
        count = len(x) * self.oh
        rows = self.rows(count)
        loop(count, rows, _scratch(rows * self.row, x.dtype), gemm, _flat(x), _flat(w), _bias(b, x), _flat(y), rows,
             *self.numbers)

    def conv_transpose(self, g, w, b, x):
        """x = conv_transpose(g, w) + b, or without b if that is None."""
        _, loop, _, gemm = _loops(_letter(x))
        rows = min(max(VALUES // self.row, self.least), self.oh)
        loop(len(x), 1, _scratch(rows * self.row, g.dtype), gemm, _flat(g), _flat(w), _bias(b, g), _flat(x), rows,
             *self.numbers)

    def conv_weight(self, x, g, w):
        """w = the gradient of conv's weight."""
        _, _, loop, gemm = _loops(_letter(x))
        count, out = len(x) * self.oh, _flat(w)
        block = -(-count // _threads.count)
        rows = min(self.rows(count), block)
        parts = np.empty((-(-count // block), out.size), x.dtype)
        loop(count, block, _scratch(rows * self.row, x.dtype), gemm, _flat(x), _flat(g), parts, rows, block,
             *self.numbers)
        np.add.reduce(parts, 0, out=out)


@functools.lru_cache(maxsize=1024)
def convolution(geometry, c, o):
    """The `Convolution`, or None where compiled code cannot do it or array operations do as well.

    That is without numba, in groups, and where the windows lie in memory as they are: the convolution is a product.
    """
    image, windows, kernel, stride, padding, _, groups = geometry
    lies = padding == ((0, 0), (0, 0)) and (kernel == stride == (1, 1) or windows == (1, 1) and kernel == image)
    if lies or groups > 1 or not native.is_usable():
        return None
    return Convolution(geometry, c, o)


def _letter(x):
    return "s" if x.dtype.char == "f" else "d"


def _flat(x):
    """(N, C, H, W) as a vector in channels-last order: a view where memory is."""
    return x.transpose(0, 2, 3, 1).reshape(-1)


def _bias(b, like):
    return np.empty(0, like.dtype) if b is None else b
