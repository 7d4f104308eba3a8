"""Normalisations are PyTorch's to the second derivative, whatever the memory order."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import autograd
from minigrad.nn import functional as F
from minigrad.ops.activation import LeakyRelu, Relu

SHAPES = ((4, 6), (3, 6, 5), (2, 6, 3, 4))


def values(rng, shape):
    """C-ordered or channels-last."""
    x = rng.standard_normal(shape) * 2 + 1
    return x if rng.random() < 0.5 else np.moveaxis(np.moveaxis(x, 1, -1).copy(), -1, 1)


def with_some(norm, weight, bias, *args, **options):
    """norm(x, *args, ...) of x and those of weight and bias that are there."""
    def f(x, *rest):
        return norm(x, *args, weight=rest[0] if weight else None, bias=rest[-1] if bias else None, **options)
    return f


@pytest.mark.parametrize(("weight", "bias"), ((True, True), (True, False), (False, False)))
@pytest.mark.parametrize("seed", range(4))
def test_norms_agree_with_pytorch_to_the_second_derivative(torch, compare, weight, bias, seed):
    rng = np.random.default_rng([seed, weight, bias])
    for shape in SHAPES:
        affine = [rng.standard_normal(6) for _ in range(weight + bias)]
        for groups in (1, 2, 3, 6) if len(shape) > 2 else (1, 2, 3):
            compare(with_some(F.group_norm, weight, bias, groups, eps=1e-2),
                    with_some(torch.nn.functional.group_norm, weight, bias, groups, eps=1e-2),
                    [values(rng, shape), *affine], rng)
        compare(with_some(F.batch_norm, weight, bias, None, None, training=True, eps=1e-2),
                with_some(torch.nn.functional.batch_norm, weight, bias, None, None, training=True, eps=1e-2),
                [values(rng, shape), *affine], rng)
        if len(shape) > 2:
            compare(with_some(F.instance_norm, weight, bias, eps=1e-2),
                    with_some(torch.nn.functional.instance_norm, weight, bias, eps=1e-2),
                    [values(rng, shape), *affine], rng)
        last = [rng.standard_normal(shape[1:]) for _ in range(weight + bias)]
        compare(with_some(F.layer_norm, weight, bias, shape[1:], eps=1e-2),
                with_some(torch.nn.functional.layer_norm, weight, bias, shape[1:], eps=1e-2),
                [values(rng, shape), *last], rng)


@pytest.mark.parametrize("shape", SHAPES[1:])
@pytest.mark.parametrize("name", ("batch_norm", "instance_norm"))
def test_running_statistics_are_pytorchs(torch, name, shape):
    rng = np.random.default_rng(0)
    x, mean, var = rng.standard_normal(shape), rng.standard_normal(6), rng.random(6)
    mine, theirs = ([library.tensor(a) for a in (mean, var)] for library in (mg, torch))
    flag = {"batch_norm": "training", "instance_norm": "use_input_stats"}[name]
    getattr(F, name)(mg.tensor(x), *mine, momentum=0.3, **{flag: True})
    getattr(torch.nn.functional, name)(torch.tensor(x), *theirs, momentum=0.3, **{flag: True})
    for a, b in zip(mine, theirs):
        np.testing.assert_allclose(a.numpy(), b.numpy(), 1e-12)
    y = getattr(F, name)(mg.tensor(x), *mine, **{flag: False})
    z = getattr(torch.nn.functional, name)(torch.tensor(x), *theirs, **{flag: False})
    np.testing.assert_allclose(y.numpy(), z.numpy(), 1e-10, 1e-10)


@pytest.mark.parametrize("norm", (lambda x, w, b: F.batch_norm(x, None, None, w, b, True),
                                  lambda x, w, b: F.group_norm(x, 2, w, b),
                                  lambda x, w, b: F.instance_norm(x, None, None, w, b)))
def test_first_and_second_derivatives_agree_with_differences(norm):
    rng = np.random.default_rng(2)
    arrays = [values(rng, (3, 4, 5, 4)), rng.standard_normal(4), rng.standard_normal(4)]
    directions = [rng.standard_normal(a.shape) for a in arrays]
    others = [rng.standard_normal(a.shape) for a in arrays]
    g = rng.standard_normal(arrays[0].shape)

    def slope(step):
        """The derivative along `directions`, at a point `step` along `others`, as a tensor with a graph."""
        moved = [mg.tensor(a + step * d, requires_grad=True) for a, d in zip(arrays, others)]
        grads = autograd.grad(norm(*moved), moved, mg.tensor(g), create_graph=True)
        return sum((d * mg.tensor(v)).sum() for d, v in zip(grads, directions)), moved

    def value(step):
        return float((g * norm(*(mg.tensor(a + step * d) for a, d in zip(arrays, directions))).numpy()).sum())

    h = 1e-4
    here, inputs = slope(0.0)
    assert here.item() == pytest.approx((value(h) - value(-h)) / (2 * h), rel=1e-6)
    second = sum((d.numpy() * v).sum() for d, v in zip(autograd.grad(here, inputs[:2]), others))  # linear in the bias
    assert second == pytest.approx((slope(h)[0].item() - slope(-h)[0].item()) / (2 * h), rel=1e-6)


@pytest.mark.parametrize("slope", (0.0, 0.2, 1.0, 3.0, -0.5))
@pytest.mark.parametrize("training", (True, False))
def test_an_activation_in_the_same_pass_changes_nothing(slope, training, torch, compare):
    rng = np.random.default_rng(0)
    statistics = rng.standard_normal(6), rng.random(6) + 0.5

    def mine(x, w, b):
        op = LeakyRelu(slope) if slope else Relu()
        return F.batch_norm(x, *map(mg.tensor, statistics), w, b, training, activation=op)

    def theirs(x, w, b):
        y = torch.nn.functional.batch_norm(x, *map(torch.tensor, statistics), w, b, training)
        return torch.nn.functional.leaky_relu(y, slope)

    for shape in SHAPES:
        compare(mine, theirs, [values(rng, shape), rng.standard_normal(6), rng.standard_normal(6)], rng)


def test_batch_norm_keeps_channels_last_memory():
    x = np.moveaxis(np.random.default_rng(0).standard_normal((3, 4, 5, 6)).astype("f"), -1, 1)
    X = mg.tensor(x, requires_grad=True)
    y = F.batch_norm(X, None, None, mg.ones(6), mg.zeros(6), True)
    slope, = autograd.grad(y, X, y.detach() * 2)
    for result in (y, slope):
        assert result.array.transpose(0, 2, 3, 1).flags.c_contiguous and result.dtype == "f"


@pytest.mark.parametrize(("call", "message"), (
    (lambda: F.group_norm(mg.ones(2, 6, 3), 4), r"group_norm: the input has shape \(2, 6, 3\), to be divided into 4"),
    (lambda: F.instance_norm(mg.ones(2, 6, 1)), "instance_norm: the input has shape.*more than one value"),
    (lambda: F.batch_norm(mg.ones(1, 6), training=True), "batch_norm: the input has shape.*batches of two or more"),
    (lambda: F.layer_norm(mg.ones(2, 6), (5,)), "layer_norm: the input has shape.*last sizes"),
    (lambda: F.batch_norm(mg.ones(4, 6), weight=mg.ones(4), training=True), r"the weight \(4,\) .* not of 6 channels"),
    (lambda: F.batch_norm(mg.ones(4, 6), bias=mg.ones(1), training=True), r"the bias \(1,\) are not of 6 channels"),
    (lambda: mg.nn.BatchNorm2d(6)(mg.ones(2, 5, 3, 3)), "it takes 6 channels"),
))
def test_a_wrong_shape_is_one_line_with_the_fix(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)


def test_float32_batch_norm_is_accurate_where_the_mean_is_large():
    x = np.random.default_rng(0).standard_normal((8, 3, 16, 16)) + 1000
    y = F.batch_norm(mg.tensor(x.astype("f")), training=True).numpy()
    exact = (x - x.mean((0, 2, 3), keepdims=True)) / x.std((0, 2, 3), keepdims=True)
    assert abs(y - exact).max() < 2e-3
