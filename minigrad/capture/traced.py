"""A third array library beside NumPy and CuPy: it computes as NumPy does, and writes down what it computes.

A `Traced` has a NumPy array and no other state. Whatever an op, an optimiser or a module does to arrays it does to
these, through the same operators, methods and functions; each call that computes goes to the recorder. It is no
`ndarray`, and refuses to become one (`__array__`), so that no computation escapes unseen. `Library` stands where the
module `numpy` does, `Differences` where `minigrad.backend.numpy` does.
"""

import math
import operator
from types import SimpleNamespace

import numpy
from numpy.lib.stride_tricks import as_strided

from minigrad.backend import numpy as cpu
from minigrad.backend import owner
from minigrad.capture.record import Number, Recorder, Refused, View, here, plain, recorder
from minigrad.graph import Handle


class Traced:
    """An array whose use is recorded. `scalar`: NumPy would have given a scalar, which nothing changes in place."""

    __slots__ = ("value", "base", "scalar", "home", "__weakref__")
    __hash__ = object.__hash__

    def __init__(self, value, base=None, scalar=False):
        self.value, self.base, self.scalar, self.home = value, base, scalar, Recorder.active

    T = property(lambda self: self.transpose())

    def __len__(self):
        return len(self.value)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __repr__(self):
        return f"Traced({self.value!r})"

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        if method == "__call__":
            return compute(ufunc, *inputs, **options)
        if method == "reduce" and not set(options) - {"axis", "dtype", "keepdims"}:
            return reduce(ufunc, *inputs, **{"axis": 0, **options})
        return call(getattr(ufunc, method), *inputs, writes=inputs[:1] if method == "at" else (), **options)

    def __array_function__(self, function, types, args, options):
        if function in _SEEN:
            return again(function, *args, **options)
        return _FUNCTIONS[function](*args, **options) if function in _FUNCTIONS else call(function, *args, **options)

    def __array__(self, *args, **options):
        raise Refused(f"capture: NumPy itself asks for an array of the step at {here()}; a step that is captured uses "
                      "minigrad's functions, and no .numpy(), tensor(...) of a tensor, or print")

    def item(self, *args):
        raise Refused(f"capture: a tensor becomes a Python number at {here()}; return the tensor from the step, and "
                      "call .item() outside")

    __float__ = __int__ = __index__ = tolist = item

    def __bool__(self):
        """A branch on a value: the plan goes the way that the recording went, and looks whether it should have."""
        return recorder().guard(self.value)

    def get(self):
        """This array on the CPU, where it is."""
        return self

    def __getitem__(self, index):
        if not _basic(index):
            return call(operator.getitem, self, index)
        place = part(self.value, index)
        one = not isinstance(self.value[index], numpy.ndarray)  # a scalar in NumPy, and so a copy
        return fresh("each", "copy", [place], place[()]) if one else seen(self, place)

    def __setitem__(self, index, value):
        if _basic(index):
            assign(part(self.value, index), value)
        else:
            call(operator.setitem, self, index, value, writes=[self])

    def fill(self, value):
        assign(self.value, value)

    def astype(self, dtype, order="K", casting="unsafe", subok=True, copy=True):
        same = not copy and self.dtype == dtype
        return self if same else fresh("each", "copy", [self], self.value.astype(dtype, order), scalar=self.scalar)

    def copy(self, order="C"):
        return fresh("each", "copy", [self], self.value.copy(order))

    def dot(self, other):
        return product("dot", self, other)

    def diagonal(self, offset=0):
        return again(_diagonal, self, offset)

    def __pow__(self, other):
        """x ** y, which NumPy computes without `power` for some numbers y."""
        short = {2: numpy.square, 1: numpy.positive, 0.5: numpy.sqrt, -1: numpy.reciprocal}
        quick = type(other) in (int, float) and other in short and self.dtype.kind == "f" and not self.scalar
        return compute(short[other], self) if quick else _binary(numpy.power)(self, other)


def _binary(ufunc):
    return lambda self, other: NotImplemented if isinstance(other, Handle) else compute(ufunc, self, other)


def _delegate(names, make):
    for name in names.split():
        setattr(Traced, name, make(name))


_delegate("shape dtype ndim size strides itemsize nbytes flags",
          lambda name: property(lambda self: getattr(self.value, name)))
