"""--capture: the same training, to the bit, whether a run, its resume or its replay is captured; and it says so."""

import importlib
import re
from pathlib import Path

import pytest

import gans
from gans import mnist, pattern1010
from gans.__main__ import CHAPTERS
from minigrad.errors import MinigradError

WATCHED = 3  # of 120 steps: the first, the 50th, the 100th


@pytest.mark.parametrize("demo, options", [(pattern1010, []), (mnist, ["--batch", "8"]),
                                           (mnist, ["--batch", "8", "--recipe", "book"])])
def test_a_captured_run_is_the_run_to_the_last_bit(there, trained, ended, demo, options):
    for name, capture in (("eager", []), ("captured", ["--capture"])):
        trained(demo.demo, [*options, "--steps", "60", "--out", name, *capture])
    assert ended("eager")[0] == ended("captured")[0]
    assert without_times(ended("eager")[1]) == without_times(ended("captured")[1])


def without_times(table):
    """metrics.csv without what the machine did."""
    names, *rows = (line.split(",") for line in table.splitlines())
    kept = [i for i, name in enumerate(names) if not name.startswith("machine")]
    return [[row[i] for i in kept] for row in rows]


def test_resumes_and_replays_are_exact_from_captured_to_not_and_back(there, trained, ended, capsys):
    trained(pattern1010.demo, ["--steps", "120", "--out", "whole"])
    trained(pattern1010.demo, ["--steps", "40", "--out", "parts", "--capture"])
    trained(pattern1010.demo, ["--resume", "parts", "--steps", "80"])
    trained(pattern1010.demo, ["--resume", "parts", "--steps", "120", "--capture"])
    assert ended("parts")[0] == ended("whole")[0]
    assert without_times(ended("parts")[1]) == without_times(ended("whole")[1])
    for capture in ([], ["--capture"]):
        capsys.readouterr()
        with pytest.raises(SystemExit) as replayed:
            pattern1010.demo(["--resume", "parts", "--replay-step", "120", *capture])
        assert replayed.value.code == 0 and "equal to the last bit" in capsys.readouterr().out


def test_it_says_how_many_steps_were_replays(there, capsys):
    pattern1010.demo(["--steps", "120", "--capture"])
    said = int(re.search(r"120 steps in .*, (\d+) replays", capsys.readouterr().out)[1])
    assert said == 120 - WATCHED - 4


def test_beside_anomaly_it_is_refused_in_one_line(there):
    with pytest.raises(MinigradError, match="--capture: .* no ops for --anomaly to look at; leave one of them away"):
        pattern1010.demo(["--capture", "--anomaly"])


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_chapter_captures_its_updates_or_says_in_one_line_why_not(there, name):
    source, chapter = (Path(gans.__file__).parent / f"{name}.py").read_text(), importlib.import_module(f"gans.{name}")
    if "run.captured" in source:
        assert "capture=True" in source
        return
    with pytest.raises(MinigradError, match="--capture: this chapter's steps cannot be captured, .*; leave it away$"):
        chapter.demo(["--capture", "--steps", "1"])


def test_it_engages_in_a_chapter_of_several_functions(there, trained, ended, capsys):
    from gans import gaussian

    for name, capture in (("eager", []), ("captured", ["--capture"])):
        trained(gaussian.demo, ["--steps", "12", "--out", name, *capture])
    assert ended("eager")[0] == ended("captured")[0]


@pytest.mark.slow
def test_a_thousand_captured_steps_of_every_demo_are_the_steps_themselves():
    from tests.capture.__main__ import DEMOS, demos

    assert demos(DEMOS, 1000) == 0
