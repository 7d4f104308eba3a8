"""float16 is a format to keep numbers in: whatever adds up does so in float32, in values and in gradients."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import ops
from minigrad.nn import functional as F

ROWS, IMAGES, TARGET = (6, 40), (2, 4, 6, 6), np.random.default_rng(5).uniform(0.1, 0.9, (6, 40))


def half_and_single(x):
    """The same float16 numbers in float16 and in float32, as leaves."""
    x = np.asarray(x, "float16")
    return mg.tensor(x, requires_grad=True), mg.tensor(x.astype("float32"), requires_grad=True)


def like(x, target):
    """The target in the dtype of x."""
    return mg.tensor(np.asarray(target, "float16")).to(x.dtype)


FUNCTIONS = {
    "sum": (ROWS, lambda x: x.sum()), "sum of columns": (ROWS, lambda x: x.sum(0)), "mean": (ROWS, lambda x: x.mean()),
    "mean of rows": (ROWS, lambda x: x.mean(1, True)), "var": (ROWS, lambda x: x.var(0)),
    "std": (ROWS, lambda x: x.std()),
    "norm": (ROWS, lambda x: x.norm()), "norm of rows": (ROWS, lambda x: x.norm(2, 1)),
    "3-norm": (ROWS, lambda x: x.norm(3)), "1-norm": (ROWS, lambda x: x.norm(1)), "prod": (ROWS, lambda x: x.prod(0)),
    "cumsum": (ROWS, lambda x: x.cumsum(1)), "cumprod": (ROWS, lambda x: x.cumprod(0)),
    "logsumexp": (ROWS, lambda x: x.logsumexp(1)),
    "softmax": (ROWS, lambda x: x.softmax(1)), "log_softmax": (ROWS, lambda x: x.log_softmax(0)),
    "quantile": (ROWS, lambda x: x.quantile(0.3)), "normalize": (ROWS, F.normalize),
    "mse_loss": (ROWS, lambda x: F.mse_loss(x, like(x, TARGET))),
    "l1_loss": (ROWS, lambda x: F.l1_loss(x, like(x, TARGET))),
    "smooth_l1_loss": (ROWS, lambda x: F.smooth_l1_loss(x, like(x, TARGET), reduction="sum")),
    "bce": (ROWS, lambda x: F.binary_cross_entropy(x.sigmoid(), like(x, TARGET))),
    "bce with logits": (ROWS, lambda x: F.binary_cross_entropy_with_logits(x, like(x, TARGET))),
    "bce with logits, weighed": (ROWS, lambda x: F.binary_cross_entropy_with_logits(
        x, like(x, TARGET), weight=like(x, TARGET), pos_weight=like(x, TARGET[0]))),
    "cross_entropy": (ROWS, lambda x: F.cross_entropy(x, mg.arange(6))),
    "cross_entropy, smoothed": (ROWS, lambda x: F.cross_entropy(x, mg.arange(6), like(x, TARGET[0]),
                                                                label_smoothing=0.1)),
    "nll_loss": (ROWS, lambda x: F.nll_loss(x, mg.arange(6))),
    "layer_norm": (ROWS, lambda x: F.layer_norm(x, (40,), like(x, TARGET[0]), like(x, TARGET[1]))),
    "batch_norm": (IMAGES, lambda x: F.batch_norm(x, None, None, like(x, TARGET[0, :4]), like(x, TARGET[1, :4]), True)),
    "batch_norm by statistics": (IMAGES, lambda x: F.batch_norm(x, like(x, TARGET[0, :4]), like(x, TARGET[1, :4]))),
    "group_norm": (IMAGES, lambda x: F.group_norm(x, 2, like(x, TARGET[0, :4]), like(x, TARGET[1, :4]))),
    "instance_norm": (IMAGES, F.instance_norm), "avg_pool2d": (IMAGES, lambda x: F.avg_pool2d(x, 3, 1, 1)),
    "max_pool2d": (IMAGES, lambda x: F.max_pool2d(x, 3, 1)),
    "adaptive pool": (IMAGES, lambda x: F.adaptive_avg_pool2d(x, 4)),
    "interpolate": (IMAGES, lambda x: F.interpolate(x, scale_factor=1.5, mode="bilinear")),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("size", [1.0, 120.0])
def test_float16_is_float32_rounded_once_in_value_and_gradient(name, size):
    shape, f = FUNCTIONS[name]
    size = min(size, 1.1) if name in ("prod", "cumprod", "bce") else size
    rng = np.random.default_rng(3)
    x, wide = half_and_single(rng.standard_normal(shape) * size)
    y, expected = f(x), f(wide)
    assert y.dtype == mg.float16
    with np.errstate(over="ignore"):
        rounded = expected.detach().numpy().astype("float16").astype("float32")
    np.testing.assert_allclose(y.detach().numpy().astype("float32"), rounded, rtol=2e-3, atol=2e-3 * abs(rounded).max())
    g = np.asarray(rng.choice([-1.0, 1.0], y.shape), "float16")
    y.backward(mg.tensor(g))
    expected.backward(mg.tensor(g.astype("float32")))
    assert x.grad.dtype == mg.float16
    slope = wide.grad.numpy()
    np.testing.assert_allclose(x.grad.numpy().astype("float32"), slope, rtol=2e-3, atol=2e-3 * abs(slope).max() + 6e-8)


def test_the_mean_of_more_ones_than_float16_can_count_is_1():
    x = mg.ones(70_000, dtype=mg.float16, requires_grad=True)
    assert x.mean().item() == 1 and x.var().item() == 0 and F.mse_loss(x, x.detach() * 0).item() == 1
    assert x.reshape(-1, 1).mean(0).item() == 1 and mg.ones(4096, 2, dtype=mg.float16).sum(0).tolist() == [4096] * 2
    x.mean().backward(mg.tensor(1024.0).half())  # a scaled loss: 1/70,000 itself is hardly a float16
    np.testing.assert_allclose(x.grad.numpy().astype("f"), 1024 / 70_000, rtol=1e-3)


def test_layer_norm_of_plus_and_minus_300_is_plus_and_minus_1():
    x = mg.tensor([[300.0, -300.0] * 8]).half().requires_grad_()
    y = F.layer_norm(x, (16,))
    assert y.tolist() == [[1.0, -1.0] * 8]
    assert F.group_norm(x.detach().reshape(1, 2, 8), 2).reshape(-1).tolist() == [1.0, -1.0] * 8
    y.backward(mg.ones_like(y))
    assert abs(x.grad.numpy()).max() < 1e-3


def test_the_extremes_of_float16_share_the_gradient_among_more_ties_than_it_can_count():
    x = mg.zeros(70_000, dtype=mg.float16, requires_grad=True)
    x.max().backward(mg.tensor(1024.0).half())
    np.testing.assert_allclose(x.grad.numpy().astype("f"), 1024 / 70_000, rtol=1e-3)


def test_a_bias_gets_the_sum_of_more_rows_than_float16_can_count():
    for layer in (lambda x, w, b: x + b, lambda x, w, b: F.linear(x, w, b)):
        b = mg.zeros(1, dtype=mg.float16, requires_grad=True)
        w = mg.zeros(1, 1, dtype=mg.float16, requires_grad=True)
        layer(mg.zeros(4000, 1, dtype=mg.float16), w, b).sum().backward()
        assert b.grad.item() == 4000  # one by one, float16 stops at 2048
    b = mg.zeros(1, dtype=mg.float16, requires_grad=True)
    F.conv2d(mg.zeros(4, 1, 40, 40, dtype=mg.float16), mg.zeros(1, 1, 1, 1, dtype=mg.float16), b).sum().backward()
    assert b.grad.item() == 6400


def test_norms_keep_float16_beside_wider_weights_and_running_statistics():
    x = mg.tensor(np.random.default_rng(0).standard_normal((8, 3)) * 100).half()
    mean, var = mg.zeros(3), mg.ones(3)
    y = F.batch_norm(x, mean, var, mg.ones(3), mg.zeros(3), True)
    assert y.dtype == mg.float16 and mean.dtype == mg.float32
    np.testing.assert_allclose(mean.numpy(), 0.1 * x.numpy().astype("f").mean(0), rtol=1e-5)
    assert F.layer_norm(x, (3,), mg.ones(3)).dtype == mg.float16
    assert F.mse_loss(x, x.float()).dtype == mg.float32 and ops.mean(x, dtype=mg.float64).dtype == mg.float64
