"""What happens between the calls of a captured step: resumes, switches, rates, other plans."""

import copy
import sys
import threading

import numpy as np
import pytest

import minigrad as mg
from minigrad import checkpoint, nn, optim

from .conftest import bits


class Training:
    """A small network and its step, from a seed."""

    def __init__(self, executor=None, seed=1):
        mg.manual_seed(seed)
        self.net = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.LeakyReLU(0.1), nn.Dropout(0.2),
                                 nn.Linear(6, 1))
        self.optimiser, self.average = optim.Adam(self.net.parameters(), 0.01), optim.EMA(self.net, 0.9)
        self.parts = {"net": self.net, "optimiser": self.optimiser, "average": self.average}
        self.run = mg.capture(self.step, executor) if executor else self.step

    def step(self, x):
        loss = (self.net(x) ** 2).mean()
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.average.update()
        return loss

    def steps(self, first, last):
        return [bits(self.run(data(i))) for i in range(first, last)]

    def state(self):
        return bits({name: part.state_dict() for name, part in self.parts.items()})


def data(i):
    return mg.tensor(np.random.default_rng(i).standard_normal((8, 4)).astype("f4"))


def test_a_resume_is_exact_from_captured_to_not_and_back(executor, tmp_path):
    whole = Training()
    losses = whole.steps(0, 30)
    first = Training(executor)
    found = first.steps(0, 10)
    checkpoint.save(tmp_path, {"parts": {n: p.state_dict() for n, p in first.parts.items()}, "rng": mg.get_rng_state()},
                    step=10)
    for kind, (start, end) in ((None, (10, 20)), (executor, (20, 30))):
        saved = checkpoint.load(tmp_path).state
        then = Training(kind, seed=5)
        for name, part in then.parts.items():
            part.load_state_dict(saved["parts"][name])
        mg.set_rng_state(saved["rng"])
        found += then.steps(start, end)
        checkpoint.save(tmp_path, {"parts": {n: p.state_dict() for n, p in then.parts.items()},
                                   "rng": mg.get_rng_state()}, step=end)
    assert found == losses
    assert then.state() == whole.state()


def test_loading_a_state_and_seeding_between_replays(executor):
    found = []
    for kind in (None, executor):
        training = Training(kind)
        losses = training.steps(0, 8)
        saved = copy.deepcopy({n: p.state_dict() for n, p in training.parts.items()})
        losses += training.steps(8, 12)
        for name, part in training.parts.items():
            part.load_state_dict(saved[name])
        mg.manual_seed(9)
        losses += training.steps(12, 16)
        found.append((losses, training.state()))
    assert found[0] == found[1]


def test_the_learning_rate_and_other_options_may_change(executor):
    found = []
    for kind in (None, executor):
        training, losses = Training(kind), []
        group = training.optimiser.param_groups[0]
        for i in range(24):
            group["lr"] = 0.01 / (1 + i)
            group["eps"] = 1e-8 if i < 12 else 1e-6
            group["betas"] = (0.9, 0.999) if i < 16 else (0.5, 0.99)
            group["weight_decay"] = 0.0 if i < 8 else 0.01
            losses += training.steps(i, i + 1)
        found.append((losses, training.state()))
    assert found[0] == found[1]
    assert training.run.replays > 8


def test_eval_mode_frozen_parameters_and_no_grad_have_plans_of_their_own(executor):
    found = []
    for kind in (None, executor):
        training, losses = Training(kind), []
        for i in range(36):
            if i % 12 == 4:
                training.net[3].eval()
            if i % 12 == 8:
                training.net[3].train()
                training.net[0].requires_grad_(i % 24 == 8)
            losses += training.steps(i, i + 1)
        found.append((losses, training.state()))
    assert found[0] == found[1]
    assert 4 <= len(training.run.plans) <= 5  # a layer that was frozen counts its steps apart


def test_options_of_layers_and_variables_of_the_user_are_looked_at(executor):
    scale, table = 2.0, {"shift": 1.0}

    class Settings:
        power = 2

    settings, net = Settings(), nn.LeakyReLU(0.5)

    def step(x):
        return net(x) ** settings.power * scale + table["shift"]

    captured, x = mg.capture(step, executor), mg.tensor([-1.0, 2.0])
    for change in (lambda: None, lambda: setattr(settings, "power", 3), lambda: table.update(shift=5.0),
                   lambda: setattr(net, "negative_slope", 0.25)):
        change()
        for _ in range(5):
            assert captured(x).tolist() == step(x).tolist()
    scale = 4.0
    for _ in range(5):
        assert captured(x).tolist() == step(x).tolist()
    assert len(captured.plans) == 5


