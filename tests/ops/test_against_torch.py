"""Every op against PyTorch: value, first and second derivative, in float64, at random shapes and cotangents.

Then the points where a derivative is a convention: ties, kinks, zeros, infinities.
"""

import functools
import os

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")
F = torch.nn.functional

import minigrad as mg  # noqa: E402
from minigrad import autograd, ops  # noqa: E402
from minigrad.nn import functional as MF  # noqa: E402
from minigrad.testing import registry  # noqa: E402
from minigrad.testing.source import Seeded  # noqa: E402

SAMPLES = int(os.environ.get("MINIGRAD_EXAMPLES", "100")) // 4
CASES = [case for case in registry.load() if case.torch is not None]


def resolve(case):
    """PyTorch's counterpart of a case as a function of its tensors and options."""
    if isinstance(case.torch, str):
        return functools.reduce(getattr, case.torch.split("."), torch)
    return functools.partial(case.torch, torch)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_an_op_has_pytorchs_value_and_derivatives(case, compare):
    for seed in range(SAMPLES):
        arrays, options = case.draw(Seeded(seed))
        f, g = (functools.partial(h, **options) for h in (case.f, resolve(case)))
        try:
            compare(f, g, arrays, np.random.default_rng(seed), case.rtol, case.order)
        except AssertionError as error:
            raise AssertionError(f"{case.name}, seed {seed}, options {options}: {error}") from None


TIES = np.array([[3.0, 1.0, 3.0, -2.0], [0.5, 0.5, 0.5, 0.5], [-1.0, 2.0, 0.0, 2.0]])
ZEROS = np.array([0.0, -0.0, 1.0, -1.0, 2.5])
INF = float("inf")


@pytest.mark.parametrize("name, f, g, arrays", [
    ("max of all", lambda x: x.max(), lambda x: x.max(), [TIES]),
    ("min of all", lambda x: x.min(), lambda x: x.min(), [-TIES]),
    ("amax over axis 1", lambda x: x.amax(1), lambda x: x.amax(1), [TIES]),
    ("amin over both", lambda x: x.amin((0, 1), True), lambda x: x.amin((0, 1), True), [TIES]),
    ("max over axis 1", lambda x: x.max(1)[0], lambda x: x.max(1)[0], [TIES]),
    ("min over axis 0", lambda x: x.min(0, True)[0], lambda x: x.min(0, True)[0], [TIES]),
    ("maximum", ops.maximum, torch.maximum, [TIES, TIES[:, ::-1].copy()]),
    ("minimum", ops.minimum, torch.minimum, [TIES, TIES[1]]),
    ("clamp at its bounds", lambda x: x.clamp(-1.0, 2.0), lambda x: x.clamp(-1.0, 2.0), [TIES]),
    ("clamp from below", lambda x: x.clamp(min=0.5), lambda x: x.clamp(min=0.5), [TIES]),
    ("relu at 0", ops.relu, F.relu, [ZEROS]),
    ("abs at 0", ops.abs, torch.abs, [ZEROS]),
    ("leaky_relu at 0", ops.leaky_relu, F.leaky_relu, [ZEROS]),
    ("leaky_relu of slope 2 at 0", lambda x: ops.leaky_relu(x, 2.0), lambda x: F.leaky_relu(x, 2.0), [ZEROS]),
    ("silu at 0", ops.silu, F.silu, [ZEROS]),
    ("1-norm at 0", lambda x: x.norm(1), lambda x: torch.linalg.vector_norm(x, 1), [ZEROS]),
    ("inf-norm at ties", lambda x: x.norm(INF, 1), lambda x: torch.linalg.vector_norm(x, INF, 1), [TIES]),
    ("inf-norm of zeros", lambda x: x.norm(INF), lambda x: torch.linalg.vector_norm(x, INF), [np.zeros(3)]),
    ("prod with one zero", lambda x: x.prod(1), lambda x: x.prod(1), [TIES]),
    ("prod with two zeros", lambda x: x.prod(), lambda x: x.prod(), [np.array([2.0, 0.0, 3.0, 0.0])]),
    ("prod with three zeros", lambda x: x.prod(0), lambda x: x.prod(0), [np.array([0.0, 0.0, 3.0, 0.0])]),
    ("l1_loss where equal", ops.l1_loss, F.l1_loss, [ZEROS, np.zeros(5)]),
    ("smooth_l1_loss without beta", lambda x, t: ops.smooth_l1_loss(x, t, beta=0.0),
     lambda x, t: F.smooth_l1_loss(x, t, beta=0.0), [ZEROS, np.ones(5)]),
    ("bce_with_logits at 0", ops.bce_with_logits, F.binary_cross_entropy_with_logits, [ZEROS, np.full(5, 0.3)]),
    ("a power of 0", lambda x: x ** 2, lambda x: x ** 2, [ZEROS]),
    ("a power of 0 to 0", lambda x: x ** 0, lambda x: x ** 0, [ZEROS]),
    ("a power of 0 to 1", lambda x: x ** 1, lambda x: x ** 1, [ZEROS]),
    ("a power 3 of 0", lambda x: x ** 3.0, lambda x: x ** 3.0, [ZEROS]),
    ("cross entropy of impossible classes", lambda x: ops.cross_entropy(x, mg.tensor([0, 1])),
     lambda x: F.cross_entropy(x, torch.tensor([0, 1])), [np.array([[0.0, -1e4], [2.0, 2.0]])]),
], ids=lambda value: value if isinstance(value, str) else "")
def test_ties_and_kinks_are_pytorchs(name, f, g, arrays, compare):
    compare(f, g, arrays, np.random.default_rng(0))


