"""What losses leave out, and what they say of nothing: beside PyTorch, in value and gradient."""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")

import minigrad as mg  # noqa: E402
from minigrad import nn  # noqa: E402
from minigrad.nn import functional as F  # noqa: E402

INF, NAN = float("inf"), float("nan")
REDUCTIONS = ("mean", "sum", "none")


def value_and_gradient(t, name, x, *rest, **options):
    x = t.tensor(x, requires_grad=True)
    rest = [t.tensor(a) if isinstance(a, np.ndarray) else a for a in rest]
    options = {k: t.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    y = getattr(t.nn.functional, name)(x, *rest, **options)
    y.backward(t.ones_like(y) * 2)
    return y.detach().numpy(), x.grad.numpy()


@pytest.mark.parametrize("junk", [INF, -INF, NAN])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name, options", [
    *itertools.product(["cross_entropy", "nll_loss"], [{}, {"weight": np.array([1.0, 2.0, 0.5])}]),
    ("cross_entropy", {"label_smoothing": 0.1}),
    ("cross_entropy", {"label_smoothing": 0.1, "weight": np.array([1.0, 2.0, 0.5])}),
], ids=str)
def test_ignored_rows_count_for_nothing_whatever_is_in_them(junk, name, reduction, options):
    rng = np.random.default_rng(0)
    for ignore_index, shape in itertools.product((-100, 1, 7), ((5, 3), (4, 3, 2))):
        target = rng.integers(0, 3, (shape[0], *shape[2:]))
        target[::2] = ignore_index
        clean = rng.standard_normal(shape)
        spoiled = np.where(np.expand_dims(target == ignore_index, 1), junk, clean)
        call = {"ignore_index": ignore_index, "reduction": reduction, **options}
        value, slope = value_and_gradient(mg, name, spoiled, target, **call)
        expected, gradient = value_and_gradient(torch, name, clean, target, **call)
        np.testing.assert_allclose(value, expected, rtol=1e-12)
        np.testing.assert_allclose(slope, gradient, rtol=1e-12, atol=1e-15)
        assert not slope[np.broadcast_to(np.expand_dims(target == ignore_index, 1), shape)].any()


@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
@pytest.mark.parametrize("junk", [0.0, NAN, INF])
def test_where_all_is_ignored_the_mean_is_nan_the_sum_0_and_the_gradient_0(name, junk):
    x, target = np.full((3, 4), junk), np.full(3, -100)
    value, slope = value_and_gradient(mg, name, x, target)
    assert np.isnan(value) and not slope.any()
    for reduction in ("sum", "none"):
        value, slope = value_and_gradient(mg, name, x, target, reduction=reduction)
        assert not value.any() and not slope.any()


def test_second_derivatives_pass_by_ignored_rows():
    x = mg.tensor([[0.5, -1.0], [NAN, INF]], dtype=mg.float64, requires_grad=True)
    g, = mg.autograd.grad(F.cross_entropy(x, mg.tensor([1, -100])), x, create_graph=True)
    h, = mg.autograd.grad((g ** 2).sum(), x)
    y = torch.tensor([[0.5, -1.0]], dtype=torch.float64, requires_grad=True)
    k, = torch.autograd.grad(torch.nn.functional.cross_entropy(y, torch.tensor([1])), y, create_graph=True)
    expected, = torch.autograd.grad((k ** 2).sum(), y)
    np.testing.assert_allclose(h.numpy()[:1], expected.numpy(), rtol=1e-12)
    assert h.tolist()[1] == [0.0, 0.0]


ELEMENTWISE = ["mse_loss", "l1_loss", "smooth_l1_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits"]


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0)])
def test_the_mean_of_nothing_is_nan_and_its_sum_0(name, shape):
    x = np.zeros(shape)
    for options in ({}, {"weight": np.ones(shape[-1:])} if name.startswith("binary") else {}):
        for reduction in REDUCTIONS:
            mine = value_and_gradient(mg, name, x, x, reduction=reduction, **options)
            theirs = value_and_gradient(torch, name, x, x, reduction=reduction, **options)
            for a, b in zip(mine, theirs):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name, target", [("cross_entropy", np.zeros(0, int)), ("nll_loss", np.zeros(0, int)),
                                          ("cross_entropy", np.zeros((0, 4)))])
