"""Whole training steps: captured, they leave the same bits in losses, parameters, optimisers and buffers."""

import os
import subprocess
import sys

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.nn import functional as F


def numbers(*shape, seed=0):
    """Tensors of a shape, a function of the call's number."""
    return lambda i: mg.tensor(np.random.default_rng([seed, i]).standard_normal(shape).astype("f4"))


def gan(optimiser=lambda ps: optim.Adam(ps, 1e-3), batch=4, average=None, loss=None, D=None, G=None):
    """The book's three steps of a small GAN."""
    D = D or nn.Sequential(nn.Linear(20, 12), nn.LeakyReLU(0.02), nn.LayerNorm(12), nn.Linear(12, 1), nn.Sigmoid())
    G = G or nn.Sequential(nn.Linear(5, 12), nn.LeakyReLU(0.02), nn.LayerNorm(12), nn.Linear(12, 20), nn.Sigmoid())
    loss, rows = loss or nn.BCELoss(), () if batch is None else (batch,)
    optimiser_d, optimiser_g = optimiser(D.parameters()), optimiser(G.parameters())
    one, zero = mg.ones(*rows, 1), mg.zeros(*rows, 1)
    ema = optim.EMA(G, average) if average else None

    def step(real, first, second):
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
        if ema:
            ema.update()
        return d_real, d_fake, g

    real, noise = numbers(*rows, 20), numbers(2, *rows, 5, seed=1)
    parts = [D, G, optimiser_d, optimiser_g, *([ema] if ema else [])]
    return parts, step, lambda i: (real(i), noise(i)[0], noise(i)[1])


OPTIMISERS = {
    "SGD": lambda ps: optim.SGD(ps, 0.05),
    "momentum": lambda ps: optim.SGD(ps, 0.05, momentum=0.9, weight_decay=1e-3),
    "dampening": lambda ps: optim.SGD(ps, 0.05, momentum=0.9, dampening=0.3),
    "Nesterov": lambda ps: optim.SGD(ps, 0.05, momentum=0.9, nesterov=True),
    "RMSprop": lambda ps: optim.RMSprop(ps, 1e-3, centered=True, momentum=0.5, weight_decay=1e-3),
    "Adam": lambda ps: optim.Adam(ps, 1e-3, betas=(0.5, 0.999), weight_decay=1e-3),
    "Adam without momentum": lambda ps: optim.Adam(ps, 1e-3, betas=(0.0, 0.9)),
    "AdamW": lambda ps: optim.AdamW(ps, 1e-3),
    "two groups": lambda ps: optim.Adam([{"params": p, "lr": 0.01 / (1 + i)} for i, p in enumerate(ps)], 1e-3)}


@pytest.mark.parametrize("names", [*zip([*OPTIMISERS][::2], [*OPTIMISERS][1::2] + ["SGD"])], ids="-".join)
def test_every_optimiser(same, names):
    each = iter(names * 2)  # D's and G's, twice
    same(lambda: gan(lambda ps: OPTIMISERS[next(each)](ps)))


@pytest.mark.parametrize("batch", [None, 1, 64])
def test_one_sample_without_a_batch_and_batches(same, batch):
    same(lambda: gan(batch=batch))


def test_an_average_of_the_generator_whose_decay_changes(same):
    same(lambda: gan(average=0.3))


def test_a_thousand_steps(same):
    sizes = dict(D=lambda: nn.Sequential(nn.Linear(20, 3), nn.Sigmoid(), nn.Linear(3, 1), nn.Sigmoid()))
    step = same(lambda: gan(lambda ps: optim.SGD(ps, 0.01), None, loss=nn.MSELoss(), D=sizes["D"]()), steps=1000)
    assert step.replays == 996


def test_large_layers_whose_update_is_a_compiled_loop_outside(same):
    def make():
        return gan(lambda ps: optim.Adam(ps, 1e-3), None, D=nn.Sequential(nn.Linear(20, 1500), nn.ReLU(), nn.Linear(
            1500, 1), nn.Sigmoid()))

    same(make, 8)


