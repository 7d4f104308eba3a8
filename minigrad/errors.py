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
