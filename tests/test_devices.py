"""Everything that touches arrays, on each device, and the GPU against the CPU.

Without a GPU the last test runs this file on tests/cupy_stand_in.py, so that the CuPy half is exercised anywhere.
"""

import csv
import importlib.util
import inspect
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from gans import pattern1010
from minigrad import autograd, checkpoint, nn, ops, optim
from minigrad.data import DataLoader, TensorDataset
from minigrad.nn import functional as F
from minigrad.testing import registry
from minigrad.testing.source import Seeded

CASES = registry.load()


def host(x):
    """A tensor's values in NumPy; None for None."""
    return None if x is None else x.detach().cpu().numpy()


def assert_same(found, expected, rtol=1e-9, what=""):
    """Two tensors or None agree in dtype, shape and, to rtol of their size, values."""
    found, expected = host(found), host(expected)
    assert (found is None) == (expected is None), what
    if expected is not None:
        assert found.dtype == expected.dtype, f"{what}: {found.dtype}, on the CPU {expected.dtype}"
        finite = np.abs(expected[np.isfinite(expected)])
        scale = max(float(finite.max(initial=0.0)), 1e-3)
        np.testing.assert_allclose(found, expected, rtol, rtol * scale, err_msg=what)


def derivatives(f, arrays, order, device):
    """(name, tensor) of the values of f, its gradients, and, recorded, the derivatives up to `order`."""
    rng = np.random.default_rng(0)
    xs = [mg.tensor(a, device=device, requires_grad=a.dtype.kind == "f") for a in arrays]
    y = f(*xs)
    ys, inputs = list(y) if isinstance(y, (tuple, list)) else [y], [x for x in xs if x.requires_grad]
    found = [(f"value {i}", y) for i, y in enumerate(ys)]
    for level in range(1, order + 1):
        ys = [y for y in ys if y is not None and y.requires_grad]
        if not ys or not inputs:
            break
        seeds = [mg.tensor(rng.standard_normal(y.shape), dtype=y.dtype, device=device, requires_grad=True) for y in ys]
        plain = autograd.grad(ys, inputs, seeds, retain_graph=True, allow_unused=True)
        grads = autograd.grad(ys, inputs, seeds, create_graph=True, allow_unused=True)
        found += [(f"derivative {level} of input {i}", g) for i, g in enumerate(plain)]
        found += [(f"recorded derivative {level} of input {i}", g) for i, g in enumerate(grads)]
        ys, inputs = list(grads), inputs + seeds
    return found


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_each_op_gives_on_the_gpu_what_it_gives_on_the_cpu(case, gpu):
    for seed in range(3):
        arrays, options = case.draw(Seeded(seed))
        for dtype, rtol in (("float64", 1e-8), ("float32", 1e-3)):
            cast = [a.astype(dtype) if a.dtype.kind == "f" else a for a in map(np.asarray, arrays)]
            there = derivatives(case.bind(options), cast, case.order, gpu)
            here = derivatives(case.bind(options), cast, case.order, "cpu")
            for (name, a), (_, b) in zip(there, here, strict=True):
                assert a is None or a.is_cuda, f"{case.name}: {name} left the GPU"
                assert_same(a, b, rtol, f"{case.name}, {name}, in {dtype}")


@pytest.mark.parametrize("stride, kernel", [(2, 4), (1, 3), (2, 3)])
def test_convolutions_of_the_size_of_a_dcgan(stride, kernel, gpu):
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in ((16, 32, 16, 16), (40, 32, kernel, kernel), (40,))]

    def there_and_back(x, w, b):
        return F.conv_transpose2d(F.conv2d(x, w, b, stride, 1), w, None, stride, 1)

    for (name, a), (_, b) in zip(derivatives(there_and_back, arrays, 1, gpu),
                                 derivatives(there_and_back, arrays, 1, "cpu"), strict=True):
        assert_same(a, b, 1e-8, name)


