"""A captured step beside the step itself, and beside `jax.jit` where JAX is installed: the same losses, then the times.

  python -m bench.capture [--cases 1010 mnist-batch-1] [--rounds 9] [--threads 2] [--json FILE]

Each way runs in a process of its own, from the same weights, on as many cores. The captured losses must equal the
step's to the last bit, and JAX's nearly; nothing is timed otherwise. Then they take turns, and a figure is the median
of the turns' ratios. The losses of each turn's last step are read, those before stay where they are. The seconds of the
first twelve steps, in which plans are made and JAX compiles, stand beside them. A benchmark, not a test.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import sys
import time

import numpy as np

from bench import peers
from bench.keeping import keep, options
from bench.steps import CASES

WAYS = "eager", "captured", "jax"
ALSO = "mnist-steady-64", "mnist-conv", "dcgan-64-narrow", "wgan-gp-critic"  # without a form in JAX
IN_JAX = "1010", "mnist-batch-1", "mnist-batch-64"


class Peer(peers.Peer):
    """A worker of this benchmark."""

    module = "bench.capture"


def worker(way, case, threads):
    """Serve one way: a number of steps in, a line of JSON out."""
    if hasattr(os, "sched_setaffinity"):  # which JAX heeds, too
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    step, done = ready(way, case), 0
    for line in sys.stdin:
        count = int(line)
        began, losses = time.perf_counter(), None
        if count < 0:  # compare: read them all
            losses = [[float(loss) for loss in step(i)] for i in range(done, done - count)]
        else:
            for i in range(done, done + count):
                last = step(i)
            losses = [[float(loss) for loss in last]]
        done += abs(count)
        print(json.dumps({"wall": time.perf_counter() - began, "losses": losses}), flush=True)


def ready(way, case):
    """The function step(i) of a way."""
    import minigrad

    if way == "jax":
        from bench.jitted import jitted

        return jitted(case)
    step = peers.start(minigrad, CASES[case].make)
    if way == "captured":
        step.learn = minigrad.capture(step.learn)
    return step


def rested(peer):
    """The peer, when the threads of the one before have stopped to wait for more work, which they do on a core."""
    time.sleep(0.2)
    return peer


def compare(case, rounds, threads, ways):
    """Check, then time, one case; a dict of figures."""
    (_, steps, checked), workers = CASES[case], [Peer(way, case, threads) for way in ways]
    try:
        first = [peer.ask(-max(12, checked)) for peer in workers]  # in which the plans are made
        losses = [answer["losses"] for answer in first]
        if losses[0] != losses[1]:
            raise SystemExit(f"{case}: the captured losses differ, so nothing is timed:\n{losses[0]}\n{losses[1]}")
        for way, found in zip(ways[2:], losses[2:]):
            if not np.allclose(losses[0][:checked], found[:checked], rtol=1e-3, atol=1e-5):
                raise SystemExit(f"{case}: the losses of {way} differ, so nothing is timed:\n{losses[0]}\n{found}")
        for peer in workers:
            peer.ask(max(1, steps // 4))
        turns = [[rested(peer).ask(steps)["wall"] / steps for peer in workers] for _ in range(rounds)]
    finally:
        for peer in workers:
            peer.close()
    row = {"case": case, "rounds": rounds, "threads": threads}
    for i, way in enumerate(ways):
        row[f"{way}_ms"] = statistics.median(turn[i] for turn in turns) * 1e3
        row[f"{way}_ready_s"] = first[i]["wall"]
        if way != "captured":
            ratios = [turn[i] / turn[1] for turn in turns]
            row |= {f"{way}_ratio": statistics.median(ratios), f"{way}_lowest": min(ratios),
                    f"{way}_highest": max(ratios)}
    return row


def main(argv=None):
    """Time the cases, print a table, keep the figures in a file if one is given."""
    parser = argparse.ArgumentParser(prog="python -m bench.capture", description=__doc__.split("\n")[0])
    parser.add_argument("--cases", nargs="+", choices=IN_JAX + ALSO, default=IN_JAX + ALSO, metavar="CASE",
                        help=", ".join(IN_JAX + ALSO))
    parser.add_argument("--rounds", type=int, default=9, help="turns of each way (9)")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="cores of each (%(default)s)")
    options(parser)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.rounds < 1 or args.threads < 1:
        parser.error("rounds and threads are 1 or more")
    if args.worker:
        return worker(args.worker, args.cases[0], args.threads)
    has_jax = importlib.util.find_spec("jax") is not None
    print("jax.jit beside it" if has_jax else "JAX is not installed (pip install jax): captured beside eager only")
    print(f"{'':16} {'captured ms':>12} {'ready s':>8}   {'eager ms':>9} {'times':>6} {'(range)':>15}   "
          f"{'jax ms':>9} {'times':>6} {'(range)':>15} {'ready s':>8}")
    rows = []
    for case in args.cases:
        row = compare(case, args.rounds, args.threads, WAYS if has_jax and case in IN_JAX else WAYS[:2])
        rows.append(row)
        line = ("{case:<16} {captured_ms:>12.4f} {captured_ready_s:>8.2f}   {eager_ms:>9.4f} {eager_ratio:>6.2f} "
                "({eager_lowest:>5.2f} - {eager_highest:>5.2f})")
        if "jax_ms" in row:
            line += "   {jax_ms:>9.4f} {jax_ratio:>6.2f} ({jax_lowest:>5.2f} - {jax_highest:>5.2f}) {jax_ready_s:>8.2f}"
        print(line.format(**row), flush=True)
    if args.json:
        about = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version(),
                 "numpy": np.__version__}
        if has_jax:
            about["jax"] = importlib.metadata.version("jax")
        keep(args, {"about": about, "cases": rows})
    return None


if __name__ == "__main__":
    sys.exit(main())
