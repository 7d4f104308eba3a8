"""Each op, forward and backward, beside PyTorch's and beside what its arithmetic costs in bare NumPy calls.

  python -m bench.ops [--ops conv2d softmax] [--size small large] [--rounds 7] [--threads 1] [--json FILE] [--plot FILE]

`small` arrays are of some hundred values, where a call's own cost is all there is; `large` ones do not fit into the
first caches. Each library runs in a process of its own. Values and gradients must agree before an op is timed; then
they take turns, and a figure is the median of the turns' ratios: times as fast as PyTorch, and the time of NumPy's
calls as a share of the forward's. NumPy has no figure where it takes more than a few calls. A benchmark, not a test.
"""

import argparse
import importlib
import importlib.util
import json
import os
import statistics
import sys
import time
from typing import NamedTuple

import numpy as np

from bench.keeping import keep, options
from bench.peers import Worker

SECONDS = 0.02  # of a turn, about
SIZES = "small", "large"


class Op(NamedTuple):
    """An op of `torch`, minigrad or PyTorch, applied to tensors of some shapes; `plain` is the same on arrays."""

    shapes: dict  # {"small": shapes, "large": shapes}
    apply: object  # (torch, *tensors) -> tensor
    plain: object = None  # (*arrays) -> array


def both(small, large):
    """The shapes of the two sizes."""
    return dict(zip(SIZES, (small, large)))


ONE = both([(8, 32)], [(64, 4096)])
TWO = both([(8, 32)] * 2, [(64, 4096)] * 2)
IMAGES = both([(2, 4, 8, 8)], [(32, 64, 16, 16)])


def _softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def _normalised(x, axes):
    d = x - x.mean(axes, keepdims=True)
    return d / np.sqrt((d * d).mean(axes, keepdims=True) + 1e-5)