def test_integers_bools_and_half_precision(gpu):
    rng = np.random.default_rng(0)
    whole, other = rng.integers(1, 9, (3, 4)), rng.integers(1, 9, (3, 4))
    flags, half = whole > other, rng.standard_normal((3, 4)).astype("float16")
    where = rng.integers(0, 3, (3, 4))
    functions = {
        "sum": lambda x: x.sum(0), "mixed": lambda x: x * 2 + 1, "true division": lambda x: x / 3,
        "any": lambda x: x.any(1), "all": lambda x: x.all(), "sort": lambda x: x.sort(1).values,
        "argmax": lambda x: x.argmax(0), "max": lambda x: x.max(), "cumsum": lambda x: x.cumsum(1),
        "where": lambda x: ops.where(x > 2, x, 0), "clamp": lambda x: x.clamp(1, 3),
        "low clamp": lambda x: x.clamp(min=2), "cat": lambda x: ops.cat([x, x], 0),
        "topk": lambda x: x.topk(2).indices, "remainder": lambda x: x % 3, "floor": lambda x: x // 2,
        "comparison": lambda x: x == x.flip(0), "abs": lambda x: x.abs(), "prod": lambda x: x.prod(1),
        "scatter": lambda x: x.scatter_add(0, mg.tensor(where).to(x.device), x), "float": lambda x: x.float(),
        "exp": lambda x: x.exp(), "flip": lambda x: x.flip(1), "roll": lambda x: x.roll(1, 0)}
    for name, f in functions.items():
        assert_same(f(mg.tensor(whole, device=gpu)), f(mg.tensor(whole)), 1e-6, f"{name} of int64")
        assert_same(f(mg.tensor(half, device=gpu)), f(mg.tensor(half)), 1e-2, f"{name} of float16")
    for f in (ops.logical_and, ops.logical_or, ops.logical_xor, ops.maximum, ops.eq):
        there = f(mg.tensor(flags, device=gpu), mg.tensor(flags[::-1], device=gpu))
        assert_same(there, f(mg.tensor(flags), mg.tensor(flags[::-1])))
    for f in (ops.erf, ops.gelu, ops.sigmoid, ops.silu, ops.softplus):
        assert_same(f(mg.tensor(half, device=gpu)), f(mg.tensor(half)), 1e-2, f"{f.__name__} of float16")


def test_what_finds_counts_and_writes(gpu):
    values, whole = np.array([[3.0, -1.0, 2.0], [0.5, 2.0, -1.0]]), np.array([[3, 1, 0], [1, 3, 2]])

    def at(x, numbers):
        return mg.tensor(numbers, device=x.device)

    functions = {
        "unique": lambda x: x.unique(), "unique with counts": lambda x: mg.unique(x, return_counts=True)[1],
        "inverse": lambda x: mg.unique(x, return_inverse=True)[1], "nonzero": lambda x: x.nonzero(),
        "where": lambda x: mg.where(x > 1)[1], "count_nonzero": lambda x: x.count_nonzero(1),
        "median": lambda x: x.float().median(), "median of rows": lambda x: x.median(1).values,
        "quantile": lambda x: x.double().quantile(0.3), "isclose": lambda x: x.isclose(x + 1),
        "isin": lambda x: mg.isin(x, at(x, [1, 2])), "tril": lambda x: x.tril(),
        "searchsorted": lambda x: mg.searchsorted(at(x, [0, 1, 2]), x), "diag": lambda x: x.diag(),
        "kthvalue": lambda x: x.kthvalue(2).indices, "masked_fill": lambda x: x.masked_fill(x > 1, 7),
        "masked_select": lambda x: x.masked_select(x > 1), "masked_scatter": lambda x: x.masked_scatter(x > 1, x),
        "scatter": lambda x: x.scatter(1, at(x, [[2], [0]]), x),
        "index_add": lambda x: x.index_add(0, at(x, [1, 1]), x),
        "index_put": lambda x: x.index_put((at(x, [0, 0]), at(x, [1, 1])), at(x, [5, 5]).to(x.dtype), accumulate=True),
        "cumprod": lambda x: x.cumprod(1), "diff": lambda x: x.diff(),
        "repeat_interleave": lambda x: x.repeat_interleave(at(x, [1, 2]), 0), "unfold": lambda x: x.unfold(1, 2, 1),
        "logical_and": lambda x: ops.logical_and(x, x > 1),
        "div, rounded": lambda x: mg.div(x, 2, rounding_mode="trunc"), "bool mean": lambda x: (x > 1).double().mean(),
        "sum of bytes": lambda x: x.byte().sum(), "exp of int8": lambda x: x.char().exp(),
        "shift": lambda x: x.long() << 1, "bits": lambda x: ~x.long() & 6, "new": lambda x: x.new_full((2,), 3),
        "tensordot": lambda x: mg.tensordot(x, x, 2), "numpy": lambda x: x.int() * np.int64(2),
        "aminmax": lambda x: x.aminmax().max, "meshgrid": lambda x: mg.meshgrid(x[0], x[1])[0],
        "0, :, [0, 1]": lambda x: x[None][0, :, [0, 1]], "byte mask": lambda x: x[(x > 1).byte()],
        "cat with nothing": lambda x: mg.cat([mg.tensor([], device=x.device), x])}
    for name, f in functions.items():
        for numbers in (values, whole):
            assert_same(f(mg.tensor(numbers, device=gpu)), f(mg.tensor(numbers)), 1e-6, f"{name} of {numbers.dtype}")
    assert_same(mg.bincount(mg.tensor(whole[0], device=gpu)), mg.bincount(mg.tensor(whole[0])))
    weights = mg.tensor(abs(values), device=gpu)
    for replacement in (True, False):
        drawn = mg.multinomial(weights, 2, replacement)
        assert drawn.is_cuda and 0 <= drawn.min().item() and drawn.max().item() < 3
    for dtype in (mg.float32, mg.int64):
        for call in (lambda d: mg.arange(1, 9, 3, dtype=dtype, device=d), lambda d: mg.linspace(0, 9, 4, dtype, d),  # noqa: B023
                     lambda d: mg.logspace(0, 2, 3, 2.0, dtype, d), lambda d: mg.eye(2, 3, dtype, d)):  # noqa: B023
            assert_same(call(gpu), call("cpu"), 1e-6)
    with pytest.raises(IndexError, match="reaches from 0 to 2"):
        mg.tensor(values, device=gpu)[[0, 2]]  # CuPy wraps around


