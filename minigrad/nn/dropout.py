"""Dropout: of single values, of whole channels, and with the mean and variance kept."""

from minigrad.nn import functional as F
from minigrad.nn.module import Module


class Dropout(Module):
    """While training, each element 0 with probability p, the others divided by 1 - p."""

    function = "dropout"  # of minigrad.nn.functional, looked up at each call

    def __init__(self, p=0.5, inplace=False):
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"{type(self).__name__}: p is {p}; a probability lies in 0..1")
        self.p = p

    def forward(self, x):
        return getattr(F, self.function)(x, self.p, self.training)

    def extra_repr(self):
        return f"p={self.p}"


class Dropout1d(Dropout):
    """While training, each channel of each sample (N, C, L) or (C, L) 0 with probability p (Tompson et al. 2015)."""

    function = "dropout1d"


class Dropout2d(Dropout):
    """The same for images (N, C, H, W)."""

    function = "dropout2d"


class Dropout3d(Dropout):
    """The same for (N, C, D, H, W) or (C, D, H, W)."""

    function = "dropout3d"


class AlphaDropout(Dropout):
    """Dropout for networks of SELUs: what is dropped becomes -1.758, and mean and variance are kept."""

    function = "alpha_dropout"
