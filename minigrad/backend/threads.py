"""Loops over a batch, split over threads: NumPy lets other threads run while it copies, adds or multiplies.

Each thread works through its images in blocks whose intermediate results stay in its core's cache, and NumPy's BLAS
runs on one thread meanwhile: a matrix product on several threads, called from several threads, waits on itself. Where
the BLAS cannot be told so (it is not OpenBLAS), the whole batch is one block, and the BLAS splits the products itself.

`MINIGRAD_NUM_THREADS` sets the number of threads. Without it, it is that of the BLAS (which heeds OMP_NUM_THREADS and
OPENBLAS_NUM_THREADS), or of the cores that this process may use.
"""

import ctypes
import os
import threading
from concurrent.futures import ThreadPoolExecutor

from numpy.linalg import _umath_linalg

ROWS = 256  # of a matrix product: fewer, and packing the other factor takes more time than it should
CACHED = 1 << 18  # values, a megabyte of float32: what a block may take up of the core's L2 cache
SMALL = 1 << 20  # operations below which handing work to another thread costs more than it saves


def _blas_switches():
    """OpenBLAS's functions (get, set) for its number of threads, or None where NumPy uses another BLAS."""
    library = ctypes.CDLL(_umath_linalg.__file__)  # its symbols include those of the libraries that it needs
    for prefix, suffix in (("scipy_openblas", "64_"), ("scipy_openblas", ""), ("openblas", "64_"), ("openblas", "")):
        get = getattr(library, f"{prefix}_get_num_threads{suffix}", None)
        if get is not None:
            return get, getattr(library, f"{prefix}_set_num_threads{suffix}")
    return None


class _Threads:
    """The pool, made at first use and again after a fork, and the count of loops that run in it."""

    def __init__(self):
        self.blas = _blas_switches()
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        self.count = int(os.environ.get("MINIGRAD_NUM_THREADS") or (self.blas[0]() if self.blas else cores) or 1)
        self.forget()

    def forget(self):
        self.lock, self.pool, self.loops, self.blas_threads = threading.Lock(), None, 0, 1

    def __enter__(self):
        with self.lock:
            if self.pool is None and self.count > 1:
                self.pool = ThreadPoolExecutor(self.count - 1, "minigrad")
            self.loops += 1
            if self.loops == 1 and self.blas:
                self.blas_threads = self.blas[0]()
                self.blas[1](1)
        return self

    def __exit__(self, *exc):
        with self.lock:
            self.loops -= 1
            if self.loops == 0 and self.blas:
                self.blas[1](self.blas_threads)


_threads = _Threads()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.forget)


def _run(work, parts):
    """[work(part) for part in parts], the first in this thread, the others in the pool's."""
    with _threads:
        others = [_threads.pool.submit(work, part) for part in parts[1:]]
        try:
            return [work(parts[0]), *(other.result() for other in others)]
        finally:
            for other in others:  # also after an error: the caller's arrays are in use until all are done
                other.cancel() or other.exception()


def _step(count, rows, values):
    """How many of `count` images make a block."""
    return min(max(ROWS // rows, CACHED // values, 1), -(-count // _threads.count))


def _cut(start, end, step):
    """start..end in equal slices of `step` at most."""
    pieces = -(-(end - start) // step)
    bounds = [start + (end - start) * i // pieces for i in range(pieces + 1)]
    return [slice(i, j) for i, j in zip(bounds, bounds[1:])]


def _alone(count, work):
    """Whether a loop of so little work stays in its thread; so does any whose matrix products use threads anyway."""
    return count * work < SMALL or _threads.blas is None


def for_blocks(part, count, rows, values, work):
    """Call part(slice) for slices that cover range(count), on several threads, each taking the next as it gets to it.

    In `part` each of the `count` images takes `rows` rows of matrices, `values` values of memory, `work` operations.
    """
    if _alone(count, work):
        part(slice(0, count))
        return
    blocks = iter(_cut(0, count, _step(count, rows, values)))

    def run(_):
        for block in blocks:
            part(block)

    with _threads:
        others = [_threads.pool.submit(run, None) for _ in range(_threads.count - 1)]
        try:
            run(None)
        finally:
            failed = [error for other in others if not other.cancel() and (error := other.exception())]
        if failed:
            raise failed[0]


def sum_blocks(part, count, rows, values, work):
    """The sum of part(slice), new arrays of one shape, over slices that cover range(count); see `for_blocks`.

    Which slices there are, and in which order they are added, depends on the number of threads only.
    """
    if _alone(count, work):
        return part(slice(0, count))

    def run(blocks):
        total = part(blocks[0])
        for block in blocks[1:]:
            total += part(block)
        return total

    threads, step = min(_threads.count, count), _step(count, rows, values)
    total, *others = _run(run, [_cut(count * i // threads, count * (i + 1) // threads, step) for i in range(threads)])
    flat, others = total.reshape(-1), [other.reshape(-1) for other in others]

    def add(i):
        for other in others:
            flat[i] += other[i]

    for_blocks(add, flat.size, 1, 2, 4)
    return total
