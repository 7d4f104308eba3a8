"""Unrolling: G looks ahead to what D will answer after some more steps."""

import contextlib

from minigrad import autograd


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
