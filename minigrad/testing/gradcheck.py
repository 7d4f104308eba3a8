"""Gradients against differences: `check_grad`, its complex-step cousin, and a detector of kinks.

A function f of tensors is checked in float64 at one point. With random cotangents v and a random direction u, the
analytic <J'v, u> must equal the central difference of <v, f(x + h u)>. Random, because all-ones hide errors: a batch
norm whose backward returns zeros passes with them. The second order is the same check of the function (x, v) -> J(x)'v.
Complex steps (Squire & Trapp, "Using complex variables to estimate derivatives of real functions", SIAM Review 1998)
have no rounding error to balance, and check analytic functions to the last digits.
"""

import numpy

from minigrad import autograd, create
from minigrad.graph import Handle

EPSILON = numpy.finfo("float64").eps


class GradientMismatch(AssertionError):
    """A gradient that differs from the numeric one. The message says where, and ends with code that shows it again."""


class Nondifferentiable(Exception):
    """The function has a kink, or is not finite, at the point that was to be checked; take another one."""


def check_grad(f, *arrays, order=2, mode="project", seed=0, eps=1e-6, atol=1e-5, rtol=1e-4):
    """Raise GradientMismatch unless f's derivatives up to `order` agree with central differences at `arrays`.

    f takes as many tensors and returns a tensor or several; floating arrays are differentiated (in float64), integer
    ones are constants. mode "project" compares along one random direction an input, in a few calls of f, and looks for
    the worst element only after a failure; "full" compares the whole Jacobian, element by element. Steps are eps times
    the size of the values; a mismatch must persist at a larger and a smaller step. The test is
    |analytic - numeric| <= atol + rtol * |numeric|, plus what rounding makes of f; PyTorch's rtol is 1e-3.

    Raises Nondifferentiable where the one-sided slopes differ.

    >>> import numpy, minigrad
    >>> check_grad(minigrad.tanh, numpy.array([0.1, -2.0]))
    >>> check_grad(lambda x: minigrad.relu(x - 1.0), numpy.array([1.0]))  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    minigrad.testing.gradcheck.Nondifferentiable: ...
    """
    if mode not in ("project", "full"):
        raise ValueError(f"check_grad: mode is {mode!r}; use 'project' or 'full'")
    inputs = [_as_float64(a) for a in arrays]
    names = [f"input {i}" for i in range(len(inputs))]
    if not any(a.dtype.kind == "f" for a in inputs):
        raise ValueError(
            f"check_grad: none of the {len(inputs)} inputs is floating; give float arrays to differentiate"
        )
    rng = numpy.random.default_rng(seed)
    function = f
    for level in range(1, order + 1):
        point = _Point(function, inputs, names, rng, eps, atol, rtol)
        problem = point.check_directions() if mode == "project" else point.check_jacobian()
        if problem:
            what = "gradient" if level == 1 else "gradient of the gradient" if level == 2 else f"derivative {level}"
            raise GradientMismatch(f"{_name(f)}: the {what} is wrong: {problem}; seed {seed}; to see it again:\n"
                                   + _repro(f, arrays, order, mode, seed))
        names = names + [f"cotangent {j} (level {level})" for j in range(len(point.cotangents))]
        function, inputs = derivative(function, len(inputs)), inputs + point.cotangents


def check_differentiable(f, *arrays, seed=0, eps=1e-6):
    """Raise Nondifferentiable where f's slopes to either side of `arrays`, along a random direction, differ.

    >>> import numpy, minigrad
    >>> check_differentiable(minigrad.abs, numpy.array([0.3, 1.0]))
    >>> check_differentiable(minigrad.abs, numpy.array([0.0, 1.0]))  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    minigrad.testing.gradcheck.Nondifferentiable: ...
    """
    inputs = [_as_float64(a) for a in arrays]
    point = _Point(f, inputs, [], numpy.random.default_rng(seed), eps, 1e-5, 1e-3)
    for i in point.floating:
        point.refuse_kink(i, point.direction(i))


