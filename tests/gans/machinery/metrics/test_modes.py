"""Mode counts: by both rules, against loops and closed forms, refusals."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gans.machinery.metrics import MeasureError, mode_counts, modes_around, shares

RING = np.stack([np.cos(np.arange(8) * math.pi / 4), np.sin(np.arange(8) * math.pi / 4)], 1)


def around(centres, counts, sigma, seed=0):
    """So many points of a normal distribution about each centre."""
    chosen = np.repeat(centres, counts, 0)
    return chosen + np.random.default_rng(seed).normal(0, sigma, chosen.shape)


@settings(max_examples=50, deadline=None)
@given(labels=st.lists(st.integers(-1, 4), min_size=5, max_size=60),
       expected=st.lists(st.floats(0.05, 1), min_size=5, max_size=5))
def test_the_counts_are_those_of_loops(labels, expected):
    found, n, total = mode_counts(np.array(labels), expected), len(labels), sum(expected)
    known = [label for label in labels if label >= 0]
    counts = [labels.count(mode) for mode in range(5)]
    assert found.hit == len(set(known)) and found.high_quality == len(known) / n
    assert found.fair == sum(c >= 0.5 * n * (e / total) for c, e in zip(counts, expected))
    kl = sum(c / len(known) * math.log(c / len(known) / (e / total)) for c, e in zip(counts, expected) if c)
    assert found.kl == pytest.approx(kl, abs=1e-12) if known else found.kl == math.inf
    assert (found.modes, found.n) == (5, n)


def test_the_floor_of_the_divergence_is_what_perfect_samples_have():
    rng = np.random.default_rng(0)
    found = [mode_counts(rng.integers(0, 100, 2600), 100) for _ in range(50)]
    assert np.mean([each.kl for each in found]) == pytest.approx(found[0].floor, rel=0.05)
    assert found[0].floor == 99 / 5200


def test_one_hit_passes_a_collapse_that_the_fair_count_does_not():
    counts = [993] + [1] * 7
    found = modes_around(around(RING, counts, 0.001), RING, 0.01)
    assert (found.hit, found.fair, found.high_quality) == (8, 1, 1.0) and found.kl > 1.9


def test_a_ring_that_is_right_is_whole():
    found = modes_around(around(RING, [5000] * 8, 0.01), RING, 0.01)
    assert (found.hit, found.fair) == (8, 8) and found.kl < 1e-3
    assert found.high_quality == pytest.approx(1 - math.exp(-4.5), abs=0.002), "of a normal in the plane within 3 sigma"


def test_samples_between_the_modes_are_of_none():
    found = modes_around(RING * 0.5, RING, 0.02)
    assert (found.hit, found.fair, found.high_quality) == (0, 0, 0.0)
    assert found.kl == pytest.approx(0), "each counts for the nearest, and these are equally many"


def test_shares_add_up_to_one():
    assert shares(np.array([0, 2, 2, 2]), 4).tolist() == [0.25, 0, 0.75, 0]


ONE = np.zeros((9, 2))


@pytest.mark.parametrize("call, says", [
    (lambda: mode_counts(np.arange(3), 4), r"int64 labels of shape \(3,\) for 4 modes; give .* as many samples as"),
    (lambda: mode_counts(np.zeros(5), 2), r"float64 labels of shape \(5,\)"),
    (lambda: mode_counts(np.arange(5), 4), "labels from 0 to 4 for 4 modes; give 0 to 3, or -1 for none"),
    (lambda: mode_counts(np.arange(3) - 2, 2), "labels from -2 to 0"),
    (lambda: mode_counts(np.arange(2), [1.0, 0.0]), "expected shares from 0.0 on; give one above 0 for each mode"),
    (lambda: mode_counts(np.arange(2), [1.0, np.nan]), "expected shares from nan on"),
    (lambda: mode_counts(np.arange(2), 0), "labels .* for 0 modes"),
    (lambda: modes_around(ONE * np.nan, ONE, 1), "modes_around: NaN or infinity in 9 of 9 samples"),
    (lambda: modes_around(ONE[:0], ONE, 1), "modes_around: 0 samples are too few, as there is nothing to count"),
    (lambda: modes_around(ONE, ONE, 0), "modes_around: sigma 0; give the deviation"),
    (lambda: modes_around(ONE, ONE[:, :1], 1), "give rows of one width"),
])
def test_a_refusal_says_what_was_given_and_what_to_give(call, says):
    with pytest.raises(MeasureError, match=says) as caught:
        call()
    assert "\n" not in str(caught.value)