def test_two_losses_added_and_a_penalty_in_some_steps_only(same):
    def make():
        D = nn.Sequential(nn.Linear(6, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
        G = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 6))
        optimiser_d, optimiser_g = (optim.Adam(net.parameters(), 1e-2, betas=(0.5, 0.999)) for net in (D, G))
        loss, ones, zeros = nn.BCEWithLogitsLoss(), mg.ones(4, 1), mg.zeros(4, 1)

        def step(real, noise, direction, penalty):
            fake, answers = G(noise), D(real)
            d = loss(answers, ones) + loss(D(fake.detach()), zeros)
            if penalty:
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
            return {"d": d, "g": [g, fake]}

        real, noise, direction = numbers(4, 6), numbers(4, 3, seed=1), numbers(4, 6, seed=2)
        return [D, G, optimiser_d, optimiser_g], step, lambda i: (real(i), noise(i), direction(i), i % 3 == 0)

    step = same(make, 24)
    assert len(step.plans) == 2


def test_convolutions_batch_norm_and_a_generator_that_is_used_twice(same):
    def make():
        G = nn.Sequential(nn.ConvTranspose2d(8, 16, 4, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
                          nn.ConvTranspose2d(16, 1, 4, 2, 1), nn.Tanh())
        D = nn.Sequential(nn.Conv2d(1, 16, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(16, 16, 3, 1, 1, groups=2),
                          nn.BatchNorm2d(16), nn.LeakyReLU(0.2), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 1),
                          nn.Sigmoid())
        return gan(D=D, G=nn.Sequential(nn.Unflatten(-1, (8, 1, 1)), G))[:2] + (
            lambda i: (numbers(4, 1, 8, 8)(i), numbers(4, 8, seed=1)(i), numbers(4, 8, seed=2)(i)),)

    same(make, 8)


def test_tiles_of_winograd_whose_spread_weights_go_from_op_to_op(same):
    def make():
        D = nn.Sequential(nn.Conv2d(32, 32, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(32 * 16, 1))
        optimiser = optim.SGD(D.parameters(), 0.01)

        def step(x):
            x = x.detach().requires_grad_()
            loss = (D(x) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            return loss

        return [D, optimiser], step, lambda i: (numbers(32, 32, 8, 8)(i),)

    same(make, 7)


def test_a_gradient_penalty_through_convolutions(same):
    def make():
        D = nn.Sequential(nn.Conv2d(1, 8, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(8, 8, 4, 2, 1), nn.Tanh(),
                          nn.Flatten(), nn.Linear(32, 1))
        optimiser = optim.Adam(D.parameters(), 1e-3, betas=(0, 0.9))

        def step(real, fake, mix):
            between = (real * mix + fake * (1 - mix)).requires_grad_()
            slope, = mg.autograd.grad(D(between).sum(), between, create_graph=True)
            penalty = ((slope.flatten(1).norm(dim=1) - 1) ** 2).mean()
            d = D(fake).mean() - D(real).mean() + 10 * penalty
            optimiser.zero_grad()
            d.backward()
            optimiser.step()
            return d, penalty

        return [D, optimiser], step, lambda i: (numbers(4, 1, 8, 8)(i), numbers(4, 1, 8, 8, seed=1)(i),
                                                mg.tensor(np.float32(np.random.default_rng(i).random((4, 1, 1, 1)))))

    same(make, 8)


def test_dropout_and_noise_are_drawn_from_the_same_generator(same):
    def make():
        net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 1))
        optimiser = optim.Adam(net.parameters(), 1e-2)

        def step(x):
            noisy = x + 0.1 * mg.randn(4, 6) + 0.1 * mg.rand_like(x)
            shuffled = noisy[mg.randperm(4)] * mg.randint(1, 3, (4, 1))
            loss = (net(shuffled) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            return loss

        return [net, optimiser], step, lambda i: (numbers(4, 6)(i),)

    same(make)


def test_embeddings_classes_and_cross_entropy(same):
    def make():
        table, net = nn.Embedding(5, 4), nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 5))
        optimiser = optim.SGD([*table.parameters(), *net.parameters()], 0.1)

        def step(labels):
            loss = nn.CrossEntropyLoss()(net(table(labels)), labels) + F.one_hot(labels, 5).float().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            return loss, net(table(labels)).argmax(1)

        return [table, net, optimiser], step, lambda i: (mg.tensor(np.random.default_rng(i).integers(0, 5, 7)),)

    same(make)


def test_spectral_norm_which_puts_a_new_tensor_in_the_layer(same):
    def make():
        net = nn.Sequential(nn.utils.spectral_norm(nn.Linear(6, 8)), nn.LeakyReLU(0.1), nn.Linear(8, 1))
        optimiser = optim.Adam(net.parameters(), 1e-2)

        def step(x):
            loss = (net(x) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            return loss

        return [net, optimiser], step, lambda i: (numbers(4, 6)(i),)

    same(make)


def test_batch_statistics_weights_clipped_and_updates_by_hand(same):
    def make():
        net = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8, momentum=0.2), nn.SiLU(), nn.Linear(8, 1))
        rate = 0.05

        def step(x):
            loss = (net(x) ** 2).mean()
            net.zero_grad()
            loss.backward()
            with mg.no_grad():
                for p in net.parameters():
                    p -= rate * p.grad
                    p.clamp_(-0.5, 0.5)
            return loss

        return [net], step, lambda i: (numbers(4, 6)(i),)

    same(make)


