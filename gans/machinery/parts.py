"""Parts that training loops share, each a few lines: an update, a network that stands still, how weights begin."""

import contextlib

from minigrad import nn


def update(optimiser, loss):
    """One step of an optimiser down the slope of a loss: forget old gradients, find new ones, move."""
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


@contextlib.contextmanager
def frozen(net):
    """Inside, a network only passes gradients on: G learns through D, which needs none of its own."""
    net.requires_grad_(False)
    try:
        yield
    finally:
        net.requires_grad_(True)


def from_normal(module):
    """For `net.apply`: weights from N(0, 0.02), the factors of batch normalisation from N(1, 0.02), as in DCGAN."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


def critic_steps(step, n):
    """The numbers of the n updates of a critic in a training step, for batches and noise of their own.

    >>> [*critic_steps(1, 5)], [*critic_steps(2, 5)]
    ([1, 2, 3, 4, 5], [6, 7, 8, 9, 10])
    """
    return range((step - 1) * n + 1, step * n + 1)
