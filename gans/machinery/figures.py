"""The figures of single chapters: each is written from numbers to a PNG file, whose path is returned."""

import numpy as np

from gans.machinery.critics import GRID
from gans.machinery.pictures import write_atomically
from gans.machinery.plots import COLOURS, figure_of, running_mean


def written(path, figure):
    """Write a figure; returns the path."""
    return write_atomically(path, lambda p: figure.savefig(p, dpi=110))


def show(axes, picture, title):
    """A uint8 picture (H, W) or (H, W, 3) without ticks."""
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=9)
    axes.spines[:].set_visible(False)


def strip(images, edge=1):
    """Images (N, H, W) or (N, H, W, 3) side by side, each with a grey edge."""
    edges = ((0, 0), (edge, edge), (edge, edge), (0, 0))[:images[0].ndim + 1]
    return np.concatenate([*np.pad(images, edges, constant_values=64)], 1)


def data(path, images, labels):
    """One image as the numbers that it is; ten images of each class, and the mean of all of the class."""
    figure, (left, right) = figure_of((12, 5.2), 1, 2, width_ratios=[1, 1.15])
    one = images[np.flatnonzero(labels == 5)[0]]
    show(left, one, "one image: 28 x 28 numbers, 0 black to 255 white; its label: 5")
    for (i, j), value in np.ndenumerate(one):
        if value:
            left.text(j, i, value, ha="center", va="center", fontsize=3.6, color="black" if value > 127 else "white")
    rows = []
    for c in np.unique(labels):
        own = images[labels == c]
        rows.append(np.concatenate([*own[:10], np.full((28, 6), 128, np.uint8), own.mean(0).astype(np.uint8)], 1))
    show(right, np.concatenate([row for row in rows if row.shape[1] == rows[0].shape[1]]),
         "ten of each class, and the mean of all of the class")
    return written(path, figure)


def ladder(path, climbs, gains):
    """Each rung's accuracy, a dot a seed; beside it what each change gains, {name: (mean, half of an interval)}."""
    figure, (left, right) = figure_of((13, 5.2), 1, 2, width_ratios=[1, 1.1])
    for k, name in enumerate(climbs[0]):
        values = [100 * climb[name] for climb in climbs]
        left.plot(values, [k] * len(values), "o", markersize=4, color=_alone(name), alpha=0.6)
        left.text(100.6, k, f"{np.mean(values):.2f}", va="center", fontsize=8)
    left.set_yticks(range(len(climbs[0])), list(climbs[0]))
    left.set(xlabel="test images read right, %", title="Each rung, a dot a seed (orange: one change alone)")
    left.set_xlim(right=103)
    left.grid(axis="x", alpha=0.3)
    for k, (name, (mean, half)) in enumerate(gains.items()):
        half = np.nan_to_num(100 * half)
        right.barh(k, 100 * mean, xerr=half, color=_alone(name), alpha=0.8, capsize=3 if half else 0)
        right.text(max(100 * mean + half, 0) + 0.15, k, f"{100 * mean:+.2f}" + (f" ± {half:.2f}" if half else ""),
                   va="center", fontsize=8)
    right.set_yticks(range(len(gains)), list(gains))
    right.set(xlabel="gain over the rung before (over the start, if alone), points",
              title="What a change is worth within a seed" + (", with 95 % intervals" if len(climbs) > 1 else ""))
    right.margins(x=0.22)
    right.axvline(0, color="black", linewidth=0.8)
    left.invert_yaxis()
    right.invert_yaxis()
    return written(path, figure)


def _alone(name):
    return COLOURS[1] if "alone" in name else COLOURS[0]


