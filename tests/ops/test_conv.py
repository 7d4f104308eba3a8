"""Convolutions are PyTorch's to the second derivative, each other's adjoint, and clear about wrong shapes."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import autograd, ops
from minigrad.backend import numpy as cpu
from minigrad.backend import threads
from minigrad.ops import winograd
from minigrad.ops.conv import Conv2d, ConvTranspose2d, ConvWeight2d, Geometry


def draw_case(rng, ndim):
    """Options of a convolution, and shapes of an image and a weight that they fit."""
    groups = int(rng.integers(1, 4))
    n, c, o = int(rng.integers(1, 4)), groups * int(rng.integers(1, 4)), groups * int(rng.integers(1, 4))
    kernel, stride, padding, dilation = (tuple(map(int, rng.integers(low, high, ndim)))
                                         for low, high in ((1, 5), (1, 4), (0, 4), (1, 4)))
    size = (max(d * (k - 1) + 1 - 2 * p, 1) + int(rng.integers(0, 6)) for k, p, d in zip(kernel, padding, dilation))
    options = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    return options, (n, c, *size), (o, c // groups, *kernel)


def windows_of(options, x, w):
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in
                 zip(x[2:], w[2:], options["stride"], options["padding"], options["dilation"]))


def in_some_layout(rng, shape):
    """Random values whose memory is C-ordered or channels-last."""
    if rng.random() < 0.5:
        return rng.standard_normal(shape)
    return np.moveaxis(rng.standard_normal((shape[0], *shape[2:], shape[1])), -1, 1)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ndim", (1, 2))
def test_convolution_agrees_with_pytorch_to_the_second_derivative(torch, compare, ndim, seed):
    rng = np.random.default_rng([ndim, seed])
    mine, theirs = getattr(ops, f"conv{ndim}d"), getattr(torch.nn.functional, f"conv{ndim}d")
    for _ in range(30):
        options, x, w = draw_case(rng, ndim)
        arrays = [in_some_layout(rng, x), in_some_layout(rng, w)]
        if rng.random() < 0.5:
            arrays.append(rng.standard_normal(w[0]))
        compare(lambda *t, o=options: mine(*t, **o), lambda *t, o=options: theirs(*t, **o), arrays, rng)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ndim", (1, 2))
def test_transposed_convolution_agrees_with_pytorch_to_the_second_derivative(torch, compare, ndim, seed):
    rng = np.random.default_rng([ndim, seed, 1])
    mine, theirs = getattr(ops, f"conv_transpose{ndim}d"), getattr(torch.nn.functional, f"conv_transpose{ndim}d")
    for _ in range(30):
        options, x, w = draw_case(rng, ndim)
        options["output_padding"] = tuple(int(rng.integers(0, max(s, d)))
                                          for s, d in zip(options["stride"], options["dilation"]))
        size = windows_of(options, x, w)
        if min((n - 1) * s - 2 * p + d * (k - 1) + 1 for n, s, p, d, k in
               zip(size, options["stride"], options["padding"], options["dilation"], w[2:])) < 1:
            options["padding"] = (0,) * ndim
        arrays = [in_some_layout(rng, (x[0], w[0], *size)), in_some_layout(rng, w)]
        if rng.random() < 0.5:
            arrays.append(rng.standard_normal(x[1]))
        compare(lambda *t, o=options: mine(*t, **o), lambda *t, o=options: theirs(*t, **o), arrays, rng)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("padding", ("same", "valid"))
@pytest.mark.parametrize("kernel", ((3, 3), (2, 4), (1, 5)))
@pytest.mark.parametrize("dilation", (1, 2))
def test_padding_by_name_agrees_with_pytorch(torch, compare, padding, kernel, dilation):
    rng = np.random.default_rng(0)
    compare(lambda x, w: ops.conv2d(x, w, padding=padding, dilation=dilation),
          lambda x, w: torch.nn.functional.conv2d(x, w, padding=padding, dilation=dilation),
          [rng.standard_normal((2, 3, 9, 10)), rng.standard_normal((4, 3, *kernel))], rng)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("dilation", (1, 3))
def test_same_padding_keeps_the_length_of_lines(torch, compare, dilation):
    rng = np.random.default_rng(0)
    compare(lambda x, w: ops.conv1d(x, w, padding="same", dilation=dilation),
          lambda x, w: torch.nn.functional.conv1d(x, w, padding="same", dilation=dilation),
          [rng.standard_normal((2, 3, 9)), rng.standard_normal((4, 3, 4))], rng)


def test_inputs_without_a_batch_axis_are_taken(torch, compare):
    rng = np.random.default_rng(0)
    for name, x, w in (("conv1d", (2, 7), (3, 2, 3)), ("conv2d", (2, 7, 6), (3, 2, 3, 3)),
                       ("conv_transpose1d", (3, 7), (3, 2, 3)), ("conv_transpose2d", (3, 7, 6), (3, 2, 3, 3))):
        arrays = [rng.standard_normal(x), rng.standard_normal(w)]
        compare(getattr(ops, name), getattr(torch.nn.functional, name), arrays, rng)


def test_convolution_and_its_transpose_are_adjoint_over_1000_geometries():
    rng = np.random.default_rng(3)
    for _ in range(1000):
        options, x, w = draw_case(rng, 2)
        size = windows_of(options, x, w)
        padding = tuple((int(p), int(q)) for p, q in zip(options["padding"], rng.integers(0, 3, 2)))
        size = tuple((n + sum(p) - d * (k - 1) - 1) // s + 1 for n, p, k, s, d in
                     zip(x[2:], padding, w[2:], options["stride"], options["dilation"]))
        if min(size) < 1:
            padding, size = tuple((p, p) for p in options["padding"]), windows_of(options, x, w)
        geometry = Geometry(x[2:], size, w[2:], options["stride"], padding, options["dilation"], options["groups"])
        x, w, g = in_some_layout(rng, x), in_some_layout(rng, w), in_some_layout(rng, (x[0], w[0], *size))
        forms = [g * Conv2d(geometry)(x, w), x * ConvTranspose2d(geometry)(g, w), w * ConvWeight2d(geometry)(x, g)]
        size = np.abs(forms[0]).sum()
        assert abs(forms[0].sum() - forms[1].sum()) <= 1e-12 * size
        assert abs(forms[0].sum() - forms[2].sum()) <= 1e-12 * size


@pytest.mark.parametrize("options", ({}, dict(stride=2, padding=1), dict(dilation=2, padding=2, groups=2)))
def test_derivatives_agree_with_differences_of_the_float64_values(options):
    # A convolution is linear in each factor, so that central differences are exact but for rounding.
    rng = np.random.default_rng(5)
    x, w = rng.standard_normal((2, 4, 7, 6)), rng.standard_normal((6, 4 // options.get("groups", 1), 3, 3))
    dx, dw = rng.standard_normal(x.shape), rng.standard_normal(w.shape)
    g = rng.standard_normal(ops.conv2d(x, w, **options).shape)

    def form(a, b):
        return float((g * ops.conv2d(x + a * dx, w + b * dw, **options)).sum())

    X, W = mg.tensor(x, requires_grad=True), mg.tensor(w, requires_grad=True)
    gx, gw = autograd.grad(ops.conv2d(X, W, **options), [X, W], mg.tensor(g), create_graph=True)
    slope = (gx * mg.tensor(dx)).sum()
    assert slope.item() == pytest.approx((form(0.5, 0) - form(-0.5, 0)), rel=1e-10)
    assert (gw * mg.tensor(dw)).sum().item() == pytest.approx((form(0, 0.5) - form(0, -0.5)), rel=1e-10)
    mixed, = autograd.grad(slope, W)
    four = form(0.5, 0.5) - form(-0.5, 0.5) - form(0.5, -0.5) + form(-0.5, -0.5)
    assert (mixed * mg.tensor(dw)).sum().item() == pytest.approx(four, rel=1e-10)


def test_fewer_products_give_the_same_values_in_all_three_ops(monkeypatch):
    rng = np.random.default_rng(4)
    for _ in range(150):
        s, t = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        windows = tuple(map(int, rng.integers(2, 7, 2)))
        padding = tuple(tuple(map(int, rng.integers(0, 3, 2))) for _ in range(2))
        image = tuple((m + 1) * d - sum(p) + int(rng.integers(0, 3)) for m, d, p in zip(windows, (s, t), padding))
        if min(image) < 1:
            continue
        groups = int(rng.integers(1, 3))
        geometry = Geometry(image, windows, (2 * s, 2 * t), (s, t), padding, (1, 1), groups)
        n, c, o = int(rng.integers(1, 4)), groups * int(rng.integers(1, 4)), groups * int(rng.integers(1, 4))
        x, w = in_some_layout(rng, (n, c, *image)), in_some_layout(rng, (o, c // groups, 2 * s, 2 * t))
        g = in_some_layout(rng, (n, o, *windows))
        for op, inputs in ((Conv2d, (x, w)), (ConvTranspose2d, (g, w)), (ConvWeight2d, (x, g))):
            results = []
            for least in (10 ** 9, 1):
                monkeypatch.setattr(winograd, "LEAST_CHANNELS", least)
                monkeypatch.setattr(winograd, "LEAST_WINDOWS", least)
                results.append(op(geometry)(*inputs))
            np.testing.assert_allclose(*results, 1e-12, 1e-12)


@pytest.mark.parametrize("op", (Conv2d, ConvTranspose2d, ConvWeight2d))
def test_fewer_products_cost_no_float32_accuracy_to_speak_of(monkeypatch, op):
    rng = np.random.default_rng(4)
    geometry = Geometry((16, 16), (8, 8), (4, 4), (2, 2), ((1, 1), (1, 1)), (1, 1), 1)
    x, w, g = (rng.standard_normal(s) for s in ((32, 64, 16, 16), (64, 64, 4, 4), (32, 64, 8, 8)))
    inputs = {Conv2d: (x, w), ConvTranspose2d: (g, w), ConvWeight2d: (x, g)}[op]
    errors = []
    for least in (32, 10 ** 9):
        monkeypatch.setattr(winograd, "LEAST_CHANNELS", least)
        assert winograd.applies(geometry, 32, 64, 64) == (least == 32)
        exact = op(geometry)(*inputs)
        errors.append(abs(op(geometry)(*(a.astype("f") for a in inputs)) - exact).max() / abs(exact).max())
    assert errors[0] < 3e-6 and errors[0] < 8 * errors[1]


def test_results_are_channels_last_and_own_their_memory():
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(shape).astype("f") for shape in ((2, 3, 8, 8), (5, 3, 4, 4)))
    y = ops.conv2d(x, w, stride=2, padding=1)
    for result in (y, ops.conv_transpose2d(y, w, stride=2, padding=1)):
        assert result.transpose(0, 2, 3, 1).flags.c_contiguous and result.base is None and result.dtype == "f"


@pytest.mark.parametrize("count", (1, 2, 3))
@pytest.mark.parametrize("groups", (1, 2))
def test_any_number_of_threads_gives_the_same_values(monkeypatch, count, groups):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((7, 4, 20, 20)), rng.standard_normal((6, 4 // groups, 4, 4))
    X, W = mg.tensor(x, requires_grad=True), mg.tensor(w, requires_grad=True)

    def results():
        y = ops.conv2d(X, W, None, 2, 1, 1, groups)
        return y, *autograd.grad(y, [X, W], y.detach())

    monkeypatch.setattr(threads, "SMALL", 10 ** 12)
    whole = results()
    monkeypatch.setattr(threads, "SMALL", 0)
    monkeypatch.setattr(threads._threads, "count", count)
    for a, b in zip(whole, results()):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), 1e-12, 1e-12)


@pytest.mark.parametrize("count", (1, 2, 3))
def test_pieces_are_whole_and_in_one_order(monkeypatch, count):
    for name, value in (("LEAST", 0), ("SMALL", 0), ("CACHED", 100), ("ROWS", 1)):
        monkeypatch.setattr(threads, name, value)
    monkeypatch.setattr(threads._threads, "count", count)
    x = np.random.default_rng(0).standard_normal((3, 8, 10, 4))
    pieces, vectors = [], []

    def part(y, x):
        pieces.append(y.size)
        vectors.append(y.ndim == 1)
        np.multiply(x, 2, out=y)

    for form, whole in ((x, False), (x.transpose(0, 3, 1, 2), False), (x[:, ::2], True), (x[:, :, ::-1], True)):
        pieces.clear(), vectors.clear()
        y = np.empty_like(form)
        threads.for_pieces(part, 1, y, form)
        assert np.array_equal(y, 2 * form) and sum(pieces) == form.size and (len(pieces) == 1) == whole
        assert all(vectors) or whole
    gap = np.zeros_like(x)[:, ::2]
    threads.for_pieces(part, 1, gap, x[:, ::2])  # equal strides, but no whole piece of memory
    assert np.array_equal(gap, 2 * x[:, ::2])


def test_the_number_of_threads_is_a_number(monkeypatch):
    for text, count in (("3", 3), (" 1 ", 1), ("", None)):
        monkeypatch.setenv("MINIGRAD_NUM_THREADS", text)
        assert threads._asked_for() == count
    for text in ("0", "-1", "two", "1.5", "²"):
        monkeypatch.setenv("MINIGRAD_NUM_THREADS", text)
        with pytest.raises(ValueError, match=f"MINIGRAD_NUM_THREADS is '{text}'; set a whole number from 1 on"):
            threads._asked_for()


def test_loops_within_loops_come_to_an_end(monkeypatch):
    monkeypatch.setattr(threads, "SMALL", 0)
    monkeypatch.setattr(threads._threads, "count", 3)
    done = []

    def outer(i):
        cpu.for_blocks(lambda j: done.append((i.start, j.start)), 8, threads.ROWS, threads.CACHED, 1)

    cpu.for_blocks(outer, 8, threads.ROWS, threads.CACHED, 1)
    assert sorted(done) == [(i, j) for i in range(8) for j in range(8)]


def test_an_error_inside_a_thread_reaches_the_caller():
    def fail(images):
        raise MemoryError(f"images {images}")

    with pytest.raises(MemoryError, match="images"):
        cpu.for_blocks(fail, 8, 1, 1, threads.SMALL)


def test_no_images_give_no_images():
    x, w = mg.zeros(0, 3, 8, 8, requires_grad=True), mg.zeros(5, 3, 4, 4, requires_grad=True)
    y = ops.conv2d(x, w)
    y.sum().backward()
    assert y.shape == (0, 5, 5, 5) and not w.grad.array.any()
    assert ops.conv_transpose2d(y.detach(), w).shape == (0, 3, 8, 8)
    assert ops.conv_transpose2d(mg.zeros(0, 5, 4, 4), mg.zeros(5, 32, 4, 4), stride=2).shape == (0, 32, 10, 10)


IMAGE, KERNEL = mg.ones(1, 3, 8, 8), mg.ones(4, 3, 3, 3)


@pytest.mark.parametrize(("call", "message"), (
    (lambda: ops.conv2d(IMAGE, mg.ones(4, 2, 3, 3)),
     r"conv2d: input \(1, 3, 8, 8\), weight \(4, 2, 3, 3\).*3 channels.*weight takes 2"),
    (lambda: ops.conv2d(mg.ones(1, 3, 2, 2), KERNEL), r"conv2d: a window of \(3, 3\).*\(2, 2\).*larger image"),
    (lambda: ops.conv2d(IMAGE, KERNEL, stride=0), "conv2d: stride is 0; give an integer of 1"),
    (lambda: ops.conv2d(IMAGE, KERNEL, padding="full"), "padding is 'full'; use 'same'"),
    (lambda: ops.conv2d(IMAGE, KERNEL, padding="same", stride=2), "'same' with stride"),
    (lambda: ops.conv2d(IMAGE, mg.ones(4, 1, 3, 3), groups=3), "groups must divide"),
    (lambda: ops.conv2d(mg.ones(8, 8), KERNEL), r"conv2d: input \(8, 8\).*give an input \(N, C, H, W\)"),
    (lambda: ops.conv2d(IMAGE, KERNEL, mg.ones(3)), r"bias \(3,\); the bias must have shape \(4,\)"),
    (lambda: ops.conv1d(mg.ones(1, 3, 8), KERNEL), "conv1d: got shape.*weight of three axes"),
    (lambda: ops.conv_transpose2d(IMAGE, mg.ones(3, 4, 3, 3), output_padding=1), "output_padding.*keep it below"),
    (lambda: ops.conv_transpose2d(mg.ones(1, 3, 1, 1), mg.ones(3, 4, 2, 2), padding=2), r"gives the size \(-2, -2\)"),
))
def test_a_wrong_shape_is_one_line_with_the_fix(call, message):
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)


def test_a_wrong_dtype_is_named():
    with pytest.raises(TypeError, match="conv2d.*float64.*float32"):
        ops.conv2d(mg.ones(1, 3, 8, 8, dtype=mg.float64), KERNEL)
