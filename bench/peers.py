"""The demos' training steps here and in PyTorch: the same weights, the same losses, then the times in alternation.

  python -m bench.peers [--cases 1010 dcgan-64] [--rounds 9] [--threads 2] [--json FILE]

Each library runs in a process of its own, with the same number of threads. First both train a few steps from the same
weights, and their losses must agree; nothing is timed otherwise. Then they take turns, and the figure is the median of
the turns' ratios: machines drift, and a turn here and a turn there drift together. CPU time counts all threads, those
that wait by spinning too. Peak memory is the process's largest resident set, and, beside it, what training added to the
imported library. MINIGRAD_COMPILE=0 leaves minigrad's compiled loops out. A benchmark, not a test.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from bench.keeping import keep, options
from bench.steps import CASES
from minigrad.backend.compiled import compiler

LIBRARIES = "minigrad", "torch"


def worker(library, case, threads):
    """Serve one library: a number of steps in, a line of JSON out."""
    torch = importlib.import_module(library)
    if library == "torch":
        torch.set_num_threads(threads)
    imported = peak_memory()
    step, done = start(torch, CASES[case].make), 0
    for line in sys.stdin:
        began, used, first, done = time.perf_counter(), time.process_time(), done, done + int(line)
        losses = [[loss.item() for loss in step(i)] for i in range(first, done)]
        print(json.dumps({"wall": time.perf_counter() - began, "cpu": time.process_time() - used, "losses": losses,
                          "peak": peak_memory(), "imported": imported}), flush=True)


def start(torch, make):
    """The step function of a case, its networks' weights set to what they are in the other library too."""
    networks, step = make(torch, lambda a: torch.tensor(np.asarray(a, np.float32)))
    set_weights(torch, networks)
    return step


def set_weights(torch, networks):
    """Give networks weights that are the same in both libraries."""
    rng = np.random.default_rng(1)
    for network in networks:
        network.load_state_dict({name: torch.tensor(initial(name, tuple(value.shape), rng))
                                 for name, value in network.state_dict().items()})


def initial(name, shape, rng):
    """The value that a state-dict entry starts from, in both libraries."""
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if name.endswith("running_var"):
        return np.ones(shape, np.float32)
    value = rng.standard_normal(shape, np.float32)
    value *= 0.01 if len(shape) < 2 else math.prod(shape[1:]) ** -0.5
    value += len(shape) < 2 and name.endswith("weight")
    return value


def compiled_by():
    """What compiles minigrad's loops, such as "numba 0.61.0", or None."""
    return f"numba {importlib.metadata.version('numba')}" if compiler() else None


def peak_memory():
    """The largest resident set so far, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # first, because on Linux a process's ru_maxrss begins with its parent's
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


class Worker:
    """A process `python -m MODULE ...` with a number of threads, which answers a line of JSON with another."""

    def __init__(self, command, threads):
        count = str(threads)
        names = "MINIGRAD_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command, "--threads", count], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, cwd=Path(__file__).parents[1], env={**os.environ, **dict.fromkeys(names, count)})

    def ask(self, question):
        """The answer to anything that JSON can say."""
        try:
            self.process.stdin.write(f"{json.dumps(question)}\n")
            self.process.stdin.flush()
        except BrokenPipeError:  # it ended before; the empty line below tells
            pass
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the worker ended with status {self.process.wait()}; its error stands above")
        return json.loads(line)

    def close(self):
        """End the worker."""
        self.process.communicate()


class Peer(Worker):
    """A library that trains one case: asked for a number of steps, it does them. `module` is whose worker it is."""

    module = "bench.peers"

    def __init__(self, library, case, threads):
        super().__init__([self.module, "--worker", library, "--cases", case], threads)


def compare(case, rounds, threads):
    """Check, then time, one case; a dict of figures."""
    peers, (_, steps, checked) = [Peer(library, case, threads) for library in LIBRARIES], CASES[case]
    try:
        here, there = (peer.ask(checked)["losses"] for peer in peers)
        if not np.allclose(here, there, rtol=1e-3, atol=1e-5):
            raise SystemExit(f"{case}: the losses differ, so nothing is timed:\nminigrad {here}\nPyTorch  {there}")
        for peer in peers:
            peer.ask(steps // 4)
        turns = [[peer.ask(steps) for peer in peers] for _ in range(rounds)]
    finally:
        for peer in peers:
            peer.close()
    row = {"case": case, "rounds": rounds, "threads": threads}
    for clock, prefix in (("wall", ""), ("cpu", "cpu_")):
        ratios = [there[clock] / here[clock] for here, there in turns]
        row |= {f"{prefix}ratio": statistics.median(ratios), f"{prefix}lowest": min(ratios),
                f"{prefix}highest": max(ratios)}
        for i, library in enumerate(LIBRARIES):
            row[f"{library}_{prefix}ms"] = statistics.median(turn[i][clock] for turn in turns) / steps * 1e3
    for library, last in zip(LIBRARIES, turns[-1]):
        row |= {f"{library}_peak_mib": last["peak"], f"{library}_added_mib": last["peak"] - last["imported"]}
    return row


def main(argv=None):
    """Time the cases, print a table, keep the figures in a file if one is given."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__.split("\n")[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--rounds", type=int, default=9, help="turns of each library (9)")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1),
                        help="threads of each library (%(default)s)")
    options(parser)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.rounds < 1 or args.threads < 1:
        parser.error("rounds and threads are 1 or more")
    if args.worker:
        return worker(args.worker, args.cases[0], args.threads)
    if importlib.util.find_spec("torch") is None:
        raise SystemExit("bench.peers compares with PyTorch, which is not installed: pip install torch==2.13.0")
    loops = compiled_by()
    print(f"minigrad's loops are compiled by {loops}" if loops else
          "minigrad runs without compiled loops; they come with pip install minigrad[fast]")
    print(f"{'':15} {'wall: times as fast':>21} {'ms here':>9} {'PyTorch':>9}   {'CPU: times':>10} {'ms here':>9} "
          f"{'PyTorch':>9}   {'peak MiB here':>13} {'PyTorch':>13}")
    rows = []
    for case in args.cases:
        row = compare(case, args.rounds, args.threads)
        rows.append(row)
        print("{case:<15} {ratio:>6.2f} ({lowest:>5.2f} - {highest:>4.2f}) {minigrad_ms:>9.2f} {torch_ms:>9.2f}   "
              "{cpu_ratio:>10.2f} {minigrad_cpu_ms:>9.2f} {torch_cpu_ms:>9.2f}   "
              "{minigrad_peak_mib:>5.0f} (+{minigrad_added_mib:>4.0f}) "
              "{torch_peak_mib:>5.0f} (+{torch_added_mib:>4.0f})".format(**row), flush=True)
    if args.json:
        about = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version(),
                 "numpy": np.__version__, "torch": importlib.metadata.version("torch"), "loops": loops}
        keep(args, {"about": about, "cases": rows})
    return None


if __name__ == "__main__":
    sys.exit(main())
