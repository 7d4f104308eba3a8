"""What programs find beside their own lines: `names(torch)`, where torch is minigrad or PyTorch.

`nudge` changes the arrays of leaves and cotangents, to see how much their rounding matters.
"""

import numpy as np


def normal(seed, *shape):
    """Numbers that depend on the seed alone."""
    return np.random.default_rng(seed).standard_normal(shape)


def integers(seed, low, high, *shape):
    """Integers in low..high - 1 that depend on the seed alone."""
    return np.random.default_rng(seed).integers(low, high, shape)


def name_of(dtype):
    """A dtype's name as NumPy has it."""
    return str(dtype).removeprefix("torch.")


def decay(epoch):
    """A factor for LambdaLR."""
    return 1 / (1 + epoch)


def state_of(module):
    """A module's state, by name."""
    return dict(module.state_dict())


def rates(optimiser):
    """The learning rates of an optimiser's groups."""
    return [group["lr"] for group in optimiser.param_groups]


def names(torch, nudge=lambda array: array):
    """The names that a program finds, on one of the two libraries."""
    def leaf(array):
        """A tensor on an array, strides and all; PyTorch, which has no negative ones, gets a copy of such an array."""
        array = nudge(array)
        turned = torch.__name__ == "torch" and any(step < 0 for step in array.strides)
        return torch.from_numpy(array.copy("K") if turned else array)

    def like(y, seed):
        """A random cotangent for y."""
        return leaf(np.asarray(normal(seed, *y.shape)).astype(name_of(y.dtype)))

    def second(slopes, xs, seed):
        """The gradient of the slopes, weighed at random: zeros where the slopes do not depend on an x."""
        live = [(g, like(g, seed + i)) for i, g in enumerate(slopes) if g is not None and g.requires_grad]
        found = [None] * len(xs)
        if live:
            found = torch.autograd.grad([g for g, _ in live], xs, [weight for _, weight in live], allow_unused=True)
        return [torch.zeros_like(x) if g is None else g for g, x in zip(found, xs)]

    def filled(module, seed):
        """The module with parameters and buffers that depend on the seed alone."""
        state = module.state_dict()
        for i, (name, x) in enumerate(state.items()):
            if x.is_floating_point():
                values = normal(seed + i, *x.shape)
                values = np.abs(values) + 0.5 if "var" in name else values
                state[name] = leaf(np.asarray(values).astype(name_of(x.dtype)))
        module.load_state_dict(state)
        return module

    return {"torch": torch, "nn": torch.nn, "F": torch.nn.functional, "np": np, "leaf": leaf, "like": like,
            "second": second, "filled": filled, "normal": normal, "integers": integers, "decay": decay,
            "state_of": state_of, "rates": rates}
