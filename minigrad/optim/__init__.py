"""Optimisers: one pass over one flat buffer for all the parameters of a group.

An optimiser moves its parameters into one buffer that each `Parameter` then views, so that an update is a handful of
array operations whatever the number of layers, in blocks of half a megabyte, or, for Adam, one compiled loop where
numba is installed. A parameter whose memory somebody else holds, too, stays where it is (see `Flat`). Gradients are
read where backward left them, but for those of small parameters (biases), which are put together first. A parameter
without a gradient is left alone, its state and its step count too, as in PyTorch. State dicts have PyTorch's form.
"""

from minigrad.absent import names_of
from minigrad.optim.ema import EMA
from minigrad.optim.flat import Flat
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.updates import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, RAdam, RMSprop

__all__ = ["EMA", "SGD", "Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "Flat", "Optimizer", "RAdam", "RMSprop"]
__getattr__ = names_of(__name__)
