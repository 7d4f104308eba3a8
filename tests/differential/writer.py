"""Writes programs: chooses statements and their arguments at random, and runs them in PyTorch to know what they give.

A program depends on its number alone. Its lines are Python text, so that it can be printed and run as it stands. What
is in reach of a line is the `pool`: the expressions that name tensors, with their values in PyTorch.
"""

import random
import re
import warnings
from dataclasses import dataclass

import torch

from tests.differential.prelude import names

FLOATS = ("float32", "float32", "float32", "float64", "float64", "float16")
INTEGERS = ("int64", "int64", "int64", "int32", "int16", "int8", "uint8")
ANY = FLOATS * 3 + INTEGERS + ("bool", "bool")
LARGE, HUGE = 400, 1e5  # elements and magnitudes that later lines are not built on


@dataclass(frozen=True)
class Line:
    """One statement: its text, the name that it gives a value to, what it calls, and whether it changes other values:

    "grads" for a line that only adds to `.grad`, "writes" for one that writes into memory.
    """

    text: str
    target: str | None = None
    what: str = ""
    changes: str = ""


class Writer:
    """The state of a program that is being written."""

    def __init__(self, number):
        self.random = random.Random(number)
        self.names, self.lines, self.pool, self.count = names(torch), [], [], 0

    # Chance.

    def chance(self, share):
        """True in a share of the cases."""
        return self.random.random() < share

    def choice(self, options):
        """One of a sequence."""
        return options[int(self.random.random() * len(options))]

    def integer(self, low, high):
        """An integer in low..high."""
        return low + int(self.random.random() * (high - low + 1))

    def seed(self):
        """A seed for numbers."""
        return self.integer(0, 999)

    # Lines.

    def evaluate(self, text):
        """The value of an expression in PyTorch."""
        return eval(text, self.names)

    def add(self, text, target=None, what="", changes=""):
        """Append a line and run it in PyTorch; whether it passed. Tensors that it gives join the pool."""
        self.lines.append(Line(text, target, what, changes))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                exec(text, self.names)
        except Exception:  # the programs are to reach errors, too
            return False
        if target is not None:
            self.offer(target)
        return True

    def offer(self, name):
        """Put what a name holds into the pool, as far as lines can be built on it."""
        value = self.names[name]
        several = isinstance(value, (tuple, list)) and not isinstance(value, torch.Size)
        for text, x in [(f"{name}[{i}]", x) for i, x in enumerate(value[:3])] if several else [(name, value)]:
            if isinstance(x, torch.Tensor) and x.numel() <= LARGE and (self.chance(0.2) or not extreme(x)):
                self.pool.append((text, x))

    def name(self, letter):
        """A new name."""
        self.count += 1
        return f"{letter}{self.count}"

    def call(self, text, what, letter="y", quiet=None):
        """Append `name = text`, at times under no_grad; the name, or None where PyTorch raised."""
        name = self.name(letter)
        quiet = self.chance(0.06) if quiet is None else quiet
        mode = self.choice(("torch.no_grad()", "torch.no_grad()", "torch.set_grad_enabled(False)"))
        line = f"with {mode}: {name} = {text}" if quiet else f"{name} = {text}"
        return name if self.add(line, name, what) else None

    # Tensors.

    def pick(self, wanted):
        """An expression in the pool whose value satisfies `wanted`, late ones more often; None if there is none."""
        fitting = [entry for entry in self.pool if holds(wanted, entry[1])]
        if not fitting:
            return None
        return fitting[-1 - min(int(self.random.expovariate(0.4)), len(fitting) - 1)][0]

    def shape(self, most=3):
        """A small shape; at times without elements."""
        rank = self.choice((0, 1, 1, 2, 2, 2, 3, 3)[:most * 2 + 2] if most < 3 else (0, 1, 1, 2, 2, 2, 3, 3))
        return tuple(0 if self.chance(0.03) else self.integer(1, 4) for _ in range(rank))

    def leaf(self, shape=None, dtype=None, values=None, wants=None):
        """Append a line that makes a tensor; its name. `values` is the style of the numbers, see `array_text`."""
        shape, dtype = self.shape() if shape is None else tuple(shape), dtype or self.choice(ANY)
        name, expanded = self.name("x"), shape and 0 not in shape and self.chance(0.07)
        text = f"leaf({laid_out(self, (1, *shape[1:]) if expanded else shape, dtype, values)})"
        if expanded:
            text += f".expand({', '.join(map(str, shape))})"
        if dtype.startswith("float") and (self.chance(0.7) if wants is None else wants):
            text += ".requires_grad_()"
        self.add(f"{name} = {text}", name, "leaf")
        return name


