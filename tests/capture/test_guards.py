"""What a step depends on beside its arguments' values is looked at before each replay: another one, another plan."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.nn import functional as F


def data(i):
    return mg.tensor(np.random.default_rng(i).standard_normal((4, 3)).astype("f4"))


class Net(nn.Module):
    """A layer and what the user may put in other places."""

    def __init__(self):
        super().__init__()
        self.layer, self.activation, self.factor, self.shape = nn.Linear(3, 3), F.relu, 2, (4, 3)

    def forward(self, x):
        return self.activation(self.layer(x)).reshape(self.shape) * self.factor


CHANGES = {
    "a layer": lambda net, rest: setattr(net, "layer", nn.Linear(3, 3)),
    "a layer in a container": lambda net, rest: rest["tail"].__setitem__(0, nn.Tanh()),
    "a parameter": lambda net, rest: setattr(net.layer, "weight", nn.Parameter(mg.ones(3, 3))),
    "an activation": lambda net, rest: setattr(net, "activation", mg.tanh),
    "a forward": lambda net, rest: setattr(net, "forward", lambda x: net.layer(x)),
    "a number": lambda net, rest: setattr(net, "factor", 3),
    "a shape": lambda net, rest: setattr(net, "shape", (2, 6)),
    "a function in a dict": lambda net, rest: rest.update(loss=F.l1_loss),
    "a number in a list": lambda net, rest: rest["weights"].__setitem__(0, 0.5),
    "the length of a list": lambda net, rest: rest["weights"].append(1.0),
    "an array in a dict": lambda net, rest: rest.update(scale=np.full((), 3, "f4")),
    "the optimiser": lambda net, rest: rest.update(optimiser=optim.Adam(net.parameters(), 0.1)),
    "the default dtype": lambda net, rest: mg.set_default_dtype(mg.float64)}


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_the_step_reaches_may_be_replaced_between_calls(change):
    found = []
    for capture in (False, True):
        mg.manual_seed(0)
        net = Net()
        rest = {"tail": nn.Sequential(nn.Sigmoid()), "loss": F.mse_loss, "weights": [1.0, 2.0],
                "optimiser": optim.SGD(net.parameters(), 0.1), "scale": np.full((), 2, "f4")}

        def step(x):
            loss = rest["loss"](rest["tail"](net(x)).reshape(4, 3), x) * rest["weights"][0] * len(rest["weights"])  # noqa: B023
            loss = loss * mg.tensor(rest["scale"]) + mg.zeros(1).sum()  # noqa: B023
            net.zero_grad()  # noqa: B023
            loss.backward()
            rest["optimiser"].step()  # noqa: B023
            return loss

        called, losses = mg.capture(step, "numpy") if capture else step, []
        try:
            for i in range(12):
                if i == 6:
                    CHANGES[change](net, rest)
                losses.append(called(data(i)).detach())
        finally:
            mg.set_default_dtype(mg.float32)
        found.append([(x.dtype, x.numpy().tobytes()) for x in losses])
    assert found[0] == found[1]
    assert len(called.plans) == 2 and called.replays == 2 + 2


def test_arguments_of_another_layout_have_a_plan_of_their_own(executor):
    step = lambda x: (x.sum(), x.exp().sum(0), x @ x.T)
    captured, rng = mg.capture(step, executor), np.random.default_rng(0)
    layouts = (lambda x: x, lambda x: np.asfortranarray(x), lambda x: np.repeat(x, 2, 1)[:, ::2], lambda x: x[::-1])
    for layout in layouts * 2:
        for _ in range(5):
            x = mg.from_numpy(layout(rng.standard_normal((50, 70)).astype("f4")))
            assert [y.numpy().tobytes() for y in captured(x)] == [y.numpy().tobytes() for y in step(x)]
    assert len(captured.plans) == len(layouts)


def test_schedules_that_others_let_go_on_are_no_condition():
    w = nn.Parameter(mg.ones(2))
    optimiser = optim.SGD([w], 0.1)
    those = {"optimiser": optimiser, "schedule": optim.lr_scheduler.ExponentialLR(optimiser, 0.9)}

    def step(x):
        loss = ((w - x) ** 2).sum()
        those["optimiser"].zero_grad()
        loss.backward()
        those["optimiser"].step()
        return loss

    captured = mg.capture(step, "numpy")
    for _ in range(12):
        captured(mg.zeros(2))
        those["schedule"].step()
    assert captured.replays == 12 - 4


def test_a_tensor_that_the_step_reaches_and_does_not_use_may_be_another_each_time():
    net = nn.Sequential(nn.utils.spectral_norm(nn.Linear(3, 3)), nn.Tanh())
    average, optimiser = optim.EMA(net, 0.9), optim.SGD(net.parameters(), 0.1)

    def step(x):
        loss = net(x).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        average.update()
        return loss

    captured = mg.capture(step, "numpy")
    for i in range(12):
        captured(data(i))
        average.model(data(i))  # which puts a new weight in its layer
    assert captured.replays == 12 - 4


def stopped():
    raise KeyboardInterrupt


def test_an_interrupt_within_a_replay_and_a_mode_that_comes_later():
    found = []
    for interrupted in (False, True):
        mg.manual_seed(0)
        net = Net()
        optimiser = optim.Adam(net.parameters(), 0.1)

        def step(x):
            loss = net(x).square().mean()  # noqa: B023
            optimiser.zero_grad()  # noqa: B023
            loss.backward()
            optimiser.step()  # noqa: B023
            return loss

        captured = mg.capture(step, "numpy")
        losses = [captured(data(i)).item() for i in range(6)]
        if interrupted:
            names, before = captured.plan.replay.__globals__, captured.plan.run
            names["run"] = stopped
            with pytest.raises(KeyboardInterrupt):
                captured(data(6))
            names["run"] = before
            with mg.autograd.detect_anomaly(), pytest.raises(RuntimeError, match="detect_anomaly looks at every op"):
                captured(data(6))
        found.append(losses + [captured(data(i)).item() for i in range(6, 9)])
        assert captured.replays == 2 + 3
    assert found[0] == found[1]
