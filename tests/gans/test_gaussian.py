"""The bell curve: moments by hand, the variants' networks, a run that goes on, samples, and the figures."""

import numpy as np
import pytest
from PIL import Image

import gans
import minigrad as mg
from gans import gaussian
from gans.machinery import samples


def test_the_moments_are_those_of_a_plain_computation_and_of_a_bell_curve():
    x = np.random.default_rng(0).standard_normal((500, 1)) * 1.25 + 4
    mean, std, skewness, kurtosis = gaussian.moments(mg.tensor(x))[0].tolist()
    z = (x - x.mean()) / x.std()
    assert (mean, std) == pytest.approx((x.mean(), x.std())) and skewness == pytest.approx((z ** 3).mean())
    assert kurtosis == pytest.approx((z ** 4).mean() - 3)
    assert gaussian.moments(mg.tensor([[0.0], [2.0]])).tolist() == [[1.0, 1.0, 0.0, -2.0]]


@pytest.mark.parametrize("variant, makes, shown", [("batch", 1, 1), ("moments", 1, 4), ("row", 100, 100)])
def test_what_d_is_shown_differs(variant, makes, shown):
    G, D = gaussian.networks(variant)
    assert G(mg.zeros(3, *G.seed_shape)).shape == (3, makes) and D(mg.zeros(3, shown)).shape == (3, 1)
    assert gaussian.samples(G, 1, n=500).shape == (500,)


def test_it_writes_every_artefact_and_samples_are_drawn_as_a_histogram(there, capsys):
    assert gaussian.demo(["--steps", "60", "--check", "--seeds", "2"]) == 1
    out = capsys.readouterr().out
    assert "FAIL deviation" in out and "FAIL seeds 0 ==2" in out and "seed 2: mean" in out
    for name in ("config.json", "log.jsonl", "metrics.csv", "losses.png", "training.gif"):
        assert (there / "runs/gaussian" / name).stat().st_size > 100
    G = gans.load("runs/gaussian")
    assert G(mg.zeros(5, *G.seed_shape)).shape == (5, 1)
    assert samples.main(["runs/gaussian", "--n", "100"]) == 0
    with Image.open(there / "runs/gaussian/sample.png") as picture:
        assert picture.mode == "RGB"
    samples.main(["runs/gaussian", "--n", "100", "--out", "a.npy"])
    assert np.load("a.npy").shape == (100, 1)


@pytest.mark.slow  # reliability/test_demos.py stops and kills a shorter one
@pytest.mark.parametrize("variant", gaussian.STEPS)
def test_a_run_that_is_resumed_is_the_same_to_the_bit(there, ended, interrupted, variant):
    options = ["--variant", variant, "--steps", "10"]
    gaussian.demo([*options, "--out", "whole"])
    interrupted(gaussian.demo, [*options, "--out", "parts"], 4)
    gaussian.demo(["--resume", "parts"])
    assert ended("whole") == ended("parts")


def test_the_quick_form_passes(there):
    assert gaussian.demo(["--check", *gaussian.QUICK.split()]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["batch", "moments"])
def test_its_seeds_pass(there, variant):
    assert gaussian.demo(["--check", "--variant", variant]) == 0
