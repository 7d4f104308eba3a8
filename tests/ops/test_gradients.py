"""Every op of the package, without PyTorch: derivatives against differences, exact properties, contracts.

The number of examples an op is MINIGRAD_EXAMPLES (100 by default, always the same ones; set it, and they are new ones).
"""

import os

import numpy
import pytest
from hypothesis import HealthCheck, given, settings

from minigrad import autograd, create, ops
from minigrad.backend import numpy as cpu
from minigrad.testing import (
    check_adjoint,
    check_contracts,
    check_grad,
    check_grad_complex_step,
    check_hessian,
    check_linear,
    check_needs,
    check_same_with_graph,
    registry,
)
from minigrad.testing.source import Seeded
from minigrad.testing.strategies import assuming_differentiable, cases

COUNT = os.environ.get("MINIGRAD_EXAMPLES")
EXAMPLES = settings(max_examples=int(COUNT or 100), deadline=None, database=None, derandomize=COUNT is None,
                    suppress_health_check=list(HealthCheck), print_blob=False)
FEWER = settings(EXAMPLES, max_examples=max(EXAMPLES.max_examples // 5, 1))
CASES = registry.load()
each_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


@each_case
def test_first_and_second_derivatives_agree_with_differences(case):
    @EXAMPLES
    @given(cases(case))
    def check(drawn):
        arrays, options = drawn
        with assuming_differentiable():
            check_grad(case.bind(options), *arrays, order=case.order, atol=1e-6, rtol=1e-4)

    check()


@each_case
def test_exact_properties_hold(case):
    @FEWER
    @given(cases(case))
    def check(drawn):
        arrays, options = drawn
        f = case.bind(options)
        check_linear(f, *arrays)
        check_needs(f, *arrays)
        if case.order > 1:
            check_adjoint(f, *arrays)
            check_hessian(f, *arrays)
            check_same_with_graph(f, *arrays)

    check()


@each_case
def test_contracts_hold(case):
    for seed in range(FEWER.max_examples // 3):
        arrays, options = case.draw(Seeded(seed))
        check_contracts(case.bind(options), *arrays, seed=seed, edges=case.edges)


@each_case
def test_a_whole_jacobian_agrees_element_by_element(case):
    for seed in range(1000, 1003):
        arrays, options = case.draw(Seeded(seed))
        if sum(a.size for a in arrays) <= 40:
            check_grad(case.bind(options), *arrays, order=1, mode="full", seed=seed, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("name", ["Add", "Sub", "Mul", "Div", "Neg", "Exp", "Log", "Log1p", "Sin", "Cos", "Tanh", "Pow",
                                  "Pow-whole", "Matmul", "Einsum", "Sum", "Var", "CumSum", "Reshape", "Permute"])
def test_analytic_ops_agree_with_complex_steps_to_the_last_digits(name):
    case, = (case for case in CASES if case.name == name)
    for seed in range(10):
        arrays, options = case.draw(Seeded(seed))
        check_grad_complex_step(case.bind(options), *arrays, seed=seed)


@pytest.mark.parametrize("name", registry.uncovered() or ["none"])
def test_every_op_has_a_case(name):
    if name.rpartition(".")[0] in registry.AWAITED:
        pytest.skip(f"{name} has no case yet: its module stands in registry.AWAITED")
    assert name == "none", f"{name} has no case; add one to minigrad/testing/cases (see testing/registry.py)"


@pytest.mark.parametrize("case", [case for case in CASES if case.op], ids=[case.name for case in CASES if case.op])
def test_a_case_runs_the_op_that_it_names(case):
    arrays, options = case.draw(Seeded(0))
    y = case.f(*[create.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays], **options)
    kinds, stack = set(), [y.node]
    while stack:
        node = stack.pop()
        if node is not None and node not in kinds:
            kinds.add(node)
            stack += node.parents
    assert case.op in {type(node) for node in kinds}


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.order == 1] or [None], ids=lambda c: c.name if c else "none"
)
def test_an_op_of_order_1_says_so_when_asked_for_more(case):
    if case is None:
        return  # every op of the package is differentiable twice
    arrays, options = case.draw(Seeded(0))
    xs = [create.tensor(a, requires_grad=a.dtype.kind == "f") for a in arrays]
    with pytest.raises(RuntimeError, match=f"{case.op.__name__}.*cannot be differentiated twice"):
        autograd.grad(case.f(*xs, **options).sum(), [x for x in xs if x.requires_grad], create_graph=True)


@pytest.mark.parametrize("large", [0, 10**9])
def test_a_weight_of_any_size_has_its_outer_product(monkeypatch, large):
    monkeypatch.setattr(cpu, "LARGE", large)  # by multiplication, or by the BLAS
    rng = numpy.random.default_rng(0)
    check_grad(ops.linear, rng.standard_normal(3), rng.standard_normal((4, 3)), rng.standard_normal(4), mode="full")
    x, w = create.tensor([1.0, 2.0]), create.tensor([[3.0, 4.0]] * 3, requires_grad=True)
    gw, = autograd.grad(ops.linear(x, w), w, create.tensor([1.0, 0.0, -1.0]))
    assert gw.tolist() == [[1, 2], [0, 0], [-1, -2]]
