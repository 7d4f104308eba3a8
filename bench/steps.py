"""The training steps that are timed, written once for both libraries: `torch` is minigrad or PyTorch, name for name.

Each case is a function (torch, array) -> (networks, step): `array` makes a float32 tensor of a NumPy array; `step(i)`
does training step i and returns its losses: of D on real, of D on generated, of G. Data and noise come from NumPy, the
same for both.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

BATCHES = 4  # different batches, used in turn, so that no data loading is timed


class Turns:
    """step(i): the function of tensors `learn`, a training step, on the arguments `data(i)`."""

    def __init__(self, learn, data):
        self.learn, self.data = learn, data

    def __call__(self, i):
        return self.learn(*self.data(i))


def three_updates(D, G, optimisers, loss, targets, real, noise):
    """The book's step: D learns from real images, D from generated ones, G through D, with an update each."""
    (optimiser_d, optimiser_g), (one, zero) = optimisers, targets

    def learn(real, first, second):
        d_real = loss(D(real), one)
        optimiser_d.zero_grad()
        d_real.backward()
        optimiser_d.step()
        d_fake = loss(D(G(first).detach()), zero)
        optimiser_d.zero_grad()
        d_fake.backward()
        optimiser_d.step()
        g = loss(D(G(second)), one)
        optimiser_g.zero_grad()
        g.backward()
        optimiser_g.step()
        return d_real, d_fake, g

    return (D, G), Turns(learn, lambda i: (real[i % len(real)], noise[2 * i % len(noise)],
                                           noise[(2 * i + 1) % len(noise)]))


def pattern1010(torch, array):
    """The 1010 GAN of gans/pattern1010.py, one sample a step."""
    nn = torch.nn
    D = nn.Sequential(nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 1), nn.Sigmoid())
    G = nn.Sequential(nn.Linear(1, 3), nn.Sigmoid(), nn.Linear(3, 4), nn.Sigmoid())
    optimisers = [torch.optim.SGD(net.parameters(), lr=0.01) for net in (D, G)]
    rng = np.random.default_rng(0)
    real = [array(rng.random(4) * 0.2 + [0.8, 0, 0.8, 0]) for _ in range(BATCHES)]
    targets = array(np.ones(1)), array(np.zeros(1))
    return three_updates(D, G, optimisers, nn.MSELoss(), targets, real, [array(np.full(1, 0.5))])


def mlp(nn, inputs, hidden, outputs, slope=0.02):
    """The layers of the book's networks, but for the last activation."""
    return nn.Linear(inputs, hidden), nn.LeakyReLU(slope), nn.LayerNorm(hidden), nn.Linear(hidden, outputs)


def book(torch, array, D, G, image, batch):
    """The book's training of D and G, `batch` images a step; for 1, unbatched as in the book."""
    optimisers = [torch.optim.Adam(net.parameters(), lr=0.0001) for net in (D, G)]
    rows = () if batch == 1 else (batch,)
    rng = np.random.default_rng(0)
    real = [array(rng.random((*rows, *image))) for _ in range(BATCHES)]
    noise = [array(rng.normal(size=(*rows, 100))) for _ in range(2 * BATCHES)]
    targets = array(np.ones((*rows, 1))), array(np.zeros((*rows, 1)))
    return three_updates(D, G, optimisers, torch.nn.BCELoss(), targets, real, noise)


def mnist_book(torch, array, batch):
    """The book's MNIST GAN (gans/mnist.py --recipe book)."""
    nn = torch.nn
    D = nn.Sequential(*mlp(nn, 784, 200, 1), nn.Sigmoid())
    G = nn.Sequential(*mlp(nn, 100, 200, 784), nn.Sigmoid())
    return book(torch, array, D, G, (784,), batch)


def face_mlp(torch, array, batch, image=(218, 178, 3)):
    """The book's fully connected GAN of faces, 218x178 pixels in colour: 47 million parameters."""
    nn, size = torch.nn, math.prod(image)
    D = nn.Sequential(nn.Flatten(-3), *mlp(nn, size, 100, 1, 0.01), nn.Sigmoid())
    G = nn.Sequential(*mlp(nn, 100, 300, size, 0.01), nn.Sigmoid(), nn.Unflatten(-1, image))
    return book(torch, array, D, G, image, batch)


