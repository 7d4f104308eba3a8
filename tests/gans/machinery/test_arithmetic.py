"""Sums, multiples and walks of seeds, by a generator of which they are known."""

import numpy as np
import pytest
from PIL import Image

from gans.machinery import arithmetic
from gans.machinery.samples import described
from minigrad import nn


def generator(normed):
    """Seeds (N, 16) -> images, of which a layer norm divides the length out, or nothing does."""
    layers = [nn.LayerNorm(16)] if normed else []
    G = nn.Sequential(*layers, nn.Linear(16, 784), nn.Sigmoid())
    return described(G, (16,), image_shape=(28, 28, 1), rows=True)


def test_a_walk_begins_and_ends_at_its_seeds_and_goes_by_equal_steps():
    a, b = np.random.default_rng(0).standard_normal((2, 16)).astype(np.float32)
    seeds = arithmetic.walk(a, b)
    assert seeds.shape == (12, 16) and seeds.dtype == np.float32
    np.testing.assert_allclose(seeds[[0, -1]], [a, b], rtol=1e-6)
    np.testing.assert_allclose(np.diff(seeds, axis=0), np.tile((b - a) / 11, (11, 1)), atol=1e-6)


@pytest.mark.parametrize("normed", [True, False])
def test_a_multiple_of_a_seed_is_the_same_image_where_a_layer_norm_divides_its_length_out(normed):
    G, a = generator(normed), np.random.default_rng(0).standard_normal((5, 16)).astype(np.float32)
    one, three = arithmetic.draw(G, a).astype(int), arithmetic.draw(G, 3 * a)
    assert one.shape == (5, 28, 28) and (abs(one - three).max() <= 1) == normed


def test_the_longest_step_is_a_share_of_the_way():
    frames = np.zeros((4, 2, 2), np.uint8)
    frames[1:, 0, 0], frames[2:, 0, 1], frames[3:, 1, 0] = 10, 20, 10
    assert arithmetic._longest(frames) == pytest.approx(0.5)
    assert arithmetic._longest(frames[:1].repeat(3, 0)) == 0, "a generator that draws the same at each step"


def test_the_sheet_is_a_picture(tmp_path):
    path = arithmetic.sheet(tmp_path / "seeds.png", generator(True), seed=1)
    with Image.open(path) as picture:
        assert picture.size == (880, 1056)
