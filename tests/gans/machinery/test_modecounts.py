"""Hills: where they are, how samples are counted by either rule, real samples of a run."""

from argparse import Namespace
from math import exp, log
from types import SimpleNamespace

import numpy as np
import pytest

from gans.machinery import modecounts
from gans.machinery.metrics import Modes, modes_around
from gans.machinery.modecounts import HILLS, hills


@pytest.mark.parametrize("data, n, share", [("ring", 8, 0.01), ("grid", 25, 0.05 / 2)])
def test_the_hills_are_pacgans_at_another_scale(data, n, share):
    centres, std = HILLS[data]
    nearest = np.sort(np.hypot(*(centres[:, None] - centres).T), axis=1)[:, 1]
    assert len(centres) == n and np.ptp(nearest) < 1e-12
    np.testing.assert_allclose(centres.std(0), 1)
    radius_or_step = np.hypot(*centres[0]) if data == "ring" else nearest[0]
    assert std / radius_or_step == pytest.approx(share), "0.01 of the radius; 0.05 where the grid's step is 2"


def test_true_samples_are_good_to_98_9_percent_and_equally_shared():
    centres, std = HILLS["grid"]
    rng = np.random.default_rng(0)
    x = centres[rng.integers(0, 25, 50_000)] + std * rng.standard_normal((50_000, 2))
    found = modes_around(x, centres, std)
    assert found.hit == found.fair == 25 and found.high_quality == pytest.approx(1 - exp(-4.5), abs=0.002)
    assert found.kl == pytest.approx(24 / 2 / 50_000, abs=3e-4), "what so many samples have by chance"


def test_both_rules_and_the_divergence_by_hand():
    centres, std = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), 0.1
    x = np.repeat([[0.0, 0.0], [1.0, 0.05], [0.05, 1.0], [0.6, 0.6]], [80, 12, 1, 7], axis=0)
    found = modes_around(x, centres, std)
    assert (found.hit, found.fair, found.high_quality) == (3, 1, 0.93), "a half of the fair share of 100 is 12.5"
    shares = np.array([0.8, 0.12, 0.01, 0.07])
    assert found.kl == pytest.approx((shares * np.log(4 * shares)).sum())
    assert modes_around(x[:4], centres, std).kl == pytest.approx(log(4)) and modes_around(x + 9, centres, std).hit == 0


def test_real_samples_are_a_function_of_seed_and_step_and_stand_in_packs():
    run = SimpleNamespace(seed=3, device="cpu", args=Namespace(data="ring", batch=60, pack=3))
    packs = hills(run, 7)
    assert packs.shape == (20, 6) and (packs == hills(run, 7)).all() and (packs != hills(run, 8)).any()
    run.args.pack = 1
    np.testing.assert_array_equal(hills(run, 7).numpy().reshape(20, 6), packs.numpy())
    distances = np.hypot(*(packs.numpy().reshape(60, 1, 2) - HILLS["ring"][0]).T).min(0)
    assert distances.max() < 5 * HILLS["ring"][1]


def test_a_short_run_is_asked_for_less():
    found = Modes(8, 8, 0.8, 0.02, 0.0, 8, 10_000)
    assert [passed for _, _, passed, _ in modecounts.figures(found, 8, long=True)] == [True, True, False, False]
    assert all(passed for _, _, passed, _ in modecounts.figures(found, 8, long=False))
