"""Parts that training loops and networks share, each a few lines."""

import contextlib

import minigrad as mg
from minigrad import nn
from minigrad.nn.utils import weight_norm


def update(optimiser, loss):
    """One step of an optimiser down the slope of a loss: forget old gradients, find new ones, move."""
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


@contextlib.contextmanager
def frozen(net):
    """Inside, a network only passes gradients on: G learns through D, which needs none of its own."""
    trained = [p for p in net.parameters() if p.requires_grad]
    net.requires_grad_(False)
    try:
        yield
    finally:
        for p in trained:
            p.requires_grad_(True)


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


class MinibatchDiscrimination(nn.Module):
    """(N, inputs) -> (N, inputs + kernels): beside each sample's own features, how many of the others are like it.

    Each kernel sees a sample as `size` numbers, and sums exp(-distance) over the other samples of the batch: the
    distance is the sum of absolute differences, and a sample itself is left out. Where all samples are one, each
    counts N - 1 likenesses, which gives a collapsed G away (Salimans et al. 2016, section 3.2). Show real and generated
    samples in batches of their own. It takes N * N * kernels * size numbers.
    """

    def __init__(self, inputs, kernels=32, size=4):
        super().__init__()
        self.views = nn.Parameter(mg.randn(inputs, kernels * size) / inputs ** 0.5)
        self.kernels, self.size = kernels, size

    def forward(self, x):
        seen = (x @ self.views).reshape(len(x), self.kernels, self.size)   # (N, kernels, size)
        apart = (seen.unsqueeze(0) - seen.unsqueeze(1)).abs().sum(3)       # (N, N, kernels)
        others = 1 - mg.eye(len(x), dtype=x.dtype, device=x.device)
        return mg.cat([x, (others.unsqueeze(2) * (-apart).exp()).sum(1)], 1)


class Noise(nn.Module):
    """While training, adds N(0, std ** 2) to each value."""

    def __init__(self, std):
        super().__init__()
        self.std = std

    def forward(self, x):
        return x + self.std * mg.randn_like(x) if self.training else x


def directed(inputs, outputs, *, lengths=False):
    """A linear layer that learns the directions of its weights, and their lengths, 1 at first, only if told so."""
    layer = weight_norm(nn.Linear(inputs, outputs))
    nn.init.normal_(layer.weight_v, 0.0, 0.1)
    nn.init.ones_(layer.weight_g).requires_grad_(lengths)
    nn.init.zeros_(layer.bias)
    return layer


@mg.no_grad()
def lengths_from(layers, x):
    """Give the weights of `directed` layers, one after another, the lengths, and the biases, that suit the samples x.

    What each layer puts out for them is then of mean 0 and deviation 1 (Salimans & Kingma 2016, section 3).
    """
    for layer in layers:
        if isinstance(layer, nn.Linear):
            found = layer(x)
            std, mean = found.std(0, correction=0), found.mean(0)
            layer.weight_g.div_(std.unsqueeze(1))
            layer.bias.copy_(-mean / std)
        x = layer(x)
