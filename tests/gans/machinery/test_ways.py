"""Half way between two seeds, by generators of which all is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from gans.machinery import ways
from gans.machinery.generators import between
from gans.machinery.samples import described
from minigrad import nn


def generator(weight, bias=0.5):
    """Seeds (N, 4) -> images (4, 4, 1): a linear map in 0..1."""
    G = nn.Sequential(nn.Linear(4, 16))
    G[0].weight.data.copy_(mg.tensor(np.float32(weight))), G[0].bias.data.fill_(bias)
    return described(G.requires_grad_(False), (4,), image_shape=(4, 4, 1), rows=True)


REAL = np.random.default_rng(0).integers(0, 256, (60, 4, 4, 1), np.uint8)


@given(st.integers(0, 999), st.integers(2, 50), st.integers(2, 12))
def test_an_arc_keeps_the_ends_turns_by_equal_angles_and_has_no_length_beyond_theirs(seed, size, points):
    a, b = np.random.default_rng(seed).standard_normal((2, size)).astype(np.float32)
    found = between(a, b, points).astype(np.float64)
    np.testing.assert_allclose(found[[0, -1]], [a, b], atol=1e-5)
    b *= np.linalg.norm(a) / np.linalg.norm(b)  # of one length: that of all between
    found = between(a, b, points).astype(np.float64)
    lengths = np.linalg.norm(found, axis=1)
    if 0.1 < np.arccos(np.clip(a @ b / lengths[0] ** 2, -1, 1)) < 3:
        np.testing.assert_allclose(lengths, lengths[0], rtol=1e-4)
        cosines = (found[1:] * found[:-1]).sum(1) / lengths[0] ** 2
        np.testing.assert_allclose(cosines, cosines[0], atol=1e-4)


@given(st.integers(0, 99), st.floats(-1e-4, 1e-4))
def test_near_one_direction_the_arc_is_the_line_from_the_first_to_the_last(seed, turn):
    a, other = np.random.default_rng(seed).standard_normal((2, 20)).astype(np.float32)
    b = a + np.float32(turn) * other
    share = np.linspace(0, 1, 5)[:, None]
    np.testing.assert_allclose(between(a, b, 5), (1 - share) * a + share * b, atol=1e-5)


def test_of_a_generator_that_has_collapsed_the_ends_are_not_apart():
    found = ways.half_way(generator(np.zeros((16, 4))), None, REAL, pairs=10)
    assert found.apart == 0 and found.near == pytest.approx(1) and found.sure == 1


def test_half_way_of_equal_seeds_parts_is_what_a_reader_makes_of_them():
    class Reader:  # sure of bright images alone
        def read(self, images):
            sure = np.where(images.mean((1, 2)) > 100, 0.9, 0.6)
            return {"bright": np.stack([sure, 1 - sure], 1)}

        def features(self, images):
            return images.reshape(len(images), -1)[:, :3] / 255

    found = ways.half_way(generator(np.zeros((16, 4)), bias=0.8), Reader(), REAL, pairs=10)
    assert found.sure == pytest.approx(1) and ways.confidence(Reader(), REAL[:, :, :, 0]) < 0.9


def test_the_ends_apart_are_a_share_of_real_pictures_apart():
    G = generator(np.random.default_rng(1).standard_normal((16, 4)) * 0.1)
    found = ways.half_way(G, None, REAL, pairs=30)
    one = ways.half_way(G, None, REAL // 2, pairs=30)
    assert one.apart == pytest.approx(2 * found.apart, rel=0.03)
