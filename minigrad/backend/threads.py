"""Loops over a batch, and products, split over threads: NumPy lets others run while it copies, adds or multiplies.

Each thread works through its images in blocks whose intermediate results stay in its core's cache, and NumPy's BLAS
runs on one thread meanwhile: a matrix product on several threads, called from several threads, waits on itself. Where
the BLAS cannot be told so (it is not OpenBLAS), the whole batch is one block, and the BLAS splits the products itself.

On a machine that others keep busy, a thread that waits for another waits until that one is given a core. The BLAS's
threads, which wait by spinning, then take twenty times as long. Ours notice it, and one thread does all blocks for a
while. Which blocks there are depends on the number of threads alone, not on who works on them: the results are the
same to the last bit.

`MINIGRAD_NUM_THREADS` sets the number of threads. Without it, it is that of the BLAS (which heeds OMP_NUM_THREADS and
OPENBLAS_NUM_THREADS), or of the cores that this process may use.
"""

import ctypes
import functools
import os
import threading
import time
from queue import Empty, SimpleQueue

import numpy as np
from numpy.linalg import _umath_linalg

ROWS = 256  # of a matrix product: fewer, and packing the other factor takes more time than it should
CACHED = 1 << 19  # values, two megabytes of float32: about what a block may take up of the core's caches
LEAST = 1 << 14  # values: fewer are not worth flattening for a loop, nor a quarter of a second for loading numba
SMALL = 1 << 20  # operations below which handing work to another thread costs more than it saves
LIGHT = 1 << 17  # the same where both threads are in compiled code
EARLY, LATER = 1 << 13, 1 << 18  # multiply-adds from which OpenBLAS splits a product with a vector, and of two matrices
MEDIUM, LONG = 1 << 22, 1 << 24  # the same for multiply-adds of a product: in compiled code, and without
LATE = 500e-6  # seconds that others may take longer than this thread, before that counts as being kept waiting
CALLED = 72  # the word that counts calls of threads away from compiled jobs
REST = 0.05, 2.0  # seconds for which one thread then works alone, the first time and at most


def _blas_switches():
    """OpenBLAS's functions (get, set) for its number of threads, or None where NumPy uses another BLAS."""
    library = ctypes.CDLL(_umath_linalg.__file__)  # its symbols include those of the libraries that it needs
    for prefix, suffix in (("scipy_openblas", "64_"), ("scipy_openblas", ""), ("openblas", "64_"), ("openblas", "")):
        get = getattr(library, f"{prefix}_get_num_threads{suffix}", None)
        if get is not None:
            return get, getattr(library, f"{prefix}_set_num_threads{suffix}")
    return None


@functools.cache
def blas_function(name):
    """(address, bits of its integers) of a function of NumPy's BLAS such as "sgemm" in its C form, or (None, 0)."""
    library = ctypes.CDLL(_umath_linalg.__file__)
    for prefix, suffix, bits in (("scipy_cblas_", "64_", 64), ("cblas_", "64_", 64), ("scipy_cblas_", "", 32),
                                 ("cblas_", "", 32)):
        function = getattr(library, f"{prefix}{name}{suffix}", None)
        if function is not None:
            return ctypes.cast(function, ctypes.c_void_p).value, bits
    return None, 0


def _asked_for():
    """What MINIGRAD_NUM_THREADS says, or None."""
    text = os.environ.get("MINIGRAD_NUM_THREADS", "").strip()
    if text and not (text.isascii() and text.isdigit() and int(text)):
        raise ValueError(f"MINIGRAD_NUM_THREADS is {text!r}; set a whole number from 1 on, or unset it")
    return int(text) if text else None


def _cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


