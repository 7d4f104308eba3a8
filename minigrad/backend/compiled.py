"""Loops over elements, compiled by numba where it is installed: `pip install minigrad[fast]`. All works without.

Adam's update is a dozen array operations, and each brings its operands from memory again. As a loop it is one pass, in
a quarter of the time; an outer product takes 40 % of the BLAS's. A loop does the operations of the array form in their
order, each rounded to the arrays' dtype, so that its results are the same to the last bit (but for the signs of zeros
in outer products, which the BLAS loses); it only lacks NumPy's warnings of overflow.

A loop reads all of an element, into local names, before it writes any of it: the compiler can then check once that the
arrays do not overlap, and takes 16 elements at a time. With `m[i] *= beta1` and the like it takes four times as long.

`MINIGRAD_COMPILE=0` leaves numba alone.
"""

import functools
import math
import os
import warnings


@functools.cache
def compiled(loop):
    """The function `loop` as numba compiles it, at its first call with each dtype, or None."""
    numba = compiler()
    if numba is None:
        return None
    try:  # what was compiled is kept, beside this file or in the user's cache directory
        return numba.njit(nogil=True, error_model="numpy", cache=True)(loop)
    except RuntimeError:  # neither can be written to
        return numba.njit(nogil=True, error_model="numpy")(loop)


@functools.cache
def shared(loop):
    """The function `loop(start, stop, *arrays)` as run(count, block, *arrays), which all threads share, or None."""
    if compiler() is None:
        return None
    from minigrad.backend import native

    return native.parallel(loop)


@functools.cache
def compiler():
    """The module numba, or None where it is not wanted, not installed, or not made for this NumPy (as it then says)."""
    wanted = os.environ.get("MINIGRAD_COMPILE", "").strip() or "1"
    if wanted not in ("0", "1"):
        raise ValueError(f"MINIGRAD_COMPILE is {wanted!r}; set 0 to do without compiled loops, or 1, or unset it")
    if wanted == "0":
        return None
    try:
        import numba
    except ImportError as error:
        if error.name != "numba":
            warnings.warn(f"numba is installed but does not load; minigrad goes on without it: {error}", stacklevel=2)
        return None
    return numba


def adam(start, stop, p, g, exp_avg, exp_avg_sq, shrink, decay, beta1, rest1, beta2, rest2, eps, rate):
    """`optim.Adam.update`, for vectors of one length, of float32 or float64, and numbers of their dtype."""
    p, g, exp_avg, exp_avg_sq = p[start:stop], g[start:stop], exp_avg[start:stop], exp_avg_sq[start:stop]
    for i in range(p.size):
        value, slope, mean, square = p[i], g[i], exp_avg[i], exp_avg_sq[i]
        if shrink != 1:
            value *= shrink
        if decay != 0:
            slope += value * decay
        square = square * beta2 + slope * slope * rest2
        mean = mean * beta1 + slope * rest1 if beta1 != 0 else slope
        value -= mean / (math.sqrt(square) + eps) * rate
        p[i], exp_avg[i], exp_avg_sq[i] = value, mean, square


def outer(start, stop, x, y, out):
    """out[i, j] = x[i] * y[j]: vectors (M,) and (N,) into (M, N)"""
    x, out = x[start:stop], out[start:stop]
    for i in range(x.size):
        factor = x[i]
        for j in range(y.size):
            out[i, j] = factor * y[j]


def leaky(start, stop, out, x, slope):
    """out = max(x, slope * x), vectors of one length"""
    out, x = out[start:stop], x[start:stop]
    for i in range(x.size):
        y = x[i]
        low = y * slope
        out[i] = y if y > low else low


def leaky_slope(start, stop, out, g, y, slope):
    """out = g, times slope where y is not positive, vectors of one length"""
    out, g, y = out[start:stop], g[start:stop], y[start:stop]
    for i in range(g.size):
        out[i] = g[i] if y[i] > 0 else g[i] * slope


# Batch norm, of lines (R, L); mean, factor and the like are (L,). Sums come out as `totals`, a row for each of `parts`
# equal parts of the lines, and are added up as `threads.sum_blocks` does it: within a part in `pieces`, within a piece
# a line after the other, which is the order in which NumPy sums over the first axis if L > 1 and lines lie in order.


def sums(start, stop, parts, pieces, x, totals):
    """totals[0] = the sums of x"""
    for part in range(start, stop):
        begin, end = len(x) * part // parts, len(x) * (part + 1) // parts
        total, piece = totals[0, part], totals[1, part]
        pieces = min(pieces, end - begin)
        for k in range(pieces):
            piece[:] = 0
            for i in range(begin + (end - begin) * k // pieces, begin + (end - begin) * (k + 1) // pieces):
                for j in range(x.shape[1]):
                    piece[j] += x[i, j]
            for j in range(x.shape[1]):
                total[j] = total[j] + piece[j] if k else piece[j]


def centre(start, stop, parts, pieces, x, mean, out, totals):
    """out = x - mean; totals[0] = the sums of its squares"""
    for part in range(start, stop):
        begin, end = len(x) * part // parts, len(x) * (part + 1) // parts
        total, piece = totals[0, part], totals[1, part]
        pieces = min(pieces, end - begin)
        for k in range(pieces):
            piece[:] = 0
            for i in range(begin + (end - begin) * k // pieces, begin + (end - begin) * (k + 1) // pieces):
                for j in range(x.shape[1]):
                    d = x[i, j] - mean[j]
                    square = piece[j] + d * d
                    out[i, j], piece[j] = d, square
            for j in range(x.shape[1]):
                total[j] = total[j] + piece[j] if k else piece[j]


def scale(start, stop, z, factor, shift, slope):
    """z = max(y, slope * y) of y = z * factor + shift; slope 1 leaves y as it is"""
    for i in range(start, stop):
        for j in range(z.shape[1]):
            y = z[i, j] * factor[j] + shift[j]
            low = y * slope
            z[i, j] = y if y > low else low


def slope_sums(start, stop, parts, pieces, g, y, x, mean, slope, out, totals):
    """out = g, times slope where y is not positive; totals[0] = the sums of that, totals[1] of that * (x - mean)"""
    for part in range(start, stop):
        begin, end = len(x) * part // parts, len(x) * (part + 1) // parts
        total, tilted, piece, leaning = totals[0, part], totals[1, part], totals[2, part], totals[3, part]
        pieces = min(pieces, end - begin)
        for k in range(pieces):
            piece[:] = 0
            leaning[:] = 0
            for i in range(begin + (end - begin) * k // pieces, begin + (end - begin) * (k + 1) // pieces):
                for j in range(x.shape[1]):
                    here = g[i, j] if y[i, j] > 0 else g[i, j] * slope
                    one, other = piece[j] + here, leaning[j] + (x[i, j] - mean[j]) * here
                    out[i, j], piece[j], leaning[j] = here, one, other
            for j in range(x.shape[1]):
                total[j] = total[j] + piece[j] if k else piece[j]
                tilted[j] = tilted[j] + leaning[j] if k else leaning[j]


def untilt(start, stop, g, x, mean, tilt, level, factor):
    """g = ((x - mean) * tilt + g - level) * factor"""
    for i in range(start, stop):
        for j in range(x.shape[1]):
            g[i, j] = ((x[i, j] - mean[j]) * tilt[j] + g[i, j] - level[j]) * factor[j]
