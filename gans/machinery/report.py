"""report.html: a run on one page that needs nothing but itself, made of what lies in the run's folder.

Samples with a slider over time, losses with the ideal ones, what D answers, gradients, the monitor's verdicts,
measures beside what real images reach, configuration, versions, digests, and the command that repeats the run. So it
can be made of a run that was killed, too: `python -m gans.report RUN`.
"""

import base64
import hashlib
import io
import json
from html import escape
from pathlib import Path
from string import Template

from gans.machinery import folder, log, monitor, svg
from gans.machinery.commandline import Parser, command_of, say
from gans.machinery.pictures import write_atomically
from minigrad.errors import CheckpointError

NAME, LOSSES = "report.html", "losses.png"
FRAMES = 40  # pictures at most
LARGE = 3 * 2**20  # bytes of pictures, above which they are kept as JPEG
VERSIONS = ("minigrad", "numpy", "python", "machine", "device")


def write(run):
    """Write report.html of the run in a folder; returns its path.

    CheckpointError where the folder is none of a demo, or holds no log.
    """
    run = Path(run)
    config = folder.read(run, saved=False)
    rows = log.found(run)
    if not rows:
        raise CheckpointError(f"{run}: has no {log.NAME} to report of; the run ended at once: start it anew with "
                              f"python -m gans.{config['demo']}")
    watched = monitor.read(rows)
    last = max(watched.seen.step, 1)
    bands = [(verdict["step"], last if end is None else end, verdict["name"]) for verdict, end in watched.periods()]
    page = Template(Path(__file__).with_name(NAME).read_text(encoding="utf-8")).substitute(
        title=escape(f"gans.{config['demo']}, seed {config['seed']}"),
        status=escape(status(rows, config)),
        command=escape(command_of(config, config)),
        samples=_samples(run, any("look" in row for row in rows)),
        verdicts=_verdicts(watched, bands, last),
        plots=_plots(rows, bands, last),
        measures=_measures(rows),
        configuration=_table((name, _plain(value)) for name, value in config.items()
                             if name not in (*VERSIONS, "command")),
        versions=_table([*((name, str(config[name])) for name in VERSIONS if name in config), *digests(run)]))
    return write_atomically(run / NAME, lambda path: path.write_text(page, encoding="utf-8"))


def status(rows, config):
    """How far the run is, and how it ended, in a sentence."""
    step = max(row["step"] for row in rows)
    steps = config.get("steps", step)
    events = {row["event"]: row for row in rows if "event" in row}
    begun = [row["time"] for row in rows if row.get("event") in ("started", "resumed") and "time" in row]
    ms = [row["machine"]["ms"] for row in rows if row.get("machine", {}).get("ms")]
    words = f"{step:,} of {steps:,} steps"
    if "stopped" in events:
        words += f"; stopped, as {events['stopped']['name']} became {events['stopped']['value']}"
    elif step < steps:
        words += "; interrupted" if rows[-1].get("event") == "interrupted" else "; still training, or killed"
    if ms:
        words += f"; a step took {sorted(ms)[len(ms) // 2]:.3g} ms"
    return words + (f"; begun {begun[0].replace('T', ' ')}" if begun else "") + "."


def digests(run):
    """[(what, SHA-256)] of the newest checkpoint's arrays, and of metrics.csv."""
    found = []
    for path in sorted((run / "checkpoint").glob("step-*.json"))[-1:]:
        try:
            about = json.loads(path.read_text())
            found.append((f"weights and optimisers, step {about['step']:,}", about["tensors"]["sha256"]))
        except (ValueError, TypeError, KeyError, OSError):
            found.append(("weights and optimisers", f"{path.name} is damaged"))
    if (run / "metrics.csv").exists():
        found.append(("metrics.csv", hashlib.sha256((run / "metrics.csv").read_bytes()).hexdigest()))
    return found


def frames(run):
    """[(step, data: URI)] of a run's pictures, some of them if there are many."""
    paths = sorted(path for path in (run / "samples").glob("step-*.png") if path.stem.removeprefix("step-").isdecimal())
    if len(paths) > FRAMES:
        paths = [paths[round(k * (len(paths) - 1) / (FRAMES - 1))] for k in range(FRAMES)]
    kind = "jpeg" if sum(path.stat().st_size for path in paths) > LARGE else "png"
    found = []
    for path in paths:
        found.append((int(path.stem.removeprefix("step-")), _uri(path, kind)))
    return found


def _uri(path, kind):
    content = path.read_bytes() if kind == "png" else _jpeg(path)
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _jpeg(path):
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(path) as image:
        image.convert("RGB").save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _samples(run, seeds):
    """What was drawn on the way, samples of the same `seeds` or plots, with a slider; and the demo's own figures."""
    pictures, figures = frames(run), sorted(path for path in run.glob("*.png") if path.name != LOSSES)
    drawn = [_slider(pictures, seeds)] if pictures else []
    for path in figures:
        name = escape(path.stem)
        drawn.append(f'<h2>{name.capitalize()}</h2>\n<figure><img src="{_uri(path, "png")}" alt="{name}"></figure>')
    return "\n".join(drawn) or '<p class="soft">No picture was kept.</p>'


