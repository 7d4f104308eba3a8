"""Neighbours: against loops over points, closed forms, ties, copies, refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gans.machinery.metrics import (
    MeasureError,
    density_coverage,
    memorised,
    nearest,
    neighbours,
    precision_recall,
    two_samples,
)
from minigrad.data.digits import synthetic_digits

SETS = st.tuples(st.integers(0, 10**6), st.integers(7, 30), st.integers(7, 30), st.integers(1, 4), st.booleans(),
                 st.sampled_from([0.0, 1e6]))


def drawn(seed, n, m, width, whole, offset):
    """Two sets that overlap; whole numbers have ties and equal rows, an offset cancels much."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(0, 2, (n, width)), rng.normal(0.5, 1.5, (m, width))
    return (np.rint(a) + offset, np.rint(b) + offset) if whole else (a + offset, b + offset)


def apart(x, y):
    return sum((p - q) ** 2 for p, q in zip(x.tolist(), y.tolist()))


def slow_radii(rows, k):
    return [sorted(apart(x, y) for j, y in enumerate(rows) if j != i)[k - 1] for i, x in enumerate(rows)]


def slow_inside(points, centres, k):
    """Which ball about a centre holds which point."""
    radii = slow_radii(centres, k)
    return [[apart(x, c) <= r for c, r in zip(centres, radii)] for x in points]


@settings(max_examples=60, deadline=None)
@given(sets=SETS, k=st.integers(1, 6))
def test_precision_recall_density_and_coverage_are_those_of_loops(sets, k):
    a, b = drawn(*sets)
    if not any(slow_radii(b, k)):
        return
    inside = slow_inside(a, b, k)
    found = precision_recall(a, b, k)
    assert found.precision == np.mean([any(row) for row in inside])
    assert found.recall == np.mean([any(row) for row in slow_inside(b, a, k)])
    other = density_coverage(a, b, k)
    assert other.density == pytest.approx(sum(map(sum, inside)) / (k * len(a)))
    assert other.coverage == np.mean([any(column) for column in zip(*inside)])


@settings(max_examples=60, deadline=None)
@given(sets=SETS)
def test_the_two_sample_test_is_that_of_loops(sets):
    a, b = drawn(*sets)
    n = min(len(a), len(b))
    rows = [*a[:n], *b[:n]]
    right = []
    for i, x in enumerate(rows):
        own, other = ([apart(x, y) for j, y in enumerate(rows) if j != i and (j < n) == same]
                      for same in ((i < n), (i >= n)))
        right.append(1.0 if min(own) < min(other) else 0.5 if min(own) == min(other) else 0.0)
    found = two_samples(a, b)
    assert found.on_samples == np.mean(right[:n]) and found.on_real == np.mean(right[n:])
    assert found.accuracy == pytest.approx(np.mean(right))


@settings(max_examples=40, deadline=None)
@given(sets=SETS)
def test_the_nearest_is_that_of_a_loop(sets):
    a, b = drawn(*sets)
    index, distances = nearest(a, b)
    slow = np.array([[apart(x, y) for y in b] for x in a])
    np.testing.assert_allclose(distances ** 2, slow.min(1), rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(distances ** 2, slow[np.arange(len(a)), index], rtol=1e-9, atol=1e-9)


def test_sets_apart_share_nothing():
    a, b = np.random.default_rng(0).normal(size=(2, 60, 3))
    assert precision_recall(a, b + 100) == neighbours.PrecisionRecall(0.0, 0.0)
    assert density_coverage(a, b + 100) == neighbours.DensityCoverage(0.0, 0.0)
    assert two_samples(a, b + 100) == neighbours.TwoSamples(1.0, 1.0, 1.0)


def test_a_set_beside_itself_is_whole_and_each_row_is_next_to_its_twin():
    a = np.random.default_rng(0).normal(size=(60, 3))
    assert precision_recall(a, a) == neighbours.PrecisionRecall(1.0, 1.0)
    assert density_coverage(a, a).coverage == 1 and density_coverage(a, a).density >= 1
    assert two_samples(a, a[::-1]).accuracy == 0


def test_equal_distributions_are_where_theory_says():
    k, n, found, tests = 5, 300, [], []
    for seed in range(30):
        a, b = np.random.default_rng(seed).normal(size=(2, n, 4))
        found.append([density_coverage(a, b).density, density_coverage(a, b).coverage])
        tests.append(two_samples(a, b).accuracy)
    density, coverage = np.mean(found, 0)
    expected = 1 - np.prod([(n - i) / (2 * n - i) for i in range(1, k + 1)])
    assert density == pytest.approx(1, abs=0.03) and coverage == pytest.approx(expected, abs=0.01)
    assert np.mean(tests) == pytest.approx(0.5, abs=0.015)


def test_a_collapsed_generator_is_precise_and_misses_the_rest():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(300, 2))
    real[:150] += [20, 0]
    samples = np.random.default_rng(1).normal(size=(300, 2))  # one of two heaps
    found = precision_recall(samples, real)
    assert found.precision > 0.9 and 0.4 < found.recall < 0.55
    assert 0.4 < density_coverage(samples, real).coverage < 0.52
    point = two_samples(np.zeros((300, 2)), real)
    assert point.on_samples == 1 and point.on_real > 0.9, "all samples are one"


