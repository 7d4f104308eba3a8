"""The health monitor: reads the log of a run, row by row, and says in words what goes on, with what to try.

It knows fifteen failures, by figures that stand in the log (see watch.py); signs.py has them, each with its signature.
What it says is a function of the rows, so that it is the same while a run trains, when it is gone on with, and when
`python -m gans.monitor RUN` reads its log later.
"""

from collections import deque
from pathlib import Path

from gans.machinery import folder, log
from gans.machinery.commandline import Parser, say
from gans.machinery.signs import SIGNS
from minigrad.errors import CheckpointError

KEPT = 150  # figures of a name that are remembered
LONG = 500  # steps, by which most signs would have been seen
CLEARED = 5  # looks without a sign, one after another, until it is over


class Seen:
    """What the rows so far say, in a form that signs are easily written in."""

    def __init__(self):
        self.series, self.first, self.events, self.step, self.fresh = {}, {}, {}, 0, set()
        self.kind = None  # of D's answers: logits, probabilities, scores
        self.before = None  # a copy of the series as they were when the run was resumed, and the step

    def add(self, row):
        """Take in a row."""
        self.step = row["step"]
        self.fresh = {group for group, values in row.items() if isinstance(values, dict)}
        if "event" in row:
            self.fresh = {row["event"]}
            self.events.setdefault(row["event"], []).append(row)
            if row["event"] == "resumed":
                self.before = self.step, {key: list(values) for key, values in self.series.items()}
            return
        self.kind = row.get("D", {}).get("as", self.kind)
        for group in [group for group in row if group in self.fresh]:  # in the row's order, which a set has not
            for name, value in row[group].items():
                if isinstance(value, (int, float)):
                    key = group, name
                    if key not in self.series:
                        self.series[key] = deque(maxlen=KEPT)
                        self.first[key] = value
                    self.series[key].append((self.step, value))
                elif value is None and group != "measure" and name != "two modes":
                    self.events.setdefault("null", []).append({"step": self.step, "name": f"{group}.{name}"})

    def last(self, group, name, steps=0, count=1):
        """The latest values, those of the last `steps` steps, `count` or more; [] where there are not as many yet."""
        values = self.series.get((group, name), ())
        found = []
        for step, value in reversed(values):
            if len(found) >= count and step < self.step - steps:
                return found[::-1]
            found.append(value)
        covered = values and values[0][0] - 1 <= self.step - steps
        return found[::-1] if len(found) >= count and covered else []

    def now(self, group, name):
        """The latest value, or None."""
        values = self.series.get((group, name))
        return values[-1][1] if values else None

    def real(self, name):
        """A figure of real images, or None."""
        return self.events["reals"][-1].get(name) if "reals" in self.events else None

    def names(self, group):
        """The names that a group has had."""
        return [name for found, name in self.series if found == group]


class Monitor:
    """Feed it the rows of a log in order. `verdicts` has what was found, the rows that `feed` returned."""

    def __init__(self):
        self.seen, self.verdicts = Seen(), []
        self.open, self.clear = {}, {}  # name of a sign: its verdict; its looks without it

    def feed(self, row):
        """Take in a row; returns the rows to be added to the log because of it, one for each sign that came or went."""
        if row.get("event") == "verdict":
            return []
        self.seen.add(row)
        found = []
        for sign in SIGNS:
            if not self.seen.fresh & sign.upon:
                continue
            words = sign.seen(self.seen)
            if words and sign.name not in self.open:
                self.open[sign.name] = {"event": "verdict", "number": sign.number, "name": sign.name, "words": words,
                                        "remedy": sign.remedy}
                found.append(self.open[sign.name])
            elif sign.name in self.open and not sign.lasting:
                self.clear[sign.name] = 0 if words else self.clear.get(sign.name, 0) + 1
                if self.clear[sign.name] >= CLEARED:
                    del self.open[sign.name], self.clear[sign.name]
                    found.append({"event": "verdict", "number": sign.number, "name": sign.name, "over": True})
        self.verdicts += [{"step": self.seen.step, **verdict} for verdict in found]
        return found

    def periods(self):
        """[(verdict, step at which it was over, or None)], in order."""
        periods = []
        for verdict in self.verdicts:
            if "over" in verdict:
                k = max(k for k, (begun, _) in enumerate(periods) if begun["name"] == verdict["name"])
                periods[k] = periods[k][0], verdict["step"]
            else:
                periods.append((verdict, None))
        return periods

    def summary(self):
        """What was found, and when, in one line; where nothing was, whether the run is one of which it could tell."""
        found = [f"{verdict['name']} (step {verdict['step']:,}" + (f" to {end:,})" if end is not None else " on)")
                 for verdict, end in self.periods()]
        if found:
            return "monitor: " + ", ".join(found)
        if ("D", "real") not in self.seen.series:
            return "monitor: nothing is NaN; its other signs are those of a GAN, and no answers of a D were noted"
        return "monitor: none of the fifteen failures that it knows" + (
            f"; most take more than {self.seen.step:,} steps to be seen" if self.seen.step < LONG else "")


