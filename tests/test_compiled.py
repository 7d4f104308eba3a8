"""Loops that numba compiles where it is installed: the same bits as the array form, and no trouble where it is not."""

import sys
import types
from functools import partial

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.backend import compiled as loops
from minigrad.backend import numpy as cpu
from minigrad.backend import threads

SHAPES = (5,), (200, 300), (7,), (300, 1500), ()  # small ones between large ones; the largest on several threads


@pytest.fixture(autouse=True)
def as_new():
    """What a test makes of numba's presence is forgotten after it."""
    yield
    forget()


def forget():
    for known in (loops.compiler, loops.compiled, loops.shared, threads._native):
        known.cache_clear()


def switch(monkeypatch, value):
    monkeypatch.setenv("MINIGRAD_COMPILE", value)
    forget()


def trained(make, dtype, steps=4):
    """Parameters and state after a few steps with gradients of all magnitudes; the second parameter gets one twice."""
    rng = np.random.default_rng(1)
    parameters = [nn.Parameter(mg.tensor(rng.standard_normal(shape).astype(dtype))) for shape in SHAPES]
    optimiser = make(parameters)
    for i in range(steps):
        for k, p in enumerate(parameters):
            size = 10.0 ** rng.uniform(-30, 3, p.shape)
            p.grad = None if k == 1 and i % 2 else mg.tensor((rng.standard_normal(p.shape) * size).astype(dtype))
        optimiser.step()
    state = optimiser.state_dict()["state"]
    return [p.detach().numpy() for p in parameters] + [
        getattr(value, "array", value) for entry in state.values() for value in entry.values()]


OPTIMISERS = {
    "Adam": lambda ps: optim.Adam(ps),
    "Adam of a GAN": lambda ps: optim.Adam(ps, 0.01, (0.5, 0.999), eps=1e-6),
    "without momentum": lambda ps: optim.Adam(ps, 0.01, (0.0, 0.9)),
    "with a penalty": lambda ps: optim.Adam(ps, 0.01, weight_decay=0.1),
    "NumPy's numbers": lambda ps: optim.Adam(ps, np.float64(0.01), (np.float64(0.5), 0.999), eps=np.float64(1e-7)),
    "AdamW": lambda ps: optim.AdamW(ps, 0.01, weight_decay=0.3),
    "AdamW, no decay": lambda ps: optim.AdamW(ps, 0.01, weight_decay=0.0)}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_compiled_update_gives_the_same_bits_as_the_array_operations(name, dtype, monkeypatch):
    expected, found, ran = both_ways(monkeypatch, lambda: trained(OPTIMISERS[name], dtype))
    assert ran == {"adam"}
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("size", [0, 1, 17, 100_000])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_optimisers_buffers_begin_at_a_cache_line(size, dtype):
    zeros = cpu.aligned_zeros(size, np.dtype(dtype))
    assert zeros.ctypes.data % 64 == 0 or size == 0
    assert zeros.shape == (size,) and zeros.dtype == dtype and zeros.flags.writeable and not zeros.any()


@pytest.mark.parametrize(("dtype", "shape"), [("float16", (200, 300)), ("float32", (20, 30))])
def test_what_is_not_worth_compiling_is_not(dtype, shape, monkeypatch):
    forget()
    monkeypatch.setattr(loops, "compiler", lambda: pytest.fail("asked for numba"))
    p = nn.Parameter(mg.ones(shape, dtype=getattr(mg, dtype)))
    p.grad = mg.ones(shape, dtype=getattr(mg, dtype))
    optim.Adam([p], lr=0.5).step()
    assert float(p.detach().array.max()) == 0.5


