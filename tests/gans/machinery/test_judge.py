"""The classifier that judges samples: how well it reads, what it says, the numbers that it leaves alone."""

import numpy as np
import pytest

import minigrad as mg
from gans.machinery import judge
from gans.machinery.metrics import frechet_distance
from minigrad.data.digits import synthetic_digits


def test_collapse_is_told_in_plain_words():
    collapsed = judge.Verdict(0.95, np.array([0.9, 0.1] + [0.0] * 8), 0.5).words()
    assert "mode collapse: 90% of all samples are 0" in collapsed[-1] and "2, 3, 4, 5, 6, 7, 8, 9" in collapsed[-1]
    assert "No mode has collapsed" in judge.Verdict(0.9, np.full(10, 0.1), 0.05).words()[-1]


def test_the_frechet_distance_of_gaussians_is_the_known_one():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(200_000, 2)) * [1.0, 2.0]
    b = rng.normal(size=(200_000, 2)) * [3.0, 1.0] + [1.0, 0.0]
    assert frechet_distance(a, b) == pytest.approx(1 + (1 - 3) ** 2 + (2 - 1) ** 2, rel=0.02)


def test_a_judge_reads_drawn_digits_and_its_verdict_counts_them(monkeypatch):
    monkeypatch.setattr(judge, "EPOCHS", 8)
    images, labels = synthetic_digits(3000, 0)
    others, their_labels = synthetic_digits(1000, 1)
    reader = judge.train_judge(images, labels)
    found = judge.verdict(reader, others, synthetic_digits(1000, 2)[0])
    assert (found.read == their_labels).mean() > 0.9 and found.distance < 0.05 and found.confidence > 0.85
    np.testing.assert_allclose(found.shares, np.bincount(found.read, minlength=10) / 1000)


def test_the_middle_of_a_framed_digit_is_the_digit():
    images = synthetic_digits(5, 0)[0]
    framed = np.pad(images, ((0, 0), (2, 2), (2, 2)))
    np.testing.assert_array_equal(judge.middle(framed), images)
    np.testing.assert_array_equal(judge.middle(images), images)


def test_training_the_judge_leaves_the_random_numbers_of_a_run_alone(monkeypatch):
    monkeypatch.setattr("gans.machinery.judge.EPOCHS", 1)
    mg.manual_seed(7)
    before = mg.get_rng_state()
    judge.train_judge(np.zeros((256, 28, 28), np.uint8), np.arange(256) % 10)
    assert mg.initial_seed() == 7 and str(mg.get_rng_state()) == str(before)
