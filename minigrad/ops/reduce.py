"""Sums and what is made of them: mean, variance, norms, extrema, softmax, cumulative sums.

`dim` is None or () (all axes), an axis or a tuple of axes, negative ones counted from the end; with `keepdim` the
reduced axes stay with size 1. Conventions are PyTorch's: `amax`, `amin` and the full `max`, `min` share the gradient
equally among ties, `max(x, dim)` gives it to the index that it returns; variance divides by n - 1 unless told
otherwise; the norm's gradient at a zero vector is 0. Integers and bools add up and multiply in int64, float16 in
float32, and what has fractions (mean, variance, norm, softmax) is refused to integers. `dtype`, where it is taken, is
what the input is cast to first.
"""

from typing import NamedTuple

import numpy

from minigrad.backend import array_module, floating
from minigrad.convert import Clone, cast
from minigrad.graph import OUT, Handle, Op
from minigrad.ops.checks import floating_only
from minigrad.ops.compare import answered
from minigrad.ops.elementwise import abs, exp, pow, sqrt
from minigrad.ops.half import in_single
from minigrad.ops.index import gather
from minigrad.ops.select import maximum, minimum, where
from minigrad.ops.shape import AXES, axes_of, broadcast_to, cat, flip, permute, squeeze


def reduced(dim, ndim):
    """The axes that a reduction goes over: all for None, and for an empty tuple, too."""
    return axes_of(None if isinstance(dim, (tuple, list)) and not dim else dim, ndim)


def kept_shape(shape, axes):
    """`shape` with 1 for every axis in `axes`: what keepdim leaves."""
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


class Sum(Op):
    """y = sum of x over axes"""
    fix = AXES

    def __init__(self, dim=None, keepdim=False):
        self.dim, self.keepdim = dim, keepdim

    def forward(self, x):
        self.shape = x.shape
        if x.dtype.kind in "biu":
            x = x.astype("int64")
        if self.dim is None and not self.keepdim:
            self.kept_shape = (1,) * x.ndim
            return x.sum()
        axes = reduced(self.dim, x.ndim)
        self.kept_shape = kept_shape(x.shape, axes)
        return x.sum(axes, keepdims=self.keepdim)

    def backward(self, g):
        return broadcast_to(g.reshape(self.kept_shape), self.shape),


class Mean(Sum):
    """y = mean of x over axes"""

    def forward(self, x):
        total = super().forward(x)
        self.count = x.size // (total.size or 1)
        return total * (1.0 / self.count if self.count else float("nan"))

    def backward(self, g):
        return broadcast_to((g * (1.0 / (self.count or 1))).reshape(self.kept_shape), self.shape),


class Var(Op):
    """y = sum((x - mean x)**2) / (n - correction) over axes"""
    keep = (0,)
    fix = AXES

    def __init__(self, dim=None, correction=1, keepdim=False):
        self.dim, self.correction, self.keepdim = dim, correction, keepdim

    def forward(self, x):
        self.axes = reduced(self.dim, x.ndim)
        self.kept_shape = kept_shape(x.shape, self.axes)
        count = 1
        for axis in self.axes:
            count *= x.shape[axis]
        self.scale = 1.0 / (count - self.correction) if count > self.correction else float("inf")  # times 0: NaN
        self.count = count or 1
        centred = self.centred(x)
        return (centred * centred).sum(self.axes, keepdims=self.keepdim) * self.scale

    def centred(self, x):
        """x less its mean, twice: the mean of values near 1e4 is rounded, and that would be the deviations' error."""
        for _ in range(2):
            x = x - sum(x, self.axes, True) * (1.0 / self.count)
        return x

    def backward(self, g, x):
        return g.reshape(self.kept_shape) * (2 * self.scale) * self.centred(x),