class _Threads:
    """Threads that wait for work, started at first use and again after a fork, and the count of loops that run.

    concurrent.futures would do, but takes 100 microseconds or more to hand a task over and back, and this 20 to 40:
    a training step of a small network has fifty loops.
    """

    def __init__(self):
        self.blas = _blas_switches()
        self.count = _asked_for() or (self.blas[0]() if self.blas else _cores()) or 1
        self.forget()

    def forget(self):
        """As at the beginning: after a fork no thread is there."""
        self.lock, self.loops, self.blas_threads = threading.Lock(), 0, 1
        self.tasks, self.started, self.asleep = SimpleQueue(), 0, 0
        self.words, self.look = np.zeros(80, np.int64), None  # those of `native`, and what looks at them, once in use
        self.late, self.alone_until, self.rest = 0, 0.0, REST[0]

    def note(self, worked, waited):
        """Take in how long a loop's own thread worked, and then waited for the others."""
        if waited <= worked + LATE:
            self.late, self.rest = max(self.late - 1, 0), REST[0]
            return
        self.late += 1
        if self.late > 2:
            self.late, self.alone_until = 2, time.perf_counter() + self.rest
            self.rest = min(2 * self.rest, REST[1])

    def start(self):
        """Start the threads that are not there yet."""
        with self.lock:
            while self.started < self.count - 1:
                threading.Thread(target=self.serve, name="minigrad", daemon=True).start()
                self.started += 1

    def serve(self):
        """What each thread does for ever: tasks, compiled jobs, and sleep. Infinities are results there as well."""
        np.seterr(all="ignore")
        while True:
            called = int(self.words[CALLED])
            try:
                task = self.tasks.get_nowait()
            except Empty:
                if self.look is not None:
                    self.look(self.words, called)
                    if self.words[CALLED] != called:
                        continue
                with self.lock:
                    self.asleep += 1
                task = self.tasks.get()
                with self.lock:
                    self.asleep -= 1
            task()

    def ask(self, task, count):
        """Let `count` threads do a task, each as soon as it can."""
        for _ in range(count):
            self.tasks.put(task)
        self.words[CALLED] += 1

    def wake(self):
        """Have all threads look for compiled jobs."""
        if self.started < self.count - 1:
            self.start()
        if self.asleep:
            self.ask(_nothing, self.asleep)

    def __enter__(self):
        with self.lock:
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


def _nothing():
    """What a thread is woken with."""


_threads = one_blas_thread = _Threads()  # `with one_blas_thread:` is what the second name is for
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.forget)


def _run(work, parts):
    """[work(part) for part in parts]: this thread and those that are free each take the next part as they get to it."""
    began = time.perf_counter()
    if began < _threads.alone_until:
        with _threads:
            return [work(part) for part in parts]
    results, left, done, errors = [None] * len(parts), list(range(len(parts)))[::-1], SimpleQueue(), []

    def take():
        while left:
            try:
                i = left.pop()
            except IndexError:  # another thread was faster
                return
            try:
                results[i] = work(parts[i])
            except BaseException as error:
                errors.append(error)
            done.put(i)

    if _threads.started < _threads.count - 1:
        _threads.start()
    with _threads:
        _threads.ask(take, min(_threads.count, len(parts)) - 1)
        take()
        ended = time.perf_counter()
        for _ in parts:  # also after an error: the caller's arrays are in use until all are done
            done.get()
    _threads.note(ended - began, time.perf_counter() - ended)
    if errors:
        raise errors.pop()
    return results