@pytest.mark.parametrize(
    "name, f, g, arrays",
    [
        (
            "norm of zeros",
            lambda x: x.norm(2, 1),
            lambda x: torch.linalg.vector_norm(x, 2, 1),
            [np.array([[0.0, 0.0], [3, 4]])],
        ),
        ("3-norm with a zero", lambda x: x.norm(3), lambda x: torch.linalg.vector_norm(x, 3), [ZEROS]),
        ("std of constants", lambda x: x.std(1), lambda x: x.std(1), [np.array([[2.0, 2.0, 2.0], [1.0, 2.0, 4.0]])]),
        (
            "logsumexp with -inf",
            lambda x: x.logsumexp(1),
            lambda x: x.logsumexp(1),
            [np.array([[0.0, -INF], [1.0, 2.0]])],
        ),
        ("softmax with -inf", lambda x: x.softmax(1), lambda x: x.softmax(1), [np.array([[0.0, -INF], [1.0, 2.0]])]),
        ("elu at 0", lambda x: ops.elu(x, 0.3), lambda x: F.elu(x, 0.3), [ZEROS]),
        ("softplus at its threshold", lambda x: ops.softplus(x, 2.0, 5.0), lambda x: F.softplus(x, 2.0, 5.0), [ZEROS]),
        ("smooth_l1_loss at 0 and beta", ops.smooth_l1_loss, F.smooth_l1_loss, [ZEROS, np.zeros(5)]),
        (
            "powers of 0 to tensors",
            ops.pow,
            torch.pow,
            [np.array([0.0, 0.0, 0.0, 2.0]), np.array([0.0, 2.0, 1.0, 0.0])],
        ),
        ("0 to the power of a tensor", lambda y: 0.0**y, lambda y: 0.0**y, [np.array([0.0, 0.5, 2.0])]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_first_derivatives_at_singular_points_are_pytorchs(name, f, g, arrays, compare):
    compare(f, g, arrays, np.random.default_rng(0), order=1)


@pytest.mark.parametrize(
    "f", [ops.sqrt, ops.norm, lambda x: ops.std(x, correction=0), lambda x: x.norm(3), lambda x: x.norm(1.5)]
)
def test_roots_and_norms_have_slope_0_at_0_at_both_orders(f):
    x = mg.zeros(4, dtype=mg.float64, requires_grad=True)
    slope, = autograd.grad(f(x).sum(), x, create_graph=True)
    curvature, = autograd.grad((slope * mg.arange(4)).sum(), x)
    assert slope.tolist() == [0.0] * 4 and curvature.tolist() == [0.0] * 4


def test_logsumexp_of_nothing_but_minus_inf_is_minus_inf_with_gradient_0():
    x = mg.full((2, 3), -INF, dtype=mg.float64, requires_grad=True)
    y = x.logsumexp(1)
    g, = autograd.grad(y.sum(), x)
    assert y.tolist() == [-INF, -INF] and g.tolist() == [[0.0] * 3] * 2


def test_bce_at_0_and_1_is_pytorchs(compare):
    x, t = np.array([0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.5]), np.array([0.0, 1.0, 0.0, 1.0, 0.5, 0.5, 0.0])
    compare(lambda x: ops.bce(x, mg.tensor(t), reduction="none"),
            lambda x: F.binary_cross_entropy(x, torch.tensor(t), reduction="none"),
            [x], np.random.default_rng(0), rtol=1e-8, order=1)  # PyTorch's bound of 1e-12 is that of float32


def test_indices_of_extrema_at_ties_are_pytorchs():
    for axis in (0, 1, None):
        assert mg.tensor(TIES).argmax(axis).tolist() == torch.tensor(TIES).argmax(axis).tolist()
        assert mg.tensor(TIES).argmin(axis).tolist() == torch.tensor(TIES).argmin(axis).tolist()
    mine, theirs = mg.tensor(TIES).max(1), torch.tensor(TIES).max(1)
    assert mine.values.tolist() == theirs.values.tolist() and mine.indices.tolist() == theirs.indices.tolist()


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_reductions_of_nothing_are_pytorchs(shape):
    x, y = mg.zeros(shape), torch.zeros(shape)
    for name in ("sum", "prod"):
        for axis in range(len(shape)):
            assert getattr(x, name)(axis).tolist() == getattr(y, name)(axis).tolist()
    assert np.isnan(x.mean().item()) and torch.isnan(y.mean())
    assert x.sum().item() == 0 and x.prod().item() == 1


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "binary_cross_entropy",
                                  "binary_cross_entropy_with_logits"])
def test_losses_with_weights_and_reductions_are_pytorchs(name, reduction, compare):
    rng = np.random.default_rng(3)
    x, t, w = rng.uniform(0.1, 0.9, (3, 4, 4))
    options = [{}]
    if name.startswith("binary"):
        options.append({"weight": w})
    for option in options:
        mine = {k: mg.tensor(v) for k, v in option.items()}
        theirs = {k: torch.tensor(v) for k, v in option.items()}
        compare(lambda x, t, mine=mine: getattr(MF, name)(x, t, reduction=reduction, **mine),
                lambda x, t, theirs=theirs: getattr(F, name)(x, t, reduction=reduction, **theirs), [x, t], rng, order=1)


def test_cross_entropy_with_every_class_ignored_is_nan_and_its_sum_is_0():
    x, t = mg.zeros(2, 3), mg.tensor([-100, -100])
    assert np.isnan(ops.cross_entropy(x, t).item()) and ops.cross_entropy(x, t, reduction="sum").item() == 0
    y, u = torch.zeros(2, 3), torch.tensor([-100, -100])
    assert torch.isnan(F.cross_entropy(y, u)) and F.cross_entropy(y, u, reduction="sum").item() == 0


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 5), (2, 3, 2, 2)])
@pytest.mark.parametrize("weight, bias", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_and_its_running_statistics_are_pytorchs(shape, weight, bias, training, compare):
    rng = np.random.default_rng(5)
    x = rng.standard_normal(shape)
    parts = [rng.standard_normal(3) for _ in range(weight + bias)]
    mine, theirs = [mg.tensor([0.1, 0.2, 0.3]).double(), mg.tensor([1.0, 2.0, 0.5]).double()], \
        [torch.tensor([0.1, 0.2, 0.3]).double(), torch.tensor([1.0, 2.0, 0.5]).double()]

    def call(norm, stats):
        def f(x, *rest):
            w, b = (rest[0] if weight else None), (rest[-1] if bias else None)
            return norm(x, *stats, w, b, training, 0.3, 1e-3)
        return f

    compare(
        call(MF.batch_norm, mine), call(F.batch_norm, theirs), [x, *parts], rng, 1e-9, 2 if weight or not bias else 1
    )
    for a, b in zip(mine, theirs):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)


