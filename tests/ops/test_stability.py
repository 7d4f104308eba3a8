"""Ops that are called stable are: finite, silent and exact at |x| <= 1e4 in float32, and at float16's limits."""

import math
import warnings

import numpy as np
import pytest

import minigrad as mg
from minigrad import autograd, ops
from minigrad.nn import functional as F

WIDE = np.concatenate(
    [
        np.linspace(-1e4, 1e4, 401),
        np.linspace(-30, 30, 241),
        [0.0, -0.0, 1e-30, -1e-30, 88.8, -88.8, 103.9, -104.0],
        np.geomspace(1e-6, 1e4, 60),
        -np.geomspace(1e-6, 1e4, 60),
    ]
)
ELEMENTWISE = {
    "sigmoid": ops.sigmoid,
    "tanh": ops.tanh,
    "relu": ops.relu,
    "leaky_relu": ops.leaky_relu,
    "elu": ops.elu,
    "gelu": ops.gelu,
    "gelu tanh": lambda x: ops.gelu(x, "tanh"),
    "silu": ops.silu,
    "softplus": ops.softplus,
    "erf": ops.erf,
    "abs": ops.abs,
    "softplus without threshold": lambda x: ops.softplus(x, threshold=float("inf")),
    "bce_with_logits of 0": lambda x: ops.bce_with_logits(x, mg.zeros_like(x), reduction="none"),
    "bce_with_logits of 1": lambda x: ops.bce_with_logits(x, mg.ones_like(x), reduction="none"),
    "bce_with_logits weighed": lambda x: ops.bce_with_logits(
        x, mg.ones_like(x) * 0.5, pos_weight=mg.ones_like(x) * 2, reduction="none"
    ),
    "mse": lambda x: ops.mse_loss(x, mg.zeros_like(x), reduction="none"),
    "smooth_l1": lambda x: ops.smooth_l1_loss(x, mg.zeros_like(x), reduction="none"),
}
ROWS = {
    "softmax": lambda x: ops.softmax(x, 1),
    "log_softmax": lambda x: ops.log_softmax(x, 1),
    "logsumexp": lambda x: ops.logsumexp(x, 1),
    "cross_entropy": lambda x: ops.cross_entropy(x, mg.zeros(x.shape[0], dtype=mg.int64), reduction="none"),
    "cross_entropy smoothed": lambda x: ops.cross_entropy(
        x, mg.zeros(x.shape[0], dtype=mg.int64), label_smoothing=0.1, reduction="none"
    ),
    "norm": lambda x: ops.norm(x, 2, 1),
    "layer_norm": lambda x: mg.nn.functional.layer_norm(x, x.shape[-1:]),
    "var": lambda x: ops.var(x, 1),
    "std": lambda x: ops.std(x, 1),
    "mean": lambda x: ops.mean(x, 1),
    "max": lambda x: ops.amax(x, 1),
}


def rows():
    """Rows of large values of one sign, both signs, equal values, one that towers above the rest."""
    rng = np.random.default_rng(0)
    return np.stack(
        [
            rng.uniform(-1e4, 1e4, 8),
            rng.uniform(9e3, 1e4, 8),
            -rng.uniform(9e3, 1e4, 8),
            np.full(8, 1e4),
            np.full(8, -1e4),
            np.eye(8)[0] * 1e4,
            np.eye(8)[3] * -1e4,
            rng.standard_normal(8),
            rng.standard_normal(8) * 1e-3,
        ]
    )


def value_and_slope(f, x, dtype, seed=0):
    t = mg.tensor(x.astype(dtype), requires_grad=True)
    y = f(t)
    assert y.dtype == dtype
    g = np.random.default_rng(seed).uniform(0.5, 1.5, y.shape).astype("float32").astype(dtype)
    return y.detach().numpy(), autograd.grad(y, t, mg.tensor(g))[0].numpy()


def agree(low, high, tolerance, floor):
    assert np.isfinite(low).all(), f"not finite at {np.argwhere(~np.isfinite(low))[:3].tolist()}"
    error = np.abs(low - high) / np.maximum(np.abs(high), floor)
    assert error.max(initial=0) <= tolerance, (
        f"relative error {error.max()} at {np.unravel_index(error.argmax(), error.shape)}"
    )


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_in_float32_is_finite_silent_and_exact(name):
    x = WIDE.astype("float32").astype("float64")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (low, low_slope), (high, high_slope) = (
            value_and_slope(ELEMENTWISE[name], x, d) for d in ("float32", "float64")
        )
    agree(low, high, 1e-6, 0.25)
    agree(low_slope, high_slope, 1e-6, 1.0)


@pytest.mark.parametrize("name", ROWS)
def test_rows_in_float32_are_finite_silent_and_exact(name):
    x = rows().astype("float32").astype("float64")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (low, low_slope), (high, high_slope) = (
            value_and_slope(ROWS[name], x, dtype) for dtype in ("float32", "float64")
        )
    agree(low, high, 1e-6, 1.0)
    # layer_norm's slope is a difference of terms as large as the row's largest: that is what it can be measured by.
    floor = np.abs(high_slope).max(-1, keepdims=True, initial=1.0) if name == "layer_norm" else 1.0
    agree(low_slope, high_slope, 1e-6, floor)


