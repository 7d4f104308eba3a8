"""A third array library beside NumPy and CuPy: it computes as NumPy does, and writes down what it computes.

A `Traced` has a NumPy array and no other state. Whatever the engine, an op, an optimiser or a module does to arrays it
does to these, through the same names; each call that computes goes to the recorder. It is no `ndarray`, and refuses to
become one (`__array__`), so that no computation escapes unseen. `LIBRARY` stands where `numpy` does, `DIFFERENCES`
where `minigrad.backend.numpy` does.
"""

import math
import operator

import numpy

from minigrad.backend import numpy as cpu
from minigrad.backend import owner
from minigrad.capture.record import Number, Recorder, Refused, View, here, plain, recorder
from minigrad.graph import Handle

_clip, _reduces = numpy._core.umath.clip, {"add": numpy.add, "max": numpy.maximum, "min": numpy.minimum,
                                           "any": numpy.logical_or, "all": numpy.logical_and}


class Traced:
    """An array whose use is recorded. `scalar`: NumPy would have given a scalar, which no operation changes in place."""

    __slots__ = ("value", "base", "scalar", "home", "__weakref__")
    __hash__ = object.__hash__

    def __init__(self, value, base=None, scalar=False):
        self.value, self.base, self.scalar, self.home = value, base, scalar, Recorder.active

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    strides = property(lambda self: self.value.strides)
    itemsize = property(lambda self: self.value.itemsize)
    nbytes = property(lambda self: self.value.nbytes)
    flags = property(lambda self: self.value.flags)
    T = property(lambda self: again(numpy.transpose, self))

    def __len__(self):
        return len(self.value)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __repr__(self):
        return f"Traced({self.value!r})"

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        return compute(ufunc, *inputs, **options) if method == "__call__" else reduce_or_call(
            ufunc, method, *inputs, **options)

    def __array_function__(self, function, types, args, options):
        return dispatch(function, *args, **options)

    def __array__(self, *args, **options):
        raise Refused(f"capture: an array of the step is needed by NumPy itself at {here()}; a step that is captured "
                      "may use minigrad's functions only, and no .numpy(), tensor(...) of a tensor, or print")

    def item(self, *args):
        raise Refused(f"capture: a tensor becomes a Python number at {here()}; return the tensor from the step, and "
                      "call .item() outside")

    __float__ = __int__ = __index__ = __complex__ = tolist = item

    def __bool__(self):
        """A branch on a value: the plan goes the way that the recording went, and looks whether it should have."""
        truth, r = bool(self.value), recorder()
        flag = View(r.flags.number, len(r.guards), (), (), numpy.dtype(bool))
        r.guards.append((truth, here()))
        r.add("each", "copy", [r.operand(self.reshape(()))], [flag])
        return truth

    def get(self):
        """This array on the CPU, where it is."""
        return self

    def __getitem__(self, index):
        if not _basic(index):
            return call(operator.getitem, self, index)
        result = self.value[index]
        if isinstance(result, numpy.ndarray):
            return seen(self, result)
        return copy(seen(self, part(self.value, index)), scalar=True)

    def __setitem__(self, index, value):
        if not _basic(index):
            call(operator.setitem, self, index, value, writes=[self])
            return
        assign(part(self.value, index), value)

    def fill(self, value):
        assign(self.value, value)

    def astype(self, dtype, order="K", casting="unsafe", subok=True, copy=True):
        return self if not copy and self.dtype == dtype else fresh(
            "each", "copy", [self], self.value.astype(dtype, order), scalar=self.scalar)

    def copy(self, order="C"):
        return fresh("each", "copy", [self], self.value.copy(order))

    def dot(self, other):
        return product("dot", self, other)

    def clip(self, low=None, high=None, out=None):
        return dispatch(numpy.clip, self, low, high, out=out)

    def sum(self, axis=None, dtype=None, out=None, keepdims=False):
        return reduce("add", self, axis, dtype, out, keepdims)

    def max(self, axis=None, out=None, keepdims=False):
        return reduce("max", self, axis, None, out, keepdims)

    def min(self, axis=None, out=None, keepdims=False):
        return reduce("min", self, axis, None, out, keepdims)

    def any(self, axis=None, out=None, keepdims=False):
        return reduce("any", self, axis, None, out, keepdims)

    def all(self, axis=None, out=None, keepdims=False):
        return reduce("all", self, axis, None, out, keepdims)


