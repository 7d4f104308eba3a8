"""What no measure can say anything true of: sets that are too small, or hold NaN. It is refused, in one line."""

import numpy as np

from minigrad.errors import MinigradError


class MeasureError(MinigradError, ValueError):
    """Arrays that a measure refuses. The message names the measure and the set, says why, and what to give."""


def usable(name, samples, real, least=2, because="two rows are the fewest that differ"):
    """Two sets of rows as float64 arrays, (N, F) and (M, F), once it is certain that a measure can use them.

    `name` is the measure's; it needs `least` rows of each, `because` of what its message says. MeasureError for fewer,
    for rows that are none or not of one width, and for NaN or infinity.
    """
    samples, real = np.asarray(samples), np.asarray(real)
    if samples.ndim != 2 or real.ndim != 2 or samples.shape[1] != real.shape[1] or samples.shape[1] == 0:
        raise MeasureError(f"{name}: samples of shape {samples.shape} and real ones of shape {real.shape}; give rows "
                           "of one width, (N, F) and (M, F)")
    for what, rows in (("samples", samples), ("real rows", real)):
        if len(rows) < least:
            raise MeasureError(f"{name}: {len(rows)} {what} are too few, as {because}; give {least} or more")
        finite(name, what, rows)
    return samples.astype(np.float64), real.astype(np.float64)


def finite(name, what, rows):
    """MeasureError where there is NaN or infinity among rows (N, ...)."""
    bad = int((~np.isfinite(rows)).reshape(len(rows), -1).any(1).sum())
    if bad:
        raise MeasureError(f"{name}: NaN or infinity in {bad:,} of {len(rows):,} {what}, so that no figure would be "
                           "one; find what makes them (--anomaly names the line), or leave them out")