class Norm(Op):
    """y = sqrt(sum x**2) over axes; at a zero vector the gradient is 0, at every order"""
    keep = (0, OUT)
    fix = AXES

    def __init__(self, dim=None, keepdim=False):
        self.dim, self.keepdim = dim, keepdim

    def forward(self, x):
        axes = reduced(self.dim, x.ndim)
        self.kept_shape = kept_shape(x.shape, axes)
        return array_module(x).sqrt((x * x).sum(axes, keepdims=self.keepdim))

    def backward(self, g, x, y):
        y = y.reshape(self.kept_shape)
        return g.reshape(self.kept_shape) * (x / where(y == 0, float("inf"), y)),


class Amax(Op):
    """y = the largest over axes; ties share the gradient equally"""
    fix = AXES + "; an empty axis has no largest or smallest element"
    extremum = "max"

    def __init__(self, dim=None, keepdim=False):
        self.dim, self.keepdim = dim, keepdim

    def forward(self, x):
        axes = reduced(self.dim, x.ndim)
        self.kept_shape = kept_shape(x.shape, axes)
        y = self.pick(x, axes)
        self.ties = (x == y) | (x != x)
        self.count = self.ties.sum(axes, keepdims=True).astype(x.dtype if x.dtype.kind == "f" else "float32")
        return y if self.keepdim else y.reshape([n for i, n in enumerate(x.shape) if i not in axes])

    def pick(self, x, axes):
        """The largest, the reduced axes with size 1."""
        return getattr(x, self.extremum)(axes, keepdims=True)

    def backward(self, g):
        return g.reshape(self.kept_shape) / self.count * self.ties,


class Amin(Amax):
    """y = the smallest over axes; ties share the gradient equally"""
    extremum = "min"


class LogSumExp(Op):
    """y = ln sum e**x over one or more axes, without overflow"""
    keep = (0, OUT)
    fix = AXES

    def __init__(self, dim, keepdim=False):
        self.dim, self.keepdim = dim, keepdim

    def forward(self, x):
        xp, x = array_module(x), floating(x)
        axes = reduced(self.dim, x.ndim)
        self.kept_shape = kept_shape(x.shape, axes)
        # CuPy's max knows no `initial`.
        peak = x.max(axes, keepdims=True) if x.size else xp.full(self.kept_shape, -float("inf"), x.dtype)
        peak = xp.where(xp.isfinite(peak), peak, 0).astype(x.dtype)
        total = xp.exp(x - peak).sum(axes, keepdims=True)
        empty = total == 0  # every entry is -inf: so is the result, without a warning
        y = xp.where(empty, -float("inf"), xp.log(total + empty) + peak).astype(x.dtype)
        return y if self.keepdim else y.reshape([n for i, n in enumerate(x.shape) if i not in axes])

    def backward(self, g, x, y):
        y = y.reshape(self.kept_shape)
        y = where(abs(y) == float("inf"), 0.0, y)
        e = exp(x - y)  # summed anew: what y lost by rounding is in every term, and cancels
        total = sum(e, self.dim, True)
        return g.reshape(self.kept_shape) * (e / where(total == 0, 1.0, total)),


class Softmax(Op):
    """y = e**x / sum e**x along one axis"""
    keep = (OUT,)
    fix = AXES

    def __init__(self, dim):
        self.dim = dim

    def forward(self, x):
        axis, = axes_of(self.dim, x.ndim) or (None,)
        if not x.size:
            return x.copy()
        y = array_module(x).exp(x - x.max(axis, keepdims=True))
        return y / y.sum(axis, keepdims=True)

    def backward(self, g, y):
        return y * (g - sum(g * y, self.dim, True)),


class LogSoftmax(Op):
    """y = x - ln sum e**x along one axis"""
    keep = (OUT,)
    fix = AXES

    def __init__(self, dim):
        self.dim = dim

    def forward(self, x):
        axis, = axes_of(self.dim, x.ndim) or (None,)
        if not x.size:
            return x.copy()
        xp = array_module(x)
        y = x - x.max(axis, keepdims=True)
        return y - xp.log(xp.exp(y).sum(axis, keepdims=True))

    def backward(self, g, y):
        return g - exp(y) * sum(g, self.dim, True),