_delegate("reshape transpose swapaxes ravel squeeze view",
          lambda name: lambda self, *args, **o: again(lambda x: getattr(x, name)(*args, **o), self))
_delegate("sum max min any all clip mean cumsum argmax argmin argsort take repeat",
          lambda name: lambda self, *args, **options: getattr(numpy, name)(self, *args, **options))
for _name, _ufunc in (("add", numpy.add), ("sub", numpy.subtract), ("mul", numpy.multiply), ("truediv", numpy.divide),
                      ("floordiv", numpy.floor_divide), ("mod", numpy.remainder), ("and", numpy.bitwise_and),
                      ("or", numpy.bitwise_or), ("xor", numpy.bitwise_xor), ("matmul", numpy.matmul)):
    setattr(Traced, f"__{_name}__", _binary(_ufunc))
    setattr(Traced, f"__r{_name}__", lambda self, other, f=_ufunc: compute(f, other, self))
    setattr(Traced, f"__i{_name}__", lambda self, other, f=_ufunc: compute(
        f, self, other, out=None if self.scalar else self))
for _name, _ufunc in (("lt", numpy.less), ("le", numpy.less_equal), ("gt", numpy.greater), ("eq", numpy.equal),
                      ("ge", numpy.greater_equal), ("ne", numpy.not_equal)):
    setattr(Traced, f"__{_name}__", _binary(_ufunc))
Traced.__neg__ = lambda self: compute(numpy.negative, self)
Traced.__abs__ = lambda self: compute(numpy.absolute, self)
Traced.__invert__ = lambda self: compute(numpy.invert, self)
Traced.__rpow__ = lambda self, other: compute(numpy.power, other, self)


def _basic(index):
    """Whether an index sees part of the memory: of integers, slices, None and Ellipsis."""
    return all(i is None or i is Ellipsis or isinstance(i, slice) or
               isinstance(i, (int, numpy.integer)) and not isinstance(i, bool)
               for i in (index if isinstance(index, tuple) else (index,)))


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
    result = r.made(result)
    r.add(kind, name, operands, [r.view(result)], **options)
    return Traced(result, None, scalar)


def assign(place, value):
    """place[...] = value, where `place` is a NumPy array in memory that is known."""
    r = recorder()
    source, target = r.operand(value, place.dtype), r.view(place)
    place[...] = plain(value)
    if source != target:  # x[i] += y ends in x[i] = x[i]
        r.add("each", "copy", [source], [target])


def again(function, x, *args, **options):
    """function(x), which sees x's memory, or is a copy of it in C order."""
    result = function(x.value, *args, **options)
    if owner(result) is owner(x.value):
        return seen(x, result)
    r = recorder()
    r.made(result)
    r.add("each", "copy", [r.operand(x)], [r.view(result.reshape(x.shape))])
    return Traced(result)


def _diagonal(x, offset):
    """x.diagonal(offset), which NumPy gives read-only."""
    result = x.diagonal(offset)
    result.flags.writeable = x.flags.writeable
    return result


def compute(ufunc, *inputs, out=None, dtype=None, casting="same_kind", **rest):
    """A ufunc, element by element."""
    if ufunc is numpy.matmul:
        return product("matmul", *inputs)
    inputs, places = inputs[:ufunc.nin], inputs[ufunc.nin:]
    out = places[0] if places else out[0] if isinstance(out, tuple) else out
    if rest or ufunc.nout != 1:
        return call(ufunc, *inputs, **rest)
    values, options = [plain(x) for x in inputs], {} if dtype is None else {"dtype": numpy.dtype(dtype)}
    kinds = [type(v) if type(v) in (int, float) else numpy.asarray(v).dtype for v in values]
    wanted = {"signature": (None,) * ufunc.nin + (options["dtype"],)} if options else {}
    types = ufunc.resolve_dtypes((*kinds, None), **wanted)
    if out is None:
        return fresh("each", ufunc.__name__, inputs, ufunc(*values, **options), dtypes=types, types=types, **options)
    r = recorder()
    operands, place = [r.operand(x, d) for x, d in zip(inputs, types)], r.view(plain(out))
    ufunc(*values, out=plain(out), casting=casting, **options)
    r.add("each", ufunc.__name__, operands, [place], types=types, **options)
    return out


