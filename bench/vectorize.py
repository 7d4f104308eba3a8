"""The same work in three rungs: a loop in plain Python, NumPy, CuPy.

  python -m bench.vectorize [--size 512] [--batch 1024] [--json FILE] [--plot FILE]

A matrix product, a dense layer with its sigmoid, and a whole training step of the 1010 GAN (forward, backward, update;
by hand, without autograd, so that all three rungs do the same). Each rung's result is compared with the first's before
anything is timed. The last case is the same step on one sample:
an array of four numbers is not worth a call into NumPy, let alone onto a GPU.
"""

import argparse
import math
import os
import platform
import time

import numpy as np

from bench.keeping import keep, options


def matmul_loop(a, b):
    """a (n, k) times b (k, m), lists of lists."""
    columns = list(zip(*b))
    return [[sum(x * y for x, y in zip(row, column)) for column in columns] for row in a]


def dense_loop(x, w, b):
    """sigmoid(x w.T + b) for x (n, i), w (o, i), b (o,)."""
    return [[1 / (1 + math.exp(-(sum(u * v for u, v in zip(row, weights)) + bias))) for weights, bias in zip(w, b)]
            for row in x]


def dense_array(x, w, b):
    """The same on arrays."""
    return 1 / (1 + np.exp(-(x @ w.T + b)))  # on a CuPy array numpy.exp is CuPy's


class LoopGan:
    """One 1010 GAN on lists: every multiplication spelled out."""

    def __init__(self, weights, rate=0.01):
        self.weights, self.rate = [w.tolist() for w in weights], rate

    def backward(self, x, h, y, g, w2, w1=None):
        """Gradients of a two-layer sigmoid net: (dw1, db1, dw2, db2, dx) for one sample."""
        d2 = [gy * v * (1 - v) for gy, v in zip(g, y)]
        d1 = [sum(d2[o] * w2[o][k] for o in range(len(d2))) * h[k] * (1 - h[k]) for k in range(len(h))]
        dx = [sum(d1[k] * w1[k][i] for k in range(len(d1))) for i in range(len(x))] if w1 else None
        return [[d * v for v in x] for d in d1], d1, [[d * v for v in h] for d in d2], d2, dx

    def update(self, first, grads, n):
        """Weights first..first + 3 -= rate / n * the sum of the samples' gradients."""
        for offset in range(4):
            w = self.weights[first + offset]
            for g in grads:
                if offset % 2:
                    for o, v in enumerate(g[offset]):
                        w[o] -= self.rate / n * v
                else:
                    for row, values in zip(w, g[offset]):
                        for i, v in enumerate(values):
                            row[i] -= self.rate / n * v

    def discriminate(self, x, target):
        """(input, hidden, output, slope of the squared error) of D for one sample."""
        w1, b1, w2, b2 = self.weights[:4]
        h = dense_loop([x], w1, b1)[0]
        y = dense_loop([h], w2, b2)[0]
        return h, y, [2 * (y[0] - target)]

    def generate(self, z):
        """(hidden, output) of G."""
        w1, b1, w2, b2 = self.weights[4:]
        h = dense_loop([z], w1, b1)[0]
        return h, dense_loop([h], w2, b2)[0]

    def step(self, real, noise):
        """D on real, D on generated, G through D; real (n, 4), noise (n, 1) lists."""
        n = len(real)
        for samples, target in ((real, 1.0), ([self.generate(z)[1] for z in noise], 0.0)):
            grads = []
            for x in samples:
                h, y, g = self.discriminate(x, target)
                grads.append(self.backward(x, h, y, g, self.weights[2]))
            self.update(0, grads, n)
        grads = []
        for z in noise:
            hg, fake = self.generate(z)
            h, y, g = self.discriminate(fake, 1.0)
            dx = self.backward(fake, h, y, g, self.weights[2], self.weights[0])[4]
            grads.append(self.backward(z, hg, fake, dx, self.weights[6]))
        self.update(4, grads, n)


class ArrayGan:
    """The same GAN on arrays of NumPy or CuPy, a whole batch at once."""

    def __init__(self, weights, xp, rate=0.01):
        self.xp, self.weights, self.rate = xp, [xp.array(w) for w in weights], rate

    def forward(self, first, x):
        """(hidden, output) of the net whose weights start at `first`."""
        w1, b1, w2, b2 = self.weights[first:first + 4]
        h = dense_array(x, w1, b1)
        return h, dense_array(h, w2, b2)

    def backward(self, first, x, h, y, g, update=True):
        """Update the net by the gradient g of its output, or return that of its input."""
        w1, b1, w2, b2 = self.weights[first:first + 4]
        d2 = g * y * (1 - y)
        d1 = d2 @ w2 * h * (1 - h)
        if not update:
            return d1 @ w1
        for w, gradient in ((w1, d1.T @ x), (b1, d1.sum(0)), (w2, d2.T @ h), (b2, d2.sum(0))):
            w -= self.rate / len(x) * gradient
        return None

    def step(self, real, noise):
        """D on real, D on generated, G through D; real (n, 4), noise (n, 1) arrays."""
        for x, target in ((real, 1.0), (self.forward(4, noise)[1], 0.0)):
            h, y = self.forward(0, x)
            self.backward(0, x, h, y, 2 * (y - target))
        hg, fake = self.forward(4, noise)
        h, y = self.forward(0, fake)
        self.backward(4, noise, hg, fake, self.backward(0, fake, h, y, 2 * (y - 1.0), update=False))