def mnist_steady(torch, array, batch=64):
    """The default recipe of gans/mnist.py, 64 images a step."""
    nn = torch.nn
    D = nn.Sequential(*mlp(nn, 784, 200, 1))
    G = nn.Sequential(*mlp(nn, 100, 200, 784), nn.Sigmoid())
    optimiser_d, optimiser_g = (torch.optim.Adam(net.parameters(), 1e-3, betas=(0.5, 0.999)) for net in (D, G))
    loss = nn.BCEWithLogitsLoss()
    ones, zeros = array(np.ones((batch, 1))), array(np.zeros((batch, 1)))
    rng = np.random.default_rng(0)
    real = [array(rng.random((batch, 784))) for _ in range(BATCHES)]
    noise = [array(rng.normal(size=(batch, 100))) for _ in range(BATCHES)]
    directions = [array(rng.normal(size=(batch, 784))) for _ in range(BATCHES)]

    def learn(real, seeds, direction):
        fake, answers = G(seeds), D(real)
        d_real, d_fake = loss(answers, ones), loss(D(fake.detach()), zeros)
        d = d_real + d_fake
        if direction is not None:
            d = d + 0.4 * (((D(real + 0.3 * direction) - answers) / 0.3) ** 2).mean()
        optimiser_d.zero_grad()
        d.backward()
        optimiser_d.step()
        D.requires_grad_(False)
        g = loss(D(fake), ones)
        optimiser_g.zero_grad()
        g.backward()
        optimiser_g.step()
        D.requires_grad_(True)
        return d_real, d_fake, g

    return (D, G), Turns(learn, lambda i: (real[i % BATCHES], noise[i % BATCHES],
                                           None if i % 4 else directions[i % BATCHES]))


def convolutional(torch, array, D, G, latent, image, batch):
    """The step of pytorch/examples' dcgan: D on real and fake images, one update; G through a D without gradients."""
    optimiser_d, optimiser_g = (torch.optim.Adam(net.parameters(), lr=0.0002, betas=(0.5, 0.999)) for net in (D, G))
    loss = torch.nn.BCELoss()
    ones, zeros = array(np.ones(batch)), array(np.zeros(batch))
    rng = np.random.default_rng(0)
    real = [array(rng.uniform(-1, 1, (batch, *image))) for _ in range(BATCHES)]
    noise = [array(rng.normal(size=(batch, latent, 1, 1))) for _ in range(BATCHES)]

    def learn(real, seeds):
        D.requires_grad_(True)
        optimiser_d.zero_grad()
        d_real = loss(D(real).view(-1), ones)
        d_real.backward()
        fake = G(seeds)
        d_fake = loss(D(fake.detach()).view(-1), zeros)
        d_fake.backward()
        optimiser_d.step()
        D.requires_grad_(False)
        optimiser_g.zero_grad()
        g = loss(D(fake).view(-1), ones)
        g.backward()
        optimiser_g.step()
        return d_real, d_fake, g

    return (D, G), Turns(learn, lambda i: (real[i % BATCHES], noise[i % BATCHES]))


def dcgan(torch, array, nz=100, ngf=64, ndf=64, batch=32):
    """The networks of pytorch/examples' dcgan for 64x64 RGB."""
    nn = torch.nn
    G, D = [], []
    for i, (a, b) in enumerate(((nz, 8 * ngf), (8 * ngf, 4 * ngf), (4 * ngf, 2 * ngf), (2 * ngf, ngf))):
        G += [nn.ConvTranspose2d(a, b, 4, *((2, 1) if i else (1, 0)), bias=False), nn.BatchNorm2d(b), nn.ReLU(True)]
    G += [nn.ConvTranspose2d(ngf, 3, 4, 2, 1, bias=False), nn.Tanh()]
    for i, (a, b) in enumerate(((3, ndf), (ndf, 2 * ndf), (2 * ndf, 4 * ndf), (4 * ndf, 8 * ndf))):
        D += [nn.Conv2d(a, b, 4, 2, 1, bias=False), *[nn.BatchNorm2d(b)] * (i > 0), nn.LeakyReLU(0.2, inplace=True)]
    D += [nn.Conv2d(8 * ndf, 1, 4, 1, 0, bias=False), nn.Sigmoid()]
    return convolutional(torch, array, nn.Sequential(*D), nn.Sequential(*G), nz, (3, 64, 64), batch)


def mnist_conv(torch, array, batch=64):
    """A GAN of 32 and 64 channels for 28x28 digits."""
    nn = torch.nn
    G = nn.Sequential(nn.ConvTranspose2d(64, 64, 7, bias=False), nn.BatchNorm2d(64), nn.ReLU(True),
                      nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(True),
                      nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Tanh())
    D = nn.Sequential(nn.Conv2d(1, 32, 4, 2, 1), nn.LeakyReLU(0.2, True),
                      nn.Conv2d(32, 64, 4, 2, 1, bias=False), nn.BatchNorm2d(64), nn.LeakyReLU(0.2, True),
                      nn.Conv2d(64, 1, 7), nn.Sigmoid())
    return convolutional(torch, array, D, G, 64, (1, 28, 28), batch)


