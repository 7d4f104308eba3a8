"""Faults of the moving average of a model."""

import math

import numpy

from minigrad import create, nn, optim
from minigrad.modes import no_grad
from minigrad.testing.faults.fault import check, expect, wrong

_make, _update, _state = optim.EMA.__init__, optim.EMA.update, optim.EMA.state_dict


def _updating(weight=lambda decay: 1 - decay, decay=lambda ema: min(ema.decay, (1 + ema.updates) / (10 + ema.updates)),
              names=lambda model: model.state_dict(), whole=True):
    """An update whose weight, decay, tensors or handling of integers is another."""
    def update(self):
        rate = decay(self)
        self.updates += 1
        with no_grad():
            seen = set()
            for name, mean in names(self.model).items():
                now = self.source.state_dict()[name]
                if id(now.array) in seen:
                    continue
                seen.add(id(now.array))
                if mean.dtype.kind == "f":
                    mean.add_((now - mean) * weight(rate))
                elif whole:
                    mean.copy_(now)

    return update


def _made(change):
    def make(self, *arguments, **options):
        _make(self, *arguments, **options)
        change(self)

    return make


wrong("average-swapped", "old and new are weighed the wrong way round", optim.EMA, _updating(lambda decay: decay),
      "update", "averages")
wrong("average-cold", "the average starts with its full decay", optim.EMA, _updating(decay=lambda ema: ema.decay),
      "update", "averages")
wrong("average-warm", "the decay of the start is never left", optim.EMA,
      _updating(decay=lambda ema: (1 + ema.updates) / (10 + ema.updates)), "update", "averages")
wrong("average-early", "the count goes up before the decay is worked out", optim.EMA,
      _updating(decay=lambda ema: min(ema.decay, (2 + ema.updates) / (11 + ema.updates))), "update", "averages")
wrong("average-parameters-only", "running statistics are left behind", optim.EMA,
      _updating(names=lambda model: dict(model.named_parameters())), "update", "averages")
wrong("average-counts-left", "integer buffers are left behind", optim.EMA, _updating(whole=False), "update", "averages")
wrong("average-tied-twice", "a weight of two names is moved twice", optim.EMA,
      lambda self: (_update(self), [mean.add_((now.detach() - mean) * 0.9) for mean, now in [
          (self.model.state_dict()[name], self.source.state_dict()[name])
          for name in self.model.state_dict().keys() - dict(self.model.named_parameters()).keys()
          if name.endswith("weight")]])[0], "update", "averages")
wrong("average-shares", "the averaged model is the model itself", optim.EMA,
      _made(lambda self: setattr(self, "model", self.source)), "__init__", "averages")
wrong("average-training", "the averaged model stays in training mode", optim.EMA,
      _made(lambda self: self.model.train()), "__init__", "averages")
wrong("average-wants-gradients", "the averaged parameters want gradients", optim.EMA,
      _made(lambda self: self.model.requires_grad_(True)), "__init__", "averages")
wrong("average-restarts", "the state forgets the number of updates", optim.EMA,
      lambda self: {**_state(self), "updates": 0}, "state_dict", "averages")


class Tied(nn.Module):
    """Two layers of one weight, and a normalisation with its running statistics."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.norm = nn.Linear(2, 2), nn.Linear(2, 2), nn.BatchNorm1d(2)
        self.second.weight = self.first.weight
        self.double()

    def forward(self, x):
        return self.norm(self.second(self.first(x)))


@check("averages")
def check_averages():
    """Sixty updates of a model with tied weights and statistics, by the formula; half-way through a state dict."""
    model = Tied()
    ema = optim.EMA(model, 0.8)
    expected = {name: x.numpy().copy() for name, x in model.state_dict().items()}
    for n in range(60):
        with no_grad():
            for p in model.parameters():
                p.mul_(0.9).add_(math.sin(n))
        model(create.tensor(numpy.arange(6.0).reshape(3, 2) ** (1 + n % 3)))
        ema.update()
        decay = min(0.8, (1 + n) / (10 + n))
        for name, x in model.state_dict().items():
            mean = expected[name]
            expected[name] = decay * mean + (1 - decay) * x.numpy() if mean.dtype.kind == "f" else x.numpy().copy()
        if n == 3:
            saved, ema = ema.state_dict(), optim.EMA(model, 0.8)
            ema.load_state_dict(saved)
        for name, x in ema.model.state_dict().items():
            expect(x, expected[name], f"the average of {name} after {n + 1} updates")
    if ema.model.training or any(p.requires_grad for p in ema.model.parameters()):
        raise AssertionError("the averaged model is in training mode, or wants gradients")
