"""The log of a run: JSON lines, a row as it happens, only ever appended to, so that a page or `tail -f` can follow.

    {"step": 50, "loss": {"d_real": 0.61, "d_fake": 0.58, "g": 0.93}, "D": {"real": 0.55, "fake": 0.44}}
    {"step": 50, "grad": {"D": 0.021, "G": 0.013}, "machine": {"ms": 4.9, "host MiB": 212.0}}

A row has a step and groups of named numbers; rows of one step add up, and names come and go (a penalty every fourth
step). A row with an "event" (started, resumed, parts, phase, reals, interrupted, stopped) says what happened after that
step. metrics.csv is made from the rows: a line a step, without the events and without what is the machine's and not the
run's, so that two runs of the same numbers have the same metrics.csv, resumed or not.
"""

import csv
import json
import math
import os
from pathlib import Path

from gans.machinery.pictures import write_atomically
from minigrad.errors import CheckpointError

NAME = "log.jsonl"
MACHINES = "machine"  # the group that no repetition would give again


class Log:
    """The rows of a run, in the file `path`; without one, in memory, as a replay has them.

    `told` is called with each row that was written.
    """

    def __init__(self, path=None, told=None):
        self.path, self.handle, self.kept, self.told = path, None, [], told

    def go_on(self, step):
        """Go on after `step` with the log that is there: what it holds of later steps is cut off."""
        if self.path.exists():
            cut(self.path, step)
            return
        for row in found(self.path.parent):
            if row["step"] <= step:
                self.write(**row)

    def begin(self):
        """Begin anew."""
        self.path.unlink(missing_ok=True)

    def write(self, step, **groups):
        """Append a row. A number that is not finite becomes null."""
        row = {"step": step, **{name: finite(group) for name, group in groups.items()}}
        self._append(row)
        if self.told:
            self.told(row)

    def _append(self, row):
        if self.path is None:
            self.kept.append(row)
            return
        content = json.dumps(row, allow_nan=False).encode() + b"\n"
        try:
            if self.handle is None:
                self.handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            while content:
                content = content[os.write(self.handle, content):]
        except OSError as error:
            self.close()
            raise OSError(error.errno, error.strerror, str(self.path)) from error

    def rows(self):
        """All rows so far."""
        if self.path is None:
            return self.kept
        return read(self.path) if self.path.exists() else []

    def table(self):
        """The rows as a table has them: a dict a step, {"step": 50, "d_real": 0.61, "D.real": 0.55, ...}."""
        steps = {}
        for row in self.rows():
            if "event" not in row:
                steps.setdefault(row["step"], {"step": row["step"]}).update(flat(row))
        return [steps[step] for step in sorted(steps)]

    def columns(self):
        """{name: (steps, values)} of the losses."""
        found = {}
        for row in self.rows():
            for name, value in flat({"loss": row.get("loss")}).items():
                found.setdefault(name, []).append((row["step"], value))
        return {name: tuple(zip(*pairs)) for name, pairs in found.items()}

    def phases(self):
        """The names of the phases that have begun."""
        return [row.get("name") for row in self.rows() if row.get("event") == "phase"]

    def sync(self):
        """Have what was written on the disk, before a checkpoint says that it is there."""
        if self.handle is not None:
            os.fsync(self.handle)

    def write_table(self, path):
        """metrics.csv: a line a step, a column a name, empty where a step has none."""
        rows = [row for row in self.table() if len(row) > 1]
        names = dict.fromkeys(name for row in rows for name in row)

        def write(temporary):
            with open(temporary, "w", newline="") as file:
                writer = csv.DictWriter(file, list(names), lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)

        if rows:
            write_atomically(path, write)

    def close(self):
        """Let go of the file; a row that is written later opens it again."""
        if self.handle is not None:
            os.close(self.handle)
            self.handle = None

    __del__ = close


def finite(value):
    """The value with None for each number in it that JSON cannot hold."""
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def flat(row):
    """{name: number} of a row: the losses by their names, others with their group's before it, as in "grad.D"."""
    return {name if group == "loss" else f"{group}.{name}": value for group, values in row.items()
            if isinstance(values, dict) and group != MACHINES
            for name, value in values.items() if value is not None and not isinstance(value, (str, dict, list))}


def found(folder):
    """Read what there is of the rows of the run in a folder: CheckpointError where it is damaged.

    A run of the time before there was a log has its losses in metrics.csv.
    """
    path = Path(folder) / NAME
    return read(path) if path.exists() else [{"step": row.pop("step"), "loss": row}
                                             for row in read_table(path.with_name("metrics.csv"))]


def read(path):
    """The rows of a log.jsonl, in order. What a kill left of a last line is passed over.

    CheckpointError for a line that is damaged otherwise.
    """
    return [row for row, _ in _lines(Path(path))]


def cut(path, step):
    """Drop, at once or not at all, what a log holds of the time after `step`."""
    kept = b"".join(line for row, line in _lines(path) if row["step"] <= step)
    if kept != path.read_bytes():
        def write(temporary):
            with open(temporary, "wb") as file:
                file.write(kept)
                file.flush()
                os.fsync(file.fileno())

        write_atomically(path, write)


def _lines(path):
    found = []
    *lines, _ = path.read_bytes().split(b"\n")  # the last one is empty, or was cut by a kill
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            if type(row["step"]) is not int:
                raise TypeError("its step is none")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise CheckpointError(f"{path}: line {number} is damaged ({type(error).__name__}: {str(error)[:60]}); take "
                                  "it out, or delete the file, and the run goes on without its history") from None
        found.append((row, line + b"\n"))
    return found


def read_table(path):
    """The rows of a metrics.csv, numbers as numbers; CheckpointError where it is damaged."""
    path = Path(path)
    if not path.exists():
        return []
    try:
        with open(path, newline="") as file:
            return [{name: int(text) if name == "step" else float(text) for name, text in row.items() if text}
                    | {"step": int(row["step"])} for row in csv.DictReader(file)]
    except (ValueError, TypeError, KeyError, csv.Error, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: is damaged ({type(error).__name__}: {str(error)[:60]}); delete it") from None
