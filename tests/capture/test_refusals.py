"""What cannot be captured is refused, in the first calls, by the line and with the way out; nothing falls back."""

import random
import warnings
from random import uniform

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from minigrad.capture import Refused


def calls(step, *args, times=6, executor="numpy"):
    """Call a captured step some times."""
    captured = mg.capture(step, executor)
    for _ in range(times):
        captured(*args)
    return captured


def test_a_number_taken_out_of_a_tensor():
    def step(x):
        return x * x.sum().item()

    with pytest.raises(Refused, match=r"test_refusals.py:\d+: return x \* x.sum\(\).item\(\).*outside"):
        calls(step, mg.ones(2))


@pytest.mark.parametrize("leave", [float, lambda x: x.numpy(), str, np.asarray, lambda x: x.tolist(),
                                   lambda x: mg.tensor([x])])
def test_other_ways_out(leave):
    with pytest.raises((Refused, TypeError)):
        calls(lambda x: x * bool(leave(x.sum())), mg.ones(2))


def test_a_python_number_that_differs_from_step_to_step():
    count = iter(range(100))

    def step(x):
        return x * next(count)

    with pytest.raises(Refused, match=r"(?s)return x \* next\(count\)\nused 1 when .* and 2 the next time; pass what"):
        calls(step, mg.ones(2))


def test_an_array_that_numpy_makes_anew_in_each_step():
    rng = np.random.default_rng(0)

    def step(x):
        return x + mg.tensor(rng.random(2, np.float32))

    with pytest.raises(Refused, match=r"(?s)return x \+ mg.tensor.*another one each time; pass it as an argument"):
        calls(step, mg.ones(2))


def test_another_tensor_in_each_step():
    several = iter([mg.ones(2) for _ in range(9)])
    keep = list(several)

    def step(x):
        return x + next(turn)

    turn = iter(keep)
    with pytest.raises(Refused, match="the step used the memory of|pass what changes"):
        calls(step, mg.ones(2))


def test_another_shape():
    captured = calls(lambda x: x * 2, mg.ones(4))
    with pytest.raises(Refused, match=r"args\[0\].array is float32\(3,\) and was float32\(4,\) .*drop_last=True"):
        captured(mg.ones(3))
    with pytest.raises(Refused, match="is float64"):
        captured(mg.ones(4).double())
    assert captured(mg.ones(4)).tolist() == [2, 2, 2, 2]


def test_a_gradient_from_before():
    w = nn.Parameter(mg.ones(2))

    def step(x):
        (w * x).sum().backward()
        return w.grad.sum()

    with pytest.raises(Refused, match="the gradient of w from before the step .* zero_grad"):
        calls(step, mg.ones(2))


def test_a_tensor_left_behind_in_a_list():
    history = []

    def step(x):
        history.append(x * 2)
        return x

    with pytest.raises(Refused, match=r"(?s)history.append\(x \* 2\)\nleaves a tensor of shape \(2,\) behind"):
        calls(step, mg.ones(2))


def test_an_argument_that_the_step_writes_into():
    with pytest.raises(Refused, match=r"(?s)x.mul_\(2\).*writes into an argument of the step; clone\(\) it first"):
        calls(lambda x: x.mul_(2), mg.ones(2))


def test_other_memory_for_a_tensor():
    w = nn.Parameter(mg.ones(2))

    def step(x):
        w.data = w.data * x
        return x.sum()

    with pytest.raises(Refused, match=r"gives w other memory .* copy_\(\)"):
        calls(step, mg.ones(2))


def test_a_branch_on_a_value_that_goes_the_other_way(executor):
    def step(x):
        return x * 2 if x.sum() > 0 else x * 3

    captured = calls(step, mg.ones(2), executor=executor)
    with pytest.raises(Refused, match=r"(?s)if x.sum\(\) > 0.*it was True when the step was recorded and is False now"):
        captured(-mg.ones(2))


def test_probabilities_that_are_none(executor):
    w = nn.Parameter(mg.tensor([0.5]))
    optimiser = optim.SGD([w], 0.0)

    def step(x):
        loss = nn.BCELoss()(w * x, mg.ones(1))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss

    captured = calls(step, mg.ones(1), executor=executor)
    with pytest.raises(Refused, match="BCELoss"):
        captured(mg.full((1,), float("nan")))


def test_an_index_out_of_range_is_an_error_of_numpys(executor):
    table = mg.arange(5)
    captured = calls(lambda i: table[i], mg.tensor([1, 2]), executor=executor)
    with pytest.raises(IndexError):
        captured(mg.tensor([7, 2]))
    assert captured(mg.tensor([4, 0])).tolist() == [4, 0]


def test_anomaly_mode():
    with mg.autograd.detect_anomaly(), pytest.raises(Refused, match="detect_anomaly looks at every op"):
        calls(lambda x: x * 2, mg.ones(2))


def test_a_captured_step_within_another():
    inner = mg.capture(lambda x: x * 2, "numpy")
    with pytest.raises(Refused, match="within another"):
        calls(lambda x: inner(x) + 1, mg.ones(2))


