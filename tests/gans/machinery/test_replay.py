"""--replay-step: any step of a run comes back to the bit, nothing is written, and a difference is noticed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gans import pattern1010
from gans.machinery import replay, run
from minigrad import checkpoint
from minigrad.errors import CheckpointError


def contents(folder):
    return {path: path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The folder of a run of 1,100 steps, saved after 1,000 and 1,100."""
    folder = tmp_path_factory.mktemp("run") / "r"
    pattern1010.demo(["--steps", "1100", "--out", str(folder)])
    return folder


@pytest.fixture
def finished(original, tmp_path, monkeypatch, capsys):
    """A working folder with a copy of that run in r."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(original, "r")
    capsys.readouterr()


def replayed(step, *options):
    with pytest.raises(SystemExit) as ended:
        pattern1010.demo(["--replay-step", str(step), "--resume", "r", *options])
    return ended.value.code


@pytest.mark.parametrize("step, start, rows", [(1100, 1001, 10), (1010, 1001, 1), (1000, 1, 101), (7, 1, 1)])
def test_a_step_comes_back_to_the_bit_and_nothing_is_written(finished, capsys, step, start, rows):
    before = contents(".")
    assert replayed(step) == 0 and contents(".") == before
    out = capsys.readouterr().out
    assert f"replaying step {step} of r, computed again from step {start} on" in out
    assert f"metrics.csv: {rows} of these steps are in it, all equal to the last digit" in out
    assert (f"the checkpoint of step {step}: equal to the last bit" in out) == (step in (1000, 1100))
    assert ("no checkpoint before step" in out) == (start == 1)


def test_the_gradients_are_shown_for_every_update_of_the_step(finished, capsys):
    replayed(1045)
    lines = capsys.readouterr().out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("gradient norms at"))
    assert lines[start].split()[-3:] == ["optimiser_d", "optimiser_d", "optimiser_g"]
    rows = {line.split()[0]: line.split()[-3:] for line in lines[start + 1:]}
    assert len(rows) == 9 and rows["D.0.weight"][2] == "-" and rows["G.2.bias"][:2] == ["-", "-"]
    squares = sum(float(row[0]) ** 2 for name, row in rows.items() if name.startswith("D."))
    assert float(rows["all"][0]) == pytest.approx(squares ** 0.5, rel=1e-4) and squares > 0


def test_the_norms_are_those_of_the_gradients(finished, capsys):
    pattern1010.demo(["--steps", "1044", "--out", "other"])
    args = pattern1010.parser("pattern1010", "", steps=1).parse_args(["--steps", "1045", "--resume", "other"])
    again = run.Run(args)
    pattern1010.train(again)  # G's gradients of the last step are still there
    expected = [f"{p.grad.norm().item():.6g}" for p in again.parts["G"].parameters()]
    capsys.readouterr()
    replayed(1045)
    shown = [line.split()[-1] for line in capsys.readouterr().out.splitlines() if line.startswith("G.")]
    assert shown == expected


def test_a_replay_that_differs_says_so_and_fails(finished, capsys):
    text = Path("r/metrics.csv").read_text().splitlines()
    row = text[-1].split(",")
    text[-1] = ",".join([row[0], "0.5", *row[2:]])
    Path("r/metrics.csv").write_text("\n".join(text) + "\n")
    assert replayed(1100) == 1
    assert "step 1100 differs: {'step': 1100, 'd_real': 0.5" in capsys.readouterr().out


def test_without_a_run_or_with_other_options_it_says_so(tmp_path, finished):
    with pytest.raises(CheckpointError, match="was made with --seed 1, not 3"):
        pattern1010.demo(["--replay-step", "5", "--resume", "r", "--seed", "3"])
    with pytest.raises(CheckpointError, match="no run of this demo has a checkpoint"):
        pattern1010.demo(["--replay-step", "5"])
    with pytest.raises(CheckpointError, match="nowhere: there is no such folder"):
        pattern1010.demo(["--replay-step", "5", "--resume", "nowhere"])


def test_a_damaged_early_checkpoint_is_done_without(finished, capsys):
    (Path("r/checkpoint") / "step-00001000.json").write_text("damaged")
    assert replayed(1100) == 0
    assert "computed again from step 1 on" in capsys.readouterr().out


def test_the_digest_is_of_the_arrays_alone(finished):
    state = checkpoint.load("r/checkpoint").state["parts"]
    first = replay.digest(state)
    assert first == replay.digest(dict(reversed(state.items())))
    state["D"]["0.weight"].array[0, 0] += 1
    assert first != replay.digest(state)


def test_a_reader_that_goes_away_is_no_error(finished):
    command = f"{sys.executable} -m gans.pattern1010 --replay-step 1100 --resume r | head -1"
    environment = {**os.environ, "PYTHONPATH": str(Path(run.__file__).parents[2])}
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True)
    assert "replaying step 1100" in done.stdout and "error" not in done.stderr
