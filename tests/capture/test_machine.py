"""Machine code computes what NumPy does, to the last bit: each function, of NaN, infinities, zeros of either sign."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.capture.plan import IN_LOOPS, REAL

machine = pytest.importorskip("minigrad.capture.machine", reason="no llvmlite: pip install minigrad[fast]")

VALUES = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 1.5, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 3e38, -3e38, 7.25])
BITS = {"bitwise_and", "bitwise_or", "bitwise_xor", "invert"}


def captured(*cases):
    """A plan's machine code against NumPy for each (function, arrays) of one step: the bits are equal. Its plan."""
    step = mg.capture(lambda given: [mg.Op.wrap(function(*[x.array for x in xs]))
                                     for (function, *_), xs in zip(cases, given)], "machine")
    given = [[mg.from_numpy(a) for a in arrays] for _, *arrays in cases]
    with np.errstate(all="ignore"):
        for _ in range(5):
            results = step(given)
        for result, (function, *arrays) in zip(results, cases):
            assert_same_bits(result.array, np.asarray(function(*arrays)))
    return step.plan


def assert_same_bits(one, other):
    assert one.dtype == other.dtype and one.shape == other.shape
    nan = np.isnan(one) & np.isnan(other) if one.dtype.kind == "f" else np.zeros(one.shape, bool)  # of any payload
    np.testing.assert_array_equal(one.view(f"V{one.itemsize}")[~nan] if one.ndim else one,
                                  other.view(f"V{one.itemsize}")[~nan] if one.ndim else other)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "int32", "bool"])
def test_each_function_of_a_loop(dtype):
    kind = np.dtype(dtype).kind
    none = REAL if kind != "f" else BITS  # NumPy has no such loops
    none = none | {"subtract", "negative", "positive", "square"} if dtype == "bool" else none
    with np.errstate(all="ignore"):
        values = VALUES.astype(dtype) if kind == "f" else np.arange(-7, 8).astype(dtype)
    grid = np.repeat(values, len(values)), np.tile(values, len(values))
    ufuncs = [getattr(np, name) for name in sorted(IN_LOOPS - {"where", "copy", "clip"} - none)]
    plan = captured(*((ufunc, *grid[:ufunc.nin]) for ufunc in ufuncs))
    assert all(s.loop for s in plan.steps)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_where_clip_and_casts(dtype):
    x = VALUES.astype(dtype) if dtype == "float64" else VALUES.astype("f4")
    functions = (lambda x: np.where(x > 0, x, np.asarray(-1.5, dtype)), lambda x: np.clip(x, -1, 2),
                 lambda x: x.astype("f8").astype("f4"), lambda x: x.astype(bool), lambda x: (x > 0).astype(dtype),
                 lambda x: (x > 0) * x, lambda x: (x == x).astype("i8") * 3,
                 lambda x: np.where(x == x, x, np.zeros_like(x)).clip(-1, 1).astype("i4"))
    captured(*((function, x) for function in functions))


def test_other_functions_are_numpys_own():
    rng = np.random.default_rng(0)
    plan = captured(*((getattr(np, name), rng.uniform(0.1, 3, size).astype("f4")) for size in (1, 3, 17, 1000, 5001)
                      for name in ("exp", "log", "log1p", "expm1", "tanh", "sin", "cos", "cbrt")))
    assert not any(map(callable, plan.machine.items))


SHAPES = [((5,), (5,)), ((4, 5), (5,)), ((5,), (5, 4)), ((1, 5), (5,)), ((4, 5), (5, 6)), ((1, 5), (5, 6)),
          ((4, 5), (5, 1)), ((5,), (5, 1)), ((4, 1), (1, 6)), ((1,), (1, 6)), ((64, 100), (100, 33)),
          ((200, 784), (784,)), ((1, 5), (5, 1))]


@pytest.mark.parametrize("dtype, flips", [("float32", range(4)), ("float64", (1, 2))], ids=["float32", "float64"])
def test_products_are_the_blass(dtype, flips):
    rng, pairs = np.random.default_rng(0), []
    for shapes in SHAPES:
        for flip in flips:
            pairs.append([np.asfortranarray(a) if flip >> i & 1 else a
                          for i, a in enumerate(rng.standard_normal(s).astype(dtype) for s in shapes)])
    plan = captured(*((lambda x, y: x.dot(y), *pair) for pair in pairs))
    assert not any(map(callable, plan.machine.items))
    captured(*((lambda x, y: x @ y, *pair) for pair in pairs))


def test_sums_have_numpys_order():
    arrays = [np.random.default_rng(0).standard_normal(shape).astype("f4")
              for shape in ((7, 5, 3), (2, 1, 300), (40, 129, 1), (1, 1, 1))]
    captured(*((lambda x, axis=axis: x.sum(axis), array) for axis in (None, 0, 1, 2, (0, 1), (1, 2), (0, 2))
               for x in arrays for array in (x, np.asfortranarray(x), x[::-1])))


def test_a_function_whose_bits_are_not_numpys_is_not_used(monkeypatch):
    real = machine.inner_loop
    monkeypatch.setattr(machine, "inner_loop", lambda ufunc, chars: real(np.tanh if ufunc is np.exp else ufunc, chars))
    plan = captured((np.exp, np.linspace(0, 1, 9, dtype="f4")))
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
