"""What the strategies draw is what they promise."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad.testing import check_grad, strategies
from minigrad.testing.source import Seeded

few = settings(max_examples=50, deadline=None, database=None, derandomize=True)


@few
@given(strategies.broadcastable_shapes(3))
def test_broadcastable_shapes_broadcast(shapes):
    np.broadcast_shapes(*shapes)


@few
@given(st.data())
def test_axes_and_indices_fit(data):
    shape = data.draw(strategies.shapes(1, 3, (0, 4)))
    x = np.zeros(shape)
    axes = data.draw(strategies.axes(len(shape)))
    x.sum(axes)
    x[data.draw(strategies.indices(shape))]


@few
@given(
    strategies.away_from((4, 5), 0.0, 1.0),
    strategies.distinct((3, 4), 0.2),
    strategies.uniform(strategies.shapes(), 2, 3),
)
def test_values_keep_their_distance(x, y, z):
    assert np.abs(x).min() >= 0.05 and np.abs(x - 1).min() >= 0.05
    assert np.diff(np.sort(y.ravel())).min() >= 0.0999
    assert z.size == 0 or 2 <= z.min() and z.max() <= 3


@few
@given(strategies.windows())
def test_windows_fit_their_image_and_some_are_cut(window):
    for n, k, s, p, d in zip(*(window[key] for key in ("size", "kernel", "stride", "padding", "dilation"))):
        assert n >= 1 and n + 2 * p >= d * (k - 1) + 1 and 2 * p <= k and s >= 1


def test_floor_cases_occur():
    cut = 0
    for seed in range(50):
        w = Seeded(seed).window()
        cut += any((n + 2 * p - d * (k - 1) - 1) % s for n, k, s, p, d in
                   zip(w["size"], w["kernel"], w["stride"], w["padding"], w["dilation"]))
    assert cut > 5


@few
@given(strategies.tensors(), strategies.arrays())
def test_tensors_want_gradients_and_arrays_are_float64(x, a):
    assert x.requires_grad and x.dtype == mg.float64 and a.dtype == np.float64


@few
@given(strategies.arrays((3,)))
def test_kinks_are_assumed_away(x):
    x[0] = 0.0
    with strategies.assuming_differentiable():
        check_grad(lambda t: mg.maximum(t, t * 0.5), np.abs(x) + 0.1)
