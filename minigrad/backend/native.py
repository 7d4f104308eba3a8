"""Compiled loops on several threads, without the interpreter's lock.

`parallel(loop)` makes of a plain function `loop(start, stop, *arrays)`, which does the indices from start to stop, a
function `run(count, block, *arrays)`: numba compiles both, and run lets this thread and those of the pool each take the
next block as they get to it, until all indices below count are done. No Python runs in between, and this thread never
waits for one that has not begun: on a busy machine it does the work itself.

The threads of the pool look for a job without rest for about as long as the pauses within a training step, and then
sleep. A job is posted in `words`, integers that all threads read and change atomically: its number, whether it is open,
how many work on it, the next index, and where its function and its arguments lie.
"""

import atexit
import functools
import hashlib
import platform
from pathlib import Path

import numpy as np

from minigrad.backend import compiled as loops
from minigrad.backend.compiled import compiler
from minigrad.backend.threads import CALLED, _threads, blas_function, one_blas_thread  # noqa: F401 (CALLED: in the texts)

JOB, OPEN, ACTIVE, NEXT, TAKEN, FUNCTION, ARGUMENTS, STOP, SLOT = range(0, 72, 8)  # in words: a cache line each
SPIN = 40_000  # looks at the words before a thread goes to sleep: a fifth of a millisecond or more
PAUSES = {"x86_64": "llvm.x86.sse2.pause", "AMD64": "llvm.x86.sse2.pause"}  # what lets a core's other thread go first


@functools.cache
def instructions():
    """What only compiled code can call, by name: each is an instruction of LLVM's or a few. Loads numba."""
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic

    integer, words_type = ir.IntType(64), types.Array(types.int64, 1, "C")

    def pointer(context, builder, words, index):
        array = context.make_array(words_type)(context, builder, words)
        return cgutils.get_item_pointer(context, builder, words_type, array, [index])

    @intrinsic
    def add(typing, words, index, value):
        """words[index] += value, as one step for all threads; what was there before"""
        def code(context, builder, signature, arguments):
            words, index, value = arguments
            return builder.atomic_rmw("add", pointer(context, builder, words, index), value, "seq_cst")

        return types.int64(words_type, types.intp, types.int64), code

    @intrinsic
    def load(typing, words, index):
        """words[index], as the last thread left it"""
        def code(context, builder, signature, arguments):
            return builder.load_atomic(pointer(context, builder, *arguments), "seq_cst", 8)

        return types.int64(words_type, types.intp), code

    @intrinsic
    def store(typing, words, index, value):
        """words[index] = value, for all threads to see"""
        def code(context, builder, signature, arguments):
            words, index, value = arguments
            builder.store_atomic(value, pointer(context, builder, words, index), "seq_cst", 8)
            return context.get_dummy_value()

        return types.void(words_type, types.intp, types.int64), code

    @intrinsic
    def pause(typing):
        """Let the other thread of this core go first, where the machine has a word for it"""
        name = PAUSES.get(platform.machine())

        def code(context, builder, signature, arguments):
            if name:
                kind = ir.FunctionType(ir.VoidType(), [])
                builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [])
            return context.get_dummy_value()

        return types.void(), code

    @intrinsic
    def call(typing, function, arguments):
        """Call the function at an address with the address of its arguments"""
        def code(context, builder, signature, values):
            kind = ir.FunctionType(ir.VoidType(), [integer]).as_pointer()
            builder.call(builder.inttoptr(values[0], kind), [values[1]])
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), code

    def posting(take):
        """post(words, job): write down where `take`, compiled for such a job, and the job itself lie."""
        @intrinsic
        def post(typing, words, job):
            def code(context, builder, signature, values):
                words, value = values
                kind = context.get_value_type(job)
                slot = cgutils.alloca_once(builder, kind)
                builder.store(value, slot)
                digest = hashlib.sha256(f"{take.__qualname__}{job}".encode()).hexdigest()[:16]
                function = ir.Function(builder.module, ir.FunctionType(ir.VoidType(), [integer]), f"take_{digest}")
                function.linkage = "internal"
                inside = ir.IRBuilder(function.append_basic_block("entry"))
                given = inside.load(inside.inttoptr(function.args[0], kind.as_pointer()))
                nothing = types.none(job)
                subroutine = context.compile_subroutine(inside, take, nothing)
                context.call_internal_no_propagate(inside, subroutine.fndesc, nothing, [given])
                inside.ret_void()
                for index, address in ((FUNCTION, function), (ARGUMENTS, slot)):
                    place = pointer(context, builder, words, ir.Constant(integer, index))
                    builder.store_atomic(builder.ptrtoint(address, integer), place, "seq_cst", 8)
                return context.get_dummy_value()

            return types.void(words_type, job), code

        return post

    return {"add": add, "load": load, "store": store, "pause": pause, "call": call, "posting": posting}