def cupy_or_reason():
    """(cupy, None), or (None, why not)."""
    try:
        import cupy
    except ImportError:
        return None, "CuPy is not installed"
    try:
        cupy.zeros(1)
    except Exception as error:  # CuPy's error types depend on what is missing
        return None, f"no usable GPU ({type(error).__name__})"
    return cupy, None


def cases(size, batch):
    """(name, {rung: (function, arguments)} without CuPy, the arrays that CuPy would be given)."""
    rng = np.random.default_rng(0)
    a, b = rng.random((size, size)), rng.random((size, size))
    yield f"matrix product {size}x{size}", matmul_loop, lambda xp: (lambda x, y: x @ y), (a, b)
    x, w, bias = rng.random((64, 784)), rng.normal(size=(200, 784)) / 28, np.zeros(200)
    yield "dense layer 64x784 -> 200", dense_loop, lambda xp: dense_array, (x, w, bias)
    weights = [rng.normal(size=s) for s in ((3, 4), (3,), (1, 3), (1,), (3, 1), (3,), (4, 3), (4,))]
    for n in (batch, 1):
        real, noise = rng.random((n, 4)), np.full((n, 1), 0.5)

        yield (f"1010 GAN step, batch {n}", gan_step(LoopGan, weights), lambda xp: gan_step(ArrayGan, weights, xp),
               (real, noise))


def gan_step(make, *arguments):
    """A function (real, noise) that trains a new GAN for one step and returns its weights."""
    def step(real, noise):
        gan = make(*arguments)
        gan.step(real, noise)
        return gan.weights

    return step


def flat(result):
    """A result, an array or lists or a list of either, as one NumPy vector."""
    if hasattr(result, "get"):
        result = result.get()
    return np.concatenate([flat(part) for part in result]) if isinstance(result, list) else np.ravel(result)


def seconds(function, *arguments, budget=1.0, wait=lambda: None):
    """The shortest of several runs, in seconds: at least one run, as many as fit the budget."""
    best, spent = math.inf, 0.0
    while spent < budget:
        began = time.perf_counter()
        function(*arguments)
        wait()
        took = time.perf_counter() - began
        best, spent = min(best, took), spent + took
    return best


def measure(size, batch):
    """A row a case: name, seconds of each rung, ratios."""
    cupy, reason = cupy_or_reason()
    rows = []
    for name, loop, arrays, data in cases(size, batch):
        lists = [d.tolist() for d in data]
        expected = flat(loop(*lists))
        vectorised = arrays(np)
        np.testing.assert_allclose(flat(vectorised(*data)), expected, rtol=1e-9)
        row = {"case": name, "loop": seconds(loop, *lists), "numpy": seconds(vectorised, *data)}
        if cupy is not None:
            on_gpu, there = arrays(cupy), [cupy.asarray(d) for d in data]
            np.testing.assert_allclose(flat(on_gpu(*there)), expected, rtol=1e-9)
            row["cupy"] = seconds(on_gpu, *there, wait=cupy.cuda.get_current_stream().synchronize)
        row["numpy_times"] = row["loop"] / row["numpy"]
        row["cupy_times"] = row["loop"] / row["cupy"] if "cupy" in row else None
        rows.append(row)
    return rows, reason


def plot(rows):
    """The seconds of each rung as bars on a logarithmic scale."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.subplots()
    rungs = [rung for rung in ("loop", "numpy", "cupy") if rung in rows[0]]
    for k, rung in enumerate(rungs):
        width = 0.8 / len(rungs)
        bars = axes.bar(np.arange(len(rows)) + (k - (len(rungs) - 1) / 2) * width, [row[rung] for row in rows], width,
                        label={"loop": "Python loop", "numpy": "NumPy", "cupy": "CuPy"}[rung])
        if rung != "loop":
            axes.bar_label(bars, [f"{row['loop'] / row[rung]:,.2g}×" if row["loop"] < 10 * row[rung]
                                  else f"{row['loop'] / row[rung]:,.0f}×" for row in rows])
    axes.set(yscale="log", ylabel="seconds (log scale)", title="The same work, looped and vectorised (float64)",
             xticks=range(len(rows)), xticklabels=[row["case"] for row in rows])
    axes.tick_params(axis="x", labelsize=8)
    axes.legend()
    return figure


def main(argv=None):
    """Measure, print a table, keep the figures and a plot where files are named."""
    parser = argparse.ArgumentParser(prog="python -m bench.vectorize", description=__doc__.split("\n")[0])
    parser.add_argument("--size", type=int, default=512, help="of the square matrices (512)")
    parser.add_argument("--batch", type=int, default=1024, help="samples of the GAN step (1024)")
    options(parser, plot=True)
    args = parser.parse_args(argv)
    if args.size < 1 or args.batch < 1:
        parser.error("sizes are 1 or more")
    rows, reason = measure(args.size, args.batch)
    print(f"{'case':<28} {'Python loop':>12} {'NumPy':>12} {'times':>9} {'CuPy':>12} {'times':>9}")
    for row in rows:
        gpu = f"{row['cupy'] * 1e3:>9.3f} ms {row['cupy_times']:>8,.0f}x" if "cupy" in row else f"{'skipped':>12}"
        print(f"{row['case']:<28} {row['loop'] * 1e3:>9.2f} ms {row['numpy'] * 1e3:>9.3f} ms "
              f"{row['numpy_times']:>8,.1f}x {gpu}")
    if reason:
        print(f"CuPy skipped: {reason}")
    about = {"machine": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version(),
             "numpy": np.__version__, "cupy": reason or "used"}
    keep(args, {"about": about, "rows": rows}, lambda: plot(rows))


if __name__ == "__main__":
    main()