class CumSum(Op):
    """y[i] = x[0] + ... + x[i] along one axis"""
    fix = AXES

    def __init__(self, dim):
        self.dim = dim

    def forward(self, x):
        axis, = axes_of(self.dim, x.ndim) or (0,)
        if x.dtype.kind in "biu":
            x = x.astype("int64")
        return (x if x.ndim else x.reshape(1)).cumsum(axis).reshape(x.shape)  # CuPy refuses 0-d arrays

    def backward(self, g):
        return flip(cumsum(flip(g, self.dim), self.dim), self.dim),


class Extremum(NamedTuple):
    """What `max(x, dim)` and `min(x, dim)` return."""

    values: object
    indices: object


@in_single
def sum(x, dim=None, keepdim=False, *, dtype=None):
    """The sum over `dim`. Bools and integers sum to int64.

    >>> from minigrad import ones
    >>> sum(ones(2, 3), dim=1)
    tensor([3., 3.])
    """
    if dtype is not None:
        return cast(sum(cast(x, numpy.dtype(dtype)), dim, keepdim), numpy.dtype(dtype))
    return Sum(dim, keepdim)(x)


@in_single
def mean(x, dim=None, keepdim=False, *, dtype=None):
    """The mean over `dim` of a floating tensor; NaN of nothing.

    Raises TypeError for integers: say `.float()` first, or give a floating `dtype`.
    """
    if dtype is not None:
        return mean(cast(x, numpy.dtype(dtype)), dim, keepdim)
    floating_only("mean", x)
    return Mean(dim, keepdim)(x)


@in_single
def var(x, dim=None, correction=1, keepdim=False, unbiased=None):
    """The variance over `dim`, divided by n - correction (1, or unbiased=True; 0 or False: of the data itself)."""
    floating_only("var", x)
    if isinstance(dim, bool):  # var(x, False), of all axes
        dim, unbiased = None, dim
    return Var(dim, correction if unbiased is None else int(unbiased), keepdim)(x)


@in_single
def std(x, dim=None, correction=1, keepdim=False, unbiased=None):
    """The standard deviation over `dim`, the root of `var`; its gradient is 0 where all values are equal."""
    floating_only("std", x)
    return sqrt(var(x, dim, correction, keepdim, unbiased))


@in_single
def norm(x, p=2, dim=None, keepdim=False):
    """The p-norm over `dim`: p = 2 (also "fro") Euclidean, 0 the number of elements other than 0, inf, -inf, or any p.

    Its gradient at 0 is 0.

    >>> from minigrad import tensor
    >>> norm(tensor([3., 4.]))
    tensor(5.)
    """
    floating_only("norm", x)
    if p is None or p in (2, "fro"):
        return Norm(dim, keepdim)(x)
    if isinstance(p, str):
        raise ValueError(f"norm: p is {p!r}; use 'fro' or a number")
    if p == float("inf"):
        return Amax(dim, keepdim)(abs(x))
    if p == -float("inf"):
        return Amin(dim, keepdim)(abs(x))
    if p == 0:
        return sum(cast(x != 0, x.dtype), dim, keepdim)
    if p == 1:
        return sum(abs(x), dim, keepdim)
    if p < 0:
        return pow(sum(pow(abs(x), p), dim, keepdim), 1.0 / p)
    # Powers of 0 are taken of 1 and left out: the slopes of x**p and x**(1/p) at 0 need not be finite.
    size = abs(x)
    powers = sum(_where_not_zero(size, lambda y: pow(y, p)), dim, keepdim)
    return _where_not_zero(powers, lambda y: pow(y, 1.0 / p))


def _where_not_zero(x, f):
    """f(x), but 0 with all derivatives where x is 0, at which f is not asked."""
    zero = x == 0
    return where(zero, 0.0, f(where(zero, 1.0, x)))


@in_single
def amax(x, dim=None, keepdim=False):
    """The largest value over `dim`; ties share the gradient equally."""
    return Amax(dim, keepdim)(x)


@in_single
def amin(x, dim=None, keepdim=False):
    """The smallest value over `dim`; ties share the gradient equally."""
    return Amin(dim, keepdim)(x)