def face_conv(torch, array):
    """A GAN of few wide layers for 128x128 faces, kernels of 8, an image a step, as in the book."""
    nn = torch.nn
    D = nn.Sequential(nn.Conv2d(3, 256, 8, 2), nn.BatchNorm2d(256), nn.LeakyReLU(0.2),
                      nn.Conv2d(256, 256, 8, 2), nn.BatchNorm2d(256), nn.LeakyReLU(0.2),
                      nn.Conv2d(256, 3, 8, 2), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(3 * 10 * 10, 1), nn.Sigmoid())
    G = nn.Sequential(nn.Linear(100, 3 * 11 * 11), nn.LeakyReLU(0.2), nn.Unflatten(1, (3, 11, 11)),
                      nn.ConvTranspose2d(3, 256, 8, 2), nn.BatchNorm2d(256), nn.LeakyReLU(0.2),
                      nn.ConvTranspose2d(256, 256, 8, 2), nn.BatchNorm2d(256), nn.LeakyReLU(0.2),
                      nn.ConvTranspose2d(256, 3, 8, 2, 1), nn.BatchNorm2d(3), nn.Sigmoid())
    optimisers = [torch.optim.Adam(net.parameters(), lr=0.0001) for net in (D, G)]
    rng = np.random.default_rng(0)
    real = [array(rng.random((1, 3, 128, 128))) for _ in range(BATCHES)]
    noise = [array(rng.normal(size=(1, 100))) for _ in range(2 * BATCHES)]
    return three_updates(D, G, optimisers, nn.BCELoss(), (array(np.ones((1, 1))), array(np.zeros((1, 1)))), real, noise)


def wgan_critic(torch, array, batch=64):
    """An update of a WGAN-GP critic for 28x28 digits, with its second derivatives; the generator stands still."""
    nn = torch.nn
    D = nn.Sequential(nn.Conv2d(1, 32, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(32, 64, 4, 2, 1), nn.LeakyReLU(0.2),
                      nn.Flatten(), nn.Linear(64 * 7 * 7, 1))
    optimiser = torch.optim.Adam(D.parameters(), lr=0.0001, betas=(0.0, 0.9))
    rng = np.random.default_rng(0)
    real, fake = ([array(rng.uniform(-1, 1, (batch, 1, 28, 28))) for _ in range(BATCHES)] for _ in range(2))
    mixes = [array(rng.random((batch, 1, 1, 1))) for _ in range(BATCHES)]

    def learn(x, y, mix):
        between = (mix * x + (1 - mix) * y).requires_grad_(True)
        slopes, = torch.autograd.grad(D(between).sum(), between, create_graph=True)
        penalty = (((slopes.flatten(1) ** 2).sum(1) + 1e-12).sqrt() - 1).pow(2).mean()
        d_real, d_fake = -D(x).mean(), D(y).mean()
        optimiser.zero_grad()
        (d_real + d_fake + 10 * penalty).backward()
        optimiser.step()
        return d_real, d_fake, penalty

    return (D,), Turns(learn, lambda i: (real[i % BATCHES], fake[i % BATCHES], mixes[i % BATCHES]))


def digit_cnn(torch, array, batch=64):
    """A tutorial's classifier of digits: two 3x3 convolutions, max pooling, dropout (left out, as it draws numbers)."""
    nn = torch.nn
    net = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                        nn.Linear(64 * 12 * 12, 128), nn.ReLU(), nn.Linear(128, 10))
    optimiser, loss = torch.optim.Adadelta(net.parameters(), lr=1.0), nn.CrossEntropyLoss()
    rng = np.random.default_rng(0)
    images = [array(rng.random((batch, 1, 28, 28))) for _ in range(BATCHES)]
    labels = [array(rng.integers(0, 10, batch)).long() for _ in range(BATCHES)]

    def learn(images, labels):
        found = loss(net(images), labels)
        optimiser.zero_grad()
        found.backward()
        optimiser.step()
        return found,

    return (net,), Turns(learn, lambda i: (images[i % BATCHES], labels[i % BATCHES]))


class Case(NamedTuple):
    """A step, how many of them to time at once, and of how many the losses are compared."""

    make: Callable
    steps: int
    checked: int = 5


CASES = {
    "1010": Case(pattern1010, 2000),
    "mnist-batch-1": Case(partial(mnist_book, batch=1), 300),
    "mnist-batch-64": Case(partial(mnist_book, batch=64), 60),
    "mnist-steady-64": Case(mnist_steady, 60),
    "face-mlp": Case(partial(face_mlp, batch=1), 4),
    "face-mlp-16": Case(partial(face_mlp, batch=16), 4),
    # Adam turns rounding into different signs, which batch norm and many layers make the most of.
    "mnist-conv": Case(mnist_conv, 10, checked=2),
    "dcgan-64": Case(dcgan, 2, checked=2),
    "dcgan-64-narrow": Case(partial(dcgan, ngf=16, ndf=16, batch=16), 6, checked=2),
    "wgan-gp-critic": Case(wgan_critic, 8),
    "face-conv": Case(face_conv, 1, checked=2),
    "digit-cnn": Case(digit_cnn, 4),
}
