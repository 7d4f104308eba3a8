"""The book's training steps in JAX, as `jax.jit` likes them: pure functions of all weights, compiled whole.

Networks and optimisers are read off the case in `bench/steps.py`, layer by layer, so that weights, data and rates are
the same: `jitted(case)` gives step(i), whose state stays in JAX, the old one donated to the new.
"""

import numpy as np

import minigrad
from bench import peers
from bench.steps import CASES, three_updates


def layer(jax, module, x, w):
    """What a module of minigrad makes of x, with weights w."""
    np_, name = jax.numpy, type(module).__name__
    if name == "Linear":
        return x @ w["weight"].T + w["bias"]
    if name == "Sigmoid":
        return jax.nn.sigmoid(x)
    if name == "LeakyReLU":
        return np_.where(x > 0, x, module.negative_slope * x)
    if name == "LayerNorm":
        centred = x - x.mean(-1, keepdims=True)
        return centred / np_.sqrt((centred ** 2).mean(-1, keepdims=True) + module.eps) * w["weight"] + w["bias"]
    raise SystemExit(f"bench.capture: {name} has no form for JAX yet; leave this case away")


def weights(net):
    """The parameters of a Sequential, a dict a layer."""
    return [{name: np.array(p.detach().numpy()) for name, p in module.named_parameters()} for module in net]


def loss_of(jax, name):
    """A mean loss of minigrad's, by the name of its module."""
    np_ = jax.numpy
    if name == "MSELoss":
        return lambda y, t: ((y - t) ** 2).mean()
    return lambda p, t: -(t * np_.maximum(np_.log(p), -100) + (1 - t) * np_.maximum(np_.log(1 - p), -100)).mean()


def updated(jax, optimiser, p, g, state):
    """(parameters, state) after a step of SGD, or of Adam with the state (count, means, squares)."""
    group, each = optimiser.param_groups[0], jax.tree_util.tree_map
    if type(optimiser).__name__ == "SGD":
        return each(lambda p, g: p - group["lr"] * g, p, g), state
    (one, two), (count, m, v) = group["betas"], state
    count = count + 1
    m = each(lambda m, g: one * m + (1 - one) * g, m, g)
    v = each(lambda v, g: two * v + (1 - two) * g * g, v, g)
    a, b = 1 - one ** count, 1 - two ** count
    p = each(lambda p, m, v: p - group["lr"] * (m / a) / (jax.numpy.sqrt(v / b) + group["eps"]), p, m, v)
    return p, (count, m, v)


def jitted(case):
    """step(i) of a case of three updates, as one compiled function of JAX."""
    import jax

    networks, turns = CASES[case].make(minigrad, lambda a: minigrad.tensor(np.asarray(a, np.float32)))
    peers.set_weights(minigrad, networks)
    names = dict(zip(turns.learn.__code__.co_freevars, (cell.cell_contents for cell in turns.learn.__closure__)))
    if turns.learn.__qualname__.split(".")[0] != three_updates.__name__:
        raise SystemExit(f"bench.capture: {case} is no step of three updates, and has no form for JAX")
    D, G = networks
    loss = loss_of(jax, type(names["loss"]).__name__)
    one, zero = (np.array(names[name].numpy()) for name in ("one", "zero"))
    optimiser_d, optimiser_g = names["optimiser_d"], names["optimiser_g"]

    def apply(net, w, x):
        for module, own in zip(net, w):
            x = layer(jax, module, x, own)
        return x

    def step(state, real, first, second):
        d, g, of_d, of_g = state
        d_real, slope = jax.value_and_grad(lambda d: loss(apply(D, d, real), one))(d)
        d, of_d = updated(jax, optimiser_d, d, slope, of_d)
        fake = apply(G, g, first)
        d_fake, slope = jax.value_and_grad(lambda d: loss(apply(D, d, fake), zero))(d)
        d, of_d = updated(jax, optimiser_d, d, slope, of_d)
        g_loss, slope = jax.value_and_grad(lambda g: loss(apply(D, d, apply(G, g, second)), one))(g)
        g, of_g = updated(jax, optimiser_g, g, slope, of_g)
        return (d, g, of_d, of_g), (d_real, d_fake, g_loss)

    def fresh(w):
        zeros = lambda: jax.tree_util.tree_map(np.zeros_like, w)
        return np.int32(0), zeros(), zeros()

    compiled = jax.jit(step, donate_argnums=0)
    d, g = weights(D), weights(G)
    state = [jax.device_put((d, g, fresh(d), fresh(g)))]
    data = [tuple(jax.device_put(x.numpy()) for x in turns.data(i)) for i in range(8)]  # they come again after that

    def run(i):
        state[0], losses = compiled(state[0], *data[i % 8])
        return losses

    return run
