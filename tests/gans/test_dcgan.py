"""DCGAN: the paper's networks and what each option makes of them, runs on every kind of data, resumed to the bit."""

import csv
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from gans import dcgan
from gans.machinery import imagesets, judge, replay, run
from minigrad import checkpoint, nn
from minigrad.data.digits import synthetic_digits
from minigrad.data.hdf5 import create_layout, read_layout

PAPER = {"width": 2, "upsample": "strided", "downsample": "strided", "norm": "batch", "hidden": None,
         "activation": "paper", "output": "tanh", "init": "normal"}
CHOICES = {"upsample": ["strided", "resize"], "downsample": ["strided", "pool"], "output": ["tanh", "sigmoid"],
           "norm": ["batch", "none", "everywhere"], "hidden": [None, 5], "init": ["normal", "default"],
           "activation": ["paper", *dcgan.ACTIVATIONS]}
DOUBLINGS = {16: 2, 28: 3, 32: 3, 56: 4, 64: 4, 112: 5, 128: 5}


@pytest.fixture
def there(tmp_path, monkeypatch):
    """A working folder with a cache of its own, few drawn digits and faces, and a judge that learns for one epoch."""
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MINIGRAD_DATA", raising=False)
    monkeypatch.setattr(imagesets, "DRAWN", {"train": (0, 64), "test": (1, 20)})
    digits = {split: synthetic_digits(640, seed) for seed, split in enumerate(("train", "test"))}
    monkeypatch.setattr(imagesets, "load_digits",
                        lambda name, split="train", log=print: (*digits[split], "640 drawn digits"))
    monkeypatch.setattr(judge, "EPOCHS", 1)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # most of the time of a run this short
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(size=64, channels=3, **options):
    """(G, D) of a size, by the paper but for these options."""
    return dcgan.networks(SimpleNamespace(**PAPER | options), size, channels)


def count(network, kind):
    return sum(isinstance(layer, kind) for layer in network)


def shapes(network):
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


# The networks


@pytest.mark.parametrize("size", dcgan.SIZES)
def test_every_size_grows_from_4_pixels_by_doubling_or_to_7(size):
    sides = dcgan.stages(size)
    assert sides[0] == 4 and sides[-1] == size and len(sides) == DOUBLINGS[size] + 1
    assert all(after == 2 * before or (before, after) == (4, 7) for before, after in zip(sides, sides[1:]))
    G, D = made(size)
    images = G(mg.zeros(2, 100, 1, 1))
    assert images.shape == (2, 3, size, size) and D(images).shape == (2, 1, 1, 1)


@settings(max_examples=25, deadline=None, database=None, derandomize=True)
@given(options=st.fixed_dictionaries({name: st.sampled_from(values) for name, values in CHOICES.items()}),
       size=st.sampled_from([16, 28, 32, 64]), channels=st.sampled_from([1, 3]))
def test_any_options_together_make_images_of_the_size_and_a_logit_for_each(options, size, channels):
    G, D = made(size, channels, **options)
    images = G(mg.randn(2, 100, 1, 1))
    assert images.shape == (2, channels, size, size)
    low = -1 if options["output"] == "tanh" else 0
    assert low <= images.min().item() and images.max().item() <= 1
    answers = D(images)
    assert answers.shape == (2, 1, 1, 1)
    answers.sum().backward()
    assert all(p.grad is not None and np.isfinite(p.grad.numpy()).all() for net in (G, D) for p in net.parameters())
    for net in (G, D):  # a bias is where no normalisation takes it away again
        layers = [layer for layer in net if not isinstance(layer, nn.MaxPool2d)]
        for layer, following in zip(layers, layers[1:]):
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                assert (layer.bias is None) == isinstance(following, nn.BatchNorm2d)


@pytest.mark.parametrize("size", [28, 64])
def test_the_papers_networks_are_the_default(size):
    G, D = made(size)
    n = DOUBLINGS[size]
    assert [type(layer).__name__ for layer in G] == (
        ["ConvTranspose2d", "BatchNorm2d", "ReLU"] * n + ["ConvTranspose2d", "Tanh"])
    assert [type(layer).__name__ for layer in D] == (
        ["Conv2d", "LeakyReLU"] + ["Conv2d", "BatchNorm2d", "LeakyReLU"] * (n - 1) + ["Conv2d"])
    assert all(layer.negative_slope == 0.2 for layer in D if isinstance(layer, nn.LeakyReLU))


