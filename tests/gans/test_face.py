"""The fully connected GAN of faces: the book's networks, what they take of memory, runs resumed to the bit."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from gans import face
from gans.machinery.memory import MIB
from minigrad import nn


@pytest.fixture(autouse=True)
def compared_with_few(monkeypatch):
    """A distance to few faces."""
    monkeypatch.setattr(face, "COMPARED", 20)


def shapes(network):
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


# The networks


def test_the_networks_are_the_books():
    G, D = face.networks((218, 178, 3))
    pixels = 218 * 178 * 3
    assert [type(layer).__name__ for layer in G] == ["Linear", "LeakyReLU", "LayerNorm", "Linear", "Sigmoid",
                                                     "Unflatten"]
    assert [type(layer).__name__ for layer in D] == ["Flatten", "Linear", "LeakyReLU", "LayerNorm", "Linear"]
    assert shapes(G) == {"0.weight": (300, 100), "0.bias": (300,), "2.weight": (300,), "2.bias": (300,),
                         "3.weight": (pixels, 300), "3.bias": (pixels,)}
    assert shapes(D) == {"1.weight": (100, pixels), "1.bias": (100,), "3.weight": (100,), "3.bias": (100,),
                         "4.weight": (1, 100), "4.bias": (1,)}
    assert all(layer.negative_slope == 0.02 for layer in [*G, *D] if isinstance(layer, nn.LeakyReLU))
    images = G(mg.randn(2, 100))
    assert images.shape == (2, 3, 218, 178) and 0 < images.min().item() and images.max().item() < 1
    assert D(images).shape == (2, 1)


def test_the_memory_that_a_run_reports_adds_up(there, capsys):
    face.demo(["--data", "synthetic-faces", "--size", "40", "--steps", "2", "--batch", "8", "--device", "cpu"])
    line = re.search(r"peak memory: (\d+) MiB of arrays on the host.*; (\d+) are parameters (\d+), their running "
                     r"average (\d+), Adam's state (\d+), a batch's activations (\d+), its faces (\d+)\.",
                     capsys.readouterr().out)
    peak, whole, parameters, average, state, activations, faces = map(int, line.groups())
    in_g, in_d = 100 * 300 + 3 * 300 + 301 * 4800, 100 * 4800 + 4 * 100 + 1
    assert parameters == round((in_g + in_d) * 4 / MIB) and average == round(in_g * 4 / MIB)
    assert state == round(2 * (in_g + in_d) * 4 / MIB) and faces == round(8 * 4800 * 4 / MIB)
    assert abs(whole - parameters - average - state - activations - faces) <= 2
    assert whole - parameters - 1 <= peak < 1.5 * whole, "what the networks take was there before"


# Runs


def pictures_of_ones_own(count=24):
    Path("pictures").mkdir()
    for k in range(count):
        Image.fromarray(np.random.default_rng(k).integers(0, 256, (30, 20 + k, 3), np.uint8)).save(f"pictures/{k}.png")


@pytest.mark.parametrize("data", ["synthetic-faces", "pictures"])
def test_a_run_writes_every_artefact_and_measures_itself(there, capsys, data):
    pictures_of_ones_own()
    options = ["--data", data, "--size", "20", "--steps", "4", "--batch", "8", "--samples", "30", "--check"]
    assert face.demo(options) in (0, 1)
    out = capsys.readouterr().out
    folder = Path("runs/face")
    for name in ("config.json", "metrics.csv", "losses.png", "training.gif", "samples.npy"):
        assert (folder / name).stat().st_size > 50 and f"runs/face/{name}" in out
    samples = np.load(folder / "samples.npy")
    assert samples.shape == (30, 20, 20, 3) and samples.dtype == np.uint8 and samples.std() > 0
    assert json.loads((folder / "config.json").read_text())["data"] == data
    assert sorted(path.name for path in (folder / "samples").glob("*.png"))[0] == "step-00000000.png", "as it begins"
    assert "samples to pictures that were kept back" in out and out.count("\nPASS") + out.count("\nFAIL") == 2


def test_check_passes_where_the_pictures_are_easy(there, capsys):
    """The acceptance in a quick form: one coloured pattern, more or less strong and bright."""
    rng = np.random.default_rng(0)
    pattern = np.kron(rng.integers(0, 2, (8, 8, 3)) - 0.5, np.ones((8, 8, 1)))
    Path("easy").mkdir()
    for k in range(160):
        image = 0.5 + rng.uniform(0.4, 0.8) * pattern + rng.uniform(-0.1, 0.1) + rng.normal(0, 0.05, pattern.shape)
        Image.fromarray((image.clip(0, 1) * 255).astype(np.uint8)).save(f"easy/{k}.png")
    options = ["--data", "easy", "--steps", "24", "--lr", "1e-3", "--average", "0.9", "--check"]
    assert face.demo(options) == 0, capsys.readouterr().out
    assert capsys.readouterr().out.count("\nPASS") == 2


def test_without_photographs_it_says_so_and_draws_faces(there, capsys):
    face.demo(["--size", "16", "--steps", "1", "--batch", "4"])
    out = capsys.readouterr().out
    assert "Using faces drawn by code, because photographs are not to be had." in out and "set MINIGRAD_DATA" in out
    data = json.loads(Path("runs/face/config.json").read_text())["data"]
    assert data == "synthetic-faces", "a resumed run keeps to it"


@pytest.mark.parametrize("options", [["--data", "synthetic-faces", "--penalty", "1"],
                                     ["--data", "pictures", "--limit", "20"]])
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(there, trained, ended, options):
    pictures_of_ones_own()
    options = [*options, "--size", "16", "--batch", "8"]
    trained(face.demo, [*options, "--steps", "13", "--out", "whole"])
    trained(face.demo, [*options, "--steps", "6", "--out", "parts"])
    trained(face.demo, ["--steps", "13", "--resume", "parts"])
    assert ended("whole") == ended("parts")
    with pytest.raises(SystemExit) as caught:
        face.demo(["--resume", "parts", "--replay-step", "13"])
    assert caught.value.code == 0


@pytest.mark.slow
def test_face_reaches_its_figures_on_real_faces(tmp_path, monkeypatch):
    if not os.environ.get("MINIGRAD_DATA"):
        pytest.skip("MINIGRAD_DATA is not set: the real faces are needed")
    monkeypatch.chdir(tmp_path)
    assert face.demo(["--check", "--data", "faces"]) == 0
