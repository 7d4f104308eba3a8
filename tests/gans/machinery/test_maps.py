"""What a generator forgets, by one whose maps are known: each paints a part of the image."""

import numpy as np
import pytest

import minigrad as mg
from gans.machinery import maps
from gans.machinery.samples import described
from minigrad import nn


def generator():
    """Seeds (N, 9, 1, 1) -> images (2, 2): maps 0 and 1 paint the left column, 2 and 3 the right one."""
    G = nn.Sequential(nn.ConvTranspose2d(9, 9, 1, bias=False), nn.ReLU(), nn.ConvTranspose2d(9, 1, 2, bias=False))
    first, second = np.zeros((9, 9, 1, 1), np.float32), np.zeros((9, 1, 2, 2), np.float32)
    first[range(9), range(9)], second[:2, :, :, 0], second[2:4, :, :, 1] = 1, 1, 1
    G[0].weight.data.copy_(mg.tensor(first)), G[2].weight.data.copy_(mg.tensor(second))
    return described(G.requires_grad_(False), (9, 1, 1), image_shape=(2, 2, 1), value_range=(0.0, 8.0))


def read(images):
    """Whether the left column is bright, and the right one."""
    return {name: np.eye(2)[(images[:, 0, k] > 20).astype(int)] for k, name in enumerate(("left", "right"))}


SEEDS = np.abs(np.random.default_rng(0).standard_normal((400, 9, 1, 1))).astype(np.float32)


def test_what_a_layer_puts_out_is_seen_and_dropped_and_the_generator_stays_as_it_is():
    G = generator()
    images, seen = maps.observed(G, SEEDS, G[1])
    np.testing.assert_array_equal(seen, SEEDS)
    dropped = maps.without(G, SEEDS, G[1], [0, 1])
    assert not dropped[:, :, 0].any() and np.array_equal(dropped[:, :, 1], images[:, :, 1])
    np.testing.assert_array_equal(maps.without(G, SEEDS, G[1], []), images)
    np.testing.assert_array_equal(maps.observed(G, SEEDS, G[1])[0], images)


def test_the_maps_that_paint_an_attribute_are_those_that_are_tied_to_it():
    G = generator()
    images, seen = maps.observed(G, SEEDS, G[1])
    for name, own in (("left", {0, 1}), ("right", {2, 3})):
        assert set(maps.tied(seen, read(images)[name].argmax(1) == 1)[:2]) == own


def test_without_them_it_is_forgotten_and_nothing_else_and_other_maps_are_no_matter():
    G = generator()
    found = maps.forget(G, read, G[1], "left", 1, SEEDS[:200], SEEDS[200:])
    before = (read(maps.without(G, SEEDS[200:], G[1], []))["left"].argmax(1) == 1).mean()
    assert found.before == pytest.approx(before) and found.after <= 0.55 * before and set(found.maps) <= {0, 1}
    assert found.stay == {"right": 1.0} and found.lost == {"right": 0.0} and len(found.control) == len(found.maps)
    assert not set(found.control) & set(found.maps)


def test_the_control_has_the_mean_activations_of_the_chosen():
    activity = np.random.default_rng(1).random(50)
    found = maps.alike(activity, [3, 7, 20])
    assert len(set(found)) == 3 and not set(found) & {3, 7, 20}
    others = np.delete(activity, [3, 7, 20])
    assert abs(activity[found[0]] - activity[3]) == pytest.approx(abs(others - activity[3]).min())


def test_the_activations_of_a_network_are_those_behind_convolutions():
    net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Unflatten(1, (4, 1, 1)), nn.ConvTranspose2d(4, 2, 2), nn.ReLU(),
                        nn.Conv2d(2, 2, 1), nn.Tanh())
    assert maps.activations(net) == [4]
