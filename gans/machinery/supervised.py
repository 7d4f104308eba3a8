"""Reading images with their labels: how much of it is right, what few labels are worth by themselves, paired gains."""

import numpy as np

import minigrad as mg
from gans.machinery.commandline import say
from gans.machinery.judge import as_input
from gans.machinery.parts import Noise, update
from gans.machinery.watch import host, untouched
from minigrad import nn, optim
from minigrad.nn import functional as F
from minigrad.random import stream

MLP, CNN, CAREFUL = "MLP", "CNN", "CNN, dropout, noise"
BASELINES = {MLP: 300, CNN: 150, CAREFUL: 300}  # steps, all labelled images in each: more makes none of them better
STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)  # t of 97.5 % for 2, 3, ... values


def learn(net, loss, optimiser, x, y):
    """One step of an optimiser towards answering x with y; returns the loss before it."""
    error = loss(net(x), y)
    update(optimiser, error)
    return error


def accuracy(net, images, labels):
    """The share of uint8 images (N, 28, 28, 1) that a net (N, 784) -> (N, classes) reads as their labels (N,).

    In evaluation mode; the net stays as it was. A hundred at a time, as many as a net that looks at its whole batch is
    trained on.
    """
    device, right = next(net.parameters()).device, 0
    with untouched(net):
        net.eval()
        for k in range(0, len(images), 100):
            answers = host(net(as_input(images[k:k + 100]).to(device)))
            right += int((answers.argmax(1) == labels[k:k + 100]).sum())
    return right / len(images)


def paired(after, before):
    """(mean, half of the 95 % interval of the mean) of the differences of values that belong together.

    >>> [round(x, 3) for x in paired([0.5, 0.7, 0.9], [0.25, 0.5, 0.6])]
    [0.25, 0.124]
    """
    gains = np.subtract(after, before)
    n = len(gains)
    half = STUDENT[min(n - 2, len(STUDENT) - 1)] * gains.std(ddof=1) / n ** 0.5 if n > 1 else float("nan")
    return float(gains.mean()), float(half)


def a_few(labels, each, seed):
    """The indices of `each` images of each class, chosen by the seed, class by class."""
    order = stream(seed, "labelled").permutation(len(labels))
    return np.concatenate([order[labels[order] == c][:each] for c in np.unique(labels)])


def overwritten(labels, few):
    """Labels (N,) of which only those of the indices `few` are true; the others are garbage, new at each call."""
    garbage = np.random.default_rng().integers(0, 10, len(labels)).astype(labels.dtype)
    garbage[few] = labels[few]
    return garbage


def baseline(name):
    """A network (N, 784) -> (N, 10) that knows of no unlabelled image."""
    if name == MLP:
        return nn.Sequential(nn.Linear(784, 500), nn.ReLU(), nn.Linear(500, 250), nn.ReLU(),      # (N, 250)
                             nn.Linear(250, 10))                                                  # (N, 10)
    noise, dropout = (0.3, 0.5) if name == CAREFUL else (0.0, 0.0)
    return nn.Sequential(Noise(noise), nn.Unflatten(1, (1, 28, 28)),                              # (N, 1, 28, 28)
                         nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),              # (N, 32, 14, 14)
                         nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),             # (N, 64, 7, 7)
                         nn.Flatten(), nn.Dropout(dropout), nn.Linear(3136, 128), nn.ReLU(),      # (N, 128)
                         nn.Dropout(dropout), nn.Linear(128, 10))                                 # (N, 10)


def baseline_errors(run, pictures, few, most=300):
    """{name: share of the test images read wrong} of each baseline, which has learnt from the images `few` alone.

    All of these in each step, by Adam at 1e-3, the rate falling to 0, for `most` steps at the most.
    """
    found, x = {}, as_input(pictures.train[few]).to(run.device)
    y = mg.tensor(pictures.labels[few].astype(np.int64), device=run.device)
    for name, steps in BASELINES.items():
        mg.manual_seed(run.seed)
        net, steps = baseline(name).to(run.device), min(steps, most)
        optimiser = optim.Adam(net.parameters(), 1e-3)
        for step in range(steps):
            optimiser.param_groups[0]["lr"] = 1e-3 * (1 - step / steps)
            learn(net, F.cross_entropy, optimiser, x, y)
        found[name] = 1 - accuracy(net, pictures.held_out, pictures.held_out_labels)
        say(f"  {len(few)} labels alone, {name}: {found[name]:.2%} are read wrong")
    return found
