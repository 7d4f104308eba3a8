"""A fault: a wrong rule and where it is planted; the tables of the faults, and of the checks that must notice them."""

import contextlib
import inspect
import textwrap
from dataclasses import dataclass, field
from typing import Any

import numpy


@dataclass(frozen=True)
class Fault:
    """One wrong rule: `what` is wrong, in `attribute` of `target`; `first` names the checks that are tried first."""

    name: str
    what: str
    target: Any
    attribute: str
    replacement: Any = field(repr=False)
    first: tuple = ()

    @contextlib.contextmanager
    def planted(self):
        """Inside, the rule is wrong."""
        missing = object()
        before = vars(self.target).get(self.attribute, missing)
        setattr(self.target, self.attribute, self.replacement)
        try:
            yield self
        finally:
            if before is missing:
                delattr(self.target, self.attribute)
            else:
                setattr(self.target, self.attribute, before)

    @property
    def place(self):
        """Where to look, as `module.Class.attribute`."""
        name = self.target.__name__
        return (
            f"{self.target.__module__}.{name}.{self.attribute}"
            if isinstance(self.target, type)
            else f"{name}.{self.attribute}"
        )

FAULTS, CHECKS = [], {}

def wrong(name, what, target, replacement, attribute="backward", first=()):
    """Add a fault."""
    if not hasattr(target, attribute):
        raise AttributeError(f"fault {name}: {target.__name__} has no {attribute}; plant it where the rule is now")
    FAULTS.append(Fault(name, what, target, attribute, replacement, (first,) if isinstance(first, str) else first))


def changed(op, change, position=0):
    """op's backward, with result `position` replaced by change(result, op, g, *kept)."""
    original = op.backward

    def backward(self, g, *kept):
        results = list(original(self, g, *kept))
        if results[position] is not None:
            results[position] = change(results[position], self, g, *kept)
        return tuple(results)

    return backward


def rewritten(function, *changes):
    """The function made anew from its source with some text changed: (old, new), (old, new), ..."""
    text = textwrap.dedent(inspect.getsource(function))
    for old, new in changes:
        if old not in text:
            raise ValueError(f"rewritten: {function.__qualname__} has no {old!r}; name a text that it has now")
        text = text.replace(old, new)
    names = dict(function.__globals__)
    exec(text, names)
    return names[function.__name__]


def check(name):
    """Make a function without arguments one of the quick checks, under this name."""
    def register(function):
        CHECKS[name] = function
        return function

    return register


def expect(found, expected, what):
    """Raise AssertionError unless two values agree."""
    found, expected = (numpy.asarray(getattr(v, "array", v), "float64") for v in (found, expected))
    if found.shape != expected.shape or not numpy.allclose(found, expected, 1e-9, 1e-12):
        raise AssertionError(f"{what}: {found.tolist()}, expected {expected.tolist()}")
