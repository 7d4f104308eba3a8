"""The parts of progressive GANs, each by itself: fading, equalised layers, pixel norm, minibatch standard deviation.

After Karras, Aila, Laine & Lehtinen, "Progressive growing of GANs for improved quality, stability, and variation"
(2018, arXiv 1710.10196); gans/progan.py makes networks of them. `fade` goes from 0, the old, to 1, the new.
"""

import minigrad as mg
from minigrad import nn
from minigrad.nn import functional as F

LEAKY = 2 ** 0.5  # the gain that keeps the spread of values through a leaky ReLU
TINY = 1e-8  # inside each root, whose slope is then finite where all is 0


def doubled(images):
    """Images (N, C, H, W) at twice the size, each pixel four times (section 2, figure 2).

    >>> doubled(mg.tensor([[[[1.0, 2.0]]]])).tolist()
    [[[[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]]]
    """
    return F.interpolate(images, scale_factor=2)


def halved(images):
    """Images (N, C, H, W) at half the size, each pixel the mean of four (section 2, figure 2).

    >>> halved(mg.tensor([[[[1.0, 1.0, 2.0, 6.0], [1.0, 1.0, 2.0, 6.0]]]])).tolist()
    [[[[1.0, 4.0]]]]
    """
    return F.avg_pool2d(images, 2)


def at(level, images):
    """Images at the size of a level, 4 * 2 ** level pixels a side.

    >>> at(1, mg.ones(1, 3, 32, 32)).shape
    (1, 3, 8, 8)
    """
    while images.shape[-1] > 4 << level:
        images = halved(images)
    return images


def mixed(old, new, fade):
    """(1 - fade) * old + fade * new: how a new layer comes in without a jolt (section 2, figure 2).

    >>> mixed(mg.tensor(2.0), mg.tensor(10.0), 0.25).item()
    4.0
    """
    return old + fade * (new - old)


def faded(images, fade):
    """Real images as they look while a level comes in: their halves, and then more and more of their detail.

    So D is not told real from generated images by detail that G cannot make yet (appendix A: "we interpolate between
    two resolutions of the real images").

    >>> images = mg.tensor([[[[0.0, 8.0], [0.0, 8.0]]]])
    >>> faded(images, 0.0).tolist(), faded(images, 0.5).tolist()
    ([[[[4.0, 4.0], [4.0, 4.0]]]], [[[[2.0, 6.0], [2.0, 6.0]]]])
    """
    return images if fade == 1 else mixed(doubled(halved(images)), images, fade)


def started(layer, spread):
    """A layer whose weights are N(0, spread ** 2), and its bias 0."""
    nn.init.normal_(layer.weight, 0.0, spread)
    nn.init.zeros_(layer.bias)
    return layer


def kept_by(layer, gain):
    """The spread of weights with which a layer's outputs have `gain` times the spread of its inputs (He et al. 2015).

    >>> kept_by(nn.Conv2d(4, 7, 3), 1.0) == (4 * 3 * 3) ** -0.5
    True
    """
    return gain / layer.weight[0].numel() ** 0.5


class EqualisedConv2d(nn.Conv2d):
    """A convolution with weights w * gain / sqrt(fan_in), w being N(0, 1) at first and what is learnt (section 4.1).

    Adam moves each weight by about its rate, whatever the gradient's size. Here all w are as large, so that one rate
    suits all layers; where the factor is in the weights themselves, wide layers, whose weights are small, learn faster.

    >>> layer = EqualisedConv2d(64, 32, 3)  # its weights, and what it makes of values of spread 1:
    >>> round(layer.weight.std().item(), 1), abs(layer(mg.randn(4, 64, 16, 16)).std().item() / LEAKY - 1) < 0.1
    (1.0, True)
    """

    def __init__(self, *how, gain=LEAKY, **more):
        super().__init__(*how, **more)
        self.factor = kept_by(started(self, 1.0), gain)

    def forward(self, x):
        return F.conv2d(x, self.weight * self.factor, self.bias, self.stride, self.padding)


class EqualisedLinear(nn.Linear):
    """The same, fully connected.

    >>> layer = EqualisedLinear(400, 300, gain=1.0)
    >>> round(layer.weight.std().item(), 1), abs(layer(mg.randn(50, 400)).std().item() - 1) < 0.1
    (1.0, True)
    """

    def __init__(self, *how, gain=LEAKY, **more):
        super().__init__(*how, **more)
        self.factor = kept_by(started(self, 1.0), gain)

    def forward(self, x):
        return F.linear(x, self.weight * self.factor, self.bias)


def he_conv2d(*how, gain=LEAKY, **more):
    """A convolution that is the same at first, with the factor in its weights."""
    layer = nn.Conv2d(*how, **more)
    return started(layer, kept_by(layer, gain))


def he_linear(*how, gain=LEAKY, **more):
    """The same, fully connected."""
    layer = nn.Linear(*how, **more)
    return started(layer, kept_by(layer, gain))


