"""`python -m bench`: the benchmarks, a line each; all of them in turn; and the tables that are made of their figures.

  python -m bench                        what there is
  python -m bench --all --out FOLDER     run each that this machine can, its figures and plots into the folder
  python -m bench --readme               write the tables of README.md and docs/performance.md anew
  python -m bench --check-readme         fail where they are not what bench/results says
"""

import argparse
import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

from bench import tables

NEEDS = {"peers": "torch", "gpu": "cupy"}  # without which a benchmark says nothing
HERE = Path(__file__).parent


def benchmarks():
    """{name: what its file says first} of all benchmarks."""
    found = {}
    for path in sorted(HERE.glob("*.py")):
        source = path.read_text()
        if "def main(" in source and path.stem != "__main__":
            found[path.stem] = ast.get_docstring(ast.parse(source)).splitlines()[0]
    return found


def run_all(folder):
    """Run each in a process of its own; the exit status: 1 if one of them failed."""
    failed = []
    for name in benchmarks():
        missing = NEEDS.get(name)
        if missing and importlib.util.find_spec(missing) is None:
            print(f"bench.{name}: skipped, {missing} is not installed", flush=True)
            continue
        where = ["--json", folder / f"{name}.json"]
        if "options(parser, plot=True)" in (HERE / f"{name}.py").read_text():
            where += ["--plot", folder / f"{name}.png"]
        print(f"bench.{name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"bench.{name}", *map(str, where)], cwd=HERE.parent).returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return int(bool(failed))


def main(argv=None):
    """Print each benchmark's command and the first line of its file, or do as the option says."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.split("\n")[0])
    parser.add_argument("--all", action="store_true", help="run them all; most of an hour")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where --all writes figures and plots")
    parser.add_argument("--readme", action="store_true", help="write the tables of README.md and docs/performance.md")
    parser.add_argument("--check-readme", action="store_true", help="fail where those tables are stale")
    args = parser.parse_args(argv)
    if args.all != (args.out is not None):
        parser.error("--all and --out FOLDER go together")
    if args.all:
        args.out.mkdir(parents=True, exist_ok=True)
        return run_all(args.out.resolve())
    if args.check_readme:
        old = tables.stale()
        if old:
            print(f"{', '.join(old)}: the tables are not what bench/results says; run python -m bench --readme")
        return int(bool(old))
    if args.readme:
        print("\n".join(f"wrote {name}" for name in tables.write()) or "the tables are as they should be")
        return 0
    print("python -m bench.NAME runs a benchmark; python -m bench.NAME --help tells its options.\n")
    for name, what in benchmarks().items():
        print(f"  python -m bench.{name:<12} {what}")
    print("\npython -m bench --all --out FOLDER runs them all; --help tells of the tables in README.md.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