def _method(name):
    """A method that sees the same memory in another way, or copies where it cannot."""
    def method(self, *args, **options):
        return again(lambda x: getattr(x, name)(*args, **options), self)

    return method


for _name in ("reshape", "transpose", "swapaxes", "ravel", "squeeze", "view"):
    setattr(Traced, _name, _method(_name))
for _name in ("mean", "cumsum", "prod", "argmax", "argmin", "argsort", "round", "repeat", "take", "std", "var"):
    setattr(Traced, _name, lambda self, *args, name=_name, **options: call(
        getattr(numpy.ndarray, name), self, *args, **options))


def _operator(ufunc, swapped=False):
    def method(self, other):
        if isinstance(other, Handle):
            return NotImplemented
        return compute(ufunc, other, self) if swapped else compute(ufunc, self, other)

    return method


def _in_place(ufunc):
    def method(self, other):
        return compute(ufunc, self, other) if self.scalar else compute(ufunc, self, other, out=self)

    return method


for _name, _ufunc in (("add", numpy.add), ("sub", numpy.subtract), ("mul", numpy.multiply), ("truediv", numpy.divide),
                      ("floordiv", numpy.floor_divide), ("mod", numpy.remainder), ("and", numpy.bitwise_and),
                      ("or", numpy.bitwise_or), ("xor", numpy.bitwise_xor)):
    setattr(Traced, f"__{_name}__", _operator(_ufunc)), setattr(Traced, f"__r{_name}__", _operator(_ufunc, True))
    setattr(Traced, f"__i{_name}__", _in_place(_ufunc))
for _name, _ufunc in (("lt", numpy.less), ("le", numpy.less_equal), ("gt", numpy.greater), ("eq", numpy.equal),
                      ("ge", numpy.greater_equal), ("ne", numpy.not_equal)):
    setattr(Traced, f"__{_name}__", _operator(_ufunc))
Traced.__neg__ = lambda self: compute(numpy.negative, self)
Traced.__abs__ = lambda self: compute(numpy.absolute, self)
Traced.__invert__ = lambda self: compute(numpy.invert, self)
Traced.__matmul__ = lambda self, other: NotImplemented if isinstance(other, Handle) else product("matmul", self, other)
Traced.__rmatmul__ = lambda self, other: product("matmul", other, self)
Traced.__rpow__ = lambda self, other: compute(numpy.power, other, self)


def _power(self, other):
    """x ** y, which NumPy computes without `power` for some numbers y."""
    if isinstance(other, Handle):
        return NotImplemented
    short = {2: numpy.square, 1: numpy.positive, 0.5: numpy.sqrt, -1: numpy.reciprocal}
    if isinstance(other, (int, float)) and other in short and self.dtype.kind == "f" and not self.scalar:
        return compute(short[other], self)
    return compute(numpy.power, self, other)


Traced.__pow__ = _power


def _basic(index):
    """Whether an index sees part of the memory, of integers and slices only."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(i is None or i is Ellipsis or isinstance(i, slice) or
               isinstance(i, (int, numpy.integer)) and not isinstance(i, bool) for i in parts)


def part(array, index):
    """array[index], as an array also where it is one element."""
    index = index if isinstance(index, tuple) else (index,)
    return array[index if any(i is Ellipsis for i in index) else (*index, ...)]


def seen(x, value):
    """`value`, which lies in the memory of x, as a Traced."""
    return Traced(value, x if x.base is None else x.base)


def fresh(kind, name, operands, result, scalar=None, dtypes=None, **options):
    """The result of a call that made new memory, recorded."""
    r = recorder()
    operands = [r.operand(x, dtypes[i] if dtypes else None) for i, x in enumerate(operands)]
    scalar = not isinstance(result, numpy.ndarray) if scalar is None else scalar
    result = numpy.asarray(result)
    r.know(result, "memory")
    r.add(kind, name, operands, [r.view(result)], **options)
    return Traced(result, None, scalar)


def assign(place, value):
    """place[...] = value, where `place` is a NumPy array in memory that is known."""
    r, given = recorder(), plain(value)
    source, target = r.operand(value, place.dtype), r.view(place)
    place[...] = given
    if source != target:  # x[i] += y ends in x[i] = x[i]
        if isinstance(source, View):
            source = _stretched(source, place.shape)
        r.add("each", "copy", [source], [target])


def _stretched(view, shape):
    """A view broadcast to a shape; axes of length 1 in front may be too many."""
    extra = len(view.shape) - len(shape)
    old, strides = (view.shape[extra:], view.strides[extra:]) if extra > 0 else (
        (1,) * -extra + view.shape, (0,) * -extra + view.strides)
    return view._replace(shape=tuple(shape), strides=tuple(0 if n == 1 else s for n, s in zip(old, strides)))


def copy(x, scalar=False):
    """A copy in C order."""
    return fresh("each", "copy", [x], x.value.copy(), scalar=scalar)


def again(function, x, *args, **options):
    """function(x), which sees x's memory, or is a copy of it in C order."""
    result = function(plain(x), *args, **options)
    if not isinstance(x, Traced) or owner(result) is owner(x.value):
        return seen(x, result) if isinstance(x, Traced) else result
    r = recorder()
    source = r.operand(x)
    r.know(result, "memory")
    r.add("each", "copy", [source], [r.view(result.reshape(x.shape))])
    return Traced(result)


