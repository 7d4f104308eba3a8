"""Digits of the class that was asked for."""

import os

import numpy as np
import pytest

from gans import cgan
from gans.machinery import imagesets, judge, run
from minigrad.data.digits import synthetic_digits


@pytest.mark.parametrize("labels", ["concat", "projection"])
def test_cgan_writes_samples_with_their_labels_and_says_how_many_are_right(there, capsys, labels):
    assert cgan.demo(["--steps", "5", "--samples", "20", "--labels", labels, "--check"]) == 1
    out = capsys.readouterr().out
    assert "of the samples are read as the class that was asked for" in out and "FAIL read as asked" in out
    samples, asked = np.load("runs/cgan/samples.npy"), np.load("runs/cgan/labels.npy")
    assert samples.shape == (20, 28, 28) and samples.dtype == np.uint8 and asked.tolist() == [*range(10)] * 2


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))])
def test_cgan_learns_drawn_digits_of_the_class_that_was_asked_for(there, monkeypatch, seed):
    digits = {split: synthetic_digits(2000, seed) for seed, split in enumerate(("train", "test"))}
    monkeypatch.setattr(imagesets, "load_digits", lambda name, split="train", log=print: (*digits[split], "digits"))
    monkeypatch.setattr(judge, "EPOCHS", 8)  # few digits, so more often
    monkeypatch.setattr(run.Run, "picture_due", lambda *_: False)
    options = ["--steps", "900", "--labels", "projection", "--check"]
    assert cgan.demo([*options, "--seed", str(seed)]) == 0


@pytest.mark.slow
def test_cgan_reaches_its_figures_on_the_real_digits(tmp_path, monkeypatch):
    if not os.environ.get("MINIGRAD_DATA"):
        pytest.skip("MINIGRAD_DATA is not set: the real digits are needed")
    monkeypatch.chdir(tmp_path)
    assert cgan.demo(["--check", "--data", "mnist"]) == 0
