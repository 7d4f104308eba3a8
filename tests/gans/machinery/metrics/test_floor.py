"""The floor of a measure, which all of them share, and what is refused before anything is measured."""

import numpy as np
import pytest

from gans.machinery.metrics import MeasureError, beside_floor, frechet_distance
from gans.machinery.metrics.refusals import usable


@pytest.mark.parametrize("samples, real, used", [(4, 20, 4), (9, 13, 6), (1, 2, 1)])
@pytest.mark.parametrize("shape", [(), (16, 16), (3,)])
def test_the_floor_is_of_disjoint_sets_of_as_many(samples, real, used, shape):
    calls = []
    numbered = np.arange(real, dtype=np.uint8).reshape(-1, *[1] * len(shape)) * np.ones(shape, np.uint8)
    fakes = 100 + numbered[:1].repeat(samples, 0)
    found = beside_floor(lambda a, b: calls.append((a, b)), fakes, numbered, seed=5)
    (a, b), (c, d) = calls
    assert len(a) == len(b) == len(c) == used == found.n and (a == 100).all() and b is d
    assert len({*b.reshape(used, -1)[:, 0].tolist(), *c.reshape(used, -1)[:, 0].tolist()}) == 2 * used
    calls.clear()
    beside_floor(lambda a, b: calls.append((a, b)), fakes, numbered, seed=5)
    assert (calls[0][1] == b).all(), "a function of the seed"


def test_samples_as_good_as_real_ones_are_at_the_floor_and_it_falls_with_n():
    rng = np.random.default_rng(0)
    real, samples = rng.normal(size=(2, 8000, 16))
    floors = []
    for n in (250, 1000, 4000):
        found = beside_floor(frechet_distance, samples[:n], real)
        assert found.n == n and found.value == pytest.approx(found.floor, rel=0.35)
        floors.append(found.floor)
    assert floors[0] / floors[1] == pytest.approx(4, rel=0.4) and floors[1] / floors[2] == pytest.approx(4, rel=0.4)


def test_a_figure_is_said_with_its_floor_and_n():
    found = beside_floor(lambda a, b: float(abs(a.mean() - b.mean())), np.full((4, 1), 7.0), np.zeros((3000, 1)))
    assert str(found) == "7 (real beside real 0; n = 4)"


@pytest.mark.parametrize("samples, real", [(0, 20), (3, 1), (0, 0)])
def test_a_floor_without_enough_to_take_it_from_is_refused(samples, real):
    with pytest.raises(MeasureError, match=f"beside_floor: {samples} samples and {real} real ones; give a sample or "):
        beside_floor(frechet_distance, np.zeros((samples, 2)), np.zeros((real, 2)))


GOOD = np.ones((3, 2))


@pytest.mark.parametrize("samples, real, says", [
    (GOOD[0], GOOD, r"m: samples of shape \(2,\) and real ones of shape \(3, 2\); give rows of one width"),
    (GOOD, np.ones((3, 4)), r"of shape \(3, 4\); give rows of one width"),
    (np.ones((3, 0)), np.ones((3, 0)), r"of shape \(3, 0\); give rows"),
    (GOOD[:2], GOOD, "m: 2 samples are too few, as it must be so; give 3 or more"),
    (GOOD, GOOD[:0], "m: 0 real rows are too few, as it must be so; give 3 or more"),
    (GOOD, np.array([[0, np.nan], [1, 1], [np.inf, np.nan]]), "m: NaN or infinity in 2 of 3 real rows, so that"),
    (-np.inf * GOOD, GOOD, "m: NaN or infinity in 3 of 3 samples"),
])
def test_what_no_measure_can_use_is_refused_in_one_line(samples, real, says):
    with pytest.raises(MeasureError, match=says) as caught:
        usable("m", samples, real, 3, "it must be so")
    assert isinstance(caught.value, ValueError) and "\n" not in str(caught.value)
