"""PyTorch's switches for the libraries under it, which scripts set or ask: without effect, or never there."""

from minigrad.absent import names_of
from minigrad.backends import cuda, cudnn, mps

__all__ = ["cuda", "cudnn", "mps"]
__getattr__ = names_of(__name__)
