"""Plots: the losses of a run, with a caption that tells what they did, and any drawing as a picture."""

import numpy as np

from gans.machinery.pictures import write_atomically

COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:red", "tab:purple", "tab:brown", "tab:pink", "tab:olive")


def figure_of(size, rows=1, columns=1, **options):
    """(figure, axes) of so many inches, without a screen; several axes are an array (rows, columns).

    `options` are those of Figure.subplots: width_ratios, sharex, ...
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, **options)


def drawn(draw, size=(5, 5), dpi=80, rows=1, columns=1):
    """What `draw(axes)` draws as a picture, uint8 (H, W, 3), always of the same size.

    Of several rows and columns, axes are an array of them.

    >>> drawn(lambda axes: axes.plot([0, 1], [1, 0]), size=(3, 2), dpi=50).shape
    (100, 150, 3)
    """
    figure, axes = figure_of(size, rows, columns)
    figure.set_dpi(dpi)
    draw(axes)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()


def plot_losses(path, title, losses, ideals):
    """Losses over the steps, {name: (steps, values)}, with the ideal ones, {label: height}, as lines.

    Faint: as logged; strong: the mean over a twentieth of the run. Below stands what they did.
    """
    figure, axes = figure_of((9, 5))
    for colour, (name, (steps, values)) in zip(COLOURS, losses.items()):
        axes.plot(steps, values, color=colour, alpha=0.25, linewidth=0.7)
        axes.plot(steps, running_mean(values, max(1, len(values) // 20)), color=colour, label=name)
    for label, height in ideals.items():
        axes.axhline(height, color="black", linestyle="--", linewidth=1, label=label)
    axes.set(xlabel="step", ylabel="loss", title=title)
    heights = [height for _, values in losses.values() for height in np.quantile(values, (0.01, 0.99))]
    low, high = min([0, *ideals.values(), *heights]), max([*ideals.values(), *heights])
    axes.set_ylim(1.1 * low, 1.1 * high if high > low else 1)
    axes.legend(loc="best")
    figure.supxlabel(caption(losses, ideals), fontsize=9)
    return write_atomically(path, lambda p: figure.savefig(p, dpi=110))


def caption(losses, ideals):
    """What the losses did at the end of a run, in words: where D's are and G's, or else the mean of each."""
    ends = {name: float(np.mean(values[-max(1, len(values) // 10):])) for name, (_, values) in losses.items()}
    last = max(steps[-1] for steps, _ in losses.values())
    if not {"d_real", "d_fake", "g"} <= ends.keys():
        return f"At the end, step {last:,}: " + ", ".join(f"{name} {value:.3g}" for name, value in ends.items()) + "."
    d, g = (ends["d_real"] + ends["d_fake"]) / 2, ends["g"]
    if not ideals:
        return f"At the end, step {last:,}, D's losses hover at {d:.2f}, and G's at {g:.2f}."
    ideal = next(iter(ideals.values()))
    return (f"At the end, step {last:,}, D's losses hover at {d:.2f}, {side(d, ideal)} the ideal {ideal:.3f}, and G's "
            f"at {g:.2f}, {side(g, ideal)} it.")


def side(value, ideal):
    """On which side of the ideal a loss is."""
    if abs(value - ideal) < 0.005:
        return "at"
    return "below" if value < ideal else "above"


def running_mean(values, width):
    """The mean of the last `width` values (fewer at the start) at each place."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    end = np.arange(1, len(values) + 1)
    start = np.maximum(end - width, 0)
    return (total[end] - total[start]) / (end - start)
