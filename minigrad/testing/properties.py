"""What holds of any gradient exactly, up to rounding, without a single difference quotient.

The vjp is linear in its cotangent; the Jacobian that double backward gives is the transpose of the one that backward
applies; a Hessian is symmetric; and a sweep that records a graph finds the same gradients as one that does not.
"""

import numpy

from minigrad import autograd, create
from minigrad.testing.gradcheck import _as_float64, _name, derivative, values, vjp


class Violation(AssertionError):
    """A property or contract that does not hold. The message names the function, the input and the values."""


def require(condition, f, text):
    """Raise Violation with f's name unless the condition holds."""
    if not condition:
        raise Violation(f"{_name(f)}: {text}")


def near(a, b, rtol, least=1e-300):
    """Whether two arrays differ by no more than rtol of their size, or of `least`, NaN being equal to itself."""
    a, b = numpy.asarray(a), numpy.asarray(b)
    size = max(float(numpy.abs(b[numpy.isfinite(b)]).max(initial=0.0)), least)
    return a.shape == b.shape and numpy.allclose(a, b, rtol=rtol, atol=rtol * size, equal_nan=True)


def drawn(f, arrays, seed):
    """The arrays in float64, a generator, and random cotangents for f's outputs there."""
    arrays, rng = [_as_float64(a) for a in arrays], numpy.random.default_rng(seed)
    return arrays, rng, [numpy.asarray(rng.standard_normal(y.shape)) for y in values(f, arrays)]


def usual_size(f, arrays, v):
    """A size for gradients of <v, f>, by f's values: that of the terms, where it is a small difference of them.

    The gradient of a batch norm over two values can be a millionth of its terms: it has six digits less than they, in
    whichever order they are added.
    """
    terms = sum(float(numpy.abs(y * c)[numpy.isfinite(y)].sum()) for y, c in zip(values(f, arrays), v))
    return max(terms, 1e-300)


def check_linear(f, *arrays, seed=0, rtol=1e-9):
    """The vjp of a*v + b*w is a * (that of v) + b * (that of w)."""
    arrays, rng, v = drawn(f, arrays, seed)
    w = [numpy.asarray(rng.standard_normal(c.shape)) for c in v]
    both = vjp(f, arrays, [2.0 * a - 0.5 * b for a, b in zip(v, w)])
    for i, (g, a, b) in enumerate(zip(both, vjp(f, arrays, v), vjp(f, arrays, w))):
        if g is not None:
            scale = 1 + numpy.abs(a).max(initial=0) + numpy.abs(b).max(initial=0)
            require(
                near(g / scale, (2.0 * a - 0.5 * b) / scale, rtol)
                or numpy.allclose(g, 2 * a - b / 2, rtol, rtol * scale),
                f,
                f"the gradient of input {i} is not linear in the cotangent; backward must use g once in every term",
            )


def check_adjoint(f, *arrays, seed=0, rtol=1e-9):
    """<v, J u> = <J'v, u>, J u coming from the derivative of J'v with respect to v."""
    arrays, rng, v = drawn(f, arrays, seed)
    floating = [a for a in arrays if a.dtype.kind == "f"]
    u = [numpy.asarray(rng.standard_normal(a.shape)) for a in floating]
    back = [g for g in vjp(f, arrays, v) if g is not None]
    pushed = vjp(derivative(f, len(arrays)), arrays + v, u)[len(arrays):]
    right, left = (sum(float((a * b).sum()) for a, b in zip(p, q)) for p, q in ((back, u), (v, pushed)))
    size = sum(float(numpy.abs(a * b).sum()) for a, b in zip(back, u))
    require(
        abs(left - right) <= rtol * (1 + size),
        f,
        f"<v, Ju> = {left!r} and <J'v, u> = {right!r}: the second derivative's "
        "cotangent part is not the transpose of backward",
    )


def check_hessian(f, *arrays, seed=0, rtol=1e-8):
    """<w, H u> = <u, H w> for the Hessian H of <v, f>."""
    arrays, rng, v = drawn(f, arrays, seed)
    slope, floating = derivative(f, len(arrays)), [a for a in arrays if a.dtype.kind == "f"]
    u, w = ([numpy.asarray(rng.standard_normal(a.shape)) for a in floating] for _ in range(2))

    def product(direction):
        return [g for g in vjp(slope, arrays + v, direction)[:len(arrays)] if g is not None]

    left = [float((a * b).sum()) for a, b in zip(w, product(u))]
    right = [float((a * b).sum()) for a, b in zip(u, product(w))]
    size = sum(map(abs, left)) + sum(map(abs, right))
    require(
        abs(sum(left) - sum(right)) <= rtol * (1 + size),
        f,
        f"the Hessian is not symmetric: <w, Hu> = {sum(left)!r}, "
        f"<u, Hw> = {sum(right)!r}; is a value that depends on an input taken for a constant?",
    )


def check_same_with_graph(f, *arrays, seed=0, rtol=1e-12):
    """First-order gradients are the same whether or not they carry a graph."""
    arrays, _, v = drawn(f, arrays, seed)
    least = usual_size(f, arrays, v)
    for i, (a, b) in enumerate(zip(vjp(f, arrays, v), vjp(f, arrays, v, create_graph=True))):
        if a is not None:
            require(near(a, b, rtol, least), f,
                    f"the gradient of input {i} is another one with create_graph=True: {b} and {a}")


def check_needs(f, *arrays, seed=0, rtol=1e-12):
    """The gradient of one input is the same whether or not the others want theirs, with a graph and without."""
    arrays, _, v = drawn(f, arrays, seed)
    every, least = vjp(f, arrays, v), usual_size(f, arrays, v)
    for i, expected in enumerate(every):
        if expected is None:
            continue
        for recorded in (False, True):
            xs = [create.tensor(a, requires_grad=k == i) for k, a in enumerate(arrays)]
            y = f(*xs)
            ys = [p for p in (y if isinstance(y, (tuple, list)) else [y]) if p.dtype.kind == "f"]
            linked = [(p, c) for p, c in zip(ys, v) if p.requires_grad]
            if linked:
                g, = autograd.grad([p for p, _ in linked], xs[i], [create.tensor(c) for _, c in linked],
                                   create_graph=recorded, allow_unused=True)
                found = numpy.zeros(arrays[i].shape) if g is None else g.array
                require(near(found, expected, rtol, least), f, f"input {i} has another gradient when it alone wants one"
                        + (" (with create_graph=True)" if recorded else ""))


PROPERTIES = {"vjp linear in its cotangent": check_linear, "<v, Ju> = <J'v, u>": check_adjoint,
              "Hessian symmetric": check_hessian, "same gradient with create_graph": check_same_with_graph,
              "same gradient whoever else wants one": check_needs}


def check_properties(f, *arrays, seed=0):
    """All of the above.

    >>> import numpy, minigrad
    >>> check_properties(minigrad.mul, numpy.array([1.0, 2.0]), numpy.array(3.0))
    """
    for check in PROPERTIES.values():
        check(f, *arrays, seed=seed)
