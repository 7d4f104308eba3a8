"""The errors that minigrad raises for a bad file, so that a caller can catch one class and print one line.

Every message is one line that names the file, says what is wrong with which values, and ends with the fix. Errors about
shapes, dtypes and misuse of the engine are Python's own `ValueError` and `TypeError`.
"""


class MinigradError(Exception):
    """What every error class of minigrad's own derives from."""


class DataError(MinigradError, ValueError):
    """A data file that is missing, damaged or hostile. Whatever a data file holds, a reader raises nothing else."""


class CheckpointError(MinigradError):
    """A checkpoint that cannot be written, read, or used with this model."""


class ExportError(MinigradError, ValueError):
    """A network that cannot be written in another format."""


def explain(op, error, arrays):
    """Raise the one-line error for an op whose forward failed: the op, what is wrong, its inputs, the fix."""
    name, reason = type(op).__name__, " ".join(str(error).split())
    if reason.startswith(f"{name}:"):
        raise error
    kinds = (IndexError, TypeError, ValueError, ZeroDivisionError)
    kind = next((k for k in kinds if isinstance(error, k)), ValueError)
    given = ", ".join(f"{a.dtype}{tuple(a.shape)}" if hasattr(a, "shape") else repr(a)[:40] for a in arrays)
    raise kind(f"{name}: {reason}; inputs: {given}; fix: {op.fix}") from error