EQUALISED, PLAIN = (EqualisedConv2d, EqualisedLinear), (he_conv2d, he_linear)


class PixelNorm(nn.Module):
    """x / sqrt(mean of x ** 2 over the channels): at each pixel, so that no value in G escalates (section 4.2).

    >>> x = PixelNorm()(mg.randn(2, 7, 4, 4))  # (N, C, H, W)
    >>> mg.allclose((x ** 2).mean(1), mg.ones(2, 4, 4), atol=1e-4)
    True
    """

    def forward(self, x):
        return x / ((x ** 2).mean(1, keepdim=True) + TINY) ** 0.5


class MinibatchDeviation(nn.Module):
    """(N, C, H, W) -> (N, C + 1, H, W): the last channel says how much the images of a batch differ (section 3).

    The standard deviation of each value over a group of images, sqrt(mean (x - mean x) ** 2), and then the mean of all
    of these: one number a group. Where all images are one it is 1e-4, the root of what keeps its slope finite; so a
    collapsed G gives itself away. Groups are of 4 images, i, i + N / 4, ..., as in the authors' programme; the whole
    batch is one group where 4 does not divide it, and in evaluation mode.

    >>> x = mg.tensor([1.0, 1.0, 5.0, 9.0]).reshape(4, 1, 1, 1)
    >>> mg.allclose(MinibatchDeviation()(x)[:, 1].flatten(), x.std(correction=0).expand(4))
    True
    """

    def __init__(self, group=4):
        super().__init__()
        self.group = group

    def forward(self, x):
        n, channels, height, width = x.shape
        groups = n // self.group if self.training and n % self.group == 0 else 1
        y = x.reshape(-1, groups, channels, height, width)
        y = ((y - y.mean(0, keepdim=True)) ** 2).mean(0)                     # (groups, C, H, W)
        told = ((y + TINY) ** 0.5).mean((1, 2, 3)).reshape(1, groups, 1, 1, 1)
        told = told.expand(n // groups, groups, 1, height, width).reshape(n, 1, height, width)
        return mg.cat([x, told], 1)


class Grows(nn.Module):
    """A network with levels, of which the first `level` + 1 are in use, the last of them faded in to `fade`.

    How far it has grown is a buffer, [level, done, of], whole numbers with fade = done / of: so it is in each
    checkpoint, and an average of the weights does not average it.

    >>> net, other = Grows(), Grows()
    >>> net.grow(2, 30, 40)
    >>> _ = other.load_state_dict(net.state_dict())
    >>> other.level, other.fade
    (2, 0.75)
    """

    def __init__(self):
        super().__init__()
        self.register_buffer("grown", mg.zeros(3, dtype=mg.int64))
        self.grow(0)

    def grow(self, level, done=1, of=1):
        """Be at a level from now on, its last layers faded in to done / of."""
        self.level, self.fade = level, done / of
        self.grown.copy_(mg.tensor([level, done, of]))

    def load_state_dict(self, state_dict, strict=True):
        """Take the weights of a state, and be as far as it was."""
        found = super().load_state_dict(state_dict, strict)
        self.grow(*self.grown.tolist())
        return found


class GrowingGenerator(Grows):
    """z -> images (N, C, size, size), enlarged from those of its level, `made(z)`, whose sides are 4 * 2 ** level.

    `first` makes (N, w, 4, 4) of z; `blocks`, one a level from 1 on, double the sides; `to_colour`, one a level from 0
    on, make images of what is there (figure 2, left: G).
    """

    def __init__(self, first, blocks, to_colour, size):
        super().__init__()
        self.first, self.blocks, self.to_colour = first, nn.ModuleList(blocks), nn.ModuleList(to_colour)
        self.size = size

    def forward(self, z):
        return F.interpolate(self.made(z), size=self.size)

    def made(self, z):
        """The images of its level; while that comes in, of the level before, enlarged, and of its own."""
        x = self.first(z)
        for block in self.blocks[:self.level]:
            old, x = x, block(x)
        images = self.to_colour[self.level](x)
        return images if self.fade == 1 else mixed(doubled(self.to_colour[self.level - 1](old)), images, self.fade)


class GrowingCritic(Grows):
    """Images of the size of its level, or larger ones, which it halves first -> numbers (N, 1).

    `from_colour`, one a level from 0 on, make values of images; `blocks`, one a level from 1 on, halve the sides;
    `last` makes a number of (N, w, 4, 4) (figure 2, left: D).
    """

    def __init__(self, from_colour, blocks, last):
        super().__init__()
        self.from_colour, self.blocks, self.last = nn.ModuleList(from_colour), nn.ModuleList(blocks), last

    def forward(self, images):
        images = at(self.level, images)
        x = self.from_colour[self.level](images)
        for k in reversed(range(self.level)):
            x = self.blocks[k](x)
            if k == self.level - 1 and self.fade < 1:
                x = mixed(self.from_colour[k](halved(images)), x, self.fade)
        return self.last(x)
