"""How a step's time grows with its size: the exponent for batch, width, chain length and images, and what threads give.

  python -m bench.scaling [--cases batch chain] [--rounds 7] [--threads 2] [--json FILE] [--plot FILE]

Time = constant * size ** exponent, fitted to the upper half of the sizes by least squares of the logarithms; what
a step costs whatever its size makes the exponent smaller, nothing but a slip of the engine's (a search through all
nodes, a copy a node) makes it larger than 1. The size of a width is its number of weights. Sizes take turns, and each
counts with the shortest of its turns. Then the largest size of each case on one thread and on all, in processes of
their own: times as fast. A benchmark, not a test.
"""

import argparse
import json
import os
import statistics
import sys
import time

import numpy as np

import minigrad as torch
from bench.keeping import keep, options
from bench.peers import Worker

SECONDS = 0.05  # of a turn, about


def _array(*shape):
    return torch.tensor(np.random.default_rng(0).standard_normal(shape, np.float32))


def _training(net, x):
    """A step: forward, backward, an update of Adam."""
    optimiser = torch.optim.Adam(net.parameters(), 1e-4)

    def step():
        optimiser.zero_grad()
        net(x).square().mean().backward()
        optimiser.step()

    return step


def _dense(width, batch):
    nn = torch.nn
    return _training(nn.Sequential(nn.Linear(width, width), nn.LeakyReLU(0.2), nn.Linear(width, width)),
                     _array(batch, width))


def batch(n):
    """n rows through two layers of 512"""
    return _dense(512, n), n


def width(n):
    """64 rows through two layers of n"""
    return _dense(n, 64), n * n


def chain(n):
    """n ops one after the other on four numbers"""
    x = _array(4).requires_grad_()

    def step():
        y = x
        for _ in range(n):
            y = y * 0.999
        y.sum().backward()
        x.grad = None

    return step, n


def images(n):
    """n images of 32x32 through a convolution, batch norm and a convolution"""
    nn = torch.nn
    net = nn.Sequential(nn.Conv2d(3, 32, 4, 2, 1), nn.BatchNorm2d(32), nn.LeakyReLU(0.2), nn.Conv2d(32, 64, 4, 2, 1))
    return _training(net, _array(n, 3, 32, 32)), n


CASES = {"batch": (batch, (64, 128, 256, 512, 1024, 2048)), "width": (width, (64, 128, 256, 512, 1024, 2048)),
         "chain": (chain, (50, 100, 200, 400, 800, 1600)), "images": (images, (4, 8, 16, 32, 64, 128))}


def timed(step):
    """Seconds of one step, of as many as make a turn."""
    count, spent, began = 0, 0.0, time.perf_counter()
    while not count or spent < SECONDS:
        step()
        count += 1
        spent = time.perf_counter() - began
    return spent / count


def measure(name, rounds, sizes=None):
    """{"sizes", "seconds", "exponent"} of a case."""
    make, usual = CASES[name]
    made = [make(n) for n in sizes or usual]
    for step, _ in made:
        step()
    seconds = [min(turns) for turns in zip(*([timed(step) for step, _ in made] for _ in range(rounds)))]
    extents = [extent for _, extent in made]
    return {"sizes": list(sizes or usual), "extents": extents, "seconds": seconds,
            "exponent": exponent(extents, seconds)}


def exponent(extents, seconds):
    """The slope of log seconds over log extents, for the upper half of them."""
    half = len(extents) // 2
    return float(np.polyfit(np.log(extents[half:]), np.log(seconds[half:]), 1)[0])


def serve(name):
    """For each line that comes, the seconds of a step of the case's largest size."""
    make, sizes = CASES[name]
    step, _ = make(sizes[-1])
    step()
    for _ in sys.stdin:
        print(json.dumps(timed(step)), flush=True)


def with_threads(name, rounds, threads):
    """{"one": seconds, "all": seconds, "times": median ratio} of a case's largest size: one thread, and so many."""
    workers = [Worker(["bench.scaling", "--worker", name], count) for count in (1, threads)]
    try:
        turns = [[worker.ask(None) for worker in workers] for _ in range(rounds)]
    finally:
        for worker in workers:
            worker.close()
    return {"one": min(one for one, _ in turns), "all": min(many for _, many in turns),
            "times": statistics.median(one / many for one, many in turns)}


def plot(rows):
    """Seconds over size, both logarithmic, with the fitted line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(rows), 3.4), layout="constrained")
    for axes, row in zip(figure.subplots(1, len(rows), squeeze=False)[0], rows):
        extents, seconds = np.array(row["extents"], float), row["seconds"]
        axes.loglog(extents, seconds, "o")
        axes.loglog(extents, seconds[-1] * (extents / extents[-1]) ** row["exponent"], linewidth=0.8)
        axes.set(title=f"{row['case']}: exponent {row['exponent']:.2f}",
                 xlabel="weights" if row["case"] == "width" else row["case"])
    figure.axes[0].set_ylabel("seconds a step")
    return figure


def main(argv=None):
    """Time the cases, print a table, keep the figures and a plot where files are named."""
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__.split("\n")[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--rounds", type=int, default=7, help="turns of each size (7)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="all of them (%(default)s)")
    options(parser, plot=True)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.rounds < 1 or args.threads < 1:
        parser.error("rounds and threads are 1 or more")
    if args.worker:
        return serve(args.worker)
    rows = []
    for name in args.cases:
        make, _ = CASES[name]
        row = {"case": name, **measure(name, args.rounds), "threads": with_threads(name, args.rounds, args.threads)}
        rows.append(row)
        shown = ", ".join(f"{n}: {s * 1e3:.3g}" for n, s in zip(row["sizes"], row["seconds"]))
        print(f"{name:<7} {make.__doc__}; ms {shown}\n{'':<7} exponent {row['exponent']:.2f}; the largest on "
              f"{args.threads} threads {row['threads']['times']:.2f} times as fast as on one", flush=True)
    keep(args, {"threads": args.threads, "cases": rows}, lambda: plot(rows))
    return None


if __name__ == "__main__":
    sys.exit(main())
