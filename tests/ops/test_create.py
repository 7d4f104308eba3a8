"""Making tensors, beside PyTorch: lengths, values, dtypes; and what random draws are distributed like."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")

import minigrad as mg  # noqa: E402

ULPS = {"float16": 2e-3, "float32": 2.5e-7, "float64": 1e-15}


def both(call):
    """What a call, a text about t, gives here and in PyTorch; exceptions as such."""
    results = []
    for t in (mg, torch):
        try:
            results.append(eval(call, {"t": t, "np": np, "inf": float("inf"), "nan": float("nan")}))
        except (TypeError, ValueError, RuntimeError, NotImplementedError) as error:
            results.append(error)
    return results


def check(call, slack=0.0):
    mine, theirs = both(call)
    if isinstance(mine, Exception) or isinstance(theirs, Exception):
        assert isinstance(mine, Exception) and isinstance(theirs, Exception), f"{call}: {mine!r}, in PyTorch {theirs!r}"
        assert "\n" not in str(mine) and len(str(mine)) > 20, f"{call}: {mine}"
        return
    a, b = mine.numpy(), theirs.numpy()
    assert (str(a.dtype), a.shape) == (str(b.dtype), b.shape), f"{call}: {a.dtype}{a.shape}, {b.dtype}{b.shape}"
    tolerance = ULPS.get(str(a.dtype), slack)
    np.testing.assert_allclose(a.astype("d"), b.astype("d"), tolerance, tolerance * abs(b.astype("d")).max(initial=1.0),
                               err_msg=call)


def test_the_last_of_many_steps_is_where_it_belongs():
    x = mg.arange(1000.0, 2000.0, 0.1)
    assert x.shape == (10_000,) and abs(x[-1].item() - 1999.9) < 1e-4
    np.testing.assert_array_equal(x.numpy(), (1000 + 0.1 * np.arange(10_000)).astype("float32"))


@pytest.mark.parametrize("dtype", ["", ", dtype=t.float64", ", dtype=t.float16", ", dtype=t.int64", ", dtype=t.int32"])
def test_ranges_have_pytorchs_lengths_and_values(dtype):
    rng = np.random.default_rng(0)

    def number():
        return rng.choice([rng.integers(-20, 20), np.round(rng.uniform(-20, 20), 2), rng.uniform(-5, 5)]).item()

    for _ in range(300):
        numbers = [number() for _ in range(rng.integers(1, 4))]
        if "int" in dtype and len(numbers) == 3 and abs(numbers[2]) < 1:
            continue  # a step of less than 1 counts as 0 in some integer dtypes, and is an error here in all
        check(f"t.arange({', '.join(map(str, numbers))}{dtype})")
        steps = rng.choice([0, 1, 2, 3, 7, 10, 33, 100])
        slack = 1.0  # whole numbers that the rounding of a step falls below
        check(f"t.linspace({number()}, {number()}, {steps}{dtype})", slack)
        check(f"t.logspace({number() / 10}, {number() / 10}, {steps}, base={rng.choice([2, 10.0])}{dtype})", slack)


@pytest.mark.parametrize("call", [
    "t.arange(5, 2)", "t.arange(3, 3)", "t.arange(0, inf)", "t.arange(0, 5, nan)", "t.arange(0, 5, 0)", "t.arange('a')",
    "t.arange(end=5)", "t.arange(start=1, end=5)", "t.arange(3, dtype=t.uint8)", "t.arange(0, 10, 3, dtype=t.float16)",
    "t.arange(True)", "t.full((2,), True)", "t.full((2,), t.tensor(1.5).double())", "t.full([2], 1.0)",
    "t.full((2,), 'a')", "t.full(size=(3,), fill_value=1)", "t.zeros(size=(2, 3))", "t.ones(2.0)", "t.ones((2, 2.5))",
    "t.zeros('a')", "t.zeros(-1)", "t.zeros(3, dtype=float)", "t.zeros(3, dtype=int)", "t.zeros(3, dtype=bool)",
    "t.eye(2, 3)", "t.eye(-1)", "t.tensor([])", "t.tensor([[]])", "t.tensor([1, 2.5])", "t.tensor([True, 1.5])",
    "t.tensor([True, 2])", "t.tensor(np.float32(1.5))", "t.tensor(np.float64(1.5))", "t.tensor([np.float64(1.5)])",
    "t.tensor([np.float32(1.5)])", "t.tensor([1, np.float64(1)])", "t.tensor([[1, 2.0], [3, np.float64(3)]])",
    "t.tensor([t.tensor(1), t.tensor(2)])", "t.tensor([t.tensor(1.0), 2])", "t.tensor(3, dtype=t.float16)",
    "t.tensor([1.5], dtype=t.int64)", "t.tensor([300], dtype=t.uint8)", "t.tensor(2**40)", "t.tensor(range(3))",
    "t.tensor((1, 2))", "t.tensor(None)", "t.tensor('a')", "t.as_tensor(np.arange(3, dtype='i4'))",
    "t.zeros_like(t.ones(2, dtype=t.int16))", "t.ones_like(t.ones(2), dtype=t.int32)", "t.full_like(t.ones(2), 2)",
    "t.full_like(t.ones(2, dtype=t.int64), 2.5)", "t.rand(2, dtype=t.int64)", "t.randn(size=(2, 3)) * 0",
    "t.rand(size=(2,)) * 0", "t.randint(high=10, size=(2,)) * 0", "t.randint(5, (2,)) * 0", "t.randint(1, 5, (2,)) * 0",
    "t.randint(5, size=(2,)) * 0", "t.randint_like(t.ones(2), 5) * 0", "t.randint(5, 5, (2,))",
    "t.randperm(4).sort()[0]", "t.randperm(-1)", "t.linspace(0, 1, 3.0)", "t.linspace(0, 1, -1)",
    "t.linspace(t.tensor(0.0), 1, 3)", "t.ones(2, 3, dtype=t.int8)", "t.ones(2).int().new_zeros(2, 3)",
    "t.ones(2).double().new_ones((2, 3))", "t.ones(2).half().new_full((2,), 3)",
    "t.ones(2).int().new_tensor([1.5, 2.5])", "t.ones(2).new_tensor([True])", "t.ones(2).int().new_empty(3) * 0",
    "t.ones(2).new_zeros(2, dtype=t.int64)", "t.multinomial(t.tensor([0.0, 1.0, 0.0]), 3, True)",
    "t.multinomial(t.tensor([[0.0, 1.0], [2.0, 0.0]]), 1)", "t.multinomial(t.tensor([0.0, 0.0]), 1)",
    "t.multinomial(t.tensor([-1.0, 2.0]), 1)", "t.multinomial(t.tensor([nan, 2.0]), 1)",
    "t.multinomial(t.tensor([1, 1]), 1)", "t.multinomial(t.ones(2), 3)", "t.multinomial(t.ones(2, 2, 2), 1)",
    "t.multinomial(t.ones(4), 4).sort()[0]",
])
@pytest.mark.filterwarnings("ignore:.*overflow")
def test_what_is_made_and_what_is_refused_is_pytorchs(call):
    check(call)


@pytest.mark.parametrize("replacement", [True, False])
def test_multinomial_draws_as_often_as_the_weights_say(replacement):
    mg.manual_seed(3)
    weights = np.array([1.0, 0.0, 3.0, 6.0])
    drawn = mg.multinomial(mg.tensor(weights).expand(20_000, 4), 1, replacement).numpy()
    shares = np.bincount(drawn.ravel(), minlength=4) / 20_000
    assert shares[1] == 0 and abs(shares - weights / 10).max() < 0.015  # five standard deviations
    if not replacement:  # the second of two: by hand, the sum over the first of what is left
        second = mg.multinomial(mg.tensor(weights).expand(20_000, 4), 2).numpy()
        assert (second[:, 0] != second[:, 1]).all()
        p = weights / 10
        expected = [sum(p[i] * p[j] / (1 - p[i]) for i in range(4) if i != j and p[i]) for j in range(4)]
        assert abs(np.bincount(second[:, 1], minlength=4) / 20_000 - expected).max() < 0.015


def test_seeded_draws_repeat():
    for draw in (lambda: mg.multinomial(mg.ones(9), 4), lambda: mg.randint(100, (5,)), lambda: mg.randperm(9)):
        mg.manual_seed(1)
        first = draw().tolist()
        mg.manual_seed(1)
        assert draw().tolist() == first