def compute(ufunc, *inputs, out=None, dtype=None, casting="same_kind", **rest):
    """A ufunc, element by element."""
    inputs, places = inputs[:ufunc.nin], inputs[ufunc.nin:]
    out = places[0] if places else out[0] if isinstance(out, tuple) else out
    if rest or ufunc.nout != 1 or ufunc.signature is not None:
        return call(ufunc, *inputs, out=out, dtype=dtype, **rest)
    options = {} if dtype is None else {"dtype": numpy.dtype(dtype)}
    values = [plain(x) for x in inputs]
    kinds = [type(v) if type(v) in (int, float) else numpy.asarray(v).dtype for v in values]
    dtypes = ufunc.resolve_dtypes((*kinds, None), **(
        {"signature": (None,) * ufunc.nin + (options["dtype"],)} if options else {}))
    if out is None:
        return fresh("each", ufunc.__name__, inputs, ufunc(*values, **options), dtypes=dtypes, types=dtypes, **options)
    r, target = recorder(), plain(out)
    operands, place = [r.operand(x, d) for x, d in zip(inputs, dtypes)], r.view(target)
    ufunc(*values, out=target, casting=casting, **options)
    r.add("each", ufunc.__name__, operands, [place], types=dtypes, **options)
    return out


def reduce(name, x, axis=None, dtype=None, out=None, keepdims=False):
    """A reduction over axes."""
    if out is not None:
        out[...] = reduce(name, x, axis, dtype, None, keepdims)
        return out
    result = _reduces[name].reduce(x.value, axis=axis, dtype=dtype, keepdims=keepdims)
    axes = tuple(range(x.ndim)) if axis is None else tuple(
        a % x.ndim for a in (axis if isinstance(axis, tuple) else (axis,)))
    return fresh("reduce", _reduces[name].__name__, [x], result, axis=axes, keepdims=keepdims)


def reduce_or_call(ufunc, method, *inputs, **options):
    """ufunc.reduce, which has a call of its own, or ufunc.at and the like."""
    for name, one in _reduces.items():
        if one is ufunc and method == "reduce" and not set(options) - {"axis", "dtype", "keepdims"}:
            return reduce(name, inputs[0], **{"axis": 0, **options})
    return call(getattr(ufunc, method), *inputs, writes=[inputs[0]] if method == "at" else (), **options)


def product(name, x, y):
    """x.dot(y) or x @ y. A sum of one product is element by element; the BLAS adds it to 0, which leaves no -0."""
    x, y = known(x), known(y)
    one, other = x.value, y.value
    if one.ndim in (1, 2) and other.ndim in (1, 2) and one.shape[-1] == 1 and one.dtype == other.dtype:
        result = x.reshape(one.shape[:-1] + (1,) * (one.ndim == other.ndim == 2)) * y.reshape(other.shape[1:])
        return Traced((result + one.dtype.type(0)).value, None, one.ndim == other.ndim == 1)
    return fresh("product", name, [x, y], one.dot(other) if name == "dot" else one @ other)