def faint(axes, x, y, label, colour):
    """A line as it was logged, faint; its running mean, strong."""
    axes.plot(x, y, color=colour, alpha=0.25, linewidth=0.7)
    axes.plot(x, running_mean(y, max(1, len(y) // 20)), color=colour, label=label)


def errors(path, steps, values, baselines):
    """The error over the steps, shares, beside those {name: share} of what had the labelled images alone."""
    figure, axes = figure_of((9, 5))
    axes.plot(steps, 100 * np.array(values), "o-", color=COLOURS[0], label="with the images that have no label")
    for (name, value), colour in zip(baselines.items(), COLOURS[1:]):
        axes.axhline(100 * value, color=colour, linestyle="--", linewidth=1,
                     label=f"the labelled images alone: {name} {100 * value:.1f} %")
    axes.set(xlabel="step", ylabel="test images read wrong, %", title="What images without a label are worth")
    axes.set_ylim(0)
    axes.legend(fontsize=8)
    return written(path, figure)


def energies(path, losses, found, margin):
    """The energies over the steps, and their histograms at the end: {name: (N,)}, the last of which lies far out."""
    figure, (left, right) = figure_of((12, 4.6), 1, 2)
    for name, colour in (("real", COLOURS[0]), ("fake", COLOURS[1])):
        faint(left, *losses[name], name, colour)
    left.axhline(margin, color="black", linestyle="--", linewidth=1, label=f"margin {margin:g}")
    left.set(xlabel="step", ylabel="energy: squared error of redrawing",
             title="D lifts fakes to the margin and no further; reals sink to meet them")
    left.set_ylim(0, max(2.2 * margin, 1))
    left.legend(fontsize=8)
    *near, far = found
    bins = np.linspace(0, max(3 * margin, 1), 70)
    for name, colour in zip(near, COLOURS):  # not density=True, which fails where all energies lie further out
        each = np.full(len(found[name]), 1 / len(found[name]) / bins[1])
        right.hist(found[name], bins, weights=each, alpha=0.5, color=colour, label=name)
    right.axvline(margin, color="black", linestyle="--", linewidth=1)
    right.set(xlabel=f"energy ({far} lies far to the right, at {found[far].mean():.0f})", ylabel="density",
              title="At the end")
    right.legend(fontsize=8)
    return written(path, figure)


def redrawn(path, images, made):
    """Images {name: (N, 28, 28, 1)}, and below each of the first what was made of it, values (n, 784) in 0..1."""
    figure, axes = figure_of((7, 2.1 * len(images)), len(images))
    for panel, (name, values) in zip(axes, made.items()):
        below = np.rint(values * 255).astype(np.uint8).reshape(-1, 28, 28)
        show(panel, np.concatenate([strip(images[name][:len(below), ..., 0]), strip(below)]), f"{name}, and redrawn")
    return written(path, figure)


def critics(path, learnt, apart, measured, width=0.3):
    """What plain, clipped and penalised critics answer between two heaps; what two of them measure as the heaps part.

    Args:
        learnt: {recipe: critics.Learnt} between heaps that are 4 apart.
        apart: distances of heaps.
        measured: {recipe: [critics.Learnt at each of them]} of "plain" and "penalty".
    """
    figure, (top, middle, low) = figure_of((8.5, 10), 3, height_ratios=[1.3, 1, 1])
    for name, centre, grey in (("fakes", -2, "0.35"), ("reals", 2, "0.65")):
        top.fill_between(GRID, np.exp(-(GRID - centre) ** 2 / (2 * width ** 2)), color=grey, alpha=0.4, label=name)
    for (recipe, found), colour in zip(learnt.items(), COLOURS):
        answers, label = found.answers - found.answers[len(GRID) // 2], "penalised critic"
        if recipe == "clip":
            answers, label = answers * (4 / found.gap), f"clipped critic, times {4 / found.gap:.0f}"
        if recipe == "plain":
            answers, label = 1 / (1 + np.exp(-found.answers)), "plain D: its probability of real"
        top.plot(GRID, answers, color=colour, label=label)
        middle.plot(GRID, np.abs(np.gradient(answers, GRID)), color=colour, label=label)
    top.set(title="Between two heaps of numbers: what D and the critics answer", ylabel="answer (critics: 0 half way)")
    middle.axhline(1, color="black", linestyle="--", linewidth=1, label="slope 1")
    middle.set(xlabel="x", ylabel="|slope|: what G is told")
    middle.set_ylim(0, 2)
    apart, (blue, _, green) = np.array(apart), COLOURS[:3]
    low.plot(apart, [found.certainty for found in measured["plain"]], "o-", color=green,
             label="plain D: Jensen-Shannon divergence, from its loss")
    low.axhline(np.log(2), color=green, linestyle=":", label="ln 2: the most that a D can say")
    low.plot(apart, [found.gap for found in measured["penalty"]], "o-", color=blue, label="penalised critic: gap")
    low.plot(apart, apart * (1 + apart / 20), ":", color="black", label="the best gap, where slope is paid for by 10")
    low.plot(apart, apart, "--", color="black", linewidth=1, label="the Wasserstein distance")
    low.set(xlabel="distance between the heaps", ylabel="measured", title="As the heaps part, D has nothing to add")
    for axes in (top, middle, low):
        axes.legend(fontsize=8)
    return written(path, figure)


def gap(path, rows):
    """From the rows of a run: a critic's gap, the distance of the samples, and its slope, over the steps."""
    figure, (top, low) = figure_of((9, 7), 2, sharex=True)
    names = ["step", *(f"measure.{name}" for name in ("gap", "gap held out", "distance", "slope"))]
    steps, *columns = zip(*[[row[name] for name in names] for row in rows if names[-1] in row])
    top.plot(steps, columns[0], "o-", markersize=3, color=COLOURS[0], label="gap: images that are learnt from")
    top.plot(steps, columns[1], "s--", markersize=3, color=COLOURS[1], label="gap: images that were kept back")
    top.set(title="The critic's gap falls as the samples come nearer", ylabel="gap")
    top.set_ylim(min(0, *columns[0], *columns[1]))
    other = top.twinx()
    other.semilogy(steps, columns[2], color=COLOURS[2], label="Fréchet distance / noise's (right)")
    other.set_ylabel("Fréchet distance / noise's", color=COLOURS[2])
    handles = [*top.get_lines(), *other.get_lines()]
    top.legend(handles, [handle.get_label() for handle in handles], fontsize=8)
    low.plot(steps, columns[3], "o-", markersize=3, color=COLOURS[0])
    low.axhline(1, color="black", linestyle="--", linewidth=1)
    low.fill_between(steps, 0.8, 1.2, color="0.85")
    low.set(xlabel="step", ylabel="the critic's mean slope, half way between")
    low.set_ylim(0, max(2, 1.1 * max(columns[3])))
    return written(path, figure)


def sheets(path, drawn, size=None):
    """{title: (rows of images, each (n, H, W) or (n, H, W, 3), the name of each column)}, one below the other."""
    heights = [len(rows) / len(rows[0]) for rows, _ in drawn.values()]  # of rows as wide as the figure
    size = size or (8, 8 * sum(heights) + 0.35 * len(drawn))
    figure, axes = figure_of(size, len(drawn), height_ratios=heights)
    for panel, (title, (rows, names)) in zip(np.atleast_1d(axes), drawn.items()):
        show(panel, np.concatenate([strip(row) for row in rows]), title)
        width = rows[0].shape[2] + 2
        panel.set_xticks([width * k + width / 2 for k in range(len(names))], names, fontsize=8)
        panel.tick_params(length=0)
    return written(path, figure)


def nats(path, losses, costs, found):
    """What pictures cost over the steps, beside what test pictures do, {name: nats}; and each pixel of theirs, by name.

    `losses` are (steps, values); `costs` {name: (N, 1, 28, 28)}.
    """
    figure, panels = figure_of((4.4 * (1 + len(costs)), 4), 1, 1 + len(costs), width_ratios=[1.5] + [1] * len(costs))
    faint(panels[0], *losses, "pictures that are learnt from", COLOURS[0])
    for (name, value), colour in zip(found.items(), COLOURS[1:]):
        panels[0].axhline(value, color=colour, linestyle="--", linewidth=1, label=f"test, {name}: {value:.1f}")
    panels[0].set(xlabel="step", ylabel="nats a picture", title="What a picture costs")
    panels[0].set_ylim(0.8 * min(found.values()), 1.2 * max(found.values()))
    panels[0].legend(fontsize=8)
    maps = {name: each.mean((0, 1)) for name, each in costs.items()}
    for panel, (name, each) in zip(panels[1:], maps.items()):
        shown = panel.imshow(each, cmap="magma", vmin=0, vmax=np.log(2))
        panel.set(xticks=[], yticks=[])
        panel.set_title(name, fontsize=9)
    figure.colorbar(shown, ax=list(panels[1:]), label="nats of each pixel (ln 2: a coin)")
    return written(path, figure)


def codes(path, sweeps, names):
    """For each number of a code, images (kinds, steps, H, W): a row a kind, along which the number goes."""
    figure, axes = figure_of((6 * len(sweeps), 6.8), 1, len(sweeps))
    for number, (panel, images) in enumerate(zip(axes, sweeps)):
        _, steps, height, width = images.shape
        show(panel, np.concatenate([strip(row) for row in images]), f"number {number}, the rest of the seed unchanged")
        panel.set_xticks([(width + 2) * (k + 0.5) for k in range(steps)],
                         [f"{value:g}" for value in np.linspace(-2, 2, steps)], fontsize=8)
        panel.set_yticks([(height + 2) * (k + 0.5) for k in range(len(images))], names, fontsize=8)
        panel.tick_params(length=0)
        panel.set(xlabel=f"number {number}", ylabel="a row a kind, named by what most of it is read as")
    return written(path, figure)
