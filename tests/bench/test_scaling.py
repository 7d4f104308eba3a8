"""bench.scaling fits what it says it fits."""

import json
import subprocess
import sys

import pytest

from bench import scaling


@pytest.mark.parametrize("power", [0.5, 1.0, 1.3])
def test_the_exponent_of_a_power_is_found_whatever_small_sizes_cost(power):
    extents = [10, 20, 40, 80, 160, 320]
    assert scaling.exponent(extents, [1e-3 * n ** power for n in extents]) == pytest.approx(power)
    slow_start = [5.0, 5.0, 5.0] + [n ** power for n in extents[3:]]
    assert scaling.exponent(extents, slow_start) == pytest.approx(power)


@pytest.mark.parametrize("name", scaling.CASES)
def test_each_case_is_a_step_of_the_size_that_it_says(name, monkeypatch):
    monkeypatch.setattr(scaling, "SECONDS", 0)
    row = scaling.measure(name, 1, sizes=(2, 3, 4, 6))
    assert row["sizes"] == [2, 3, 4, 6] and len(row["seconds"]) == 4 and min(row["seconds"]) > 0
    assert row["extents"] == ([4, 9, 16, 36] if name == "width" else [2, 3, 4, 6])


def test_the_command_keeps_its_figures_and_a_plot(tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    monkeypatch.setattr(scaling, "SECONDS", 0)
    monkeypatch.setattr(scaling, "CASES", {"chain": (scaling.chain, (2, 3, 4, 5))})
    monkeypatch.setattr(scaling, "with_threads", lambda name, rounds, threads: {"one": 2.0, "all": 1.0, "times": 2.0})
    scaling.main(["--rounds", "1", "--json", str(tmp_path / "new" / "s.json"), "--plot", str(tmp_path / "s.png")])
    row, = json.loads((tmp_path / "new" / "s.json").read_text())["cases"]
    assert row["case"] == "chain" and row["threads"]["times"] == 2
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")
    assert "exponent" in capsys.readouterr().out


def test_a_worker_answers_with_seconds():
    figures = scaling.with_threads("chain", 1, 1)
    assert figures["one"] > 0 and figures["all"] > 0 and figures["times"] == figures["one"] / figures["all"]


def test_a_number_below_one_is_refused():
    done = subprocess.run([sys.executable, "-m", "bench.scaling", "--rounds", "0"], capture_output=True, text=True)
    assert done.returncode == 2 and "are 1 or more" in done.stderr
