"""Pictures pixel by pixel: black-and-white ones, how they are drawn, what they cost, what a pixel depends on.

Beside it the simplest model of this kind, a logistic regression of each pixel upon all before it (Frey, Hinton & Dayan
1996): who sees shapes has to be better.
"""

import copy

import numpy as np

import minigrad as mg
from gans.machinery.commandline import say
from gans.machinery.parts import update
from gans.machinery.progress import Progress
from gans.machinery.samples import noise
from gans.machinery.watch import host
from minigrad import nn, optim
from minigrad.nn import functional as F
from minigrad.random import stream

AT_ONCE = 100  # pictures


def nats(logits, x):
    """-ln of the probability that pixels of these logits, (N, ...), come out as those of x: (N,)."""
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)


def binarised(images, *key):
    """uint8 images (N, H, W, 1) as float32 (N, 1, H, W) of 0 and 1: 1 with the probability of the grey.

    A function of the images and of the key (seed, name, ...).
    """
    images = images.transpose(0, 3, 1, 2)
    return (255 * stream(*key).random(images.shape, np.float32) < images).astype(np.float32)


# Drawing.

class Memory:
    """Calls masked layers on one row after the other, or on one pixel after the other of a row: `see` of a PixelCNN.

    What a layer needs of earlier ones is remembered, so that a whole picture takes no more than one look at it. What is
    handed in may be a view of a picture that is being drawn: with mask A it is read when the next one comes.
    """

    def __init__(self):
        self.seen = {}

    def __call__(self, layer, x):
        (rows, columns), dilation, late = layer.conv.kernel_size, layer.conv.dilation[1], layer.mask == "A"
        axis, count, beside = (2, rows, (0, columns // 2 * dilation)) if rows > 1 else (3, columns, 0)
        seen = self.seen.setdefault(layer, [])
        seen.append(x)
        del seen[:-1 - late - (count - 1) * dilation]
        back = [late + k * dilation for k in reversed(range(count))]
        taken = mg.cat([seen[-1 - k] if k < len(seen) else mg.zeros_like(x) for k in back], axis)
        return F.conv2d(taken, layer.conv.weight, layer.conv.bias, 1, beside, (1, dilation if rows > 1 else 1))


class Draw(nn.Module):
    """Uniform noise (N, 1, H, W) -> pictures, pixel after pixel: 1 where the noise is below the probability, else 0."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, z):
        return self.complete(mg.zeros_like(z), z, 0)[0]

    @mg.no_grad()
    def complete(self, x, z, known):
        """(pictures whose first `known` rows are those of x, the logits of all others' pixels, (N, 1, rows, W))."""
        x, logits, down = x.clone(), [], Memory()
        bar = Progress(0, x.shape[2], "row")
        for i in range(x.shape[2]):
            above, along = self.net.above(x[:, :, i:i + 1], i, down), Memory()
            for j in range(x.shape[3] if i >= known else 0):
                here = slice(j, j + 1)
                logits.append(self.net(x[:, :, i:i + 1, here], [told[..., here] for told in above], along))
                x[:, :, i:i + 1, here] = z[:, :, i:i + 1, here] < logits[-1].sigmoid()
            bar.update()
        bar.close()
        return x, mg.cat(logits, 3).reshape(len(x), 1, -1, x.shape[3]) if logits else x[:, :, :0]


def halves(G, x, labels, seed, times=5):
    """The first of each class of pictures x, (N, 1, H, W), its upper half, and this completed: for figures.sheets."""
    x = x[np.unique(labels, return_index=True)[1]]
    device, known = next(G.parameters()).device, x.shape[2] // 2
    z = noise(G, times * len(x), seed, "halves")
    whole, _ = G.complete(mg.tensor(np.tile(x, (times, 1, 1, 1)), device=device), mg.tensor(z, device=device), known)
    half = np.where(np.arange(x.shape[2])[:, None] < known, 255 * x, 96)
    rows = [row[:, 0].astype(np.uint8) for row in (255 * x, half, *np.split(255 * host(whole), times))]
    return {"test pictures, and their upper halves": (rows[:2], [""] * len(x)),
            "what these halves may go on as": (rows[2:], [""] * len(x))}


# What pictures cost.

def costs(net, x):
    """What each pixel of pictures x, an array (N, 1, H, W), costs by the logits of a net, in nats: the same shape."""
    device, found = next(net.parameters()).device, []
    with mg.no_grad():
        for k in range(0, len(x), AT_ONCE):
            some = mg.tensor(x[k:k + AT_ONCE], device=device)
            found.append(host(F.binary_cross_entropy_with_logits(net(some), some, reduction="none")))
    return np.concatenate(found)


def by_itself(train, x):
    """The same if each pixel is white as often as in uint8 images to learn from, (N, H, W, 1), whatever others are."""
    share = (train.mean((0, 3)) / 255).clip(1e-4, 1 - 1e-4)
    return -(np.log(share) * x + np.log(1 - share) * (1 - x))


class Linear(nn.Module):
    """Pictures (N, 1, H, W) -> the logit of each pixel, a weighted sum of those before it."""

    def __init__(self, size=784):
        super().__init__()
        self.weight, self.bias = nn.Parameter(mg.zeros(size, size)), nn.Parameter(mg.zeros(size))
        self.register_buffer("before", mg.ones(size, size).tril(-1))

    def forward(self, x):
        return (x.flatten(1) @ (self.weight * self.before).T + self.bias).reshape(x.shape)


def regressions(run, pictures, steps=3000, batch=128, rate=0.03):
    """The Linear model after so many steps of Adam on a run's pictures, the rate falling to 0."""
    net = Linear().to(run.device)
    optimiser = optim.Adam(net.parameters(), rate)
    for step in range(1, steps + 1):
        optimiser.param_groups[0]["lr"] = rate * (1 - step / steps)
        chosen = pictures.train[stream(run.seed, "linear", step).integers(0, len(pictures.train), batch)]
        x = mg.tensor(binarised(chosen, run.seed, "black or white, linear", step), device=run.device)
        update(optimiser, nats(net(x), x).mean())
    return net


def compared(run, net, pictures, x, *, linear):
    """What pictures x cost by a net, and by simpler models, the `linear` one if asked for; and say it.

    Returns {name: nats of each pixel, (N, 1, H, W)}, {name: nats of a picture}.
    """
    found = {"PixelCNN": costs(net, x), "each pixel by itself": by_itself(pictures.train, x)}
    if linear:
        found["linear"] = costs(regressions(run, pictures), x)
    means = {name: float(each.sum((1, 2, 3), np.float64).mean()) for name, each in found.items()}
    for name, value in means.items():
        say(f"  {name:<20} {value:6.2f} nats a test picture")
    run.measure(run.step, nats=means["PixelCNN"])
    return found, means


# What has to hold.

def dependence(net, shape, every=1):
    """(How many pixels are seen too early, how many never) by every so many pixels of pictures of a shape (H, W).

    A pixel's logit has to depend on all pixels before it and on no others. Its gradient tells, in a copy of the net
    with positive parameters alone: there no ReLU is in the way, and no two ways cancel.
    """
    positive, count, early, missed = copy.deepcopy(net), shape[0] * shape[1], 0, 0
    for p in positive.parameters():
        p.data.abs_().add_(0.01)
    places = np.arange(0, count, every)
    for k in range(0, len(places), AT_ONCE):
        which = places[k:k + AT_ONCE]
        x = mg.ones(len(which), 1, *shape, device=next(net.parameters()).device, requires_grad=True)
        positive(x).flatten(1)[np.arange(len(which)), which].sum().backward()
        depends, before = host(x.grad).reshape(len(which), count) != 0, np.arange(count) < which[:, None]
        early, missed = early + int((depends & ~before).sum()), missed + int((before & ~depends).sum())
    return early, missed


def own(G, n, seed):
    """(the mean nats of n pictures of one's own, the largest error of those that they were drawn by, as a share)."""
    z = mg.tensor(noise(G, n, seed, "own"), device=next(G.parameters()).device)
    x, logits = G.complete(mg.zeros_like(z), z, 0)
    drawn, again = host(nats(logits, x).double()), costs(G.net, host(x)).sum((1, 2, 3), np.float64)
    return float(again.mean()), float(np.abs(drawn / again - 1).max())


def sound(G, seed, whole):
    """(pixels seen too early, earlier ones never seen, the nats of one's own pictures, their error as a share).

    By all pixels and 256 pictures, or else by a few.
    """
    return *dependence(G.net, G.image_shape[:2], 1 if whole else 13), *own(G, 256 if whole else 8, seed)
