"""A run's folder and steps: resuming to the bit, interruption, what is refused, phases, measures, what is left."""

import json
import os
import shutil
import signal
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from gans import cgan, mnist, pattern1010
from gans.machinery import commandline, log, run
from minigrad import checkpoint, nn, optim
from minigrad.errors import CheckpointError, MinigradError

HOME = Path(run.__file__).parents[2]
OLD = Path(__file__).with_name("run-0.1.0")
FEW = ["--batch", "32"]


@pytest.fixture
def environment(tmp_path):
    return {**os.environ, "PYTHONPATH": str(HOME), "MPLCONFIGDIR": str(tmp_path / "cache"), "PYTHONUNBUFFERED": "1"}


def files(folder="."):
    """{path: content} of all files below a folder."""
    return {str(path): path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}


def refused(demo, options, message, capsys):
    """What a user sees of a refusal: one line and the exit status 2; nothing is written."""
    before = files()
    with pytest.raises(SystemExit) as caught:
        commandline.main(lambda: demo(options))
    line = capsys.readouterr().err
    assert caught.value.code == 2 and line.count("\n") == 1 and message in line, line
    assert files() == before
    return line


# Resuming


@pytest.mark.parametrize("demo, options", [(pattern1010.demo, []), (mnist.demo, FEW), *(
    pytest.param(*other, marks=pytest.mark.slow) for other in [
        (mnist.demo, [*FEW, "--recipe", "book"]), (mnist.demo, ["--from-the-start", "--batch", "1"]),
        (cgan.demo, [*FEW, "--labels", "projection"])])])
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(there, monkeypatch, ended, demo, options):
    monkeypatch.setattr(run.Run, "picture_due", lambda *_: False)
    demo([*options, "--steps", "60", "--out", "whole"])
    demo([*options, "--steps", "25", "--out", "parts"])
    shutil.move("parts", "elsewhere")
    demo([*options, "--steps", "60", "--resume", "elsewhere"])
    (whole, table), (parts, other) = ended("whole"), ended("elsewhere")
    assert whole == parts
    assert [line for line in other.splitlines() if not line.startswith("25,")] == table.splitlines(), "measured at 25"


