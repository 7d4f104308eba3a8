"""What an op owes its callers beside the right numbers: types, memory, layouts, edge shapes, precision, lifetime."""

import gc
import sys
import weakref

import numpy

from minigrad import autograd, create
from minigrad.backend.device import cuda_is_available
from minigrad.modes import no_grad
from minigrad.testing.gradcheck import _as_float64
from minigrad.testing.properties import Violation, near, require


class Skipped(Exception):
    """A check that cannot be made here; its message says why."""


def _run(f, arrays, seed=0, device=None):
    """(tensors, floating outputs, cotangents) of a recorded call of f."""
    xs = [create.tensor(a, device=device, requires_grad=a.dtype.kind == "f") for a in arrays]
    return xs, *_call(f, xs, seed)


def _call(f, xs, seed):
    y = f(*xs)
    ys = [p for p in (y if isinstance(y, (tuple, list)) else [y]) if p.dtype.kind == "f"]
    rng = numpy.random.default_rng(seed)
    return ys, [create.tensor(rng.standard_normal(p.shape), dtype=p.dtype, device=p.device) for p in ys]


def _grads(xs, ys, vs, **options):
    linked = [(y, v) for y, v in zip(ys, vs) if y.requires_grad]
    wanted = [x for x in xs if x.requires_grad]
    if not linked or not wanted:
        return [None] * len(wanted)
    return autograd.grad([y for y, _ in linked], wanted, [v for _, v in linked], allow_unused=True, **options)


def check_types(f, *arrays, seed=0):
    """A gradient has its input's shape, dtype and array type, in float64 and in float32, with a graph and without."""
    for dtype in ("float64", "float32"):
        cast = [a.astype(dtype) if a.dtype.kind == "f" else a for a in map(_as_float64, arrays)]
        for recorded in (False, True):
            xs, ys, vs = _run(f, cast, seed)
            for y in ys:
                require(y.dtype == dtype, f, f"the output of {dtype} inputs is {y.dtype}")
            for i, (x, g) in enumerate(
                zip([x for x in xs if x.requires_grad], _grads(xs, ys, vs, create_graph=recorded))
            ):
                if g is not None:
                    require(
                        g.shape == x.shape, f, f"the gradient of input {i} has shape {g.shape}, the input {x.shape}"
                    )
                    require(g.dtype == x.dtype, f, f"the gradient of input {i} is {g.dtype}, the input {x.dtype}")
                    require(
                        type(g.array) is type(x.array), f, f"the gradient of input {i} is a {type(g.array).__name__}"
                    )


def check_unmutated(f, *arrays, seed=0):
    """Inputs and cotangents are as before after a forward and a backward pass, and after a recorded one."""
    for recorded in (False, True):
        xs, ys, vs = _run(f, [_as_float64(a) for a in arrays], seed)
        before = [t.array.copy() for t in (*xs, *vs)]
        again, ys, _ = (xs, *_call(f, xs, seed))
        out = [y.array.copy() for y in ys]
        _grads(again, ys, vs, create_graph=recorded)
        for i, (t, old) in enumerate(zip((*xs, *vs), before)):
            require(numpy.array_equal(t.array, old, equal_nan=True), f,
                    f"{'input ' + str(i) if i < len(xs) else 'cotangent ' + str(i - len(xs))} was changed")
        for y, old in zip(ys, out):
            require(numpy.array_equal(y.array, old, equal_nan=True), f, "backward changed the output")


def check_unaliased(f, *arrays, seed=0):
    """The gradients that `backward` leaves share no memory with each other, the inputs, outputs or cotangents."""
    xs, ys, vs = _run(f, [_as_float64(a) for a in arrays], seed)
    linked = [(y, v) for y, v in zip(ys, vs) if y.requires_grad]
    for k, (y, v) in enumerate(linked):
        y.backward(v, retain_graph=k + 1 < len(linked))
    grads = [(f"input {i}", x.grad.array) for i, x in enumerate(xs) if x.grad is not None]
    others = [(f"input {i} itself", x.array) for i, x in enumerate(xs)] + [("an output", y.array) for y in ys] \
        + [("a cotangent", v.array) for v in vs]
    for k, (name, g) in enumerate(grads):
        for other, array in grads[k + 1:] + others:
            require(not numpy.shares_memory(g, array), f, f"the gradient of {name} shares memory with that of {other}")


def _layouts(a):
    """The same values in other memory orders, and read-only."""
    wide = numpy.zeros((*a.shape, 2), a.dtype)
    wide[..., 0] = a
    frozen = a.copy()
    frozen.flags.writeable = False
    backwards = a[tuple(slice(None, None, -1) for _ in a.shape)].copy()[tuple(slice(None, None, -1) for _ in a.shape)]
    return {
        "strided": wide[..., 0],
        "column-major": numpy.array(a, order="F"),
        "backwards": backwards,
        "read-only": frozen,
    }