@pytest.mark.parametrize("size", [28, 64])
def test_each_guideline_can_be_broken(size):
    n = DOUBLINGS[size]
    G, _ = made(size, upsample="resize")
    assert count(G, nn.Upsample) == n and count(G, nn.ConvTranspose2d) == 1 and count(G, nn.Conv2d) == n
    _, D = made(size, downsample="pool")
    assert count(D, nn.MaxPool2d) == n and {layer.stride for layer in D if isinstance(layer, nn.Conv2d)} == {(1, 1)}
    for norm, in_g, in_d in (("batch", n, n - 1), ("none", 0, 0), ("everywhere", n + 1, n)):
        G, D = made(size, norm=norm)
        assert (count(G, nn.BatchNorm2d), count(D, nn.BatchNorm2d)) == (in_g, in_d)
    G, D = made(size, norm="everywhere")
    assert isinstance(G[-2], nn.BatchNorm2d) and isinstance(D[1], nn.BatchNorm2d), "at G's output and D's input"
    G, D = made(size, hidden=5)
    assert [layer.out_features for layer in [*G, *D] if isinstance(layer, nn.Linear)] == [5, 5, 1]
    for name, kind in (("relu", nn.ReLU), ("leaky_relu", nn.LeakyReLU), ("gelu", nn.GELU), ("elu", nn.ELU)):
        G, D = made(size, activation=name)
        assert count(G, kind) == n and count(D, kind) == n
    assert isinstance(made(size, output="sigmoid")[0][-1], nn.Sigmoid)


def test_weights_begin_as_the_paper_says():
    mg.manual_seed(0)
    G, D = made(32, width=32, hidden=200)
    for layer in [*G, *D]:
        if [*layer.parameters()]:
            w, mean = layer.weight.detach().numpy(), isinstance(layer, nn.BatchNorm2d)
            assert abs(w.mean() - mean) < 5 * 0.02 / w.size**0.5 and abs(w.std() - 0.02) < 5 * 0.02 / (2 * w.size)**0.5
            assert not mean or not layer.bias.detach().numpy().any()
    G, D = made(32, width=32, init="default")
    assert all((layer.weight.detach().numpy() == 1).all() for layer in [*G, *D] if isinstance(layer, nn.BatchNorm2d))
    last = D[-1].weight.detach().numpy()
    bound = 1 / last.size**0.5  # PyTorch's: uniform, by the number of inputs
    assert bound * 0.9 < abs(last).max() <= bound


def test_the_networks_are_those_of_pytorchs_example():
    """Its width is 64; it has no biases. With ours at 0 and the same weights, it makes the same images and answers."""
    torch = pytest.importorskip("torch", reason="needs PyTorch (pip install minigrad[peers])")
    wide, layers = 64, []
    for a, b, stride, padding in ((100, 512, 1, 0), (512, 256, 2, 1), (256, 128, 2, 1), (128, 64, 2, 1)):
        layers += [torch.nn.ConvTranspose2d(a, b, 4, stride, padding, bias=False), torch.nn.BatchNorm2d(b),
                   torch.nn.ReLU(True)]
    theirs_g = torch.nn.Sequential(*layers, torch.nn.ConvTranspose2d(wide, 3, 4, 2, 1, bias=False), torch.nn.Tanh())
    layers = [torch.nn.Conv2d(3, wide, 4, 2, 1, bias=False), torch.nn.LeakyReLU(0.2, inplace=True)]
    for a, b in ((64, 128), (128, 256), (256, 512)):
        layers += [torch.nn.Conv2d(a, b, 4, 2, 1, bias=False), torch.nn.BatchNorm2d(b),
                   torch.nn.LeakyReLU(0.2, inplace=True)]
    theirs_d = torch.nn.Sequential(*layers, torch.nn.Conv2d(512, 1, 4, 1, 0, bias=False), torch.nn.Sigmoid())

    G, D = made(64, width=wide)
    for ours, theirs, ours_alone in ((G, theirs_g, {"12.bias"}), (D, theirs_d, {"0.bias", "11.bias"})):
        assert {k: v for k, v in shapes(ours).items() if k not in ours_alone} == shapes(theirs)
        assert ours_alone < set(shapes(ours))
        state = ours.state_dict()
        for name in ours_alone:
            state[name].zero_()
        theirs.load_state_dict({k: torch.tensor(state[k].numpy()) for k in theirs.state_dict()})
    seeds = np.random.default_rng(0).standard_normal((2, 100, 1, 1), np.float32)
    with mg.no_grad(), torch.no_grad():
        images, expected = G(mg.tensor(seeds)), theirs_g(torch.tensor(seeds))
        np.testing.assert_allclose(images.numpy(), expected.numpy(), atol=1e-5)
        np.testing.assert_allclose(D(images).sigmoid().numpy(), theirs_d(expected).numpy(), atol=1e-5)


