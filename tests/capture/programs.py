"""Random training steps: networks, optimisers, ways of training and what changes between calls, each from a number."""

import copy

import numpy as np

import minigrad as mg
from minigrad import autograd, nn, optim
from minigrad.nn import functional as F
from minigrad.optim import lr_scheduler

CALLS = 24
CHANGES = ["rate", "mode", "freeze", "values", "option", "scale", "load", "failure", "loss", "layer", "layout"]

ACTIVATIONS = [nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.SiLU, nn.Softplus, nn.ELU, lambda: nn.LeakyReLU(0.1),
               lambda: nn.LeakyReLU(0.0), lambda: nn.Dropout(0.3), nn.Identity]
OPTIMISERS = [
    lambda ps, lr: optim.SGD(ps, lr), lambda ps, lr: optim.SGD(ps, lr, momentum=0.9, dampening=0.2),
    lambda ps, lr: optim.SGD(ps, lr, momentum=0.8, nesterov=True, weight_decay=1e-2),
    lambda ps, lr: optim.Adam(ps, lr), lambda ps, lr: optim.Adam(ps, lr, betas=(0.0, 0.9)),
    lambda ps, lr: optim.Adam(ps, lr, weight_decay=1e-2, amsgrad=True), lambda ps, lr: optim.AdamW(ps, lr),
    lambda ps, lr: optim.RMSprop(ps, lr, centered=True, momentum=0.3), lambda ps, lr: optim.RMSprop(ps, lr),
    lambda ps, lr: optim.Adagrad(ps, lr), lambda ps, lr: optim.Adadelta(ps), lambda ps, lr: optim.Adamax(ps, lr),
    lambda ps, lr: optim.RAdam(ps, lr),
    lambda ps, lr: optim.Adam([{"params": [p], "lr": lr * (i + 1)} for i, p in enumerate(ps)], lr)]
SCHEDULES = [lambda o: lr_scheduler.StepLR(o, 3, 0.5), lambda o: lr_scheduler.ExponentialLR(o, 0.9),
             lambda o: lr_scheduler.LambdaLR(o, lambda n: 1 / (1 + n)),
             lambda o: lr_scheduler.CosineAnnealingLR(o, 10)]
LOSSES = [F.mse_loss, F.l1_loss, F.binary_cross_entropy_with_logits, F.smooth_l1_loss,
          lambda y, t: F.binary_cross_entropy(y.sigmoid(), t), lambda y, t: F.cross_entropy(y, t.argmax(1)),
          lambda y, t: ((y - t).abs() + 0.1).log().mean()]