def test_an_outlier_raises_recall_and_leaves_coverage_alone():
    rng = np.random.default_rng(0)
    real, samples = rng.normal(size=(200, 2)), rng.normal(size=(200, 2)) * 0.1
    stray = samples.copy()
    stray[:4] = [[40, 0], [-40, 0], [0, 40], [0, -40]]  # their balls hold everything
    assert precision_recall(samples, real).recall < 0.4 and precision_recall(stray, real).recall == 1
    assert density_coverage(stray, real).coverage == pytest.approx(density_coverage(samples, real).coverage, abs=0.03)


def test_copies_are_told_from_new_samples():
    rng = np.random.default_rng(0)
    train, kept_back, new = rng.integers(0, 256, (3, 200, 8, 8), np.uint8)
    fresh, copied = memorised(new, kept_back, train), memorised(train[50:150], kept_back, train)
    assert fresh.ratio == pytest.approx(1, abs=0.05) and fresh.closer < 0.15
    assert (copied.ratio, copied.closer) == (0.0, 1.0) and not copied.distances.any()
    assert copied.nearest.tolist() == list(range(50, 150))
    near = np.clip(train[:100].astype(int) + rng.integers(-9, 10, (100, 8, 8)), 0, 255).astype(np.uint8)
    found = memorised(near, kept_back, train)
    assert found.ratio < 0.1 and found.nearest.tolist() == list(range(100))


def test_a_black_picture_is_near_to_every_digit_and_no_copy():
    train, kept_back = synthetic_digits(2000, 0)[0], synthetic_digits(300, 1)[0]
    black = memorised(np.zeros((10, 28, 28), np.uint8), kept_back, train)
    assert black.ratio < 0.95 and black.closer == 0
    noise = memorised(np.random.default_rng(0).integers(0, 256, (10, 28, 28), np.uint8), kept_back, train)
    assert noise.ratio > 1.5 and noise.closer == 0


def test_the_training_set_may_be_read_by_slices():
    rows = np.random.default_rng(0).normal(size=(700, 3))

    class OnDisk:
        shape = rows.shape

        def __len__(self):
            return 700

        def __getitem__(self, index):
            assert isinstance(index, slice)
            return rows[index]

    index, distances = nearest(rows[650:], OnDisk())
    assert index.tolist() == list(range(650, 700)) and not distances.any()


def test_blocks_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(40, 3)), rng.normal(size=(30, 3))
    whole = precision_recall(a, b), density_coverage(a, b), two_samples(a, b), nearest(a, b)[0].tolist()
    monkeypatch.setattr(neighbours, "ROWS_AT_ONCE", 7)
    assert (precision_recall(a, b), density_coverage(a, b), two_samples(a, b), nearest(a, b)[0].tolist()) == whole


A, B = np.random.default_rng(0).normal(size=(2, 20, 2))
SAME = np.ones((20, 2))
BAD = np.where(np.arange(40).reshape(20, 2) == 7, np.nan, A)


@pytest.mark.parametrize("call, says", [
    (lambda: precision_recall(A[:3], B), "precision_recall: 3 samples are too few, as each needs 3 neighbours"),
    (lambda: density_coverage(A, B[:5]), "density_coverage: 5 real rows are too few, as each needs 5 neighbours"),
    (lambda: precision_recall(A, B, k=0), "precision_recall: k = 0 neighbours; give 1 or more"),
    (lambda: precision_recall(A, SAME), "precision_recall: each of the 20 real rows has 3 equals, .*give rows that di"),
    (lambda: density_coverage(A, SAME), "density_coverage: each of the 20 real rows has 5 equals"),
    (lambda: precision_recall(BAD, B), "precision_recall: NaN or infinity in 1 of 20 samples"),
    (lambda: density_coverage(A, BAD), "density_coverage: NaN or infinity in 1 of 20 real rows"),
    (lambda: two_samples(BAD, B), "two_samples: NaN or infinity"), (lambda: two_samples(A[:1], B), "1 samples are too"),
    (lambda: memorised(BAD, A, B), "nearest: NaN or infinity in 1 of 20 samples"),
    (lambda: memorised(A, B, BAD), "nearest: NaN or infinity in 1 of 20 training rows"),
    (lambda: memorised(A, B, B), "memorised: 20 of 20 real rows are in the training set; give rows that were kept"),
    (lambda: nearest(A, B[:, :1]), r"nearest: rows of shape \(20, 2\) and \(20, 1\); give"),
    (lambda: nearest(A, B[:0]), r"and \(0, 2\); give one or more of each"),
])
def test_a_refusal_says_which_set_why_and_what_to_give(call, says):
    with pytest.raises(MeasureError, match=says) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_samples_that_are_all_equal_have_a_figure_that_is_no_nan():
    assert precision_recall(SAME * 0, A) == neighbours.PrecisionRecall(1.0, 0.0)
    assert 0 < density_coverage(SAME * 0, A).coverage < 1
    assert two_samples(SAME, SAME).accuracy == 0.5