def step_of_a_large_parameter():
    p = nn.Parameter(mg.ones(200, 300))
    p.grad = mg.ones(200, 300)
    optim.Adam([p], lr=0.5).step()
    np.testing.assert_allclose(p.detach().numpy(), 0.5, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_compiled_outer_product_gives_the_same_bits_as_the_blas(dtype, stride, monkeypatch):
    pytest.importorskip("numba")
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal(n * stride).astype(dtype)[::stride] for n in (150, 333))
    switch(monkeypatch, "0")
    expected = cpu.outer(x, y)
    switch(monkeypatch, "1")
    found = cpu.outer(x, y)
    assert found.dtype == expected.dtype and found.shape == (150, 333)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(found, x[:, None] * y)


def both_ways(monkeypatch, compute):
    """What `compute` gives by array operations, and by compiled loops; every loop that ran is in the third."""
    pytest.importorskip("numba")
    switch(monkeypatch, "0")
    expected = compute()
    switch(monkeypatch, "1")
    ran = set()

    def noting(make):
        return lambda loop: ran.add(loop.__name__) or make(loop)

    monkeypatch.setattr(loops, "shared", noting(loops.shared))
    found = compute()
    monkeypatch.undo()
    return expected, found, ran


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("channels, size", [(64, 7), (3, 41), (128, 24)])  # the last on several threads
@pytest.mark.parametrize("activation", [[], [nn.ReLU()], [nn.LeakyReLU(0.2)]], ids=["none", "relu", "leaky"])
def test_compiled_batch_norm_gives_the_same_bits(dtype, channels, size, activation, monkeypatch):
    def compute():
        rng = np.random.default_rng(0)
        net = nn.Sequential(nn.BatchNorm2d(channels, dtype=getattr(mg, dtype)), *activation)
        shape = 16, channels, size, size
        x = mg.tensor((3 * rng.standard_normal(shape) + 5).astype(dtype), requires_grad=True)
        y = net(x * 1)
        y.backward(mg.tensor(rng.standard_normal(shape).astype(dtype)))
        tensors = y.detach(), x.grad, net[0].weight.grad, net[0].bias.grad, net[0].running_mean, net[0].running_var
        return [tensor.numpy() for tensor in tensors]

    expected, found, ran = both_ways(monkeypatch, compute)
    assert {"sums", "centre", "scale", "slope_sums", "untilt"} <= ran
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("slope", [0.01, 0.2, 1.0])
@pytest.mark.parametrize("shape", [(200, 300), (8, 16, 20, 20), (300, 2000)])  # the last on several threads
@pytest.mark.parametrize("layout", ["rows", "channels last", "gaps"])
def test_compiled_leaky_relu_gives_the_same_bits(dtype, slope, shape, layout, monkeypatch):
    rng = np.random.default_rng(0)
    x, g = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    x.flat[:6] = 0.0, -0.0, np.inf, -np.inf, np.nan, 1e-38
    if layout == "channels last":
        x, g = (np.moveaxis(np.ascontiguousarray(np.moveaxis(a, 1, -1)), -1, 1) for a in (x, g))
    if layout == "gaps":
        x, g = (np.repeat(a, 2, -1)[..., ::2] for a in (x, g))

    def compute():
        leaf = mg.from_numpy(x).requires_grad_()
        y = nn.functional.leaky_relu(leaf, slope)
        y.backward(mg.from_numpy(g))
        return y.detach().numpy(), leaf.grad.numpy()

    expected, found, ran = both_ways(monkeypatch, compute)
    assert {"leaky", "leaky_slope"} <= ran
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(np.signbit(one), np.signbit(other))


def test_batch_norm_of_two_dtypes_is_left_to_the_arrays(monkeypatch):
    """A float64 weight on a float32 input is multiplied in float64, which a loop of one dtype would not do."""
    def compute():
        rng = np.random.default_rng(0)
        x = mg.tensor(rng.standard_normal((16, 8, 16, 16)).astype("float32"), requires_grad=True)
        weight, bias = (mg.tensor(rng.standard_normal(8)) for _ in range(2))
        return [nn.functional.batch_norm(x, None, None, weight, bias, training=True).detach().numpy()]

    expected, found, ran = both_ways(monkeypatch, compute)
    assert not ran
    np.testing.assert_array_equal(expected[0], found[0])