@pytest.mark.parametrize(
    "name",
    [
        *sorted(set(ELEMENTWISE) - {"bce_with_logits weighed"}),
        "softmax",
        "log_softmax",
        "logsumexp",
        "cross_entropy",
        "max",
        "mean",
    ],
)
def test_at_the_limits_of_float16_results_are_finite_where_float16_can_hold_them(name):
    limits = np.array([65504, -65504, 6.1e-5, -6.1e-5, 6e-8, 0, 11, -11, 17, -17, 1000, -1000.0])
    f, x = (ELEMENTWISE[name], limits) if name in ELEMENTWISE else (ROWS[name], limits.reshape(2, 6))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with np.errstate(over="ignore" if name in ("mse", "mean") else "warn"):
            low, slope = value_and_slope(f, x, "float16")
        exact, exact_slope = value_and_slope(f, x, "float64")
    for a, b in ((low, exact), (slope, exact_slope)):
        held = np.abs(b) < 6e4
        assert np.isfinite(a[held]).all()
        np.testing.assert_allclose(a[held].astype("float64"), b[held], rtol=4e-3, atol=2e-3)


def test_second_derivatives_are_finite_at_large_values():
    for name, f in ELEMENTWISE.items():
        x = mg.tensor(WIDE.astype("float32"), requires_grad=True)
        slope, = autograd.grad(f(x).sum(), x, create_graph=True)
        if slope.requires_grad:
            second, = autograd.grad(slope.sum(), x, allow_unused=True)
            assert second is None or np.isfinite(second.numpy()).all(), name


def test_a_gradient_penalty_on_a_vanished_gradient_is_finite():
    w = mg.zeros(3, requires_grad=True)
    x = mg.ones(2, 3, requires_grad=True)
    g, = autograd.grad((x * w).sum(), x, create_graph=True)
    penalty = ((g.norm(2, 1) - 1) ** 2).mean()
    penalty.backward()
    assert penalty.item() == 1.0 and w.grad.tolist() == [0.0, 0.0, 0.0]


def test_the_left_tail_of_gelu_keeps_its_digits():
    """1 + erf(x) would leave none of them in float32 beyond -5: 100 examples an op did not find that, 10,000 did."""
    x = np.linspace(-12, 3, 301)
    exact = np.array([0.5 * math.erfc(-v * 0.5 ** 0.5) for v in x])
    np.testing.assert_allclose(ops.activation.ndtr(x), exact, 1e-13)
    np.testing.assert_allclose(ops.gelu(x), x * exact, 1e-13, 1e-300)
    z = (2 / math.pi) ** 0.5 * (x + 0.044715 * x ** 3)
    logistic = np.array([math.exp(2 * v) / (1 + math.exp(2 * v)) for v in z])
    np.testing.assert_allclose(ops.gelu(x, "tanh"), x * logistic, 1e-11, 1e-300)
    narrow = x.astype("f")
    for approximate, least in (("none", -12), ("tanh", -5)):  # in float32 rounding z shifts its exponential by z ulps
        here = (narrow >= least) & (narrow != 0)
        wide = ops.gelu(narrow.astype("d"), approximate)
        found = ops.gelu(narrow, approximate)
        assert found.dtype == "f" and (abs(found - wide)[here] <= 2e-6 * abs(wide)[here]).all()
    assert np.isnan(ops.activation.ndtr(np.array([np.nan]))).all()
    assert ops.activation.ndtr(np.array([-np.inf, np.inf, -1e4, 1e4])).tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32"])
@pytest.mark.parametrize("loss", [F.l1_loss, F.mse_loss, F.smooth_l1_loss, F.binary_cross_entropy_with_logits])
def test_losses_of_integers_are_refused_and_beside_floats_do_not_wrap(dtype, loss):
    x, t = (mg.from_numpy(np.full(300, value, dtype)) for value in (1, 0))
    with pytest.raises(TypeError, match=rf"the input is {dtype} and the target {dtype}; call .float\(\)"):
        loss(x, t)
    for reduction in ("sum", "mean", "none"):
        expected = loss(x.double(), t.double(), reduction=reduction)
        for a, b in ((x.float(), t), (x, t.float())):
            np.testing.assert_allclose(loss(a, b, reduction=reduction).numpy(), expected.numpy(), rtol=1e-6)


def test_bce_of_bytes_has_a_range_too():
    x, t = mg.from_numpy(np.array([0, 2, 1], "uint8")), mg.tensor([0.0, 1.0, 0.0])
    with pytest.raises(ValueError, match="reaches from 0.0 to 2.0"):
        F.binary_cross_entropy(x, t)


def test_bce_without_reduction_does_not_mind_a_large_sum():
    x, t = (mg.from_numpy(np.full((40, 40), value, "float16")) for value in (0, 1))
    assert F.binary_cross_entropy(x, t, reduction="none").numpy().max() == 100  # warnings are errors


def test_leaky_relu_takes_numbers_and_a_slope_of_any_kind():
    assert float(ops.leaky_relu(3.0)) == 3 and float(ops.leaky_relu(-3.0, 0.5)) == -1.5
    assert F.leaky_relu(mg.tensor([-1.0]), np.array(0.25)).item() == -0.25
