"""Distances of features: closed forms, an independent form on the same arrays, refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gans.machinery.metrics import (
    MeasureError,
    features,
    frechet_distance,
    inception_score,
    kernel_distance,
)


def normal(seed, n, width, spread=1.0, shift=0.0):
    """Rows of a normal distribution with correlated features."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, width)) @ rng.normal(size=(width, width)) * spread + shift


def standard(seed, n, width):
    """Rows of mean 0 and covariance 1, exactly."""
    x = np.random.default_rng(seed).normal(size=(n, width))
    x -= x.mean(0)
    return x @ np.linalg.inv(np.linalg.cholesky(np.atleast_2d(np.cov(x.T)))).T


# The Frechet distance


@pytest.mark.parametrize("width", [1, 2, 7])
def test_the_distance_of_normal_distributions_is_the_closed_form(width):
    x, rng = standard(0, 200, width), np.random.default_rng(1)
    a, b = (np.diag(rng.uniform(0.5, 3, width)) for _ in range(2))  # covariances that commute
    shift = rng.normal(size=width)
    expected = (shift ** 2).sum() + ((np.diag(a) - np.diag(b)) ** 2).sum()
    assert frechet_distance(x @ a, standard(2, 300, width) @ b + shift) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), width=st.integers(1, 12), more=st.integers(1, 40), spread=st.floats(0.01, 100))
def test_the_distance_is_that_of_the_matrix_root(seed, width, more, spread):
    linalg = pytest.importorskip("scipy.linalg")
    a, b = normal(seed, width + more, width), normal(seed + 1, width + 50, width, spread, 2.0)
    first, second = np.atleast_2d(np.cov(a.T)), np.atleast_2d(np.cov(b.T))
    gap = a.mean(0) - b.mean(0)
    expected = gap @ gap + np.trace(first + second - 2 * linalg.sqrtm(first @ second).real)
    scale = np.trace(first) + np.trace(second)
    assert frechet_distance(a, b) == pytest.approx(expected, abs=1e-6 * scale)


def test_the_distance_is_symmetric_and_zero_for_equal_sets_and_knows_no_rotation():
    a, b = normal(0, 90, 6), normal(1, 70, 6, shift=1.0)
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(6, 6)))[0]
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)
    assert frechet_distance(a @ turn + 5, b @ turn + 5) == pytest.approx(frechet_distance(a, b), rel=1e-9)
    assert frechet_distance(a, a[::-1]) == pytest.approx(0, abs=1e-9)


def test_features_that_never_vary_have_a_distance_that_is_no_nan():
    flat = np.hstack([normal(0, 90, 3), np.zeros((90, 2))])
    assert frechet_distance(np.full((90, 5), 2.0), np.full((80, 5), -1.0)) == 45
    assert frechet_distance(flat, flat + 1) == pytest.approx(5, rel=1e-9)


@pytest.mark.parametrize("n, m", [(5, 50), (50, 5), (1, 1)])
def test_the_distance_needs_more_rows_than_features(n, m):
    with pytest.raises(MeasureError, match=r"frechet_distance: . .* are too few, as the covariance of 5 features needs "
                                           "more rows than features; give 6 or more"):
        frechet_distance(normal(0, n, 5), normal(1, m, 5))
    assert frechet_distance(normal(0, 6, 5), normal(1, 6, 5)) > 0


# KID


def slow_kernel_distance(a, b):
    """By pairs, without the diagonal."""
    def k(x, y):
        return (sum(p * q for p, q in zip(x, y)) / len(x) + 1) ** 3

    def within(rows):
        values = [k(x, y) for i, x in enumerate(rows) for j, y in enumerate(rows) if i != j]
        return sum(values) / len(values)

    return within(a) + within(b) - 2 * np.mean([k(x, y) for x in a for y in b])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 14), m=st.integers(2, 14), width=st.integers(1, 4))
def test_kid_is_that_of_the_double_loop(seed, n, m, width):
    a, b = normal(seed, n, width), normal(seed + 1, m, width, 2.0, 1.0)
    scale = max(1, np.abs(np.vstack([a, b])).max() ** 6)
    assert kernel_distance(a, b) == pytest.approx(slow_kernel_distance(a, b), rel=1e-9, abs=1e-12 * scale)


def test_kid_has_no_bias_and_the_frechet_distance_has():
    rng = np.random.default_rng(0)
    pairs = [rng.normal(size=(2, 20, 3)) for _ in range(400)]
    found = np.array([kernel_distance(a, b) for a, b in pairs])
    error = found.std() / len(found) ** 0.5
    assert abs(found.mean()) < 4 * error and (found < 0).any()
    assert min(frechet_distance(a, b) for a, b in pairs) > 0


def test_kid_of_means_is_the_closed_form():
    # For one feature x that is always p and y always q: (pp + 1)**3 + (qq + 1)**3 - 2 (pq + 1)**3.
    p, q = np.full((4, 1), 2.0), np.full((3, 1), -1.0)
    assert kernel_distance(p, q) == pytest.approx(125 + 8 - 2 * (-1))
    assert kernel_distance(p, p) == 0


def test_blocks_change_nothing(monkeypatch):
    a, b = normal(0, 50, 4), normal(1, 40, 4)
    whole = kernel_distance(a, b)
    monkeypatch.setattr(features, "ROWS_AT_ONCE", 7)
    assert kernel_distance(a, b) == pytest.approx(whole, rel=1e-9)


# The inception score


def test_the_inception_score_is_that_of_the_loop_and_has_its_bounds():
    p = np.random.default_rng(0).dirichlet(np.full(6, 0.3), size=200)
    mean = p.mean(0)
    slow = np.exp(np.mean([sum(q * np.log(q / m) for q, m in zip(row, mean) if q > 0) for row in p]))
    assert inception_score(p) == pytest.approx(slow, rel=1e-9) and 1 < slow < 6
    sure = np.eye(6)[np.arange(60) % 6]
    assert inception_score(sure) == pytest.approx(6) and inception_score(sure[::6].repeat(6, 0)) == pytest.approx(1)
    assert inception_score(sure[np.arange(60) % 6 < 3]) == pytest.approx(3), "three of six classes"


@pytest.mark.parametrize("given, says", [
    (np.eye(4), r"shape \(4, 4\); give \(N, classes\), of more samples than classes"),
    (np.ones(4), r"shape \(4,\)"), (np.full((9, 4), np.nan), "NaN or infinity in 9 of 9 samples"),
    (np.full((9, 4), 0.5), "add up to 2 to 2; give probabilities, the softmax of logits"),
    (np.tile([1.5, -0.5], (9, 1)), "rows from -0.5 on")])
def test_what_is_no_probability_has_no_score(given, says):
    with pytest.raises(MeasureError, match=says):
        inception_score(given)


@pytest.mark.parametrize("measure", [frechet_distance, kernel_distance])
def test_nan_is_refused_and_does_not_come_out(measure):
    good, bad = normal(0, 20, 3), normal(1, 20, 3)
    bad[3, 1] = np.nan
    with pytest.raises(MeasureError, match="NaN or infinity in 1 of 20 samples"):
        measure(bad, good)
    with pytest.raises(MeasureError, match="NaN or infinity in 1 of 20 real rows"):
        measure(good, bad)
    with pytest.raises(MeasureError, match="too few"):
        measure(good[:1], good)