# Runs


def own_set(shape=(44, 32, 32, 1), name="own.h5"):
    """An HDF5 image set of one's own."""
    create_layout(name, shape, [f"{k}.png" for k in range(shape[0])], {}, {})
    layout, content = read_layout(name), bytearray(Path(name).read_bytes())
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    content[layout.start:layout.start + pixels.size] = pixels.tobytes()
    content[layout.mark:layout.mark + 8] = shape[0].to_bytes(8, "little")
    Path(name).write_bytes(content)


def ended(folder):
    """(SHA-256 of all that was trained, metrics.csv) of a finished run."""
    parts = checkpoint.load(Path(folder, "checkpoint")).state["parts"]
    return replay.digest(parts), Path(folder, "metrics.csv").read_text()


DATA = [  # options, shape of a sample, what it says of it, PASS and FAIL lines
    (["--data", "synthetic"], (28, 28), "A classifier is", 4),
    (["--data", "synthetic", "--size", "32", "--output", "sigmoid"], (32, 32), "A classifier is", 4),
    (["--data", "synthetic-faces", "--size", "16"], (16, 16, 3), "distance of 20 samples to pictures that were", 1),
    (["--data", "own.h5"], (32, 32), "distance of 4 samples to pictures that were kept back", 1)]


@pytest.mark.parametrize("options, shape, words, checks", DATA, ids=[" ".join(options) for options, *_ in DATA])
def test_a_run_writes_every_artefact_and_measures_itself(there, capsys, options, shape, words, checks):
    own_set()
    options = [*options, "--steps", "3", "--batch", "8", "--width", "2", "--samples", "30", "--check", "--seed", "5"]
    assert dcgan.demo(options) in (0, 1)
    out = capsys.readouterr().out
    folder = Path("runs/dcgan")
    for name in ("config.json", "metrics.csv", "losses.png", "training.gif", "samples.npy"):
        assert (folder / name).stat().st_size > 50 and f"runs/dcgan/{name}" in out
    samples = np.load(folder / "samples.npy")
    assert samples.shape == (30, *shape) and samples.dtype == np.uint8
    rows = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
    assert [row["step"] for row in rows] == ["1"] and {"d_real", "d_fake", "g"} < set(rows[0])
    config = json.loads((folder / "config.json").read_text())
    assert (config["data"], config["size"], config["seed"]) == (options[1], shape[0], 5)
    assert words in out and out.count("\nPASS") + out.count("\nFAIL") == checks and "next: python -m gans." in out
    assert f"images of {shape[0]}x{shape[0]}" in out and len(list((folder / "samples").glob("*.png"))) == 3


def trained(options, monkeypatch):
    """Run the demo until it has been trained, without pictures."""
    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(run.Run, "finish", lambda *_: sys.exit())
        patch.setattr(run.Run, "picture_due", lambda *_: False)
        dcgan.demo(options)