class Program:
    """The training step of a number: `step(x, t)` on the arguments `data(i)`; `between(i)` goes before call i."""

    def __init__(self, number):
        self.rng, self.number = np.random.default_rng([7, number]), number
        mg.manual_seed(number)
        self.dtype = self.pick(["f4", "f4", "f4", "f8"])
        self.rows, self.width = self.pick([1, 2, 5, 32]), self.pick([2, 3, 7, 40])
        self.net, self.shape = self.pick([self.dense, self.dense, self.convolutional])()
        if self.dtype == "f8":
            self.net.double()
        self.optimiser = self.pick(OPTIMISERS)([*self.net.parameters()], self.pick([1e-3, 0.02]))
        self.average = optim.EMA(self.net, self.pick([0.2, 0.9])) if self.chance(0.3) else None
        self.schedule = self.pick(SCHEDULES)(self.optimiser) if self.chance(0.4) else None
        self.inside = self.chance(0.5)  # whether the schedule goes on within the step
        self.loss, self.noise, self.clip = self.pick(LOSSES), self.chance(0.3), self.pick([None, "norm", "weights"])
        self.penalty, self.twice, self.forget = self.chance(0.3), self.chance(0.3), self.chance(0.5)
        self.scale, self.retain, self.fails, self.saved = self.pick([1.0, 0.5]), self.chance(0.2), False, None
        self.changes = {int(i): self.pick(CHANGES) for i in self.rng.integers(6, CALLS, 2)} if self.chance(0.6) else {}
        self.mean = mg.zeros(())

    def pick(self, those):
        return those[self.rng.integers(len(those))]

    def chance(self, probability):
        return self.rng.random() < probability

    def dense(self):
        """Fully connected layers."""
        layers, width, inputs = [], self.width, self.width
        for _ in range(self.rng.integers(0, 4)):
            wider = self.pick([3, 8, 33, 130])
            layer = nn.Linear(width, wider, bias=self.chance(0.7))
            layers += [nn.utils.spectral_norm(layer) if self.chance(0.15) else layer]
            if self.chance(0.4):
                layers.append(nn.BatchNorm1d(wider) if self.rows > 1 and self.chance(0.5) else nn.LayerNorm(wider))
            layers.append(self.pick(ACTIVATIONS)())
            width = wider
        return nn.Sequential(*layers, nn.Linear(width, self.width)), (self.rows, inputs)

    def convolutional(self):
        """Convolutions there and back."""
        c, wide = self.pick([1, 3]), self.pick([4, 8, 32])
        down = [nn.Conv2d(c, wide, 4, 2, 1), self.pick(ACTIVATIONS)()]
        if self.chance(0.5):
            down += [nn.BatchNorm2d(wide), nn.LeakyReLU(0.2)]
        if self.chance(0.5):
            down += [nn.Conv2d(wide, wide, 3, 1, 1, groups=self.pick([1, 2])), self.pick(ACTIVATIONS)()]
        if self.chance(0.3):
            down += [nn.ConvTranspose2d(wide, wide, 4, 2, 1), self.pick([nn.MaxPool2d, nn.AvgPool2d])(2)]
        return nn.Sequential(*down, nn.Flatten(), nn.Linear(wide * 16, self.width)), (self.rows, c, 8, 8)

    def data(self, i):
        """The arguments of call i."""
        rng = np.random.default_rng([9, self.number, i])
        x = rng.standard_normal(self.shape).astype(self.dtype)
        if any(self.changes.get(k) == "layout" for k in range(i + 1)):
            x = np.asfortranarray(x)
        return (mg.from_numpy(x),
                mg.tensor(rng.random((self.rows, self.width)).astype(self.dtype)))

    def step(self, x, t):
        """A training step."""
        if self.noise:
            x = x + 0.1 * mg.randn_like(x)
        y = self.net(x)
        loss = self.loss(y, t) * self.scale
        if self.twice:
            loss = loss + 0.1 * self.loss(self.net(x.flip(0).detach()), t)
        if self.penalty:
            there = x.detach().requires_grad_()
            slope, = autograd.grad(self.net(there).sum(), there, create_graph=True)
            loss = loss + 0.1 * (slope.flatten(1).norm(dim=1) - 1).square().mean()
        self.optimiser.zero_grad()
        if self.retain:
            loss.backward(retain_graph=True)
            (0.1 * y).square().mean().backward()
        else:
            loss.backward()
        if self.fails:
            raise KeyError("of the user")
        if self.clip == "norm":
            nn.utils.clip_grad_norm_(self.net.parameters(), 0.5)
        self.optimiser.step()
        if self.clip == "weights":
            with mg.no_grad():
                for p in self.net.parameters():
                    p.clamp_(-0.6, 0.6)
        if self.average:
            self.average.update()
        if self.schedule and self.inside:
            self.schedule.step()
        if self.forget:
            self.optimiser.zero_grad()
        self.mean = 0.9 * self.mean + 0.1 * loss.detach().float()
        return loss, y, self.mean

    def between(self, i):
        """What somebody does before call i."""
        if self.schedule and not self.inside and i:
            self.schedule.step()
        change, layer = self.changes.get(i), self.net[0]
        change = None if change == "freeze" and len(self.net) == 1 else change  # nothing would be left to learn
        if change == "rate":
            self.optimiser.param_groups[0]["lr"] *= 0.3
        elif change == "mode":
            self.net.train(not self.net.training)
        elif change == "freeze":
            layer.requires_grad_(not next(layer.parameters()).requires_grad)
        elif change == "values":
            with mg.no_grad():
                for p in self.net.parameters():
                    p.mul_(0.9)
        elif change == "option":
            self.optimiser.param_groups[0]["weight_decay"] = 0.03
        elif change == "scale":
            self.scale = 0.25
        elif change == "loss":
            self.loss = F.l1_loss
        elif change == "layer" and len(self.net) > 1:
            places = [k for k, part in enumerate(self.net) if isinstance(part, tuple(ACTIVATIONS[:7]))]
            if places:
                self.net[places[0]] = nn.Softsign()
        elif change == "load":
            self.net.load_state_dict(self.saved[0])
            self.optimiser.load_state_dict(self.saved[1])
        elif change == "failure":
            self.fails = True
            self.optimiser.zero_grad()
        if i == 5:
            self.saved = copy.deepcopy((self.net.state_dict(), self.optimiser.state_dict()))

    def run(self, executor):
        """All calls: their results, and the state afterwards, as bytes. Captured unless `executor` is None."""
        step, found = mg.capture(self.step, executor) if executor else self.step, []
        for i in range(CALLS):
            self.between(i)
            try:
                found.append([x.detach().numpy().tobytes() for x in step(*self.data(i))])
            except KeyError:
                self.fails = False
        parts = [self.net, self.optimiser, *([self.average] if self.average else [])]
        return found, [_bytes(part.state_dict()) for part in parts], mg.rand(2).tolist(), getattr(step, "replays", None)


def _bytes(state):
    if isinstance(state, dict):
        return {key: _bytes(value) for key, value in state.items()}
    return state.numpy().tobytes() if isinstance(state, mg.Tensor) else state


def difference(number, executors=("numpy", "machine")):
    """What differs for a number, in words, or None; and how many calls were replays."""
    expected, replays = Program(number).run(None), 0
    for executor in executors:
        try:
            found = Program(number).run(executor)
        except (RuntimeError, ValueError) as error:
            return f"{executor}: {type(error).__name__}: {error}", replays
        wrong = next((i for i, (x, y) in enumerate(zip(found[0], expected[0])) if x != y), None)
        if wrong is not None or found[1:3] != expected[1:3]:
            return f"{executor}: {'the state' if wrong is None else f'call {wrong}'} differs", replays
        if not found[3]:
            return f"{executor}: nothing was replayed", replays
        replays += found[3]
    return None, replays


def campaign(numbers):
    """Compare many; print what differs, and return how many do."""
    wrong = replays = 0
    for number in numbers:
        words, replayed = difference(number)
        replays += replayed
        if words:
            wrong += 1
            print(f"program {number}: {words}", flush=True)
    print(f"{len(numbers):,} programs, {replays:,} calls replayed, {wrong} differ", flush=True)
    return wrong
