"""The quick checks that must notice every fault; without one they have nothing to say."""

import contextlib
import math

import numpy

import minigrad
from minigrad import modes, nn, optim
from minigrad.testing import check_contracts, check_grad, check_properties, registry
from minigrad.testing.gradcheck import Nondifferentiable
from minigrad.testing.source import Seeded


def check_case(case, seeds=range(8)):
    """Derivatives of one case at a few samples, then properties and contracts at the first of them."""
    for seed in seeds:
        arrays, options = case.draw(Seeded(seed))
        with contextlib.suppress(Nondifferentiable):
            check_grad(case.bind(options), *arrays, order=case.order, seed=seed)
    for seed in seeds[:2]:
        arrays, options = case.draw(Seeded(seed))
        if case.order > 1:
            check_properties(case.bind(options), *arrays, seed=seed)
        check_contracts(case.bind(options), *arrays, seed=seed, edges=False)


def expect(found, expected, what):
    """Raise AssertionError unless two values agree."""
    found, expected = (numpy.asarray(getattr(v, "array", v), "float64") for v in (found, expected))
    if found.shape != expected.shape or not numpy.allclose(found, expected, 1e-9, 1e-12):
        raise AssertionError(f"{what}: {found.tolist()}, expected {expected.tolist()}")


def slope(f, *values):
    """The gradient of f's sum at a vector."""
    x = minigrad.tensor(numpy.array(values), requires_grad=True)
    return minigrad.autograd.grad(f(x).sum(), x)[0]


def check_conventions():
    """Ties and kinks: PyTorch's choices."""
    expect(slope(minigrad.relu, 0.0, 1.0, -1.0), [0, 1, 0], "relu' at 0, 1, -1")
    expect(slope(minigrad.amax, 2.0, 2.0, 1.0), [0.5, 0.5, 0], "the gradient of amax at a tie")
    expect(slope(lambda x: minigrad.maximum(x, 1.0), 1.0, 2.0, 0.0), [0.5, 1, 0], "the gradient of maximum at a tie")
    expect(slope(minigrad.amin, 2.0, 3.0, 1.0), [0, 0, 1], "the gradient of amin")
    expect(slope(lambda x: x.clamp(0.0, 1.0), 0.0, 1.0, 2.0), [1, 1, 0], "the gradient of clamp at its bounds")
    expect(slope(minigrad.norm, 0.0, 0.0), [0, 0], "the gradient of the norm at 0")
    expect(minigrad.amin(minigrad.tensor([3.0, 1.0])), 1.0, "amin of 3 and 1")


def check_accumulation():
    """`.grad` adds up, over uses and over calls, and belongs to nobody else."""
    x = minigrad.tensor(numpy.array([1.0, 2.0]), requires_grad=True)
    y = x * x + x * 3.0
    y.sum().backward(retain_graph=True)
    expect(x.grad, [5, 7], "x.grad of x**2 + 3x")
    y.sum().backward()
    expect(x.grad, [10, 14], "x.grad after a second backward")
    a, b = (minigrad.tensor(numpy.ones(2), requires_grad=True) for _ in range(2))
    seed = minigrad.tensor(numpy.array([1.0, 2.0]))
    (a + b).backward(seed)
    a.grad.mul_(10.0)
    expect(b.grad, [1, 2], "b.grad after a.grad was changed")
    expect(seed, [1, 2], "the cotangent after a.grad was changed")


def check_switches():
    """no_grad, detach and clone do what their names say."""
    x = minigrad.tensor(numpy.array([1.0, 2.0]), requires_grad=True)
    with modes.no_grad():
        if (x * 2.0).requires_grad:
            raise AssertionError("an op under no_grad gave a tensor with a graph")
    if (x * 2.0).detach().requires_grad:
        raise AssertionError("a detached tensor carries a graph")
    copied = minigrad.tensor([1.0, 2.0])
    copied.clone().zero_()
    expect(copied, [1, 2], "a tensor after its clone was set to zero")