@pytest.mark.parametrize("weight, bias", [(True, True), (True, False), (False, True), (False, False)])
def test_layer_norm_with_and_without_weight_and_bias_is_pytorchs(weight, bias, compare):
    rng = np.random.default_rng(6)

    def call(norm):
        def f(x, *rest):
            return norm(x, (3, 4), rest[0] if weight else None, rest[-1] if bias else None, 1e-3)
        return f

    arrays = [rng.standard_normal((2, 3, 4)), *(rng.standard_normal((3, 4)) for _ in range(weight + bias))]
    compare(call(MF.layer_norm), call(F.layer_norm), arrays, rng, 1e-9, 2 if weight or not bias else 1)


def test_normalize_one_hot_and_embedding_are_pytorchs(compare):
    rng = np.random.default_rng(7)
    compare(MF.normalize, F.normalize, [rng.standard_normal((3, 4))], rng)
    compare(lambda x: MF.normalize(x, 1.0, 0), lambda x: F.normalize(x, 1.0, 0), [rng.standard_normal((3, 4))], rng)
    index = rng.integers(0, 5, (2, 3))
    assert MF.one_hot(mg.tensor(index)).tolist() == F.one_hot(torch.tensor(index)).tolist()
    compare(lambda w: MF.embedding(mg.tensor(index), w), lambda w: F.embedding(torch.tensor(index), w),
            [rng.standard_normal((5, 2))], rng)
