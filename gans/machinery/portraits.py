"""Phase portraits: where a game of two numbers pushes from each place, and the way that it takes from one of them.

What stands still, axes, arrows and titles, is drawn once; a frame only adds the ways so far.
"""

import numpy as np

import minigrad as mg
from gans.machinery.plots import figure_of

COLOURS = {"leaves": "#c0392b", "circles": "#5d6d7e", "arrives": "#1e8449"}
OTHER = "#b9770e"
TAIL = 25  # steps of a way that are drawn strongly


class Portraits:
    """A panel for each game {name: field} of a run, and a last one with the radius of every way over the steps.

    `field(u, v)` tells where the places (u, v), tensors (N, 1) that want gradients, are pushed to; `fates` says for
    some games what becomes of them (the others circle). The ways themselves are in the run's log, so that they go on
    when it does.
    """

    def __init__(self, run, fields, fates, columns=4, limit=1.5):
        self.run, self.names, rows = run, [*fields], -(-(len(fields) + 1) // columns)
        self.figure, axes = figure_of((2.5 * columns, 2.7 * rows), rows, columns)
        self.figure.set_dpi(80)
        *places, last = np.ravel(axes)[:len(fields) + 1]
        self.hues = {name: COLOURS.get(fates.get(name, "circles"), OTHER) for name in fields}
        self.moving = {name: self._panel(ax, f"{name}: {fates.get(name, 'circles')}", self.hues[name], field, limit)
                       for ax, (name, field) in zip(places, fields.items())}
        self.curves = {name: last.plot([], [], color=hue, linewidth=1)[0] for name, hue in self.hues.items()}
        last.set(xlim=(0, run.args.steps), ylim=(1e-3, 30), yscale="log", xlabel="step", title="Distance from (0, 0)")
        self.figure.canvas.draw()
        self.figure.set_layout_engine("none")
        self.still = self.figure.canvas.copy_from_bbox(self.figure.bbox)

    def _panel(self, ax, title, hue, field, limit):
        """Draw what stands still; what moves is returned: the way, its end, its start, where it is."""
        u, v = np.meshgrid(*[np.linspace(-limit, limit, 13)[1:-1]] * 2)
        push = field(*(mg.tensor(w.reshape(-1, 1), requires_grad=True) for w in (u, v)))
        arrows = np.array([w.detach().numpy().reshape(u.shape) for w in push])
        arrows /= np.hypot(*arrows) ** 0.6 + 1e-9  # so that the short ones are seen, too
        ax.quiver(u, v, *arrows, color="#c4cad0", pivot="mid", width=0.006)
        ax.plot(0, 0, "+", color="black", markersize=12)
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xlabel="x, or θ",
               ylabel="y, or ψ: D's slope")
        ax.label_outer()
        ax.set_title(title, fontsize=10, color=hue)
        return [*ax.plot([], [], color=hue, linewidth=0.8, alpha=0.6), *ax.plot([], [], color=hue, linewidth=2.4),
                *ax.plot([], [], "o", color="white", markeredgecolor=hue, markersize=7),
                *ax.plot([], [], "o", color=hue)]

    def go_on(self, step, pairs):
        """Note where {name: pair of x and y} are after a step, and draw it if a picture is due."""
        self.run.measure(step, **{f"{name} {axis}": getattr(pair, axis).item()
                                  for name, pair in pairs.items() for axis in "xy"})
        if self.run.picture_due(step):
            self.run.picture(step, self.frame(self.ways()))

    def ways(self):
        """{name: its way so far, (n, 2)}."""
        rows = self.run.rows
        return {name: np.array([[row[f"measure.{name} {axis}"] for axis in "xy"] for row in rows])
                for name in self.names}

    def frame(self, ways):
        """A picture of these ways, uint8 (H, W, 3)."""
        self.figure.canvas.restore_region(self.still)
        for name, way in ways.items():
            whole, recent, start, now = self.moving[name]
            for line, part in ((whole, way), (recent, way[-TAIL:]), (start, way[:1]), (now, way[-1:])):
                line.set_data(*part.T)
            self.curves[name].set_data(np.arange(len(way)), np.hypot(*way.T))
            for artist in (*self.moving[name], self.curves[name]):
                artist.axes.draw_artist(artist)
        return np.asarray(self.figure.canvas.buffer_rgba())[..., :3].copy()
