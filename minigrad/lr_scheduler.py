"""Schedules for the learning rate: `minigrad.optim.lr_scheduler`, with PyTorch's names and formulas.

`scheduler.step()` after each epoch (or step) writes the next rate into `optimizer.param_groups`. The formulas go from
one rate to the next, so that several schedulers on one optimiser multiply.
"""

import math
import sys

from minigrad import optim
from minigrad.absent import names_of

__getattr__ = names_of("minigrad.optim.lr_scheduler")


class LRScheduler:
    """What schedulers share. Subclasses define `get_lr()`: the rates of the groups at `last_epoch`.

    With `last_epoch` of 0 or more a scheduler resumes behind that epoch, with the rates that the optimiser has; every
    group then needs its "initial_lr", which a scheduler writes there and a state of the optimiser holds.
    """

    starting = False  # whether this is the step that making the scheduler takes

    def __init__(self, optimizer, last_epoch=-1):
        if not isinstance(optimizer, optim.Optimizer):
            raise TypeError(f"{type(self).__name__}: {type(optimizer).__name__} is not an optimiser; pass "
                            "optim.SGD(...) or another")
        self.optimizer, self.last_epoch = optimizer, last_epoch
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch != -1 and "initial_lr" not in group:
                raise KeyError(f"{type(self).__name__}: last_epoch={last_epoch}, and group {i} has no 'initial_lr'; "
                               "load the optimiser's state first, or start anew with last_epoch=-1")
        self.base_lrs = [group.setdefault("initial_lr", group["lr"]) for group in optimizer.param_groups]
        self.starting = True
        self.step()
        del self.starting

    def get_lr(self):
        """The rates at `last_epoch`, one a group."""
        raise NotImplementedError(f"{type(self).__name__} defines no get_lr(); return a rate for each group there")

    def get_last_lr(self):
        """The rates in force, one a group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def step(self):
        """Go on to the next epoch."""
        self.last_epoch += 1
        for group, lr in zip(self.optimizer.param_groups, self.get_lr()):
            group["lr"] = lr

    def state_dict(self):
        """The scheduler's numbers; functions are left out. The rates themselves are in the optimiser's state."""
        return {name: value for name, value in vars(self).items() if name not in ("optimizer", "lr_lambdas")}

    def load_state_dict(self, state_dict):
        """Go on from a state that `state_dict` gave."""
        vars(self).update(state_dict)

    def _times(self, factor):
        return [group["lr"] * factor for group in self.optimizer.param_groups]


class StepLR(LRScheduler):
    """The rate times gamma every `step_size` epochs."""

    def __init__(self, optimizer, step_size, gamma=0.1, last_epoch=-1):
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return self._times(self.gamma if self.last_epoch and self.last_epoch % self.step_size == 0 else 1)


class MultiStepLR(LRScheduler):
    """The rate times gamma at each epoch of the list `milestones`."""

    def __init__(self, optimizer, milestones, gamma=0.1, last_epoch=-1):
        self.milestones, self.gamma = sorted(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return self._times(self.gamma ** self.milestones.count(self.last_epoch))


class ExponentialLR(LRScheduler):
    """The rate times gamma every epoch."""

    def __init__(self, optimizer, gamma, last_epoch=-1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return self._times(1 if self.starting else self.gamma)


class LinearLR(LRScheduler):
    """The rate from start_factor to end_factor times its value, on a straight line over `total_iters` epochs."""

    def __init__(self, optimizer, start_factor=1.0 / 3, end_factor=1.0, total_iters=5, last_epoch=-1):
        if not 0 < start_factor <= 1 or not 0 <= end_factor <= 1:
            raise ValueError(f"LinearLR: start_factor is {start_factor}, end_factor {end_factor}; use factors in 0..1, "
                             "the first above 0")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        if self.last_epoch > self.total_iters or self.starting and self.last_epoch:
            return self._times(1)
        before = self._factor(self.last_epoch - 1) if self.last_epoch else 1
        return self._times(self._factor(self.last_epoch) / before)

    def _factor(self, epoch):
        return self.start_factor + (self.end_factor - self.start_factor) * epoch / self.total_iters


class LambdaLR(LRScheduler):
    """The initial rate times lr_lambda(epoch); a list holds one function a group."""

    def __init__(self, optimizer, lr_lambda, last_epoch=-1):
        several = isinstance(lr_lambda, (list, tuple))
        self.lr_lambdas = list(lr_lambda) if several else [lr_lambda] * len(optimizer.param_groups)
        if len(self.lr_lambdas) != len(optimizer.param_groups):
            raise ValueError(f"LambdaLR: {len(self.lr_lambdas)} functions for {len(optimizer.param_groups)} groups; "
                             "give one a group")
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        return [base * function(self.last_epoch) for base, function in zip(self.base_lrs, self.lr_lambdas)]


class CosineAnnealingLR(LRScheduler):
    """eta_min + (initial - eta_min) * (1 + cos(pi * epoch / T_max)) / 2 (Loshchilov & Hutter 2017, eq. 5)."""

    def __init__(self, optimizer, T_max, eta_min=0.0, last_epoch=-1):
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        epoch, rates = self.last_epoch, self.get_last_lr()
        if self.starting:
            return rates
        if (epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # the cosine's floor, where the ratio below is 0 / 0
            rise = (1 - math.cos(math.pi / self.T_max)) / 2
            return [lr + (base - self.eta_min) * rise for lr, base in zip(rates, self.base_lrs)]
        ratio = (1 + math.cos(math.pi * epoch / self.T_max)) / (1 + math.cos(math.pi * (epoch - 1) / self.T_max))
        return [self.eta_min + (lr - self.eta_min) * ratio for lr in rates]


class ReduceLROnPlateau(LRScheduler):
    """The rate times `factor` once `step(metric)` saw no better metric for more than `patience` epochs.

    Better is lower with mode "min", higher with "max", by `threshold`: a share of the best with threshold_mode "rel", a
    difference with "abs". After a cut, `cooldown` epochs do not count; no rate falls below `min_lr`, a number or a list
    with one a group; a change of less than `eps` is not made.
    """

    def __init__(self, optimizer, mode="min", factor=0.1, patience=10, threshold=1e-4, threshold_mode="rel", cooldown=0,
                 min_lr=0.0, eps=1e-8):
        if mode not in ("min", "max") or threshold_mode not in ("rel", "abs") or not factor < 1:
            raise ValueError(f"ReduceLROnPlateau: mode is {mode!r}, threshold_mode {threshold_mode!r}, factor "
                             f"{factor}; use 'min' or 'max', 'rel' or 'abs', a factor below 1")
        if isinstance(min_lr, (list, tuple)) and len(min_lr) != len(optimizer.param_groups):
            raise ValueError(f"ReduceLROnPlateau: {len(min_lr)} values of min_lr for {len(optimizer.param_groups)} "
                             "groups; give one a group")
        self.mode, self.factor, self.patience, self.threshold = mode, factor, patience, threshold
        self.threshold_mode, self.cooldown, self.min_lr, self.eps = threshold_mode, cooldown, min_lr, eps
        self.best, self.num_bad_epochs, self.cooldown_counter = math.inf if mode == "min" else -math.inf, 0, 0
        super().__init__(optimizer)

    def get_lr(self):
        return self._times(1)

    def step(self, metrics=None):
        """Take in the metric of an epoch, a number or a tensor of one element."""
        self.last_epoch += 1
        if self.last_epoch == 0:
            return
        metric = float(metrics)
        if self._is_better(metric):
            self.best, self.num_bad_epochs = metric, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
            groups = self.optimizer.param_groups
            floors = self.min_lr if isinstance(self.min_lr, (list, tuple)) else [self.min_lr] * len(groups)
            for group, floor in zip(groups, floors):
                lr = max(float(group["lr"]) * self.factor, floor)
                group["lr"] = lr if group["lr"] - lr > self.eps else group["lr"]

    def _is_better(self, metric):
        margin = self.threshold * (self.best if self.threshold_mode == "rel" and math.isfinite(self.best) else 1)
        return metric < self.best - margin if self.mode == "min" else metric > self.best + margin


# `from minigrad.optim.lr_scheduler import StepLR` must find this file, too.
optim.lr_scheduler = sys.modules["minigrad.optim.lr_scheduler"] = sys.modules[__name__]
