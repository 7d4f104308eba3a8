"""ProGAN: levels that come in step by step, runs that stop in the middle of it, each technique left out, refusals."""

import argparse
import csv
import os
import re
from pathlib import Path

import numpy as np
import pytest

import gans
import minigrad as mg
from gans import progan
from gans.machinery import commandline, growth, imagesets, run, samples
from gans.machinery.growing import Grows
from minigrad import checkpoint
from tests.gans.test_dcgan import own_set


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working folder with a few drawn faces to learn from."""
    monkeypatch.setenv("MINIGRAD_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(imagesets, "DRAWN", {"train": (0, 64), "test": (1, 20)})
    monkeypatch.setattr(os, "fsync", lambda _: None)
    monkeypatch.chdir(tmp_path)


SMALL = ["--size", "16", "--width", "2", "--batch", "4", "--phase", "4"]  # 4x4 to step 4, 8x8 to 12, 16x16 to 20


@pytest.mark.parametrize("stop, options", [(6, []), (12, ["--no-reset"]), (13, [])])
def test_a_run_that_stopped_while_a_level_comes_in_is_resumed_to_the_bit(here, trained, interrupted, ended, stop,
                                                                         options, monkeypatch):
    """6 is in the middle of a fade, 13 the first step of one; at 12 a level ends."""
    monkeypatch.setattr(run.Run, "picture_due", lambda *_: False)
    steps = str(stop + 2)
    trained(progan.demo, [*SMALL, *options, "--steps", steps, "--out", "whole"])
    interrupted(progan.demo, [*SMALL, *options, "--steps", steps, "--out", "parts"], stop)
    state = checkpoint.load(Path("parts/checkpoint")).state["parts"]
    level, done, of = state["G"]["grown"].tolist()
    assert (4 << level, min(done, of)) == {6: (8, 2), 12: (8, 4), 13: (16, 1)}[stop]
    assert state["average"]["model"]["grown"].tolist() == state["D"]["grown"].tolist() == [level, done, of]
    trained(progan.demo, ["--resume", "parts"])
    assert ended("whole") == ended("parts")
    with pytest.raises(SystemExit) as caught:
        progan.demo(["--resume", "parts", "--replay-step", steps])
    assert caught.value.code == 0


@pytest.mark.parametrize("phase, first", [("4", "4"), ("1", "5")])
def test_a_run_of_fewer_steps_goes_on_where_a_longer_one_is(here, trained, ended, phase, first):
    """It ends with a level, and when all levels are done."""
    trained(progan.demo, [*SMALL, "--phase", phase, "--steps", "7", "--out", "whole"])
    trained(progan.demo, [*SMALL, "--phase", phase, "--steps", first, "--out", "parts"])
    trained(progan.demo, ["--steps", "7", "--resume", "parts"])
    assert ended("whole")[0] == ended("parts")[0]


def way(trained, *options):
    """[(level, fade)] of G, a step each."""
    seen, grow = [], Grows.grow

    def noted(self, level, done=1, of=1):
        grow(self, level, done, of)
        seen.append((id(self), level, self.fade))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Grows, "grow", noted)
        trained(progan.demo, [*SMALL, *options, "--out", "-".join(["r", *options])])
    last = seen[-3][0]  # G's, before D's and the average's
    return [(level, fade) for net, level, fade in seen if net == last][1:]  # not how it begins


def test_a_level_comes_in_step_by_step_and_the_first_is_there_at_once(here, trained):
    in_steps = [0.25, 0.5, 0.75, 1.0]
    assert way(trained) == [(0, 1.0)] * 4 + [(1, fade) for fade in in_steps + [1.0] * 4] + [
        (2, fade) for fade in in_steps + [1.0] * 4]
    assert way(trained, "--no-fading", "--phase", "1") == [(0, 1.0), (1, 1.0), (1, 1.0), (2, 1.0), (2, 1.0)]
    assert way(trained, "--no-growing", "--steps", "2") == [(2, 1.0)] * 2


def test_adam_begins_anew_with_each_level_unless_told_otherwise(here, trained):
    for options, steps in (([], 3), (["--no-reset"], 7)):
        out = "-".join(["r", *options])
        trained(progan.demo, [*SMALL, *options, "--steps", "7", "--out", out])
        state = checkpoint.load(Path(out, "checkpoint")).state["parts"]["optimiser_g"]
        assert max(int(entry["step"]) for entry in state["state"].values()) == steps


def test_each_technique_can_be_left_out_and_then_the_run_is_another(here, trained, ended):
    found = {}
    for name in (None, *growth.TECHNIQUES):
        options = [f"--no-{name.replace('_', '-')}"] if name else []
        trained(progan.demo, [*SMALL, *options, "--phase", "2", "--steps", "4", "--out", str(name)])
        found[name] = ended(str(name))[0]
    assert len({*found.values()}) == 1 + len(growth.TECHNIQUES)


def options_of(**changes):
    """The options that networks are made by."""
    return argparse.Namespace(**dict.fromkeys(growth.TECHNIQUES, True) | {
        "size": 32, "width": 4, "shape": [32, 32, 3]} | changes)


def test_the_networks_are_the_papers_and_each_is_what_it_was_at_fade_0():
    G, D = progan.networks(options_of())
    shapes = {name: tuple(value.shape) for name, value in G.state_dict().items()}
    assert [shapes[f"blocks.{k}.1.weight"][:2] for k in range(3)] == [(16, 16), (8, 16), (4, 8)]
    assert [shapes[f"to_colour.{k}.0.weight"] for k in range(4)] == [(3, n, 1, 1) for n in (16, 16, 8, 4)]
    assert D.state_dict()["last.1.weight"].shape == (16, 17, 3, 3), "one more: the minibatch deviation"
    assert growth.errors_at_zero(G, D) == (0, 0) and growth.largest_jump(G, D) < 0.01
    G.grow(3)
    assert abs(G.made(mg.randn(64, 16))).max().item() > 1, "its last layer is linear"
    G, D = progan.networks(options_of(linear=False, pixel_norm=False, minibatch_std=False, equalised=False))
    G.grow(3)
    assert abs(G.made(100 * mg.randn(64, 16))).max().item() <= 1
    assert growth.errors_at_zero(G, D) == (0, 0)
    weights = [w for name, w in D.state_dict().items() if name.endswith("weight")]
    assert len({round(float(w.std().item()), 2) for w in weights}) > 3, "each of the spread that its layer needs"


def test_the_generator_of_a_run_that_stopped_in_mid_fade_is_as_far_as_the_run_was(here, trained):
    trained(progan.demo, [*SMALL, "--steps", "14", "--out", "r"])
    G = gans.load("r")
    assert (G.level, G.fade) == (2, 0.5)
    images = samples.outputs(G, samples.noise(G, 2))
    assert images.shape == (2, 3, 16, 16) and np.ptp(images) > 0


def test_both_networks_are_the_same_in_onnxruntime_while_a_level_comes_in(tmp_path):
    pytest.importorskip("onnx", reason="needs the onnx package (pip install minigrad[onnx])")
    onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime, to run what was written")
    for net, shape in zip(progan.networks(options_of(size=16)), ((16,), (3, 8, 8))):
        net.grow(1, 1, 3)
        path = mg.onnx.export(net, (mg.randn(4, *shape),), tmp_path / "net.onnx")
        for n in (1, 7):
            x = np.random.default_rng(n).standard_normal((n, *shape)).astype(np.float32)
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            found, = session.run(None, {session.get_inputs()[0].name: x})
            expected = net.eval()(mg.tensor(x)).detach().numpy()
            np.testing.assert_allclose(found, expected, 1e-5, 1e-5)


def test_a_run_is_measured_at_the_end_of_each_level_and_leaves_a_picture_of_it(here, capsys):
    assert progan.demo([*SMALL, "--check"]) in (0, 1)
    out = capsys.readouterr().out
    assert re.findall(r"^(\d+x\d+): the sliced Wasserstein distance", out, re.M) == ["4x4", "8x8", "16x16"]
    assert out.count("\nPASS") + out.count("\nFAIL") == 6 == out.count("\nPASS")
    assert Path("runs/progan/levels.png").stat().st_size > 1000
    rows = list(csv.DictReader(Path("runs/progan/metrics.csv").read_text().splitlines()))
    assert [row["step"] for row in rows for side in (4, 8, 16) if row[f"measure.distance at {side}"]] == [
        "4", "12", "20"]


def test_grey_pictures_of_ones_own_are_learnt_from_at_the_size_that_they_have(here, capsys):
    own_set()
    progan.demo(["--data", "own.h5", "--width", "2", "--batch", "4", "--phase", "1", "--samples", "3"])
    assert np.load("runs/progan/samples.npy").shape == (3, 32, 32) and "images of 32x32" in capsys.readouterr().out
    assert Path("runs/progan/levels.png").exists()


def test_the_ablation_trains_with_one_technique_more_each_time(here, capsys):
    progan.demo([*SMALL, "--phase", "1", "--ablation"])
    lines = capsys.readouterr().out.splitlines()
    start = [k for k, line in enumerate(lines) if line.endswith("samples, 5 steps of 4:")][0]
    titles = [re.split("  +", line)[0] for line in lines[start + 2:start + 8]]
    assert titles == [*growth.LADDER, "real beside real"] and re.search(r"16x16  average", lines[start + 1])
    assert len({line.split()[-1] for line in lines[start + 2:start + 7]}) > 3
    folders = sorted(path.name for path in Path("runs/progan").glob("without-*"))
    assert [name.count("-") for name in folders] == [4, 3, 2, 1] and folders[-1] == "without-pixel_norm"
    progan.demo(["--resume", "runs/progan", "--ablation"])  # which has nothing left to train
    assert capsys.readouterr().out.splitlines()[-len(lines) + start:][2].startswith("WGAN-GP")


@pytest.mark.parametrize("options, says", [
    (["--size", "24"], "24: images are doubled from 4x4 to 16, 32, 64, 128; the nearest is 16"),
    (["--no-growing", "--no-fading"], "--no-fading: has no effect beside --no-growing, with which there is one level"),
    (["--ablation", "--no-pixel-norm"], "--no-pixel-norm: has no effect beside --ablation"),
    (["--data", "set.h5"], "set.h5: its images are 40x36 (height x width), not of --size 32; build it again"),
    (["--batch", "65", "--size", "16"], "there are 64 images to learn from, fewer than --batch 65"),
    (["--data", "mnist"], "mnist: there is no such folder, zip or HDF5 file, nor a data set of that name")])
def test_what_cannot_be_is_refused_in_one_line(here, capsys, options, says):
    own_set((44, 40, 36, 3), "set.h5")
    with pytest.raises(SystemExit) as caught:
        commandline.main(lambda: progan.demo(options))
    err = capsys.readouterr().err
    assert caught.value.code == 2 and says in err and err.count("\n") == 1 and not Path("runs").exists()
