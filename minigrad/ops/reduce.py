"""Sums and what is made of them: mean, variance, norms, extrema, softmax, cumulative sums.

`dim` is None (all axes), an axis or a tuple of axes, negative ones counted from the end; with `keepdim` the reduced
axes stay with size 1. Conventions are PyTorch's: `amax`, `amin` and the full `max`, `min` share the gradient equally
among ties, `max(x, dim)` gives it to the index that it returns; variance divides by n - 1 unless told otherwise; the
norm's gradient at a zero vector is 0.
"""

from typing import NamedTuple

from numpy import errstate

from minigrad.backend import array_module
from minigrad.graph import OUT, Handle, Op
from minigrad.ops.elementwise import abs, exp, pow, sqrt
from minigrad.ops.index import gather
from minigrad.ops.select import maximum, minimum, where
from minigrad.ops.shape import AXES, axes_of, broadcast_to, cat, flip, permute, squeeze


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
        if self.dim is None and not self.keepdim:
            self.kept_shape = (1,) * x.ndim
            return x.sum()
        axes = axes_of(self.dim, x.ndim)
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
        self.axes = axes_of(self.dim, x.ndim)
        self.kept_shape = kept_shape(x.shape, self.axes)
        count = 1
        for axis in self.axes:
            count *= x.shape[axis]
        self.scale = 1.0 / (count - self.correction) if count > self.correction else float("nan")
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
        axes = axes_of(self.dim, x.ndim)
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
        axes = axes_of(self.dim, x.ndim)
        self.kept_shape = kept_shape(x.shape, axes)
        y = getattr(x, self.extremum)(axes, keepdims=True)
        self.ties = (x == y) | (x != x)
        self.count = self.ties.sum(axes, keepdims=True).astype(x.dtype if x.dtype.kind == "f" else "float32")
        return y if self.keepdim else y.reshape([n for i, n in enumerate(x.shape) if i not in axes])

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
        xp = array_module(x)
        axes = axes_of(self.dim, x.ndim)
        self.kept_shape = kept_shape(x.shape, axes)
        # CuPy's max knows no `initial`.
        peak = x.max(axes, keepdims=True) if x.size else xp.full(self.kept_shape, -float("inf"), x.dtype)
        peak = xp.where(xp.isfinite(peak), peak, 0).astype(x.dtype)
        with errstate(over="ignore"):  # float16 below its range: e**-inf is the right 0
            total = xp.exp(x - peak).sum(axes, keepdims=True)
        empty = total == 0  # every entry is -inf: so is the result, without a warning
        y = xp.where(empty, -float("inf"), xp.log(total + empty) + peak).astype(x.dtype)
        return y if self.keepdim else y.reshape([n for i, n in enumerate(x.shape) if i not in axes])

    def backward(self, g, x, y):
        y = y.reshape(self.kept_shape)
        y = where(abs(y) == float("inf"), 0.0, y)
        with errstate(over="ignore"):
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
        axes_of(self.dim, x.ndim)
        with errstate(over="ignore"):  # float16 below its range: e**-inf is the right 0
            y = array_module(x).exp(x - x.max(self.dim, keepdims=True))
        return y / y.sum(self.dim, keepdims=True)

    def backward(self, g, y):
        return y * (g - sum(g * y, self.dim, True)),


class LogSoftmax(Op):
    """y = x - ln sum e**x along one axis"""
    keep = (OUT,)
    fix = AXES

    def __init__(self, dim):
        self.dim = dim

    def forward(self, x):
        axes_of(self.dim, x.ndim)
        xp = array_module(x)
        with errstate(over="ignore"):  # float16 below its range: -inf
            y = x - x.max(self.dim, keepdims=True)
        return y - xp.log(xp.exp(y).sum(self.dim, keepdims=True))

    def backward(self, g, y):
        return g - exp(y) * sum(g, self.dim, True),


class CumSum(Op):
    """y[i] = x[0] + ... + x[i] along one axis"""
    fix = AXES

    def __init__(self, dim):
        self.dim = dim

    def forward(self, x):
        return (x if x.ndim else x.reshape(1)).cumsum(self.dim).reshape(x.shape)  # CuPy refuses 0-d arrays

    def backward(self, g):
        return flip(cumsum(flip(g, self.dim), self.dim), self.dim),


class Extremum(NamedTuple):
    """What `max(x, dim)` and `min(x, dim)` return."""

    values: object
    indices: object