def reduce(ufunc, x, axis=None, dtype=None, out=None, keepdims=False):
    """A reduction over axes."""
    result = ufunc.reduce(x.value, axis=axis, dtype=dtype, keepdims=keepdims)
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = tuple(a % max(1, x.ndim) for a in axes)
    result = fresh("reduce", ufunc.__name__, [x], result, axis=axes, keepdims=keepdims)
    if out is None:
        return result
    out[...] = result
    return out


def product(name, x, y):
    """x.dot(y) or x @ y. A sum of one product is element by element; the BLAS adds it to 0, which leaves no -0."""
    x, y = Library.asarray(x), Library.asarray(y)
    one, other = x.value, y.value
    if one.ndim in (1, 2) and other.ndim in (1, 2) and one.shape[-1] == 1 and one.dtype == other.dtype:
        result = x.reshape(one.shape[:-1] + (1,) * (one.ndim == other.ndim == 2)) * y.reshape(other.shape[1:])
        return Traced((result + one.dtype.type(0)).value, None, one.ndim == other.ndim == 1)
    with cpu.one_blas_thread:  # as the backend has it; two threads of the BLAS add up in another order
        return fresh("product", name, [x, y], one.dot(other) if name == "dot" else one @ other)


def multiplies(x, y):
    """The multiply-adds of x.dot(y), where x and y have shapes."""
    return math.prod(x.shape) * (y.shape[1] if len(y.shape) == 2 else 1)


def call(function, *args, writes=(), **options):
    """Any other function of arrays: recorded as it is; the plan calls it again, on the same memory."""
    r, views = recorder(), []

    def taken(x):
        if isinstance(x, (Traced, numpy.ndarray)):
            views.append(r.operand(x))
            return views[-1]
        if isinstance(x, Number):
            return x.fixed()
        if isinstance(x, slice):
            return slice(taken(x.start), taken(x.stop), taken(x.step))
        return type(x)(map(taken, x)) if type(x) in (tuple, list) else x

    args_taken, places = taken(args), [r.view(x.value) for x in writes]
    result = function(*plain(args), **options)
    several = isinstance(result, tuple)
    made = result if several else (result,)
    if not writes and not all(isinstance(x, (numpy.ndarray, numpy.generic)) for x in made):
        raise Refused(f"capture: {function.__name__} makes something else than an array of the step at {here()}; do "
                      "that outside")
    if not several and any(isinstance(x, Traced) and owner(result) is owner(x.value) for x in args):
        return seen(next(x for x in args if isinstance(x, Traced)), result)
    results = [] if writes else [Traced(r.made(x), None, not isinstance(x, numpy.ndarray)) for x in made]
    r.add("call", function.__name__, [x for x in views if isinstance(x, View)], places or [
        r.view(x.value) for x in results], run=function, args=args_taken, given=options, writes=bool(writes))
    return tuple(results) if several else results[0] if results else None


def _where(condition, x, y):
    result = numpy.where(*map(plain, (condition, x, y)))
    types = numpy.dtype(bool), result.dtype, result.dtype, result.dtype
    return fresh("each", "where", [condition, x, y], result, dtypes=types, types=types)


def _clip(x, low=None, high=None, out=None):
    if low is None or high is None:
        return compute(*((numpy.minimum, x, high) if low is None else (numpy.maximum, x, low)), out=out)
    return compute(numpy._core.umath.clip, x, low, high, out=out)


def _concatenate(parts, axis=0):
    r, result, start = recorder(), numpy.concatenate([plain(x) for x in parts], axis), 0
    r.made(result)
    rows = numpy.moveaxis(result, axis, 0)
    for x in parts:
        place = numpy.moveaxis(rows[start:start + x.shape[axis]], 0, axis)
        start += x.shape[axis]
        r.add("each", "copy", [r.operand(x)], [r.view(place)])
    return Traced(result)


def _like(value):
    """empty_like, zeros_like, full_like ..."""
    return lambda x, *args, **options: made("full_like", x, *args, **options) if value == "given" else made(
        "full_like", x, value, *args, **options)


def made(name, *args, **options):
    """New memory, full of one value, the second argument; or, where that is None, empty."""
    value = plain(args[1])
    result = getattr(numpy, name)(plain(args[0]), 0 if value is None else value, *args[2:], **options)
    recorder().made(result)
    if value is not None:
        assign(result, args[1])
    return Traced(result)


