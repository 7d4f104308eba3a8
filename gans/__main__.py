"""`python -m gans`: the chapters in the story's order, a line each; --check-all runs the acceptance of all of them."""

import argparse
import ast
import contextlib
import importlib
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gans.machinery.commandline import Parser, main, say
from gans.machinery.progress import duration

CHAPTERS = ("pattern1010", "xy", "ideal", "gaussian", "modes", "classifier", "mnist", "wgan", "ebgan", "cgan", "sgan",
            "infogan", "face", "dcgan", "progan", "latent", "inspect", "pix2pix", "cyclegan", "pixelcnn", "stacked")


def listing():
    """Each chapter's command and the first line of its file."""
    say("python -m gans.NAME runs a demo; python -m gans.NAME --help tells its options.\n")
    for name in CHAPTERS:
        title = ast.get_docstring(ast.parse((Path(__file__).parent / f"{name}.py").read_text())).splitlines()[0]
        say(f"  python -m gans.{name:<12} {title}")
    say("\npython -m gans.sample RUN makes samples of what was trained, python -m gans.measure RUN says how good they "
        "are,\npython -m gans.monitor RUN what goes on in it, python -m gans.report RUN shows it on a page,\n"
        "python -m gans.apply RUN FILE|FOLDER shows pictures to what was trained on pairs of them,\n"
        "python -m gans.hub list shows what was trained before;\npython -m gans --check-all [--quick] runs the "
        "acceptance of every demo, or a small form of it.")


def check(name, quick, folder):
    """Run a chapter's acceptance: [(PASS or FAIL, what, value, threshold)], and the seconds that it took.

    A chapter that ends otherwise is a FAIL with the last line that it said.
    """
    options = shlex.split(importlib.import_module(f"gans.{name}").QUICK) if quick else []
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", f"gans.{name}", "--check", *options, "--out", f"{folder}/{name}"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = [line.split(" ") for line in done.stdout.splitlines() if line.startswith(("PASS ", "FAIL "))]
    found = [(verdict, " ".join(what), value, threshold) for verdict, *what, value, threshold in lines]
    if done.returncode not in (0, 1) or not found:
        found.append(("FAIL", (done.stdout.splitlines() or ["nothing was said"])[-1], "-", "-"))
    return found, time.perf_counter() - began


def check_all(quick, out=None):
    """Print one table of all the chapters' figures; the exit status is 1 if one of them fails."""
    failed = 0
    with tempfile.TemporaryDirectory() if out is None else contextlib.nullcontext(out) as folder:
        for name in CHAPTERS:
            found, seconds = check(name, quick, folder)
            for verdict, what, value, threshold in found:
                say(f"{verdict}  {name:<12} {what:<32} {value:>10}  {threshold}")
            passed = sum(verdict == "PASS" for verdict, *_ in found)
            failed += passed < len(found)
            say(f"{'':<6}{name:<12} {passed} of {len(found)} in {duration(seconds)}")
    say(f"{len(CHAPTERS) - failed} of {len(CHAPTERS)} demos pass" + (", in their small form" if quick else ""))
    return 1 if failed else 0


def command(argv=None):
    """The command line; returns the exit status."""
    p = Parser(prog="python -m gans", usage="%(prog)s [--check-all [--quick]]", description="The demos, a line each.")
    p.add_argument("name", nargs="?", help=argparse.SUPPRESS)
    p.add_argument("--check-all", action="store_true", help="run the acceptance of every demo, and print one table")
    p.add_argument("--quick", action="store_true", help="in its small form, on drawn data where it learns from any")
    p.add_argument("--out", metavar="DIR", help="keep the runs in this folder")
    args = p.parse_args(argv)
    if args.name:
        p.error(f"there is no {args.name!r} to run like this: python -m gans.{args.name} runs a demo"
                if args.name in CHAPTERS else f"unknown: {args.name!r}; python -m gans lists the demos")
    if (args.quick or args.out) and not args.check_all:
        p.error("--quick and --out go with --check-all")
    if args.check_all:
        return check_all(args.quick, args.out)
    listing()
    return 0


if __name__ == "__main__":
    main(command)