@pytest.mark.parametrize("options", [["--data", "synthetic"], ["--data", "synthetic-faces", "--size", "16", "--paper"],
                                     ["--data", "own.h5", "--norm", "everywhere", "--upsample", "resize"]])
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(there, monkeypatch, options):
    own_set()
    options = [*options, "--width", "2", "--batch", "8"]
    trained([*options, "--steps", "13", "--out", "whole"], monkeypatch)
    trained([*options, "--steps", "6", "--out", "parts"], monkeypatch)
    trained(["--steps", "13", "--resume", "parts"], monkeypatch)
    assert ended("whole") == ended("parts")
    with pytest.raises(SystemExit) as caught:
        dcgan.demo(["--resume", "parts", "--replay-step", "13"])
    assert caught.value.code == 0


def test_the_recipe_is_the_datas_the_papers_or_ones_own(there, monkeypatch):
    class Begun(Exception):
        pass

    def begin(args):
        raise Begun({name: getattr(args, name) for name in ("steps", "lr", "beta1", "penalty", "average")})

    monkeypatch.setattr(dcgan, "Run", begin)

    def recipe(*options):
        with pytest.raises(Begun) as caught:
            dcgan.demo([*options])
        return caught.value.args[0]

    assert recipe("--data", "synthetic") == dcgan.RECIPES["digits"]
    assert recipe("--data", "synthetic-faces") == dcgan.RECIPES["pictures"]
    paper = {"lr": 2e-4, "beta1": 0.5, "penalty": 0.0, "average": 0.0}
    assert recipe("--data", "synthetic", "--paper") == {"steps": dcgan.RECIPES["digits"]["steps"], **paper}
    assert recipe("--paper", "--lr", "0.001", "--steps", "7") == {**paper, "lr": 1e-3, "steps": 7}
    zeros = {"lr": 0.0, "beta1": 0.0, "penalty": 0.0, "average": 0.0}
    assert recipe("--steps", "1", *(f"--{k}={v}" for k, v in zeros.items())) == {"steps": 1, **zeros}, "0 is a choice"


def test_a_batch_larger_than_the_set_is_refused(there, capsys):
    for options, number in ((["--data", "synthetic"], 640), (["--data", "synthetic-faces", "--size", "16"], 64)):
        with pytest.raises(SystemExit) as caught:
            run.main(lambda: dcgan.demo([*options, "--batch", str(number + 1)]))  # noqa: B023
        assert caught.value.code == 2 and not Path("runs").exists()
        assert f"there are {number} images to learn from, fewer than --batch {number + 1}; use --batch {number}" in (
            capsys.readouterr().err)


def test_d_pays_for_steepness_every_fourth_step_only(there, monkeypatch):
    asked = []
    monkeypatch.setattr(run.Run, "noise", lambda self, step, *shape, name="noise", noise=run.Run.noise: (
        asked.append((name, step)), noise(self, step, *shape, name=name))[1])
    options = ["--data", "synthetic", "--width", "2", "--batch", "4", "--steps", "9"]
    trained(options, monkeypatch)
    assert [step for name, step in asked if name == "directions"] == [4, 8]
    asked.clear()
    trained([*options, "--penalty", "0"], monkeypatch)
    assert not [step for name, step in asked if name == "directions"]


# What it reaches


CHECK = ["--size", "16", "--width", "16", "--steps", "600", "--batch", "32", "--lr", "1e-3", "--beta1", "0.5",
         "--penalty", "1", "--average", "0.99", "--init", "normal", "--check"]


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))])
def test_a_small_dcgan_learns_drawn_faces(there, monkeypatch, capsys, seed):
    monkeypatch.setattr(imagesets, "DRAWN", {"train": (0, 2_000), "test": (1, 200)})
    monkeypatch.setattr(run.Run, "picture_due", lambda *_: False)  # a third of the time
    assert dcgan.demo(["--data", "synthetic-faces", *CHECK, "--seed", str(seed)]) == 0
    assert "PASS distance now / before" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("data", ["mnist", "faces"])
def test_dcgan_reaches_its_figures_on_real_pictures(tmp_path, monkeypatch, data):
    if not os.environ.get("MINIGRAD_DATA"):
        pytest.skip("MINIGRAD_DATA is not set: the real digits and faces are needed")
    monkeypatch.chdir(tmp_path)
    assert dcgan.demo(["--check", "--data", data]) == 0