def test_a_parameter_with_other_memory_gets_another_plan(executor):
    found = []
    for kind in (None, executor):
        training = Training(kind)
        losses = training.steps(0, 8)
        training.net[0].weight.data = training.net[0].weight.detach() * 2
        losses += training.steps(8, 16)
        found.append((losses, training.state()))
    assert found[0] == found[1]


def test_no_gradient_is_left_and_none_is_read(executor):
    training = Training(executor)
    training.steps(0, 8)
    assert all(p.grad is None for p in training.net.parameters())
    (training.net(data(0)) ** 2).mean().backward()
    assert all(p.grad is not None for p in training.net.parameters())
    losses = training.steps(8, 10)
    other = Training()
    other.steps(0, 8)
    other.net(data(0))
    assert losses == other.steps(8, 10)


def test_a_pending_backward_learns_of_a_replay(executor):
    w = nn.Parameter(mg.ones(2))

    def step(x):
        with mg.no_grad():
            w.add_(x)
        return w.sum()

    captured = mg.capture(step, executor)
    for _ in range(5):
        captured(mg.ones(2))
    pending = (w * w).sum()
    captured(mg.ones(2))
    with pytest.raises(RuntimeError, match="was changed in place"):
        pending.backward()


def test_results_are_the_callers_own(executor):
    captured = mg.capture(lambda x: (x * 2, [x.numel(), None, "text"]), executor)
    results = [captured(mg.full((2,), float(i)))[0] for i in range(8)]
    assert [r.tolist() for r in results] == [[2.0 * i] * 2 for i in range(8)]
    results[7].fill_(0)
    assert captured(mg.ones(2)) [1] == [2, None, "text"]


def test_arrays_keywords_and_containers_as_arguments(executor):
    def step(pair, *, scale, names):
        return pair[0] * names["a"] + pair[1] * scale

    captured = mg.capture(step, executor)
    for i in range(8):
        x, y, a, scale = mg.full((2,), float(i)), mg.ones(2), np.full(2, 3.0, "f4"), mg.tensor(float(i))
        y = captured((x, y), scale=scale, names={"a": a})
        assert y.tolist() == [4.0 * i] * 2
    assert captured.replays == 4


def test_arguments_may_have_any_memory_order(executor):
    captured = mg.capture(lambda x: (x * 2).sum(0), executor)
    base = np.arange(12, dtype="f4").reshape(3, 4)
    for x in [base] * 5 + [np.asfortranarray(base), base[::-1], np.broadcast_to(base[0], (3, 4))]:
        assert captured(mg.from_numpy(x)).tolist() == (x * 2).sum(0).tolist()


def test_memory_that_an_array_shares_with_a_tensor_is_read_at_each_replay(executor):
    array = np.ones(2, "f4")
    captured = mg.capture(lambda x: x + mg.from_numpy(array), executor)
    for i in range(8):
        array[:] = i
        assert captured(mg.zeros(2)).tolist() == [i, i]


def test_a_plan_runs_in_other_threads(executor):
    expected = Training().steps(0, 10)
    training = Training(executor)
    losses = training.steps(0, 6)
    thread = threading.Thread(target=lambda: losses.extend(training.steps(6, 10)))
    thread.start()
    thread.join()
    assert losses == expected


def test_what_other_threads_compute_meanwhile_is_left_alone():
    done, wrong = threading.Event(), []

    def work():
        x = mg.ones(4, 4)
        while not done.is_set():
            y = (x @ x).sum() + mg.ones(2).sum()
            if type(y.array) is not np.ndarray:
                wrong.append(type(y.array))

    thread, interval = threading.Thread(target=work), sys.getswitchinterval()
    thread.start()
    try:
        sys.setswitchinterval(1e-5)
        for seed in range(3):
            Training("numpy", seed).steps(0, 5)
    finally:
        sys.setswitchinterval(interval)
        done.set()
        thread.join()
    assert not wrong


