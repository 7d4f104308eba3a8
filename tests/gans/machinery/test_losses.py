"""The losses of GANs against PyTorch and closed forms; the penalties of a D whose slope is known."""

import numpy as np
import pytest

import minigrad as mg
from gans.machinery import losses
from gans.machinery.parts import critic_steps, frozen, update
from minigrad import autograd, nn, optim

REAL, FAKE = np.float32([[3.0], [-1.0], [0.2], [40.0]]), np.float32([[-2.0], [0.5], [1.0], [-30.0]])


def of_torch(name, torch, real, fake):
    """(D's loss on real, D's on generated, G's) as one would write them in PyTorch."""
    F = torch.nn.functional
    bce, one, zero = F.binary_cross_entropy_with_logits, torch.ones_like(real), torch.zeros_like(real)
    return {
        "ns": lambda: (bce(real, one), bce(fake, zero), bce(fake, one)),
        "minimax": lambda: (bce(real, one), bce(fake, zero), -bce(fake, zero)),
        "lsgan": lambda: (F.mse_loss(real, one), F.mse_loss(fake, zero), F.mse_loss(fake, one)),
        "wgan": lambda: (-real.mean(), fake.mean(), -fake.mean()),
        "hinge": lambda: (F.relu(1 - real).mean(), F.relu(1 + fake).mean(), -fake.mean()),
        "relativistic": lambda: (bce(real - fake.mean(), one), bce(fake - real.mean(), zero),
                                 (bce(fake - real.mean(), one) + bce(real - fake.mean(), zero)) / 2)}[name]()


@pytest.mark.parametrize("name", losses.LOSSES)
def test_each_loss_and_its_slopes_are_those_of_pytorch(name):
    torch = pytest.importorskip("torch", reason="needs PyTorch (pip install minigrad[peers])")
    ours = [mg.tensor(x, requires_grad=True) for x in (REAL, FAKE)]
    theirs = [torch.tensor(x, requires_grad=True) for x in (REAL, FAKE)]
    loss = losses.LOSSES[name]
    found = (*loss.d(*ours), loss.g(ours[1], ours[0]))
    expected = of_torch(name, torch, *theirs)
    for x, y in zip(found, expected):
        assert x.shape == () and x.item() == pytest.approx(y.item(), rel=1e-5, abs=1e-6)
        slopes = autograd.grad(x, ours, retain_graph=True, allow_unused=True)
        for slope, other in zip(slopes, torch.autograd.grad(y, theirs, retain_graph=True, allow_unused=True)):
            assert (slope is None) == (other is None)
            if slope is not None:
                np.testing.assert_allclose(slope.numpy(), other.numpy(), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", losses.LOSSES)
def test_the_ideal_losses_are_those_of_a_d_that_cannot_tell(name):
    """A D that answers the same to all: 0, or, where the targets are 1 and 0, their middle."""
    loss, answer = losses.LOSSES[name], mg.full((5, 1), 0.5 if name == "lsgan" else 0.0)
    d_real, d_fake = (x.item() for x in loss.d(answer, answer))
    ideals = [*loss.ideals.values()]
    assert d_real == pytest.approx(ideals[0], abs=1e-6) and d_fake == pytest.approx(ideals[0], abs=1e-6)
    assert loss.g(answer, answer).item() == pytest.approx(0 if name == "hinge" else ideals[-1], abs=1e-6)


def test_the_saturating_loss_has_no_slope_where_d_is_sure_and_the_other_has():
    sure = mg.tensor([[-20.0]], requires_grad=True)
    slopes = {name: abs(autograd.grad(losses.LOSSES[name].g(sure), sure)[0].item()) for name in ("ns", "minimax")}
    assert slopes["minimax"] < 1e-8 and slopes["ns"] > 0.99


# Penalties


SHAPE = (6, 2, 3, 4)


def linear_d(seed=0):
    """(D, w) of D(x) = w x + 1 for images."""
    w = np.random.default_rng(seed).standard_normal(SHAPE[1:]).astype(np.float32)
    return lambda x: (x * mg.tensor(w)).sum((1, 2, 3)).reshape(-1, 1) + 1, w


def images(seed):
    return mg.tensor(np.random.default_rng(seed).standard_normal(SHAPE), dtype="float32")


def test_the_penalties_of_a_linear_d_are_exact():
    """|dD/dx| is |w| everywhere: r1 is |w|**2, the gradient penalty (|w| - 1)**2, over all of C, H, W."""
    D, w = linear_d()
    size = np.sqrt((w.astype(float) ** 2).sum())
    mix = mg.rand(len(images(1)), 1, 1, 1)
    assert losses.r1(D, images(1)).item() == pytest.approx(size ** 2, rel=1e-5)
    assert losses.gradient_penalty(D, images(1), images(2), mix).item() == pytest.approx((size - 1) ** 2, rel=1e-5)
    assert losses.gradient_penalty(D, images(1), images(2), mix, 0.0).item() == pytest.approx(size ** 2, rel=1e-5)


def test_a_penalty_moves_d_as_a_difference_of_its_values_says():
    """The slope of the penalty in D's weights, a second derivative, against central differences in float64."""
    mg.manual_seed(0)
    D = nn.Sequential(nn.Flatten(), nn.Linear(24, 5), nn.Tanh(), nn.Linear(5, 1)).double()
    real, fake = images(1).double(), images(2).double()
    mix = mg.rand(len(real), 1, 1, 1).double()
    for penalty in (lambda: losses.r1(D, real), lambda: losses.gradient_penalty(D, real, fake, mix)):
        slope, = autograd.grad(penalty(), D[1].weight)
        for i, j in ((0, 0), (2, 7), (4, 23)):
            values = []
            for nudge in (1e-5, -2e-5):
                D[1].weight.data[i, j] = D[1].weight.data[i, j] + nudge
                values.append(penalty().item())
            D[1].weight.data[i, j] = D[1].weight.data[i, j] + 1e-5
            assert slope[i, j].item() == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-5, abs=1e-8)