OPS = {
    "add": Op(TWO, lambda torch, x, y: x + y, lambda x, y: x + y),
    "mul": Op(TWO, lambda torch, x, y: x * y, lambda x, y: x * y),
    "div": Op(TWO, lambda torch, x, y: x / (y * y + 1), lambda x, y: x / (y * y + 1)),
    "exp": Op(ONE, lambda torch, x: x.exp(), np.exp),
    "tanh": Op(ONE, lambda torch, x: x.tanh(), np.tanh),
    "sigmoid": Op(ONE, lambda torch, x: x.sigmoid(), lambda x: 1 / (1 + np.exp(-x))),
    "relu": Op(ONE, lambda torch, x: x.relu(), lambda x: np.maximum(x, 0)),
    "leaky_relu": Op(ONE, lambda torch, x: torch.nn.functional.leaky_relu(x, 0.2), lambda x: np.maximum(x, x * 0.2)),
    "sum": Op(ONE, lambda torch, x: x.sum(1), lambda x: x.sum(1)),
    "mean": Op(ONE, lambda torch, x: x.mean(), lambda x: x.mean()),
    "max": Op(ONE, lambda torch, x: x.max(1)[0], lambda x: x.max(1)),
    "softmax": Op(ONE, lambda torch, x: torch.softmax(x, 1), _softmax),
    "cat": Op(TWO, lambda torch, x, y: torch.cat([x, y], 1), lambda x, y: np.concatenate([x, y], 1)),
    "slice": Op(ONE, lambda torch, x: x[:, ::2] * 2, lambda x: x[:, ::2] * 2),
    "broadcast": Op(both([(8, 32), (32,)], [(64, 4096), (4096,)]), lambda torch, x, y: x * y, lambda x, y: x * y),
    "matmul": Op(both([(8, 32), (32, 8)], [(256, 512), (512, 256)]), lambda torch, x, y: x @ y, lambda x, y: x @ y),
    "linear": Op(both([(8, 32), (16, 32), (16,)], [(64, 784), (200, 784), (200,)]),
                 lambda torch, x, w, b: torch.nn.functional.linear(x, w, b), lambda x, w, b: x @ w.T + b),
    "conv2d": Op(both([(2, 4, 8, 8), (4, 4, 4, 4)], [(32, 32, 16, 16), (64, 32, 4, 4)]),
                 lambda torch, x, w: torch.nn.functional.conv2d(x, w, stride=2, padding=1)),
    "conv2d 3x3": Op(both([(2, 4, 8, 8), (4, 4, 3, 3)], [(32, 32, 16, 16), (32, 32, 3, 3)]),
                     lambda torch, x, w: torch.nn.functional.conv2d(x, w, padding=1)),
    "conv_transpose2d": Op(both([(2, 4, 4, 4), (4, 4, 4, 4)], [(32, 64, 8, 8), (64, 32, 4, 4)]),
                           lambda torch, x, w: torch.nn.functional.conv_transpose2d(x, w, stride=2, padding=1)),
    "max_pool2d": Op(IMAGES, lambda torch, x: torch.nn.functional.max_pool2d(x, 2),
                     lambda x: x.reshape(*x.shape[:2], x.shape[2] // 2, 2, -1, 2).max((3, 5))),
    "batch_norm": Op(IMAGES, lambda torch, x: torch.nn.functional.batch_norm(x, None, None, training=True),
                     lambda x: _normalised(x, (0, 2, 3))),
    "layer_norm": Op(ONE, lambda torch, x: torch.nn.functional.layer_norm(x, tuple(x.shape[1:])),
                     lambda x: _normalised(x, 1)),
    "mse_loss": Op(TWO, lambda torch, x, y: torch.nn.functional.mse_loss(x, y), lambda x, y: ((x - y) ** 2).mean()),
    "bce_with_logits": Op(ONE, lambda torch, x: torch.nn.functional.binary_cross_entropy_with_logits(
        x, torch.ones_like(x)), lambda x: np.logaddexp(0, -x).mean()),
}


def inputs(name, size):
    """The arrays of an op, float32, the same in every process."""
    rng = np.random.default_rng(sorted(OPS).index(name))
    return [rng.standard_normal(shape).astype(np.float32) for shape in OPS[name].shapes[size]]


def prepare(library, name, size):
    """(forward, backward, what both give) of an op in one library; NumPy has no backward."""
    op, arrays = OPS[name], inputs(name, size)
    if library == "numpy":
        return (lambda: op.plain(*arrays)), None, [op.plain(*arrays)]
    torch = importlib.import_module(library)
    tensors = [torch.tensor(array).requires_grad_() for array in arrays]
    y = op.apply(torch, *tensors)
    g = torch.ones_like(y)

    def backward():
        return torch.autograd.grad(y, tensors, g, retain_graph=True)

    return (lambda: op.apply(torch, *tensors)), backward, [t.detach().numpy() for t in (y, *backward())]


def projections(arrays):
    """A few numbers that tell arrays apart: each array along a direction of its own."""
    rng = np.random.default_rng(0)
    return [float(np.ravel(a) @ rng.standard_normal(np.size(a)) / max(1, np.size(a)) ** 0.5) for a in arrays]


def timed(function, count):
    """Seconds of one call, of so many."""
    began = time.perf_counter()
    for _ in range(count):
        function()
    return (time.perf_counter() - began) / count


def serve(library, threads):
    """Answer {"op", "size"} with what the op gives, and {"op", "size", "counts"} with seconds, line by line."""
    if library == "torch":
        importlib.import_module("torch").set_num_threads(threads)
    ready = {}
    for line in sys.stdin:
        question = json.loads(line)
        key = question["op"], question["size"]
        if key not in ready:
            ready = {key: prepare(library, *key)}
        forward, backward, given = ready[key]
        counts = question.get("counts")
        answer = projections(given) if counts is None else [
            timed(function, count) for function, count in zip((forward, backward), counts) if function]
        print(json.dumps(answer), flush=True)


def compare(name, size, workers, rounds):
    """A row of figures of one op, or SystemExit where the libraries differ."""
    workers = {library: worker for library, worker in workers.items() if library != "numpy" or OPS[name].plain}
    question = {"op": name, "size": size}
    given = {library: worker.ask(question) for library, worker in workers.items()}
    for library, values in given.items():
        if not np.allclose(given["minigrad"][:len(values)], values, rtol=1e-3, atol=1e-4):
            raise SystemExit(f"{name}, {size}: minigrad gives {given['minigrad']} and {library} {values} (values and "
                             "gradients, along a direction each), so nothing is timed")
    counts = {}
    for library, worker in workers.items():
        once = worker.ask({**question, "counts": [3, 3]})
        counts[library] = [max(1, int(SECONDS / took)) for took in once] + [1] * (2 - len(once))
    turns = [{library: worker.ask({**question, "counts": counts[library]}) for library, worker in workers.items()}
             for _ in range(rounds)]
    row = {"op": name, "size": size}
    for library in workers:
        for k, way in enumerate(("forward", "backward")[:len(turns[0][library])]):
            row[f"{library}_{way}_us"] = statistics.median(turn[library][k] for turn in turns) * 1e6
    if "torch" in workers:
        for k, way in enumerate(("forward", "backward")):
            row[f"{way}_ratio"] = statistics.median(turn["torch"][k] / turn["minigrad"][k] for turn in turns)
    if "numpy" in workers:
        row["numpy_share"] = statistics.median(turn["numpy"][0] / turn["minigrad"][0] for turn in turns)
    return row


def plot(rows):
    """Times as fast as PyTorch, a bar an op and way."""
    from matplotlib.figure import Figure

    sizes = [size for size in SIZES if any(row["size"] == size and "forward_ratio" in row for row in rows)]
    figure = Figure(figsize=(11, 1.5 + 3 * len(sizes)), layout="constrained")
    for axes, size in zip(figure.subplots(len(sizes) or 1, squeeze=False)[:, 0], sizes):
        shown = [row for row in rows if row["size"] == size]
        for k, way in enumerate(("forward", "backward")):
            axes.bar(np.arange(len(shown)) + 0.4 * k - 0.2, [row[f"{way}_ratio"] for row in shown], 0.4, label=way)
        axes.axhline(1, color="black", linewidth=0.8)
        axes.set(yscale="log", title=f"{size} arrays: times as fast as PyTorch", xticks=range(len(shown)))
        axes.set_xticklabels([row["op"] for row in shown], rotation=60, ha="right", fontsize=8)
        axes.legend()
    return figure


def main(argv=None):
    """Time the ops, print a table, keep the figures and a plot where files are named."""
    parser = argparse.ArgumentParser(prog="python -m bench.ops", description=__doc__.split("\n")[0])
    parser.add_argument("--ops", nargs="+", choices=OPS, default=list(OPS), metavar="OP", help=", ".join(OPS))
    parser.add_argument("--size", nargs="+", choices=SIZES, default=list(SIZES), help="of the arrays (both)")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each library (7)")
    parser.add_argument("--threads", type=int, default=1, help="threads of each library (1)")
    options(parser, plot=True)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.rounds < 1 or args.threads < 1:
        parser.error("rounds and threads are 1 or more")
    if args.worker:
        return serve(args.worker, args.threads)
    libraries = [name for name in ("minigrad", "torch", "numpy") if importlib.util.find_spec(name)]
    workers = {library: Worker(["bench.ops", "--worker", library], args.threads) for library in libraries}
    print(f"{'op':<18} {'size':<6} {'forward µs':>11} {'backward µs':>12} {'NumPy, share':>13} "
          f"{'× PyTorch: forward':>19} {'backward':>9}")
    rows = []
    try:
        for size in args.size:
            for name in args.ops:
                row = compare(name, size, workers, args.rounds)
                rows.append(row)
                print(f"{name:<18} {size:<6} {row['minigrad_forward_us']:>11.1f} {row['minigrad_backward_us']:>12.1f} "
                      + (f"{row['numpy_share']:>13.0%} " if "numpy_share" in row else f"{'':>14}")
                      + (f"{row['forward_ratio']:>19.2f} {row['backward_ratio']:>9.2f}" if "forward_ratio" in row
                         else ""), flush=True)
    finally:
        for worker in workers.values():
            worker.close()
    about = {"threads": args.threads, "rounds": args.rounds, "cores": os.cpu_count()}
    keep(args, {"about": about, "rows": rows}, lambda: plot(rows))
    return None


if __name__ == "__main__":
    sys.exit(main())
