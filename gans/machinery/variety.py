"""What makes G's samples differ: D is told of several at once, or G looks ahead to what D will answer.

Packing (Lin et al. 2018, "PacGAN") needs no code: D is given the samples of a pack side by side, as one input. The two
others are here. All of them are about the collapse of a GAN onto few kinds of samples, each of which looks right alone.
"""

import contextlib

import minigrad as mg
from minigrad import autograd, nn


class MinibatchDiscrimination(nn.Module):
    """Features (N, features) -> (N, features + kernels): beside its own, each is told how near the others of its batch
    are, in so many ways of looking (Salimans et al. 2016, "Improved techniques for training GANs", section 3.2).

    A way of looking is a projection to `size` numbers; nearness is exp(-distance) there, with the sum of the absolute
    differences as distance, from 0 to 1. The mean over the others is added, itself left out: the paper takes the sum,
    which depends on the size of the batch. Real and generated samples go through in batches of their own.
    """

    def __init__(self, features, kernels=8, size=3):
        super().__init__()
        self.shape, self.project = (-1, kernels, size), nn.Linear(features, kernels * size, bias=False)

    def forward(self, x):
        seen = self.project(x).reshape(self.shape)                                # (N, kernels, size)
        distances = (seen.unsqueeze(0) - seen.unsqueeze(1)).abs().sum(3)          # (N, N, kernels)
        nearness = (-distances).exp().sum(0) - 1                                  # (N, kernels), each without itself
        return mg.cat([x, nearness / max(len(x) - 1, 1)], 1)


def unrolled(D, loss, real, fake, steps, rate):
    """G's loss as it will be when D has taken `steps` more steps at `rate` down its own loss on this very batch.

    The slope goes back through those steps, so that G learns what D would learn from it (Metz et al. 2017, "Unrolled
    generative adversarial networks"); their steps are Adam's, these plain ones. D keeps its weights.
    """
    weights = {name: p.detach().requires_grad_() for name, p in D.named_parameters()}
    for _ in range(steps):
        with in_place_of(D, weights):
            ahead = sum(loss.d(D(real), D(fake)))
        slopes = autograd.grad(ahead, list(weights.values()), create_graph=True)
        weights = {name: w - rate * slope for (name, w), slope in zip(weights.items(), slopes)}
    with in_place_of(D, weights):
        return loss.g(D(fake), D(real))


@contextlib.contextmanager
def in_place_of(net, weights):
    """Inside, a network computes with the tensors {name: tensor} in the place of its parameters."""
    places = [(*_place(net, name), tensor) for name, tensor in weights.items()]
    own = [attributes[key] for attributes, key, _ in places]
    try:
        for attributes, key, tensor in places:
            attributes[key] = tensor
        yield
    finally:
        for (attributes, key, _), parameter in zip(places, own):
            attributes[key] = parameter


def _place(net, name):
    """(the attributes of the module that holds a parameter, its key there) for a name as in `named_parameters`."""
    *path, key = name.split(".")
    for part in path:
        net = getattr(net, part)
    return vars(net), key
