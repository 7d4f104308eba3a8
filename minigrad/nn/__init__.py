"""Networks: modules, layers, losses, initialisation. PyTorch's names, argument orders and defaults."""

from minigrad.nn import functional, init, utils
from minigrad.nn.activations import (
                                     ELU,
                                     GELU,
                                     BCELoss,
                                     BCEWithLogitsLoss,
                                     CrossEntropyLoss,
                                     L1Loss,
                                     LeakyReLU,
                                     LogSoftmax,
                                     MSELoss,
                                     NLLLoss,
                                     ReLU,
                                     Sigmoid,
                                     SiLU,
                                     SmoothL1Loss,
                                     Softmax,
                                     Softplus,
                                     Tanh,
)
from minigrad.nn.containers import ModuleList, Sequential
from minigrad.nn.conv import Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d
from minigrad.nn.layers import Dropout, Embedding, Flatten, Identity, Linear, Unflatten
from minigrad.nn.module import Module, Parameter
from minigrad.nn.norm import BatchNorm1d, BatchNorm2d, GroupNorm, InstanceNorm1d, InstanceNorm2d, LayerNorm
from minigrad.nn.pool import (
                                     AdaptiveAvgPool1d,
                                     AdaptiveAvgPool2d,
                                     AvgPool1d,
                                     AvgPool2d,
                                     MaxPool1d,
                                     MaxPool2d,
                                     PixelShuffle,
                                     PixelUnshuffle,
                                     Upsample,
                                     UpsamplingBilinear2d,
                                     UpsamplingNearest2d,
)

__all__ = ["AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AvgPool1d", "AvgPool2d", "BCELoss", "BCEWithLogitsLoss",
           "BatchNorm1d", "BatchNorm2d", "Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d", "CrossEntropyLoss",
           "Dropout", "ELU", "Embedding", "Flatten", "GELU", "GroupNorm", "Identity", "InstanceNorm1d",
           "InstanceNorm2d", "L1Loss", "LayerNorm", "LeakyReLU", "Linear", "LogSoftmax", "MSELoss", "MaxPool1d",
           "MaxPool2d", "Module", "ModuleList", "NLLLoss", "Parameter", "PixelShuffle", "PixelUnshuffle", "ReLU",
           "Sequential", "SiLU", "Sigmoid", "SmoothL1Loss", "Softmax", "Softplus", "Tanh", "Unflatten", "Upsample",
           "UpsamplingBilinear2d", "UpsamplingNearest2d", "functional", "init", "utils"]
