"""Every op against PyTorch: value, first and second derivative, in float64, at random shapes and cotangents."""

import functools
import os

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")

import minigrad as mg  # noqa: E402
from minigrad import autograd  # noqa: E402
from minigrad.testing import registry  # noqa: E402
from minigrad.testing.source import Seeded  # noqa: E402

SAMPLES = int(os.environ.get("MINIGRAD_EXAMPLES", "100")) // 4
CASES = [case for case in registry.load() if case.torch is not None]


def resolve(case):
    """PyTorch's counterpart of a case as a function of its tensors and options."""
    if isinstance(case.torch, str):
        return functools.reduce(getattr, case.torch.split("."), torch)
    return functools.partial(case.torch, torch)


def outputs(y):
    return list(y) if isinstance(y, (tuple, list)) else [y]


def close(mine, theirs, rtol, what):
    mine = None if mine is None else np.asarray(mine.detach().numpy())
    theirs = None if theirs is None else theirs.detach().numpy(force=True)
    if mine is None or theirs is None:  # no gradient at all and a gradient of zeros mean the same
        other = theirs if mine is None else mine
        assert other is None or not other.any(), f"{what}: one side has no gradient, the other {other}"
        return
    assert mine.shape == theirs.shape, f"{what}: shape {mine.shape}, in PyTorch {theirs.shape}"
    scale = max(np.abs(theirs[np.isfinite(theirs)]).max(initial=0.0), 1.0)
    np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol * scale, err_msg=what)


def gradients(ys, xs, seeds, library):
    """The gradients of ys, weighed by seeds, with a graph; None for what has none."""
    linked = [(y, v) for y, v in zip(ys, seeds) if y.requires_grad]
    if not linked:
        return [None] * len(xs)
    ys, seeds = zip(*linked)
    return list(library.grad(list(ys), xs, list(seeds), create_graph=True, allow_unused=True))


def compare(f, torch_f, arrays, rng, rtol=1e-10, order=2):
    """f and torch_f agree on the arrays, and so do their derivatives, all weighed by random cotangents."""
    floats = [a.dtype.kind == "f" for a in arrays]
    mine = [mg.tensor(a, requires_grad=k) for a, k in zip(arrays, floats)]
    theirs = [torch.tensor(a, requires_grad=k) for a, k in zip(arrays, floats)]
    ys, torch_ys = outputs(f(*mine)), outputs(torch_f(*theirs))
    mine, theirs = ([x for x, k in zip(xs, floats) if k] for xs in (mine, theirs))
    assert len(ys) == len(torch_ys)
    for level in range(order + 1):
        for i, (a, b) in enumerate(zip(ys, torch_ys)):
            close(a, b, rtol, f"derivative {level}, part {i}, of inputs of shapes {[a.shape for a in arrays]}")
        pairs = [(a, b) for a, b in zip(ys, torch_ys) if a is not None and b is not None]
        seeds = [rng.standard_normal(a.shape) for a, _ in pairs]
        mine += [mg.tensor(v, requires_grad=True) for v in seeds]
        theirs += [torch.tensor(v, requires_grad=True) for v in seeds]
        if level == order or not pairs:
            break
        count = len(seeds)
        ys = gradients([a for a, _ in pairs], mine[:-count], mine[-count:], autograd)
        torch_ys = gradients([b for _, b in pairs], theirs[:-count], theirs[-count:], torch.autograd)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_an_op_has_pytorchs_value_and_derivatives(case):
    for seed in range(SAMPLES):
        source = Seeded(seed)
        arrays, options = case.draw(source)
        f, g = (functools.partial(h, **options) for h in (case.f, resolve(case)))
        try:
            compare(f, g, arrays, np.random.default_rng(seed), case.rtol, case.order)
        except AssertionError as error:
            raise AssertionError(f"{case.name}, seed {seed}, options {options}: {error}") from None