def check_layouts(f, *arrays, seed=0, rtol=1e-11):
    """Values and gradients do not depend on how the inputs lie in memory; read-only inputs will do."""
    arrays = [_as_float64(a) for a in arrays]
    xs, ys, vs = _run(f, arrays, seed)
    plain = _grads(xs, ys, vs)
    for name in ("strided", "column-major", "backwards", "read-only"):
        shared = [create.from_numpy(numpy.asarray(_layouts(a)[name])) for a in arrays]
        for t in shared:
            if t.dtype.kind == "f":
                t.requires_grad_()
        seeds = [create.from_numpy(numpy.asarray(_layouts(v.array)[name])) for v in vs]
        outs, _ = _call(f, shared, seed)
        for a, b in zip(outs, ys):
            require(near(a.array, b.array, rtol), f, f"{name} inputs give another value")
        for i, (a, b) in enumerate(zip(_grads(shared, outs, seeds), plain)):
            require((a is None) == (b is None) and (a is None or near(a.array, b.array, rtol)), f,
                    f"{name} inputs give another gradient of input {i}")


def _edge(f, arrays, seed, what):
    """Either f refuses these arrays with an error of Python's own, in one line, or the gradients have their shapes."""
    try:
        with numpy.errstate(all="ignore"):
            xs, ys, vs = _run(f, arrays, seed)
    except (ValueError, TypeError, IndexError, ZeroDivisionError) as error:
        require("\n" not in str(error).strip(), f, f"the error for {what} inputs has several lines: {error}")
        return
    with numpy.errstate(all="ignore"):
        for recorded in (False, True):
            for i, (x, g) in enumerate(
                zip([x for x in xs if x.requires_grad], _grads(xs, ys, vs, create_graph=recorded))
            ):
                if g is not None:
                    require(
                        g.shape == x.shape and type(g.array) is type(x.array),
                        f,
                        f"the gradient of {what} input {i} has shape {g.shape}, the input {x.shape}",
                    )
            xs, ys, vs = _run(f, arrays, seed)


def check_zero_size(f, *arrays, seed=0):
    """Arrays without elements are refused in one line, or have gradients of their shape."""
    _edge(f, [numpy.zeros((0,) * a.ndim or (0,), _as_float64(a).dtype) for a in arrays], seed, "zero-size")


def check_zero_dim(f, *arrays, seed=0):
    """0-d arrays are refused in one line, or have 0-d gradients."""
    _edge(
        f,
        [_as_float64(a).ravel()[0].reshape(()) if a.size else numpy.zeros((), _as_float64(a).dtype) for a in arrays],
        seed,
        "0-d",
    )


def check_float32(f, *arrays, seed=0, rtol=2e-5):
    """Values and gradients in float32 are those in float64, to what float32 can hold."""
    low = [a.astype("float32") if a.dtype.kind == "f" else a for a in map(_as_float64, arrays)]
    high = [a.astype("float64") if a.dtype.kind == "f" else a for a in low]
    xs, ys, vs = _run(f, high, seed)
    shorts, outs, cotangents = _run(f, low, seed)
    for a, b in zip(outs, ys):
        require(
            near(a.array.astype("float64"), b.array, rtol),
            f,
            f"the value in float32 is {a.array}, in float64 {b.array}",
        )
    for i, (a, b) in enumerate(zip(_grads(shorts, outs, cotangents), _grads(xs, ys, vs))):
        if b is not None:  # a gradient may be the small difference of terms of the cotangent's size
            close = numpy.allclose(a.array, b.array, rtol, rtol * max(1.0, numpy.abs(b.array).max(initial=0.0)), True)
            require(close, f, f"the gradient of input {i} in float32 is {a.array}, in float64 {b.array}")


def check_cupy(f, *arrays, seed=0, rtol=1e-8):
    """Values and gradients on the GPU are those on the CPU. Raises Skipped where there is no GPU."""
    if not cuda_is_available():
        raise Skipped("no GPU can be used here (CuPy or a device is missing)")
    arrays = [_as_float64(a) for a in arrays]
    xs, ys, vs = _run(f, arrays, seed)
    there, outs, seeds = _run(f, arrays, seed, "cuda")
    for a, b in zip(outs, ys):
        require(a.is_cuda, f, "the output for inputs on the GPU lies on the CPU")
        require(near(a.array.get(), b.array, rtol), f, "the value on the GPU is another one")
    for i, (a, b) in enumerate(zip(_grads(there, outs, seeds), _grads(xs, ys, vs))):
        if b is not None:
            require(near(a.array.get(), b.array, rtol), f, f"the gradient of input {i} on the GPU is another one")