def test_half_precision_adds_up_in_float32(gpu):
    x = np.random.default_rng(0).standard_normal((4000, 3)).astype("float16") * 100
    for f in (lambda x: x.mean(0), lambda x: x.std(), lambda x: x.softmax(0), lambda x: F.layer_norm(x, (3,)),
              lambda x: F.mse_loss(x, x * 0 + 1), lambda x: x.sum(0) * 0 + x.logsumexp(0)):
        assert_same(f(mg.tensor(x, device=gpu)), f(mg.tensor(x)), 2e-3)
    b = mg.zeros(3, dtype=mg.float16, device=gpu, requires_grad=True)
    (mg.tensor(x, device=gpu) * 0 + b).sum().backward()
    assert b.grad.tolist() == [4000.0] * 3


def test_numbers_of_no_axes(gpu):
    functions = (lambda x: x.cumsum(0), lambda x: x.sort(0).values, lambda x: x.argsort(), lambda x: x.sum(),
                 lambda x: x.max(), lambda x: x.softmax(0), lambda x: x.norm(), lambda x: x.std(correction=0),
                 lambda x: x.prod(), lambda x: x.logsumexp(0), lambda x: x[None].flip(0), lambda x: x.clamp(0.0, 1.0),
                 lambda x: x.argmax(), lambda x: ops.leaky_relu(x), lambda x: ops.where(x > 0, x, 0.0),
                 lambda x: x.reshape(1, 1).T, lambda x: x.sum(()), lambda x: x ** 2 / 3 - 1)
    for i, f in enumerate(functions):
        assert_same(f(mg.tensor(0.7, device=gpu)), f(mg.tensor(0.7)), 1e-6, f"function {i}")


def test_arrays_without_elements(gpu):
    for f in (lambda x: x.sum(0), lambda x: x.mean(1), lambda x: x @ x.T, lambda x: ops.cat([x, x]),
              lambda x: x.exp(), lambda x: x.logsumexp(1), lambda x: x[:, 0], lambda x: x.prod(0),
              lambda x: x.any(), lambda x: x.sort(0).values, lambda x: x.norm(), lambda x: x.cumsum(0),
              lambda x: F.linear(x, mg.ones(2, 3, device=x.device))):
        assert_same(f(mg.zeros(0, 3, device=gpu)), f(mg.zeros(0, 3)))


def test_constructors_put_their_tensor_on_the_device(device):
    like = mg.zeros(2, 3, device=device)
    for name, (x, expected) in {
            "zeros": (mg.zeros(2, 3, device=device), np.zeros((2, 3), "f4")),
            "ones": (mg.ones(2, dtype="float64", device=device), np.ones(2)),
            "full": (mg.full((2, 2), 7.0, device=device), np.full((2, 2), 7, "f4")),
            "arange": (mg.arange(2, 9, 3, device=device), np.arange(2, 9, 3)),
            "arange of floats": (mg.arange(0.0, 1.0, 0.25, device=device), np.arange(0, 1, 0.25, "f4")),
            "linspace": (mg.linspace(0, 1, 5, device=device), np.linspace(0, 1, 5, dtype="f4")),
            "eye": (mg.eye(3, device=device), np.eye(3, dtype="f4")),
            "number": (mg.tensor(3, device=device), np.array(3)),
            "lists": (mg.tensor([[1.0, 2.0], [3.0, 4.0]], device=device), np.float32([[1, 2], [3, 4]])),
            "array": (mg.tensor(np.arange(3), device=device, dtype="float16"), np.float16([0, 1, 2])),
            "tensor": (mg.tensor(like), np.zeros((2, 3), "f4")),
            "list of tensors": (mg.tensor([mg.tensor(1.0, device=device), 2.0], device=device), np.float32([1, 2])),
            "as_tensor": (mg.as_tensor(np.ones(2), device=device), np.ones(2)),
            "zeros_like": (mg.zeros_like(like), np.zeros((2, 3), "f4")),
            "ones_like": (mg.ones_like(like, dtype="int64"), np.ones((2, 3), "i8")),
            "full_like": (mg.full_like(like, 2), np.full((2, 3), 2, "f4")),
            "one_hot": (F.one_hot(mg.tensor([0, 2], device=device), 3), np.eye(3, dtype=int)[[0, 2]])}.items():
        assert x.device.type == device and x.dtype == expected.dtype, name
        np.testing.assert_array_equal(host(x), expected, err_msg=name)
    assert mg.empty(2, 3, device=device).shape == (2, 3) == mg.rand_like(like).shape == mg.randn_like(like).shape
    assert mg.rand_like(like).device.type == mg.randn_like(like).device.type == device