@functools.cache
def gemm(letter):
    """gemm(address, A turned, B turned, m, n, k, A, lda, B, ldb, beta, C, ldc), for compiled code: C = A B + beta C.

    The BLAS's function for the dtype "s" or "d", rows first; A, B and C are addresses, "turned" is 0 or 1.
    """
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic

    real, number = (ir.FloatType(), types.float32) if letter == "s" else (ir.DoubleType(), types.float64)
    where, flag, size = real.as_pointer(), ir.IntType(32), ir.IntType(blas_function(f"{letter}gemm")[1])
    kinds = [flag] * 3 + [size] * 3 + [real, where, size, where, size, real, where, size]

    @intrinsic
    def gemm(typing, address, a_turned, b_turned, m, n, k, a, lda, b, ldb, beta, c, ldc):
        def code(context, builder, signature, values):
            function = builder.inttoptr(values[0], ir.FunctionType(ir.VoidType(), kinds).as_pointer())
            given = [flag(101)]  # CblasRowMajor
            given += [builder.add(builder.trunc(x, flag), flag(111)) for x in values[1:3]]  # CblasNoTrans, CblasTrans
            given += [x if size.width == 64 else builder.trunc(x, size) for x in values[3:6]] + [real(1.0)]
            for x, kind in zip(values[6:], kinds[7:]):
                given.append(x if kind is real else builder.inttoptr(x, where) if kind is where else
                             x if size.width == 64 else builder.trunc(x, size))
            builder.call(function, given)
            return context.get_dummy_value()

        whole = types.int64
        return types.void(*[whole] * 10, number, whole, whole), code

    return gemm


LOOK = """
def {name}(words, called):
    seen, idle = load(words, JOB) - load(words, OPEN), 0  # a job that is open is one to join
    while idle < SPIN and load(words, CALLED) == called and load(words, STOP) == 0:
        now = load(words, JOB)
        if now == seen:
            idle += 1
            pause()
            continue
        seen, idle = now, 0
        add(words, ACTIVE, 1)
        if load(words, OPEN) == 1:  # and it stays open while this thread is counted
            call(load(words, FUNCTION), load(words, ARGUMENTS))
        add(words, ACTIVE, -1)
"""

# The arguments stand there one by one: numba takes in `*arrays` at three times the cost.
ALONE = """
def {name}(count, {arrays}):
    loop(0, count, {slot}{arrays})
"""

RUN = """
def {name}(words, count, block, {arrays}):
    job = words, count, block, ({arrays},)
    if add(words, TAKEN, 1) > 0:  # the threads work for another caller
        loop(0, count, {slot}{arrays})
    else:
        store(words, NEXT, 0)
        store(words, SLOT, 0)
        post(words, job)
        store(words, OPEN, 1)
        add(words, JOB, 1)
        take(job)
        store(words, OPEN, 0)
        while load(words, ACTIVE) > 0:
            pause()
    add(words, TAKEN, -1)
"""