def line(verdict, end=None):
    """A verdict in one line."""
    if "over" in verdict:
        return f"monitor: step {verdict['step']:,}: {verdict['name']}: over"
    until = f" to {end:,}" if end is not None else ""
    return (f"monitor: step {verdict['step']:,}{until}: {verdict['name']}: {verdict['words']}. "
            f"Try: {verdict['remedy']}")


def read(rows):
    """The Monitor of a log's rows."""
    monitor = Monitor()
    for row in rows:
        monitor.feed(row)
    return monitor


def state(seen):
    """Lines: where a run is, in words, be it well or not."""
    def now(group, name, form):
        value = seen.now(group, name)
        return "?" if value is None else format(value, form)

    started = [*seen.events.get("started", ()), *seen.events.get("resumed", ())]
    lines = [f"step {seen.step:,}" + (f" of {started[-1]['steps']:,}" if started else "")]
    if losses := seen.names("loss"):
        lines.append("losses: " + ", ".join(f"{name} {now('loss', name, '.3g')}" for name in losses))
    if seen.now("D", "right on real") is not None:
        lines.append(f"D takes {now('D', 'right on real', '.0%')} of real and {now('D', 'right on fake', '.0%')} of "
                     f"generated images for what they are; D(x) {now('D', 'real', '.2f')}, D(G(z)) "
                     f"{now('D', 'fake', '.2f')}")
    elif seen.kind == "scores":
        lines.append(f"D's score is {now('D', 'real', '.3g')} for real images, {now('D', 'fake', '.3g')} for generated")
    if names := seen.names("grad"):
        lines.append("at an update: " + ", ".join(
            f"‖∇{name}‖ {now('grad', name, '.2g')}, its weights change by {now('update', name, '.1e')} of their length"
            for name in names))
    if seen.now("look", "spread") is not None and seen.real("spread"):
        whole = seen.real("spread")
        lines.append(f"samples are {seen.now('look', 'spread') / whole:.0%} as far apart as real images"
                     + (f", and moved by {seen.now('look', 'moved') / whole:.0%} of that since the last look"
                        if seen.now("look", "moved") is not None else ""))
    if seen.now("machine", "ms") is not None:
        lines.append(f"a step takes {now('machine', 'ms', '.3g')} ms; {now('machine', 'host MiB', '.0f')} MiB in use")
    return lines


def main(argv=None):
    """`python -m gans.monitor RUN`: what goes on in a run; the exit status is 1 if something is wrong now."""
    p = Parser(prog="python -m gans.monitor", usage="%(prog)s RUN",
               description="What goes on in a run, finished or not, in words: read from its log, nothing is written.")
    p.add_argument("run", metavar="RUN", help="the folder of a run, say runs/mnist")
    run = Path(p.parse_args(argv).run)
    demo = folder.read(run, saved=False)["demo"]
    rows = log.found(run)
    if not rows:
        raise CheckpointError(f"{run}: has no {log.NAME} to read; the run was made by a version that wrote none, or "
                              f"ended at once: start it anew with python -m gans.{demo}")
    monitor = read(rows)
    for text in [*state(monitor.seen), *(line(*period) for period in monitor.periods())]:
        say(text)
    if not monitor.verdicts:
        say(monitor.summary())
    return 1 if monitor.open else 0
