"""The comparison of captured steps: they do the same work, and the figures are what they are said to be."""

import json

import pytest

from bench import capture, steps


class Rehearsed:
    """In Peer's place: eager takes 4 seconds a turn, captured 1, JAX 2."""

    losses = {"eager": 0.5, "captured": 0.5, "jax": 0.5}

    def __init__(self, way, case, threads):
        self.way = way

    def ask(self, count):
        wall = {"eager": 4.0, "captured": 1.0, "jax": 2.0}[self.way]
        return {"wall": wall, "losses": [[self.losses[self.way]] * 3] * abs(count)}

    def close(self):
        """Nothing to end."""


def test_the_figures_are_how_many_times_as_fast_the_captured_step_is(monkeypatch):
    monkeypatch.setattr(capture, "Peer", Rehearsed)
    row = capture.compare("1010", 3, 2, capture.WAYS)
    assert (row["eager_ratio"], row["jax_ratio"]) == (4.0, 2.0)
    assert row["captured_ms"] == 1e3 / steps.CASES["1010"].steps and row["jax_ready_s"] == 2.0


@pytest.mark.parametrize("way, value, says", [("captured", 0.5000001, "the captured losses differ"),
                                              ("jax", 0.51, "the losses of jax differ")])
def test_nothing_is_timed_when_losses_differ(monkeypatch, way, value, says):
    monkeypatch.setattr(capture, "Peer", Rehearsed)
    monkeypatch.setattr(Rehearsed, "losses", {**Rehearsed.losses, way: value})
    with pytest.raises(SystemExit, match=f"1010: {says}"):
        capture.compare("1010", 3, 2, capture.WAYS)


def test_the_command_compares_then_times_and_keeps_its_figures(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(capture, "CASES", {"1010": steps.CASES["1010"]._replace(steps=8)})
    monkeypatch.setattr(capture.importlib.util, "find_spec", lambda name: None)
    capture.main(["--cases", "1010", "--rounds", "2", "--threads", "1", "--json", str(tmp_path / "capture.json")])
    row, = json.loads((tmp_path / "capture.json").read_text())["cases"]
    assert row["case"] == "1010" and 0 < row["eager_lowest"] <= row["eager_ratio"] <= row["eager_highest"]
    assert "JAX is not installed" in capsys.readouterr().out


def test_jaxs_step_gives_the_losses_of_the_case():
    pytest.importorskip("jax", reason="JAX is not installed: pip install jax")
    for case in ("1010", "mnist-batch-1"):
        here, there = (capture.ready(way, case) for way in ("eager", "jax"))
        for i in range(3):
            assert [float(x) for x in there(i)] == pytest.approx([float(x) for x in here(i)], rel=1e-3)
