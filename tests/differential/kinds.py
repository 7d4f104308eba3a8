"""Kinds of arguments: what `name:kind` in a table's line stands for, as functions that write an argument's text.

`name:kind[shape]` is a tensor whose shape is described by tokens: `N` is a size that every N of the line shares, or the
value of the argument N; `N?` an axis that may be missing; `*` any axes; `3` or `2*N` what it says; `=x` the shape of
argument x, `~x` one that broadcasts with it. `a|b|c` is one of these texts, `{N}` in them a size. With `name?:` the
argument may be left out, `_name:` goes by position only, those behind a `*` by name only. Tensors, numbers and shapes
have a file each; the functions there get a `Draw`, the call that is being written, and an `Argument`.
"""

import re
from dataclasses import dataclass

import torch

KINDS = {}
MISTAKES = 0.03  # the share of arguments that are out of range, of another dtype, or of a shape that does not fit


@dataclass(frozen=True)
class Argument:
    """`name:kind[shape]`; with `name?:` it may be left out, `_name:` goes by position only, `named` ones by name."""

    name: str
    kind: str
    shape: str | None = None
    optional: bool = False
    positional: bool = False
    named: bool = False

    @classmethod
    def parse(cls, text):
        """From a word of a table's line."""
        name, optional, kind = re.fullmatch(r"(\w+)(\??):(.*)", text).groups()
        named = re.fullmatch(r"([a-z][a-z0-9-]*)(?:\[(.*)\])?", kind)
        kind, shape = named.groups() if named and named[1] in KINDS else (kind, None)
        return cls(name.lstrip("_"), kind, shape, bool(optional), name.startswith("_"))


class Draw:
    """The arguments of one call, as far as they are written: `given` has their values, `sizes` those of the symbols."""

    def __init__(self, writer):
        self.writer, self.given, self.sizes, self.first = writer, {}, {}, None

    def text(self, argument):
        """The text of an argument, whose value becomes known to those behind it."""
        write = KINDS.get(argument.kind)
        text = write(self, argument) if write else self.writer.choice(argument.kind.split("|")).format(**self.sizes)
        try:
            self.given[argument.name] = self.writer.evaluate(text)
        except Exception:  # an error that the call itself will meet again
            self.given[argument.name] = None
        if self.first is None and isinstance(self.given[argument.name], torch.Tensor):
            self.first = self.given[argument.name]
        return text

    def mistake(self):
        """Whether to write something that does not fit."""
        return self.writer.chance(MISTAKES)

    def size(self, token):
        """The size that a token of a shape stands for."""
        for symbol in re.findall(r"[A-Za-z_]\w*", token):
            if symbol not in self.sizes and isinstance(self.given.get(symbol), int):
                self.sizes[symbol] = self.given[symbol]
            if symbol not in self.sizes:
                low, high = {"H": (1, 8), "W": (1, 8), "L": (1, 9), "G": (1, 2)}.get(symbol, (1, 4))
                self.sizes[symbol] = 0 if self.writer.chance(0.02) else self.writer.integer(low, high)
        return max(0, int(eval(token, {}, self.sizes)))

    def shape(self, described):
        """A shape by its description."""
        writer = self.writer
        if described is None:
            return writer.shape()
        if described[:1] in ("=", "~"):
            other = self.given.get(described[1:])
            shape = tuple(getattr(other, "shape", ()))
            shape = broadcastable(writer, shape) if described[0] == "~" else shape
        else:
            shape = ()
            for token in filter(None, described.split(",")):
                if token == "*":
                    shape += tuple(writer.integer(1, 3) for _ in range(writer.choice((0, 1, 1, 2))))
                elif not token.endswith("?") or writer.chance(0.85):
                    shape += (self.size(token.rstrip("?")),)
        if shape and self.mistake():
            i = writer.integer(0, len(shape) - 1)
            shape = writer.choice((shape[:i] + (shape[i] + 1,) + shape[i + 1:], shape[1:], (2, *shape)))
        return shape

    def fits(self, described, shape):
        """Whether a shape is one that a description stands for, as far as its sizes are chosen yet; then they are."""
        if described is None or described == "*":
            return True
        if described[:1] == "=":
            return tuple(shape) == tuple(getattr(self.given.get(described[1:]), "shape", ()))
        if described[:1] == "~":
            other = tuple(getattr(self.given.get(described[1:]), "shape", ()))
            return all(n == m or 1 in (n, m) for n, m in zip(shape[::-1], other[::-1]))
        tokens, sizes = described.split(",") if described else [], dict(self.sizes)
        if "*" in tokens:
            at, spare = tokens.index("*"), len(shape) - len(tokens) + 1
            if spare < 0:
                return False
            tokens[at:at + 1] = ["_"] * spare
        if len(tokens) != len(shape):
            return False
        for token, n in zip(tokens, shape):
            token = token.rstrip("?")
            if token == "_":
                continue
            if not token.isidentifier() or isinstance(self.given.get(token), int):
                if n != self.size(token):
                    return False
            elif sizes.setdefault(token, n) != n:
                return False
        self.sizes = sizes
        return True


def broadcastable(writer, shape):
    """A shape that broadcasts with another: equal, some axes of size 1, or missing ones in front."""
    way = writer.choice("=====1-+")
    if way == "1":
        return tuple(writer.choice((1, n)) for n in shape)
    if way == "-":
        return shape[writer.integer(0, len(shape)):]
    return (writer.integer(1, 3), *shape) if way == "+" and len(shape) < 4 else shape


def kind(*names):
    """Register a function under names of kinds."""
    def register(write):
        KINDS.update(dict.fromkeys(names, write))
        return write

    return register
