"""The switches around the graph, one set a thread: is a graph recorded, are NaNs hunted."""

import functools
import inspect
import threading


class _Mode(threading.local):
    """The switches of the current thread."""

    grad = True
    anomaly = False


mode = _Mode()


class _Switch:
    """Sets one switch for a `with` block or a decorated function, and puts it back as it was.

    A generator that is decorated has the switch set while it runs, not while its caller does.
    """

    name, value = "grad", True

    def __new__(cls, function=None):
        self = super().__new__(cls)
        self.before = []  # a stack, so that the same object can be entered within itself
        return self if function is None else self(function)

    def __enter__(self):
        self.before.append(getattr(mode, self.name))
        setattr(mode, self.name, self.value)

    def __exit__(self, *exc):
        setattr(mode, self.name, self.before.pop())

    def __call__(self, function):
        def switched():  # one for each call: a function may be called from several threads at once
            return _Set(self.name, self.value)

        if inspect.isgeneratorfunction(function):
            return _stepwise(function, switched)

        @functools.wraps(function)
        def called(*args, **options):
            with switched():
                return function(*args, **options)

        return called


class _Set(_Switch):
    """Any switch, any value."""

    def __new__(cls, name, value):
        self = super().__new__(cls)
        self.name, self.value = name, value
        return self


def _stepwise(function, switched):
    """A generator function whose generators run, from one yield to the next, within `switched()`."""
    @functools.wraps(function)
    def generate(*args, **options):
        inner = function(*args, **options)
        go_on = functools.partial(next, inner)
        while True:
            try:
                with switched():
                    item = go_on()
            except StopIteration as stop:
                return stop.value
            try:
                go_on = functools.partial(inner.send, (yield item))
            except GeneratorExit:
                with switched():
                    inner.close()
                raise
            except BaseException as error:  # thrown in by the caller: the inner generator may handle it
                go_on = functools.partial(inner.throw, error)

    return generate


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


class inference_mode(_Switch):
    """The same as no_grad here; inference_mode(False) is enable_grad."""

    def __new__(cls, mode=True):
        if callable(mode):
            return super().__new__(cls, mode)
        self = super().__new__(cls)
        self.value = not mode
        return self

    value = False


class set_grad_enabled(_Switch):
    """Graphs are recorded, or not, from here on; as `with set_grad_enabled(flag):` or decorator, inside alone.

    >>> import minigrad
    >>> with set_grad_enabled(False):
    ...     minigrad.is_grad_enabled()
    False
    >>> minigrad.is_grad_enabled()
    True
    """

    def __new__(cls, mode):
        self = super().__new__(cls)
        self.value = bool(mode)
        super().__enter__(self)  # takes effect now; what was before is known to the block or decorator that follows
        self.entered = True
        return self

    def __enter__(self):
        if not self.entered:
            super().__enter__()
        self.entered = False

    def __call__(self, function):
        if self.entered:
            self.entered = False
            self.__exit__()
        return super().__call__(function)


class set_detect_anomaly(set_grad_enabled):
    """The first NaN or inf raises from here on in this thread, or no longer; or for a block or a function alone."""

    name = "anomaly"