@pytest.mark.parametrize("shape", [(1, 1, 401, 501), (40001, 1), (1, 3, 129, 129), (1, 64, 17, 17), (1, 1, 725, 725)])
@pytest.mark.parametrize("order", "CF")
def test_batch_norm_of_odd_sizes_gives_the_same_bits_and_digits(shape, order, monkeypatch):
    """NumPy adds up one channel, and lines that do not lie in order, by pairs, which a loop does not."""
    rng = np.random.default_rng(0)
    x, g = (np.asarray((3 * rng.standard_normal(shape) + 5).astype("float32"), order=order) for _ in range(2))

    def compute():
        leaf = mg.from_numpy(x).requires_grad_()
        weight, bias = (mg.ones(shape[1], requires_grad=True) for _ in range(2))
        y = nn.functional.batch_norm(leaf, None, None, weight, bias, training=True)
        y.backward(mg.from_numpy(g))
        return [t.detach().numpy() for t in (y, leaf.grad, weight.grad, bias.grad)]

    expected, found, _ = both_ways(monkeypatch, compute)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)
    axes = tuple(axis for axis in range(len(shape)) if axis != 1)
    np.testing.assert_allclose(found[3], g.sum(axes, dtype=np.float64), rtol=1e-5)


def stepped(make, monkeypatch):
    """The value of a large parameter of zeros after a step with a gradient of -7, by whatever form runs."""
    switch(monkeypatch, "1")
    p = nn.Parameter(mg.zeros(200, 300))
    p.grad = mg.full((200, 300), -7.0)
    make([p]).step()
    low, high = p.detach().array.min(), p.detach().array.max()
    assert low == high
    return low


class Signed:
    def update(self, xp, group, step, p, g, t, exp_avg, exp_avg_sq):
        p -= 2 * group["lr"] * xp.sign(g)


def test_an_update_of_ones_own_is_the_update(monkeypatch):
    def patched(parameters, lr):
        optimiser = optim.Adam(parameters, lr)
        optimiser.update = types.MethodType(Signed.update, optimiser)
        return optimiser

    derived = type("Derived", (optim.Adam,), {"update": Signed.update})
    mixed = type("Mixed", (Signed, optim.Adam), {})
    for make in (patched, derived, mixed):
        assert stepped(partial(make, lr=0.25), monkeypatch) == 0.5
    monkeypatch.setattr(optim.Adam, "update", Signed.update)
    assert stepped(partial(optim.Adam, lr=0.25), monkeypatch) == 0.5


def test_state_goes_into_the_loop_by_its_names(monkeypatch):
    class Reordered(optim.Adam):
        slots = "exp_avg_sq", "exp_avg"

    expected, found, ran = both_ways(monkeypatch, lambda: trained(Reordered, "float32"))
    assert ran == {"adam"}
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("shape", [(100, 300), (1, 300), (200, 1), (1, 1), (400, 300), (300, 200)])
@pytest.mark.parametrize("compile", "01")
def test_a_gradient_of_another_shape_is_an_error(shape, compile, monkeypatch):
    switch(monkeypatch, compile)
    p = nn.Parameter(mg.zeros(200, 300))
    p.grad = mg.ones(shape)
    with pytest.raises(ValueError, match=r"step: a parameter of shape \(200, 300\) has a gradient of shape"):
        optimiser = optim.Adam([p, nn.Parameter(mg.zeros(3))])
        optimiser.step()
    assert not p.detach().array.any() and not optimiser.state_dict()["state"]


def test_gradients_and_parameters_of_other_dtypes_are_left_to_the_arrays(monkeypatch):
    def compute(dtype, grad_dtype):
        p = nn.Parameter(mg.from_numpy(np.ones((200, 300), dtype)))
        p.grad = mg.from_numpy(np.linspace(-1, 1, 60_000).reshape(200, 300).astype(grad_dtype))
        optim.Adam([p], lr=0.1).step()
        return [p.detach().numpy()]

    for dtypes in (("float32", "float64"), (">f4", ">f4"), ("float32", ">f4")):
        expected, found, _ = both_ways(monkeypatch, partial(compute, *dtypes))
        np.testing.assert_array_equal(expected[0], found[0])


