"""What a filter of a network responds to, by the slope of its response to each pixel, and whether to believe that.

    gradient    d response / d pixel as it is
    smooth      the mean of it under noise (Smilkov et al. 2017, SmoothGrad)
    guided      guided backpropagation (Springenberg et al. 2015): at each ReLU only what is positive passes back, and
                only where the input was positive. It draws the sharpest pictures, but also of a network with random
                weights: Adebayo et al. (2018), "Sanity checks for saliency maps". So what counts is `occlusion`.
"""

import contextlib
import copy

import numpy as np

import minigrad as mg
from gans.machinery.parts import from_normal
from gans.machinery.watch import host
from minigrad import nn
from minigrad.random import stream

GREY = 127


def responses(net, layer, images):
    """The largest value of each map that the first `layer` + 1 layers of a Sequential make of images: (N, C).

    `images` are a tensor (N, C, H, W), or arrays of it.
    """
    values = net[:layer + 1](images)
    return values.flatten(2).amax(2)


def answers(response, x, at_once=100):
    """response(x) for x (N, ...) as an array, some at a time."""
    with mg.no_grad():
        return np.concatenate([host(response(mg.tensor(x[k:k + at_once]))) for k in range(0, len(x), at_once)])


def gradient(response, x):
    """d sum(response(x)) / dx as an array, for x (N, ...) as an array."""
    x = mg.tensor(x, requires_grad=True)
    slope, = mg.autograd.grad(response(x).sum(), x)
    return host(slope)


def smooth(response, x, n=16, std=0.15, seed=0):
    """The mean of n gradients at x plus noise of a deviation that is a share of the range of x."""
    reach = std * float(x.max() - x.min())
    return np.mean([gradient(response, x + reach * stream(seed, "smooth", k).standard_normal(x.shape, np.float32))
                    for k in range(n)], 0)


@contextlib.contextmanager
def guided(net):
    """Inside, gradients go back through the ReLUs and LeakyReLUs of a network where the input and the gradient are > 0.

    Both conditions: with the first alone it would be the plain gradient of a ReLU, with the second a deconvnet. So of a
    LeakyReLU's two slopes only the one that is 1 remains.
    """
    inputs, handles = {}, []

    def seen(module, args, output):
        inputs[module] = args[0].detach()

    def passed(module, to_input, to_output):
        g = to_output[0]
        return g * (inputs[module] > 0).to(g.dtype) * (g > 0).to(g.dtype),

    for module in net.modules():
        if isinstance(module, (nn.ReLU, nn.LeakyReLU)):
            handles += [module.register_forward_hook(seen), module.register_full_backward_hook(passed)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


METHODS = ("gradient", "smooth", "guided")


def saliency(method, net, response, x):
    """The map of a method of METHODS for x, an array of its shape."""
    if method == "guided":
        with guided(net):
            return gradient(response, x)
    return (smooth if method == "smooth" else gradient)(response, x)


def cascade(net, seed=0):
    """[(what was randomised last, the network)]: as it is, then with its layers' weights made anew from the top on."""
    net, first, state = copy.deepcopy(net), mg.initial_seed(), mg.get_rng_state()
    mg.manual_seed(seed)
    found = [("nothing", copy.deepcopy(net))]
    for k in reversed(range(len(net))):
        if next(iter(net[k].parameters()), None) is not None:
            net[k].apply(from_normal)
            if getattr(net[k], "bias", None) is not None:
                nn.init.zeros_(net[k].bias)
            if not isinstance(net[k], nn.BatchNorm2d):
                found.append((f"{k}", copy.deepcopy(net)))
    mg.manual_seed(first)
    mg.set_rng_state(state)
    return found


def rank_correlation(a, b):
    """Spearman's rank correlation of the absolute values of two sets of maps (N, ...), the mean over the N.

    >>> a = np.array([[1.0, -2.0, 3.0, 4.0]])
    >>> rank_correlation(a, a ** 3), rank_correlation(a, 1 / a)
    (1.0, -1.0)
    """
    ranks = [np.abs(x).reshape(len(x), -1).argsort(1, kind="stable").argsort(1, kind="stable").astype(np.float64)
             for x in (a, b)]
    first, second = (r - r.mean(1, keepdims=True) for r in ranks)
    return float(((first * second).sum(1) / np.sqrt((first ** 2).sum(1) * (second ** 2).sum(1))).mean())


def sanity(net, x):
    """{method: [rank correlation of its maps for the net's answer with the net's own, along the `cascade`]}, names."""
    stages = cascade(net)
    maps = {method: [saliency(method, changed, lambda y, n=changed: n(y).flatten(1).sum(1), x) for _, changed in stages]
            for method in METHODS}
    return {method: [rank_correlation(each[0], one) for one in each] for method, each in maps.items()}, [
        name for name, _ in stages]


def occluded(images, boxes):
    """uint8 images (N, H, W, C) with a box each, (N, 4) of top, bottom, left, right, in grey."""
    images = images.copy()
    for image, (top, bottom, left, right) in zip(images, boxes):
        image[top:bottom, left:right] = GREY
    return images


def elsewhere(boxes, size, seed=0):
    """For boxes (N, 4) others of the same sides, somewhere in the image, that do not touch them."""
    random, found = stream(seed, "elsewhere"), []
    for top, bottom, left, right in boxes:
        height, width = bottom - top, right - left
        free = [(y, x) for y in range(size - height + 1) for x in range(size - width + 1)
                if y >= bottom or y + height <= top or x >= right or x + width <= left]
        y, x = free[random.integers(len(free))] if free else (0, 0)
        found.append((y, y + height, x, x + width))
    return np.array(found)


def told(responses, there):
    """How far responses (N, C) are higher where an attribute is there, (N,) booleans: (C,), in deviations."""
    return (responses[there].mean(0) - responses[~there].mean(0)) / (responses.std(0) + 1e-9)


def in_boxes(maps, boxes):
    """The share of maps (N, C, H, W), as absolute values, that lies within boxes (N, 4), the mean over the N."""
    weight = np.abs(maps).sum(1)
    return float(np.mean([one[top:bottom, left:right].sum() / max(one.sum(), 1e-30)
                          for one, (top, bottom, left, right) in zip(weight, boxes)]))


def occlusion(response, images, form, side=6, stride=2):
    """How far a response falls where a grey square is laid over a place: (N, places, places), for images (N, H, W, C).

    `form(images)` is what `response` is called with.
    """
    size = images.shape[1]
    starts = range(0, size - side + 1, stride)
    whole = answers(response, form(images))
    fallen = [whole - answers(response, form(occluded(images, [(y, y + side, x, x + side)] * len(images))))
              for y in starts for x in starts]
    return np.stack(fallen, 1).reshape(len(images), len(starts), len(starts))


def best_filter(D, layers, x, there):
    """(layer, channel, `told`) of the filter whose response tells best whether an attribute is there, (N,) booleans."""
    found = []
    for layer in layers:
        by = told(answers(lambda some, layer=layer: responses(D, layer, some), x), there)
        found.append((layer, int(by.argmax()), float(by.max())))
    return max(found, key=lambda one: one[2])


def falls(response, images, boxes, form, others=4):
    """How far a response falls, on average, where boxes (N, 4) are grey, and where equal boxes elsewhere are."""
    def mean(some):
        return float(answers(response, form(some)).mean())

    whole = mean(images)
    away = [mean(occluded(images, elsewhere(boxes, images.shape[1], seed))) for seed in range(others)]
    return whole - mean(occluded(images, boxes)), whole - float(np.mean(away))
