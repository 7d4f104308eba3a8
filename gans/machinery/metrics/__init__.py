"""How good are samples? Figures that a demo reports, each with what it is measured against.

    sliced.py     the sliced Wasserstein distance of images
    features.py   the Fréchet distance of features
    modes.py      the shares of classes
"""

from gans.machinery.metrics.features import frechet_distance
from gans.machinery.metrics.modes import shares
from gans.machinery.metrics.sliced import (
    laplacian_pyramid,
    patches,
    sliced_wasserstein,
    sliced_wasserstein_and_floor,
)

__all__ = ["frechet_distance", "laplacian_pyramid", "patches", "shares", "sliced_wasserstein",
           "sliced_wasserstein_and_floor"]