def test_two_captured_steps_share_a_network(executor):
    found = []
    for kind in (None, executor):
        training = Training(kind)
        doubled = lambda x: training.step(x * 2)  # noqa: B023
        second, losses = mg.capture(doubled, kind) if kind else doubled, []
        for i in range(10):
            losses += [bits(training.run(data(i))), bits(second(data(i + 100)))]
        found.append((losses, training.state()))
    assert found[0] == found[1]


def test_a_tensor_that_somebody_kept_stays_as_it_was_when_the_step_replaces_it(executor):
    found = []
    for kind in (None, executor):
        w, mean, history = nn.Parameter(mg.ones(3)), mg.zeros(()), []

        def step(x):
            nonlocal mean
            loss = ((w - x) ** 2).sum()  # noqa: B023
            mean = 0.9 * mean + 0.1 * loss.detach()
            return loss

        run = mg.capture(step, kind) if kind else step
        for i in range(10):
            run(mg.full((3,), float(i)))
            history.append(mean)
        if kind:
            assert run.replays == 6
            mean = mg.ones(())  # and another one is taken in
            run(mg.ones(3))
            assert mean.item() == pytest.approx(0.9)
        found.append([x.item() for x in history])
    assert found[0] == found[1] and len(set(found[0])) == 10


def test_an_argument_that_is_a_tensor_in_some_calls_only(executor):
    def step(x, more, flag=False):
        return x + (0 if more is None else more) * (2 if flag else 1)

    captured, x, more = mg.capture(step, executor), mg.ones(2), mg.full((2,), 5.0)
    for i in range(24):
        given = (x, more if i % 2 else None, i % 3 == 0)
        assert captured(*given).tolist() == step(*given).tolist()
    assert len(captured.plans) == 4 and captured.replays > 4


def test_a_schedule_that_looks_at_every_third_step_needs_two_plans(executor):
    found = []
    for kind in (None, executor):
        training = Training(kind)
        schedule, inner = optim.lr_scheduler.StepLR(training.optimiser, 3, 0.5), training.step

        def step(x):
            loss = inner(x)  # noqa: B023
            schedule.step()  # noqa: B023
            return loss

        run = mg.capture(step, kind) if kind else step
        losses = [bits(run(data(i))) for i in range(40)]
        found.append((losses, training.state(), training.optimiser.param_groups[0]["lr"]))
    assert found[0] == found[1]
    assert len(run.plans) == 2 and run.replays > 20


def test_hooks_registered_and_taken_off_between_calls_change_what_is_replayed(executor):
    found = []
    for kind in (None, executor):
        training, losses = Training(kind), []
        for i in range(32):
            if i == 8:
                module = training.net[0].register_forward_hook(lambda module, inputs, output: output * 2)
            if i == 16:
                leaf = training.net[0].weight.register_hook(lambda g: g * 0.5)
            if i == 24:
                module.remove(), leaf.remove()
            losses += training.steps(i, i + 1)
            mg.nn.Identity().register_forward_hook(print)  # of another module: no plan has to be made anew
        if kind:
            assert training.run.replays == 32 - 4 * 4
        found.append((losses, training.state()))
    assert found[0] == found[1]


def test_names_of_the_user_may_be_those_of_the_plans_text(executor):
    args, run, wrap, np_, result_0, input_0, float_ = {"lambda": 2.0}, 3.0, [1.0], mg.ones(2), mg.ones(2), 4, True
    flags = mg.zeros(2)

    def step(given):
        flags.add_(1)
        return given * args["lambda"] * run * wrap[0] * np_ + result_0 * input_0 + (flags if float_ else 0)

    captured = mg.capture(step, executor)
    assert [captured(mg.ones(2)).tolist() for _ in range(6)] == [[10.0 + i] * 2 for i in range(1, 7)]


def test_draws_from_a_generator_of_ones_own(executor):
    found = []
    for kind in (None, executor):
        own, numpys = mg.Generator().manual_seed(3), np.random.default_rng(5)
        step = lambda x: x + mg.rand(2, generator=own) + mg.randn(2, generator=numpys)  # noqa: B023
        run = mg.capture(step, kind) if kind else step
        found.append([run(mg.zeros(2)).tolist() for _ in range(8)])
    assert found[0] == found[1]
