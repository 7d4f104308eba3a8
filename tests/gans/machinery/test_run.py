"""The demos as a user runs them: artefacts, resuming to the bit, interruption, refusals, plain words."""

import csv
import doctest
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gans import cgan, dcgan, face, mnist, pattern1010
from gans.machinery import run
from gans.machinery.metrics import frechet_distance
from minigrad import checkpoint
from minigrad.data.digits import synthetic_digits
from minigrad.errors import CheckpointError, MinigradError

ARTEFACTS = ["config.json", "metrics.csv", "losses.png", "training.gif"]
FEW = ["--batch", "32", "--samples", "200"]


@pytest.fixture
def there(tmp_path, monkeypatch):
    """A working folder of its own."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # most of the time of a run this short
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def few_digits(monkeypatch, tmp_path):
    """The MNIST demo on 640 drawn digits, with a judge that learns for one epoch."""
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("gans.machinery.judge.EPOCHS", 1)
    digits = {split: synthetic_digits(640, seed) for seed, split in enumerate(("train", "test"))}
    monkeypatch.setattr(mnist, "load_digits",
                        lambda name, split="train", log=print: (*digits[split], "640 drawn digits"))


def state_of(folder):
    """All arrays of the newest checkpoint, by name, as bytes."""
    def walk(value, path):
        if isinstance(value, dict):
            for key, item in value.items():
                yield from walk(item, f"{path}/{key}")
        elif hasattr(value, "array"):
            yield path, value.array.tobytes()

    return dict(walk(checkpoint.load(Path(folder) / "checkpoint").state["parts"], ""))


def test_1010_finds_the_pattern_and_says_what_it_wrote(there, capsys):
    assert pattern1010.demo(["--check", "--seeds", "1"]) == 0
    out = capsys.readouterr().out
    assert out.count("PASS") == 7 and "FAIL" not in out
    folder = there / "runs" / "pattern1010"
    for name in ARTEFACTS:
        assert (folder / name).stat().st_size > 100 and f"runs/pattern1010/{name}" in out
    assert "next: python -m gans.mnist" in out and list((folder / "samples").glob("*.png"))
    rows = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
    assert rows[-1]["step"] == "10000" and {"d_real", "d_fake", "g"} <= set(rows[0])
    assert json.loads((folder / "config.json").read_text())["seed"] == 1


def test_an_untrained_run_fails_its_check(there, capsys):
    assert pattern1010.demo(["--steps", "10", "--check", "--seeds", "1"]) == 1
    assert "FAIL G[0]" in capsys.readouterr().out


@pytest.mark.parametrize("demo, options", [(pattern1010.demo, []), (mnist.demo, FEW),
                                           (mnist.demo, [*FEW, "--recipe", "book"]),
                                           (mnist.demo, [*FEW, "--from-the-start", "--batch", "1"]),
                                           (cgan.demo, [*FEW, "--labels", "projection"])])
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(there, few_digits, monkeypatch, demo, options):
    monkeypatch.setattr(run.Run, "picture_due", lambda *_: False)
    demo([*options, "--steps", "60", "--out", "whole"])
    demo([*options, "--steps", "25", "--out", "parts"])
    demo([*options, "--steps", "60", "--resume", "parts"])
    whole, parts = state_of("whole"), state_of("parts")
    assert whole and whole == parts
    assert Path("whole/metrics.csv").read_text() == Path("parts/metrics.csv").read_text()


def test_ctrl_c_saves_at_the_end_of_the_step_and_exits_130(there):
    home = Path(run.__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(home)}
    command = [sys.executable, "-m", "gans.pattern1010", "--steps", "1000000", "--out", "r"]
    process = subprocess.Popen(command, cwd=there, env=environment, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(there.glob("r/samples/*.png")) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 130 and "--resume r" in out
    step = checkpoint.load(there / "r" / "checkpoint").step
    assert 0 < step < 1_000_000 and f"step {step} is saved" in out


def test_mnist_writes_every_artefact_and_judges_in_plain_words(there, few_digits, capsys):
    status = mnist.demo(["--steps", "40", "--samples", "50", "--check"])
    out = capsys.readouterr().out
    assert status in (0, 1) and out.count("PASS") + out.count("FAIL") == 4
    folder = there / "runs" / "mnist"
    samples = np.load(folder / "samples.npy")
    assert samples.shape == (50, 28, 28) and samples.dtype == np.uint8
    for name in ARTEFACTS:
        assert (folder / name).is_file()
    assert "A classifier is" in out and "D's losses hover at" in out and "training the classifier" in out
    capsys.readouterr()
    mnist.demo(["--resume", "--steps", "40"])
    assert "training the classifier" not in capsys.readouterr().out, "the judge is trained once and kept"


@pytest.mark.parametrize("labels", ["concat", "projection"])
def test_cgan_writes_samples_with_their_labels_and_says_how_many_are_right(there, few_digits, capsys, labels):
    assert cgan.demo(["--steps", "5", "--samples", "20", "--labels", labels, "--check"]) == 1
    out = capsys.readouterr().out
    assert "of the samples are read as the class that was asked for" in out and "FAIL read as asked" in out
    samples, asked = np.load("runs/cgan/samples.npy"), np.load("runs/cgan/labels.npy")
    assert samples.shape == (20, 28, 28) and samples.dtype == np.uint8 and asked.tolist() == [*range(10)] * 2


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))])
def test_cgan_learns_drawn_digits_of_the_class_that_was_asked_for(there, few_digits, monkeypatch, seed):
    digits = {split: synthetic_digits(2000, seed) for seed, split in enumerate(("train", "test"))}
    monkeypatch.setattr(mnist, "load_digits", lambda name, split="train", log=print: (*digits[split], "drawn digits"))
    monkeypatch.setattr("gans.machinery.judge.EPOCHS", 8)  # few digits, so more often
    monkeypatch.setattr(run.Run, "picture_due", lambda *_: False)
    options = ["--steps", "900", "--labels", "projection", "--samples", "2000", "--check"]
    assert cgan.demo([*options, "--seed", str(seed)]) == 0


def test_without_data_and_network_mnist_says_so_and_draws_its_own_digits(there, monkeypatch, tmp_path, capsys):
    from minigrad.data import download

    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MINIGRAD_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "nothing"))
    monkeypatch.setattr(download, "_download", lambda dataset, name, cache, tried: tried.append("no network"))
    monkeypatch.setattr(download, "synthetic_digits", lambda n, seed=0: synthetic_digits(n // 100, seed))
    monkeypatch.setattr("gans.machinery.judge.EPOCHS", 1)
    mnist.demo(["--steps", "5"])
    out = capsys.readouterr().out
    assert "Using synthetic digits, because MNIST is not to be had" in out and "set MINIGRAD_DATA" in out


def test_collapse_is_told_in_plain_words():
    from gans.machinery.judge import Verdict

    collapsed = Verdict(0.95, np.array([0.9, 0.1] + [0.0] * 8), 0.5).words()
    assert "mode collapse: 90% of all samples are 0" in collapsed[-1] and "2, 3, 4, 5, 6, 7, 8, 9" in collapsed[-1]
    assert "No mode has collapsed" in Verdict(0.9, np.full(10, 0.1), 0.05).words()[-1]


def test_a_loss_that_is_no_number_ends_the_run_by_name(there):
    args = pattern1010.parser("pattern1010", pattern1010.__doc__, steps=10).parse_args([])
    with pytest.raises(MinigradError, match=r"step 1: the loss g became nan; .*--anomaly"):
        run.Run(args).log(1, g=float("nan"))


def test_a_run_is_not_overwritten_and_a_second_one_gets_its_own_folder(there):
    pattern1010.demo(["--steps", "5"])
    pattern1010.demo(["--steps", "5"])
    assert Path("runs/pattern1010-2/config.json").exists()
    with pytest.raises(MinigradError, match="holds a run already; --resume"):
        pattern1010.demo(["--steps", "5", "--out", "runs/pattern1010"])


def test_resuming_brings_the_options_that_the_run_was_started_with(there, few_digits):
    mnist.demo(["--steps", "5", "--batch", "16", "--recipe", "book", "--seed", "3"])
    mnist.demo(["--resume", "--steps", "8"])
    config = json.loads(Path("runs/mnist/config.json").read_text())
    assert (config["batch"], config["recipe"], config["seed"]) == (16, "book", 3)
    assert checkpoint.load(Path("runs/mnist/checkpoint")).step == 8


def test_resuming_refuses_other_options_and_a_missing_run(there):
    pattern1010.demo(["--steps", "5", "--out", "r"])
    with pytest.raises(CheckpointError, match="was made with --seed 1, not 2"):
        pattern1010.demo(["--steps", "9", "--resume", "r", "--seed", "2"])
    with pytest.raises(CheckpointError, match="no run of this demo has a checkpoint"):
        mnist.demo(["--resume", "--data", "synthetic"])


WRONG = [(mnist, "--device tpu", "invalid choice: 'tpu'"), (mnist, "--steps 0", "0 is too small; give 1 or more"),
         (mnist, "--batch x", "'x' is not an integer; give one of 1 or more"),
         (dcgan, "--lr fast", "'fast' is not a number; give one of 0 or more"),
         (dcgan, "--lr nan", "nan is out of range; give 0 or more"), (face, "--lr inf", "inf is out of range"),
         (face, "--penalty=-1", "-1 is out of range; give 0 or more"), (dcgan, "--size 0", "0 is too small"),
         (dcgan, "--beta1 1", "1 is out of range; give 0 or more, and less than 1"),
         (dcgan, "--average 1.5", "1.5 is out of range; give 0 or more, and less than 1"),
         (dcgan, "--norm layer", "invalid choice: 'layer'"), (face, "--limit 0", "0 is too small")]


@pytest.mark.parametrize("demo, options, message", WRONG, ids=[options for _, options, _ in WRONG])
def test_the_command_line_says_what_is_wrong(there, demo, options, message, capsys):
    with pytest.raises(SystemExit) as caught:
        demo.demo(options.split())
    *_, line = capsys.readouterr().err.splitlines()
    assert caught.value.code == 2 and options.split()[0].partition("=")[0] in line and message in line
    assert not os.listdir(there)


def test_errors_reach_the_user_as_one_line(there, capsys):
    def fail():
        raise OSError(28, "No space left on device", "runs/x/metrics.csv")

    with pytest.raises(SystemExit) as caught:
        run.main(fail)
    err = capsys.readouterr().err
    assert caught.value.code == 2 and err.count("\n") == 1 and "No space left on device" in err and "metrics.csv" in err


def test_the_demos_are_listed_with_their_first_line(capsys):
    from gans.__main__ import DEMOS, main

    main()
    out = capsys.readouterr().out
    folder = Path(run.__file__).parents[1]
    for name in DEMOS:
        assert (folder / f"{name}.py").exists() and f"python -m gans.{name}" in out
    demos = {p.stem for p in folder.glob("*.py") if "def demo(" in p.read_text()}
    assert demos == set(DEMOS)


@pytest.mark.parametrize("name", ["dcgan", "machinery.memory", "machinery.metrics", "machinery.pictures"])
def test_the_examples_in_docstrings_are_right(name):
    failed, tried = doctest.testmod(importlib.import_module(f"gans.{name}"), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert tried and not failed


def test_the_frechet_distance_of_gaussians_is_the_known_one():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(200_000, 2)) * [1.0, 2.0]
    b = rng.normal(size=(200_000, 2)) * [3.0, 1.0] + [1.0, 0.0]
    assert frechet_distance(a, b) == pytest.approx(1 + (1 - 3) ** 2 + (2 - 1) ** 2, rel=0.02)


@pytest.mark.slow
def test_20_of_20_seeds_of_1010_and_a_longer_run(there, capsys):
    assert pattern1010.demo(["--check"]) == 0
    assert pattern1010.demo(["--check", "--steps", "20000", "--seeds", "20"]) == 0


@pytest.mark.slow
def test_cgan_reaches_its_figures_on_the_real_digits(there):
    if not os.environ.get("MINIGRAD_DATA"):
        pytest.skip("MINIGRAD_DATA is not set: the real digits are needed")
    assert cgan.demo(["--check", "--data", "mnist"]) == 0


@pytest.mark.slow
def test_mnist_reaches_its_figures_on_the_real_digits(there):
    if not os.environ.get("MINIGRAD_DATA"):
        pytest.skip("MINIGRAD_DATA is not set: the real digits are needed")
    assert mnist.demo(["--check", "--data", "mnist"]) == 0