def call(function, *args, writes=(), **options):
    """Any other function of arrays: recorded as it is, and called again by the plan on the same memory."""
    r = recorder()
    template, views = [], []

    def taken(x):
        if isinstance(x, (Traced, numpy.ndarray)):
            view = r.operand(x)
            views.append(view)
            return view
        if isinstance(x, Number):
            return x._fixed()
        if isinstance(x, (tuple, list)) and not hasattr(x, "_fields"):
            return type(x)(map(taken, x))
        return slice(*map(taken, (x.start, x.stop, x.step))) if isinstance(x, slice) else x

    template = taken(args)
    options = {key: taken(value) for key, value in options.items() if value is not None}
    places = [r.view(plain(x)) for x in writes]
    result = function(*plain(args), **{k: plain_of(v, options[k]) for k, v in options.items()})
    if places:
        r.add("call", _name_of(function), views, places, run=function, args=template, given=options, writes=True)
        return None
    several = isinstance(result, (tuple, list))
    results = [Traced(numpy.asarray(x), None, not isinstance(x, numpy.ndarray))
               for x in (result if several else [result])]
    for x in args:
        if isinstance(x, Traced) and not several and owner(results[0].value) is owner(x.value):
            return seen(x, result)  # as of einsum("ii->i")
    for x in results:
        r.know(x.value, "memory")
    r.add("call", _name_of(function), views, [r.view(x.value) for x in results], run=function, args=template,
          given=options, writes=False)
    return type(result)(results) if several else results[0]


def plain_of(_, value):
    """An option of a call, which is no array."""
    if isinstance(value, View):
        raise Refused(f"capture: an array given by keyword at {here()} cannot be recorded; give it by position")
    return value


def _name_of(function):
    return getattr(function, "__name__", str(function))


def _where(condition, x, y):
    values = [plain(v) for v in (condition, x, y)]
    result = numpy.where(*values)
    dtypes = (numpy.dtype(bool), result.dtype, result.dtype)
    return fresh("each", "where", [condition, x, y], result, dtypes=dtypes, types=(*dtypes, result.dtype))


def _clipped(x, low=None, high=None, out=None):
    if low is None or high is None:
        bound, ufunc = (high, numpy.minimum) if low is None else (low, numpy.maximum)
        return compute(ufunc, x, bound, out=out)
    return compute(_clip, x, low, high, out=out)


def _concatenate(parts, axis=0):
    result = numpy.concatenate([plain(x) for x in parts], axis)
    r = recorder()
    r.know(result, "memory")
    start = 0
    for x in parts:
        part = numpy.moveaxis(result, axis, 0)[start:start + x.shape[axis]]
        start += x.shape[axis]
        r.add("each", "copy", [r.operand(x)], [r.view(numpy.moveaxis(part, 0, axis))])
    return Traced(result)


def _stack(parts, axis=0):
    return _concatenate([dispatch(numpy.expand_dims, x, axis) for x in parts], axis)


def _tiled(x, times):
    """numpy.tile of a vector."""
    if x.ndim != 1 or not isinstance(times, int):
        return call(numpy.tile, x, times)
    return dispatch(numpy.broadcast_to, x, (times, x.size)).reshape(-1)


_FUNCTIONS = {
    numpy.where: _where, numpy.clip: _clipped, numpy.concatenate: _concatenate, numpy.stack: _stack,
    numpy.tile: _tiled, numpy.dot: lambda x, y: product("dot", x, y), numpy.copy: copy,
    numpy.sum: lambda x, *args, **options: x.sum(*args, **options),
    numpy.max: lambda x, *args, **options: x.max(*args, **options),
    numpy.min: lambda x, *args, **options: x.min(*args, **options),
    numpy.any: lambda x, *args, **options: x.any(*args, **options),
    numpy.all: lambda x, *args, **options: x.all(*args, **options),
}
_SEEN = {numpy.reshape, numpy.transpose, numpy.swapaxes, numpy.moveaxis, numpy.expand_dims, numpy.squeeze,
         numpy.broadcast_to, numpy.flip, numpy.ravel}
_MADE = {"empty": None, "empty_like": None, "zeros": 0, "zeros_like": 0, "ones": 1, "ones_like": 1}


