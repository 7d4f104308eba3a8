"""Machine code computes what NumPy does, to the last bit: each function, of NaN, infinities, zeros of either sign."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.capture.plan import IN_LOOPS, REAL

machine = pytest.importorskip("minigrad.capture.machine", reason="no llvmlite: pip install minigrad[fast]")

VALUES = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1.5, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 3e38, -3e38, 7.25])
BITS = {"bitwise_and", "bitwise_or", "bitwise_xor", "invert"}


def captured(function, *arrays):
    """function(*arrays) by a plan's machine code, which is in loops only, and by NumPy."""
    step = mg.capture(lambda *xs: mg.Op.wrap(function(*[x.array for x in xs])), "machine")
    tensors = [mg.from_numpy(a) for a in arrays]
    with np.errstate(all="ignore"):
        for _ in range(5):
            result = step(*tensors)
        return step.plan, result.array, np.asarray(function(*arrays))


def assert_same_bits(one, other):
    assert one.dtype == other.dtype and one.shape == other.shape
    nan = np.isnan(one) & np.isnan(other) if one.dtype.kind == "f" else np.zeros(one.shape, bool)  # of any payload
    np.testing.assert_array_equal(one.view(f"V{one.itemsize}")[~nan] if one.ndim else one,
                                  other.view(f"V{one.itemsize}")[~nan] if one.ndim else other)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "bool"])
@pytest.mark.parametrize("name", sorted(IN_LOOPS - {"where", "copy", "clip"}))
def test_each_function_of_a_loop(name, dtype):
    kind = np.dtype(dtype).kind
    if kind != "f" and name in REAL or kind == "f" and name in BITS or dtype == "bool" and name in (
            "subtract", "negative", "positive", "square"):
        pytest.skip("NumPy has no such loop")
    with np.errstate(all="ignore"):
        values = VALUES.astype(dtype) if kind == "f" else np.arange(-7, 8).astype(dtype)
    ufunc = getattr(np, name)
    grid = [np.repeat(values, len(values)), np.tile(values, len(values))][:ufunc.nin]
    plan, found, expected = captured(ufunc, *grid)
    assert_same_bits(found, expected)
    assert [s.loop for s in plan.steps] == [True]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_where_clip_and_casts(dtype):
    x = VALUES.astype(dtype) if dtype == "float64" else VALUES.astype("f4")
    for function in (lambda x: np.where(x > 0, x, np.asarray(-1.5, dtype)), lambda x: np.clip(x, -1, 2),
                     lambda x: x.astype("f8").astype("f4"), lambda x: x.astype(bool), lambda x: (x > 0).astype(dtype),
                     lambda x: (x > 0) * x, lambda x: (x == x).astype("i8") * 3,
                     lambda x: np.where(x == x, x, np.zeros_like(x)).clip(-1, 1).astype("i4")):
        _, found, expected = captured(function, x)
        assert_same_bits(found, expected)


@pytest.mark.parametrize("size", [1, 3, 17, 1000, 5001])
@pytest.mark.parametrize("name", ["exp", "log", "log1p", "expm1", "tanh", "sin", "cos", "cbrt"])
def test_other_functions_are_numpys_own(name, size):
    x = np.random.default_rng(0).uniform(0.1, 3, size).astype("f4")
    plan, found, expected = captured(getattr(np, name), x)
    assert_same_bits(found, expected)
    assert not any(map(callable, plan.machine.items))


SHAPES = [((5,), (5,)), ((4, 5), (5,)), ((5,), (5, 4)), ((1, 5), (5,)), ((4, 5), (5, 6)), ((1, 5), (5, 6)),
          ((4, 5), (5, 1)), ((5,), (5, 1)), ((4, 1), (1, 6)), ((1,), (1, 6)), ((64, 100), (100, 33)),
          ((200, 784), (784,)), ((1, 5), (5, 1))]


@pytest.mark.parametrize("dtype, flips", [("float32", range(4)), ("float64", (1, 2))], ids=["float32", "float64"])
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_products_are_the_blass(shapes, dtype, flips):
    rng = np.random.default_rng(0)
    for flip in flips:
        x, y = (rng.standard_normal(s).astype(dtype) for s in shapes)
        x, y = (np.asfortranarray(a) if flip >> i & 1 else a for i, a in enumerate((x, y)))
        plan, found, expected = captured(lambda x, y: x.dot(y), x, y)
        assert_same_bits(found, expected)
        assert not any(map(callable, plan.machine.items)), shapes
        _, found, expected = captured(lambda x, y: x @ y, x, y)
        assert_same_bits(found, expected)


@pytest.mark.parametrize("axis", [None, 0, 1, 2, (0, 1), (1, 2), (0, 2)])
@pytest.mark.parametrize("shape", [(7, 5, 3), (2, 1, 300), (40, 129, 1), (1, 1, 1)])
def test_sums_have_numpys_order(shape, axis):
    x = np.random.default_rng(0).standard_normal(shape).astype("f4")
    for array in (x, np.asfortranarray(x), x[::-1]):
        plan, found, expected = captured(lambda x: x.sum(axis), array)
        assert_same_bits(found, expected)


def test_a_function_whose_bits_are_not_numpys_is_not_used(monkeypatch):
    real = machine.inner_loop
    monkeypatch.setattr(machine, "inner_loop", lambda ufunc, chars: real(np.tanh if ufunc is np.exp else ufunc, chars))
    plan, found, expected = captured(np.exp, np.linspace(0, 1, 9, dtype="f4"))
    assert_same_bits(found, expected)
    assert [callable(item) for item in plan.machine.items] == [True]


def test_loops_of_equal_text_are_compiled_once(monkeypatch):
    texts, real = [], machine.Machine.build
    monkeypatch.setattr(machine.Machine, "build", lambda self, text: texts.append(text) or real(self, text))
    net = mg.nn.Sequential(*[layer for _ in range(4) for layer in (mg.nn.Linear(300, 300), mg.nn.Tanh())])
    optimiser = mg.optim.Adam(net.parameters(), 0.01)

    def step(x):
        loss = (net(x) ** 2).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss

    step = mg.capture(step, "machine")
    for _ in range(5):
        step(mg.ones(8, 300))
    loops = sum(s.loop for s in step.plan.steps)
    assert texts[0].count("@loop") <= loops - 5