def holds(wanted, x):
    """Whether a tensor is wanted; one that PyTorch will say nothing about, a view that it thinks is misused, is not."""
    try:
        return wanted(x)
    except RuntimeError:
        return False


def extreme(x):
    """Whether values are so large that what is built on them is all rounding, or not finite."""
    if not x.numel() or not x.is_floating_point():
        return False
    x = x.detach()
    return not bool(torch.isfinite(x).all()) or float(x.abs().max()) > HUGE


def laid_out(writer, shape, dtype, values):
    """Text of an array: in C order, or permuted, or with negative strides, or with gaps."""
    if shape and 0 not in shape:
        if len(shape) > 1 and writer.chance(0.12):
            return array_text(writer, shape[::-1], dtype, values) + ".T"
        if writer.chance(0.12):
            turned = ", ".join(writer.choice(("::-1", ":")) for _ in shape[1:])
            return array_text(writer, shape, dtype, values) + f"[::-1{', ' + turned if turned else ''}]"
        if writer.chance(0.06):
            return array_text(writer, (*shape[:-1], 2 * shape[-1]), dtype, values) + "[..., ::2]"
    return array_text(writer, shape, dtype, values)


def array_text(writer, shape, dtype, values=None):
    """Text of an array with values of a style: normal, ties, special, large, share (0.05 to 0.95), below N."""
    size = 1
    for n in shape:
        size *= n
    if not size:
        return f"np.zeros({shape}, '{dtype}')"
    if values is None:
        values = writer.choice(("normal",) * 14 + ("ties",) * 4 + ("special", "large"))
    if dtype == "bool":
        values = "below 2"
    elif dtype in ("uint8", "int8", "int16", "int32", "int64") and not values.startswith("below"):
        values = "whole" if dtype != "uint8" else "below 7"
    values = "normal" if values == "plain" else values
    if size > 12 and values in ("normal", "share", "large", "positive"):
        text = f"normal({writer.seed()}, {', '.join(map(str, shape))})"
        text = {"normal": "{}", "large": "({} * 300)", "positive": "(np.abs({}) + 0.1)",
                "share": "(0.5 + 0.45 * np.sin({}))"}[values].format(text)
        return f"{text}.astype('{dtype}')"
    if size > 12 and values in ("whole", "ties") or size > 12 and values.startswith("below"):
        low, high = (-3, 4) if values in ("whole", "ties") else (0, int(values.split()[1]))
        return f"integers({writer.seed()}, {low}, {high}, {', '.join(map(str, shape))}).astype('{dtype}')"
    numbers = iter([one_number(writer, values) for _ in range(size)])
    return f"np.array({nested(numbers, shape)}, '{dtype}')"


def one_number(writer, values):
    """Text of one number of a style."""
    if values.startswith("below"):
        return str(writer.integer(0, int(values.split()[1]) - 1))
    if values in ("whole", "ties"):
        return str(writer.integer(-3, 3))
    if values == "special":
        return writer.choice(("0.0", "-0.0", "1.0", "-1.0", "0.5", "2.5", "np.inf", "-np.inf", "np.nan", "1e-8"))
    number = writer.random.gauss(0, 300 if values == "large" else 1)
    if values == "share":
        number = writer.random.uniform(0.05, 0.95)
    if values == "positive":
        number = abs(number) + 0.1
    return f"{number:.2f}"


def nested(texts, shape):
    """Nested lists, as text, of an iterator of texts."""
    if not shape:
        return next(texts)
    return "[" + ", ".join(nested(texts, shape[1:]) for _ in range(shape[0])) + "]"


def variables(text):
    """The names of a program's own values in a text."""
    return re.findall(r"\b[a-z]\d+\b", text)
