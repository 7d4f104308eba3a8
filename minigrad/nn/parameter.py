"""Where PyTorch has Parameter, too."""

from minigrad.absent import names_of
from minigrad.nn.module import Parameter

__all__ = ["Parameter"]
__getattr__ = names_of(__name__)
