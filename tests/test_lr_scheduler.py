"""Schedules: PyTorch's rates, epoch by epoch, alone, chained, and after a resume."""

import inspect
import math

import pytest

import minigrad as mg
from minigrad.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    ReduceLROnPlateau,
    StepLR,
)

CASES = [(StepLR, {"step_size": 3, "gamma": 0.5}), (MultiStepLR, {"milestones": [7, 2, 2], "gamma": 0.1}),
         (ExponentialLR, {"gamma": 0.9}), (LinearLR, {}),
         (LinearLR, {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 8}),
         (CosineAnnealingLR, {"T_max": 5, "eta_min": 0.01}), (LambdaLR, {"lr_lambda": lambda epoch: 1 / (1 + epoch)})]


def test_schedulers_are_found_under_optim():
    from minigrad.optim.lr_scheduler import StepLR as same

    assert same is StepLR is mg.optim.lr_scheduler.StepLR


def optimizer(library):
    parameters = [library.zeros(2, requires_grad=True) for _ in range(2)]
    return library.optim.SGD([{"params": parameters[:1]}, {"params": parameters[1:], "lr": 3.0}], lr=0.1)


def rates(optimizer, schedulers, epochs, metrics=None):
    found = []
    for epoch in range(epochs):
        found += [group["lr"] for group in optimizer.param_groups]
        for scheduler in schedulers:
            scheduler.step(*[] if metrics is None else [metrics[epoch]])
    return found


@pytest.mark.filterwarnings("ignore")  # PyTorch warns that no optimiser stepped
@pytest.mark.parametrize("cases", [[case] for case in CASES] + [CASES[2:4], CASES[:2]],
                         ids=lambda cases: "+".join(kind.__name__ for kind, _ in cases))
def test_the_rates_are_pytorchs(cases):
    torch = pytest.importorskip("torch", reason="needs PyTorch (pip install minigrad[peers])")
    ours, theirs = optimizer(mg), optimizer(torch)
    mine = [kind(ours, **options) for kind, options in cases]
    other = [getattr(torch.optim.lr_scheduler, kind.__name__)(theirs, **options) for kind, options in cases]
    assert rates(ours, mine, 25) == pytest.approx(rates(theirs, other, 25), rel=1e-9, abs=1e-12)
    assert mine[-1].get_last_lr() == pytest.approx(other[-1].get_last_lr(), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("options", [
    {}, {"patience": 1}, {"mode": "max", "patience": 2, "cooldown": 3},
    {"threshold": 0.1, "patience": 0, "min_lr": 0.02},
    {"patience": 0, "min_lr": [0.05, 0.5]},
    {"threshold_mode": "abs", "threshold": 0.5, "patience": 1, "factor": 0.5}, {"patience": 0, "eps": 0.05}], ids=str)
def test_a_plateau_is_found_where_pytorch_finds_it(options):
    torch = pytest.importorskip("torch", reason="needs PyTorch (pip install minigrad[peers])")
    ours, theirs = optimizer(mg), optimizer(torch)
    metrics = [math.sin(i) + 3 / (1 + i) - 0.5 for i in range(40)]
    mine = rates(ours, [ReduceLROnPlateau(ours, **options)], 40, metrics)
    other = rates(theirs, [torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options)], 40, metrics)
    assert mine == pytest.approx(other)


@pytest.mark.parametrize("kind", [kind for kind, _ in CASES[:4] + CASES[5:]] + [ReduceLROnPlateau])
def test_a_schedule_has_pytorchs_arguments_in_order_with_its_defaults(kind):
    torch = pytest.importorskip("torch", reason="needs PyTorch (pip install minigrad[peers])")
    mine, theirs = (inspect.signature(k).parameters.values() for k in (kind, getattr(torch.optim.lr_scheduler,
                                                                                    kind.__name__)))
    assert [(p.name, p.default) for p in mine] == [(p.name, p.default) for p in theirs]


@pytest.mark.parametrize("kind, options", CASES, ids=lambda x: getattr(x, "__name__", ""))
def test_a_resumed_schedule_goes_on(kind, options):
    one, two = optimizer(mg), optimizer(mg)
    first, second = kind(one, **options), kind(two, **options)
    rates(one, [first], 6)
    two.load_state_dict(one.state_dict())
    second.load_state_dict(first.state_dict())
    assert rates(two, [second], 10) == rates(one, [first], 10)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind, options", CASES, ids=lambda x: getattr(x, "__name__", ""))
@pytest.mark.parametrize("last", [0, 2, 4, 7])
def test_a_schedule_resumes_from_last_epoch_as_pytorchs_does(kind, options, last):
    torch = pytest.importorskip("torch", reason="needs PyTorch (pip install minigrad[peers])")

    def run(library, Scheduler):
        first = optimizer(library)
        found = rates(first, [Scheduler(first, **options)], last + 1)
        second = optimizer(library)
        second.load_state_dict(first.state_dict())
        assert [group["initial_lr"] for group in second.param_groups] == [0.1, 3.0]
        return found + rates(second, [Scheduler(second, **options, last_epoch=last)], 12)

    assert run(mg, kind) == pytest.approx(run(torch, getattr(torch.optim.lr_scheduler, kind.__name__)), rel=1e-9)


def test_resuming_without_the_first_rates_says_what_is_missing():
    with pytest.raises(KeyError, match="StepLR: last_epoch=3, and group 0 has no 'initial_lr'; load the optimiser's"):
        StepLR(optimizer(mg), 3, last_epoch=3)


def test_the_users_own_first_rate_is_kept():
    opt = optimizer(mg)
    for group in opt.param_groups:
        group["initial_lr"] = 5.0
    assert StepLR(opt, 1).base_lrs == [5.0, 5.0] and opt.param_groups[0]["lr"] == 0.1


def test_the_closed_forms():
    opt = optimizer(mg)
    found = rates(opt, [CosineAnnealingLR(opt, 10)], 11)[1::2]
    assert found == pytest.approx([3 * (1 + math.cos(math.pi * epoch / 10)) / 2 for epoch in range(11)])
    opt = optimizer(mg)
    assert rates(opt, [StepLR(opt, 2)], 5)[1::2] == pytest.approx([3, 3, 0.3, 0.3, 0.03])


@pytest.mark.parametrize("make", [
    lambda: StepLR(None, 3), lambda: LinearLR(optimizer(mg), start_factor=0),
    lambda: LambdaLR(optimizer(mg), [abs]), lambda: ReduceLROnPlateau(optimizer(mg), mode="low"),
    lambda: ReduceLROnPlateau(optimizer(mg), min_lr=[0.1])])
def test_misuse_says_what_to_do(make):
    with pytest.raises((TypeError, ValueError), match="pass|use|give"):
        make()
