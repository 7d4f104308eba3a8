"""What a training is watched by: figures that say how D and G are doing, and change no bit of what they learn.

Everything here only reads, is cheap or rare, and needs little memory of its own. `Run` puts it into the log:

    D       what D answers to real and to generated images, and how often it is right
    grad    the norm of each network's gradient at its last update in the step
    update  the length of that update over that of the weights (healthy: about 1e-3)
    real, fake   the range, mean and deviation of what D was shown
    look    of the samples that a picture shows: see `look`; "reals" has the same of real images
    machine milliseconds a step, MiB in use
"""

import contextlib

import numpy as np

import minigrad as mg
from minigrad import nn
from minigrad.optim import Optimizer

FEW = 8  # images whose range is taken
SAMPLED = 1000  # about as many weights stand for a parameter
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


def host(x):
    """A tensor, or a number, as a NumPy array."""
    return x.detach().cpu().numpy() if isinstance(x, mg.Tensor) else np.asarray(x)


def answers(kind, real, fake):
    """What D answers to a batch of real and one of generated images: logits, probabilities, or scores without a scale.

    "as" is which of the three.
    "real" and "fake" are the mean probabilities D(x) and D(G(z)), of scores the means; "right on real" and "right on
    fake" the shares that D takes for what they are; "low" and "high" bound the answers as they come out of D.
    """
    real, fake = host(real), host(fake)
    row = {"as": kind, "low": float(min(real.min(), fake.min())), "high": float(max(real.max(), fake.max()))}
    if kind == "logits":
        real, fake = (np.tanh(x / 2) / 2 + 0.5 for x in (real, fake))  # the sigmoid, without an overflow
    row |= {"real": float(real.mean()), "fake": float(fake.mean())}
    if kind != "scores":
        row |= {"right on real": float((real > 0.5).mean()), "right on fake": float((fake < 0.5).mean())}
    return row


def pixels(images):
    """The range, mean, standard deviation and `spread` of the first few of a batch; how many, of how many values."""
    array = host(images.detach()[:FEW])
    return {"images": len(images), "values": array[0].size, "low": float(array.min()), "high": float(array.max()),
            "mean": float(array.mean()), "std": float(array.std()), "spread": spread(array.reshape(len(array), -1))}


def norm(array):
    """The Euclidean norm, without a second array."""
    line = array.transpose(sorted(range(array.ndim), key=lambda axis: -array.strides[axis])).reshape(-1)  # as it lies
    return float(line.dot(line)) ** 0.5