def check_zero_grad():
    """Gradients are forgotten on demand."""
    layer = nn.Linear(2, 1)
    for forget in (layer.zero_grad, optim.SGD(layer.parameters(), lr=0.1).zero_grad):
        layer(minigrad.ones(1, 2)).sum().backward()
        forget()
        if layer.weight.grad is not None:
            raise AssertionError("a gradient outlived zero_grad")


def check_dropout():
    """Dropout keeps the mean in training and does nothing in eval mode."""
    layer, x = nn.Dropout(0.5), minigrad.ones(4000)
    expect(abs(layer(x).mean().item() - 1) < 0.2, True, "whether dropout keeps the mean")
    expect(layer.eval()(x), x, "dropout in eval mode")


def check_running_statistics():
    """A batch norm's running statistics move towards the batch's, and serve in eval mode."""
    layer = nn.BatchNorm1d(1).double()
    x = minigrad.tensor(numpy.array([[1.0], [2.0], [6.0]]))
    layer(x)
    expect(layer.running_mean, [0.3], "the running mean after one batch of mean 3")
    expect(layer.running_var, [0.9 + 0.7], "the running variance after one batch of variance 7")
    expect(layer.eval()(x), (x.numpy() - 0.3) / math.sqrt(1.6 + 1e-5), "eval mode")


def check_optimisers():
    """Three steps of every optimiser, by the formulas of the papers, over a state dict's round trip."""
    for name, options in (
        ("SGD", dict(lr=0.1, weight_decay=0.2)),
        ("SGD", dict(lr=0.1, momentum=0.9, nesterov=True)),
        ("SGD", dict(lr=0.1, momentum=0.9, dampening=0.3)),
        ("RMSprop", dict(centered=True, momentum=0.5)),
        ("RMSprop", dict(alpha=0.9)),
        ("Adam", dict(eps=1e-2)),
        ("AdamW", dict(weight_decay=0.3)),
    ):
        p = nn.Parameter(minigrad.tensor(numpy.array([1.0, -2.0])))
        optimiser, state, expected = getattr(optim, name)([p], **options), {}, numpy.array([1.0, -2.0])
        for step in range(1, 5):
            g = numpy.array([0.5, -1.5]) * step
            p.grad = minigrad.tensor(g)
            optimiser.step()
            expected = _reference_step(name, {**optimiser.defaults}, expected, g, state, step)
            expect(p, expected, f"{name} {options} after step {step}")
            if step == 2:
                saved, optimiser = optimiser.state_dict(), getattr(optim, name)([p], **options)
                optimiser.load_state_dict(saved)


def _reference_step(name, o, p, g, s, step):
    if name == "AdamW":
        p = p * (1 - o["lr"] * o["weight_decay"])
    else:
        g = g + o["weight_decay"] * p
    if name == "SGD":
        if o["momentum"]:
            s["m"] = g if step == 1 else o["momentum"] * s["m"] + (1 - o["dampening"]) * g
            g = g + o["momentum"] * s["m"] if o["nesterov"] else s["m"]
        return p - o["lr"] * g
    if name == "RMSprop":
        a = o["alpha"]
        s["v"], s["g"] = a * s.get("v", 0) + (1 - a) * g * g, a * s.get("g", 0) + (1 - a) * g
        move = g / (numpy.sqrt(s["v"] - s["g"] ** 2 * bool(o["centered"])) + o["eps"])
        s["b"] = o["momentum"] * s.get("b", 0) + move
        return p - o["lr"] * s["b"]
    b, c = o["betas"]
    s["m"], s["v"] = b * s.get("m", 0) + (1 - b) * g, c * s.get("v", 0) + (1 - c) * g * g
    return p - o["lr"] * (s["m"] / (1 - b ** step)) / (numpy.sqrt(s["v"] / (1 - c ** step)) + o["eps"])


def checks():
    """All quick checks, name -> function without arguments."""
    named = {"conventions": check_conventions, "accumulation": check_accumulation, "switches": check_switches,
             "zero_grad": check_zero_grad, "dropout": check_dropout, "running statistics": check_running_statistics,
             "optimisers": check_optimisers}
    return named | {f"case {c.name}": (lambda c=c: check_case(c)) for c in registry.load()}
