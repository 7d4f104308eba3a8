"""Plots as SVG text, small enough to stand in a page: lines over steps, dashed ideals, bands where something was found.

Colours are the page's, by class names: `.line.c0`, `.faint`, `.ideal`, `.band`, `.cursor`. A plot tells the page where
its steps are by `data-first`, `data-last`, `data-left` and `data-right`, so that a cursor can follow a slider.
"""

import math
from html import escape

WIDTH, HEIGHT = 720, 250
LEFT, RIGHT, TOP, BOTTOM = 58, 694, 26, 222  # of the area in which lines are
POINTS = 300  # of a line at most


def ticks(low, high, about=5):
    """Round numbers from low to high, about so many; integers between integers.

    >>> ticks(0.0, 1.3), ticks(0, 12000), ticks(0, 3)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2], [0, 2000, 4000, 6000, 8000, 10000, 12000], [0, 1, 2, 3])
    """
    each = (high - low) / about
    if not each > 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(each))
    step = min((m * power for m in (1, 2, 5, 10)), key=lambda s: abs(math.log(s / each)))
    step = max(1, int(step)) if isinstance(low, int) and isinstance(high, int) else step
    digits = max(0, -math.floor(math.log10(step)))
    return [round(k * step, digits) for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def thinned(steps, values):
    """(steps, values) of no more points than a plot can show: means over neighbours."""
    width = -(-len(steps) // POINTS)
    blocks = range(0, len(steps), width)
    return ([steps[min(k + width, len(steps)) - 1] for k in blocks],
            [sum(values[k:k + width]) / len(values[k:k + width]) for k in blocks])


def bounds(values, logarithmic):
    """The lowest and highest height of a plot of such values, without the few that lie far off."""
    values = sorted(values)
    cut = len(values) // 200
    low, high = values[cut], values[-1 - cut]
    if logarithmic:
        return low / 1.3, high * 1.3
    edge = 0.06 * (high - low) or abs(high) or 1.0
    return (0.0 if 0 <= low < 0.4 * high else low - edge), high + edge


def plot(lines, title, *, last, ideals=(), bands=(), logarithmic=False):
    """An SVG of `lines`, {name: (steps, values)}, from step 0 to `last`.

    ideals: {label: height}, dashed. bands: (first step, last, name), grey behind the lines. Values that are not
    positive are left out of a logarithmic plot.
    """
    ideals = dict(ideals)
    kept = {name: [(s, v) for s, v in zip(*pair) if not logarithmic or v > 0] for name, pair in lines.items()}
    kept = {name: tuple(zip(*pairs)) for name, pairs in kept.items() if pairs}
    heights = [v for _, values in kept.values() for v in values] + list(ideals.values())
    low, high = bounds(heights or [0.0, 1.0], logarithmic)
    scale = (lambda v: math.log10(max(v, low))) if logarithmic else float
    bottom, top = scale(low), scale(high)
    last = max(last, 1)

    def x(step):
        return round(LEFT + (RIGHT - LEFT) * step / last, 1)

    def y(value):
        return round(BOTTOM - (BOTTOM - TOP) * (min(max(scale(value), bottom), top) - bottom) / (top - bottom), 1)

    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}" data-first="0" '
             f'data-last="{last}" data-left="{LEFT}" data-right="{RIGHT}">']
    for first, until, name in bands:
        parts.append(f'<rect class="band" x="{x(first)}" y="{TOP}" width="{max(2.0, x(until) - x(first)):.1f}" '
                     f'height="{BOTTOM - TOP}"><title>{escape(name)}</title></rect>')
    parts += [_grid(x, y, low, high, last, logarithmic)]
    for label, height in ideals.items():
        parts.append(f'<line class="ideal" x1="{LEFT}" x2="{RIGHT}" y1="{y(height)}" y2="{y(height)}">'
                     f'<title>{escape(label)}</title></line>')
    for number, (steps, values) in enumerate(kept.values()):
        if len(steps) > 40:
            parts.append(_line(f"line faint c{number}", *thinned(steps, values), x, y))
            values = smooth(values, len(values) // 25)
        parts.append(_line(f"line c{number}", *thinned(steps, values), x, y))
    parts.append(_legend([*kept], [*ideals]))
    parts.append(f'<line class="cursor" x1="{LEFT}" x2="{LEFT}" y1="{TOP}" y2="{BOTTOM}"/></svg>')
    return "\n".join(parts)


def smooth(values, width):
    """The mean of the last `width` values at each place."""
    width, total, found = max(width, 1), 0.0, []
    for k, value in enumerate(values):
        total += value - (values[k - width] if k >= width else 0.0)
        found.append(total / min(k + 1, width))
    return found


def timeline(rows, last):
    """An SVG with a bar a row, (first step, last, name), over the steps."""
    height = 24 * len(rows) + 30
    x = lambda step: round(LEFT + (RIGHT - LEFT) * step / max(last, 1), 1)  # noqa: E731
    parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="verdicts over the steps" data-first="0" '
             f'data-last="{max(last, 1)}" data-left="{LEFT}" data-right="{RIGHT}">']
    for step in ticks(0, last):
        parts.append(f'<text class="tick" x="{x(step)}" y="{height - 6}" text-anchor="middle">{step:,}</text>')
    for number, (first, until, name) in enumerate(rows):
        top, left = 24 * number + 4, x(first)
        right_half = left > (LEFT + RIGHT) / 2
        parts.append(f'<rect class="bar" x="{left}" y="{top}" width="{max(3.0, x(until) - left):.1f}" height="18" '
                     f'rx="2"/><text class="tick name" x="{left - 6 if right_half else left + 6}" y="{top + 13}" '
                     f'text-anchor="{"end" if right_half else "start"}">{escape(name)}</text>')
    return "\n".join(parts) + (f'<line class="cursor" x1="{LEFT}" x2="{LEFT}" y1="0" y2="{height - 22}"/></svg>')


def _line(kind, steps, values, x, y):
    if len(steps) == 1:  # a line of one point would not be seen
        return f'<circle class="{kind}" cx="{x(steps[0])}" cy="{y(values[0])}" r="2.5"/>'
    points = " ".join(f"{x(step)},{y(value)}" for step, value in zip(steps, values))
    return f'<polyline class="{kind}" points="{points}"/>'


def _grid(x, y, low, high, last, logarithmic):
    powers = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1) if logarithmic else ()
    each = -(-len(powers) // 6)
    heights = [10.0 ** k for k in powers if k % each == 0] if len(powers) > 1 else ticks(low, high)
    parts = [f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y(h)}" y2="{y(h)}"/>'
             f'<text class="tick" x="{LEFT - 6}" y="{y(h) + 4}" text-anchor="end">{h:.4g}</text>' for h in heights]
    parts += [f'<text class="tick" x="{x(step)}" y="{BOTTOM + 16}" text-anchor="middle">{step:,}</text>'
              for step in ticks(0, last)]
    return "\n".join(parts)


def _legend(names, ideals):
    parts, left = [], LEFT
    for kind, name in [*((f"line c{k}", name) for k, name in enumerate(names)), *(("ideal", name) for name in ideals)]:
        parts.append(f'<line class="{kind}" x1="{left}" x2="{left + 18}" y1="12" y2="12"/>'
                     f'<text class="tick" x="{left + 23}" y="16">{escape(name)}</text>')
        left += 34 + 6.3 * len(name)
    return "\n".join(parts)
