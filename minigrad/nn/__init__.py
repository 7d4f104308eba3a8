"""Networks: modules, layers, losses, initialisation. PyTorch's names, argument orders and defaults."""

from minigrad.nn import functional, init, utils
from minigrad.nn.activations import (ELU, GELU, BCELoss, BCEWithLogitsLoss, CrossEntropyLoss, L1Loss, LeakyReLU, LogSoftmax,
                                     MSELoss, NLLLoss, ReLU, Sigmoid, SiLU, SmoothL1Loss, Softmax, Softplus, Tanh)
from minigrad.nn.layers import (BatchNorm1d, Dropout, Embedding, Flatten, Identity, LayerNorm, Linear, ModuleList,
                                Sequential, Unflatten)
from minigrad.nn.module import Module, Parameter

__all__ = ["BCELoss", "BCEWithLogitsLoss", "BatchNorm1d", "CrossEntropyLoss", "Dropout", "ELU", "Embedding", "Flatten",
           "GELU", "Identity", "L1Loss", "LayerNorm", "LeakyReLU", "Linear", "LogSoftmax", "MSELoss", "Module",
           "ModuleList", "NLLLoss", "Parameter", "ReLU", "Sequential", "SiLU", "Sigmoid", "SmoothL1Loss", "Softmax",
           "Softplus", "Tanh", "Unflatten", "functional", "init", "utils"]
