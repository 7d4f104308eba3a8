"""Pooling and resizing are PyTorch's to the second derivative."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import autograd, ops


def draw(rng, ndim, dilated):
    kernel, stride, dilation = (tuple(map(int, rng.integers(1, high, ndim))) for high in (4, 4, 3 if dilated else 2))
    padding = tuple(int(rng.integers(0, k // 2 + 1)) for k in kernel)
    size = tuple(d * (k - 1) + 1 + int(rng.integers(0, 6)) for k, d in zip(kernel, dilation))
    options = dict(kernel_size=kernel, stride=stride, padding=padding, ceil_mode=bool(rng.integers(0, 2)))
    shape = (int(rng.integers(1, 4)), int(rng.integers(1, 4)), *size)
    return options | (dict(dilation=dilation) if dilated else {}), shape


def image(rng, shape):
    """Distinct values, so that no maximum is a tie, C-ordered or channels-last."""
    x = rng.permutation(np.prod(shape)).reshape(shape) / 7.0
    return x if rng.random() < 0.5 else np.moveaxis(np.moveaxis(x, 1, -1).copy(), -1, 1)


@pytest.mark.parametrize("ndim", (1, 2))
@pytest.mark.parametrize("kind", ("max_pool", "avg_pool"))
def test_pooling_agrees_with_pytorch_to_the_second_derivative(torch, compare, kind, ndim):
    rng = np.random.default_rng([ndim, len(kind)])
    name = f"{kind}{ndim}d"
    for _ in range(50):
        options, shape = draw(rng, ndim, kind == "max_pool")
        if kind == "avg_pool":
            options["count_include_pad"] = bool(rng.integers(0, 2))
        compare(lambda x, o=options: getattr(ops, name)(x, **o),
                lambda x, o=options: getattr(torch.nn.functional, name)(x, **o), [image(rng, shape)], rng)


def test_the_first_of_equal_maxima_is_chosen_and_nan_wins(torch, compare):
    rng = np.random.default_rng(0)
    compare(lambda x: ops.max_pool2d(x, 3, 1), lambda x: torch.nn.functional.max_pool2d(x, 3, 1),
            [rng.integers(0, 2, (2, 2, 7, 7)).astype(float)], rng)
    x = rng.standard_normal((1, 1, 4, 4))
    x[0, 0, 1, 1] = np.nan
    theirs = torch.nn.functional.max_pool2d(torch.tensor(x), 2).numpy()
    np.testing.assert_array_equal(ops.max_pool2d(x, 2), theirs)


@pytest.mark.parametrize("size", (1, 3, (2, 5), (None, 4), 7))
def test_adaptive_pooling_agrees_with_pytorch(torch, compare, size):
    rng = np.random.default_rng(0)
    for shape in ((2, 3, 7, 10), (1, 2, 14, 21)):
        compare(lambda x: ops.adaptive_avg_pool2d(x, size),
                lambda x: torch.nn.functional.adaptive_avg_pool2d(x, size), [image(rng, shape)], rng)


def test_adaptive_pooling_of_lines_agrees_with_pytorch(torch, compare):
    rng = np.random.default_rng(0)
    for size in (1, 3, 4):
        compare(lambda x, m=size: ops.adaptive_avg_pool1d(x, m),
                lambda x, m=size: torch.nn.functional.adaptive_avg_pool1d(x, m), [image(rng, (2, 3, 8))], rng)


RESIZES = [dict(size=(3, 8)), dict(size=(10, 6)), dict(size=(5, 1)), dict(scale_factor=2), dict(scale_factor=(3, 1)),
           dict(scale_factor=1.5), dict(scale_factor=0.7), dict(scale_factor=(2.6, 0.5))]


@pytest.mark.parametrize("mode", (dict(mode="nearest"), dict(mode="bilinear", align_corners=False),
                                  dict(mode="bilinear", align_corners=True)))
@pytest.mark.parametrize("options", RESIZES)
def test_interpolation_of_images_agrees_with_pytorch(torch, compare, options, mode):
    rng = np.random.default_rng(0)
    compare(lambda x: ops.interpolate(x, **options, **mode),
            lambda x: torch.nn.functional.interpolate(x, **options, **mode), [image(rng, (2, 3, 5, 6))], rng)


@pytest.mark.parametrize("mode", (dict(mode="nearest"), dict(mode="linear", align_corners=False),
                                  dict(mode="linear", align_corners=True)))
@pytest.mark.parametrize("options", (dict(size=9), dict(size=2), dict(scale_factor=3), dict(scale_factor=1.7)))
def test_interpolation_of_lines_agrees_with_pytorch(torch, compare, options, mode):
    rng = np.random.default_rng(0)
    compare(lambda x: ops.interpolate(x, **options, **mode),
            lambda x: torch.nn.functional.interpolate(x, **options, **mode), [image(rng, (2, 3, 5))], rng)


@pytest.mark.parametrize("factor", (1, 2, 3))
def test_pixel_shuffle_agrees_with_pytorch_and_its_inverse_undoes_it(torch, compare, factor):
    rng = np.random.default_rng(0)
    x = image(rng, (2, 2 * factor ** 2, 3, 4))
    y = ops.pixel_shuffle(x, factor)
    F = torch.nn.functional
    compare(lambda x: ops.pixel_shuffle(x, factor), lambda x: F.pixel_shuffle(x, factor), [x], rng)
    compare(lambda x: ops.pixel_unshuffle(x, factor), lambda x: F.pixel_unshuffle(x, factor), [y], rng)
    np.testing.assert_array_equal(ops.pixel_unshuffle(y, factor), x)


@pytest.mark.parametrize("f", (lambda x: ops.max_pool2d(x, 3, 2, 1), lambda x: ops.avg_pool2d(x, 3, 2, 1),
                               lambda x: ops.adaptive_avg_pool2d(x, 3), lambda x: ops.interpolate(x, scale_factor=2),
                               lambda x: ops.interpolate(x, (5, 9), mode="bilinear"), lambda x: ops.pixel_shuffle(x, 2),
                               lambda x: ops.pixel_unshuffle(x, 2)))
def test_derivatives_agree_with_differences_and_memory_stays_channels_last(f):
    rng = np.random.default_rng(1)
    x = np.moveaxis(np.moveaxis(image(rng, (2, 4, 8, 8)), 1, -1).copy(), -1, 1)
    d = rng.standard_normal(x.shape) * 1e-3  # so small that no maximum changes
    y = f(x)
    assert y.transpose(0, 2, 3, 1).flags.c_contiguous or y.strides[1] == y.itemsize
    g = rng.standard_normal(y.shape)
    X = mg.tensor(x, requires_grad=True)
    slope, = autograd.grad(f(X), X, mg.tensor(g))
    difference = (g * (f(x + d) - f(x - d))).sum() / 2  # all are linear near x
    assert (slope.numpy() * d).sum() == pytest.approx(difference, rel=1e-8)


IMAGE = mg.ones(1, 3, 8, 8)


@pytest.mark.parametrize(("call", "message"), (
    (lambda: ops.max_pool2d(IMAGE, 9), r"max_pool2d: a window of \(9, 9\).*\(8, 8\).*larger image"),
    (lambda: ops.max_pool2d(IMAGE, 2, padding=2), "max_pool2d: padding.*at most half"),
    (lambda: ops.avg_pool2d(IMAGE, 0), "avg_pool2d: kernel_size is 0"),
    (lambda: ops.avg_pool2d(mg.ones(8), 2), r"avg_pool2d: the input has shape \(8,\)"),
    (lambda: ops.max_pool1d(IMAGE, 2), r"max_pool1d: the input has shape \(1, 3, 8, 8\)"),
    (lambda: ops.adaptive_avg_pool2d(IMAGE, 0), "adaptive_avg_pool2d: output_size is 0"),
    (lambda: ops.interpolate(IMAGE, 4, mode="linear"), "interpolate: mode 'linear' for shape"),
    (lambda: ops.interpolate(IMAGE), "exactly one of them"),
    (lambda: ops.interpolate(IMAGE, 4, align_corners=True), "align_corners with mode 'nearest'"),
    (lambda: ops.interpolate(IMAGE, scale_factor=0.01), "give one positive number an axis"),
    (lambda: ops.pixel_shuffle(IMAGE, 2), r"pixel_shuffle: input \(1, 3, 8, 8\), factor 2; the channels"),
    (lambda: ops.pixel_unshuffle(IMAGE, 3), r"pixel_unshuffle: input \(1, 3, 8, 8\), factor 3; height and width"),
))
def test_a_wrong_call_is_one_line_with_the_fix(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)


def test_the_places_of_the_largest_values_are_pytorchs(torch):
    rng = np.random.default_rng(0)
    for x, call in (((2, 3, 7, 6), dict(kernel_size=(3, 2), stride=2, padding=1)), ((3, 7, 6), dict(kernel_size=2)),
                    ((1, 2, 8, 8), dict(kernel_size=2, dilation=2, ceil_mode=True)), ((2, 3, 9), dict(kernel_size=3))):
        x = rng.permutation(int(np.prod(x))).reshape(x).astype("d")
        name = "max_pool1d" if x.shape == (2, 3, 9) else "max_pool2d"
        mine = getattr(mg.nn.functional, name)(mg.tensor(x), return_indices=True, **call)
        theirs = getattr(torch.nn.functional, name)(torch.tensor(x), return_indices=True, **call)
        for a, b in zip(mine, theirs):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
            assert str(a.dtype) == str(b.dtype).removeprefix("torch.")


def test_a_pooling_of_integers_pads_with_what_is_least(torch):
    x = np.array([[[-5, -7], [-6, -9]]])
    mine = mg.nn.functional.max_pool2d(mg.tensor(x), 2, 1, 1)
    assert mine.tolist() == torch.nn.functional.max_pool2d(torch.tensor(x), 2, 1, 1).tolist()


@pytest.mark.parametrize("f", [
    lambda F, x: F.adaptive_avg_pool2d(x, (3, 2)), lambda F, x: F.adaptive_avg_pool1d(x[0], 3),
    lambda F, x: F.interpolate(x, size=(9, 7), mode="bilinear")])
@pytest.mark.parametrize("junk", [float("nan"), float("inf"), -float("inf")])
def test_inf_and_nan_stay_in_the_windows_that_see_them(f, junk, torch):
    x = np.random.default_rng(1).standard_normal((1, 2, 7, 5))
    x[0, 0, 5, 4] = junk
    mine, theirs = (f(t.nn.functional, t.tensor(x, requires_grad=True)) for t in (mg, torch))
    assert np.isfinite(theirs.detach().numpy()).mean() > 0.5
    np.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), rtol=1e-6)
