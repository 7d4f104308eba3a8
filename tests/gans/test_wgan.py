"""Critics: the penalty of a linear one, clipping, its picture on a line, and a run that goes on."""

import numpy as np
import pytest

import minigrad as mg
from gans import wgan
from gans.machinery.critics import linear_error, on_a_line
from gans.machinery.losses import gradient_penalty
from minigrad import nn, optim


def test_the_penalty_of_a_linear_critic_is_the_square_of_its_slope_less_one():
    assert linear_error() < 1e-9
    f = nn.Linear(2, 1).double()
    f.weight.data.copy_(mg.tensor([[3.0, 4.0]]))
    x = mg.zeros(6, 2, dtype=mg.float64)
    assert gradient_penalty(f, x, x + 1, mg.rand(6, 1, dtype=mg.float64)).item() == pytest.approx(16.0)


def test_a_clipped_critic_has_no_weight_beyond_a_hundredth():
    f = wgan.critic(3, 8)
    optimiser = optim.RMSprop(f.parameters(), 0.1)
    for _ in range(3):
        wgan.critic_step("clip", f, optimiser, mg.randn(5, 3), mg.randn(5, 3) + 4, None)
    assert max(abs(p.detach().numpy()).max() for p in f.parameters()) == np.float32(0.01)


def test_on_a_line_the_penalised_critic_is_as_steep_as_its_weight_allows_and_a_plain_d_is_flat_far_out():
    mg.manual_seed(1)
    f = wgan.critic(1, 16)
    optimiser = optim.Adam(f.parameters(), 5e-3, betas=(0.5, 0.9))
    found = on_a_line(f, lambda *batch: wgan.critic_step("penalty", f, optimiser, *batch), 2, steps=300, batch=64)
    assert 0.9 < found.slope < 1.25 and found.gap > 0


@pytest.mark.slow  # reliability/test_demos.py stops and kills a shorter one
@pytest.mark.parametrize("recipe", wgan.RECIPES)
def test_a_run_that_is_resumed_is_the_same_to_the_bit(there, ended, interrupted, recipe):
    options = ["--data", "synthetic", "--recipe", recipe, "--steps", "6", "--batch", "8"]
    wgan.demo([*options, "--out", "whole"])
    interrupted(wgan.demo, [*options, "--out", "parts"], 3)
    wgan.demo(["--resume", "parts"])
    assert ended("whole") == ended("parts")
