"""How good are samples? Figures that a demo reports, each a function of arrays, with its paper.

    features.py    Fréchet distance, KID, inception score: of a classifier's features and answers
    neighbours.py  precision and recall, density and coverage, the 1-NN two-sample test, nearest training images
    modes.py       which of the kinds that there are come, by one hit and by fair share
    sliced.py      the sliced Wasserstein distance of images
    floor.py       what a measure says of real images beside other real ones: `beside_floor`, for all of them
    refusals.py    what no measure can say anything true of

docs/measures.md says what each tells and when it misleads; `python -m gans.measure RUN` prints them for a run.
"""

from gans.machinery.metrics.features import frechet_distance, inception_score, kernel_distance
from gans.machinery.metrics.floor import Beside, beside_floor
from gans.machinery.metrics.modes import Modes, mode_counts, modes_around, shares
from gans.machinery.metrics.neighbours import (
    DensityCoverage,
    Memorised,
    PrecisionRecall,
    TwoSamples,
    density_coverage,
    memorised,
    nearest,
    precision_recall,
    two_samples,
)
from gans.machinery.metrics.refusals import MeasureError
from gans.machinery.metrics.sliced import SlicedWasserstein, laplacian_pyramid, patches, sliced_wasserstein

__all__ = [
    "Beside", "DensityCoverage", "MeasureError", "Memorised", "Modes", "PrecisionRecall", "SlicedWasserstein",
    "TwoSamples", "beside_floor", "density_coverage", "frechet_distance", "inception_score", "kernel_distance",
    "laplacian_pyramid", "memorised", "mode_counts", "modes_around", "nearest", "patches", "precision_recall",
    "shares", "sliced_wasserstein", "two_samples"]