def test_the_default_device_is_where_tensors_are_made(device):
    mg.set_default_device(device)
    try:
        assert mg.zeros(2).device.type == mg.rand(2).device.type == mg.tensor([1.0]).device.type == device
        assert nn.Linear(2, 2).weight.device.type == device
    finally:
        mg.set_default_device(None)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_random_numbers_follow_the_seed_and_the_dtype(device, dtype):
    def draw():
        mg.manual_seed(3)
        return [mg.rand(4000, dtype=dtype, device=device), mg.randn(4000, dtype=dtype, device=device),
                mg.zeros(4000, dtype=dtype, device=device).normal_(1.0, 0.5),
                mg.zeros(4000, dtype=dtype, device=device).uniform_(-1.0, 0.0),
                mg.zeros(4000, dtype=dtype, device=device).bernoulli_(0.25),
                mg.randint(5, 10, (4000,), device=device), mg.randperm(10, device=device)]

    first, second = draw(), draw()
    for a, b in zip(first, second):
        assert a.device.type == device
        np.testing.assert_array_equal(host(a), host(b))
    uniform, normal, shifted, low, coins, whole, order = map(host, first)
    assert all(a.dtype == dtype for a in (uniform, normal, shifted, low, coins))
    assert 0 <= uniform.min() and uniform.max() <= 1 and abs(uniform.mean(dtype=float) - 0.5) < 0.03
    assert abs(normal.mean(dtype=float)) < 0.08 and abs(normal.std(dtype=float) - 1) < 0.06
    assert abs(shifted.mean(dtype=float) - 1) < 0.05 and -1 <= low.min() and low.max() <= 0
    assert set(np.unique(coins)) == {0, 1} and abs(coins.mean(dtype=float) - 0.25) < 0.04
    assert set(whole) == set(range(5, 10)) and sorted(order) == list(range(10))


INDICES = [0, -1, (1, 2), (slice(None), 1), (slice(None, None, -2), slice(1, 3)), None, Ellipsis, (Ellipsis, 0),
           (slice(None), None, 2), [0, 2, 0], ([0, 1], [2, 2]), np.array([[0, 1], [2, 2]]),
           (slice(None), np.array([3, 0])), np.array([True, False, True]), np.arange(12).reshape(3, 4) % 3 == 0,
           (np.int64(1), slice(None))]


@pytest.mark.parametrize("index", INDICES, ids=lambda index: str(index).replace("\n", ""))
def test_indexing_and_assignment_agree_with_numpy(device, index):
    values = np.arange(12.0).reshape(3, 4)
    as_tensors = index
    if isinstance(index, np.ndarray):
        as_tensors = mg.tensor(index, device=device)
    elif isinstance(index, tuple):
        as_tensors = tuple(mg.tensor(i, device=device) if isinstance(i, np.ndarray) else i for i in index)
    for given in (index, as_tensors):
        x = mg.tensor(values, device=device, requires_grad=True)
        y = x[given]
        assert y.device.type == device
        np.testing.assert_array_equal(host(y), values[index])
        y.sum().backward()
        expected = np.zeros_like(values)
        np.add.at(expected, index, 1.0)
        np.testing.assert_array_equal(host(x.grad), expected)
        for value in (5.0, -1, mg.tensor(-7.0, device=device), mg.tensor(values[index] * 2, device=device)):
            x, expected = mg.tensor(values, device=device), values.copy()
            x[given] = value
            expected[index] = host(value) if isinstance(value, mg.Tensor) else value
            np.testing.assert_array_equal(host(x), expected)