def test_a_flag_that_is_another_one_each_time():
    captured = mg.capture(lambda x, k: x * k, "numpy")
    with pytest.raises(Refused, match="changes too often"):
        for k in range(40):
            for _ in range(4):
                captured(mg.ones(2), k)


def test_hooks_that_the_step_itself_leaves_behind():
    net = nn.Linear(2, 2)

    def step(x):
        with net.register_forward_hook(lambda module, inputs, output: output * 2):
            return net(x)

    captured = calls(step, mg.ones(2))  # which takes it off again
    assert captured.replays == 2 and captured(mg.ones(2)).tolist() == step(mg.ones(2)).tolist()
    calls(lambda x: net(x).register_hook(print) and x, mg.ones(2))  # of a tensor of the step: no harm
    with pytest.raises(Refused, match="registers or takes off hooks"):
        calls(lambda x: net.register_forward_hook(print) and x, mg.ones(2))


def test_an_unknown_executor():
    with pytest.raises(ValueError, match="executor is 'jit'; use 'auto', 'machine' or 'numpy'"):
        mg.capture(lambda x: x, "jit")


def test_a_plan_that_is_wrong_is_not_used(monkeypatch):
    from minigrad.capture import replay

    w = nn.Parameter(mg.ones(3))
    optimiser = optim.SGD([w], 0.1)

    def step(x):
        loss = ((w - x) ** 2).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss

    real = replay.alive
    monkeypatch.setattr(replay, "alive", lambda calls, kept: real(calls, kept)[:-1])
    captured = mg.capture(step, "numpy")
    others = []
    with pytest.raises(Refused, match="the plan and the step itself differ in .*w"):
        for i in range(4):
            captured(mg.full((3,), float(i)))
    others.append(w.detach().tolist())
    w.data.fill_(1)
    for i in range(4):
        step(mg.full((3,), float(i)))
    assert w.detach().tolist() == others[0]  # the state is that of the step itself
    assert captured.plan is None


def test_an_error_in_the_step_leaves_everything_as_it_was():
    w, wrong = nn.Parameter(mg.ones(2)), False
    optimiser = optim.Adam([w], 0.1)

    def step(x):
        loss = (w * x).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if wrong:
            raise KeyError("of the user")
        return loss

    captured = mg.capture(step, "numpy")
    captured(mg.ones(2))
    wrong = True
    with pytest.raises(KeyError, match="of the user"):
        captured(mg.ones(2))
    wrong = False
    assert isinstance(w.array, np.ndarray) and isinstance(optimiser.param_groups[0]["lr"], float)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(6):
            captured(mg.ones(2))
    assert captured.replays == 3
    assert type(mg.randn(2).array) is np.ndarray and type(mg.nn.Linear(2, 2)(mg.ones(2)).array) is np.ndarray


def test_an_array_of_a_recording_used_later():
    class Box:
        held = None

    box = Box()

    def step(x):
        y = x * 2
        box.held = y.array
        return y

    captured = mg.capture(step, "numpy")
    captured(mg.ones(2)), captured(mg.ones(2))
    with pytest.raises(Refused, match="outside of that step"):
        box.held + 1


def test_an_argument_with_a_graph():
    w = nn.Parameter(mg.ones(2))
    captured = calls(lambda x: x * w, mg.ones(2))
    for x in (w * 2, mg.ones(2, requires_grad=True)):
        with pytest.raises(Refused, match=r"args\[0\] has a graph .* detach\(\) it"):
            captured(x)
    assert not captured(mg.ones(2)).requires_grad


@pytest.mark.parametrize("draw", [lambda rng: random.random(), lambda rng: np.random.rand(), lambda rng: rng.random(),
                                  lambda rng: uniform(0, 1)], ids=["random", "numpy.random", "Generator", "by name"])
def test_a_coin_that_minigrad_does_not_toss(draw):
    rng = np.random.default_rng(0)
    with pytest.raises(Refused, match="draws from Python's or NumPy's random numbers"):
        calls(lambda x: x * 2 if draw(rng) >= 0 else x, mg.ones(2))


def test_an_argument_in_memory_that_the_step_changes():
    w = mg.zeros(2)

    def step(x):
        w.add_(1)
        return x + 0

    captured = calls(step, mg.zeros(2))
    for x in (w, w[:1].expand(2)):
        with pytest.raises(Refused, match=r"args\[0\](.array)? shares its memory with w, which the step changes"):
            captured(x), captured(x)  # in another layout the first is the step itself


def test_two_arrays_of_the_same_memory():
    memory = bytearray(16)
    a, b = (mg.from_numpy(np.frombuffer(memory, "f4")) for _ in range(2))

    def step(x):
        a.copy_(x)
        return b * 2

    with pytest.raises(Refused, match="a and b lie in the same memory"):
        calls(step, mg.ones(4))


def test_a_flag_that_the_step_itself_changes():
    class Box:
        odd = False

    box = Box()

    def step(x):
        box.odd = not box.odd
        return x * 2

    with pytest.raises(Refused, match="the step changes box.odd, now .*, which a replay would not"):
        calls(step, mg.ones(2))
