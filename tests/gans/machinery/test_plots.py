"""Plots and progress: captions that tell what a run did, lines in a pipe, a bar with losses on a terminal."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gans import pattern1010
from gans.machinery import plots, progress


def of(**losses):
    """Losses at steps 10, 20, ..."""
    return {name: (tuple(range(10, 10 * len(values) + 1, 10)), values) for name, values in losses.items()}


@pytest.mark.parametrize("d, g, says", [
    (0.5, 0.9, "At the end, step 200, D's losses hover at 0.50, below the ideal 0.693, and G's at 0.90, above it."),
    (0.9, 0.5, "At the end, step 200, D's losses hover at 0.90, above the ideal 0.693, and G's at 0.50, below it."),
    (0.6931, 0.692, "D's losses hover at 0.69, at the ideal 0.693, and G's at 0.69, at it.")])
def test_the_caption_tells_what_the_run_did(d, g, says):
    """The mean of the last tenth counts: what was before is another matter."""
    losses = of(d_real=[7.0] * 18 + [d - 0.1] * 2, d_fake=[7.0] * 18 + [d + 0.1] * 2, g=[7.0] * 18 + [g] * 2)
    assert says in plots.caption(losses, {"ln 2": np.log(2)})


def test_the_caption_of_other_losses_is_the_mean_of_each():
    assert plots.caption(of(energy=[2.0, 1.0], penalty=[0.25]), {}) == "At the end, step 20: energy 1, penalty 0.25."
    assert plots.caption(of(d_real=[1.0], d_fake=[2.0], g=[3.0]), {}) == (
        "At the end, step 10, D's losses hover at 1.50, and G's at 3.00.")


def test_a_plot_holds_losses_of_any_sign_that_come_every_few_steps(tmp_path):
    losses = {"d": ((1, 10, 20), (-5.0, -6.0, -7.0)), "penalty": ((4,), (2.0,)), "g": ((1, 10, 20), (0.0, 0.0, 0.0))}
    assert plots.plot_losses(tmp_path / "a.png", "title", losses, {"none": -1.0}).stat().st_size > 5000
    plots.plot_losses(tmp_path / "a.png", "title", {"g": ((1,), (0.0,))}, {})


def test_running_means_are_of_the_last_values():
    np.testing.assert_allclose(plots.running_mean([1, 2, 3, 4, 5], 3), [1, 1.5, 2, 3, 4])


# Progress


class Clock:
    """A clock that a test moves."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(progress.time, "perf_counter", lambda: self.now)


def test_in_a_pipe_a_line_tells_step_losses_speed_and_time_left_now_and_then(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    told = progress.Progress(1000, 12_000)
    for step in range(1000, 1100):
        if step % 10 == 0:
            told.note({"d": step / 1000, "g": 2.0})
        clock.now += 0.21
        told.update()
    told.close()
    assert capsys.readouterr().out.splitlines() == [
        "step 1,048 of 12,000, d 1.04 g 2, 4.76 steps/s, 38 min 20 s left",
        "step 1,096 of 12,000, d 1.09 g 2, 4.76 steps/s, 38 min 10 s left"]


def test_steps_that_are_rows_are_called_so(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    told = progress.Progress(0, 28, "row")
    clock.now += 20
    told.update()
    assert capsys.readouterr().out == "row 1 of 28, 0.05 rows/s, 9 min 0 s left\n"


def test_on_a_terminal_a_bar_shows_the_losses(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    told = progress.Progress(0, 10)
    for step in range(10):
        told.note({"d": step / 8, "g": 2.0})
        told.update()
    told.close()
    shown = terminal.getvalue()
    assert "10/10" in shown and "d=1.12" in shown and "g=2" in shown


def test_a_run_whose_output_is_a_file_tells_how_far_it_is(there):
    quick = "import gans.machinery.progress as p; p.SECONDS = 0; from gans import pattern1010; pattern1010.demo()"
    done = subprocess.run([sys.executable, "-c", quick, "--steps", "30"], cwd=there, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(Path(pattern1010.__file__).parents[1])})
    lines = re.findall(r"^step (\d+) of 30, d_real \S+ d_fake \S+ g \S+, \S+ steps/s, .* left$", done.stdout, re.M)
    assert lines == [str(step) for step in range(1, 31)] and not done.stderr


def test_what_takes_a_while_is_said_before_and_after(monkeypatch, capsys):
    clock = Clock(monkeypatch)
    with progress.telling("a classifier reads 10,000 samples"):
        assert capsys.readouterr().out == "a classifier reads 10,000 samples ...\n"
        clock.now += 75
    assert capsys.readouterr().out == "... which took 1 min 15 s\n"
