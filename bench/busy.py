"""What a busy machine does to the training steps: beside other processes that never rest, here and in PyTorch.

  python -m bench.busy [--cases mnist-steady-64 dcgan-64] [--beside 2] [--rounds 5] [--threads 2] [--json FILE]

Threads that wait for each other suffer most where they do not find a core of their own. Each library runs in a process
of its own; it is timed quiet, then beside so many processes that only count, and again, in turn. The figure is the
median of the turns' ratios, busy to quiet. Two threads on two cores, beside two other processes, have half of the
machine: a step that needs all of it takes twice its time at best. A benchmark, not a test; it wants a machine that is
quiet but for itself.
"""

import argparse
import contextlib
import importlib.util
import statistics
import subprocess
import sys

from bench.keeping import keep, options
from bench.peers import LIBRARIES, Peer
from bench.steps import CASES


@contextlib.contextmanager
def busy(count):
    """Inside, `count` processes, those that it gives, keep a core each busy."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield others
    finally:
        for other in others:
            other.kill()
            other.wait()


def measure(library, case, beside, rounds, threads):
    """{"quiet": ms, "busy": ms, "ratio": median, "lowest", "highest"} of a library's steps."""
    peer, steps = Peer(library, case, threads), CASES[case].steps
    try:
        peer.ask(max(1, steps // 4))
        turns = []
        for _ in range(rounds):
            quiet = peer.ask(steps)["wall"]
            with busy(beside):
                turns.append((quiet, peer.ask(steps)["wall"]))
    finally:
        peer.close()
    ratios = [loud / quiet for quiet, loud in turns]
    return {"quiet": statistics.median(quiet for quiet, _ in turns) / steps * 1e3,
            "busy": statistics.median(loud for _, loud in turns) / steps * 1e3,
            "ratio": statistics.median(ratios), "lowest": min(ratios), "highest": max(ratios)}


def main(argv=None):
    """Time the cases, print a table, keep the figures in a file if one is given."""
    parser = argparse.ArgumentParser(prog="python -m bench.busy", description=__doc__.split("\n")[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--beside", type=int, default=2, help="processes that keep a core busy (2)")
    parser.add_argument("--rounds", type=int, default=5, help="turns, quiet and busy (5)")
    parser.add_argument("--threads", type=int, default=2, help="threads of each library (2)")
    options(parser)
    args = parser.parse_args(argv)
    if min(args.beside, args.rounds, args.threads) < 1:
        parser.error("beside, rounds and threads are 1 or more")
    libraries = [name for name in LIBRARIES if importlib.util.find_spec(name)]
    print(f"{'':16}" + "".join(f"{name + ': quiet ms':>18} {'busy ms':>9} {'times':>6}" for name in libraries))
    rows = []
    for case in args.cases:
        found = {name: measure(name, case, args.beside, args.rounds, args.threads) for name in libraries}
        rows.append({"case": case, **found})
        print(f"{case:16}" + "".join("{quiet:>18.2f} {busy:>9.2f} {ratio:>6.2f}".format(**f) for f in found.values()),
              flush=True)
    keep(args, {"beside": args.beside, "threads": args.threads, "cases": rows})


if __name__ == "__main__":
    main()