def test_a_run_made_before_there_was_a_log_goes_on_to_the_bit(there, ended, capsys):
    shutil.copytree(OLD, "old")
    pattern1010.demo(["--resume", "old", "--steps", "400"])
    pattern1010.demo(["--steps", "400", "--out", "new"])
    assert ended("old")[0] == ended("new")[0]
    losses = [{name: row[name] for name in ("step", "d_real", "d_fake", "g")}
              for name in ("old", "new") for row in log.read_table(f"{name}/metrics.csv")]
    assert losses[:len(losses) // 2] == losses[len(losses) // 2:] and len(losses) == 82
    assert json.loads(Path("old/config.json").read_text())["steps"] == 400
    assert "did not note" not in capsys.readouterr().out


def test_a_run_that_did_not_note_its_number_of_steps_says_so(there, capsys, monkeypatch):
    shutil.copytree(OLD, "old")
    monkeypatch.setattr(pattern1010, "train", lambda run: sys.exit(run.args.steps))
    with pytest.raises(SystemExit) as caught:
        pattern1010.demo(["--resume", "old"])
    assert caught.value.code == 10_000 and "old: was made by a version that did not note" in capsys.readouterr().out


def test_resuming_brings_the_options_that_the_run_was_started_with_and_its_length(there):
    mnist.demo(["--steps", "8", "--batch", "16", "--recipe", "book", "--seed", "3"])
    for path in Path("runs/mnist/checkpoint").iterdir():
        path.unlink()
    mnist.demo(["--steps", "5", "--batch", "16", "--recipe", "book", "--seed", "3", "--out", "runs/mnist"])
    mnist.demo(["--resume", "--steps", "9"])
    config = json.loads(Path("runs/mnist/config.json").read_text())
    assert (config["batch"], config["recipe"], config["seed"], config["steps"]) == (16, "book", 3, 9)
    assert checkpoint.load(Path("runs/mnist/checkpoint")).step == 9
    mnist.demo(["--resume"])
    assert checkpoint.load(Path("runs/mnist/checkpoint")).step == 9


def test_a_run_notes_the_command_that_it_was_started_with(there):
    mnist.demo(["--steps", "4", "--batch", "8", "--out", "r", "--device", "cpu", "--recipe", "book"])
    mnist.demo(["--resume", "r", "--steps", "6"])
    config = json.loads(Path("r/config.json").read_text())
    assert config["command"] == "python -m gans.mnist --steps 6 --batch 8 --recipe book"
    mnist.demo(["--resume", "r"])
    assert json.loads(Path("r/config.json").read_text())["command"] == config["command"]
    pattern1010.demo(["--check", "--seeds", "2", "--steps", "5", "--seed", "7", "--out", "four"])
    for folder, seed in (("four", 7), ("four/seed-8", 8)):
        command = json.loads(Path(folder, "config.json").read_text())["command"]
        assert command == f"python -m gans.pattern1010 --seed {seed} --steps 5"


def test_a_finished_run_that_is_resumed_says_that_it_is_done(there, capsys):
    pattern1010.demo(["--steps", "30"])
    before = checkpoint.load("runs/pattern1010/checkpoint")
    pattern1010.demo(["--resume"])
    assert "runs/pattern1010 has done all of its 30 steps; --steps N trains on" in capsys.readouterr().out
    assert checkpoint.load("runs/pattern1010/checkpoint").path == before.path


def test_resuming_auto_takes_the_demos_latest_whatever_the_folders_are_called(there):
    for name, when in {"runs/mnist-like": 3, "runs/pattern1010": 1, "runs/x-y-3": 2}.items():
        pattern1010.demo(["--steps", "5", "--out", name])
        os.utime(f"{name}/checkpoint", (when, when))
    pattern1010.demo(["--resume", "--steps", "6"])
    assert checkpoint.load("runs/mnist-like/checkpoint").step == 6
    with pytest.raises(CheckpointError, match="runs/mnist: no run of this demo has a checkpoint here"):
        mnist.demo(["--resume", "--data", "synthetic"])


@pytest.fixture
def done(there, capsys):
    """A finished run in r."""
    pattern1010.demo(["--steps", "20", "--out", "r"])
    capsys.readouterr()


REFUSALS = [
    (["--resume", "r", "--seed", "2", "--steps", "30"], "r: was made with --seed 1, not 2; resume it with the options"),
    (["--resume", "r", "--out", "s"], "--out s: a run that is resumed stays in its folder; leave --out away"),
    (["--resume", "r", "--steps", "7"], "r: has done 20 steps already, more than --steps 7; give a larger number"),
    (["--resume", "r/checkpoint"], "r/checkpoint: is a part of the run in r; name that folder"),
    (["--resume", "r/samples"], "r/samples: is a part of the run in r; name that folder"),
    (["--resume", "r/config.json"], "r/config.json: is a part of the run in r; name that folder"),
    (["--resume", "."], ".: is no run of a demo, as it holds no config.json; name the folder of one"),
    (["--resume", "nowhere"], "nowhere: there is no such folder; check the path of the run"),
    (["--out", "r"], "r: holds a run already; --resume r goes on with it, or name another folder"),
    (["--out", "r/config.json"], "r/config.json: is a file; --out names a folder"),
    (["--replay-step", "3", "--resume", "r", "--check"], "--check: has no effect beside --replay-step"),
]


@pytest.mark.parametrize("options, message", REFUSALS, ids=[" ".join(options) for options, _ in REFUSALS])
def test_what_does_not_fit_the_folder_is_refused_in_one_line_and_nothing_is_written(done, capsys, options, message):
    refused(pattern1010.demo, options, message, capsys)


def test_a_run_of_another_demo_is_refused_and_stays_as_it_was(done, capsys):
    refused(cgan.demo, ["--resume", "r"], "r: is a run of gans.pattern1010, not of gans.cgan: python -m "
            "gans.pattern1010 --resume r goes on with it", capsys)
    Path("r/config.json").unlink()
    refused(mnist.demo, ["--resume", "r"], "r: is a run of gans.pattern1010, not of gans.mnist", capsys)
    assert pattern1010.demo(["--resume", "r", "--steps", "25"]) == 0


@pytest.mark.parametrize("name, content, message", [
    ("config.json", b"{", "r/config.json: is damaged (JSONDecodeError"),
    ("config.json", b'{"seed": 1}', "r/config.json: is damaged (KeyError: 'demo'); delete it: the checkpoint holds"),
    ("config.json", b"\xff\xfe", "r/config.json: is damaged (UnicodeDecodeError"),
    ("log.jsonl", b'{"step": 1}\n{"step":\n{"step": 2}\n', "r/log.jsonl: line 2 is damaged (JSONDecodeError"),
    ("log.jsonl", b"[]\n", "r/log.jsonl: line 1 is damaged (TypeError"),
    ("metrics.csv", b"step,g\nx,1\n", "r/metrics.csv: is damaged (ValueError"),
    ("metrics.csv", b"step,g\n1,one\n", "r/metrics.csv: is damaged (ValueError"),
    ("metrics.csv", b"nothing\n1\n", "r/metrics.csv: is damaged (KeyError: 'step'); delete it"),
])
def test_a_damaged_file_is_said_in_one_line_and_the_run_goes_on_without_it(done, capsys, ended, name, content, message):
    if name == "metrics.csv":
        Path("r/log.jsonl").unlink()
    Path("r", name).write_bytes(content)
    refused(pattern1010.demo, ["--resume", "r", "--steps", "30"], message, capsys)
    Path("r", name).unlink()
    assert pattern1010.demo(["--resume", "r", "--steps", "30"]) == 0
    pattern1010.demo(["--steps", "30", "--out", "whole"])
    assert ended("r")[0] == ended("whole")[0]


def test_a_run_that_was_never_saved_is_started_anew(there, capsys):
    pattern1010.demo(["--steps", "20", "--out", "r"])
    shutil.rmtree("r/checkpoint")
    refused(pattern1010.demo, ["--resume", "r"], "r: the run ended before it was saved for the first time", capsys)
    stray = Path("r/samples/step-00000099.png")
    stray.write_bytes(b"of the run before")
    pattern1010.demo(["--steps", "5", "--out", "r"])
    assert not stray.exists() and [row["step"] for row in log.read_table("r/metrics.csv")] == [1]


def test_weights_that_do_not_fit_are_refused_before_anything_is_written(done, capsys, monkeypatch):
    wide = lambda: nn.Sequential(nn.Linear(4, 5), nn.Sigmoid(), nn.Linear(5, 1), nn.Sigmoid())
    monkeypatch.setattr(pattern1010, "discriminator", wide)
    refused(pattern1010.demo, ["--resume", "r", "--steps", "30"], "r: what was saved does not fit this demo (D: ",
            capsys)


def test_new_runs_get_folders_of_their_own(there):
    pattern1010.demo(["--steps", "5"])
    pattern1010.demo(["--steps", "5"])
    Path("runs/pattern1010-3").mkdir()
    pattern1010.demo(["--steps", "5"])
    assert {path.name for path in Path("runs").iterdir()} == {"pattern1010", *(f"pattern1010-{n}" for n in (2, 3, 4))}


# Two at once, and Ctrl-C


PAUSED = """
import importlib, sys
from gans.machinery import commandline, run
noted = run.Run.log
def log(self, step, **values):
    noted(self, step, **values)
    if step == {step}:
        print("step", step, flush=True)
        sys.stdin.readline()
seen = run.Run._interrupt
def interrupt(self, *rest):
    print("signal", flush=True)
    seen(self, *rest)
run.Run.log, run.Run._interrupt = log, interrupt
module = importlib.import_module("gans." + sys.argv[1])
commandline.main(lambda: module.demo(sys.argv[2:]))
"""


def paused(step, *options, **how):
    """A demo in a process of its own that says when it is at a step, and waits there for a line."""
    process = subprocess.Popen([sys.executable, "-c", PAUSED.format(step=step), *options], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how)
    said = [process.stdout.readline()]
    while said[-1] and said[-1] != f"step {step}\n":
        said.append(process.stdout.readline())
    assert said[-1], process.stderr.read()
    return process


def rest(process, text=""):
    """(what it says from here on, its errors), after a text to it; communicate() would lose what was read ahead."""
    process.stdin.write(text)
    process.stdin.close()
    return process.stdout.read(), process.stderr.read()


@pytest.mark.parametrize("second", [["--out", "r"], ["--resume", "r"]])
def test_the_second_of_two_runs_in_one_folder_is_refused(there, environment, capsys, second):
    pytest.importorskip("fcntl")
    if "--resume" in second:
        pattern1010.demo(["--steps", "20", "--out", "r"])
    with paused(30, "pattern1010", "--steps", "40", *(second if "--resume" in second else ["--out", "r"]),
                env=environment) as first:
        capsys.readouterr()
        refused(pattern1010.demo, [*second, "--steps", "90"], "r: another process is training there; wait until it has "
                "ended, or give --out another folder", capsys)
        out, err = rest(first, "go\n")
    assert first.returncode == 0 and "next: " in out, err
    assert pattern1010.demo(["--resume", "r", "--steps", "50"]) == 0, "the lock is gone with its process"


def test_a_killed_run_leaves_no_lock(there, environment):
    with paused(30, "pattern1010", "--steps", "40", "--out", "r", env=environment) as first:
        first.kill()
    assert pattern1010.demo(["--steps", "5", "--out", "r"]) == 0


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is a signal elsewhere")
def test_ctrl_c_saves_at_the_end_of_the_step_draws_what_there_is_and_exits_130(there, environment):
    with paused(50, "pattern1010", "--steps", "100", "--out", "r", env=environment) as process:
        process.send_signal(signal.SIGINT)
        out, err = rest(process, "\n")
    assert process.returncode == 130 and not err, err
    step = checkpoint.load(there / "r" / "checkpoint").step
    assert step == 50
    assert f"interrupted: step {step} of 100 is saved; go on with python -m gans.pattern1010 --resume r" in out
    for name in ("losses.png", "training.gif", "metrics.csv", "log.jsonl"):
        assert (there / "r" / name).stat().st_size > 100
    assert json.loads((there / "r" / "log.jsonl").read_text().splitlines()[-1]) == {"step": 50, "event": "interrupted"}
    pattern1010.demo(["--resume", "r"])
    assert checkpoint.load("r/checkpoint").step == 100, "it goes on to where it was headed"


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is a signal elsewhere")
@pytest.mark.parametrize("saved", [False, True])
def test_a_second_ctrl_c_ends_it_at_once(there, environment, saved):
    options = ["--resume", "r", "--steps", "100"] if saved else ["--steps", "100", "--out", "r"]
    if saved:
        pattern1010.demo(["--steps", "20", "--out", "r"])
    with paused(50, "pattern1010", *options, env=environment) as process:
        for _ in range(2):
            process.send_signal(signal.SIGINT)
            assert process.stdout.readline() == "signal\n"
        out, err = rest(process)
    assert process.returncode == 130 and not err, err
    assert ("interrupted; go on with python -m gans.pattern1010 --resume r" in out) == saved
    assert ("interrupted before the first save; r holds no more than the beginning" in out) != saved


INTERRUPTED = """
import importlib, os, signal, sys
import {where}
def stop(*args, **options):
    os.kill(os.getpid(), signal.SIGINT)
    while True:
        pass
{where}.{what} = stop
from gans.machinery import commandline
from gans import mnist
commandline.main(lambda: mnist.demo(["--data", "synthetic", "--steps", "3", "--batch", "8"]))
"""


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is a signal elsewhere")
@pytest.mark.parametrize("where, what, says", [
    ("minigrad.data.download", "synthetic_digits", "interrupted: the training had not begun, and no run was made"),
    ("gans.machinery.judge", "train_judge", "interrupted; go on with python -m gans.mnist --resume runs/mnist"),
    ("gans.machinery.judge", "verdict", "interrupted; go on with python -m gans.mnist --resume runs/mnist")])
def test_ctrl_c_while_data_are_prepared_or_samples_measured_is_one_line(there, environment, where, what, says):
    quick = "import minigrad.data.digits as d, minigrad.data.download as l; l.synthetic_digits = lambda n, seed=0: " \
            "d.synthetic_digits(n // 100, seed); import gans.machinery.judge as j; j.EPOCHS = 1\n"
    done = subprocess.run([sys.executable, "-c", quick + INTERRUPTED.format(where=where, what=what)], text=True,
                          env={**environment, "MINIGRAD_CACHE": str(there / "cache")}, capture_output=True)
    last = (done.stdout + done.stderr).splitlines()[-1]
    assert done.returncode == 130 and last == says and "Traceback" not in done.stderr, done.stderr


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is a signal elsewhere")
def test_ctrl_c_while_modules_are_imported_is_one_line(there, environment):
    (there / "sitecustomize.py").write_text(
        "import importlib.abc, os, signal, sys\n"
        "class Stop(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'numpy':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Stop())\n")
    for module in ("gans.mnist", "gans.sample", "gans"):
        done = subprocess.run([sys.executable, "-m", module], text=True, capture_output=True,
                              env={**environment, "PYTHONPATH": f"{there}{os.pathsep}{HOME}"})
        assert done.returncode == 130 and done.stderr == "interrupted: nothing had begun\n" and not done.stdout
    done = subprocess.run([sys.executable, "-c", "import signal, gans; print(signal.getsignal(signal.SIGINT))"],
                          text=True, capture_output=True, env=environment)
    assert "default_int_handler" in done.stdout, "a program that imports gans keeps its own"


# What is noted


def options(**others):
    given = {"demo": "pattern1010", "seed": 1, "steps": 100, "out": "r", "resume": None, "replay_step": None,
             "device": "auto", "check": False, "anomaly": False, "samples": None, "given": set()}
    return Namespace(**given | others)


def test_a_loss_that_is_no_number_ends_the_run_by_name(there):
    with run.Run(options()) as this, pytest.raises(MinigradError, match=r"step 1: the loss g became nan; .*--anomaly"):
        this.log(1, g=float("nan"))
    *_, stopped, verdict = log.read("r/log.jsonl")
    assert stopped == {"step": 1, "event": "stopped", "name": "g", "value": "nan"} and verdict["number"] == 7


def test_failures_that_are_seen_at_once_are_each_said(there, capsys):
    with run.Run(options()) as this:
        this.history.write(1, grad={"G": None}, batch={"D": 128}, real={"images": 64})
    said = [line.split(": ")[2] for line in capsys.readouterr().out.splitlines()]
    found = [row["name"] for row in log.read("r/log.jsonl") if row.get("event") == "verdict"]
    assert said == found == ["not a number", "one batch for real and generated"]


def test_a_loss_of_a_whole_batch_is_refused(there):
    """What broadcasting (N,) against (N, 1) gives is no loss of GANs."""
    with run.Run(options()) as this:
        with pytest.raises(MinigradError, match=r"step 1: the loss d has the shape \(3, 3\); give its mean"):
            this.log(1, d=mg.ones(3) - mg.ones(3, 1))


def test_measures_and_plots_during_the_training_are_kept(there):
    with run.Run(options()) as this:
        this.keep(net=nn.Linear(1, 1))
        for step in this.steps():
            if step % 25 == 0:
                this.measure(step, width=step / 2, spread=np.float32(3))
            this.plot(step, lambda axes: axes.plot([0, step]), size=(2, 1))  # noqa: B023
        this.finish()
        assert [row["measure.width"] for row in this.rows if "measure.width" in row] == [12.5, 25, 37.5, 50]
    assert "measure.width,measure.spread" in Path("r/metrics.csv").read_text()
    assert len(list(Path("r/samples").glob("*.png"))) == 100 and Path("r/training.gif").exists()
    from PIL import Image

    with Image.open("r/samples/step-00000050.png") as picture:
        assert picture.size == (160, 80)


def test_a_picture_is_due_at_the_first_step_the_last_and_60_times_between(there):
    with run.Run(options(steps=1200)) as this:
        due = [step for step in range(1, 1201) if this.picture_due(step)]
    assert due == [1, *range(20, 1201, 20)]


# Phases


def grown(steps, resume=None, out="r", stop=None, seed=1):
    """A run whose network grows twice, as ProGAN's do: the phases end after steps 20, 40 and 60. Its weights' bytes."""
    net = None
    with run.Run(options(steps=steps, seed=seed, out=None if resume else out, resume=resume), save_every=7) as this:
        for width, end in ((1, 20), (2, 40), (3, 60)):
            old, net = net, nn.Linear(2, width)
            if old is not None:
                net.weight.data[:width - 1] = old.weight.data
            optimiser = optim.Adam(net.parameters(), 0.01)
            this.phase(f"{width} wide")
            this.keep(net=net, optimiser=optimiser)
            for step in this.steps(to=end):
                loss = (net(this.noise(step, 4, 2)) ** 2).mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                this.log(step, loss=loss)
                if step == stop:
                    raise ZeroDivisionError
    return net.weight.detach().numpy().tobytes()


@pytest.mark.parametrize("stop", [3, 7, 18, 21, 22, 28, 41, 42, 43, 59])
def test_a_run_in_phases_goes_on_in_the_one_that_it_was_saved_in(there, stop):
    whole = grown(60, out="whole")
    with pytest.raises(ZeroDivisionError):
        grown(60, stop=stop)
    if stop <= 7:
        assert not list(Path("r").glob("checkpoint/*.json"))
        return
    assert grown(60, resume="r") == whole
    assert Path("r/metrics.csv").read_text() == Path("whole/metrics.csv").read_text()
    events = [(row["event"], row["step"], row.get("name")) for row in log.read("r/log.jsonl") if "event" in row]
    assert [event for event in events if event[0] == "phase"] == [
        ("phase", 0, "1 wide"), ("phase", 20, "2 wide"), ("phase", 40, "3 wide")]


@pytest.mark.parametrize("length", [20, 40])
def test_a_run_that_ended_with_a_phase_goes_on_in_the_next(there, length):
    whole = grown(60, out="whole")
    grown(length)
    assert grown(60, resume="r") == whole


def test_a_phase_that_a_demo_does_not_have_is_refused(there):
    grown(60)
    with run.Run(options(steps=99, out=None, resume="r")) as this:
        this.phase("another")
        this.keep(net=nn.Linear(2, 3))
        with pytest.raises(CheckpointError, match="r: was saved in the phase .*3 wide.*which this demo does not have"):
            next(this.steps())
