"""The optimisers: each is its numbers and one update of arrays.

`foreach`, `fused` and `capturable`, PyTorch's ways to run the same update, are taken and make no difference.
"""

import math

from minigrad.backend import compiled as loops
from minigrad.optim.optimizer import Optimizer


class SGD(Optimizer):
    """p -= lr * g, with momentum (Polyak), Nesterov's variant, and weight decay as an L2 penalty."""

    optional = {"momentum": "momentum_buffer"}

    def __init__(self, params, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, *,
                 maximize=False, foreach=None, differentiable=False, fused=None):
        super().__init__(params, lr=lr, momentum=momentum, dampening=dampening, weight_decay=weight_decay,
                         nesterov=nesterov, maximize=maximize, foreach=foreach, differentiable=differentiable,
                         fused=fused)

    def check(self, group):
        super().check(group)
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError(f"SGD: nesterov with momentum={group['momentum']}, dampening={group['dampening']}; it "
                             "needs momentum above 0 and dampening 0")

    def update(self, xp, group, step, p, g, t, momentum_buffer=None):
        if group["weight_decay"]:
            g = g + xp.multiply(p, float(group["weight_decay"]), out=t)
        if momentum_buffer is not None:  # `step` counts those with momentum, and the first takes all of g
            momentum_buffer *= float(group["momentum"])
            momentum_buffer += xp.multiply(g, 1.0 if step == 1 else 1.0 - float(group["dampening"]), out=t)
            if group["nesterov"]:
                g = g + xp.multiply(momentum_buffer, float(group["momentum"]), out=t)
            else:
                g = momentum_buffer
        p -= xp.multiply(g, float(group["lr"]), out=t)


class RMSprop(Optimizer):
    """p -= lr * g / (sqrt(v) + eps), v a running mean of g**2 (Hinton 2012, Neural Networks for ML, lecture 6e).

    `centered` takes the square of the mean of g from v; where rounding makes that negative, it is 0.
    """

    slots = ("square_avg",)
    optional = {"centered": "grad_avg", "momentum": "momentum_buffer"}

    def __init__(self, params, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False,
                 capturable=False, foreach=None, maximize=False, differentiable=False):
        super().__init__(params, lr=lr, alpha=alpha, eps=eps, weight_decay=weight_decay, momentum=momentum,
                         centered=centered, capturable=capturable, foreach=foreach, maximize=maximize,
                         differentiable=differentiable)

    def update(self, xp, group, step, p, g, t, square_avg, grad_avg=None, momentum_buffer=None):
        alpha = float(group["alpha"])
        if group["weight_decay"]:
            g = g + xp.multiply(p, float(group["weight_decay"]), out=t)
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
            xp.sqrt(xp.maximum(xp.subtract(square_avg, t, out=t), 0, out=t), out=t)
        t += float(group["eps"])
        xp.divide(g, t, out=t)
        if momentum_buffer is not None:
            momentum_buffer *= float(group["momentum"])
            momentum_buffer += t
            t[...] = momentum_buffer
        t *= float(group["lr"])
        p -= t


