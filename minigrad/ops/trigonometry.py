"""Sine and cosine, each the other's derivative but for a sign."""

from minigrad.backend import array_module
from minigrad.graph import Op
from minigrad.ops.broadcast import function


class Sin(Op):
    """y = sin x"""
    keep = (0,)

    def forward(self, x):
        return array_module(x).sin(x)

    def backward(self, g, x):
        return g * cos(x),


class Cos(Op):
    """y = cos x"""
    keep = (0,)

    def forward(self, x):
        return array_module(x).cos(x)

    def backward(self, g, x):
        return -g * sin(x),


sin, cos = map(function, (Sin, Cos))
