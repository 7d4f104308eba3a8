"""How a line of a table becomes a call: names, the places where PyTorch has them, and the arguments.

    each("softmax log_softmax", "torch method F", "input:float dim:dim dtype?:float-dtype")

is six functions. A place is `torch`, `F` or `init` (functions), `drawn` (one whose values are random: only shape and
dtype count), `method` (of the first argument), `inplace` (a method that writes), `attribute`, `operator` (between the
two arguments), `augmented` or `unary`. What minigrad does not have under a name is not called; the name is covered from
the day on which it is there. What kinds of arguments there are is told in kinds.py.
"""

from dataclasses import dataclass, replace

import torch

import minigrad
from tests.differential import shapes, tensors  # noqa: F401 (which register their kinds)
from tests.differential.kinds import Argument, Draw

PLACES = {"torch": "torch.", "drawn": "torch.", "F": "F.", "init": "nn.init."}
ALIASES = {"dim": "axis", "keepdim": "keepdims"}
CALLS = []


@dataclass(frozen=True)
class Call:
    """One function in one place."""

    name: str
    place: str
    arguments: tuple
    unpacked: bool = False  # whether the last argument, a tuple, is given as so many arguments

    @property
    def what(self):
        """How the function is called in reports."""
        return {"method": f".{self.name}", "inplace": f".{self.name}", "attribute": f".{self.name}"}.get(
            self.place, PLACES.get(self.place, "") + self.name)

    def exists(self):
        """Whether both libraries have it."""
        if self.place in ("operator", "unary", "augmented"):
            return True
        paths = {"F": "nn.functional", "init": "nn.init"}
        for library in (minigrad, torch):
            owner = library.Tensor if self.place in ("method", "inplace", "attribute") else library
            for part in filter(None, paths.get(self.place, "").split(".")):
                owner = getattr(owner, part)
            if not hasattr(owner, self.name) and not (self.place == "attribute" and self.name in ("grad", "data")):
                return False
        return True

    def write(self, writer):
        """The text of a call."""
        draw, texts = Draw(writer), []
        for argument in self.arguments:
            left_out = argument.optional and writer.chance(0.5)
            texts.append(None if left_out else draw.text(argument))
        if self.place == "operator":
            x, y = texts[::-1] if writer.chance(0.3) else texts
            return f"{x} {self.name} {y}"
        if self.place == "augmented":
            return f"{texts[0]} {self.name} {texts[1]}"
        if self.place == "unary":
            return f"{self.name}({texts[0]})" if self.name.isalpha() else f"{self.name}{texts[0]}"
        if self.place == "attribute":
            return f"{texts[0]}.{self.name}"
        if self.place in ("method", "inplace"):
            return f"{texts[0]}.{self.name}({self.brackets(writer, texts[1:], self.arguments[1:])})"
        text = f"{PLACES[self.place]}{self.name}({self.brackets(writer, texts, self.arguments)})"
        return f"torch.zeros_like({text})" if self.place == "drawn" else text

    def brackets(self, writer, texts, arguments):
        """The arguments as they stand in brackets."""
        if self.unpacked and texts and texts[-1] is not None and writer.chance(0.6):
            return ", ".join(filter(None, [*texts[:-1], texts[-1][1:-1].rstrip(",")]))
        return listed(writer, texts, arguments)


def listed(writer, texts, arguments, least=None):
    """The arguments in brackets: the first ones by position, the others, and all behind a gap, by name."""
    positional, parts = writer.choice((0, 1, 1, 2, 2, 9, 9)) if least is None else least, []
    if arguments and arguments[0].name in ("input", "tensors") and not writer.chance(0.03):
        positional = max(positional, 1)
    for i, (text, argument) in enumerate(zip(texts, arguments)):
        if text is None or argument.named and not writer.chance(0.03):
            positional = 0
        if text is None:
            continue
        if i < positional or argument.positional:
            parts.append(text)
        else:
            name = ALIASES.get(argument.name, argument.name) if writer.chance(0.05) else argument.name
            parts.append(f"{name}={text}")
            positional = 0
    return ", ".join(parts)


def parse(arguments):
    """The arguments of a table's line."""
    front, _, named = arguments.partition("* ")
    behind = [replace(Argument.parse(word), named=True) for word in named.split()]
    return (*map(Argument.parse, front.split()), *behind)


def each(names, places, arguments, unpacked=False):
    """Add functions of several names with the same arguments."""
    parsed = parse(arguments)
    for name in names.split():
        CALLS.extend(Call(name, place, parsed, unpacked) for place in places.split())