def check_no_grad(f, *arrays, seed=0):
    """Under no_grad nothing is recorded, and the values are the same."""
    xs, ys, _ = _run(f, [_as_float64(a) for a in arrays], seed)
    with no_grad():
        outs, _ = _call(f, xs, seed)
    for y, out in zip(ys, outs):
        require(
            not any(out is x for x in xs) and out.node is None or any(out is x for x in xs),
            f,
            "no_grad recorded a graph",
        )
        require(numpy.array_equal(y.array, out.array, equal_nan=True), f, "no_grad changed the value")


def _memory(ys):
    """Weak references to all arrays that the graph of ys keeps."""
    refs, seen, stack = [], set(), [y.node for y in ys if y.node is not None]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        refs += [weakref.ref(a) for a in getattr(node, "kept", None) or () if isinstance(a, numpy.ndarray)]
        stack += [p for p in node.parents or () if p is not None]
    return refs


def check_released(f, *arrays, seed=0):
    """With the collector off, nothing that a call made is alive after the last reference, with and without backward."""
    arrays = [_as_float64(a) for a in arrays]
    enabled = gc.isenabled()
    gc.disable()
    try:
        for backward in (None, False, True):
            constants = [r() for r in _memory(_run(f, arrays, seed)[1])]  # among them what f itself holds
            xs, ys, vs = _run(f, arrays, seed)
            mine = {id(x.array) for x in xs} | {id(a) for a in constants if a is not None}
            refs = [r for r in _memory(ys) if id(r()) not in mine] + [
                weakref.ref(y.array) for y in ys if id(y.array) not in mine
            ]
            owned = sys.getrefcount(None)  # (any call: so that no temporary of the line above is still held)
            if backward is not None:
                grads = _grads(xs, ys, vs, create_graph=backward)
                refs += [weakref.ref(g.array) for g in grads if g is not None]
                refs += _memory([g for g in grads if g is not None and g.requires_grad])
                refs = [r for r in refs if r() is not None and id(r()) not in mine]
                del grads
            outside = {id(v.array) for v in vs}
            refs = [r for r in refs if id(r()) not in outside]
            del ys, owned
            alive = [r() for r in refs if r() is not None]
            held = [a for a in alive if not any(numpy.shares_memory(a, x.array) for x in xs)]
            require(
                not held,
                f,
                f"{len(held)} arrays of shapes {[a.shape for a in held]} outlive the call: a cycle or a cache "
                "keeps them",
            )
    finally:
        if enabled:
            gc.enable()


def check_stale(f, *arrays, seed=0, rtol=1e-12):
    """An input changed in place between forward and backward makes backward raise, unless it does not matter to it."""
    arrays = [_as_float64(a) for a in arrays]
    xs, ys, vs = _run(f, arrays, seed)
    plain = _grads(xs, ys, vs)
    for i, a in enumerate(arrays):
        if a.dtype.kind != "f" or not a.size:
            continue
        xs, ys, vs = _run(f, arrays, seed)
        with no_grad():
            xs[i].mul_(-1.5).add_(0.25)
        try:
            found = _grads(xs, ys, vs)
        except RuntimeError as error:
            require("changed in place" in str(error), f, f"the error for a changed input does not say so: {error}")
            continue
        for k, (g, expected) in enumerate(zip(found, plain)):
            require(
                g is None and expected is None or near(g.array, expected.array, rtol),
                f,
                f"input {i} was changed after the forward pass, and the gradient of input {k} is silently another one",
            )


CONTRACTS = {"gradient shape, dtype, array type": check_types, "inputs and cotangent unmutated": check_unmutated,
             "no shared memory": check_unaliased, "any memory layout, read-only": check_layouts,
             "zero-size inputs": check_zero_size, "0-d inputs": check_zero_dim, "float32 like float64": check_float32,
             "CuPy like NumPy": check_cupy, "no graph under no_grad": check_no_grad,
             "nothing outlives the call": check_released, "a changed input is caught": check_stale}


EDGES = ("zero-size inputs", "0-d inputs")


def check_contracts(f, *arrays, seed=0, edges=True):
    """All of the above; returns the reasons of those that were skipped, by name.

    `edges` tells whether zero-size and 0-d inputs are tried.

    >>> import numpy, minigrad
    >>> skipped = check_contracts(minigrad.exp, numpy.array([1.0, 2.0]))
    """
    skipped = {}
    for name, check in CONTRACTS.items():
        try:
            if edges or name not in EDGES:
                check(f, *arrays, seed=seed)
        except Skipped as reason:
            skipped[name] = str(reason)
    return skipped


__all__ = ["CONTRACTS", "Skipped", "Violation", "check_contracts", *(c.__name__ for c in CONTRACTS.values())]
