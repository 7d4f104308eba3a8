"""The comparison with PyTorch: both libraries do the same work, and the figures are what they are said to be."""

import importlib.util
import json
from functools import partial

import numpy as np
import pytest

import minigrad
from bench import peers, steps

SMALL = {
    "1010": steps.pattern1010,
    "mnist-batch-1": partial(steps.mnist_book, batch=1),
    "mnist-batch-64": partial(steps.mnist_book, batch=3),
    "mnist-steady-64": partial(steps.mnist_steady, batch=3),
    "face-mlp": partial(steps.face_mlp, batch=1, image=(6, 5, 3)),
    "face-mlp-16": partial(steps.face_mlp, batch=2, image=(6, 5, 3)),
    "mnist-conv": partial(steps.mnist_conv, batch=2),
    "dcgan-64": partial(steps.dcgan, ngf=4, ndf=4, batch=2),
    "dcgan-64-narrow": partial(steps.dcgan, ngf=2, ndf=2, batch=2),
    "wgan-gp-critic": partial(steps.wgan_critic, batch=2),
    "digit-cnn": partial(steps.digit_cnn, batch=2),
}


@pytest.mark.parametrize("case", [*SMALL, pytest.param("face-conv", marks=pytest.mark.slow)])
def test_a_case_gives_the_same_losses_in_both_libraries(case):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")
    here, there = (peers.start(library, SMALL.get(case, steps.CASES[case].make)) for library in (minigrad, torch))
    for i in range(2):
        np.testing.assert_allclose([loss.item() for loss in here(i)], [loss.item() for loss in there(i)], rtol=1e-3)


def test_the_command_compares_then_times_and_keeps_its_figures(monkeypatch, capsys, tmp_path):
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")
    monkeypatch.setattr(peers, "CASES", {"1010": steps.CASES["1010"]._replace(steps=8)})
    peers.main(["--cases", "1010", "--rounds", "2", "--threads", "1", "--json", str(tmp_path / "new" / "peers.json")])
    row, = json.loads((tmp_path / "new" / "peers.json").read_text())["cases"]
    assert row["case"] == "1010" and 0 < row["lowest"] <= row["ratio"] <= row["highest"]
    assert row["minigrad_peak_mib"] > row["minigrad_added_mib"] > 0 and row["torch_ms"] > 0
    lines = capsys.readouterr().out.splitlines()
    assert "compiled" in lines[0] and lines[2].startswith("1010 ")


class Rehearsed:
    """In Peer's place: minigrad takes 1, 2, 1 seconds for three turns, PyTorch 2 each."""

    loss = {"minigrad": 0.5, "torch": 0.5}
    asked = []

    def __init__(self, library, case, threads):
        self.library, self.turn = library, -3

    def ask(self, count):
        self.asked.append((self.library, count))
        self.turn += 1
        wall = 2.0 if self.library == "torch" or self.turn == 1 else 1.0
        return {"wall": wall, "cpu": 3 * wall, "losses": [[self.loss[self.library]] * 3] * count, "peak": 50.0,
                "imported": 30.0}

    def close(self):
        """Nothing to end."""


def test_the_figure_is_the_median_of_the_turns_ratios(monkeypatch):
    monkeypatch.setattr(peers, "Peer", Rehearsed)
    monkeypatch.setattr(Rehearsed, "asked", [])
    row = peers.compare("dcgan-64", 3, 2)
    assert Rehearsed.asked[:2] == [("minigrad", 2), ("torch", 2)]
    assert Rehearsed.asked[4:] == [("minigrad", 2), ("torch", 2)] * 3
    assert (row["ratio"], row["lowest"], row["highest"], row["cpu_ratio"]) == (2.0, 1.0, 2.0, 2.0)
    assert (row["minigrad_ms"], row["torch_ms"], row["torch_cpu_ms"]) == (500.0, 1000.0, 3000.0)
    assert (row["torch_peak_mib"], row["torch_added_mib"]) == (50.0, 20.0)


def test_nothing_is_timed_when_the_losses_differ(monkeypatch):
    monkeypatch.setattr(peers, "Peer", Rehearsed)
    monkeypatch.setattr(Rehearsed, "asked", [])
    monkeypatch.setattr(Rehearsed, "loss", {"minigrad": 0.5, "torch": 0.501})
    with pytest.raises(SystemExit, match="1010: the losses differ, so nothing is timed"):
        peers.compare("1010", 3, 2)
    assert len(Rehearsed.asked) == 2


def test_without_pytorch_one_line_says_so(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"^bench.peers compares with PyTorch.*pip install torch==2.13.0$"):
        peers.main([])
