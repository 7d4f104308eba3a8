"""The optimisers: each is its numbers and one update of arrays."""

import math

from minigrad.backend import compiled as loops
from minigrad.optim.optimizer import Optimizer


class SGD(Optimizer):
    """p -= lr * g, with momentum (Polyak), Nesterov's variant, and weight decay as an L2 penalty."""

    def __init__(self, params, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False):
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError(f"SGD: nesterov with momentum={momentum}, dampening={dampening}; it needs momentum above "
                             "0 and dampening 0")
        super().__init__(params, lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay,
                         nesterov=nesterov)

    def used_slots(self, group):
        return ("momentum_buffer",) if group["momentum"] else ()

    def update(self, xp, group, step, p, g, t, momentum_buffer=None):
        if group["weight_decay"]:
            g = g + xp.multiply(p, group["weight_decay"], out=t)
        if momentum_buffer is not None:
            momentum_buffer *= group["momentum"]
            momentum_buffer += xp.multiply(g, 1.0 if step == 1 else 1.0 - group["dampening"], out=t)
            if group["nesterov"]:
                g = g + xp.multiply(momentum_buffer, group["momentum"], out=t)
            else:
                g = momentum_buffer
        p -= xp.multiply(g, group["lr"], out=t)


class RMSprop(Optimizer):
    """p -= lr * g / (sqrt(v) + eps), v a running mean of g**2 (Hinton 2012, Neural Networks for ML, lecture 6e)."""

    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False):
        super().__init__(params, lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum,
                         centered=centered)

    def used_slots(self, group):
        return ("square_avg", *["grad_avg"] * bool(group["centered"]), *["momentum_buffer"] * bool(group["momentum"]))

    def update(self, xp, group, step, p, g, t, square_avg, grad_avg=None, momentum_buffer=None):
        alpha = group["alpha"]
        if group["weight_decay"]:
            g = g + xp.multiply(p, group["weight_decay"], out=t)
        square_avg *= alpha
        xp.multiply(g, g, out=t)
        t *= 1 - alpha
        square_avg += t
        if grad_avg is None:
            xp.sqrt(square_avg, out=t)
        else:
            grad_avg *= alpha
            grad_avg += xp.multiply(g, 1 - alpha, out=t)
            xp.multiply(grad_avg, grad_avg, out=t)
            xp.sqrt(xp.subtract(square_avg, t, out=t), out=t)
        t += group["eps"]
        xp.divide(g, t, out=t)
        if momentum_buffer is not None:
            momentum_buffer *= group["momentum"]
            momentum_buffer += t
            t[...] = momentum_buffer
        t *= group["lr"]
        p -= t


class Adam(Optimizer):
    """p -= lr * m / (sqrt(v) + eps): bias-corrected running means of g and g**2 (Kingma & Ba 2015, algorithm 1)."""

    slots = ("exp_avg", "exp_avg_sq")
    decoupled = False  # whether weight decay acts on the parameters themselves

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(params, lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay)

    def numbers(self, group, step):
        """(shrink, decay, beta1, 1 - beta1, beta2, 1 - beta2, eps, rate): the last two take in both corrections.

        lr * (m / c1) / (sqrt(v / c2) + eps) is m / (sqrt(v) + eps * sqrt(c2)) * (lr * sqrt(c2) / c1).
        """
        (beta1, beta2), lr, decay = map(float, group["betas"]), float(group["lr"]), float(group["weight_decay"])
        correction = math.sqrt(1 - beta2 ** step)
        return (1 - lr * decay if self.decoupled else 1.0, 0.0 if self.decoupled else decay, beta1, 1 - beta1,
                beta2, 1 - beta2, float(group["eps"]) * correction, lr * correction / (1 - beta1 ** step))

    def update(self, xp, group, step, p, g, t, exp_avg, exp_avg_sq):
        shrink, decay, beta1, rest1, beta2, rest2, eps, rate = self.numbers(group, step)
        if shrink != 1:
            p *= shrink
        if decay:
            g = g + xp.multiply(p, decay, out=t)
        xp.multiply(g, g, out=t)
        t *= rest2
        exp_avg_sq *= beta2
        exp_avg_sq += t
        if beta1:
            exp_avg *= beta1
            exp_avg += xp.multiply(g, rest1, out=t)
        else:
            exp_avg[...] = g
        xp.sqrt(exp_avg_sq, out=t)
        t += eps
        xp.divide(exp_avg, t, out=t)
        t *= rate
        p -= t

    update.loop = loops.adam


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters directly (Loshchilov & Hutter 2019)."""

    decoupled = True

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2):
        super().__init__(params, lr, betas, eps, weight_decay)