def sampled(array):
    """About a thousand of the values, spread over all axes: a copy."""
    each = round(SAMPLED ** (1 / max(array.ndim, 1)))
    return array[tuple(slice(None, None, max(1, n // each)) for n in array.shape)].copy()


class Updates:
    """What the optimisers among the parts of a run find and do in one step: `begin` before it, `end` after it.

    Beside that, how many images at once the networks saw that look at a whole batch.
    """

    def __init__(self, parts):
        self.optimisers = {name: part for name, part in parts.items() if isinstance(part, Optimizer)}
        self.nets = {name: nets_of(part, parts) for name, part in self.optimisers.items()}
        self.found = []  # (name of the optimiser, {id of a parameter: norm of its gradient}, length of the update)
        self.mixing = {name: part for name, part in parts.items() if isinstance(part, nn.Module)
                       and has_batch_norm(part)}
        self.batches, self.handles = {}, []

    def begin(self):
        """From now on, note what every optimiser does."""
        self.found, self.batches = [], {}
        self.handles = [net.register_forward_pre_hook(self._counting(name)) for name, net in self.mixing.items()]
        for name, part in self.optimisers.items():
            part.step = self._noting(name, part)

    def end(self):
        """Note nothing more.

        Returns {"grad": {network: norm}, "update": {network: length over the weights'}, "batch": {network: images}},
        the last of those with batch normalisation, and the most that one of its batches had.
        """
        for part in self.optimisers.values():
            vars(part).pop("step", None)
        for handle in self.handles:
            handle.remove()
        self.handles = []
        row = {"grad": {}, "update": {}, **({"batch": self.batches} if self.batches else {})}
        for name, norms, length in self.found:
            label = "+".join(self.nets[name]) or name
            row["grad"][label] = sum(value ** 2 for value in norms.values()) ** 0.5
            row["update"][label] = length
        return row

    def _counting(self, name):
        def counted(net, inputs):
            if net.training and mg.is_grad_enabled():  # not when somebody only looks
                self.batches[name] = max(self.batches.get(name, 0), len(inputs[0]))

        return counted

    def _noting(self, name, optimiser):
        step = optimiser.step
        parameters = [p for group in optimiser.param_groups for p in group["params"]]

        def noted():
            trained = [p for p in parameters if p.grad is not None]
            norms = {id(p): norm(p.grad.array) for p in trained}
            before = [sampled(p.array) for p in trained]
            result = step()
            moved = sum(norm(p) ** 2 for p in (sampled(p.array) - old for p, old in zip(trained, before)))
            size = sum(norm(old) ** 2 for old in before)
            self.found.append((name, norms, (moved / size) ** 0.5 if size else 0.0))
            return result

        return noted


def nets_of(optimiser, parts):
    """The names of the networks among the parts that an optimiser trains."""
    trained = {id(p) for group in optimiser.param_groups for p in group["params"]}
    return [name for name, part in parts.items() if isinstance(part, nn.Module)
            and any(id(p) in trained for p in part.parameters())]


def anatomy(parts):
    """What the parts of a run are, for whoever reads its log: each network's size, each optimiser's networks."""
    nets = {name: {"parameters": sum(p.numel() for p in part.parameters()), "batch norm": has_batch_norm(part)}
            for name, part in parts.items() if isinstance(part, nn.Module)}
    optimisers = {name: {"kind": type(part).__name__, "nets": nets_of(part, parts),
                         "lr": part.param_groups[0].get("lr")}
                  for name, part in parts.items() if isinstance(part, Optimizer)}
    return {"nets": nets, "optimisers": optimisers, "averaged": [name for name, part in parts.items()
                                                                 if isinstance(part, mg.optim.EMA)]}


def has_batch_norm(net):
    """Whether its answer to one image depends on the others of the batch, while it is trained."""
    return any(isinstance(layer, BATCH_NORMS) for layer in net.modules())


def describe(images, groups=1):
    """Figures of uint8 images (N, H, W) or (N, H, W, C), of real ones as of samples, in units of the whole range.

    "spread": the mean distance between two of them, the root of their mean squared difference; 0 where all are alike.
    "nearest": the mean distance of each from the most similar other one, of its own group where the images are those of
    several, one after another, as samples of classes are. "mean", "std", "low", "high": of the pixels.
    "period 2", "period 4": the share that patterns which repeat after two and four pixels along an axis have in all
    variation, over their share in noise; "peak 2", "peak 4": their power over that of nearly the same period. Real
    images are far below 1 in the former, noise is at 1 in both, and a checkerboard far above.
    """
    values = images.reshape(len(images), -1).astype(np.float32) / 255
    near = float(np.mean([nearest(group) for group in np.split(values, groups)]))
    row = {"spread": spread(values), "nearest": near, "mean": float(values.mean()),
           "std": float(values.std()), "low": float(values.min()), "high": float(values.max())}
    for pixels in (2, 4):
        row[f"period {pixels}"], row[f"peak {pixels}"] = period(images, pixels)
    return row


def distances(values):
    """The root of the mean squared difference of each two rows, a matrix."""
    centred = (values - values.mean(0)).astype(np.float64)  # equal rows are then at 0 but for rounding
    square = (centred ** 2).sum(1)
    return np.sqrt((square[:, None] + square - 2 * centred @ centred.T).clip(0) / values.shape[1])


def spread(values):
    """The mean of the `distances` of two rows."""
    return float(distances(values).sum() / (len(values) * (len(values) - 1))) if len(values) > 1 else 0.0


def nearest(values):
    """The mean of the `distances` of each row from the nearest other one."""
    if len(values) < 2:
        return 0.0
    return float((distances(values) + np.diag(np.full(len(values), np.inf))).min(1).mean())


def period(images, pixels):
    """What repeats every so many pixels along an axis of images: (its mean power over that of all, its peak).

    The peak is its power over that of what repeats a little more slowly. Both are 1 in noise. (0, 1) for images of less
    than 8 pixels a side, in which there is no telling.
    """
    if min(images.shape[1:3]) < 8:
        return 0.0, 1.0
    grey = images.reshape(*images.shape[:3], -1).mean(3)
    power = np.abs(np.fft.fft2(grey - grey.mean((1, 2), keepdims=True))) ** 2
    marked, beside = np.zeros((2, *grey.shape[1:]), bool)
    for lines, lower in ((marked, 0), (beside, 1)):
        for axis, n in zip((lines, lines.T), lines.shape):
            axis[[round(n / pixels) - lower, n - round(n / pixels) + lower]] = True  # a frequency, of both signs
    whole, there, near = power.mean(), power[:, marked & ~beside].mean(), power[:, beside & ~marked].mean()
    return (float(power[:, marked].mean() / whole), float(there / max(near, 1e-9 * whole))) if whole else (0.0, 1.0)


@contextlib.contextmanager
def untouched(net):
    """Inside, a network may be run in any mode; afterwards it is as it was: mode, buffers, the random numbers."""
    modes = [(module, module.training) for module in net.modules()]
    buffers = [(buffer, buffer.detach().clone()) for buffer in net.buffers()]
    numbers = mg.get_rng_state()
    try:
        with mg.no_grad():
            yield
    finally:
        with mg.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)
        for module, mode in modes:
            module.training = mode
        mg.set_rng_state(numbers)


def two_modes(G, seeds):
    """How far the samples of the same seeds in training mode are from those in evaluation mode, over their deviation.

    None without batch normalisation, where there is nothing to tell.
    """
    if not has_batch_norm(G):
        return None
    with untouched(G):
        still = host(G.eval()(*seeds))
        moving = host(G.train()(*seeds))
    return float(np.abs(still - moving).mean() / max(still.std(), 1e-12))


def distance(images, others):
    """The mean, over pairs of images of the same place, of the root of their mean squared difference, in 0..1."""
    values, before = (x.reshape(len(x), -1).astype(np.float32) / 255 for x in (images, others))
    return float(np.sqrt(((values - before) ** 2).mean(1)).mean())


def by_label(images, classes):
    """How far samples of the same noise and another label are from each other, over how far any two are.

    `images` are (classes * n, ...), class by class. 0 where labels change nothing.
    """
    values = images.reshape(len(images), -1).astype(np.float32) / 255
    whole, columns = spread(values), values.reshape(classes, -1, values.shape[1])
    return float(np.mean([spread(column) for column in columns.transpose(1, 0, 2)]) / whole) if whole else 0.0


def confidence(D, groups):
    """{name: D's mean answer, in evaluation mode} for {name: what D is called with}, D staying as it was."""
    with untouched(D):
        D.eval()
        return {name: float(host(D(*inputs)).mean()) for name, inputs in groups.items()}

