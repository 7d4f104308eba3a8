"""Slopes of responses by hand and by PyTorch, sanity checks that know their answers, boxes of grey."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from gans.machinery import saliency
from minigrad import nn

RNG = np.random.default_rng(0)


def test_guided_backpropagation_of_two_layers_is_what_it_is_by_hand():
    """Only where the input of the LeakyReLU and what comes back are positive, and there with slope 1."""
    net = nn.Sequential(nn.Linear(3, 4), nn.LeakyReLU(0.2), nn.Linear(4, 1))
    first, second = np.float32(RNG.standard_normal((4, 3))), np.float32([[1.0, -1.0, 2.0, 0.5]])
    first[0], first[1] = abs(first[0]), abs(first[1])  # positive at x, of which the second comes back negative
    first[2], first[3] = -abs(first[2]), abs(first[3])
    net[0].weight.data.copy_(mg.tensor(first)), net[0].bias.data.zero_(), net[2].weight.data.copy_(mg.tensor(second))
    x = np.ones((1, 3), np.float32)
    found = saliency.saliency("guided", net, lambda y: net(y)[:, 0], x)
    np.testing.assert_allclose(found[0], first[0] + 0.5 * first[3], rtol=1e-6)
    plain = saliency.gradient(lambda y: net(y)[:, 0], x)
    np.testing.assert_allclose(plain[0], first[0] - first[1] + 0.2 * 2 * first[2] + 0.5 * first[3], rtol=1e-5)
    assert not net[1]._hooks.grad and not net[1]._hooks.after, "the hooks are gone"


def networks():
    """The same network here and in PyTorch."""
    layers = [("Conv2d", (2, 4, 3)), ("BatchNorm2d", (4,)), ("LeakyReLU", (0.2,)), ("Conv2d", (4, 5, 3)), ("ReLU", ())]
    ours, theirs = (m.Sequential(*[getattr(m, name)(*args) for name, args in layers]).eval() for m in (nn, torch.nn))
    theirs.load_state_dict({name: torch.tensor(value.numpy()) for name, value in ours.state_dict().items()})
    return ours, theirs


@pytest.mark.parametrize("method", ["gradient", "guided"])
def test_the_slope_of_a_filter_is_pytorchs_guided_or_not(method):
    ours, theirs = networks()
    x = np.float32(RNG.standard_normal((3, 2, 8, 8)))
    found = saliency.saliency(method, ours, lambda y: saliency.responses(ours, 4, y)[:, 1], x)
    inputs = {}
    if method == "guided":
        for layer in (theirs[2], theirs[4]):
            layer.register_forward_hook(lambda m, i, o: inputs.__setitem__(m, i[0]))
            layer.register_full_backward_hook(lambda m, gi, go: (go[0].clamp(min=0) * (inputs[m] > 0),))
    y = torch.tensor(x, requires_grad=True)
    theirs(y)[:, 1].amax((1, 2)).sum().backward()
    np.testing.assert_allclose(found, y.grad.numpy(), rtol=1e-4, atol=1e-6)


def test_of_a_linear_response_the_smooth_slope_is_the_slope():
    w = np.float32(RNG.standard_normal((1, 2, 4, 4)))
    x = np.float32(RNG.standard_normal((3, 2, 4, 4)))
    np.testing.assert_allclose(saliency.smooth(lambda y: (y * mg.tensor(w)).sum((1, 2, 3)), x, n=3),
                               np.broadcast_to(w, x.shape), rtol=1e-5)


def test_the_smooth_slope_of_a_square_is_twice_x_plus_the_means_noise():
    x = np.float32(RNG.standard_normal((1, 50)))
    found = saliency.smooth(lambda y: (y * y).sum(1), x, n=64, std=0.1)
    reach = 0.1 * (x.max() - x.min())
    assert abs(found - 2 * x).max() < 2 * reach * 4 / 8 and abs(found - 2 * x).max() > 0


def test_a_cascade_begins_with_the_network_and_makes_one_layer_more_random_at_each_step():
    ours, _ = networks()
    state = mg.get_rng_state()
    stages = saliency.cascade(ours)
    assert [name for name, _ in stages] == ["nothing", "3", "0"] and str(mg.get_rng_state()) == str(state)
    same = [[bool((net[k].weight == ours[k].weight).all()) for k in (0, 3)] for _, net in stages]
    assert same == [[True, True], [True, False], [False, False]]


def test_maps_of_a_random_network_are_not_those_of_the_network():
    ours, _ = networks()
    x = np.float32(RNG.standard_normal((8, 2, 8, 8)))
    found, names = saliency.sanity(ours, x)
    assert names == ["nothing", "3", "0"] and list(found) == list(saliency.METHODS)
    for method, (own, _, all_random) in found.items():
        assert own == pytest.approx(1) and abs(all_random) < 0.5, method


@given(st.lists(st.floats(0.125, 100, width=32), min_size=3, max_size=20, unique=True), st.integers(0, 99))
def test_the_rank_correlation_is_pearsons_of_the_ranks_whatever_the_signs(values, seed):
    a = np.array([values])
    other, signs = np.random.default_rng(seed).permuted(a, axis=1), np.random.default_rng(seed).choice([-1, 1], a.shape)
    expected = np.corrcoef(np.argsort(np.argsort(a[0])), np.argsort(np.argsort(other[0])))[0, 1]
    assert saliency.rank_correlation(signs * a, other ** 3) == pytest.approx(expected, abs=1e-9)


def test_grey_on_the_pixels_that_count_lowers_a_response_and_elsewhere_it_does_not():
    images = np.full((4, 12, 12, 1), 200, np.uint8)
    boxes = np.array([[2, 5, 1, 4], [0, 3, 0, 3], [8, 12, 6, 12], [4, 8, 4, 8]])
    sums = np.zeros((4, 1, 12, 12), np.float32)
    for weight, (top, bottom, left, right) in zip(sums[:, 0], boxes):
        weight[top:bottom, left:right] = 1

    def form(some):
        return np.float32(some.transpose(0, 3, 1, 2)) - saliency.GREY

    own, away = saliency.falls(lambda x: (x * mg.tensor(sums)).sum((1, 2, 3)), images, boxes, form)
    assert own == pytest.approx((200 - saliency.GREY) * np.mean([9, 9, 24, 16])) and away == pytest.approx(0, abs=1e-3)
    maps = saliency.occlusion(lambda x: (x * mg.tensor(sums)).sum((1, 2, 3)), images, form, side=3, stride=1)
    assert maps.shape == (4, 10, 10) and maps[0].argmax() == 2 * 10 + 1 and maps[0, 0, 9] == 0
    assert saliency.in_boxes(sums, boxes) == 1 and saliency.in_boxes(1 - sums, boxes) == 0


@given(st.integers(0, 8), st.integers(0, 8), st.integers(1, 4), st.integers(1, 4), st.integers(0, 99))
def test_a_box_elsewhere_is_as_large_inside_and_apart(top, left, height, width, seed):
    box = np.array([[top, top + height, left, left + width]])
    (t, b, l, r), = saliency.elsewhere(box, 12, seed)  # noqa: E741
    assert (b - t, r - l) == (height, width) and 0 <= t < b <= 12 and 0 <= l < r <= 12
    assert t >= top + height or b <= top or l >= left + width or r <= left


def test_the_filter_that_tells_best_is_found():
    net = nn.Sequential(nn.Conv2d(1, 3, 1, bias=False), nn.LeakyReLU(0.2), nn.Conv2d(3, 2, 1, bias=False),
                        nn.LeakyReLU(0.2)).requires_grad_(False)
    net[0].weight.data.copy_(mg.tensor(np.float32([0.0, 1.0, -1.0]).reshape(3, 1, 1, 1)))
    net[2].weight.data.copy_(mg.tensor(np.zeros((2, 3, 1, 1), np.float32)))
    there = np.arange(40) % 2 == 0
    x = np.float32(RNG.standard_normal((40, 1, 4, 4))) * 0.1 + 3 * there[:, None, None, None]
    layer, channel, told = saliency.best_filter(net, [1, 3], np.float32(x), there)
    assert (layer, channel) == (1, 1) and told == pytest.approx(2, rel=0.05)
