"""Faults of the schedules of the learning rate."""

import math

import numpy

from minigrad import create, lr_scheduler, nn, optim
from minigrad.testing.faults.fault import check, expect, wrong

_linear, _plateau = lr_scheduler.LinearLR._factor, lr_scheduler.ReduceLROnPlateau.__init__


def _first_only(self):
    self.last_epoch += 1
    self.optimizer.param_groups[0]["lr"] = self.get_lr()[0]


def _with(**fixed):
    """A plateau made with other options than asked for."""
    return lambda self, optimizer, **options: _plateau(self, optimizer, **{**options, **fixed})


wrong("rate-first-group", "only the first group's rate changes", lr_scheduler.LRScheduler, _first_only, "step", "rates")
wrong("rate-late", "the count of epochs goes up after the rate is worked out", lr_scheduler.LRScheduler,
      lambda self: ([group.update(lr=lr) for group, lr in zip(self.optimizer.param_groups, self.get_lr())],
                    setattr(self, "last_epoch", self.last_epoch + 1))[1], "step", "rates")
wrong("rates-restart", "load_state_dict forgets the epoch", lr_scheduler.LRScheduler,
      lambda self, state: vars(self).update({**state, "last_epoch": 0}), "load_state_dict", "rates")
wrong("step-every-epoch", "StepLR steps at every epoch", lr_scheduler.StepLR,
      lambda self: self._times(self.gamma if self.last_epoch else 1), "get_lr", "rates")
wrong("step-early", "StepLR steps an epoch early", lr_scheduler.StepLR,
      lambda self: self._times(self.gamma if (self.last_epoch + 1) % self.step_size == 0 else 1), "get_lr", "rates")
wrong("milestones-once", "a milestone that is there twice counts once", lr_scheduler.MultiStepLR,
      lambda self: self._times(self.gamma if self.last_epoch in self.milestones else 1), "get_lr", "rates")
wrong("milestones-onward", "the rate falls at every epoch behind a milestone", lr_scheduler.MultiStepLR,
      lambda self: self._times(self.gamma ** sum(m <= self.last_epoch for m in self.milestones)), "get_lr", "rates")
wrong("exponential-at-once", "the first epoch has a lower rate already", lr_scheduler.ExponentialLR,
      lambda self: self._times(self.gamma), "get_lr", "rates")
wrong("linear-end", "LinearLR ends at 1, whatever end_factor", lr_scheduler.LinearLR,
      lambda self, epoch: self.start_factor + (1 - self.start_factor) * epoch / self.total_iters, "_factor", "rates")
wrong("linear-onward", "LinearLR goes on beyond its end", lr_scheduler.LinearLR, lambda self: self._times(
    _linear(self, self.last_epoch) / (_linear(self, self.last_epoch - 1) if self.last_epoch else 1)), "get_lr", "rates")
wrong("lambda-compounds", "LambdaLR multiplies the rate in force instead of the first", lr_scheduler.LambdaLR,
      lambda self: [group["lr"] * f(self.last_epoch) for group, f in zip(self.optimizer.param_groups, self.lr_lambdas)],
      "get_lr", "rates")
wrong("cosine-floor", "CosineAnnealingLR passes over eta_min", lr_scheduler.CosineAnnealingLR, lambda self: [
    base * (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2 for base in self.base_lrs], "get_lr", "rates")
wrong("cosine-period", "the cosine has half its period", lr_scheduler.CosineAnnealingLR, lambda self: [
    self.eta_min + (base - self.eta_min) * (1 + math.cos(2 * math.pi * self.last_epoch / self.T_max)) / 2
    for base in self.base_lrs], "get_lr", "rates")
for _name, _what, _options in (
    ("mode", "takes any metric for a loss", dict(mode="min")),
    ("impatient", "cuts at once", dict(patience=0)),
    ("restless", "makes no pause after a cut", dict(cooldown=0)),
    ("bottomless", "goes below min_lr", dict(min_lr=0.0)),
    ("strict", "takes any improvement for one, however small", dict(threshold=0.0)),
):
    wrong(f"plateau-{_name}", f"ReduceLROnPlateau {_what}", lr_scheduler.ReduceLROnPlateau, _with(**_options),
          "__init__", "plateaus")


def _optimiser(*rates):
    return optim.SGD([{"params": nn.Parameter(create.zeros(1)), "lr": lr} for lr in rates], lr=1.0)


FORMULAS = {  # what the rate is at epoch e, as a multiple of the first
    "StepLR": (dict(step_size=2, gamma=0.1), lambda e: 0.1 ** (e // 2)),
    "MultiStepLR": (dict(milestones=[3, 1, 3], gamma=0.5), lambda e: 0.5 ** ((e >= 1) + 2 * (e >= 3))),
    "ExponentialLR": (dict(gamma=0.5), lambda e: 0.5 ** e),
    "LinearLR": (dict(start_factor=0.5, end_factor=0.1, total_iters=4), lambda e: 0.5 - 0.4 * min(e, 4) / 4),
    "LambdaLR": (dict(lr_lambda=lambda e: 1 / (1 + e)), lambda e: 1 / (1 + e)),
    "CosineAnnealingLR": (dict(T_max=3, eta_min=0.0), lambda e: (1 + math.cos(math.pi * e / 3)) / 2),
}


@check("rates")
def check_rates():
    """Eight epochs of each schedule over two groups, by the formulas, half-way through a state dict."""
    for name, (options, formula) in FORMULAS.items():
        optimiser = _optimiser(1.0, 0.3)
        scheduler = getattr(lr_scheduler, name)(optimiser, **options)
        for epoch in range(8):
            found = [group["lr"] for group in optimiser.param_groups]
            expect(found, [formula(epoch), 0.3 * formula(epoch)], f"{name} at epoch {epoch}")
            if epoch == 4:
                saved, scheduler = scheduler.state_dict(), getattr(lr_scheduler, name)(_optimiser(1.0, 0.3), **options)
                scheduler.load_state_dict(saved)
                scheduler.optimizer = optimiser
            scheduler.step()
    optimiser = _optimiser(1.0)
    scheduler = lr_scheduler.CosineAnnealingLR(optimiser, 2, eta_min=0.2)
    for rate in (1.0, 0.6, 0.2, 0.6, 1.0):
        expect(optimiser.param_groups[0]["lr"], rate, "CosineAnnealingLR down to 0.2 and up again")
        scheduler.step()


@check("plateaus")
def check_plateaus():
    """ReduceLROnPlateau cuts where the metric has not improved for more than `patience` epochs, and then pauses."""
    for mode, metrics, rates in (
        ("min", [5, 4.95, 4.9, 4.9, 4.9, 4.9, 4.9, 4.9, 4.9], [1, 1, 0.5, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3]),
        ("max", [1, 2, 3, 4, 5, 5, 5, 5, 5], [1, 1, 1, 1, 1, 1, 0.5, 0.5, 0.5]),
    ):
        optimiser = _optimiser(1.0)
        scheduler = lr_scheduler.ReduceLROnPlateau(optimiser, mode=mode, factor=0.5, patience=1, threshold=0.1,
                                                   cooldown=2, min_lr=0.3)
        for metric, rate in zip(metrics, rates):
            scheduler.step(metric)
            expect(optimiser.param_groups[0]["lr"], rate, f"the rate of a plateau ({mode}) after {metric}")
        if not numpy.isfinite(scheduler.best):
            raise AssertionError("a plateau has no best metric")
