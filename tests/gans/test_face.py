"""The fully connected GAN of faces: the book's networks, what they take of memory, runs resumed to the bit."""

import gc
import json
import os
import re
import sys
import tracemalloc
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from gans import face
from gans.machinery import imagesets, replay, run
from gans.machinery.memory import MIB, Peak, size_of
from minigrad import checkpoint, cuda, nn, optim


@pytest.fixture
def there(tmp_path, monkeypatch):
    """A working folder with a cache of its own, few drawn faces, and a distance to few of them."""
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MINIGRAD_DATA", raising=False)
    monkeypatch.setattr(imagesets, "DRAWN", {"train": (0, 64), "test": (1, 20)})
    monkeypatch.setattr(face, "COMPARED", 20)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # most of the time of a run this short
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shapes(network):
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


# The networks


def test_the_networks_are_the_books():
    shape = (3, 218, 178)
    G, D = face.networks(shape)
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
    assert images.shape == (2, *shape) and 0 < images.min().item() and images.max().item() < 1
    assert D(images).shape == (2, 1)


def test_steepness_is_the_squared_gradient_of_a_linear_d():
    """For any reach, as a line is as steep nearby; and half of it where D is steep around half of the images only."""
    rng = np.random.default_rng(0)
    w = rng.standard_normal(6, np.float32)
    D = lambda x: (x.reshape(len(x), 6) * mg.tensor(w)).sum(1, keepdim=True) + 3
    n = 20_000
    real, directions = (mg.tensor(rng.standard_normal((n, 1, 2, 3), np.float32)) for _ in range(2))
    for reach in (0.01, 0.3, 2.0):
        found = face.steepness(D, real, D(real), directions, reach).item()
        assert found == pytest.approx((w**2).sum(), rel=0.05)  # the mean of n squares: 5 sigma are 5 (2 / n)**0.5
    half = lambda x: D(x) * mg.tensor((np.arange(n) % 2).astype(np.float32)[:, None])
    assert face.steepness(half, real, half(real), directions).item() == pytest.approx((w**2).sum() / 2, rel=0.06)
    assert face.steepness(lambda x: x.sum() * 0, real, 0.0, directions).item() == 0


# Memory


def test_the_peak_counts_what_was_there_at_once():
    peak = Peak()
    assert peak.host() < 0.1
    a, b = np.ones(MIB), np.ones(MIB // 2)  # 8 and 4 MiB
    assert 12 <= peak.host() < 12.1
    del a
    c = np.ones(MIB // 4)
    assert 12 <= peak.host() < 12.1, "freed and taken again: no more than before"
    d = np.ones(MIB)
    assert 14 <= peak.host() < 14.1
    later = Peak()
    assert later.host() < 0.1, "what was there before does not count"
    del b, c, d, later
    assert Peak().device() is None or cuda.is_available()


def test_counting_ends_with_the_peak_unless_someone_else_counts():
    gc.collect()  # a run that ended in an exception may still be there, with its own
    assert not tracemalloc.is_tracing()
    peak = Peak()
    assert tracemalloc.is_tracing()
    del peak
    gc.collect()
    assert not tracemalloc.is_tracing(), "it slows down what comes next"
    tracemalloc.start()
    try:
        Peak().host()
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()


def test_the_size_of_parts_is_that_of_their_arrays():
    net = nn.Sequential(nn.Linear(255, 1024), nn.BatchNorm1d(1024))  # with its bias 1 MiB, and 4 of 4 KiB, and 8 bytes
    optimiser = optim.Adam(net.parameters())
    assert size_of(net) == 1 + 4 / 256 + 8 / MIB
    assert size_of(optimiser) == 0 and size_of(optim.EMA(net)) == size_of(net)
    net(mg.randn(4, 255)).sum().backward()
    optimiser.step()
    assert 2 * (1 + 2 / 256) <= size_of(optimiser) < 2 * (1 + 2 / 256) + 0.001, "two moments of each parameter"
    assert size_of(net, optimiser, np.ones(MIB), mg.ones(MIB // 4)) == size_of(net) + size_of(optimiser) + 8 + 1
    assert size_of() == 0 and size_of({"a": {"b": np.ones(MIB)}, "c": 5}) == 8


def test_activations_are_what_the_layers_put_out():
    shape = (16, 16, 3)
    G, D = face.networks((3, 16, 16))
    values = 768 + 3 * 300 + 2 * 768 + 3 * 100 + 1  # real images; Linear, LeakyReLU, LayerNorm; Linear, Sigmoid; D
    assert face.activations(G, D, 8, shape) == pytest.approx(8 * values * 4 / MIB)


def test_the_memory_that_a_run_reports_adds_up(there, capsys):
    face.demo(["--data", "synthetic-faces", "--size", "40", "--steps", "2", "--batch", "8", "--device", "cpu"])
    line = re.search(r"peak memory: (\d+) MiB of arrays on the host.*; (\d+) are parameters (\d+), their running "
                     r"average (\d+), Adam's state (\d+), a batch's activations (\d+)\.", capsys.readouterr().out)
    peak, whole, parameters, average, state, activations = map(int, line.groups())
    in_g, in_d = 100 * 300 + 3 * 300 + 301 * 4800, 100 * 4800 + 4 * 100 + 1
    assert parameters == round((in_g + in_d) * 4 / MIB) and average == round(in_g * 4 / MIB)
    assert state == round(2 * (in_g + in_d) * 4 / MIB) and abs(whole - parameters - average - state - activations) <= 2
    assert whole - parameters - 1 <= peak < 1.5 * whole, "what the networks take was there before"


# Runs


def ended(folder):
    """(SHA-256 of all that was trained, metrics.csv) of a finished run."""
    parts = checkpoint.load(Path(folder, "checkpoint")).state["parts"]
    return replay.digest(parts), Path(folder, "metrics.csv").read_text()


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
    options = ["--data", "easy", "--steps", "40", "--lr", "1e-3", "--average", "0.9", "--check"]
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
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(there, monkeypatch, options):
    pictures_of_ones_own()
    monkeypatch.setattr(run.Run, "finish", lambda *_: sys.exit())
    monkeypatch.setattr(run.Run, "picture_due", lambda *_: False)
    options = [*options, "--size", "16", "--batch", "8"]
    for command in ([*options, "--steps", "13", "--out", "whole"], [*options, "--steps", "6", "--out", "parts"],
                    ["--steps", "13", "--resume", "parts"]):
        with pytest.raises(SystemExit):
            face.demo(command)
    assert ended("whole") == ended("parts")
    with pytest.raises(SystemExit) as caught:
        face.demo(["--resume", "parts", "--replay-step", "13"])
    assert caught.value.code == 0


def test_samples_do_not_depend_on_how_many_there_are(there):
    G, _ = face.networks((3, 16, 16))
    asked = SimpleNamespace(args=SimpleNamespace(batch=8), seed=1, device=mg.device("cpu"))
    asked.noise = run.Run.noise.__get__(asked)
    np.testing.assert_array_equal(face.generate(asked, G, 30)[:13], face.generate(asked, G, 13))


@pytest.mark.slow
def test_face_reaches_its_figures_on_real_faces(tmp_path, monkeypatch):
    if not os.environ.get("MINIGRAD_DATA"):
        pytest.skip("MINIGRAD_DATA is not set: the real faces are needed")
    monkeypatch.chdir(tmp_path)
    assert face.demo(["--check", "--data", "faces"]) == 0
