"""Every generator and discriminator of the demos as an ONNX file: equal to minigrad's at batches of 1 and 7."""

import importlib
import inspect
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import gans
import minigrad as mg
from gans.__main__ import CHAPTERS
from gans.machinery import commandline, run, samples
from gans.machinery.parts import MinibatchDiscrimination, Noise
from minigrad import nn

pytest.importorskip("onnx", reason="needs the onnx package (pip install minigrad[onnx])")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime, to run what was written")

MORE = {"mnist": ["--recipe book", "--from-the-start"], "cgan": ["--labels concat"],
        "dcgan": ["--data synthetic --width 2 --paper", "--data synthetic-faces --width 4",
                  "--data synthetic --width 2 --upsample resize --downsample pool --norm everywhere --hidden 9 "
                  "--activation gelu --output sigmoid"]}


def ran(path, inputs):
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, dict(zip([x.name for x in session.get_inputs()], inputs)))


@pytest.mark.parametrize("name, options", [
    (name, options) for name in CHAPTERS if hasattr(importlib.import_module(f"gans.{name}"), "generator")
    for options in (None, *MORE.get(name, ()))])
def test_the_networks_of_a_demo_are_the_same_in_onnxruntime(name, options, there, trained, monkeypatch):
    chapter = importlib.import_module(f"gans.{name}")
    nets, seen, keep = {}, {}, run.Run.keep

    def kept(self, **parts):
        for part, net in parts.items():
            if isinstance(net, nn.Module):
                nets[part] = net
                net.register_forward_pre_hook(lambda _, inputs, part=part: seen.setdefault(part, inputs) and None)
        keep(self, **parts)

    monkeypatch.setattr(run.Run, "keep", kept)
    small = ["--batch", "8"] if re.search(r"= parser\([^)]*\bbatch=", inspect.getsource(chapter)) else []
    trained(chapter.demo, [*shlex.split(chapter.QUICK if options is None else options), "--check", "--steps", "3",
                           "--out", "run", *small])
    assert nets, "nothing was trained"
    if name == "pattern1010":  # which has no batches
        seen = {part: [x.reshape(1, -1) for x in inputs] for part, inputs in seen.items()}
    called = {part: net for part, net in nets.items() if part in seen and all(x.dim() > 1 for x in seen[part])}
    if not called:
        pytest.skip("no network that takes batches is trained here")
    for part, net in called.items():
        examples = [x.detach() for x in seen[part]]
        path = mg.onnx.export(net, tuple(examples), f"{part}.onnx")
        net.eval()
        for n in (1, 7):
            inputs = [x.numpy()[np.arange(n) % len(x)] for x in examples]
            found, expected = ran(path, inputs), net(*map(mg.tensor, inputs))
            for ours, theirs in zip(found, expected if isinstance(expected, tuple) else (expected,), strict=True):
                assert ours.shape == theirs.shape
                np.testing.assert_allclose(ours, theirs.detach().numpy(), 1e-5, 1e-5)


@pytest.mark.parametrize("demo, options", [("cgan", ["--batch", "8"]), ("pattern1010", [])])
def test_the_command_writes_the_generator_of_a_run(demo, options, there, trained, capsys):
    trained(importlib.import_module(f"gans.{demo}").demo, [*options, "--steps", "3", "--out", "run"])
    assert samples.main(["run", "--onnx", "g.onnx", "--n", "3", "--out", "a.safetensors"]) == 0
    assert capsys.readouterr().out.splitlines()[-2] == "wrote g.onnx: the generator of run"
    G = gans.load("run")
    z = samples.noise(G, 5)
    inputs = [x.numpy() for x in samples.inputs(G, z)]
    session = onnxruntime.InferenceSession("g.onnx")
    assert [x.name for x in session.get_inputs()] == (["z", "labels"] if demo == "cgan" else ["z"])
    assert [x.name for x in session.get_outputs()] == ["images" if demo == "cgan" else "samples"]
    np.testing.assert_allclose(ran("g.onnx", inputs)[0], samples.outputs(G, z), 1e-5, 1e-5)
    Path("a.safetensors").unlink()
    assert samples.main(["run", "--onnx", "g.onnx"]) == 0 and not Path("run/sample.png").exists()


def test_a_path_that_cannot_be_written_is_one_line(there, trained, capsys):
    trained(importlib.import_module("gans.pattern1010").demo, ["--steps", "3", "--out", "run"])
    with pytest.raises(SystemExit) as ended:
        commandline.main(lambda: samples.main(["run", "--onnx", "nowhere/g.onnx"]))
    err = capsys.readouterr().err
    assert ended.value.code == 2 and err == ("error: nowhere/g.onnx: there is no such folder; name a file in one that "
                                             "is there\n")


@pytest.mark.parametrize("make", [lambda: MinibatchDiscrimination(6, 4, 3), lambda: Noise(0.3)])
def test_parts_of_a_discriminator_are_the_same_in_onnxruntime(make, tmp_path):
    mg.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 6), make())
    mg.onnx.export(net, tmp_path / "d.onnx")
    x = mg.randn(7, 6)
    np.testing.assert_allclose(ran(tmp_path / "d.onnx", [x.numpy()])[0], net.eval()(x).detach().numpy(), 1e-5, 1e-5)