def _slider(pictures, seeds):
    last = len(pictures) - 1
    what = "samples" if seeds else "plot"
    images = "\n".join(f'<img src="{uri}" data-step="{step}" alt="{what} after step {step:,}"'
                       f'{" hidden" if k < last else ""}>' for k, (step, uri) in enumerate(pictures))
    slider = "" if last == 0 else (
        '<div class="control"><button id="play" type="button">play</button>'
        f'<input id="step" type="range" min="0" max="{last}" value="{last}" aria-label="step of the {what}">'
        f'<output id="shown" for="step">step {pictures[-1][0]:,}</output></div>\n')
    title, kind = ("Samples", ' class="pixels"') if seeds else ("On the way", "")
    caption = "<figcaption>Always of the same seeds.</figcaption>" if seeds else ""
    return f'<h2>{title}</h2>\n{slider}<figure><div id="frames"{kind}>\n{images}\n</div>{caption}</figure>'


def _verdicts(watched, bands, last):
    if not bands:
        first, *rest = watched.summary().removeprefix("monitor: ")
        return f"<p>{escape(first.upper() + ''.join(rest))}.</p>"
    items = "\n".join(
        f"<li>Step {verdict['step']:,}{f' to {end:,}' if end is not None else ''}: <span class=\"bad\">"
        f"{escape(verdict['name'])}</span>: {escape(verdict['words'])}. <span class=\"soft\">Try: "
        f"{escape(verdict['remedy'])}.</span></li>" for verdict, end in watched.periods())
    return f"<figure>{svg.timeline(bands, last)}</figure>\n<ul>\n{items}\n</ul>"


def _plots(rows, bands, last):
    series, ideals = {}, {}
    for row in rows:
        ideals = row.get("ideals") or ideals
        for group, values in row.items():
            if isinstance(values, dict) and "event" not in row:
                for name, value in values.items():
                    if isinstance(value, (int, float)):
                        series.setdefault(group, {}).setdefault(name, []).append((row["step"], value))
    taken = {group: {name: tuple(zip(*pairs)) for name, pairs in lines.items()} for group, lines in series.items()}
    scores = any(row.get("D", {}).get("as") == "scores" for row in rows)
    answers = {label: taken["D"][name] for label, name in (("D(x)", "real"), ("D(G(z))", "fake"))
               if name in taken.get("D", {})}
    made = [("Losses", taken.get("loss"), {"ideals": ideals}),
            ("What D answers" + (", scores" if scores else ""), answers, {"ideals": {} if scores else {"0.5": 0.5}}),
            ("Gradient norms", taken.get("grad"), {"logarithmic": True})]
    return "\n".join(f"<h2>{title}</h2>\n<figure>{svg.plot(lines, title, last=last, bands=bands, **options)}</figure>"
                     for title, lines, options in made if lines)


def _measures(rows):
    """Tables: what was measured last, beside its floor; and what was checked."""
    measured, checked = {}, {}
    for row in rows:
        measured |= {name: (value, row["step"]) for name, value in row.get("measure", {}).items()}
        if row.get("event") == "checked":
            checked[row["name"]] = row
    floors = {name for name in measured if name == "floor" or name.endswith(("_floor", " floor"))}
    parts = []
    if measured:
        cells = [("figure", "value", *(["real images against real ones"] if floors else []), "step")]
        cells += [(escape(name), _figure(value), *([_floor(name, measured, floors)] if floors else []), f"{step:,}")
                  for name, (value, step) in measured.items() if name not in floors]
        head, *body = (f"<tr><td>{first}</td>" + "".join(f'<td class="number">{cell}</td>' for cell in rest) + "</tr>"
                       for first, *rest in cells)
        parts.append(f"<h2>Measures</h2>\n<table>\n{head.replace('td', 'th')}\n" + "\n".join(body) + "\n</table>")
    if checked:
        body = "\n".join(
            f'<tr><td>{escape(name)}</td><td class="number">{_figure(row["value"])}</td><td class="number">'
            f'{escape(row["threshold"])}</td><td{"" if row["passed"] else " class=bad"}>'
            f'{"pass" if row["passed"] else "fail"}</td></tr>' for name, row in checked.items())
        parts.append('<h2>What it should reach</h2>\n<table>\n<tr><th>figure</th><th class="number">value</th>'
                     f'<th class="number">bar</th><th></th></tr>\n{body}\n</table>')
    return "\n".join(parts)


def _floor(name, measured, floors):
    """The floor of a measure: of its own name, or the only one there is, for the distance it was measured with."""
    own = next((floor for floor in floors if floor in (f"{name}_floor", f"{name} floor")), None)
    if own is None and name == "sliced_wasserstein" and "floor" in floors:
        own = "floor"
    return _figure(measured[own][0]) if own else ""


def _figure(value):
    return "no number" if value is None else f"{value:.4g}"


def _table(pairs):
    return "\n".join(f"<tr><td>{escape(name)}</td><td><code>{escape(value)}</code></td></tr>" for name, value in pairs)


def _plain(value):
    return value if isinstance(value, str) else json.dumps(value)


def main(argv=None):
    """`python -m gans.report RUN`: write report.html of a run, finished, interrupted or killed."""
    p = Parser(prog="python -m gans.report", usage="%(prog)s RUN",
               description="Write report.html, one page that needs nothing but itself, into the folder of a run.")
    p.add_argument("run", metavar="RUN", help="the folder of a run, say runs/mnist")
    say(f"wrote {write(p.parse_args(argv).run)}")
    return 0
