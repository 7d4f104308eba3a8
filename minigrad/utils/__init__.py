"""What PyTorch keeps under `utils`."""

from minigrad.absent import names_of
from minigrad.utils import data

__all__ = ["data"]
__getattr__ = names_of(__name__)