def test_a_d_without_any_slope_has_a_penalty_with_a_finite_one():
    D = nn.Sequential(nn.Flatten(), nn.Linear(24, 1))
    D[1].weight.data.zero_()
    losses.gradient_penalty(D, images(1), images(2), mg.rand(6, 1, 1, 1)).backward()
    assert np.isfinite(D[1].weight.grad.numpy()).all()


def test_the_images_between_are_on_a_line_each_on_its_own():
    seen = []

    def D(x):
        seen.append(x.detach().numpy())
        return (x ** 2).sum((1, 2, 3))

    mix = np.linspace(0, 1, 6, dtype=np.float32).reshape(6, 1, 1, 1)
    losses.gradient_penalty(D, images(1), images(2), mg.tensor(mix))
    np.testing.assert_allclose(seen[0], mix * images(1).numpy() + (1 - mix) * images(2).numpy(), rtol=1e-5, atol=1e-6)


def test_steepness_is_the_squared_gradient_of_a_linear_d():
    """For any reach, as a line is as steep nearby; and half of it where D is steep around half of the images only."""
    rng = np.random.default_rng(0)
    w = rng.standard_normal(6, np.float32)
    D = lambda x: (x.reshape(len(x), 6) * mg.tensor(w)).sum(1, keepdim=True) + 3
    n = 20_000
    real, directions = (mg.tensor(rng.standard_normal((n, 1, 2, 3), np.float32)) for _ in range(2))
    for reach in (0.01, 0.3, 2.0):
        found = losses.steepness(D, real, D(real), directions, reach).item()
        assert found == pytest.approx((w**2).sum(), rel=0.05)  # the mean of n squares: 5 sigma are 5 (2 / n)**0.5
    half = lambda x: D(x) * mg.tensor((np.arange(n) % 2).astype(np.float32)[:, None])
    assert losses.steepness(half, real, half(real), directions).item() == pytest.approx((w**2).sum() / 2, rel=0.06)
    assert losses.steepness(lambda x: x.sum() * 0, real, 0.0, directions).item() == 0


def test_steepness_gives_the_labels_to_d_as_well():
    real = images(1)
    D = lambda x, label: (x * label).sum((1, 2, 3)).reshape(-1, 1)
    label = mg.full((6, 1, 1, 1), 3.0)
    found = losses.steepness(D, real, D(real, label), images(2), 0.5, label).item()
    assert found == pytest.approx(9 * (images(2).numpy().sum((1, 2, 3)) ** 2).mean(), rel=1e-4)


# Parts


def test_an_update_is_the_three_calls_and_a_frozen_net_wants_no_gradient():
    net, other = nn.Linear(3, 1), nn.Linear(3, 1)
    other.load_state_dict(net.state_dict())
    x = mg.ones(2, 3)
    for model in (net, other):
        optimiser = optim.SGD(model.parameters(), 0.1)
        model(x).sum().backward()  # an old gradient, to be forgotten
        loss = (model(x) ** 2).mean()
        if model is net:
            update(optimiser, loss)
        else:
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    np.testing.assert_array_equal(net.weight.detach().numpy(), other.weight.detach().numpy())
    with pytest.raises(ZeroDivisionError), frozen(net):
        assert not any(p.requires_grad for p in net.parameters())
        raise ZeroDivisionError
    assert all(p.requires_grad for p in net.parameters())


def test_no_two_critic_steps_have_the_same_number():
    assert [k for step in range(1, 4) for k in critic_steps(step, 5)] == list(range(1, 16))
