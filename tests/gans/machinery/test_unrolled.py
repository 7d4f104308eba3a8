"""What G sees of D's next steps: by plain steps, and by differences."""

import numpy as np
import pytest

import minigrad as mg
from gans.machinery.losses import LOSSES
from gans.machinery.parts import MinibatchDiscrimination
from gans.machinery.unrolled import in_place_of, unrolled
from minigrad import autograd, nn


def nets(seed=0):
    mg.manual_seed(seed)
    D = nn.Sequential(nn.Linear(2, 7), nn.LeakyReLU(0.2), MinibatchDiscrimination(7, 2, 2), nn.Linear(9, 1)).double()
    G = nn.Linear(3, 2).double()
    rng = np.random.default_rng(seed)
    return G, D, mg.tensor(rng.standard_normal((8, 2))), mg.tensor(rng.standard_normal((8, 3)))


@pytest.mark.parametrize("name", ["ns", "lsgan", "wgan"])
def test_no_steps_ahead_are_gs_own_loss_and_three_are_three_plain_steps_of_d(name):
    G, D, real, z = nets()
    loss, before = LOSSES[name], [p.detach().numpy().copy() for p in D.parameters()]
    assert unrolled(D, loss, real, G(z), 0, 0.3).item() == loss.g(D(G(z))).item()
    found = unrolled(D, loss, real, G(z), 3, 0.3).item()
    for p, was in zip(D.parameters(), before):
        np.testing.assert_array_equal(p.detach().numpy(), was, "D keeps its weights")
    for _ in range(3):
        slopes = autograd.grad(sum(loss.d(D(real), D(G(z)))), list(D.parameters()))
        with mg.no_grad():
            for p, slope in zip(D.parameters(), slopes):
                p.sub_(0.3 * slope)
    assert found == pytest.approx(loss.g(D(G(z))).item(), rel=1e-12)


def test_the_slope_goes_back_through_ds_steps():
    """G's gradient against differences of the loss, which move D's steps as well; without those it is another."""
    G, D, real, z = nets(1)
    ahead = lambda: unrolled(D, LOSSES["ns"], real, G(z), 3, 0.5)
    slope, = autograd.grad(ahead(), G.weight)
    for i, j in ((0, 0), (1, 2)):
        values = []
        for nudge in (1e-5, -2e-5):
            G.weight.data[i, j] = G.weight.data[i, j] + nudge
            values.append(ahead().item())
        G.weight.data[i, j] = G.weight.data[i, j] + 1e-5
        assert slope[i, j].item() == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-5, abs=1e-9)
    plain, = autograd.grad(LOSSES["ns"].g(D(G(z))), G.weight)
    assert abs(plain - slope).max().item() > 1e-3


def test_other_weights_are_gone_when_something_fails():
    _, D, real, _ = nets()
    own = dict(D.named_parameters())
    with pytest.raises(ZeroDivisionError), in_place_of(D, {name: p * 0 for name, p in own.items()}):
        assert not D(real).abs().any()
        raise ZeroDivisionError
    assert all(p is own[name] for name, p in D.named_parameters())