def _cut(start, end, pieces):
    """start..end in so many slices, or in as many as there are values."""
    pieces = min(pieces, end - start)
    bounds = [start + (end - start) * i // pieces for i in range(pieces + 1)]
    return [slice(i, j) for i, j in zip(bounds, bounds[1:])]


def _pieces(count, rows, values):
    """How many blocks `count` images make: as many for each thread."""
    pieces = -(-count // max(ROWS // rows, CACHED // values, 1))
    return pieces + -pieces % _threads.count


def _alone(count, work):
    """Whether a loop of so little work stays in its thread; so does any whose matrix products use threads anyway."""
    return count < 2 or count * work < SMALL or _threads.blas is None


def _at_once(part, count, work):
    """part(slice) for all in this thread; the BLAS may use several for long work."""
    if count * work >= SMALL:
        return part(slice(0, count))
    with one_blas_thread:
        return part(slice(0, count))


def for_blocks(part, count, rows, values, work):
    """Call part(slice) for slices that cover range(count), on several threads, each taking the next as it gets to it.

    In `part` each of the `count` images takes `rows` rows of matrices, `values` values of memory, `work` operations.
    """
    if _alone(count, work):
        _at_once(part, count, work)
    else:
        _run(part, _cut(0, count, _pieces(count, rows, values)))


def sum_blocks(part, count, rows, values, work, small=SMALL):
    """The sum of part(slice), new arrays of one shape, over slices that cover range(count); see `for_blocks`.

    Which slices there are, and in which order they are added, depends on the number of threads only. Fewer than `small`
    operations are one slice.
    """
    many, pieces = parts(count, rows, values, work, small)
    if many * pieces == 1:
        return _at_once(part, count, work)

    def run(blocks):
        total = part(blocks[0])
        for block in blocks[1:]:
            total += part(block)
        return total

    cuts = [_cut(i.start, i.stop, pieces) for i in _cut(0, count, many)]
    total, *others = map(run, cuts) if _alone(count, work) else _run(run, cuts)
    flat, others = total.reshape(-1), [other.reshape(-1) for other in others]

    def add(i):
        for other in others:
            flat[i] += other[i]

    for_blocks(add, flat.size, 1, 2, 4)
    return total


def parts(count, rows, values, work, small=LIGHT):
    """(parts, pieces): how `sum_blocks` cuts `count`: in so many parts for threads, and each in so many pieces."""
    if count < 2 or count * work < small or _threads.blas is None:
        return 1, 1
    return min(_threads.count, count), _pieces(count, rows, values) // _threads.count


def share(count, operations):
    """How many of `count` elements a thread takes at once, of a compiled loop with so many operations an element.

    Less work is enough for several threads while these look for jobs than when they would have to be woken.
    """
    ready = _threads.look is not None and not _threads.asleep
    return count if count * operations < (LIGHT if ready else SMALL) else -(-count // _threads.count)


def for_pieces(part, operations, *arrays, loop=None, numbers=()):
    """part(*pieces) for matching pieces of arrays of one shape, on several threads where that pays.

    `operations` is how many there are an element. The pieces are vectors, but for arrays that are small (less than
    `LEAST`), or not laid out alike without gaps: then there is one piece, the arrays as they are. `loop`, if not None,
    is a compiled one over the elements of vectors and `numbers`, and does those in the place of `part`.
    """
    first = arrays[0]
    alone = first.size * operations < SMALL
    if first.size < LEAST or any(array.strides != first.strides for array in arrays):
        part(*arrays)
        return
    flat = [array.ravel("K") for array in arrays]  # in the order of their memory, which thus is the same
    if not np.may_share_memory(flat[0], first):  # there are gaps: this is a copy
        part(*arrays)
    elif loop is not None:
        loop(first.size, share(first.size, operations), *flat, *numbers)
    elif alone:
        part(*flat)
    else:
        for_blocks(lambda i: part(*(array[i] for array in flat)), first.size, 1, 1, operations)


def matmul(x, y):
    """x @ y, the BLAS on one thread."""
    if x.ndim == 2 == y.ndim:
        return dot(x, y)
    with _threads:
        return x @ y


@functools.cache
def _native():
    """The module `native` if code can be compiled here and can call the BLAS, else None."""
    from minigrad.backend import native

    return native if native.is_usable() else None


def dot(x, y, out=None):
    """x.dot(y) of vectors or matrices, the BLAS on one thread.

    A long product is split into as many as there are threads, along the longer of the result's axes. `out`, a new
    array for it, is for those only.
    """
    columns = y.shape[1] if y.ndim == 2 else 1
    work = x.size * columns
    if work < EARLY or work < LATER and x.ndim == 2 == y.ndim or _threads.blas is None:
        return x.dot(y)
    alike = x.dtype == y.dtype and x.dtype.char in "fd" and x.dtype.isnative and not x.ndim == y.ndim == 1
    if work < MEDIUM or _threads.count == 1 or not alike:
        with _threads:
            return x.dot(y)
    out = np.empty(x.shape[:-1] + y.shape[1:], x.dtype) if out is None else out
    by_rows = x.ndim == 2 and len(out) >= columns
    native = _native()
    if native and out.ndim == 2 and native.split_product(x, y, out, by_rows, -(-max(out.shape) // _threads.count)):
        return out

    def part(i):
        if by_rows:
            np.matmul(x[i], y, out=out[i])
        else:
            np.matmul(x, y[:, i], out=out[..., i])

    parts = _cut(0, len(out) if by_rows else columns, _threads.count)
    if work >= LONG:
        _run(part, parts)
    else:
        with _threads:
            for i in parts:
                part(i)
    return out
