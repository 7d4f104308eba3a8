"""Cases for the ops of nn/hooks.py, by way of a module that has hooks."""

from minigrad import nn
from minigrad.nn.hooks import Gather, Pass
from minigrad.testing.registry import case


class Product(nn.Module):
    """x * y, with hooks that look at the gradients and leave them as they are."""

    def __init__(self):
        super().__init__()
        self.register_full_backward_pre_hook(lambda module, grad_output: grad_output)
        self.register_full_backward_hook(lambda module, grad_input, grad_output: grad_input)

    def forward(self, x, y):
        return x * y


def pair(s):
    """Two arrays of one shape."""
    shape = s.shape()
    return s.normal(shape), s.normal(shape)


case(Pass, Product(), pair, "mul", name="Pass")
case(Gather, lambda x: Product()(x, x), lambda s: (s.normal(s.shape()),), "square", name="Gather")
