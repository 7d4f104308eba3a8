"""The memory of a training step, op by op: what lives when, and who made it.

  python -m bench.memory [--case dcgan-64-narrow] [--step 2] [--json FILE] [--plot FILE.png]

After every forward, backward and update of the step: the bytes that are allocated in all, the most that there were
within it, and how much of them the results of each op are; what is left are weights, states, data and Python's own. On
the CPU, by tracemalloc, which sees NumPy's arrays. A measurement, not a test.
"""

import argparse
import sys
import tracemalloc
import weakref
from collections import Counter

import minigrad
from bench.keeping import keep, options
from bench.peers import start
from bench.steps import CASES
from minigrad.backend import owner
from minigrad.graph import Op
from minigrad.optim import Optimizer
from minigrad.profiling import arrays

MOST = 8  # ops with a colour of their own
REST = "weights, states, data and other"


class Watch:
    """Inside, each op adds a record: {"what", "live": bytes, "peak": bytes, "owned": {op: bytes}}. tracemalloc runs."""

    def __init__(self):
        self.records, self.owned, self.counted, self.depth = [], Counter(), set(), 0

    def __enter__(self):
        self.replaced = [(place, name, vars(place)[name]) for place, name in ((Op, "__call__"), (Optimizer, "step"))]
        (_, _, call), (_, _, step) = self.replaced

        def watched_call(op, *inputs):
            name = type(op).__name__
            result = self.run(name, call, op, *inputs)
            if getattr(result, "node", None) is op:
                backward = op.backward
                op.backward = lambda *given: self.run(f"{name}, backward", backward, *given)
            return result

        def watched_step(optimiser, *args, **options):
            return self.run(f"{type(optimiser).__name__}.step", lambda: step(optimiser, *args, **options))

        Op.__call__, Optimizer.step = watched_call, watched_step
        return self

    def __exit__(self, *exc):
        for place, name, before in self.replaced:
            setattr(place, name, before)

    def run(self, what, function, *args):
        """function(*args), and a record of it, unless it is a part of another that is under way."""
        if not self.depth:
            tracemalloc.reset_peak()
        self.depth += 1
        try:
            result = function(*args)
        finally:
            self.depth -= 1
        if not self.depth:
            for array in arrays(result):
                if hasattr(array, "base"):
                    self.count(what, owner(array))
            live, peak = tracemalloc.get_traced_memory()
            self.records.append({"what": what, "live": live, "peak": peak, "owned": dict(+self.owned)})
        return result

    def count(self, what, array):
        """Take the array's memory for what `what` made, as long as it lives."""
        key, size = id(array), array.nbytes
        if key in self.counted:
            return
        self.counted.add(key)
        self.owned[what] += size

        def forget():
            self.counted.discard(key)
            self.owned[what] -= size

        weakref.finalize(array, forget).atexit = False


def watch(case, step):
    """The records of step number `step` of a case, from 0 on."""
    start(minigrad, CASES[case].make)(0)  # whatever is loaded at the first step is not the step's
    running = tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        train = start(minigrad, CASES[case].make)
        for i in range(step):
            train(i)
        with Watch() as found:
            train(step)
    finally:
        if not running:
            tracemalloc.stop()
    return found.records


def table(records):
    """Where the step is at its largest: who made what lives then, the largest first."""
    top = max(records, key=lambda record: record["peak"])
    rows = sorted(top["owned"].items(), key=lambda item: -item[1])[:MOST]
    rows.append((REST, top["live"] - sum(size for _, size in rows)))
    lines = [f"{len(records)} ops; the most, {top['peak'] / 2**20:.1f} MiB, within {top['what']}, after which live:"]
    return "\n".join(lines + [f"  {size / 2**20:>8.2f} MiB  {name}" for name, size in rows])


def plot(case, records):
    """The bytes by op, one upon the other, over the ops of the step; the peak within each above them."""
    from matplotlib.figure import Figure

    most = Counter()
    for record in records:
        for name, size in record["owned"].items():
            most[name] = max(most[name], size)
    names = [name for name, _ in most.most_common(MOST)]
    parts = [[record["owned"].get(name, 0) / 2**20 for record in records] for name in names]
    rest = [record["live"] / 2**20 - sum(part[i] for part in parts) for i, record in enumerate(records)]
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    axes, places = figure.subplots(), range(len(records))
    axes.stackplot(places, rest, *parts, labels=[REST, *names], step="mid")
    axes.step(places, [record["peak"] / 2**20 for record in records], where="mid", color="black", linewidth=0.7,
              label="the most within the op")
    axes.set(title=f"{case}: the memory of one step", xlabel="forward, backward and update, in their order",
             ylabel="MiB", xlim=(0, len(records) - 1), ylim=(0, None))
    axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def main(argv=None):
    """Watch one step, print where it is largest, keep the records and the picture where files are named."""
    parser = argparse.ArgumentParser(prog="python -m bench.memory", description=__doc__.split("\n")[0])
    parser.add_argument("--case", choices=CASES, default="dcgan-64-narrow", metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--step", type=int, default=2, help="which step, from 0 on (2: states are there by then)")
    options(parser, plot=True)
    args = parser.parse_args(argv)
    if args.step < 0:
        parser.error("the step is 0 or more")
    records = watch(args.case, args.step)
    print(f"{args.case}: {table(records)}")
    keep(args, {"case": args.case, "step": args.step, "records": records}, lambda: plot(args.case, records))


if __name__ == "__main__":
    sys.exit(main())