def max(x, dim=None, keepdim=False, y=None):
    """The largest element; with `dim`, a pair (values, indices) along it, the gradient going to those indices.

    With another tensor, y, in the place of `dim` it is `maximum`, as in PyTorch.

    >>> from minigrad import tensor
    >>> max(tensor([[1., 5.], [7., 2.]]), 1).indices
    tensor([1, 0])
    """
    if isinstance(dim, Handle) or y is not None:
        return maximum(x, dim if y is None else y)
    return amax(x) if dim is None else _along(x, argmax(x, dim, True), dim, keepdim)


def min(x, dim=None, keepdim=False, y=None):
    """The smallest element; with `dim`, a pair (values, indices) along it, the gradient going to those indices."""
    if isinstance(dim, Handle) or y is not None:
        return minimum(x, dim if y is None else y)
    return amin(x) if dim is None else _along(x, argmin(x, dim, True), dim, keepdim)


def _along(x, indices, dim, keepdim):
    values = gather(x, dim, indices)
    return Extremum(values, indices) if keepdim else Extremum(squeeze(values, dim), squeeze(indices, dim))


def argmax(x, dim=None, keepdim=False):
    """The index (int64, no gradient) of the largest element, the first at ties; over all elements without `dim`."""
    return _arg("argmax", x, dim, keepdim)


def argmin(x, dim=None, keepdim=False):
    """The index (int64, no gradient) of the smallest element, the first at ties; over all elements without `dim`."""
    return _arg("argmin", x, dim, keepdim)


def _arg(name, x, dim, keepdim):
    array = x.array if isinstance(x, Handle) else x
    if dim is not None:
        axes_of(dim, array.ndim, name)
    try:
        index = getattr(array_module(array), name)(array, axis=dim, keepdims=keepdim)
    except ValueError as error:
        raise ValueError(f"{name}: {error}; inputs: {array.dtype}{array.shape}; fix: give it an element") from None
    return answered(name, index, (x,), dim=dim, keepdim=keepdim) if isinstance(x, Handle) else index


@in_single
def prod(x, dim=None, keepdim=False, *, dtype=None):
    """The product over `dim`. A tree of multiplications, so that its derivatives are exact where factors are 0.

    Bools and integers multiply to int64.
    """
    if dtype is not None or x.dtype.kind in "biu":
        x = cast(x, numpy.dtype(dtype or "int64"))
    axes = reduced(dim, len(x.shape))
    shape = kept_shape(x.shape, axes)
    rest = tuple(i for i in range(len(x.shape)) if i not in axes)
    count = 1
    for axis in axes:
        count *= x.shape[axis]
    x = permute(x, (*axes, *rest)).reshape(count, *[x.shape[i] for i in rest])
    if x.shape[0] == 0:
        x = sum(x, 0) + 1  # ones that come from x
    else:
        while (n := x.shape[0]) > 1:
            half = n // 2
            pairs = x[:half] * x[half:2 * half]
            x = cat([pairs, x[2 * half:]], 0) if n % 2 else pairs
        x = x[0] if count > 1 else Clone()(x[0])
    return x.reshape(shape if keepdim else tuple(shape[i] for i in rest))


@in_single
def logsumexp(x, dim, keepdim=False):
    """ln sum e**x over `dim`, without overflow; -inf where all entries are."""
    return LogSumExp(dim, keepdim)(x)


@in_single
def softmax(x, dim, dtype=None):
    """e**x / sum e**x along `dim`."""
    if dtype is not None:
        return softmax(cast(x, numpy.dtype(dtype)), dim)
    floating_only("softmax", x)
    return Softmax(dim)(x)


@in_single
def log_softmax(x, dim, dtype=None):
    """The logarithm of softmax along `dim`, computed without overflow."""
    if dtype is not None:
        return log_softmax(cast(x, numpy.dtype(dtype)), dim)
    floating_only("log_softmax", x)
    return LogSoftmax(dim)(x)


@in_single
def cumsum(x, dim, *, dtype=None):
    """The running sum along `dim`. Bools and integers sum to int64."""
    if dtype is not None:
        return cast(cumsum(cast(x, numpy.dtype(dtype)), dim), numpy.dtype(dtype))
    return CumSum(dim)(x)
