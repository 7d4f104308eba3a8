"""The command line of the demos: what is wrong is said in one line, before anything is done."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gans import cgan, dcgan, face, mnist, pattern1010
from gans.machinery import commandline
from minigrad.backend.device import cuda_is_available
from minigrad.errors import MinigradError

WRONG = [(mnist, "--device tpu", "invalid choice: 'tpu'"), (mnist, "--steps 0", "0 is too small; give 1 or more"),
         (mnist, "--device cuda:7", "invalid choice: 'cuda:7' (choose from"),
         (mnist, "--batch x", "'x' is not an integer; give one of 1 or more"),
         (mnist, "--average 2", "2 is out of range; give 0 or more, and less than 1"),
         (mnist, "--penalty nan", "nan is out of range; give 0 or more"), (mnist, "--data faces", "invalid choice"),
         (mnist, "--samples 0", "0 is too small; give 1 or more"), (mnist, "--seed=-1", "-1 is too small"),
         (dcgan, "--lr fast", "'fast' is not a number; give one of 0 or more"),
         (dcgan, "--lr nan", "nan is out of range; give 0 or more"), (face, "--lr inf", "inf is out of range"),
         (face, "--penalty=-1", "-1 is out of range; give 0 or more"), (dcgan, "--size 0", "0 is too small"),
         (dcgan, "--beta1 1", "1 is out of range; give 0 or more, and less than 1"),
         (dcgan, "--average 1.5", "1.5 is out of range; give 0 or more, and less than 1"),
         (dcgan, "--norm layer", "invalid choice: 'layer'"), (face, "--limit 0", "0 is too small"),
         (face, "--background plaid", "'plaid' is no colour; give a name, say white, or #rrggbb"),
         (pattern1010, "--out=", "argument --out: '' is no folder; name one, or leave the option away"),
         (pattern1010, "--resume=", "argument --resume: '' is no folder"), (cgan, "--paper", "unrecognized arguments"),
         (pattern1010, "--batch 3", "unrecognized arguments: --batch 3")]


def said(demo, options, capsys):
    """The one line of a refusal."""
    with pytest.raises(SystemExit) as caught:
        commandline.main(lambda: demo(options))
    err = capsys.readouterr().err
    assert caught.value.code == 2 and err.count("\n") == 1, err
    return err


@pytest.mark.parametrize("demo, options, message", WRONG, ids=[options for _, options, _ in WRONG])
def test_the_command_line_says_what_is_wrong_in_one_line(there, demo, options, message, capsys):
    line = said(demo.demo, options.split(), capsys)
    assert options.split()[0].partition("=")[0] in line and message in line
    assert not os.listdir(there)


IDLE = [(mnist, "--recipe book --penalty 0.1", "--penalty: has no effect here, only with --recipe steady"),
        (mnist, "--from-the-start --average 0.9", "--average: has no effect here, only with --recipe steady"),
        (pattern1010, "--seeds 3", "--seeds: has no effect here, only with --check"),
        (face, "--data synthetic-faces --limit 9", "--limit: has no effect here, only with photographs"),
        (face, "--data synthetic-faces --background red", "--background: has no effect here, only with a folder"),
        (dcgan, "--data synthetic --strict", "--strict: has no effect here, only with a folder or zip of pictures"),
        (dcgan, "--data a.h5 --strict", "--strict: has no effect here, only with a folder or zip of pictures")]


@pytest.mark.parametrize("demo, options, message", IDLE, ids=[options for _, options, _ in IDLE])
def test_options_without_an_effect_are_refused_by_name(there, demo, options, message, capsys):
    assert f"error: {message}" in said(demo.demo, options.split(), capsys)
    assert not os.listdir(there)


@pytest.mark.skipif(cuda_is_available(), reason="there is a GPU")
def test_cuda_without_a_gpu_is_refused_in_one_line(there, capsys):
    line = said(mnist.demo, ["--device", "cuda"], capsys)
    assert "argument --device: cuda: no GPU can be used here; use --device cpu, or install CuPy" in line
    assert not os.listdir(there), "nor is a folder left behind"


def test_what_was_given_is_told_from_defaults():
    p = commandline.parser("mnist", "A title.\n", steps=5, batch=7)
    p.add_argument("--flag", action="store_true")
    args = commandline.parse(p, ["--batch", "7", "--flag"])
    assert args.given == {"batch", "flag"} and args.steps == 5
    commandline.only(args, ["steps"], False, "never")
    with pytest.raises(MinigradError, match="--flag: has no effect here, only with --more; leave it away"):
        commandline.only(args, ["flag"], False, "--more")


@pytest.mark.parametrize("options, command", [
    ("", ""), ("--x 3 --out there --check", "--x 3"), ("--name 'a b' --seed 7 --steps 9 --device cpu",
                                                            "--seed 7 --steps 9 --name 'a b'"),
    ("--bare --check", "--bare"), ("--long", "--long"), ("--kind short --resume --anomaly", "--kind short")])
def test_the_command_that_is_noted_gives_the_same_options_and_leaves_out_what_may_change(options, command):
    p = commandline.parser("toy", "A toy.", steps=5)
    p.add_argument("--x", type=int, default=1)
    p.add_argument("--name")
    p.add_argument("--bare", action="store_true")
    p.add_argument("--kind", choices=["short", "other"], default="other")
    p.add_argument("--long", dest="kind", action="store_const", const="long")
    words = shlex.split(options)
    found = commandline._command(p, p.parse_args(words), words)
    assert found == f"python -m gans.toy {command}".strip()
    shaping = [{name: value for name, value in vars(p.parse_args(line)).items()
                if name not in commandline.FREE or name == "steps"} for line in (words, shlex.split(found)[3:])]
    assert shaping[0] == shaping[1]


def test_errors_reach_the_user_as_one_line(there, capsys):
    def fail():
        raise OSError(28, "No space left on device", "runs/x/metrics.csv")

    with pytest.raises(SystemExit) as caught:
        commandline.main(fail)
    err = capsys.readouterr().err
    assert caught.value.code == 2 and err.count("\n") == 1 and "No space left on device" in err and "metrics.csv" in err


def test_a_reader_that_goes_away_is_no_error(there):
    environment = {**os.environ, "PYTHONPATH": str(Path(commandline.__file__).parents[2])}
    done = subprocess.run(["bash", "-c", f"{sys.executable} -m gans.pattern1010 --steps 20 | head -1"], cwd=there,
                          env=environment, capture_output=True, text=True)
    assert done.stdout.count("\n") == 1 and "rror" not in done.stderr