def sum(x, dim=None, keepdim=False):
    """The sum over `dim` (None: all axes). Bools and integers sum to int64.

    >>> from minigrad import ones
    >>> sum(ones(2, 3), dim=1)
    tensor([3., 3.])
    """
    return Sum(dim, keepdim)(x)


def mean(x, dim=None, keepdim=False):
    """The mean over `dim` (None: all axes) of a floating tensor.

    Raises TypeError for integers: say `.float()` first.
    """
    if x.dtype.kind != "f":
        raise TypeError(f"mean: the input is {x.dtype}, which has no mean of its own kind; call .float() on it first")
    return Mean(dim, keepdim)(x)


def var(x, dim=None, correction=1, keepdim=False, unbiased=None):
    """The variance over `dim`, divided by n - correction (1, or unbiased=True; 0 or False: of the data itself)."""
    return Var(dim, correction if unbiased is None else int(unbiased), keepdim)(x)


def std(x, dim=None, correction=1, keepdim=False, unbiased=None):
    """The standard deviation over `dim`, the root of `var`; its gradient is 0 where all values are equal."""
    return sqrt(var(x, dim, correction, keepdim, unbiased))


def norm(x, p=2, dim=None, keepdim=False):
    """The p-norm over `dim`: p = 2 Euclidean, 1, inf, -inf or any other positive p. Its gradient at 0 is 0.

    >>> from minigrad import tensor
    >>> norm(tensor([3., 4.]))
    tensor(5.)
    """
    if p in (2, "fro"):
        return Norm(dim, keepdim)(x)
    if p == float("inf"):
        return Amax(dim, keepdim)(abs(x))
    if p == -float("inf"):
        return Amin(dim, keepdim)(abs(x))
    if not p > 0:
        raise ValueError(f"norm: p is {p}; use a positive p, inf or -inf")
    if p == 1:
        return sum(abs(x), dim, keepdim)
    # Powers of 0 are taken of 1 and left out: the slopes of x**p and x**(1/p) at 0 need not be finite.
    size = abs(x)
    powers = sum(_where_not_zero(size, lambda y: pow(y, p)), dim, keepdim)
    return _where_not_zero(powers, lambda y: pow(y, 1.0 / p))


def _where_not_zero(x, f):
    """f(x), but 0 with all derivatives where x is 0, at which f is not asked."""
    zero = x == 0
    return where(zero, 0.0, f(where(zero, 1.0, x)))


def amax(x, dim=None, keepdim=False):
    """The largest value over `dim`; ties share the gradient equally."""
    return Amax(dim, keepdim)(x)


def amin(x, dim=None, keepdim=False):
    """The smallest value over `dim`; ties share the gradient equally."""
    return Amin(dim, keepdim)(x)


def max(x, dim=None, keepdim=False):
    """The largest element; with `dim`, a pair (values, indices) along it, the gradient going to those indices.

    With another tensor in the place of `dim` it is `maximum`, as in PyTorch.

    >>> from minigrad import tensor
    >>> max(tensor([[1., 5.], [7., 2.]]), 1).indices
    tensor([1, 0])
    """
    if isinstance(dim, Handle):
        return maximum(x, dim)
    return Amax()(x) if dim is None else _along(x, argmax(x, dim, True), dim, keepdim)


def min(x, dim=None, keepdim=False):
    """The smallest element; with `dim`, a pair (values, indices) along it, the gradient going to those indices."""
    if isinstance(dim, Handle):
        return minimum(x, dim)
    return Amin()(x) if dim is None else _along(x, argmin(x, dim, True), dim, keepdim)


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
    return Op.wrap(index) if isinstance(x, Handle) else index


def prod(x, dim=None, keepdim=False):
    """The product over `dim`. A tree of multiplications, so that its derivatives are exact where factors are 0."""
    axes = axes_of(dim, len(x.shape), "prod")
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
        x = x[0]
    return x.reshape(shape if keepdim else tuple(shape[i] for i in rest))


def logsumexp(x, dim, keepdim=False):
    """ln sum e**x over `dim`, without overflow; -inf where all entries are."""
    return LogSumExp(dim, keepdim)(x)


def softmax(x, dim):
    """e**x / sum e**x along `dim`."""
    return Softmax(dim)(x)


def log_softmax(x, dim):
    """The logarithm of softmax along `dim`, computed without overflow."""
    return LogSoftmax(dim)(x)


def cumsum(x, dim):
    """The running sum along `dim`."""
    return CumSum(dim)(x)
