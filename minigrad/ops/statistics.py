"""What is made of reductions and sorting: median and quantiles, pairs of statistics, running products, differences."""

import math
from typing import NamedTuple

import numpy

from minigrad.backend import array_module
from minigrad.convert import Clone, cast
from minigrad.ops.checks import floating_only, whole
from minigrad.ops.compare import isnan
from minigrad.ops.elementary import lerp, logaddexp
from minigrad.ops.half import in_single
from minigrad.ops.index import gather, narrow
from minigrad.ops.order import Sorted, sort
from minigrad.ops.reduce import Amax, amax, amin, mean, norm, std, sum, var
from minigrad.ops.select import where
from minigrad.ops.shape import axes_of, axis_of, cat, squeeze, stack


class Median(Amax):
    """y = the element in the middle of all, of two in the middle the smaller; ties share the gradient equally"""

    def pick(self, x, axes):
        xp, flat = array_module(x), x.reshape(-1)
        y = xp.sort(flat)[(x.size - 1) // 2:(x.size + 1) // 2]
        return xp.where((flat != flat).any(), float("nan"), y).astype(x.dtype).reshape(self.kept_shape)


class MinMax(NamedTuple):
    """What `aminmax` returns."""

    min: object
    max: object


def median(x, dim=None, keepdim=False):
    """The element in the middle of all; with `dim`, a pair (values, indices) along it. Of two the smaller; NaN wins.

    >>> from minigrad import tensor
    >>> median(tensor([4., 1., 3., 2.]))
    tensor(2.)
    """
    if dim is None:
        if 0 in x.shape:
            return mean(x) if x.dtype.kind == "f" else _no_middle("median", x)
        return Median()(x) if x.dtype.kind == "f" else x.reshape(-1)[median(x.reshape(-1), 0).indices]
    dim, = axes_of(dim, len(x.shape), "median") or (0,)
    n = x.shape[dim] if x.shape else 1
    if not n:
        _no_middle("median", x)
    found = kthvalue(x, (n + 1) // 2, dim, True)
    if x.dtype.kind == "f":
        first = cast(isnan(x), numpy.dtype("uint8")).argmax(dim, True)  # 0 where there is none
        found = Sorted(*(where(isnan(gather(x, dim, first)), a, b) for a, b in (
            (gather(x, dim, first), found.values), (first, found.indices))))
    return found if keepdim else Sorted(*(squeeze(a, dim) for a in found))


def _no_middle(name, x):
    raise ValueError(f"{name}: the input has shape {tuple(x.shape)}, which has no middle; give it an element")


def kthvalue(x, k, dim=-1, keepdim=False):
    """The k-th smallest element along `dim`, counted from 1: a pair (values, indices)."""
    dim, = axes_of(dim, len(x.shape), "kthvalue") or (0,)
    n, k = x.shape[dim] if x.shape else 1, whole("kthvalue", "k", k)
    if not 1 <= k <= n:
        raise ValueError(f"kthvalue: k is {k} and axis {dim} has {n} elements; use 1 to {n}")
    found = sort(x, dim)
    if not x.shape:
        return found
    found = Sorted(*(narrow(a, dim, k - 1, 1) for a in found))
    return found if keepdim else Sorted(*(squeeze(a, dim) for a in found))


@in_single
def quantile(x, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The value below which a share q (0 to 1) of the elements lies, along `dim` or of all; NaN wins.

    q is a number, or a vector, whose axis then comes first. Between two elements `interpolation` is "linear", "lower",
    "higher", "nearest" or "midpoint".

    >>> from minigrad import tensor
    >>> quantile(tensor([0., 10.]), 0.3)
    tensor(3.)
    """
    floating_only("quantile", x)
    choices = {"linear": lambda at: at, "lower": math.floor, "higher": math.ceil, "nearest": round,
               "midpoint": lambda at: (math.floor(at) + math.ceil(at)) / 2}
    if interpolation not in choices:
        raise ValueError(f"quantile: interpolation is {interpolation!r}; use one of {', '.join(choices)}")
    shares = q.tolist() if hasattr(q, "tolist") else q
    if isinstance(shares, list):
        return stack([quantile(x, share, dim, keepdim, interpolation=interpolation) for share in shares])
    if not 0 <= shares <= 1:
        raise ValueError(f"quantile: q is {shares}; a share lies in 0..1")
    shape = (1,) * len(x.shape)
    axes_of(dim, len(shape), "quantile")
    x, axis, dim = (x.reshape(-1), 0, None) if dim is None or not shape else (x, dim, dim)
    axis = axis_of(axis, len(x.shape), "quantile")
    if 0 in x.shape:
        _no_middle("quantile", x)
    values = sort(x, axis).values
    at = choices[interpolation](shares * (x.shape[axis] - 1))
    low = math.floor(at)
    pieces = [narrow(values, axis, i, 1) for i in (low, math.ceil(at))]
    last = narrow(values, axis, x.shape[axis] - 1, 1)  # NaN if there is any
    y = where(isnan(last), float("nan"), lerp(*pieces, at - low))
    return y.reshape(shape) if keepdim and dim is None else y if keepdim else squeeze(y, axis)


def std_mean(x, dim=None, correction=1, keepdim=False, unbiased=None):
    """(std, mean) over `dim`."""
    return std(x, dim, correction, keepdim, unbiased), mean(x, None if isinstance(dim, bool) else dim, keepdim)


def var_mean(x, dim=None, correction=1, keepdim=False, unbiased=None):
    """(var, mean) over `dim`."""
    return var(x, dim, correction, keepdim, unbiased), mean(x, None if isinstance(dim, bool) else dim, keepdim)


def aminmax(x, dim=None, keepdim=False):
    """The smallest and the largest value over `dim`: a pair (min, max)."""
    return MinMax(amin(x, dim, keepdim), amax(x, dim, keepdim))


def nansum(x, dim=None, keepdim=False, *, dtype=None):
    """The sum over `dim` in which NaN counts for nothing."""
    return sum(where(isnan(x), 0.0, x) if x.dtype.kind == "f" else x, dim, keepdim, dtype=dtype)


def nanmean(x, dim=None, keepdim=False, *, dtype=None):
    """The mean over `dim` of what is not NaN."""
    if dtype is not None:
        return nanmean(cast(x, numpy.dtype(dtype)), dim, keepdim)
    floating_only("nanmean", x)
    return nansum(x, dim, keepdim) / sum(cast(x == x, x.dtype), dim, keepdim)


def dist(x, y, p=2):
    """The p-norm of x - y."""
    return norm(x - y, p)


def cumprod(x, dim, *, dtype=None):
    """The running product along `dim`; bools and integers multiply to int64.

    Products of 2, of 4, of 8 ... elements, so that its derivatives are exact where factors are 0.
    """
    if dtype is not None or x.dtype.kind in "biu":
        x = cast(x, numpy.dtype(dtype or "int64"))
    return _running(x, dim, lambda x, y: x * y)


def logcumsumexp(x, dim):
    """The logarithm of the running sum of e**x along `dim`, without overflow."""
    return _running(x, dim, logaddexp)


@in_single
def _running(x, dim, combine):
    """Each element combined with all before it: after k rounds, with 2**k - 1 of them."""
    dim, = axes_of(dim, len(x.shape)) or (None,)
    reach, n = 1, 1 if dim is None else x.shape[dim]
    while reach < n:
        rest = n - reach
        x = cat([narrow(x, dim, 0, reach), combine(narrow(x, dim, reach, rest), narrow(x, dim, 0, rest))], dim)
        reach *= 2
    return x if reach > 1 else Clone()(x)


def diff(x, n=1, dim=-1, prepend=None, append=None):
    """The differences of neighbours along `dim`, n times over; of bools whether they differ.

    >>> from minigrad import tensor
    >>> diff(tensor([1, 4, 9]))
    tensor([3, 5])
    """
    if not x.shape:
        raise ValueError("diff: the input is a number; give it an axis")
    dim = axis_of(dim, len(x.shape), "diff")
    parts = [part for part in (prepend, x, append) if part is not None]
    x = cat(parts, dim) if len(parts) > 1 else x
    for _ in range(min(whole("diff", "n", n), x.shape[dim])):
        length = max(x.shape[dim] - 1, 0)
        left, right = narrow(x, dim, 0, length), narrow(x, dim, x.shape[dim] - length, length)
        x = right != left if x.dtype.kind == "b" else right - left
    return x if n else Clone()(x)
