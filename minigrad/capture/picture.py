"""Looking at a plan: where its time goes, and how its steps hang together."""

import time
from html import escape
from pathlib import Path

import numpy

from minigrad.capture.plan import traffic

ROW, LEFT, WIDE = 18, 260, 1180  # pixels: a step's height, the room for arcs, the width of the picture


def seconds(plan, repeats):
    """The least time of each step in some repetitions; the plan's state is put back afterwards."""
    state, clock, best = plan.state(), numpy.zeros((len(plan.steps) + 1, 2), numpy.int64), None
    if plan.machine:
        parts = [part for part in plan.machine.parts(clock)]
    else:
        parts = [plan.source.compile(lines) for lines in plan.source.lines]
    try:
        for _ in range(repeats):
            now = timed(plan, parts, clock)
            best = now if best is None else numpy.minimum(best, now)
    finally:
        plan.restore(state)
    return best


def timed(plan, parts, clock):
    """Run a plan once; the seconds of each step."""
    last, ends, i = time.clock_gettime_ns(time.CLOCK_MONOTONIC), [], 0
    start = last
    with numpy.errstate(all="ignore"):
        for part in parts:
            part()
            now = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            if plan.machine and not callable(plan.machine.items[i]):
                while i < len(plan.steps) and not callable(plan.machine.items[i]):
                    ends.append(int(clock[i, 0]) * 10**9 + int(clock[i, 1]))
                    i += 1
            else:
                ends.append(now)
                i += 1
    return numpy.diff([start, *ends]) / 1e9


class Profile:
    """Time and memory traffic of a plan by line of the user's program; printed as a table.

    `rows` are (line, what, calls, seconds, bytes), in the order of the program.
    """

    def __init__(self, plan, repeats=20):
        rows = {}
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


def draw(plan, path, profile=None):
    """An SVG of the plan: a row a step, as wide as its time or its bytes, and an arc from each writer to its readers."""
    steps = plan.steps
    weights = [traffic(step) for step in steps] if profile is None else list(profile.steps)
    most, height = max(weights, default=1) or 1, ROW * (len(steps) + 3)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDE}" height="{height}" font-family="monospace" '
           f'font-size="11"><title>{escape(plan_title(plan))}</title><rect width="100%" height="100%" fill="white"/>'
           f'<text x="8" y="{ROW}">{escape(plan_title(plan))}; bars: '
           f'{"bytes" if profile is None else "time"} of each step</text>']
    middle = lambda i: ROW * (i + 2.5)
    for i, j in flow(steps):
        bend = LEFT - min(LEFT - 8, 10 + 6 * abs(j - i))
        out.append(f'<path d="M{LEFT} {middle(i)} C{bend} {middle(i)} {bend} {middle(j)} {LEFT} {middle(j)}" '
                   'fill="none" stroke="#8aa" stroke-width="0.7"/>')
    for i, (step, weight) in enumerate(zip(steps, weights)):
        call = step.calls[-1]
        colour = "#7ab" if step.loop else "#c86" if call.kind in ("product", "call") else "#9a7"
        names = list(dict.fromkeys(c.name for c in step.calls))
        what = f"loop over {step.size:,}: {', '.join(names)}" if step.loop else f"{call.name} -> {call.outs[0].shape}"
        label = f"{what}   [{' '.join(filter(None, (call.where.module, call.where.op)))}] {call.where.line}"
        out.append(f'<rect x="{LEFT}" y="{ROW * (i + 2) + 2}" width="{max(1.0, 200 * weight / most):.1f}" '
                   f'height="{ROW - 4}" fill="{colour}"/><text x="{LEFT + 208}" y="{middle(i) + 4}">{escape(label[:120])}'
                   f"<title>{escape(str(call.where))}</title></text>")
    Path(path).write_text("\n".join([*out, "</svg>\n"]))
    return Path(path)


def plan_title(plan):
    """The plan in one line."""
    calls, loops, others, moved, arena = plan.statistics
    return f"{calls} calls as {loops} loops and {others} calls, {moved / 1e6:.2f} MB moved, arena {arena / 1e6:.2f} MB"
