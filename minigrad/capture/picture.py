"""Looking at a plan: where its time goes, and how its steps hang together."""

import time
from html import escape
from pathlib import Path

import numpy

from minigrad.capture.plan import traffic

ROW, LEFT, WIDE = 18, 260, 1180  # pixels: a step's height, the room for arcs, the width of the picture


def seconds(plan, repeats):
    """The least time of each step in some repetitions; the plan's state is put back afterwards."""
    state, best = plan.state(), numpy.full(len(plan.steps), numpy.inf)
    parts = ([part for part, _ in plan.machine.parts(each=True)] if plan.machine
             else [plan.source.compile(lines) for lines in plan.source.lines])
    nothing = min(took(lambda: None) for _ in range(100))
    try:
        with numpy.errstate(all="ignore"):
            for _ in range(repeats):
                best = numpy.minimum(best, [max(took(part) - nothing, 1e-9) for part in parts])
    finally:
        plan.restore(state)
    return best


def took(function):
    """The seconds that a call takes."""
    began = time.perf_counter_ns()
    function()
    return (time.perf_counter_ns() - began) / 1e9


class Profile:
    """Time and memory traffic of a plan by line of the user's program; printed as a table.

    `rows` are (line, what, calls, seconds, bytes), in the order of the program.
    """

    def __init__(self, plan, repeats):
        self.plan, rows = plan, {}
        self.steps = seconds(plan, repeats)
        for step, time_ in zip(plan.steps, self.steps):
            where = step.calls[-1].where
            row = rows.setdefault((str(where), where.module), [0, 0.0, 0])
            row[0], row[1], row[2] = row[0] + len(step.calls), row[1] + time_, row[2] + traffic(step)
        self.rows = [(line, module, *row) for (line, module), row in rows.items()]
        self.seconds = sum(self.steps)

    def __str__(self):
        lines = [f"{'us':>10} {'share':>6} {'MB':>9} {'calls':>6}  line"]
        for line, module, calls, time_, moved in sorted(self.rows, key=lambda row: -row[3]):
            lines.append(f"{time_ * 1e6:10.2f} {time_ / self.seconds:6.1%} {moved / 1e6:9.3f} {calls:6}  "
                         f"{module + ': ' if module else ''}{line}")
        return "\n".join([*lines, f"{self.seconds * 1e6:10.2f} {'100%':>6}"])


def flow(steps):
    """[(i, j)]: step j reads what step i wrote."""
    found, last = [], {}
    for j, step in enumerate(steps):
        for call in step.calls:
            for view in call.views:
                writers = {i for i, a, b in last.get(view.buffer, ()) if a < view.span[1] and view.span[0] < b}
                found += [(i, j) for i in writers if i != j]
        for call in step.calls:
            for view in call.outs:
                spans = [entry for entry in last.get(view.buffer, ())
                         if entry[2] <= view.span[0] or view.span[1] <= entry[1]]
                last[view.buffer] = [*spans, (j, *view.span)]
    return sorted(set(found))


def draw(profile, path):
    """An SVG of a plan: a row a step, with its time, and an arc from each step that writes to those that read."""
    steps, times = profile.plan.steps, profile.steps
    height, title = ROW * (len(steps) + 3), escape(f"{profile.plan!r}; bars: time of each step")
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDE}" height="{height}" font-family="monospace" '
           f'font-size="11"><title>{title}</title><rect width="100%" height="100%" fill="white"/>'
           f'<text x="8" y="{ROW}">{title}</text>']
    middle = lambda i: ROW * (i + 2.5)
    for i, j in flow(steps):
        bend = max(8, LEFT - 10 - 6 * abs(j - i))
        out.append(f'<path d="M{LEFT} {middle(i)} C{bend} {middle(i)} {bend} {middle(j)} {LEFT} {middle(j)}" '
                   'fill="none" stroke="#8aa" stroke-width="0.7"/>')
    for i, (step, seconds_) in enumerate(zip(steps, times)):
        where, last = step.calls[-1].where, step.calls[-1]
        colour = "#7ab" if step.loop else "#c86" if last.kind in ("product", "call") else "#9a7"
        what = f"loop over {step.size:,}: {', '.join(dict.fromkeys(call.name for call in step.calls))}" if step.loop \
            else f"{last.name} -> {last.outs[0].shape}"
        label = escape(f"{seconds_ * 1e6:.2f} us  {what}   [{' '.join(filter(None, where[2:]))}] {where.line}"[:130])
        out.append(f'<rect x="{LEFT}" y="{ROW * (i + 2) + 2}" width="{max(1, 200 * seconds_ / max(times)):.1f}" '
                   f'height="{ROW - 4}" fill="{colour}"/><text x="{LEFT + 208}" y="{middle(i) + 4}">{label}'
                   f"<title>{escape(str(where))}</title></text>")
    Path(path).write_text("\n".join([*out, "</svg>\n"]))
    return Path(path)