def check_grad_complex_step(f, *arrays, seed=0, rtol=1e-10, atol=1e-12, step=1e-30):
    """Raise GradientMismatch unless f's first derivatives agree with complex-step ones, to nearly all digits.

    f must be analytic and written in ops that take plain complex arrays as well as tensors (arithmetic, exp, log, sin,
    cos, tanh, matmul, sums, shapes; not abs, not comparisons).

    >>> import numpy, minigrad
    >>> check_grad_complex_step(lambda x: minigrad.exp(minigrad.sin(x)), numpy.array([0.1, 0.7]))
    """
    inputs = [_as_float64(a) for a in arrays]
    rng = numpy.random.default_rng(seed)
    ys = values(f, inputs)
    cotangents = [numpy.asarray(rng.standard_normal(y.shape)) for y in ys]
    gradients = vjp(f, inputs, cotangents)
    for i, (x, g) in enumerate(zip(inputs, gradients)):
        if g is None:
            continue
        worst, where = 0.0, None
        for index in numpy.ndindex(x.shape):
            moved = x.astype(complex)
            moved[index] += 1j * step
            out = f(*inputs[:i], moved, *inputs[i + 1:])
            out = out if isinstance(out, (tuple, list)) else [out]
            numeric = sum(float((v * numpy.imag(y)).sum()) for v, y in zip(cotangents, out)) / step
            excess = abs(g[index] - numeric) / (atol + rtol * abs(numeric))
            if not excess <= max(worst, 1.0):
                worst, where = excess, (index, numeric, g[index])
        if where:
            raise GradientMismatch(f"{_name(f)}: the gradient is wrong: input {i}, index {where[0]}: complex step "
                                   f"{where[1]!r}, analytic {float(where[2])!r}; seed {seed}; to see it again:\n"
                                   + _repro(f, arrays, seed=seed, function="check_grad_complex_step"))


def values(f, arrays):
    """f's floating outputs at plain arrays, as a list of arrays."""
    return [y.array for y in _outputs(f(*[create.tensor(a) for a in arrays]), f)]


