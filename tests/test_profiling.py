"""`minigrad.profile`: what it counts, by a clock of the test's own, and that it leaves nothing behind."""

import threading

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim, profiling
from minigrad.graph import Op


class Clock:
    """Time passes only where a test lets it."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(profiling, "time", clock)
    return clock


def slow(clock, forward, backward, inner=None):
    """An op that takes so many seconds forward and backward, after `inner` was applied to its input."""
    class Slow(Op):
        def forward(self, x):
            if inner is not None:
                inner(mg.from_numpy(x))
            clock.now += forward
            return x * 2

        def backward(self, g):
            clock.now += backward
            return g * 2,

    return Slow()


def test_a_line_has_the_calls_the_time_and_the_memory_of_an_op(clock):
    x = mg.ones(5, 2, dtype=mg.float64, requires_grad=True)
    with mg.profile() as p:
        y = slow(clock, 2.0, 3.0)(slow(clock, 2.0, 3.0)(x))
        y.backward(mg.ones(5, 2, dtype=mg.float64))
    rows = {row.name: row for row in p.rows}
    assert rows == {"Slow.forward": ("Slow.forward", 2, 4.0, 160), "Slow.backward": ("Slow.backward", 2, 6.0, 160)}
    assert [row.name for row in p.rows] == ["Slow.backward", "Slow.forward"] and p.seconds == 10.0
    np.testing.assert_array_equal(x.grad.numpy(), np.full((5, 2), 4.0))


def test_the_time_of_a_line_is_its_own_and_all_lines_and_the_rest_are_the_whole(clock):
    with mg.profile() as p:
        clock.now += 0.5
        slow(clock, 2.0, 0.0, inner=slow(clock, 1.0, 0.0))(mg.ones(1))
    assert [(row.calls, row.seconds) for row in p.rows] == [(2, 3.0)] and p.seconds == 3.5
    lines = [line.split() for line in str(p).splitlines()]
    assert lines[0] == ["calls", "ms", "share", "MiB"] and lines[1][:4] == ["Slow.forward", "2", "3000.000", "85.7%"]
    assert lines[2][2:] == ["500.000", "14.3%"] and lines[3] == ["all", "3500.000"]


def test_long_tables_add_the_others_up(clock):
    with mg.profile() as p:
        x = mg.ones(3)
        x.exp(), x.log(), x.sin(), x.cos()
    lines = p.table(most=1).splitlines()
    assert len(lines) == 3 and lines[2].split()[:3] == ["3", "others", "3"]


def test_by_module_a_line_says_where_the_module_lies():
    net = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.Tanh(), nn.LayerNorm(4)))
    with mg.profile("module") as p:
        net(mg.ones(2, 3)).sum().backward()
        optim.SGD(net.parameters(), 0.1).step()
    calls = {row.name: row.calls for row in p.rows}
    assert calls["Sequential.1.1 (LayerNorm)"] == 2 and calls["Sequential.1.0 (Tanh)"] == 2
    assert "(no module)" in calls and not any("None" in name for name in calls)
    with mg.profile("both") as p:
        net(mg.ones(2, 3)).sum()
    assert {"Sequential.1.1 (LayerNorm): Normalize.forward", "Sum.forward"} <= {row.name for row in p.rows}


def test_results_and_gradients_are_what_they_are_without_it():
    mg.manual_seed(0)
    net, x = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.LeakyReLU(0.2), nn.Linear(4, 1)), mg.randn(8, 3)

    def gradients():
        net.zero_grad()
        net(x).pow(2).mean().backward()
        return [p.grad.numpy().copy() for p in net.parameters()]

    expected = gradients()
    with mg.profile():
        found = gradients()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_after_it_nothing_is_replaced_also_after_an_error():
    before = Op.__call__, nn.Module.__call__, optim.Optimizer.step
    with pytest.raises(ValueError, match="Linear: shapes"), mg.profile():
        nn.Linear(3, 2)(mg.ones(1, 4))
    assert before == (Op.__call__, nn.Module.__call__, optim.Optimizer.step)


def test_two_at_a_time_both_count(clock):
    with mg.profile() as outer:
        slow(clock, 1.0, 0.0)(mg.ones(1))
        with mg.profile() as inner:
            slow(clock, 2.0, 0.0)(mg.ones(1))
    assert outer.rows[0][1:3] == (2, 3.0) and inner.rows[0][1:3] == (1, 2.0)


def test_other_threads_are_not_counted():
    with mg.profile() as p:
        thread = threading.Thread(target=lambda: mg.ones(3).exp())
        thread.start()
        thread.join()
    assert p.rows == []


def test_misuse_is_an_error():
    with pytest.raises(ValueError, match="by is 'line'; use 'op', 'module', 'both'"):
        mg.profile("line")
    with mg.profile() as p:
        pass
    with pytest.raises(RuntimeError, match="entered before"):
        p.__enter__()
