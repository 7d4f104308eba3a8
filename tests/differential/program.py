"""Programs: written from a number, run line by line in both libraries, compared, printed, and made shorter."""

import functools
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

import minigrad
from tests.differential import compare, deliberate
from tests.differential.compare import Failure
from tests.differential.moves import MOVES
from tests.differential.prelude import names as namespace
from tests.differential.writer import Line, Writer, variables

HEADER = """import torch  # or: import minigrad as torch
from tests.differential.prelude import names
globals().update(names(torch))
"""
PACKAGE = str(Path(minigrad.__file__).parent)
TRIES = 3  # how often PyTorch's own numbers are moved, to see how much rounding matters


@functools.lru_cache(4096)
def compiled(text):
    """The code of a line."""
    return compile(text, text, "exec")


@dataclass(frozen=True)
class Difference:
    """A line on which the libraries do not agree."""

    line: Line
    kind: str
    detail: str
    reason: object = None  # the row of the table of deliberate differences that explains it, or None

    @property
    def group(self):
        """What differences with the same cause have in common."""
        if "here" in self.kind:  # an error or a warning, whose text tells more than the call
            return self.kind, deliberate.plain(self.detail)
        return self.kind, self.line.what, deliberate.plain(self.detail)


class Program:
    """Lines, and what happens when they run."""

    def __init__(self, lines, number=None):
        self.lines, self.number = tuple(lines), number

    @classmethod
    def written(cls, number):
        """The program of a number."""
        writer = Writer(number)
        weights, moves = zip(*MOVES)
        for _ in range(2):
            writer.leaf(dtype="float32" if writer.chance(0.5) else "float64", wants=True)
        for make in writer.random.choices(moves, weights, k=writer.integer(3, 10)):
            make(writer)
        return cls(writer.lines, number)

    def __str__(self):
        return "\n".join(line.text for line in self.lines)

    def differences(self):
        """All differences, line by line; what is built on a line that differs is left out."""
        mine, theirs, found = namespace(minigrad), namespace(torch), []
        for position, line in enumerate(self.lines):
            warned = []
            a, b = run(line, mine, warned), run(line, theirs)
            if line.changes and isinstance(a, Failure) and isinstance(b, Failure):
                break  # half written, maybe, and each in its own way
            kind, detail = self.compared(position, a, b, warned, mine, theirs)
            if kind is None:
                continue
            one = Difference(line, kind, detail)
            found.append(replace(one, reason=deliberate.explains(one, self.lines[:position + 1], theirs)))
            if line.changes:
                break
            for name in variables(line.text.split("=")[0]):
                mine.pop(name, None), theirs.pop(name, None)
        return found

    def compared(self, position, a, b, warned, mine, theirs):
        """(kind, detail) of the difference after a line that gave a here and b in PyTorch, or (None, None)."""
        line = self.lines[position]
        if warned and not isinstance(a, Failure):
            return "a warning here", warned[0]
        found = compare.difference(a, b, wanting=line.what != "autograd.grad")  # `second` and others will use them
        if found is None and line.changes and not isinstance(a, Failure):
            found = differing(mine, theirs)
        if found and found[0] == "values" and self.rounding(position, line, mine, theirs):
            found = None
        if found and found[0] in ("values", "shape") and not line.changes and alike_on_ours(line, a, mine, theirs):
            found = None
        return found or (None, None)

    def rounding(self, position, line, mine, theirs):
        """Whether the values after a line differ by no more than they move if all numbers are moved a little.

        Round numbers keep still at first, so that ties stay ties; where they move, too, only a small movement counts.
        A small movement of one element counts for all.
        """
        names = [line.target] if not line.changes else [name for name in theirs if variables(name)]
        before = self.lines[:position + 1]
        cotangent = 1.0 if any(re.search("grad|backward|derivative", one.what) for one in before) else 0.0
        kept, loose = ([perturbed(before, seed, everywhere) for seed in range(TRIES)] for everywhere in (False, True))
        for name in names:
            for a, b, *others in zip(*[leaves_of(side.get(name)) for side in (mine, theirs, *kept, *loose)]):
                largest = max(float(np.abs(b[np.isfinite(b)]).max(initial=0.0)), cotangent)
                small = (0.03 if b.dtype == "float16" else 0.001) * largest if b.dtype.kind == "f" else 0.0
                moved, further = movement(b, others[:TRIES]), movement(b, others[TRIES:])
                moved = np.where(further < small, np.maximum(moved, further), moved)
                moved = np.maximum(moved, moved[moved < small].max(initial=0.0))
                if not compare.within(a, b, compare.MOVED * moved + compare.slack(b, largest)):
                    return False
        return True

    def shrunk(self, difference):
        """The program with lines left out, as long as it shows the same difference."""
        lines, i = list(self.lines[:self.lines.index(difference.line) + 1]), 0
        while i < len(lines):
            i += 1
            shorter = Program([*lines[:-i], *lines[len(lines) - i + 1:]], self.number)
            if any(d.group == difference.group for d in shorter.differences()):
                lines, i = list(shorter.lines), i - 1
        return Program(lines, self.number)


