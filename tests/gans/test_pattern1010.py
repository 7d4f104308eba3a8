"""The smallest GAN: it finds the pattern, on every seed, and says what it wrote."""

import csv
import json

import numpy as np
import pytest

from gans import pattern1010

ARTEFACTS = ["config.json", "log.jsonl", "metrics.csv", "losses.png", "training.gif"]


def test_1010_finds_the_pattern_and_says_what_it_wrote(there, capsys):
    assert pattern1010.demo(["--check", "--seeds", "1"]) == 0
    out = capsys.readouterr().out
    assert out.count("PASS") == 7 and "FAIL" not in out
    folder = there / "runs" / "pattern1010"
    for name in ARTEFACTS:
        assert (folder / name).stat().st_size > 100 and f"runs/pattern1010/{name}" in out
    assert "next: python -m gans.mnist" in out and list((folder / "samples").glob("*.png"))
    rows = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
    assert rows[-1]["step"] == "10000" and {"d_real", "d_fake", "g"} <= set(rows[0])
    assert json.loads((folder / "config.json").read_text())["seed"] == 1


def test_an_untrained_run_fails_its_check(there, capsys):
    assert pattern1010.demo(["--steps", "10", "--check", "--seeds", "1"]) == 1
    assert "FAIL G[0]" in capsys.readouterr().out


def test_the_check_trains_other_seeds_in_folders_of_their_own_and_a_second_one_uses_them(there, capsys):
    options = ["--steps", "10", "--check", "--seeds", "3"]
    assert pattern1010.demo(options) == 1
    first = capsys.readouterr().out
    assert "FAIL seeds 0 ==3" in first and "seed 2:" in first and "seed 3:" in first
    assert (there / "runs/pattern1010/seed-3/checkpoint").is_dir()
    assert pattern1010.demo(["--resume", *options]) == 1
    again = capsys.readouterr().out
    assert [line for line in first.splitlines() if line.startswith("FAIL")] == [
        line for line in again.splitlines() if line.startswith("FAIL")]


def test_four_bars_are_as_high_as_the_numbers():
    picture = pattern1010.picture(np.float32([[1.0, 0.5, 0.0, 0.25]]))
    assert picture.shape == (144, 256) and picture.dtype == np.uint8
    heights = (picture[:, [40, 104, 168, 232]] == 230).sum(0)
    np.testing.assert_allclose(heights, [128, 64, 0, 32], atol=2)  # but for the two dotted lines
    assert pattern1010.picture(np.zeros((4, 4))).ndim == 2, "several stand side by side"


def test_real_patterns_are_a_function_of_the_seed_and_the_step():
    rows = pattern1010.real_patterns(5, 0, 2500)
    assert rows.shape == (2500, 4) and rows.dtype == np.float32
    np.testing.assert_array_equal(rows[990:1013], pattern1010.real_patterns(5, 990, 23))
    assert ((rows[:, ::2] >= 0.8) & (rows[:, ::2] <= 1)).all() and (rows[:, 1::2] <= 0.2).all()
    assert abs(rows[:, 0].mean() - 0.9) < 0.01 and (rows != pattern1010.real_patterns(6, 0, 2500)).all()


@pytest.mark.slow
def test_20_of_20_seeds_of_1010_and_a_longer_run(there, capsys):
    assert pattern1010.demo(["--check"]) == 0
    assert pattern1010.demo(["--check", "--steps", "20000", "--seeds", "20"]) == 0
