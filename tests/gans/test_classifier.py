"""The ladder of a classifier: its rungs, its gains, and a run that goes on."""

import pytest

from gans import classifier


@pytest.mark.slow  # reliability/test_demos.py stops and kills a shorter one
def test_a_run_that_is_resumed_is_the_same_to_the_bit(there, ended, interrupted):
    options = ["--data", "synthetic", "--steps", "12"]
    classifier.demo([*options, "--out", "whole"])
    interrupted(classifier.demo, [*options, "--out", "parts"], 5)
    classifier.demo(["--resume", "parts"])
    assert ended("whole") == ended("parts")


def test_it_shows_the_data_and_the_ladder(there, capsys):
    classifier.demo(["--data", "synthetic", "--steps", "12"])
    out = capsys.readouterr().out
    for name in ("data.png", "ladder.png"):
        assert (there / "runs/classifier" / name).stat().st_size > 1000
    assert "convolutional" in out and "points" in out
