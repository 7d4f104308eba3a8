"""The parts of progressive GANs: each against its definition, both derivatives, and what fading must not change."""

import copy

import numpy as np
import pytest

import minigrad as mg
from gans.machinery import growth
from gans.machinery.growing import (
    EQUALISED,
    PLAIN,
    EqualisedConv2d,
    EqualisedLinear,
    GrowingCritic,
    GrowingGenerator,
    Grows,
    MinibatchDeviation,
    PixelNorm,
    at,
    faded,
)
from gans.machinery.samples import described
from minigrad import nn, optim
from minigrad.testing import check_grad


def values(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


# Layers


@pytest.mark.parametrize("gain", [1.0, 2 ** 0.5])
def test_an_equalised_layer_is_pytorchs_with_weights_times_gain_over_the_root_of_the_fan_in(gain):
    torch = pytest.importorskip("torch")
    conv, linear = EqualisedConv2d(5, 7, 3, padding=1, gain=gain), EqualisedLinear(6, 4, gain=gain)
    x, y = (values(2, *shape).astype(np.float32) for shape in ((5, 8, 8), (6,)))
    weights, more = (torch.tensor(layer.weight.detach().numpy().copy()) for layer in (conv, linear))
    expected = torch.nn.functional.conv2d(torch.tensor(x), weights * gain / 45 ** 0.5, padding=1)
    np.testing.assert_allclose(conv(mg.tensor(x)).detach().numpy(), expected.numpy(), rtol=1e-4, atol=1e-5)
    expected = torch.tensor(y) @ (more * gain / 6 ** 0.5).T
    np.testing.assert_allclose(linear(mg.tensor(y)).detach().numpy(), expected.numpy(), rtol=1e-4, atol=1e-5)
    assert not (conv.bias != 0).any() and not (linear.bias != 0).any()


def test_plain_layers_begin_with_outputs_of_the_same_spread():
    x, y = mg.randn(8, 40, 8, 8), mg.randn(300, 200)
    for conv, linear in (EQUALISED, PLAIN):
        assert conv(40, 50, 3)(x).std().item() == pytest.approx(2 ** 0.5, rel=0.05)
        assert linear(200, 300)(y).std().item() == pytest.approx(2 ** 0.5, rel=0.05)


def test_one_step_of_adam_moves_the_outputs_of_every_equalised_layer_by_the_same_share():
    assert growth.unequal(EQUALISED) < 1.2
    assert growth.unequal(PLAIN) > 5
    assert growth.share_moved(EqualisedLinear(50, 30), (50,)) == pytest.approx(1, rel=0.1), "which is Adam's rate"


def test_pixel_norm_divides_by_the_root_mean_square_over_the_channels():
    x = values(2, 5, 3, 4)
    expected = np.empty_like(x)
    for n, h, w in np.ndindex(2, 3, 4):
        expected[n, :, h, w] = x[n, :, h, w] / np.sqrt(np.mean(x[n, :, h, w] ** 2) + 1e-8)
    np.testing.assert_allclose(PixelNorm()(mg.tensor(x)).numpy(), expected, rtol=1e-12)
    assert np.isfinite(PixelNorm()(mg.zeros(1, 3)).numpy()).all()
    check_grad(PixelNorm(), values(2, 3, 2, 2))


def by_hand(x, groups):
    """The definition of the minibatch deviation, a group at a time."""
    told = np.empty((len(x), 1, *x.shape[2:]))
    for group in groups:
        deviations = [np.sqrt(np.mean((x[group][:, c, h, w] - x[group][:, c, h, w].mean()) ** 2) + 1e-8)
                      for c, h, w in np.ndindex(x.shape[1:])]
        told[group] = np.mean(deviations)
    return np.concatenate([x, told], 1)


@pytest.mark.parametrize("n, training, groups", [
    (8, True, [[0, 2, 4, 6], [1, 3, 5, 7]]), (4, True, [[0, 1, 2, 3]]), (6, True, [[0, 1, 2, 3, 4, 5]]),
    (8, False, [[0, 1, 2, 3, 4, 5, 6, 7]]), (1, True, [[0]])])
def test_the_minibatch_deviation_is_its_definition(n, training, groups):
    x = values(n, 3, 2, 4) * np.arange(1, n + 1).reshape(-1, 1, 1, 1)
    layer = MinibatchDeviation().train(training)
    np.testing.assert_allclose(layer(mg.tensor(x)).numpy(), by_hand(x, groups), rtol=1e-12)


def test_the_minibatch_deviation_of_equal_images_is_the_root_of_epsilon_and_its_slope_finite():
    assert growth.deviation_of_equals() == pytest.approx(1e-4)
    check_grad(MinibatchDeviation(), values(4, 2, 2, 2))


# Fading


def test_faded_images_go_from_their_enlarged_halves_to_themselves():
    images = values(2, 3, 8, 8)
    small = images.reshape(2, 3, 4, 2, 4, 2).mean((3, 5))
    large = small.repeat(2, 2).repeat(2, 3)
    for fade in (0.0, 0.25, 1.0):
        np.testing.assert_allclose(faded(mg.tensor(images), fade).numpy(), large + fade * (images - large), atol=1e-12)
    np.testing.assert_allclose(at(0, mg.tensor(images)).numpy(),
                               images.reshape(2, 3, 4, 2, 4, 2).mean((3, 5)), atol=1e-12)


def networks(linear=False):
    """(G, D) of three levels; `linear` D's answers are sums, so that what fading adds is seen as it is."""
    behind = [] if linear else [nn.LeakyReLU(0.2)]
    G = GrowingGenerator(nn.Sequential(EqualisedLinear(5, 48), nn.Unflatten(1, (3, 4, 4)), PixelNorm()),
                         [nn.Sequential(nn.Upsample(scale_factor=2), EqualisedConv2d(3, 3, 3, padding=1), PixelNorm())
                          for _ in range(2)], [EqualisedConv2d(3, 2, 1) for _ in range(3)], 16)
    D = GrowingCritic([nn.Sequential(EqualisedConv2d(2, 3, 1), *behind) for _ in range(3)],
                      [nn.Sequential(EqualisedConv2d(3, 3, 3, padding=1), *behind, nn.AvgPool2d(2)) for _ in range(2)],
                      nn.Sequential(MinibatchDeviation(), EqualisedConv2d(4, 3, 4), nn.Flatten(),
                                    EqualisedLinear(3, 1)))
    return described(G, (5,), image_shape=(16, 16, 2), value_range=(-1.0, 1.0)), D


@mg.no_grad()
def test_at_fade_0_both_networks_are_what_they_were_and_at_1_the_old_layers_have_no_say():
    G, D = networks()
    assert growth.errors_at_zero(G, D) == (0, 0)
    assert (G.level, G.fade) == (0, 1), "the networks themselves stay as they are"
    z, images = mg.randn(4, 5), mg.randn(4, 2, 16, 16)
    for net in (G, D):
        net.grow(2)
    before = G.made(z).numpy(), D(images).numpy()
    for old in (G.to_colour[1].weight, D.from_colour[1][0].weight):
        old.mul_(-3)
    np.testing.assert_array_equal(G.made(z).numpy(), before[0])
    np.testing.assert_array_equal(D(images).numpy(), before[1])
    assert growth.largest_jump(*networks()) < 0.005


def test_half_way_both_are_the_mean_of_the_old_and_the_new():
    G, D = networks(linear=True)
    D.last = nn.Sequential(EqualisedConv2d(3, 1, 4), nn.Flatten())
    z, images = mg.randn(4, 5), mg.randn(4, 2, 8, 8)
    with mg.no_grad():
        for net, see in ((G, lambda: G.made(z)), (D, lambda: D(images))):
            ends = []
            for done in (0, 2, 1):
                net.grow(1, done, 2)
                ends.append(see().numpy())
            np.testing.assert_allclose(ends[2], (ends[0] + ends[1]) / 2, rtol=1e-4, atol=1e-5)


@mg.no_grad()
def test_g_enlarges_its_images_to_the_full_size_and_d_halves_them_to_its_own():
    G, D = networks()
    images = mg.randn(4, 2, 16, 16)
    for level in range(3):
        for net in (G, D):
            net.grow(level)
        side = 4 << level
        z = mg.randn(3, 5)
        assert G(z).shape == (3, 2, 16, 16) and G.made(z).shape == (3, 2, side, side)
        np.testing.assert_array_equal(at(level, G(z)).numpy().round(5), G.made(z).numpy().round(5))
        np.testing.assert_array_equal(D(images).numpy(), D(at(level, images)).numpy())


def test_how_far_a_network_has_grown_is_in_its_state_and_no_average_blurs_it():
    G, D = networks()
    average = optim.EMA(G, 0.9)
    for done in (1, 2, 3):
        G.grow(1, done, 7)
        average.update()
    other, _ = networks()
    other.load_state_dict(average.model.state_dict())
    assert (other.level, other.fade) == (1, 3 / 7) and other.state_dict()["grown"].tolist() == [1, 3, 7]
    assert (copy.deepcopy(other).fade, other.to("cpu").fade) == (3 / 7, 3 / 7)
    assert Grows().fade == 1
