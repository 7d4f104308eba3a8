"""Feature maps of a generator: what they look like, and what it forgets where some of them are dropped.

Radford, Metz & Chintala (2016), section 6.3.2, fitted a logistic regression that tells windows by G's feature maps, and
left out the maps with weights above 0: G drew no windows. Here the attribute is known, and so is what else suffers.
"""

import contextlib
from typing import NamedTuple

import numpy as np

import minigrad as mg
from gans.machinery.directions import logistic_regression
from gans.machinery.samples import as_images, outputs
from minigrad import nn

HALF = 0.45  # of an attribute's rate, where no more maps are dropped: a little less than half, for other seeds
ACTIVATIONS = (nn.ReLU, nn.LeakyReLU, nn.GELU, nn.ELU)


def activations(net):
    """The places in a Sequential of the activations whose outputs are maps, in order."""
    convolutional = (nn.Conv2d, nn.ConvTranspose2d)
    first = next((k for k, layer in enumerate(net) if isinstance(layer, convolutional)), len(net))
    return [k for k, layer in enumerate(net) if k > first and isinstance(layer, ACTIVATIONS)]


@contextlib.contextmanager
def hooked(layer, hook):
    """Inside, `hook(module, inputs, output)` is called after each call of a layer, and may replace its output."""
    handle = layer.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def observed(G, seeds, layer):
    """(uint8 images, the maps (N, C, H, W) that a layer puts out) of seeds (N, ...)."""
    seen = []
    with hooked(layer, lambda module, inputs, output: seen.append(output.detach().cpu().numpy())):
        images = as_images(outputs(G, seeds), G)
    return images, np.concatenate(seen)


def without(G, seeds, layer, maps):
    """uint8 images of seeds (N, ...) where some maps of a layer's output, by their numbers, are 0."""
    def drop(module, inputs, output):
        kept = np.ones((1, output.shape[1], 1, 1), np.float32)
        kept[:, maps] = 0
        return output * mg.tensor(kept, device=output.device)

    with hooked(layer, drop):
        return as_images(outputs(G, seeds), G)


def tied(maps, there):
    """The numbers of maps (N, C, H, W) in the order in which they are tied to an attribute, the most first.

    By the weights of a logistic regression of whether it is there, booleans (N,), on each map's mean, in deviations.
    """
    means = maps.mean((2, 3)).astype(np.float64)
    means = (means - means.mean(0)) / (means.std(0) + 1e-6)
    weights, _ = logistic_regression(means, there.astype(int), 2)
    return np.argsort(weights[:, 0] - weights[:, 1], kind="stable")


def alike(activity, chosen):
    """For each of the chosen maps, one by one, the map of the nearest mean activation (C,) that is not taken yet.

    >>> alike(np.array([1.0, 5.0, 1.2, 4.0, 5.5]), [0, 1]).tolist()
    [2, 4]
    """
    left = [k for k in range(len(activity)) if k not in set(chosen)]
    found = []
    for k in chosen:
        nearest = min(left, key=lambda other: abs(activity[other] - activity[k]))
        left.remove(nearest)
        found.append(nearest)
    return np.array(found)


class Forgotten(NamedTuple):
    """What `forget` finds: rates of an attribute, and what becomes of the others, {name: share of the samples}."""

    maps: np.ndarray
    control: np.ndarray  # as many maps of equal mean activation
    before: float
    after: float
    by_control: float
    stay: dict  # those that are read as before
    lost: dict  # by how much the rates of the values that come less often fall, all together


def forget(G, read, layer, name, value, known, fresh):
    """Drop the maps of a layer that are tied to a value of an attribute: Forgotten.

    Which maps, and how few halve the rate, is found with the seeds `known`, (N, ...); all figures are of `fresh` ones.
    """
    images, maps = observed(G, known, layer)
    there = read(images)[name].argmax(1) == value
    order = tied(maps, there)
    few, enough = 0, max(1, len(order) // 3)
    while few + 1 < enough:
        half = (few + enough) // 2
        left = read(without(G, known, layer, order[:half]))[name].argmax(1) == value
        few, enough = (few, half) if left.mean() <= HALF * there.mean() else (half, enough)
    chosen = order[:enough]
    control = alike(maps.mean((0, 2, 3)), chosen)
    before, after, other = ({key: p.argmax(1) for key, p in read(without(G, fresh, layer, dropped)).items()}
                            for dropped in ([], chosen, control))
    rates = [float((labels[name] == value).mean()) for labels in (before, after, other)]
    others = [key for key in before if key != name]
    return Forgotten(chosen, control, *rates, {key: float((after[key] == before[key]).mean()) for key in others},
                     {key: lost(before[key], after[key]) for key in others})


def lost(before, after):
    """By how much the rates of labels (N,) fall that come less often than before, all together.

    >>> lost(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 0])), lost(np.array([0, 0, 1, 1]), np.array([0, 2, 1, 1]))
    (0.0, 0.25)
    """
    counts = [np.bincount(labels, minlength=max(before.max(), after.max()) + 1) for labels in (before, after)]
    return float((counts[0] - counts[1]).clip(0).sum() / len(before))
