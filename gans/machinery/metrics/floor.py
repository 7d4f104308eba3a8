"""The floor of a measure: what it says of real images beside other real ones, and so what perfect samples would reach.

No distance between two finite sets is that of what they were drawn from: that of real digits to other real digits is
not 0, and the farther from it the fewer there are; the precision of real digits is not 1. A figure without n and
without its floor can therefore not be read (docs/measures.md has figures).
"""

from dataclasses import dataclass
from typing import Any

from gans.machinery.metrics.refusals import MeasureError
from minigrad.random import stream


@dataclass(frozen=True)
class Beside:
    """What a measure says of samples, and of as many real ones in their place."""

    value: Any
    floor: Any  # of a share that should be large it is the ceiling
    n: int  # samples, real ones in their place, and real ones that both are compared with: of each so many

    def __str__(self):
        """The figure, its floor and n: "0.0312 (real beside real 0.0011; n = 5,000)"."""
        value, floor = (f"{x:.3g}" if isinstance(x, float) else str(x) for x in (self.value, self.floor))
        return f"{value} (real beside real {floor}; n = {self.n:,})"


def beside_floor(measure, samples, real, *, seed=0):
    """measure(samples, real) beside its floor, both of as many: a Beside.

    Two disjoint sets of len(samples) real ones are drawn, a function of seed. The samples and the second set are each
    compared with the first. If there are not twice as many real ones as samples, the sets have len(real) // 2, and so
    many samples count, the first.

    samples and real are arrays of one kind, (N, ...) and (M, ...): images, or rows of features. MeasureError where
    there are none, or fewer than two real ones; beyond that, what `measure` refuses.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> far = beside_floor(lambda a, b: float(abs(a.mean() - b.mean())), rng.normal(3, 1, 500), rng.normal(0, 1, 800))
    >>> far.n, round(far.value), round(far.floor)
    (400, 3, 0)
    """
    count = min(len(samples), len(real) // 2)
    if count == 0:
        raise MeasureError(f"beside_floor: {len(samples)} samples and {len(real)} real ones; give a sample or more and "
                           "twice as many real ones")
    order = stream(seed, "halves").permutation(len(real))  # a data set may be sorted
    first, second = real[order[:count]], real[order[count:2 * count]]
    return Beside(measure(samples[:count], first), measure(second, first), count)
