"""Digits: artefacts, the judge's plain words, without data and network, and the figures."""

import os
from pathlib import Path

import numpy as np
import pytest

from gans import mnist
from gans.machinery import imagesets
from minigrad.data.digits import synthetic_digits

ARTEFACTS = ["config.json", "log.jsonl", "metrics.csv", "losses.png", "training.gif", "seeds.png"]


def test_mnist_writes_every_artefact_and_judges_in_plain_words(there, capsys):
    status = mnist.demo(["--steps", "40", "--samples", "50", "--check"])
    out = capsys.readouterr().out
    assert status in (0, 1) and out.count("PASS") + out.count("FAIL") == 9
    folder = there / "runs" / "mnist"
    samples = np.load(folder / "samples.npy")
    assert samples.shape == (50, 28, 28) and samples.dtype == np.uint8
    for name in ARTEFACTS:
        assert (folder / name).is_file()
    assert "A classifier is" in out and "D's losses hover at" in out and "training the classifier" in out
    capsys.readouterr()
    mnist.demo(["--resume", "--steps", "40"])
    assert "training the classifier" not in capsys.readouterr().out, "the judge is trained once and kept"


def test_without_data_and_network_mnist_says_so_and_draws_its_own_digits(there, monkeypatch, tmp_path, capsys):
    from minigrad.data import download

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nothing"))
    monkeypatch.setattr(imagesets, "load_digits", download.load_digits)
    monkeypatch.setattr(download, "_download", lambda dataset, name, cache, tried: tried.append("no network"))
    monkeypatch.setattr(download, "synthetic_digits", lambda n, seed=0: synthetic_digits(n // 50, seed))
    mnist.demo(["--steps", "5"])
    out = capsys.readouterr().out
    assert "Using synthetic digits, because MNIST is not to be had" in out and "set MINIGRAD_DATA" in out


@pytest.mark.parametrize("recipe, layers, last", [("steady", ["LeakyReLU", "LayerNorm"], "Linear"),
                                                  ("book", ["LeakyReLU", "LayerNorm"], "Sigmoid"),
                                                  ("first", ["Sigmoid"], "Sigmoid")])
def test_the_recipes_are_of_two_networks(recipe, layers, last):
    G, D = mnist.networks(recipe)
    assert [type(layer).__name__ for layer in G] == ["Linear", *layers, "Linear", "Sigmoid"]
    assert [type(layer).__name__ for layer in D][:-1] == (
        ["Linear", *layers, "Linear"] if last == "Sigmoid" else ["Linear", *layers])
    assert type(D[-1]).__name__ == last and G[0].weight.shape == (200, 1 if recipe == "first" else 100)


@pytest.mark.parametrize("samples", ["1", "300"])
def test_how_many_samples_are_written_changes_nothing_that_is_checked(there, capsys, samples):
    mnist.demo(["--steps", "5", "--check", "--out", "without"])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith(("PASS", "FAIL"))]
    mnist.demo(["--steps", "5", "--check", "--samples", samples, "--out", "with"])
    assert lines == [line for line in capsys.readouterr().out.splitlines() if line.startswith(("PASS", "FAIL"))]
    assert len(np.load("with/samples.npy")) == int(samples) and not Path("without/samples.npy").exists()


@pytest.mark.slow
def test_mnist_reaches_its_figures_on_the_real_digits(tmp_path, monkeypatch):
    if not os.environ.get("MINIGRAD_DATA"):
        pytest.skip("MINIGRAD_DATA is not set: the real digits are needed")
    monkeypatch.chdir(tmp_path)
    assert mnist.demo(["--check", "--data", "mnist"]) == 0
