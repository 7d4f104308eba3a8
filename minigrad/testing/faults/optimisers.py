"""Faults of the optimisers."""

import numpy

import minigrad
from minigrad import nn, optim
from minigrad.testing.faults.fault import check, expect, wrong


def _adam(self, xp, group, step, p, g, t, exp_avg, exp_avg_sq, correct=True, square=True, inside=False):
    (beta1, beta2), lr = group["betas"], group["lr"]
    if self.decoupled:
        p *= 1 - lr * group["weight_decay"]
    else:
        g = g + group["weight_decay"] * p
    exp_avg[...] = beta1 * exp_avg + (1 - beta1) * g
    exp_avg_sq[...] = beta2 * exp_avg_sq + (1 - beta2) * (g * g if square else abs(g))
    first, second = (1 - beta1 ** step, 1 - beta2 ** step) if correct else (1.0, 1.0)
    root = xp.sqrt(exp_avg_sq / second + group["eps"]) if inside else xp.sqrt(exp_avg_sq / second) + group["eps"]
    p -= lr * (exp_avg / first) / root


def _sgd(self, xp, group, step, p, g, t, momentum_buffer=None, decay=1, nesterov=True, keep=1):
    g = g + decay * group["weight_decay"] * p
    if momentum_buffer is not None:
        momentum_buffer[...] = keep * group["momentum"] * momentum_buffer + g * (
            1.0 if step == 1 else 1 - group["dampening"]
        )
        g = g + group["momentum"] * momentum_buffer if group["nesterov"] and nesterov else momentum_buffer
    p -= group["lr"] * g


def _rmsprop(
    self, xp, group, step, p, g, t, square_avg, grad_avg=None, momentum_buffer=None, swapped=False, centred=True
):
    alpha = 1 - group["alpha"] if swapped else group["alpha"]
    g = g + group["weight_decay"] * p
    square_avg[...] = alpha * square_avg + (1 - alpha) * g * g
    root = square_avg
    if grad_avg is not None:
        grad_avg[...] = alpha * grad_avg + (1 - alpha) * g
        root = square_avg - grad_avg ** 2 if centred else square_avg
    t[...] = g / (xp.sqrt(root) + group["eps"])
    if momentum_buffer is not None:
        momentum_buffer[...] = group["momentum"] * momentum_buffer + t
        t[...] = momentum_buffer
    p -= group["lr"] * t


def _with(update, **options):
    return lambda *arguments, **state: update(*arguments, **state, **options)


wrong(
    "adam-uncorrected",
    "an Adam without bias correction",
    optim.Adam,
    _with(_adam, correct=False),
    "update",
    "optimisers",
)
wrong(
    "adam-unsquared",
    "Adam's second moment averages |g| instead of g**2",
    optim.Adam,
    _with(_adam, square=False),
    "update",
    "optimisers",
)
wrong("adam-eps-inside", "Adam adds eps under the root", optim.Adam, _with(_adam, inside=True), "update", "optimisers")
wrong(
    "adamw-coupled", "AdamW adds its decay to the gradient, as Adam does", optim.AdamW, False, "decoupled", "optimisers"
)
wrong(
    "sgd-decay-sign", "SGD's weight decay grows the weights", optim.SGD, _with(_sgd, decay=-1), "update", "optimisers"
)
wrong("sgd-no-nesterov", "SGD ignores nesterov", optim.SGD, _with(_sgd, nesterov=False), "update", "optimisers")
wrong("sgd-forgets", "SGD's momentum forgets all earlier steps", optim.SGD, _with(_sgd, keep=0), "update", "optimisers")
wrong(
    "rmsprop-swapped",
    "RMSprop weighs old and new the wrong way round",
    optim.RMSprop,
    _with(_rmsprop, swapped=True),
    "update",
    "optimisers",
)
wrong(
    "rmsprop-uncentred",
    "RMSprop ignores centered",
    optim.RMSprop,
    _with(_rmsprop, centred=False),
    "update",
    "optimisers",
)
wrong(
    "optimiser-restarts",
    "load_state_dict forgets the number of steps",
    optim.Optimizer,
    (
        lambda load: (
            lambda self, state: load(self, {**state, "state": {k: {**v, "step": 0} for k, v in state["state"].items()}})
        )
    )(optim.Optimizer.load_state_dict),
    "load_state_dict",
    "optimisers",
)


@check("optimisers")
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