class Adam(Optimizer):
    """p -= lr * m / (sqrt(v) + eps): bias-corrected running means of g and g**2 (Kingma & Ba 2015, algorithm 1).

    With `amsgrad`, v is the largest that it has been (Reddi, Kale & Kumar 2018).
    """

    slots = ("exp_avg", "exp_avg_sq")
    optional = {"amsgrad": "max_exp_avg_sq"}
    decoupled = False  # whether weight decay acts on the parameters themselves

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False, *, foreach=None,
                 maximize=False, capturable=False, differentiable=False, fused=None):
        super().__init__(params, lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay, amsgrad=amsgrad,
                         foreach=foreach, maximize=maximize, capturable=capturable, differentiable=differentiable,
                         fused=fused)

    def numbers(self, group, step):
        """(shrink, decay, beta1, 1 - beta1, beta2, 1 - beta2, eps, rate): the last two take in both corrections.

        lr * (m / c1) / (sqrt(v / c2) + eps) is m / (sqrt(v) + eps * sqrt(c2)) * (lr * sqrt(c2) / c1).
        """
        (beta1, beta2), lr, decay = map(float, group["betas"]), float(group["lr"]), float(group["weight_decay"])
        correction = math.sqrt(1 - beta2 ** step)
        return (1 - lr * decay if self.decoupled else 1.0, 0.0 if self.decoupled else decay, beta1, 1 - beta1,
                beta2, 1 - beta2, float(group["eps"]) * correction, lr * correction / (1 - beta1 ** step))

    def update(self, xp, group, step, p, g, t, exp_avg, exp_avg_sq, max_exp_avg_sq=None):
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
        if max_exp_avg_sq is None:
            xp.sqrt(exp_avg_sq, out=t)
        else:
            xp.sqrt(xp.maximum(max_exp_avg_sq, exp_avg_sq, out=max_exp_avg_sq), out=t)
        t += eps
        xp.divide(exp_avg, t, out=t)
        t *= rate
        p -= t

    update.loop = loops.adam


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters directly (Loshchilov & Hutter 2019)."""

    decoupled = True

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *,
                 maximize=False, foreach=None, capturable=False, differentiable=False, fused=None):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize,
                         capturable=capturable, differentiable=differentiable, fused=fused)


class RAdam(Optimizer):
    """Adam that begins as SGD with momentum, until the variance of its steps can be told (Liu et al. 2020, alg. 2)."""

    slots = ("exp_avg", "exp_avg_sq")

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, decoupled_weight_decay=False, *,
                 foreach=None, maximize=False, capturable=False, differentiable=False):
        super().__init__(params, lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay,
                         decoupled_weight_decay=decoupled_weight_decay, foreach=foreach, maximize=maximize,
                         capturable=capturable, differentiable=differentiable)

    def numbers(self, group, step):
        """(beta1, beta2, rate, and, for v / c2: its factor and the numerator over its root, or None at the start)"""
        (beta1, beta2), lr = map(float, group["betas"]), float(group["lr"])
        rest = 1 - beta2 ** step
        most = 2 / (1 - beta2) - 1
        length = most - 2 * step * beta2 ** step / rest
        rate = lr / (1 - beta1 ** step)
        if length <= 5:
            return beta1, beta2, rate, None
        return beta1, beta2, rate, math.sqrt(rest * (length - 4) * (length - 2) * most
                                             / ((most - 4) * (most - 2) * length))

    def update(self, xp, group, step, p, g, t, exp_avg, exp_avg_sq):
        beta1, beta2, rate, rectified = self.numbers(group, step)
        decay = float(group["weight_decay"])
        if decay and group["decoupled_weight_decay"]:
            p *= 1 - float(group["lr"]) * decay
        elif decay:
            g = g + xp.multiply(p, decay, out=t)
        exp_avg *= beta1
        exp_avg += xp.multiply(g, 1 - beta1, out=t)
        exp_avg_sq *= beta2
        xp.multiply(g, g, out=t)
        t *= 1 - beta2
        exp_avg_sq += t
        if rectified is None:
            p -= xp.multiply(exp_avg, rate, out=t)
            return
        xp.sqrt(exp_avg_sq, out=t)
        t += float(group["eps"])
        xp.divide(exp_avg, t, out=t)
        t *= rate * rectified
        p -= t


class Adamax(Optimizer):
    """Adam with the infinity norm: p -= lr * m / u, u = max(beta2 * u, |g| + eps) (Kingma & Ba 2015, algorithm 2)."""

    slots = ("exp_avg", "exp_inf")

    def __init__(self, params, lr=2e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, foreach=None, *, maximize=False,
                 differentiable=False, capturable=False):
        super().__init__(params, lr=lr, betas=tuple(betas), eps=eps, weight_decay=weight_decay, foreach=foreach,
                         maximize=maximize, differentiable=differentiable, capturable=capturable)

    def update(self, xp, group, step, p, g, t, exp_avg, exp_inf):
        beta1, beta2 = map(float, group["betas"])
        if group["weight_decay"]:
            g = g + xp.multiply(p, float(group["weight_decay"]), out=t)
        exp_avg *= beta1
        exp_avg += xp.multiply(g, 1 - beta1, out=t)
        exp_inf *= beta2
        xp.abs(g, out=t)
        t += float(group["eps"])
        xp.maximum(exp_inf, t, out=exp_inf)
        xp.divide(exp_avg, exp_inf, out=t)
        t *= float(group["lr"]) / (1 - beta1 ** step)
        p -= t


class Adagrad(Optimizer):
    """p -= lr * g / (sqrt(s) + eps), s the sum of g**2 so far (Duchi, Hazan & Singer 2011); lr falls by `lr_decay`."""

    slots = ("sum",)

    def __init__(self, params, lr=1e-2, lr_decay=0.0, weight_decay=0.0, initial_accumulator_value=0.0, eps=1e-10,
                 foreach=None, *, maximize=False, differentiable=False, fused=None):
        super().__init__(params, lr=lr, lr_decay=lr_decay, weight_decay=weight_decay,
                         initial_accumulator_value=initial_accumulator_value, eps=eps, foreach=foreach,
                         maximize=maximize, differentiable=differentiable, fused=fused)

    def initial(self, group):
        return {"sum": float(group["initial_accumulator_value"])}

    def update(self, xp, group, step, p, g, t, sum):
        if group["weight_decay"]:
            g = g + xp.multiply(p, float(group["weight_decay"]), out=t)
        sum += xp.multiply(g, g, out=t)
        xp.sqrt(sum, out=t)
        t += float(group["eps"])
        xp.divide(g, t, out=t)
        t *= float(group["lr"]) / (1 + (step - 1) * float(group["lr_decay"]))
        p -= t


class Adadelta(Optimizer):
    """p -= lr * d, d = g * sqrt(mean of d**2 + eps) / sqrt(mean of g**2 + eps), with running means (Zeiler 2012)."""

    slots = ("square_avg", "acc_delta")

    def __init__(self, params, lr=1.0, rho=0.9, eps=1e-6, weight_decay=0.0, foreach=None, *, capturable=False,
                 maximize=False, differentiable=False):
        super().__init__(params, lr=lr, rho=rho, eps=eps, weight_decay=weight_decay, foreach=foreach,
                         capturable=capturable, maximize=maximize, differentiable=differentiable)

    def update(self, xp, group, step, p, g, t, square_avg, acc_delta):
        rho, eps = float(group["rho"]), float(group["eps"])
        if group["weight_decay"]:
            g = g + xp.multiply(p, float(group["weight_decay"]), out=t)
        square_avg *= rho
        xp.multiply(g, g, out=t)
        t *= 1 - rho
        square_avg += t
        xp.divide(xp.add(acc_delta, eps, out=t), square_avg + eps, out=t)
        xp.sqrt(t, out=t)
        t *= g
        acc_delta *= rho
        acc_delta += (1 - rho) * t * t
        t *= float(group["lr"])
        p -= t