def alike_on_ours(line, a, mine, theirs):
    """Whether PyTorch gives our value where it is given our operands, which are its own but for their rounding."""
    if re.search("grad|backward|derivative", line.what):
        return False
    names = dict(theirs)
    for name in set(variables(line.text)) - {line.target}:
        names[name] = ours(mine.get(name), names.get(name))
    return compare.difference(a, run(line, names), wanting=False) is None


def ours(value, theirs):
    """PyTorch's value with the elements of minigrad's, where both are tensors, also in tuples and lists."""
    if isinstance(theirs, (tuple, list)) and isinstance(value, (tuple, list)) and len(value) == len(theirs):
        return [ours(a, b) for a, b in zip(value, theirs)]
    if compare.is_tensor(theirs) and compare.is_tensor(value):
        return torch.from_numpy(np.array(compare.array(value)))
    return theirs


def run(line, names, warned=None):
    """The value of a line's target, or the Failure. Warnings that minigrad's own lines gave are added to `warned`."""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always" if warned is not None else "ignore")
        try:
            exec(compiled(line.text), names)
        except Exception as error:  # of any kind: whether there is one is what counts
            return Failure(error)
        finally:
            if warned is not None:
                warned += [f"{w.category.__name__}: {w.message}" for w in given if w.filename.startswith(PACKAGE)]
    return names.get(line.target)


def differing(mine, theirs):
    """The first difference among all values of a program and their gradients."""
    for name in mine:
        if variables(name) and name in theirs:
            found = compare.difference(mine[name], theirs[name], f"{name} ", wanting=name[0] != "g")
            found = found or compare.difference(gradient(mine[name]), gradient(theirs[name]), f"{name}.grad ")
            if found:
                return found
    return None


def gradient(x):
    """The gradient of a tensor, None of anything else."""
    if not compare.is_tensor(x):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return x.grad


def movement(b, others):
    """How far each element of an array moves in others; infinite where it becomes NaN."""
    gaps = [np.zeros(b.shape)]
    for c in others:
        if c.shape == b.shape:
            with np.errstate(all="ignore"):
                gap = np.abs(np.subtract(c, b, dtype="float64"))
                still = (b == c) | (b != b) & (c != c)
            gaps.append(np.where(still, 0.0, np.where(np.isnan(gap), np.inf, gap)))
    return np.max(gaps, 0)


def leaves_of(value):
    """The arrays in a value, and in the gradients of its tensors."""
    if compare.is_tensor(value):
        grad = gradient(value)
        return [compare.array(value)] + ([] if grad is None else [compare.array(grad)])
    if isinstance(value, (tuple, list)):
        return [x for part in value for x in leaves_of(part)]
    if isinstance(value, dict):
        return leaves_of(list(value.values()))
    if isinstance(value, (bool, int, float)):  # a float may have been a float32
        return [np.asarray(value, "float32" if isinstance(value, float) else "float64")]
    return []


def perturbed(lines, seed, everywhere):
    """The names after lines have run in PyTorch with numbers that are a few roundings off, round ones if `everywhere`.

    Leaves are, and results; where memory is written, and other names must see it, only the gradients of results.
    """
    rng, written = np.random.default_rng(seed), any(line.changes == "writes" for line in lines)
    names = namespace(torch, lambda array: np.array(noise(array, rng, everywhere) * array)
                      if array.dtype.kind == "f" else array)
    for line in lines:
        value = run(line, names)
        if isinstance(value, torch.Tensor) and value.is_floating_point() and line.what != "leaf":
            factor = torch.from_numpy(noise(compare.array(value), rng, everywhere))
            if not written or is_alone(value, line.target, names):
                names[line.target] = value * factor
            elif compare.wants(value):
                value.register_hook(lambda g, factor=factor: g * factor)
    return names


def is_alone(value, target, names):
    """Whether a tensor's memory is under no other name."""
    place = value.untyped_storage().data_ptr()
    return all(x is value or x.untyped_storage().data_ptr() != place for name, x in names.items()
               if isinstance(x, torch.Tensor) and not x._is_zerotensor() and name != target)


def noise(array, rng, everywhere):
    """Factors within two roundings of 1; just 1 where numbers are round, if these are to stay."""
    factors = np.asarray(1 + 4 * np.finfo(array.dtype).eps * rng.uniform(-1, 1, array.shape)).astype(array.dtype)
    return factors if everywhere else np.where(round_numbers(array), array.dtype.type(1), factors)


def round_numbers(array):
    """Where numbers are small multiples of 1/8, which arithmetic keeps exact."""
    with np.errstate(all="ignore"):
        return (array * 8 == np.rint(array * 8)) & (np.abs(array) < 1000) | ~np.isfinite(array)
