"""Captured steps against the steps themselves, to the last bit, at length.

  python -m tests.capture demos [--steps 1000] [--demos pattern1010 mnist ...]    each demo with --capture and without
  python -m tests.capture fuzz [--programs 1000] [--first 0]                      random networks, optimisers and steps
  python -m tests.capture page                                                    write the plan in docs/capture.md

`demos` trains each demo twice and compares metrics.csv, the samples' pictures and all that a checkpoint holds. `fuzz`
makes a training step from a number, captures it on both executors, and compares losses, parameters and the state of its
optimiser after each call. Both exit with 1 where a bit differs or a step is refused.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

DEMOS = {name: name.split() for name in (
    "pattern1010", "ideal", "gaussian", "gaussian --variant moments", "gaussian --variant row", "modes",
    "modes --data grid --loss wgan-gp", "modes --loss wgan", "modes --loss hinge --pack 2", "modes --loss ebgan",
    "modes --collapse", "modes --collapse --minibatch-discrimination", "modes --collapse --unrolled 3", "classifier",
    "mnist", "mnist --recipe book", "mnist --from-the-start", "wgan", "wgan --recipe clip", "wgan --recipe plain",
    "ebgan", "cgan", "cgan --labels projection", "sgan", "sgan --minibatch-discrimination",
    "face --data synthetic-faces --size 64 --penalty 1", "dcgan", "dcgan --data synthetic-faces --width 16")}
"""What `demos` compares: every chapter that can be captured, in each of its ways."""


def demos(names, steps):
    """Train each demo twice; returns how many differ."""
    import importlib
    from unittest import mock

    from gans.machinery import replay
    from gans.machinery.run import Run
    from minigrad import checkpoint

    class Trained(Exception):
        """Raised where a run would go on to judge its samples."""

    def stop(self, *_):
        raise Trained

    wrong = 0
    for name in names:
        demo, *options = DEMOS[name]
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(Run, "finish", stop):
            found, seconds, runs = [], [], []
            close = Run.close
            for capture in ([], ["--capture"]):
                out, began = Path(folder, "captured" if capture else "eager"), time.perf_counter()
                with mock.patch.object(Run, "close", lambda self: (runs.append(self), close(self))):  # noqa: B023
                    try:
                        importlib.import_module(f"gans.{demo}").demo(
                            [*options, "--steps", str(steps), "--out", str(out), *capture])
                    except Trained:
                        pass
                seconds.append(time.perf_counter() - began)
                found.append((replay.digest(checkpoint.load(out / "checkpoint").state["parts"]),
                              [path.read_bytes() for path in sorted((out / "samples").iterdir())],
                              losses(out / "metrics.csv")))
            same, replays = found[0] == found[1], sum(each.replays for each in runs[-1].captures)
            wrong += not same or not replays
            print(f"{'same' if same else 'DIFFERENT'}  {name:30} {steps:,} steps, {replays:,} replayed, "
                  f"{seconds[0]:.0f} s and {seconds[1]:.0f} s", flush=True)
    return wrong


PAGE = Path(__file__).parents[2] / "docs" / "capture.md"
BEGIN, END = "<!-- begin plan: python -m tests.capture page writes it -->\n", "<!-- end plan -->"


def plan_of_the_page(folder):
    """The text of the plan of the step that stands on the page, run in a folder."""
    import re
    import subprocess

    code, = re.findall(r"```python file=step\.py\n(.*?)```", PAGE.read_text(), re.S)
    Path(folder, "step.py").write_text(code + "print(step.plan.source.text())\n")
    command = [sys.executable, "step.py"]
    environment = {**os.environ, "PYTHONPATH": str(PAGE.parents[1])}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.rstrip() + "\n"


def page():
    """Write the plan into the page."""
    with tempfile.TemporaryDirectory() as folder:
        head, rest = PAGE.read_text().split(BEGIN)
        tail = rest.split(END)[1]
        PAGE.write_text(f"{head}{BEGIN}```python\n{plan_of_the_page(folder)}```\n{END}{tail}")


def losses(path):
    """The rows of metrics.csv without times and memory."""
    from gans.machinery.log import read_table

    return [{key: value for key, value in row.items() if not key.startswith("machine")} for row in read_table(path)]


def main(arguments=None):
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.capture", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("demos")
    one.add_argument("--steps", type=int, default=1000)
    one.add_argument("--demos", nargs="+", choices=list(DEMOS), default=list(DEMOS))
    commands.add_parser("page")
    other = commands.add_parser("fuzz")
    other.add_argument("--programs", type=int, default=1000)
    other.add_argument("--first", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.command == "demos":
        return 1 if demos(options.demos, options.steps) else 0
    if options.command == "page":
        return page()
    from tests.capture.programs import campaign

    return 1 if campaign(range(options.first, options.first + options.programs)) else 0


if __name__ == "__main__":
    sys.exit(main())
