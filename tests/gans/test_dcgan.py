"""DCGAN: runs on every kind of data, resumed to the bit, and what they reach."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from gans import dcgan
from gans.machinery import commandline, imagesets, run
from minigrad.data.hdf5 import create_layout, read_layout


def own_set(shape=(44, 32, 32, 1), name="own.h5"):
    """An HDF5 image set of one's own."""
    create_layout(name, shape, [f"{k}.png" for k in range(shape[0])], {}, {})
    layout, content = read_layout(name), bytearray(Path(name).read_bytes())
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    content[layout.start:layout.start + pixels.size] = pixels.tobytes()
    content[layout.mark:layout.mark + 8] = shape[0].to_bytes(8, "little")
    Path(name).write_bytes(content)


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
    assert [row["step"] for row in rows if row["g"]] == ["1"] and {"d_real", "d_fake", "g"} < set(rows[0])
    config = json.loads((folder / "config.json").read_text())
    assert (config["data"], config["size"], config["seed"]) == (options[1], shape[0], 5)
    assert words in out and out.count("\nPASS") + out.count("\nFAIL") == checks and "next: python -m gans." in out
    assert f"images of {shape[0]}x{shape[0]}" in out and len(list((folder / "samples").glob("*.png"))) == 3


@pytest.mark.parametrize("options", [["--data", "synthetic"], ["--data", "synthetic-faces", "--size", "16", "--paper"],
                                     ["--data", "own.h5", "--norm", "everywhere", "--upsample", "resize"]])
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(there, trained, ended, options):
    own_set()
    options = [*options, "--width", "2", "--batch", "8"]
    trained(dcgan.demo, [*options, "--steps", "13", "--out", "whole"])
    trained(dcgan.demo, [*options, "--steps", "6", "--out", "parts"])
    trained(dcgan.demo, ["--steps", "13", "--resume", "parts"])
    assert ended("whole") == ended("parts")
    with pytest.raises(SystemExit) as caught:
        dcgan.demo(["--resume", "parts", "--replay-step", "13"])
    assert caught.value.code == 0


def test_the_recipe_is_the_datas_the_papers_or_ones_own(there, monkeypatch):
    class Begun(Exception):
        pass

    def begin(args, *_):
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
            commandline.main(lambda: dcgan.demo([*options, "--batch", str(number + 1)]))  # noqa: B023
        assert caught.value.code == 2 and not Path("runs").exists()
        assert f"there are {number} images to learn from, fewer than --batch {number + 1}; use --batch {number}" in (
            capsys.readouterr().err)


def test_d_pays_for_steepness_every_fourth_step_only(there, trained, monkeypatch):
    asked = []
    monkeypatch.setattr(run.Run, "noise", lambda self, step, *shape, name="noise", noise=run.Run.noise: (
        asked.append((name, step)), noise(self, step, *shape, name=name))[1])
    options = ["--data", "synthetic", "--width", "2", "--batch", "4", "--steps", "9"]
    trained(dcgan.demo, options)
    assert [step for name, step in asked if name == "directions"] == [4, 8]
    asked.clear()
    trained(dcgan.demo, [*options, "--penalty", "0"])
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
