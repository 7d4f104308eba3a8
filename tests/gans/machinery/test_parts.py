"""What networks share: minibatch discrimination against its definition, noise, a net that stands still in part."""

import numpy as np
import pytest

import minigrad as mg
from gans.machinery.parts import MinibatchDiscrimination, Noise, frozen
from minigrad import autograd, nn


def layer(inputs=5, kernels=3, size=2, seed=0):
    mg.manual_seed(seed)
    return MinibatchDiscrimination(inputs, kernels, size).double()


def batch(n, inputs=5, seed=0):
    return np.random.default_rng(seed).standard_normal((n, inputs))


def by_hand(x, views, kernels, size):
    """The definition, a sum at a time."""
    found = np.zeros((len(x), kernels))
    for i in range(len(x)):
        for j in range(len(x)):
            for k in range(kernels):
                columns = views[:, k * size:(k + 1) * size]
                if i != j:
                    found[i, k] += np.exp(-np.abs(x[i] @ columns - x[j] @ columns).sum())
    return np.concatenate([x, found], 1)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_minibatch_discrimination_is_its_definition(n):
    alike, x = layer(), batch(n)
    expected = by_hand(x, alike.views.detach().numpy(), 3, 2)
    assert alike(mg.tensor(x)).shape == (n, 8)
    np.testing.assert_allclose(alike(mg.tensor(x)).detach().numpy(), expected, rtol=1e-12)


def test_permuting_a_batch_permutes_what_minibatch_discrimination_says_of_it():
    alike, x = layer(), batch(9)
    order = np.random.default_rng(1).permutation(9)
    whole, permuted = (alike(mg.tensor(values)).detach().numpy() for values in (x, x[order]))
    np.testing.assert_allclose(permuted, whole[order], rtol=1e-12)


def test_a_sample_is_not_like_itself_but_like_its_twin():
    """One alone counts nobody, two far ones nobody, two equal ones each other, and n equal ones n - 1."""
    alike, far = layer(), 1000 * batch(4)
    assert (alike(mg.tensor(far[:1])).detach().numpy()[:, 5:] == 0).all()
    assert (alike(mg.tensor(far)).detach().numpy()[:, 5:] < 1e-6).all()
    twins = np.concatenate([far, far[:1]])
    found = alike(mg.tensor(twins)).detach().numpy()[:, 5:]
    np.testing.assert_allclose(found[[0, 4]], 1, atol=1e-6)
    assert (found[1:4] < 1e-6).all()
    np.testing.assert_allclose(alike(mg.ones(6, 5, dtype=mg.float64)).detach().numpy()[:, 5:], 5)


def test_minibatch_discrimination_moves_as_differences_say():
    alike, x = layer(), mg.tensor(batch(4), requires_grad=True)
    weights = mg.tensor(batch(4, 8, seed=3))
    slopes = autograd.grad((alike(x) * weights).sum(), [x, alike.views])
    for values, slope in zip((x, alike.views), slopes):
        way = np.random.default_rng(4).standard_normal(values.shape)
        ends = []
        for nudge in (1e-6, -1e-6):
            with mg.no_grad():
                values += nudge * mg.tensor(way)
                ends.append((alike(x) * weights).sum().item())
                values -= nudge * mg.tensor(way)
        assert (slope.numpy() * way).sum() == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-6)


def test_noise_is_there_while_training_only_and_as_large_as_said():
    noise, x = Noise(0.3), mg.zeros(200, 100)
    mg.manual_seed(0)
    found = noise(x).numpy()
    assert abs(found.std() - 0.3) < 0.01 and abs(found.mean()) < 0.01
    np.testing.assert_array_equal(noise.eval()(x).numpy(), 0)


def test_a_part_that_stood_still_before_still_does_afterwards():
    net = nn.Linear(2, 1)
    net.bias.requires_grad_(False)
    with frozen(net):
        assert not net.weight.requires_grad
    assert net.weight.requires_grad and not net.bias.requires_grad
