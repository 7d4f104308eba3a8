"""The demos' training steps here and in PyTorch: the same weights, the same losses, then the times in alternation.

  python -m bench.peers [--cases 1010 mnist-batch-64] [--rounds 9] [--threads 2]

Each library runs in a process of its own, with the same number of threads. First both train a few steps from the same
weights, and their losses must agree; nothing is timed otherwise. Then they take turns, and the figure is the median of
the turns' ratios: machines drift, and a turn here and a turn there drift together. Peak memory is the process's largest
resident set, and, beside it, what training added to the imported library. A benchmark, not a test.
"""

import argparse
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from bench.steps import CASES

RESULTS = Path(__file__).parent / "results"
CHECKED = 5  # steps whose losses are compared


def worker(library, case, threads):
    """Serve one library: a line "losses N" or "time N" in, a line of JSON out."""
    torch = importlib.import_module(library)
    if library == "torch":
        torch.set_num_threads(threads)
    imported = peak_memory()
    networks, step = CASES[case][0](torch, lambda a: torch.tensor(np.asarray(a, np.float32)))
    rng = np.random.default_rng(1)
    for network in networks:
        network.load_state_dict({name: torch.tensor(initial(name, tuple(value.shape), rng))
                                 for name, value in network.state_dict().items()})
    done = 0
    for line in sys.stdin:
        what, count = line.split()
        began, losses = time.perf_counter(), []
        for _ in range(int(count)):
            result = step(done)
            done += 1
            if what == "losses":
                losses.append([loss.item() for loss in result])
        seconds = time.perf_counter() - began
        answer = {"losses": losses, "seconds": seconds, "peak": peak_memory(), "imported": imported}
        print(json.dumps(answer), flush=True)


def initial(name, shape, rng):
    """The value that a state-dict entry starts from, in both libraries."""
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if name.endswith("running_var"):
        return np.ones(shape, np.float32)
    if len(shape) < 2:
        return (rng.normal(size=shape) * 0.01 + name.endswith("weight")).astype(np.float32)
    return (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)


def peak_memory():
    """The largest resident set so far, in MiB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024) / 1024 ** (
        sys.platform == "darwin")


class Peer:
    """A worker process and the questions to it."""

    def __init__(self, library, case, threads):
        count = str(threads)
        environment = {**os.environ, "OMP_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count, "MKL_NUM_THREADS": count}
        self.process = subprocess.Popen([sys.executable, "-m", "bench.peers", "--worker", library, "--cases", case,
                                         "--threads", count], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=environment)

    def ask(self, what, count):
        """Let the worker do `count` steps; its answer."""
        self.process.stdin.write(f"{what} {count}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"the worker ended with status {self.process.wait()}; its error stands above")
        return json.loads(line)

    def close(self):
        """End the worker."""
        self.process.stdin.close()
        self.process.wait()


def compare(case, rounds, threads):
    """Check, then time, one case; a dict of figures."""
    here, there = Peer("minigrad", case, threads), Peer("torch", case, threads)
    a, b = here.ask("losses", CHECKED)["losses"], there.ask("losses", CHECKED)["losses"]
    if not np.allclose(a, b, rtol=1e-3, atol=1e-5):
        raise SystemExit(f"{case}: the losses differ, so nothing is timed:\nminigrad {a}\nPyTorch  {b}")
    steps = CASES[case][1]
    here.ask("time", steps // 4), there.ask("time", steps // 4)
    turns = [(here.ask("time", steps), there.ask("time", steps)) for _ in range(rounds)]
    ratios = [t["seconds"] / h["seconds"] for h, t in turns]
    last_here, last_there = turns[-1]
    here.close(), there.close()
    return {"case": case, "ratio": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios),
            "minigrad_ms": statistics.median(h["seconds"] for h, _ in turns) / steps * 1e3,
            "torch_ms": statistics.median(t["seconds"] for _, t in turns) / steps * 1e3,
            "minigrad_peak_mib": last_here["peak"], "torch_peak_mib": last_there["peak"],
            "minigrad_added_mib": last_here["peak"] - last_here["imported"],
            "torch_added_mib": last_there["peak"] - last_there["imported"], "rounds": rounds, "threads": threads}


def main(argv=None):
    """Time the cases, print a table, keep the figures in bench/results/peers.json."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__.split("\n")[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--rounds", type=int, default=9, help="turns of each library (9)")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="threads of each library (2)")
    parser.add_argument("--no-save", action="store_true", help="leave bench/results/peers.json as it is")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.worker:
        return worker(args.worker, args.cases[0], args.threads)
    if importlib.util.find_spec("torch") is None:
        raise SystemExit("bench.peers compares with PyTorch, which is not installed: pip install torch==2.13.0")
    print(f"{'case':<16} {'times as fast':>14} {'range':>14} {'ms here':>9} {'PyTorch':>9} {'MiB here':>16} "
          f"{'PyTorch':>16}")
    rows = []
    for case in args.cases:
        row = compare(case, args.rounds, args.threads)
        rows.append(row)
        print(f"{case:<16} {row['ratio']:>13.2f}x {row['lowest']:>6.2f} - {row['highest']:<5.2f} "
              f"{row['minigrad_ms']:>9.3f} {row['torch_ms']:>9.3f} "
              f"{row['minigrad_peak_mib']:>8.0f} (+{row['minigrad_added_mib']:<4.0f}) "
              f"{row['torch_peak_mib']:>8.0f} (+{row['torch_added_mib']:<4.0f})", flush=True)
    if not args.no_save:
        RESULTS.mkdir(exist_ok=True)
        about = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version(),
                 "numpy": np.__version__}
        (RESULTS / "peers.json").write_text(json.dumps({"about": about, "cases": rows}, indent=2) + "\n")
    return None


if __name__ == "__main__":
    sys.exit(main())
