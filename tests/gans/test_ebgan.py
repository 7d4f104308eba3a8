"""Energies: both arguments, codes that are pulled away, the margin, and a run that goes on."""

import numpy as np
import pytest

import minigrad as mg
from gans import ebgan
from gans.machinery.losses import energy, energy_based, pull_away


def test_the_slope_of_an_energy_goes_through_both_of_its_arguments():
    mg.manual_seed(0)
    whole, half = ebgan.both_arguments()
    assert whole < 1e-6 < 0.1 < half


def test_an_energy_is_a_squared_distance():
    assert energy(mg.tensor([[1.0, 2.0], [0.0, 0.0]]), mg.tensor([[4.0, 6.0], [0.0, 1.0]])).tolist() == [25.0, 1.0]


def test_pull_away_is_0_for_orthogonal_codes_and_1_for_equal_ones_at_any_length():
    assert pull_away(mg.eye(4) * mg.tensor([[1.0], [2.0], [3.0], [4.0]])).item() == pytest.approx(0.0, abs=1e-6)
    assert pull_away(mg.tensor([[1.0, 2.0]] * 3) * mg.tensor([[1.0], [-2.0], [3.0]])).item() == pytest.approx(1.0)
    codes = np.random.default_rng(0).standard_normal((5, 3))
    cosines = [(a @ b) ** 2 / (a @ a) / (b @ b) for i, a in enumerate(codes) for j, b in enumerate(codes) if i != j]
    assert pull_away(mg.tensor(codes)).item() == pytest.approx(np.mean(cosines))


def test_fakes_beyond_the_margin_count_for_nothing():
    real, fake = energy_based(10.0).d(mg.tensor([1.0, 3.0]), mg.tensor([4.0, 12.0]))
    assert (real.item(), fake.item()) == (2.0, 3.0)


@pytest.mark.slow  # reliability/test_demos.py stops and kills a shorter one
def test_a_run_that_is_resumed_is_the_same_to_the_bit(there, ended, interrupted):
    options = ["--data", "synthetic", "--steps", "6", "--batch", "8"]
    ebgan.demo([*options, "--out", "whole"])
    interrupted(ebgan.demo, [*options, "--out", "parts"], 3)
    ebgan.demo(["--resume", "parts"])
    assert ended("whole") == ended("parts")