@functools.cache
def _sources():
    """A digest of what is compiled: what numba keeps of a function does not know of the functions that it calls."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def _written(text, name, slot="", arrays="", **names):
    """The function of that name that the text defines, with the instructions and `names`, compiled, and kept on disk.

    Numba keeps functions of modules only, not such as are made within others: hence the text.
    """
    name = f"{name}_{_sources()}"
    words = {key: value for key, value in globals().items() if key.isupper() and isinstance(value, int)}
    namespace = {"__name__": __name__, **words, **instructions(), **names}
    exec(compile(text.format(name=name, slot=slot, arrays=arrays), __file__, "exec"), namespace)
    return loops.compiled(namespace[name])


def _look():
    """From here on the threads look for compiled jobs."""
    look = _written(LOOK, "look")
    look(_threads.words, -1)  # compiled here, not by each thread
    _threads.look = look


@atexit.register
def _stop():
    """Let the threads leave compiled code, before that is taken away."""
    _threads.words[STOP] = 1
    _threads.look = None


class parallel:
    """The decorated loop(start, stop, *arrays) as run(count, block, *arrays), on all threads: see the file's head.

    `multiplies` tells that it calls the BLAS. One that `has_slot` is called as loop(start, stop, slot, scratch, ...):
    each thread at work has another slot, the row of `scratch` (slots, values) that it may use.
    """

    def __init__(self, loop, multiplies=False, has_slot=False):
        functools.update_wrapper(self, loop)
        self.loop, self.multiplies, self.has_slot, self.run = loop, multiplies, has_slot, None  # not yet

    def __call__(self, count, block, *arrays):
        if block >= count or _threads.count == 1:
            if not self.multiplies:
                return self.alone(count, *arrays)
            with one_blas_thread:
                return self.alone(count, *arrays)
        if self.run is None:
            self.compile()
        if _threads.look is None:
            _look()
        _threads.wake()
        if self.multiplies:
            with one_blas_thread:
                self.run(_threads.words, count, block, *arrays)
        else:
            self.run(_threads.words, count, block, *arrays)

    @functools.cached_property
    def alone(self):
        """The loop over all indices, compiled."""
        return _written(ALONE, f"{self.name}_alone", self.slot, self.arrays, loop=self.jitted)

    @property
    def name(self):
        """The loop's name and what it does: what was kept on disk for another loop of the name is not taken for it."""
        code = self.loop.__code__
        return f"{self.loop.__name__}_{hashlib.sha256(code.co_code + repr(code.co_consts).encode()).hexdigest()[:8]}"

    @functools.cached_property
    def jitted(self):
        """The loop itself, for compiled code."""
        return compiler().njit(nogil=True, error_model="numpy")(self.loop)

    @property
    def slot(self):
        """The slot of a thread that works alone, as text among arguments."""
        return "0, " if self.has_slot else ""

    @property
    def arrays(self):
        """Names for what the loop is given after start, stop and the slot, as text among arguments."""
        return ", ".join(f"a{i}" for i in range(self.loop.__code__.co_argcount - 2 - self.has_slot))

    def compile(self):
        """Make `run`."""
        options = {"nogil": True, "error_model": "numpy"}
        loop, add = self.jitted, instructions()["add"]

        def take(job):
            words, count, block, arrays = job
            while True:
                start = add(words, NEXT, block)
                if start >= count:
                    break
                loop(start, min(start + block, count), *arrays)

        def take_with_slot(job):
            words, count, block, arrays = job
            slot = add(words, SLOT, 1)
            while slot < len(arrays[0]):  # a thread for which there is no memory leaves the work to the others
                start = add(words, NEXT, block)
                if start >= count:
                    break
                loop(start, min(start + block, count), slot, *arrays)

        take = take_with_slot if self.has_slot else take
        take.__qualname__ = self.loop.__qualname__
        self.run = _written(RUN, self.name, self.slot, self.arrays, loop=loop, post=instructions()["posting"](take),
                            take=compiler().njit(**options)(take))


def is_usable():
    """Whether loops can be compiled here, and can call the BLAS."""
    return compiler() is not None and blas_function("sgemm")[0] is not None


@functools.cache
def _splits(letter):
    """(by rows, by columns): the parts of a matrix product as `parallel` loops, for the dtype "s" or "d"."""
    multiply, real, size = (gemm(letter), np.float32, 4) if letter == "s" else (gemm(letter), np.float64, 8)

    def rows(start, stop, function, a, b, c):
        down, along = a.strides
        multiply(function, along > size, b.strides[1] > size, stop - start, c.shape[1], a.shape[1],
                 a.ctypes.data + start * down, max(down, along) // size, b.ctypes.data, max(b.strides) // size, real(0),
                 c.ctypes.data + start * c.strides[0], c.shape[1])

    def columns(start, stop, function, a, b, c):
        down, along = b.strides
        multiply(function, a.strides[1] > size, along > size, c.shape[0], stop - start, a.shape[1],
                 a.ctypes.data, max(a.strides) // size, b.ctypes.data + start * along, max(down, along) // size,
                 real(0), c.ctypes.data + start * size, c.shape[1])

    for loop in rows, columns:
        loop.__name__ = loop.__qualname__ = f"{loop.__name__}_{letter}"  # what is kept on disk is kept under its name
    return parallel(rows, multiplies=True), parallel(columns, multiplies=True), blas_function(f"{letter}gemm")[0]


def split_product(x, y, out, by_rows, block):
    """out = x.dot(y), `block` rows or columns at a time on all threads; False if the memory's order does not allow it.

    Matrices of one dtype, float32 or float64, more than one in each direction; out lies in C order.
    """
    if not (x.flags.forc and y.flags.forc and min(*x.shape, *y.shape) > 1):
        return False
    rows, columns, function = _splits("s" if out.dtype.char == "f" else "d")
    if by_rows:
        rows(len(out), block, function, x, y, out)
    else:
        columns(out.shape[1], block, function, x, y, out)
    return True