def test_a_state_of_another_shape_names_the_parameter_by_its_place():
    parameters = [nn.Parameter(mg.zeros(3)), nn.Parameter(mg.zeros(200, 300))]
    optimiser = optim.Adam(parameters)
    for p in parameters:
        p.grad = mg.ones_like(p.detach())
    optimiser.step()
    state = optimiser.state_dict()
    state["state"][0]["exp_avg"] = mg.zeros(4)
    with pytest.raises(ValueError, match="exp_avg of parameter 0 has shape"):
        optimiser.load_state_dict(state)


def test_state_moves_with_a_parameter_that_gets_another_memory_order():
    p = nn.Parameter(mg.zeros(2, 3))
    optimiser = optim.Adam([p])
    p.grad = mg.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    optimiser.step()
    before = optimiser.state_dict()["state"][0]["exp_avg"].numpy().copy()
    p.data = mg.from_numpy(np.asfortranarray(p.detach().numpy()))
    np.testing.assert_array_equal(optimiser.state_dict()["state"][0]["exp_avg"].numpy(), before)


def test_without_numba_all_goes_on_by_arrays(monkeypatch):
    switch(monkeypatch, "1")
    monkeypatch.setitem(sys.modules, "numba", None)
    assert loops.compiled(loops.adam) is None
    step_of_a_large_parameter()


def test_numba_can_be_left_alone(monkeypatch):
    switch(monkeypatch, "0")
    assert loops.compiled(loops.adam) is None
    step_of_a_large_parameter()


def test_another_value_of_the_switch_is_an_error_that_names_it(monkeypatch):
    switch(monkeypatch, "yes")
    with pytest.raises(ValueError, match="MINIGRAD_COMPILE is 'yes'; set 0 .* or 1, or unset it"):
        loops.compiled(loops.adam)


def test_a_numba_that_does_not_load_is_told_of_once_and_done_without(monkeypatch, tmp_path):
    (tmp_path / "numba.py").write_text("raise ImportError('Numba needs NumPy 1.0 or less')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    switch(monkeypatch, "1")
    with pytest.warns(UserWarning, match="numba is installed but does not load.*Numba needs NumPy 1.0 or less"):
        step_of_a_large_parameter()
    step_of_a_large_parameter()  # warnings are errors here


def test_where_nothing_can_be_cached_it_is_compiled_anew(monkeypatch):
    asked = []

    def njit(**options):
        asked.append(options.get("cache", False))
        if asked[-1]:
            raise RuntimeError("cannot cache function 'adam': no locator available for file")
        return lambda loop: loop

    switch(monkeypatch, "1")
    monkeypatch.setitem(sys.modules, "numba", types.SimpleNamespace(njit=njit))
    assert loops.compiled(loops.adam) is loops.adam
    assert asked == [True, False]


def test_the_loop_as_plain_python_is_the_same_update():
    """What the reader reads is what runs: also without numba, element by element."""
    rng = np.random.default_rng(0)
    p, g, m, v = (rng.standard_normal(50) for _ in range(4))
    v = v * v
    expected = p * 0.9 - m_of(m, g, p) / (np.sqrt(v_of(v, g, p)) + 1e-3) * 0.1
    loops.adam(0, 50, p, g, m, v, 0.9, 0.2, 0.5, 0.5, 0.75, 0.25, 1e-3, 0.1)
    np.testing.assert_allclose(p, expected, rtol=1e-14)


def m_of(m, g, p):
    return 0.5 * m + 0.5 * (g + 0.2 * 0.9 * p)


def v_of(v, g, p):
    return 0.75 * v + 0.25 * (g + 0.2 * 0.9 * p) ** 2
