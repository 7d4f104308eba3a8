"""Ideal losses: closed forms that the chapter computes are those of other ways to compute them; a run that goes on."""

from math import log

import numpy as np
import pytest

import minigrad as mg
from gans import ideal
from gans.machinery import bells
from minigrad.nn import functional as F


@pytest.mark.parametrize("loss, height", [(F.mse_loss, 0.25), (F.binary_cross_entropy, log(2)),
                                          (lambda a, t: ((a - t) ** 4).mean(), 1 / 16)])
def test_the_best_answer_to_all_is_a_half(loss, height):
    assert ideal.best_answer(loss) == pytest.approx((0.5, height, height), abs=1e-9)


def test_what_a_bell_is_fitted_by_is_the_likelihood_and_the_jensen_shannon_divergence():
    """At a grid, per step: -E_p ln q, and 2 JSD."""
    x, step = ideal.X, ideal.X[1] - ideal.X[0]
    log_p, log_q = bells.mixture(x, ideal.HILLS), bells.log_density(x, 1.0, 2.0)
    rows = mg.tensor(np.stack([log_p, log_q]))
    found = ideal.divergence(mg.tensor(log_p), rows) * step
    assert found.tolist() == pytest.approx([0, 2 * bells.jensen_shannon(log_p, log_q, x)], abs=1e-9)
    likelihood = ideal.MEASURES["likelihood"](mg.tensor(log_p), rows)[1].item() * step
    means, stds = np.transpose(ideal.HILLS)  # E_p (x - 1)^2 of the hills, in closed form
    by_hand = 0.5 * np.mean(stds ** 2 + (means - 1) ** 2) / 4 + log(2 * (2 * np.pi) ** 0.5)
    assert likelihood == pytest.approx(by_hand, rel=1e-9)


def test_the_quick_form_passes_and_says_what_it_wrote(there, capsys):
    assert ideal.demo(["--check", *ideal.QUICK.split()]) == 0
    out = capsys.readouterr().out
    assert out.count("PASS") == 19 and "0.6931472" in out and "-1.386294" in out
    for name in ("metrics.csv", "losses.png", "training.gif"):
        assert (there / "runs/ideal" / name).stat().st_size > 100 and f"runs/ideal/{name}" in out


def test_a_d_that_has_hardly_learnt_fails(there, capsys):
    assert ideal.demo(["--check", "--steps", "12"]) == 1
    assert "FAIL cross-entropy: trained D" in capsys.readouterr().out


@pytest.mark.slow  # reliability/test_demos.py stops and kills a shorter one
def test_a_run_that_is_resumed_is_the_same_to_the_bit(there, ended, interrupted):
    options = ["--steps", "10", "--batch", "64"]
    ideal.demo([*options, "--out", "whole"])
    interrupted(ideal.demo, [*options, "--out", "parts"], 4)
    ideal.demo(["--resume", "parts"])
    assert ended("whole") == ended("parts")
