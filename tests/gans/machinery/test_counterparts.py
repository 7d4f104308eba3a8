"""Two sets without pairs: what is measured beside the truth, by pictures of which all is known."""

from types import SimpleNamespace

import numpy as np
import pytest

import minigrad as mg
from gans.machinery import counterparts, pairs
from gans.machinery.translate import described
from minigrad import nn

GIVEN = np.random.default_rng(0).integers(0, 128, (8, 8, 8, 3), np.uint8)
TRUTH = GIVEN.copy()
TRUTH[:, 2:4] += 100  # two rows of eight


@pytest.mark.parametrize("made, near, changed, rest", [
    (TRUTH, 0.0, 1.0, 0.0), (GIVEN, 100 / 255 / 4, 0.0, 0.0), (TRUTH + np.uint8(5), 5 / 255, 1.0, 5 / 255)])
def test_what_is_told_beside_the_truth(made, near, changed, rest):
    told = counterparts.beside_truth(GIVEN, made, TRUTH)
    assert told.near == pytest.approx(near, abs=1e-6) and told.unchanged == pytest.approx(100 / 255 / 4)
    assert (told.changed, told.rest) == (changed, pytest.approx(rest))
    assert told.control > 0.1


def test_more_than_half_of_the_way_counts_as_changed():
    made = GIVEN.copy()
    made[:4, 2:4] += 60
    made[4:, 2:4] += 40
    assert counterparts.beside_truth(GIVEN, made, TRUTH).changed == 0.5


class Times(nn.Module):
    """Multiplies by a number that is no parameter of note."""

    def __init__(self, factor):
        super().__init__()
        self.factor = nn.Parameter(mg.tensor(float(factor)))

    def forward(self, x):
        return x * self.factor


@pytest.mark.parametrize("fine", [1, 1000])
def test_noise_half_way_tells_what_is_hidden_in_the_last_bits(fine):
    there, back = (described(Times(f), (8, 8, 3), (8, 8, 3)) for f in (1 / fine, fine))
    clean, noisy = counterparts.hidden(there, back, GIVEN)
    assert clean == pytest.approx(0, abs=1e-6)
    assert noisy * 255 == pytest.approx(counterparts.NOISE * fine, rel=1e-3)


def test_batches_of_two_sets_do_not_go_together():
    run = SimpleNamespace(seed=1, args=SimpleNamespace(batch=4), batch_order=lambda *_: np.arange(4))
    sets = pairs.Pairs("two", "", GIVEN, TRUTH[:6], GIVEN, TRUTH)
    drawn = [counterparts.unpaired(run, step, sets)[1][1].tolist() for step in range(1, 41)]
    assert all(len(set(each)) == 4 for each in drawn) and len({str(each) for each in drawn}) > 30
    assert {k for each in drawn for k in each} == set(range(6))
    again = [counterparts.unpaired(run, step, sets)[1][1].tolist() for step in range(1, 41)]
    assert drawn == again
