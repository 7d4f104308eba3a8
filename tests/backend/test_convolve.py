"""Convolutions in compiled code, beside those of the arrays."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import nn
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


def test_a_compiled_convolution_works_from_several_threads_at_once():
    """Threads of the user's own share the pool; one that finds it taken does its convolution alone, with equal bits."""
    rng = np.random.default_rng(0)
    x, w = (mg.tensor(rng.standard_normal(shape).astype("float32")) for shape in ((8, 6, 30, 30), (5, 6, 3, 3)))
    expected = nn.functional.conv2d(x, w, None, 1, 1).numpy()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: nn.functional.conv2d(x, w, None, 1, 1).numpy(), range(40)))
    for one in found:
        np.testing.assert_array_equal(one, expected)
