"""The quick checks of the ops: the registry's cases, and the conventions at ties and kinks."""

import contextlib

import numpy

import minigrad
from minigrad.testing import check_contracts, check_grad, check_properties
from minigrad.testing.faults.fault import check, expect
from minigrad.testing.gradcheck import Nondifferentiable
from minigrad.testing.source import Seeded


def check_case(case, seeds=range(8)):
    """Derivatives of one case at a few samples, then properties and contracts at the first of them."""
    for seed in seeds:
        arrays, options = case.draw(Seeded(seed))
        with contextlib.suppress(Nondifferentiable):
            check_grad(case.bind(options), *arrays, order=case.order, seed=seed)
    for seed in seeds[:2]:
        arrays, options = case.draw(Seeded(seed))
        if case.order > 1:
            check_properties(case.bind(options), *arrays, seed=seed)
        check_contracts(case.bind(options), *arrays, seed=seed, edges=False)


def slope(f, *values):
    """The gradient of f's sum at a vector."""
    x = minigrad.tensor(numpy.array(values), requires_grad=True)
    return minigrad.autograd.grad(f(x).sum(), x)[0]


@check("conventions")
def check_conventions():
    """Ties and kinks: PyTorch's choices."""
    expect(slope(minigrad.relu, 0.0, 1.0, -1.0), [0, 1, 0], "relu' at 0, 1, -1")
    expect(slope(minigrad.amax, 2.0, 2.0, 1.0), [0.5, 0.5, 0], "the gradient of amax at a tie")
    expect(slope(lambda x: minigrad.maximum(x, 1.0), 1.0, 2.0, 0.0), [0.5, 1, 0], "the gradient of maximum at a tie")
    expect(slope(minigrad.amin, 2.0, 3.0, 1.0), [0, 0, 1], "the gradient of amin")
    expect(slope(lambda x: x.clamp(0.0, 1.0), 0.0, 1.0, 2.0), [1, 1, 0], "the gradient of clamp at its bounds")
    expect(slope(minigrad.norm, 0.0, 0.0), [0, 0], "the gradient of the norm at 0")
    expect(minigrad.amin(minigrad.tensor([3.0, 1.0])), 1.0, "amin of 3 and 1")