def dispatch(function, *args, **options):
    """A NumPy function, by its kind."""
    if function is numpy.matmul:
        return product("matmul", *args)
    if isinstance(function, numpy.ufunc):
        return compute(function, *args, **options)
    if function in _FUNCTIONS:
        return _FUNCTIONS[function](*args, **options)
    return (again if function in _SEEN else call)(function, *args, **options)


def made(name, *args, **options):
    """New memory, empty or full of one value."""
    value = args[1] if name.startswith("full") else _MADE[name]
    result = getattr(numpy, name)(*map(plain, args), **options)
    recorder().know(result, "memory")
    if value is not None:
        assign(result, value)
    return Traced(result)


def known(x, dtype=None, copy=False):
    """numpy.asarray: an array that enters the step, or a Traced as it is."""
    if not isinstance(x, Traced):
        x = Traced(numpy.asarray(x, dtype))
        recorder().operand(x)
    elif copy or dtype is not None and x.dtype != dtype:
        x = x.astype(x.dtype if dtype is None else dtype)
    return x


class Library:
    """What stands where the module `numpy` does."""

    __name__ = "traced"
    asarray, asanyarray = staticmethod(known), staticmethod(known)

    @staticmethod
    def array(x, dtype=None, copy=True):
        return known(x, dtype, copy)

    def __getattr__(self, name):
        thing = getattr(numpy, name)
        if name in _MADE or name in ("full", "full_like"):
            return lambda *args, **options: made(name, *args, **options)
        if isinstance(thing, type) or not callable(thing):
            return thing
        if name in ("arange", "linspace", "eye"):
            return lambda *args, **options: known(thing(*args, **options))
        return lambda *args, **options: dispatch(thing, *args, **options)


class Differences:
    """What stands where the module `minigrad.backend.numpy` does."""

    NAME, VECTOR, LEAST = cpu.NAME, cpu.VECTOR, cpu.LEAST

    @staticmethod
    def for_blocks(part, count, rows, values, work):
        part(slice(0, count))

    @staticmethod
    def sum_blocks(part, count, rows, values, work):
        return part(slice(0, count))

    @staticmethod
    def for_pieces(part, operations, *arrays):
        part(*arrays)

    @staticmethod
    def unwarned(function, *arrays):
        return function(*arrays)

    @staticmethod
    def channels_last(shape, dtype):
        result = cpu.channels_last(shape, dtype)
        recorder().know(result, "memory")
        return Traced(result)

    @staticmethod
    def loop(function, like):
        """None: the plan makes loops of its own."""

    @staticmethod
    def strided(x, shape, strides):
        return seen(x, numpy.lib.stride_tricks.as_strided(x.value, shape, strides))

    @staticmethod
    def products(x, y):
        return product("matmul", x, y) if x.shape[2] != 1 else x * y

    @staticmethod
    def vector_sum(x):
        return x.dot(known(cpu._ones(x.size, x.dtype))) if x.size <= cpu.VECTOR and x.dtype.kind == "f" else x.sum()

    @staticmethod
    def number(value, dtype):
        return dtype.type(value) if dtype.kind == "f" else value

    @staticmethod
    def outer(x, y):
        """As in the backend: by a loop or `*`, or by the BLAS, which adds the product to 0 and so has no -0."""
        result = x.reshape(-1, 1) * y
        by_blas = x.size * y.size <= cpu.LARGE and cpu.loop(cpu.compiled.outer, result.value) is None
        if by_blas and x.dtype.kind == "f":
            result += x.dtype.type(0)
        return result

    @staticmethod
    def scatter_add(out, index, values):
        call(numpy.add.at, out, index, values, writes=[out])

    @staticmethod
    def einsum(spec, *operands):
        return call(cpu.einsum, spec, *operands)

    @staticmethod
    def to_host(array):
        return array

    synchronize = staticmethod(cpu.synchronize)
    erf, ndtr = staticmethod(cpu.erf), staticmethod(cpu.ndtr)


LIBRARY, DIFFERENCES = Library(), Differences()
Traced.library, Traced.differences = LIBRARY, DIFFERENCES


def is_array(x):
    """Whether x is an array of NumPy's or of this library."""
    return isinstance(x, (numpy.ndarray, Traced))


def prod(shape):
    """The number of elements of a shape."""
    return math.prod(shape)
