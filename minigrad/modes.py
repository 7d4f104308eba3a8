"""The switches around the graph, one set a thread: is a graph recorded, are NaNs hunted."""

import threading
from contextlib import ContextDecorator


class _Mode(threading.local):
    """The switches of the current thread."""

    grad = True
    anomaly = False


mode = _Mode()


class _Switch(ContextDecorator):
    """Sets one switch for a `with` block or a decorated function, and puts it back."""

    name, value = "grad", True

    def __new__(cls, function=None):
        self = super().__new__(cls)
        self.before = []
        return self if function is None else self(function)

    def _recreate_cm(self):
        return type(self)()

    def __enter__(self):
        self.before.append(getattr(mode, self.name))
        setattr(mode, self.name, self.value)

    def __exit__(self, *exc):
        setattr(mode, self.name, self.before.pop())


class no_grad(_Switch):
    """No graph is recorded inside: `with no_grad():`, `@no_grad()` or `@no_grad`."""

    value = False


class enable_grad(_Switch):
    """Graphs are recorded again inside, also within `no_grad`."""


class detect_anomaly(_Switch):
    """The first NaN or inf that an op makes, forward or backward, raises and names the line that called the op."""

    name = "anomaly"


def is_grad_enabled():
    """Whether ops record a graph in this thread."""
    return mode.grad


class set_grad_enabled(_Switch):
    """Graphs are recorded, or not, from here on, or inside `with set_grad_enabled(flag):`."""

    def __new__(cls, enabled):
        self = object.__new__(cls)
        self.before, self.value = [mode.grad], bool(enabled)
        mode.grad = self.value
        return self

    def __enter__(self):
        mode.grad = self.value

    def _recreate_cm(self):
        return set_grad_enabled(self.value)


def set_detect_anomaly(mode_on):
    """Hunt the first NaN or inf from here on in this thread, or no longer; `detect_anomaly` does so for a block."""
    mode.anomaly = bool(mode_on)
