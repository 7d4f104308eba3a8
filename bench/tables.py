"""The tables of README.md and docs/performance.md, made of the figures in bench/results.

A table stands between `<!-- bench: NAME -->` and `<!-- end of bench: NAME -->`; `python -m bench --readme` writes what
belongs there, `--check-readme` fails where something else does.
"""

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = "README.md", "docs/performance.md"
COLUMNS = {"": "peers.json", "one thread": "peers-1-thread.json", "without numba": "peers-without-loops.json"}
STEPS = {
    "1010": "1010, one sample",
    "mnist-batch-1": "the book's MNIST GAN, batch 1",
    "mnist-batch-64": "the book's MNIST GAN, batch 64",
    "mnist-steady-64": "the default MNIST recipe, batch 64",
    "face-mlp": "the book's face GAN, 218×178 in colour, batch 1",
    "face-mlp-16": "the book's face GAN, batch 16",
    "mnist-conv": "a convolutional GAN for 28×28 digits, batch 64",
    "dcgan-64": "DCGAN, 64×64 in colour, batch 32",
    "dcgan-64-narrow": "DCGAN of width 16, 64×64, batch 16",
    "wgan-gp-critic": "an update of a WGAN-GP critic, batch 64",
    "digit-cnn": "a 3×3 classifier of digits, batch 64",
}


def figures():
    """[{case: row} of each of COLUMNS], from bench/results."""
    found = []
    for name in COLUMNS.values():
        rows = json.loads((ROOT / "bench" / "results" / name).read_text())["cases"]
        found.append({row["case"]: row for row in rows})
    return found


def peers():
    """The median ratios alone."""
    lines = ["| step | times as fast | one thread | without numba |", "| --- | --- | --- | --- |"]
    lines += [f"| {label} | " + " | ".join(f"{rows[case]['ratio']:.2f}" for rows in figures()) + " |"
              for case, label in STEPS.items()]
    return "\n".join(lines)


def peers_with_ranges():
    """The ratios with the ranges of their turns, and memory."""
    lines = ["| step | × as fast as PyTorch (range of the turns) | one thread each | without compiled loops | "
             "peak MiB here / PyTorch |", "| --- | --- | --- | --- | --- |"]
    for case, label in STEPS.items():
        rows = [rows[case] for rows in figures()]
        cells = ["{ratio:.2f} ({lowest:.2f} – {highest:.2f})".format(**row) for row in rows]
        cells.append("{minigrad_peak_mib:,.0f} / {torch_peak_mib:,.0f}".format(**rows[0]))
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


TABLES = {"peers": peers, "peers with ranges": peers_with_ranges}


def renewed(text):
    """The text with every table as the figures have it; ValueError for a table that is not known, or has no end."""
    def table(match):
        name = match[1]
        if name not in TABLES:
            raise ValueError(f"no table is called {name!r}; there are {', '.join(TABLES)}")
        return f"<!-- bench: {name} -->\n{TABLES[name]()}\n<!-- end of bench: {name} -->"

    begun, done = len(re.findall(r"<!-- bench: ", text)), re.compile(
        r"<!-- bench: ([^>]*) -->\n.*?<!-- end of bench: \1 -->", re.DOTALL)
    if begun != len(done.findall(text)):
        raise ValueError("a table has no end: <!-- end of bench: NAME --> is to follow <!-- bench: NAME -->")
    return done.sub(table, text)


def stale():
    """The files whose tables differ from the figures."""
    return [name for name in FILES if renewed(before := (ROOT / name).read_text()) != before]


def write():
    """Put the figures into the tables; the names of the files that changed."""
    changed = stale()
    for name in changed:
        path = ROOT / name
        path.write_text(renewed(path.read_text()))
    return changed
