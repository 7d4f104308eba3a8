"""Anomaly mode: which op made the first NaN or inf, and which line of the user's program called it."""

import linecache
import os
import sys

_HOME = os.path.dirname(os.path.abspath(__file__)) + os.sep


def calling_line():
    """`file:line: source` of the innermost frame outside the package: the user's line."""
    frame = sys._getframe(1)
    while frame.f_back is not None and os.path.abspath(frame.f_code.co_filename).startswith(_HOME):
        frame = frame.f_back
    path, number = frame.f_code.co_filename, frame.f_lineno
    return f"{path}:{number}: {linecache.getline(path, number).strip()}"


def _bad(value):
    """'NaN' or 'inf' if the floating array or Tensor or scalar holds one, else None."""
    array = getattr(value, "array", value)
    if getattr(getattr(array, "dtype", None), "kind", "") != "f":
        array = array if isinstance(array, float) else 0.0
        return "NaN" if array != array else "inf" if abs(array) == float("inf") else None
    total = abs(array).max() if array.size else 0.0  # max passes NaN on, so one reduction finds both
    return "NaN" if total != total else "inf" if total == float("inf") else None


def check_forward(op, out, arrays):
    """Raise if `out` is the first value here that is not finite; return the user's line for the backward pass."""
    line, bad = calling_line(), _bad(out)
    if bad and not any(_bad(array) for array in arrays):
        raise FloatingPointError(f"{type(op).__name__} made the first {bad} (forward), called at {line}")
    return line


def check_backward(op, g, results):
    """Raise if `op.backward` turned a finite cotangent into one that is not."""
    for position, result in enumerate(results):
        if result is not None and (bad := _bad(result)) and not _bad(g):
            line = getattr(op, "line", "a line that ran before anomaly mode was on")
            raise FloatingPointError(f"{type(op).__name__} made the first {bad} (backward, gradient of input "
                                     f"{position}), called at {line}")