def test_in_place_methods_agree_with_numpy(device):
    values = np.linspace(-2, 2, 6).reshape(2, 3)
    other = mg.tensor(values[::-1].copy(), device=device)
    mask = mg.tensor(values > 0, device=device)
    for name, change, expected in [
            ("fill_", lambda x: x.fill_(3), np.full((2, 3), 3.0)), ("zero_", lambda x: x.zero_(), np.zeros((2, 3))),
            ("copy_", lambda x: x.copy_(other), values[::-1]),
            ("copy_ of float32", lambda x: x.copy_(other.float()), values[::-1]),
            ("copy_ from the CPU", lambda x: x.copy_(mg.tensor(values[::-1].copy())), values[::-1]),
            ("copy_ of a row", lambda x: x.copy_(other[0]), np.tile(values[1], (2, 1))),
            ("add_", lambda x: x.add_(other, alpha=2), values + 2 * values[::-1]),
            ("sub_", lambda x: x.sub_(1.5), values - 1.5), ("mul_", lambda x: x.mul_(other), values * values[::-1]),
            ("div_", lambda x: x.div_(4), values / 4),
            ("lerp_", lambda x: x.lerp_(other, 0.25), values + 0.25 * (values[::-1] - values)),
            ("clamp_", lambda x: x.clamp_(-1, 1), values.clip(-1, 1)),
            ("clamp_ max", lambda x: x.clamp_(max=0.5), values.clip(None, 0.5)),
            ("masked_fill_", lambda x: x.masked_fill_(mask, 9.0), np.where(values > 0, 9.0, values)),
            ("scatter_", lambda x: x.scatter_(1, mg.tensor([[0], [2]], device=device), 8.0),
             np.where([[True, False, False], [False, False, True]], 8.0, values))]:
        x = mg.tensor(values, device=device)
        assert change(x) is x and x.device.type == device, name
        np.testing.assert_allclose(host(x), expected, 1e-6, err_msg=name)


def test_a_change_in_place_is_noticed_through_any_view(device):
    x = mg.tensor([[1.0, 2.0], [3.0, 4.0]], device=device, requires_grad=True)
    y = x * 2
    z = (y * y).sum()
    with mg.no_grad():
        y.detach().reshape(4)[1:2].zero_()
    with pytest.raises(RuntimeError, match="changed in place"):
        z.backward()


def test_numbers_lists_text_and_truth(device):
    x = mg.tensor([[1.5, 2.0], [3.0, 4.0]], device=device)
    assert x[0, 0].item() == float(x[0, 0]) == 1.5 and int(x[1, 0]) == 3 and x.tolist() == [[1.5, 2.0], [3.0, 4.0]]
    assert len(x) == 2 and [row.tolist() for row in x] == x.tolist() and bool((x > 1).all()) and not bool((x > 9).any())
    assert f"{x[0, 0]:.2f}" == "1.50" and "3. , 4." in repr(x) and ("cuda" in repr(x)) == (device == "cuda")
    assert mg.allclose(x, x + 1e-9) and not mg.allclose(x, x + 1) and mg.equal(x, x.clone())
    assert list(range(5))[x[0, 1].long()] == 2
    assert x.T.contiguous().is_contiguous() and not x.T.is_contiguous()


def test_gradients_add_up_and_stay_on_the_device(device):
    x = mg.tensor([1.0, 2.0, 3.0], device=device, requires_grad=True)
    for _ in range(2):
        (x * x + x.exp() * 0).sum().backward()
    assert x.grad.device.type == device and host(x.grad).tolist() == [4.0, 8.0, 12.0]
    y = x.cpu() * mg.tensor([1.0, 10.0, 100.0])
    x.grad = None
    y.sum().backward()
    assert x.grad.device.type == device and host(x.grad).tolist() == [1.0, 10.0, 100.0]
    calls = []
    z = (x * 2)
    z.register_hook(lambda g: calls.append(g.device.type) or g * 3)
    z.sum().backward()
    assert calls == [device] and host(x.grad).tolist() == [7.0, 16.0, 106.0]


def test_anomaly_mode_names_the_line(device):
    x = mg.tensor([-1.0], device=device, requires_grad=True)
    with autograd.detect_anomaly(), np.errstate(all="ignore"):
        with pytest.raises(FloatingPointError, match="Log made the first NaN"):
            ops.log(x)