def test_a_running_average_of_the_loss_in_a_variable_of_the_user(same):
    def make():
        w = nn.Parameter(mg.ones(3))
        mean, count = mg.zeros(()), 0

        def step(x):
            nonlocal mean, count
            count += 1
            loss = ((w - x) ** 2).sum()
            w.grad = None
            loss.backward()
            w.data.sub_(0.1 / count * w.grad)
            mean = 0.9 * mean + 0.1 * loss.detach()
            return loss, mean

        return [], step, lambda i: (numbers(3)(i),)

    same(make, 20)


def test_a_schedule_inside_and_one_outside(same):
    def make():
        parts, inner, data = gan(lambda ps: optim.Adam(ps, 0.01))
        schedules = [optim.lr_scheduler.StepLR(parts[2], 5, 0.5), optim.lr_scheduler.ExponentialLR(parts[3], 0.9)]

        def step(*xs):
            losses = inner(*xs)
            schedules[0].step()
            return losses

        def with_schedule(i):
            if i:
                schedules[1].step()
            return data(i)

        return parts, step, with_schedule

    same(make, 24)


TWO_THREADS = """
import numpy as np
import minigrad as mg
from minigrad import nn, optim
from minigrad.backend.threads import _threads

assert _threads.count == 2

def made():
    mg.manual_seed(1)
    net = nn.Sequential(nn.Linear(784, 200), nn.LeakyReLU(0.02), nn.LayerNorm(200), nn.Linear(200, 100))
    optimiser = optim.Adam(net.parameters(), 1e-3)

    def step(x):
        loss = net(x).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss

    return net, step

(net, step), (other, same) = made(), made()
captured = mg.capture(same)
for i in range(8):
    x = mg.tensor(np.random.default_rng(i).standard_normal((8, 784)).astype("f4"))
    assert step(x).item() == captured(x).item(), i
    for p, q in zip(net.parameters(), other.parameters()):
        assert np.array_equal(p.detach().numpy(), q.detach().numpy()), i
assert captured.replays
"""


def test_products_that_the_blas_would_split_leave_the_same_bits_on_two_threads():
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MINIGRAD_NUM_THREADS"), "2")
    subprocess.run([sys.executable, "-c", TWO_THREADS], check=True, env={**os.environ, **threads})
