"""What PyTorch keeps under `utils`."""

from minigrad.utils import data

__all__ = ["data"]
