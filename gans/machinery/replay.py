"""`--replay-step N`: one step of a run, computed again from the checkpoint before it, with its losses and gradients.

Nothing is written. What metrics.csv and the checkpoints hold of the steps on the way is compared with what comes out:
a replay that differs in one bit says so, and exits 1.
"""

import hashlib

from gans.machinery.log import read_table
from minigrad import checkpoint
from minigrad.errors import CheckpointError


def starting_point(folder, step, say):
    """(a checkpoint of the run, for its options; the newest one before `step`, or None: from the start)."""
    newest = checkpoint.load(folder / "checkpoint", log=say)
    if newest.step < step:
        return newest, newest
    try:
        return newest, checkpoint.load_nearest(folder / "checkpoint", step - 1, log=say)
    except CheckpointError:
        say(f"{folder}: no checkpoint before step {step} is kept; its seed tells all, so it starts again from step 1")
        return newest, None


def report(run, say):
    """Say the losses and gradients of the replayed step; the exit status is 1 if they differ from the run's."""
    row, names = run.rows[-1], run.losses()
    say("losses: " + "  ".join(f"{name} {row[name]:.9g}" for name in names))
    lines, same = compare(run.folder, run.replayed, run.rows, read_table(run.folder / "metrics.csv"), run.parts)
    for line in [*lines, *table(run.updates.found, run.parts)]:
        say(line)
    return 0 if same else 1


def table(updates, parts):
    """Lines: a parameter each, a column an update of the step, (optimiser, norms of the gradients, ...), in order."""
    named = [(f"{name}.{key}", p) for name, part in parts.items() if hasattr(part, "named_parameters")
             for key, p in part.named_parameters() if any(id(p) in norms for _, norms, _ in updates)]
    rows = [["gradient norms at", "shape", *(name for name, *_ in updates)]]
    for name, p in named:
        rows.append([name, "×".join(map(str, p.shape)) or "()",
                     *(f"{norms[id(p)]:.6g}" if id(p) in norms else "-" for _, norms, _ in updates)])
    rows.append(["all", "", *(f"{sum(value ** 2 for value in norms.values()) ** 0.5:.6g}" for _, norms, _ in updates)])
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def digest(parts):
    """SHA-256 of every array in the state dicts of `parts`, by name."""
    whole = hashlib.sha256()

    def add(value, path):
        if isinstance(value, dict):
            for key in sorted(value, key=str):
                add(value[key], f"{path}/{key}")
        elif hasattr(value, "array"):
            array = value.detach().cpu().numpy()
            whole.update(f"{path} {array.dtype} {array.shape}".encode() + array.tobytes())

    add({name: part if isinstance(part, dict) else part.state_dict() for name, part in parts.items()}, "")
    return whole.hexdigest()


def compare(folder, step, rows, saved_rows, parts):
    """(lines, whether all agrees): the replayed rows against those of metrics.csv, the parts against a checkpoint."""
    saved = {row["step"]: row for row in saved_rows}
    common = [row for row in rows if row["step"] in saved]
    wrong = [row["step"] for row in common
             if any(saved[row["step"]].get(name, value) != value for name, value in row.items())]
    lines = []
    if common:
        lines.append(f"metrics.csv: {len(common)} of these steps are in it, "
                     + (f"and step {wrong[0]} differs: {saved[wrong[0]]} there" if wrong else
                        "all equal to the last digit"))
    path = folder / "checkpoint" / f"step-{step:08d}.json"
    same = True
    if path.exists():
        mine, theirs = digest(parts), digest(checkpoint.load(path).state["parts"])
        same = mine == theirs
        lines.append(f"the checkpoint of step {step}: "
                     + (f"equal to the last bit (SHA-256 {mine[:16]}...)" if same else
                        f"differs (SHA-256 {theirs[:16]}..., here {mine[:16]}...)"))
    if not same or wrong:
        lines.append("Sums are rounded otherwise by another number of threads, NumPy or minigrad: replay with the "
                     "run's")
    return lines, same and not wrong