_SEEN = {numpy.reshape, numpy.transpose, numpy.swapaxes, numpy.moveaxis, numpy.expand_dims, numpy.squeeze,
         numpy.broadcast_to, numpy.flip, numpy.ravel}
_FUNCTIONS = {
    numpy.where: _where, numpy.clip: _clip, numpy.concatenate: _concatenate, numpy.copy: Traced.copy,
    numpy.dot: lambda x, y: product("dot", x, y),
    numpy.may_share_memory: lambda x, y: numpy.may_share_memory(*plain((x, y))),
    numpy.stack: lambda parts, axis=0: _concatenate([numpy.expand_dims(x, axis) for x in parts], axis),
    numpy.tile: lambda x, times: numpy.broadcast_to(x, (times, x.size)).reshape(-1),  # of a vector, as ops use it
    numpy.empty_like: _like(None), numpy.zeros_like: _like(0), numpy.ones_like: _like(1),
    numpy.full_like: _like("given"),
    **{function: lambda x, *args, f=ufunc, **options: reduce(f, x, *args, **options) for function, ufunc in (
        (numpy.sum, numpy.add), (numpy.max, numpy.maximum), (numpy.min, numpy.minimum), (numpy.any, numpy.logical_or),
        (numpy.all, numpy.logical_and))}}


class Library:
    """What stands where the module `numpy` does: NumPy, but for functions that make arrays of no array."""

    __name__ = "traced"
    lib = SimpleNamespace(stride_tricks=SimpleNamespace(
        as_strided=lambda x, shape, strides: seen(x, as_strided(x.value, shape, strides))))

    @staticmethod
    def asarray(x, dtype=None):
        if not isinstance(x, Traced):
            x = Traced(numpy.asarray(x, dtype))
        return x if dtype is None or x.dtype == dtype else x.astype(dtype)

    def __getattr__(self, name):
        values = {"empty": None, "zeros": 0, "ones": 1}
        if name in values:
            return lambda shape, dtype=float: made("full", shape, values[name], dtype)
        return (lambda *args, **options: made("full", *args, **options)) if name == "full" else getattr(numpy, name)


class Differences:
    """What stands where the module `minigrad.backend.numpy` does: it, but for threads, loops and new memory."""

    for_blocks = staticmethod(lambda part, count, *sizes: part(slice(0, count)))
    sum_blocks = for_blocks
    for_pieces = staticmethod(lambda part, operations, *arrays, **loop: part(*arrays))
    loop = shared_loop = staticmethod(lambda function, like: None)
    strided = staticmethod(Library.lib.stride_tricks.as_strided)
    channels_last = staticmethod(lambda shape, dtype: Traced(recorder().made(cpu.channels_last(shape, dtype))))
    address = staticmethod(lambda x: cpu.address(x.value))

    @staticmethod
    def dot(x, y):
        """A product; a long one is the backend's, which splits it over threads."""
        long = cpu.threads._threads.count > 1 and multiplies(x, y) >= cpu.threads.MEDIUM
        if not long or x.ndim == y.ndim == 1 or x.dtype != y.dtype or x.dtype.char not in "fd":
            return product("dot", x, y)
        r, ins = recorder(), [recorder().operand(x), recorder().operand(y)]
        result = r.made(cpu.dot(*plain((x, y))))
        place = r.view(result)
        r.add("call", "dot", ins, [place], run=cpu.dot, args=tuple(ins), given={"out": place}, writes=True)
        return Traced(result)

    @staticmethod
    def matmul(x, y):
        """As in the backend: stacks of matrices are its own."""
        return Differences.dot(x, y) if x.ndim == 2 == y.ndim else call(cpu.matmul, x, y)

    @staticmethod
    def outer(x, y):
        """A product by element, or, where the backend takes the BLAS, that added to 0, which leaves no -0."""
        result = x.reshape(-1, 1) * y
        minus = [numpy.full(n, value, x.dtype) for n, value in ((x.size, -0.0), (y.size, 1.0))]
        signs = result.dtype.kind != "f" or numpy.signbit(cpu.outer(*minus)).all()
        return result if signs else result + result.dtype.type(0)

    def __getattr__(self, name):
        return getattr(cpu, name)


Traced.library, Traced.differences = Library(), Differences()