def vjp(f, arrays, cotangents, create_graph=False):
    """J'v at plain arrays, as arrays: one an input, None for integer inputs, zeros where no gradient comes."""
    xs = [create.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    ys = _outputs(f(*xs), f)
    vs = [create.tensor(v) for v in cotangents]
    found = iter(_gradients(ys, [x for x in xs if x.requires_grad], vs, create_graph))
    return [next(found).array if x.requires_grad else None for x in xs]


def derivative(f, count):
    """The function (x, v) -> J(x)'v of `count` inputs and a cotangent for each output of f, itself differentiable."""

    def gradient(*inputs):
        recorded = any(x.requires_grad for x in inputs)
        xs = [x if x.requires_grad or x.dtype.kind != "f" else create.tensor(x.array, requires_grad=True)
              for x in inputs[:count]]
        return tuple(_gradients(_outputs(f(*xs), f), [x for x in xs if x.requires_grad], inputs[count:], recorded))

    return gradient


def _gradients(ys, xs, vs, create_graph):
    linked = [(y, v) for y, v in zip(ys, vs) if y.requires_grad]
    if not linked:
        return [create.zeros_like(x) for x in xs]
    ys, vs = zip(*linked)
    found = autograd.grad(ys, xs, vs, create_graph=create_graph, allow_unused=True)
    return [create.zeros_like(x) if g is None else g for x, g in zip(xs, found)]


def _outputs(y, f):
    ys = y if isinstance(y, (tuple, list)) else [y]
    for part in ys:
        if not isinstance(part, Handle):
            raise TypeError(
                f"{_name(f)} returned {type(part).__name__} for tensors; return tensors (did .numpy(), .array "
                "or .item() leave the graph?)"
            )
    return [part for part in ys if part.dtype.kind == "f"]


class _Point:
    """A function, a point, and random cotangents: what the comparisons at one level share."""

    def __init__(self, f, arrays, names, rng, eps, atol, rtol):
        self.f, self.arrays, self.names, self.rng = f, arrays, names, rng
        self.eps, self.atol, self.rtol = eps, atol, rtol
        self.floating = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
        self.values = values(f, arrays)
        self.cotangents = [numpy.asarray(rng.standard_normal(y.shape)) for y in self.values]

    def check_directions(self):
        """A description of the worst mismatch along random directions, or None."""
        gradients = vjp(self.f, self.arrays, self.cotangents)
        for i in self.floating:
            d = self.direction(i)
            analytic = float((gradients[i] * d).sum())
            if self.agrees(i, d, analytic) is not None:
                self.refuse_kink(i, d)
                return self.worst_element(i, gradients[i]) or (
                    f"{self.names[i]}, along a random direction: numeric {self.slope(i, d, self.eps)!r}, "
                    f"analytic {analytic!r}")
        return None

    def check_jacobian(self):
        """A description of the worst mismatch of all elements of the Jacobian, or None."""
        for j, y in enumerate(self.values):
            for out in numpy.ndindex(y.shape):
                self.cotangents = [numpy.zeros(v.shape) for v in self.values]
                self.cotangents[j][out] = 1.0
                gradients = vjp(self.f, self.arrays, self.cotangents)
                for i in self.floating:
                    problem = self.worst_element(i, gradients[i])
                    if problem:
                        return f"output {j} at {out} by {problem}"
        self.cotangents = [numpy.asarray(self.rng.standard_normal(v.shape)) for v in self.values]
        return None

    def worst_element(self, i, gradient):
        """A description of the element of input i that is furthest out of tolerance, or None."""
        worst, text = 1.0, None
        for index in numpy.ndindex(self.arrays[i].shape):
            d = numpy.zeros(self.arrays[i].shape)
            d[index] = self.scale(i)[index]
            excess = self.agrees(i, d, float(gradient[index] * d[index]))
            if excess is not None:
                self.refuse_kink(i, d)
                if not excess <= worst:
                    worst = excess
                    numeric = self.slope(i, d, self.eps) / d[index]
                    text = (
                        f"{self.names[i]}, index {index}, x = {float(self.arrays[i][index])!r}: "
                        f"numeric {float(numeric)!r}, "
                        f"analytic {float(gradient[index]) + 0.0!r}"
                    )
        return text

    def scale(self, i):
        """The size of a step for each element of input i: its own, at least the typical one."""
        size = numpy.abs(self.arrays[i])
        typical = float(numpy.sqrt((size * size).mean())) if size.size else 1.0
        return numpy.maximum(size, typical if typical > 0 else 1.0)

    def direction(self, i):
        """A random direction for input i, of its scale."""
        return self.rng.standard_normal(self.arrays[i].shape) * self.scale(i)

    def along(self, i, d, h):
        """<v, f(x + h d)>, and the sum of the absolute terms."""
        moved = list(self.arrays)
        moved[i] = numpy.asarray(moved[i] + h * d)
        terms = [v * y for v, y in zip(self.cotangents, values(self.f, moved))]
        with numpy.errstate(invalid="ignore"):
            total = float(sum(t.sum() for t in terms))
        if not numpy.isfinite(total):
            raise Nondifferentiable(f"{_name(self.f)}: its value near the point is {total}")
        return total, float(sum(numpy.abs(t).sum() for t in terms))

    def slope(self, i, d, h):
        """The central difference of <v, f> along d."""
        return (self.along(i, d, h)[0] - self.along(i, d, -h)[0]) / (2 * h)

    def agrees(self, i, d, analytic):
        """None if the slope along d agrees at some step, else by how many tolerances it does not."""
        excess = []
        for h in (self.eps, self.eps * 30, self.eps / 30):
            (after, size), (before, _) = self.along(i, d, h), self.along(i, d, -h)
            numeric = (after - before) / (2 * h)
            error = abs(analytic - numeric)
            tolerance = self.atol + self.rtol * abs(numeric) + 4 * EPSILON * size / h * (h >= self.eps)
            if error <= tolerance:
                return None
            excess.append(error / tolerance)
        return float(numpy.min(excess))

    def refuse_kink(self, i, d):
        """Raise Nondifferentiable if the slopes to either side along d differ, or grow, however small the step."""
        gaps, middle = [], self.along(i, d, 0.0)[0]
        for h in (self.eps, self.eps / 8):
            (after, size), (before, _) = self.along(i, d, h), self.along(i, d, -h)
            forward, backward = (after - middle) / h, (middle - before) / h
            floor = self.atol + self.rtol * max(abs(forward), abs(backward)) * 0.1 + 8 * EPSILON * size / h
            gaps.append((abs(forward - backward), floor, forward, backward))
        jump = [max(abs(forward), abs(backward)) for _, _, forward, backward in gaps]
        if jump[0] * self.eps > 1e3 * EPSILON * size + self.atol * self.eps and jump[1] > 4 * jump[0]:
            raise Nondifferentiable(
                f"{_name(self.f)}: it jumps where input {i} is; move the inputs away from ties and kinks"
            )
        if gaps[0][0] > gaps[0][1] and gaps[1][0] > gaps[1][1] and gaps[1][0] > gaps[0][0] / 2:
            raise Nondifferentiable(f"{_name(self.f)}: the slope of input {i} is {gaps[1][2]:.6g} to one side and "
                                    f"{gaps[1][3]:.6g} to the other; move the inputs away from ties and kinks")


def _as_float64(a):
    a = numpy.asarray(getattr(a, "array", a))
    return a.astype("float64") if a.dtype.kind == "f" else a


def _name(f):
    return getattr(f, "__qualname__", None) or type(f).__name__


def _repro(f, arrays, order=None, mode=None, seed=0, function="check_grad"):
    name = getattr(f, "__name__", "")
    found = name.isidentifier() and getattr(f, "__qualname__", "") == name and f.__module__ != "__main__"
    lines = [
        "import numpy",
        f"from minigrad.testing import {function}",
        f"from {f.__module__} import {name} as f" if found else f"f = ...  # {_name(f)}, the function that was checked",
    ]
    given = [_literal(numpy.asarray(getattr(a, "array", a))) for a in arrays]
    options = ([f"order={order}", f"mode={mode!r}"] if mode else []) + [f"seed={seed}"]
    return "\n".join([*lines, f"{function}(f, {', '.join(given + options)})"])


def _literal(a):
    if a.size > 1000:
        return f"numpy.zeros({a.shape})  # too large to print; save the array that you checked"
    text = f"numpy.array({a.tolist()!r}, dtype={a.dtype.name!r})"
    text = text.replace("nan", "numpy.nan").replace("inf", "numpy.inf")
    return text if a.size else f"{text}.reshape({a.shape})"
