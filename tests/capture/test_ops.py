"""Every op of the package, captured: values, first and second derivatives have the bits of the step itself."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import autograd
from minigrad.testing import registry
from minigrad.testing.source import Seeded

CASES = registry.load()
GROUPS = 8  # captured steps in which all ops are done one after another: a capture of its own for each takes minutes


def outputs(y):
    return list(y) if isinstance(y, (tuple, list)) else [y]


def derivatives(f, order, given):
    """f, its gradient while arrays flow, and, where it has one, the gradient of that."""
    xs = [x.detach().requires_grad_() if x.dtype.kind == "f" else x for x in given]
    floats, results = [x for x in xs if x.requires_grad], []
    for create_graph in (False, True)[:order]:
        ys = outputs(f(*xs))
        results += [y.detach() for y in ys]
        total = sum((y * y).sum() for y in ys if y.requires_grad)
        if not hasattr(total, "requires_grad") or not floats:
            return results
        slopes = autograd.grad(total, floats, create_graph=create_graph, allow_unused=True)
        results += [g.detach() for g in slopes if g is not None]
    curved = [(g * g).sum() for g in slopes if g is not None and g.requires_grad]
    if order > 1 and curved:
        results += [g for g in autograd.grad(sum(curved), floats, allow_unused=True) if g is not None]
    return results


def bits(results):
    return [(r.dtype, r.shape, r.detach().numpy().tobytes()) for r in results]


def compare(cases, dtype, executor, seed):
    """Capture a step that does all the cases, and compare it, call by call, with the step itself."""
    drawn, functions = {}, {}
    for case in cases:
        arrays, options = case.draw(Seeded(seed))
        drawn[case.name] = [a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays]
        functions[case.name] = case.bind(
            {k: np.asarray(v).astype(dtype) if getattr(v, "dtype", np.dtype("O")).kind == "f" else v
             for k, v in options.items()}), case.order

    def step(given):
        return {name: derivatives(f, order, given[name]) for name, (f, order) in functions.items()}

    captured = mg.capture(step, executor)
    for i in range(6):
        # Other values, with the signs, the order and the ties of those that were drawn.
        given = {name: [mg.tensor(a * a.dtype.type(1 - i / 64) if a.dtype.kind == "f" else a) for a in arrays]
                 for name, arrays in drawn.items()}
        found, expected = captured(given), step(given)
        for name in functions:
            assert bits(found[name]) == bits(expected[name]), f"{name}, seed {seed}, call {i}"
    assert captured.replays == 2


@pytest.mark.parametrize("group", range(GROUPS))
def test_all_ops_and_their_derivatives_have_the_same_bits_captured(group, executor):
    compare(CASES[group::GROUPS], "float32" if executor == "machine" else "float64", executor, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_an_op_and_its_derivatives_have_the_same_bits_captured(case, dtype, executor):
    for seed in range(5):
        compare([case], dtype, executor, seed)
