"""Convolutions in compiled code, beside those of the arrays."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import nn
from minigrad.backend import native
from minigrad.backend import numpy as cpu

pytest.importorskip("numba")


@st.composite
def geometries(draw):
    """(image, kernel, stride, padding, dilation) of a convolution whose windows fit."""
    kernel, stride, dilation = (draw(st.tuples(st.integers(1, most), st.integers(1, most))) for most in (5, 3, 3))
    padding = draw(st.tuples(st.integers(0, 4), st.integers(0, 4)))
    least = [max(1, d * (k - 1) + 1 - 2 * p) for k, d, p in zip(kernel, dilation, padding)]
    return tuple(n + draw(st.integers(0, 9)) for n in least), kernel, stride, padding, dilation


@settings(max_examples=40, deadline=None)
@given(geometries(), st.sampled_from([2, 5]), st.sampled_from([1, 3, 8]), st.sampled_from([1, 4]), st.booleans(),
       st.sampled_from(["float32", "float64"]), st.integers(1, 3))
def test_a_compiled_convolution_is_that_of_the_arrays(geometry, n, c, o, biased, dtype, threads):
    """In both directions, also where windows lie in the padding alone; the order of sums differs, and no more."""
    image, kernel, stride, padding, dilation = geometry
    rng = np.random.default_rng(0)
    x = mg.tensor(rng.standard_normal((n, c, *image)).astype(dtype), requires_grad=True)
    w = mg.tensor(rng.standard_normal((o, c, *kernel)).astype(dtype), requires_grad=True)
    b = mg.tensor(rng.standard_normal(o).astype(dtype), requires_grad=True) if biased else None

    def compute():
        y = nn.functional.conv2d(x, w, b, stride, padding, dilation)
        leaves = [leaf for leaf in (x, w, b) if leaf is not None]
        slopes = mg.autograd.grad((y * y).sum(), leaves, create_graph=True)
        second = mg.autograd.grad(sum((slope * slope).sum() for slope in slopes), leaves)
        return [tensor.detach().numpy() for tensor in (y, *slopes, *second)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpu.threads._threads, "count", threads)
        patch.setattr(cpu, "convolution", lambda *_: None)
        expected = compute()
    used = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpu.threads._threads, "count", threads)
        patch.setattr(cpu, "LEAST", 0)
        real = cpu.convolution
        patch.setattr(cpu, "convolution", lambda *a: used.append(real(*a)) or used[-1])
        found = compute()
    assert n < threads or any(used) or kernel == (1, 1) or kernel == image
    close = 2e-4 if dtype == "float32" else 1e-11
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=close, atol=close * max(1.0, abs(other).max()))


def test_bytes_in_another_order_are_left_to_the_arrays():
    rng = np.random.default_rng(0)
    x, w = (rng.standard_normal(shape).astype("float32") for shape in ((4, 3, 40, 40), (5, 3, 3, 3)))
    expected = nn.functional.conv2d(mg.tensor(x), mg.tensor(w)).numpy()
    swapped = (mg.from_numpy(a.astype(a.dtype.newbyteorder())) for a in (x, w))
    np.testing.assert_allclose(nn.functional.conv2d(*swapped).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_a_compiled_convolution_works_from_several_threads_at_once():
    """Threads of the user's own share the pool; one that finds it taken does its convolution alone, with equal bits."""
    rng = np.random.default_rng(0)
    x, w = (mg.tensor(rng.standard_normal(shape).astype("float32")) for shape in ((8, 6, 30, 30), (5, 6, 3, 3)))
    expected = nn.functional.conv2d(x, w, None, 1, 1).numpy()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: nn.functional.conv2d(x, w, None, 1, 1).numpy(), range(40)))
    for one in found:
        np.testing.assert_array_equal(one, expected)


def test_a_thread_without_a_slot_of_scratch_leaves_the_work_to_the_others(monkeypatch):
    """More threads are there than slots, as after the number of threads was lowered: none writes beyond the memory."""
    pool = cpu.threads._threads
    monkeypatch.setattr(pool, "count", 4)
    pool.start()
    monkeypatch.setattr(pool, "count", 2)
    loop = native.parallel(mark, has_slot=True)
    memory = np.full((12, 1), -1.0)
    for _ in range(200):
        loop(64, 1, memory[:2])
        assert (memory[2:] == -1).all()
    assert (memory[:2] >= -1).all() and memory[:2].max() < 64


def mark(start, stop, slot, scratch):
    for i in range(start, stop):
        value = 0.0
        for _ in range(5000):  # long enough for the others to come
            value = value * 0.5 + 1.0
        scratch[slot, 0] = i + value / 4
