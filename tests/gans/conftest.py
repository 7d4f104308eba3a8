"""What tests of the demos share: a folder to work in, few drawn images, how a run ended."""

import os
import sys
from pathlib import Path

import pytest

from gans.machinery import attributes, imagesets, judge, replay, run
from minigrad import checkpoint
from minigrad.data.digits import synthetic_digits


@pytest.fixture
def there(tmp_path, monkeypatch):
    """A working folder with a cache of its own, few drawn digits and faces, and readers that hardly learn."""
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MINIGRAD_DATA", raising=False)
    monkeypatch.setattr(imagesets, "DRAWN", {"train": (0, 64), "test": (1, 20)})
    digits = {split: synthetic_digits(640, seed) for seed, split in enumerate(("train", "test"))}
    monkeypatch.setattr(imagesets, "load_digits",
                        lambda name, split="train", log=print: (*digits[split], "640 drawn digits"))
    monkeypatch.setattr(judge, "EPOCHS", 1)
    monkeypatch.setattr(attributes, "STEPS", 3)
    monkeypatch.setattr(attributes, "DRAWN", 64)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # most of the time of a run this short
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def ended():
    """A function of a run's folder: (SHA-256 of all that was trained, metrics.csv)."""
    def read(folder):
        parts = checkpoint.load(Path(folder, "checkpoint")).state["parts"]
        return replay.digest(parts), Path(folder, "metrics.csv").read_text()

    return read


@pytest.fixture
def trained(monkeypatch):
    """A function that runs a demo until it has been trained, without pictures."""
    def train(demo, options):
        with monkeypatch.context() as patch, pytest.raises(SystemExit):
            patch.setattr(run.Run, "finish", lambda self, *_: (self.illustrate(), sys.exit()))
            patch.setattr(run.Run, "picture_due", lambda *_: False)
            demo(options)

    return train


@pytest.fixture
def interrupted(monkeypatch):
    """A function that runs a demo as if Ctrl-C came at a step: saved there, of the length that it was started with."""
    def run_until(demo, options, at):
        after = run.Run._after

        def watched(self, step, *others):
            self.interrupted |= step == at
            after(self, step, *others)

        with monkeypatch.context() as patch, pytest.raises(SystemExit) as stopped:
            patch.setattr(run.Run, "_after", watched)
            demo(options)
        assert stopped.value.code == 130

    return run_until
