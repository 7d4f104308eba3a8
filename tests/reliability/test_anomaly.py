"""A NaN planted at a random op of a training run, forward or backward: anomaly mode names the op and the line."""

import sys
import traceback
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad import autograd, nn, optim
from minigrad.graph import Op

PACKAGE = str(Path(mg.__file__).parent)
STEPS = 3


def train():
    """Three steps of a GAN with convolutions, batch norm and a gradient penalty; what is below is "the user's line"."""
    mg.manual_seed(1)
    G = nn.Sequential(nn.Linear(5, 32), nn.ReLU(), nn.Unflatten(1, (2, 4, 4)), nn.ConvTranspose2d(2, 3, 4, 2, 1),
                      nn.BatchNorm2d(3), nn.Tanh())
    D = nn.Sequential(nn.Conv2d(3, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Dropout(0.1), nn.Linear(64, 1))
    optimiser_g, optimiser_d = optim.Adam(G.parameters(), 1e-3), optim.Adam(D.parameters(), 1e-3)
    ones, zeros = mg.ones(4, 1), mg.zeros(4, 1)
    loss = nn.BCEWithLogitsLoss()
    for _ in range(STEPS):
        real = mg.rand(4, 3, 8, 8).requires_grad_()
        fake = G(mg.randn(4, 5))
        answer = D(real)
        slope, = autograd.grad(answer.sum(), real, create_graph=True)
        penalty = (slope.square().sum((1, 2, 3)).sqrt() - 1).square().mean()
        d = loss(answer, ones) + loss(D(fake.detach()), zeros) + 10 * penalty
        optimiser_d.zero_grad()
        d.backward()
        optimiser_d.step()
        g = loss(D(fake), ones) + 0.1 * fake.abs().mean()
        optimiser_g.zero_grad()
        g.backward()
        optimiser_g.step()


class Plant:
    """Counts the ops that the training applies, and makes number `at` give a NaN, forward or backward."""

    def __init__(self, monkeypatch, at=None, backward=False):
        self.count, self.at, self.backward, self.hit, self.rng = 0, at, backward, None, np.random.default_rng(at or 0)
        stack = [Op]
        while stack:
            kind = stack.pop()
            stack += kind.__subclasses__()
            if "forward" in vars(kind) and kind.__module__.startswith("minigrad."):
                monkeypatch.setattr(kind, "forward", self.counted(kind.forward))

    def counted(self, forward):
        def planted(op, *arrays):
            out = forward(op, *arrays)
            caller = sys._getframe(1)
            applied = caller.f_code is Op.__call__.__code__ and caller.f_locals["last"] is not None
            if applied and getattr(out, "dtype", np.dtype("?")).kind == "f" and self.hit is None:
                if self.count == self.at:
                    self.note(op, caller)
                    if self.backward:
                        op.backward = self.spoilt(op.backward)
                    else:
                        out = self.spoil(out)
                self.count += 1
            return out

        return planted

    def note(self, op, frame):
        """The op, and the line that called it, as Python's own traceback would show it."""
        frames = traceback.extract_stack(frame)
        user = [f for f in frames if not f.filename.startswith(PACKAGE)][-1]
        self.hit = type(op).__name__, f"{user.filename}:{user.lineno}: {user.line}"

    def spoil(self, array):
        array = np.array(array)
        array[np.unravel_index(self.rng.integers(array.size), array.shape)] = np.nan
        return array

    def spoilt(self, backward):
        def planted(g, *kept):
            results = list(backward(g, *kept))
            i = self.rng.choice([i for i, result in enumerate(results) if result is not None])
            results[i] = results[i] * float("nan")
            return tuple(results)

        return planted


def plant_and_see(monkeypatch, at, backward):
    """((op, line) of the plant, what anomaly mode said); None was said where the backward of that op never ran."""
    with monkeypatch.context() as patched:
        plant = Plant(patched, at, backward)
        try:
            with autograd.detect_anomaly():
                train()
        except FloatingPointError as error:
            return plant.hit, str(error)
    return plant.hit, None


@pytest.mark.parametrize("tries", [10, pytest.param(120, marks=pytest.mark.slow)])
def test_the_op_and_the_users_line_are_named(monkeypatch, tries, record_property):
    with monkeypatch.context() as patched, autograd.detect_anomaly():
        total = Plant(patched)
        train()
    rng, named, unused, ops = np.random.default_rng(tries), 0, 0, set()
    for number in range(tries):
        backward = bool(number % 2)
        (op, line), said = plant_and_see(monkeypatch, int(rng.integers(total.count)), backward)
        if said is None and backward:
            unused += 1  # under no_grad, or its gradient is not wanted: the planted rule was never run
            continue
        assert said is not None, f"nothing was said of {op} at {line}"
        assert said.startswith(f"{op} made the first NaN ({'backward, gradient of input' if backward else 'forward)'}")
        assert said.endswith(f", called at {line}") and str(Path(__file__)) in line
        named, ops = named + 1, ops | {op}
    record_property("figure", f"row 13: a NaN planted {named} times, each at a random one of {total.count} op "
                    f"applications ({len(ops)} kinds met, forward and backward): op and line named each time "
                    f"({unused} more were planted where no backward runs)")
    assert named >= tries / 2


def test_without_a_plant_anomaly_mode_is_silent():
    with autograd.detect_anomaly():
        train()