def network(device="cpu"):
    mg.manual_seed(5)
    return nn.Sequential(nn.Conv2d(3, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8), nn.LeakyReLU(0.2),
                         nn.ConvTranspose2d(8, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(16, 5), nn.Sigmoid()).to(device)


IMAGES = np.random.default_rng(1).standard_normal((6, 3, 8, 8)).astype("float32")


def test_a_module_moves_with_all_that_it_holds(device):
    here, there = network(), network(device)
    x = mg.tensor(IMAGES, device=device)
    assert {p.device.type for p in there.parameters()} | {b.device.type for b in there.buffers()} == {device}
    assert_same(there(x), here(mg.tensor(IMAGES)), 1e-4)
    there(x).sum().backward()
    state, back = there.state_dict(), there.cpu()
    assert {p.device.type for p in back.parameters()} == {p.grad.device.type for p in back.parameters()} == {"cpu"}
    other = network(device)
    with mg.no_grad():
        for p in other.parameters():
            p.zero_()
    assert other.load_state_dict(state) == ([], [])
    again = network()
    again.load_state_dict(other.state_dict())
    for (name, a), b, c in zip(state.items(), other.state_dict().values(), again.state_dict().values(), strict=True):
        assert b.device.type == device and c.device.type == "cpu"
        np.testing.assert_array_equal(host(a), host(b), err_msg=name)
        np.testing.assert_array_equal(host(a), host(c), err_msg=name)
    other.load_state_dict({name: host(value) for name, value in state.items()})
    assert other.double()[0].weight.dtype == "float64" and other[0].weight.device.type == device


OPTIMISERS = {
    "SGD": lambda ps: optim.SGD(ps, 0.1), "momentum": lambda ps: optim.SGD(ps, 0.1, 0.9, weight_decay=0.01),
    "Nesterov": lambda ps: optim.SGD(ps, 0.1, 0.9, nesterov=True),
    "RMSprop": lambda ps: optim.RMSprop(ps, 0.01, weight_decay=0.1),
    "centred": lambda ps: optim.RMSprop(ps, 0.01, centered=True, momentum=0.5), "Adam": lambda ps: optim.Adam(ps, 0.01),
    "Adam by GAN": lambda ps: optim.Adam(ps, 0.01, (0.0, 0.9), weight_decay=0.1),
    "AdamW": lambda ps: optim.AdamW(ps, 0.01)}


@pytest.mark.parametrize("make", OPTIMISERS.values(), ids=OPTIMISERS)
def test_optimisers_take_the_same_steps(device, make):
    def train(net, optimiser, where, steps):
        for _ in range(steps):
            optimiser.zero_grad()
            loss = (net(mg.tensor(IMAGES, device=where)) ** 2).mean()
            loss.backward()
            nn.utils.clip_grad_norm_(list(net.parameters()), 0.5)
            optimiser.step()
        return net, optimiser

    def fresh(where):
        net = network(where)
        return net, make(net.parameters())

    (here, _), (there, moved) = train(*fresh("cpu"), "cpu", 4), train(*fresh(device), device, 4)
    for (name, a), b in zip(there.named_parameters(), here.parameters()):
        assert a.device.type == device
        assert_same(a, b, 2e-3, name)
    state, (resumed, optimiser) = moved.state_dict(), fresh(device)
    resumed.load_state_dict(there.state_dict())
    optimiser.load_state_dict(state)
    train(there, moved, device, 1), train(resumed, optimiser, device, 1)
    for a, b in zip(there.parameters(), resumed.parameters()):
        assert_same(a, b, 1e-6)
    there.cpu()
    train(there, moved, "cpu", 1)  # the optimiser follows the parameters, its state with them
    assert {p.device.type for p in there.parameters()} == {"cpu"}


def test_the_moving_average_of_a_model(device):
    nets = [network("cpu"), network(device)]
    averages = [optim.EMA(net, 0.5) for net in nets]
    for step in range(3):
        for net, average in zip(nets, averages):
            with mg.no_grad():
                for p in net.parameters():
                    p.add_(0.1 * (step + 1))
            average.update()
    for a, b in zip(averages[1].model.state_dict().values(), averages[0].model.state_dict().values()):
        assert a.device.type == device
        assert_same(a, b, 1e-5)
    other = optim.EMA(network(device))
    other.load_state_dict(averages[0].state_dict())
    assert_same(other.model[0].weight, averages[0].model[0].weight)


def test_checkpoints_hold_what_lies_on_the_device(device, tmp_path):
    net = network(device)
    optimiser = optim.Adam(net.parameters())
    net(mg.tensor(IMAGES, device=device)).sum().backward()
    optimiser.step()
    x = mg.arange(6, device=device).reshape(2, 3).T
    state = {"net": net.state_dict(), "optimiser": optimiser.state_dict(), "x": x, "raw": x.array}
    checkpoint.save(tmp_path, state, step=1)
    found = checkpoint.load(tmp_path).state
    assert found["x"].device.type == "cpu" and found["x"].tolist() == x.tolist() == found["raw"].tolist()
    other = network(device)
    again = optim.Adam(other.parameters())
    other.load_state_dict(found["net"])
    again.load_state_dict(found["optimiser"])
    for a, b in zip(net.state_dict().values(), other.state_dict().values()):
        assert b.device.type == device
        np.testing.assert_array_equal(host(a), host(b))
    mg.save(net.state_dict(), tmp_path / "weights.safetensors")
    loaded = mg.load(tmp_path / "weights.safetensors", map_location=device)
    assert all(x.device.type == device for x in loaded.values())


def test_batches_of_a_loader_move_to_the_device(device):
    images, labels = mg.tensor(IMAGES), mg.arange(6)
    for place in ("cpu", device):  # a data set on the CPU, its batches moved; and one that lies on the device
        loader = DataLoader(TensorDataset(images.to(place), labels.to(place)), batch_size=4, shuffle=True, seed=2)
        seen = []
        for x, y in loader:
            x, y = x.to(device), y.to(device)
            assert x.device.type == y.device.type == device
            np.testing.assert_array_equal(host(x), IMAGES[host(y)])
            seen += y.tolist()
        assert sorted(seen) == list(range(6))


def test_dropout_draws_on_the_device(device):
    mg.manual_seed(1)
    x = mg.ones(2000, device=device, requires_grad=True)
    y = F.dropout(x, 0.25)
    y.sum().backward()
    kept = host(y)
    assert y.dtype == "float32" and set(np.unique(kept)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((kept == 0).mean() - 0.25) < 0.05
    np.testing.assert_array_equal(host(x.grad), kept)
    assert F.dropout(x, 0.5, training=False) is x and not host(F.dropout(x, 1.0)).any()


@pytest.mark.parametrize("layer, shape", [
    (lambda: nn.BatchNorm1d(3), (8, 3)), (lambda: nn.BatchNorm2d(3, momentum=None), (4, 3, 2, 2)),
    (lambda: nn.InstanceNorm2d(3, affine=True, track_running_stats=True), (4, 3, 2, 2))])
def test_running_statistics_move_as_on_the_cpu(device, layer, shape):
    here, there, rng = layer(), layer().to(device), np.random.default_rng(0)
    for _ in range(3):
        x = rng.standard_normal(shape).astype("float32") * 2 + 1
        here(mg.tensor(x)), there(mg.tensor(x, device=device))
    for (name, a), b in zip(there.named_buffers(), here.buffers()):
        assert a.device.type == device
        assert_same(a, b, 1e-5, name)
    assert_same(there.eval()(mg.tensor(x, device=device)), here.eval()(mg.tensor(x)), 1e-5)


def test_losses_embeddings_and_spectral_norm(device):
    rng = np.random.default_rng(0)
    logits, labels, weight = rng.standard_normal((5, 4)), rng.integers(0, 4, 5), rng.uniform(0.5, 2, 4)
    rows = rng.standard_normal((7, 4))

    def compute(where):
        x, w = mg.tensor(logits, device=where), mg.tensor(weight, device=where)
        y, table = mg.tensor(labels, device=where), mg.tensor(rows, device=where)
        mg.manual_seed(0)
        layer = nn.utils.spectral_norm(nn.Linear(4, 3).double())
        return [F.cross_entropy(x, y, w, label_smoothing=0.1), F.cross_entropy(x, y, ignore_index=int(labels[0])),
                F.nll_loss(F.log_softmax(x, 1), y, w), F.embedding(y, table), F.normalize(x),
                F.binary_cross_entropy(x.sigmoid(), (x > 0).double()), F.smooth_l1_loss(x, x * 2),
                F.binary_cross_entropy_with_logits(x, (x > 0).double(), pos_weight=w), layer.to(where)(x)]

    for i, (a, b) in enumerate(zip(compute(device), compute("cpu"))):
        assert a.device.type == device
        assert_same(a, b, 1e-7, f"part {i}")
    with pytest.raises(IndexError, match="classes go from 0 to 3"):
        F.cross_entropy(mg.tensor(logits, device=device), mg.tensor(labels + 9, device=device))
    with pytest.raises(IndexError, match="rows go from 0 to 6"):
        F.embedding(mg.tensor([7], device=device), mg.tensor(rows, device=device))
    with pytest.raises(IndexError, match="keep it in 0..3"):
        ops.gather(mg.tensor(logits, device=device), 1, mg.tensor([[4]], device=device))


def rows_of(folder):
    with open(folder / "metrics.csv", newline="") as file:
        return [[float(row[name]) for name in ("step", "d_real", "d_fake", "g")] for row in csv.DictReader(file)]


def test_the_1010_gan_trains_as_on_the_cpu(device, tmp_path, capsys):
    def demo(where, folder, steps, *more):
        assert pattern1010.demo(["--device", where, "--steps", str(steps), "--seed", "3", *more]) == 0
        return rows_of(folder)

    there, here = tmp_path / "there", tmp_path / "here"
    losses = demo(device, there, 50, "--out", str(there))
    np.testing.assert_allclose(losses, demo("cpu", here, 50, "--out", str(here)), rtol=0, atol=1e-5)
    assert len(losses) == 6 and "G(0.5) = [" in capsys.readouterr().out
    resumed = demo(device, there, 60, "--resume", str(there))
    np.testing.assert_allclose(resumed, demo("cpu", here, 60, "--resume", str(here)), rtol=0, atol=1e-5)


def test_host_and_device_do_not_mix(gpu):
    here, there = mg.ones(3), mg.ones(3, device=gpu)
    for f in (lambda: here + there, lambda: there + here, lambda: there @ here, lambda: ops.cat([here, there]),
              lambda: there.numpy(), lambda: np.asarray(there), lambda: ops.where(there > 0, there, here)):
        with pytest.raises(TypeError) as caught:
            f()
        assert "\n" not in str(caught.value)


def test_a_step_on_the_gpu_is_refused_by_capture_and_changes_nothing(gpu):
    w = nn.Parameter(mg.ones(2, device=gpu))
    there = [lambda x: w * 2, lambda x: x * 2, lambda x: mg.ones(2, device=gpu) * 2]
    for step, x in zip(there, (mg.ones(2), mg.ones(2, device=gpu), mg.ones(2))):
        captured = mg.capture(step)
        with pytest.raises(RuntimeError, match="GPU.*; steps are captured on the CPU only, call the step"):
            captured(x), captured(x)
        assert captured.plan is None
    assert host(w).tolist() == [1, 1]


@pytest.fixture
def stand_in():
    """tests/cupy_stand_in.py as a module, not installed."""
    spec = importlib.util.spec_from_file_location("stand_in", Path(__file__).with_name("cupy_stand_in.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_stand_in_refuses_what_cupy_refuses(stand_in):
    x, y = stand_in.arange(6.0).reshape(2, 3), np.ones((2, 3))
    i = stand_in.array([1])
    for slip in (lambda: np.asarray(x), lambda: x + y, lambda: y + x, lambda: x @ y.T, lambda: np.concatenate([x, x]),
                 lambda: stand_in.where(x > 0, x, y), lambda: stand_in.concatenate([x, y]), lambda: hash(x),
                 lambda: x.max(0, initial=0.0), lambda: x.sum(where=x > 0), lambda: range(i[0]), lambda: x[:i[0]],
                 lambda: stand_in.array([1, 2]).scatter_add(i, i), lambda: stand_in.zeros(3, object)):
        with pytest.raises((TypeError, ValueError)):
            slip()
    with pytest.raises(ValueError, match="cannot be used for fill"):
        x[0] = y[0]
    assert isinstance(x[0, 0], stand_in.ndarray) and isinstance(x.sum(), stand_in.ndarray) and x[0].base is x.base
    assert (x.T + 1).flags.c_contiguous and x[stand_in.array([5])].get().tolist() == [[3.0, 4.0, 5.0]]
    assert np.isnan(stand_in.empty(3).get()).all()


def test_the_stand_in_has_no_name_or_argument_that_cupy_lacks(stand_in):
    if os.environ.get("MINIGRAD_CUPY_STAND_IN") == "1":
        pytest.skip("CuPy itself is not loaded here")
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed: pip install minigrad[cuda12]")
    pairs = [(name, f, getattr(cupy, name)) for name, f in vars(stand_in).items() if callable(f) and name[0] != "_"
             and name not in ("install", "Device", "Generator", "Philox4x3210")]
    pairs += [(name, None, getattr(cupy, name)) for name in stand_in._UFUNCS]
    for mine, real in ((stand_in.ndarray, cupy.ndarray), (stand_in.Generator, cupy.random.Generator),
                       (stand_in._Pool, cupy.cuda.MemoryPool), (stand_in.Device, cupy.cuda.Device)):
        pairs += [(name, f, getattr(real, name)) for name, f in vars(mine).items()
                  if name[0] != "_" and name not in ("bit_generator",)]
    for name, mine, real in pairs:
        try:
            known = inspect.signature(real).parameters
            asked = inspect.signature(mine).parameters
        except (TypeError, ValueError):
            continue  # a property, or compiled without its signature
        if not any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in known.values()):
            assert set(asked) <= set(known), name


@pytest.mark.skipif(os.environ.get("MINIGRAD_CUPY_STAND_IN") == "1", reason="this is the run on the stand-in")
def test_all_of_this_holds_on_the_stand_in_for_cupy():
    settings = {"MINIGRAD_CUPY_STAND_IN": "1", "MINIGRAD_REQUIRE_GPU": "1", "MPLBACKEND": "agg"}
    export = Path(__file__).with_name("test_onnx.py")
    more = [f"{export}::test_a_network_on_a_gpu_gives_the_same_file"] if importlib.util.find_spec("onnx") else []
    run = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, *more],
                         cwd=Path(__file__).parents[1], env={**os.environ, **settings}, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
