"""Faults of what optimisers share: parameters without gradients, groups, their state, gradients that are clipped."""

import numpy

from minigrad import create, nn, optim
from minigrad.modes import no_grad
from minigrad.nn import utils
from minigrad.testing.faults.fault import check, expect, wrong

_gradients, _add, _step = optim.Flat.gradients, optim.Optimizer.add_param_group, optim.Optimizer.step
_load, _state = optim.Optimizer.load_state_dict, optim.Optimizer.state_dict


def _together(self):
    self.steps = [max(self.steps)] * len(self.steps)
    return _gradients(self)


def _counting_all(self):
    found = _gradients(self)
    self.steps = [n + (p.grad is None) for n, p in zip(self.steps, self.parameters)]
    return found


def _zeros_for_none(self):
    for p in self.parameters:
        p.grad = create.zeros_like(p) if p.grad is None else p.grad
    return _gradients(self)


def _first_group_only(self, closure=None):
    groups = self.param_groups
    self.param_groups = groups[:1]
    try:
        return _step(self, closure)
    finally:
        self.param_groups = groups


def _clip_each(parameters, max_norm, norm_type=2.0):
    with no_grad():
        for p in parameters:
            p.grad.mul_(min(max_norm / (p.grad.norm(norm_type).item() + 1e-6), 1.0))


wrong("steps-together", "a parameter that missed steps counts as many as its neighbours", optim.Flat,
      _together, "gradients", "unequal steps")
wrong("steps-without-gradient", "a step without a gradient counts, too", optim.Flat, _counting_all, "gradients",
      "unequal steps")
wrong("no-gradient-as-zeros", "a parameter without a gradient moves on by its momentum", optim.Flat, _zeros_for_none,
      "gradients", "unequal steps")
wrong("first-group-only", "only the first group is updated", optim.Optimizer, _first_group_only, "step", "groups")
wrong("group-options", "a group's own options are passed over", optim.Optimizer,
      lambda self, group: _add(self, {"params": group["params"]}), "add_param_group", "groups")
wrong("closure-unreturned", "step does not return the closure's loss", optim.Optimizer,
      lambda self, closure=None: _step(self, closure) and None, "step", "groups")
wrong("closure-late", "the closure is called after the update", optim.Optimizer,
      lambda self, closure=None: (_step(self), closure and closure())[1], "step", "groups")
wrong("state-left-out", "state_dict leaves the running means out", optim.Optimizer,
      lambda self: {**_state(self), "state": {}}, "state_dict", "optimisers")
wrong("options-not-loaded", "load_state_dict keeps the rate that the optimiser was made with", optim.Optimizer,
      lambda self, state: _load(self, {**state, "param_groups": [
          {**old, **{k: v for k, v in own.items() if k != "params"}}
          for old, own in zip(state["param_groups"], self.param_groups)]}), "load_state_dict", "groups")
wrong("betas-swapped", "Adam uses each of its decays in the other's place", optim.Adam,
      (lambda numbers: lambda self, group, step: numbers(self, {**group, "betas": group["betas"][::-1]}, step))(
          optim.Adam.numbers), "numbers", "optimisers")
wrong("adam-rate", "Adam's rate is not corrected for the first mean", optim.Adam,
      (lambda numbers: lambda self, group, step: (*numbers(self, group, step)[:7], group["lr"]))(optim.Adam.numbers),
      "numbers", "optimisers")
wrong("zeros-not-kept", "zero_grad(set_to_none=False) forgets the gradients", optim.optimizer,
      lambda p, set_to_none=True: setattr(p, "grad", None), "forget_grad", "groups")
wrong("clip-each", "clip_grad_norm_ clips each gradient by itself", utils, _clip_each, "clip_grad_norm_", "clipping")
wrong("clip-below", "clip_grad_value_ lets large negative gradients pass", utils,
      lambda parameters, clip_value: [p.grad.clamp_(max=clip_value) for p in parameters], "clip_grad_value_",
      "clipping")
wrong("clip-always", "clip_grad_norm_ makes small gradients larger", utils,
      lambda parameters, max_norm, norm_type=2.0: [
          p.grad.mul_(max_norm / sum((q.grad ** 2).sum().item() for q in parameters) ** 0.5) for p in parameters],
      "clip_grad_norm_", "clipping")


def _parameter(*values):
    return nn.Parameter(create.tensor(numpy.array(values)))


def _give(p, *values):
    p.grad = None if not values else create.tensor(numpy.array(values))


@check("unequal steps")
def check_unequal_steps():
    """Parameters without a gradient at some steps: each has the history that it would have alone."""
    gradients = [[(0.5,), (-1.0,)], [(2.0,), None], [(-1.5,), None], [(1.0,), (3.0,)], [None, (0.5,)]]
    for name, options in (("Adam", dict(lr=0.1)), ("SGD", dict(lr=0.1, momentum=0.9))):
        together = [_parameter(1.0), _parameter(-2.0)]
        alone = [_parameter(1.0), _parameter(-2.0)]
        optimiser = getattr(optim, name)(together, **options)
        singles = [getattr(optim, name)([p], **options) for p in alone]
        for step, given in enumerate(gradients):
            for p, q, single, g in zip(together, alone, singles, given):
                _give(p, *(g or ()))
                _give(q, *(g or ()))
                if g:
                    single.step()
            optimiser.step()
            expect([p.item() for p in together], [p.item() for p in alone], f"{name} after step {step}")


@check("groups")
def check_groups():
    """Groups have options of their own; a closure comes first; gradients become None or zeros; rates are loaded."""
    p, q = _parameter(1.0), _parameter(1.0)
    optimiser = optim.SGD([{"params": p}, {"params": [q], "lr": 0.5}], lr=0.1)

    def closure():
        _give(p, 1.0)
        _give(q, 1.0)
        return 7.0

    expect(optimiser.step(closure), 7.0, "what step(closure) returns")
    expect([p.item(), q.item()], [0.9, 0.5], "two groups of rates 0.1 and 0.5 after a step of gradient 1")
    optimiser.zero_grad(set_to_none=False)
    expect(p.grad, [0.0], "the gradient after zero_grad(set_to_none=False)")
    other = optim.SGD([{"params": p}, {"params": q}], lr=9.0)
    other.load_state_dict(optimiser.state_dict())
    expect([group["lr"] for group in other.param_groups], [0.1, 0.5], "the rates that were loaded")


@check("clipping")
def check_clipping():
    """Gradients (3, 0) and (0, -4), of norm 5 together, are scaled as one, and clipped on both sides."""
    p, q = _parameter(0.0, 0.0), _parameter(0.0, 0.0)
    for clip, first, second in ((lambda: utils.clip_grad_norm_([p, q], 1.0), [0.6, 0.0], [0.0, -0.8]),
                                (lambda: utils.clip_grad_norm_([p, q], 10.0), [3.0, 0.0], [0.0, -4.0]),
                                (lambda: utils.clip_grad_value_([p, q], 2.0), [2.0, 0.0], [0.0, -2.0])):
        _give(p, 3.0, 0.0)
        _give(q, 0.0, -4.0)
        clip()
        expect(numpy.round(p.grad.numpy(), 5), first, "the first gradient after clipping")
        expect(numpy.round(q.grad.numpy(), 5), second, "the second gradient after clipping")