def test_the_cross_entropy_of_no_rows_is_nan(name, target):
    for reduction in REDUCTIONS:
        mine = value_and_gradient(mg, name, np.zeros((0, 4)), target, reduction=reduction)
        theirs = value_and_gradient(torch, name, np.zeros((0, 4)), target, reduction=reduction)
        for a, b in zip(mine, theirs):
            np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore:size_average and reduce args")
@pytest.mark.parametrize("size_average, reduce", list(itertools.product((None, True, False), repeat=2)))
@pytest.mark.parametrize("name", [*ELEMENTWISE, "cross_entropy", "nll_loss"])
def test_the_old_switches_say_what_they_said(name, size_average, reduce):
    rng = np.random.default_rng(1)
    x = rng.uniform(0.1, 0.9, (4, 3))
    target = rng.integers(0, 3, 4) if name in ("cross_entropy", "nll_loss") else rng.uniform(0.1, 0.9, (4, 3))
    words = {"size_average": size_average, "reduce": reduce}
    expected = value_and_gradient(torch, name, x, target, **words)
    module = {"binary_cross_entropy": "BCELoss", "binary_cross_entropy_with_logits": "BCEWithLogitsLoss", "mse_loss":
              "MSELoss", "l1_loss": "L1Loss", "smooth_l1_loss": "SmoothL1Loss", "cross_entropy": "CrossEntropyLoss",
              "nll_loss": "NLLLoss"}[name]
    found = [value_and_gradient(mg, name, x, target, **words)]
    leaf = mg.tensor(x, requires_grad=True)
    y = getattr(nn, module)(**words)(leaf, mg.tensor(target))
    y.backward(mg.ones_like(y) * 2)
    for a, b in [*zip(found[0], expected), (y.detach().numpy(), expected[0]), (leaf.grad.numpy(), expected[1])]:
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.filterwarnings("ignore:size_average and reduce args")
def test_arguments_stand_where_pytorchs_stand():
    import inspect

    for name in [*ELEMENTWISE, "cross_entropy", "nll_loss"]:
        mine = list(inspect.signature(getattr(F, name)).parameters)
        theirs = [p for p in inspect.signature(getattr(torch.nn.functional, name)).parameters if p not in (
            "weight" if name in ("mse_loss", "l1_loss", "smooth_l1_loss") else "")]
        assert mine[2:] == theirs[2:], name
    x = mg.tensor([1.0, 3.0])
    assert nn.MSELoss(False)(x, x * 0).item() == 10 and F.mse_loss(x, x * 0, False).item() == 10


def test_a_weight_of_classes_that_wants_a_gradient_is_refused_beside_class_indices():
    weight = mg.ones(3, requires_grad=True)
    for f in (F.cross_entropy, F.nll_loss):
        with pytest.raises(RuntimeError, match=r"the weight wants a gradient.*give its detach\(\)"):
            f(mg.zeros(2, 3), mg.tensor([0, 1]), weight=weight)
        with mg.no_grad():
            assert f(mg.zeros(2, 3), mg.tensor([0, 1]), weight=weight).item() == f(
                mg.zeros(2, 3), mg.tensor([0, 1])).item()


def test_no_classes_are_one_clear_error():
    for f in (F.cross_entropy, F.nll_loss):
        with pytest.raises(ValueError, match="the input has no classes"):
            f(mg.zeros(2, 0), mg.tensor([0, 1]))
    with pytest.raises(ValueError, match="the input has no classes"):
        F.cross_entropy(mg.zeros(2, 0), mg.zeros(2, 0))


def test_a_weight_of_another_length_is_named():
    for f in (F.cross_entropy, F.nll_loss):
        with pytest.raises(ValueError, match=r"the weight has shape \(2,\); give one a class, \(3,\)"):
            f(mg.zeros(2, 3), mg.tensor([0, 1]), weight=mg.ones(2))
