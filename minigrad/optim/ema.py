"""Averages of a model's weights over its training."""

import copy

from minigrad.optim.flat import BLOCK
from minigrad.writes import touch


class EMA:
    """A copy of a model whose parameters and floating buffers are running averages: a += (1 - decay) * (now - a).

    `ema.model` is the averaged model, in eval mode. Early on the decay is (1 + n) / (10 + n) where that is less, so
    that the beginning is forgotten.
    """

    def __init__(self, model, decay=0.999):
        if not 0 <= decay < 1:
            raise ValueError(f"EMA: decay is {decay}; use a value in [0, 1)")
        self.source, self.decay, self.updates = model, decay, 0
        self.model = copy.deepcopy(model).requires_grad_(False).eval()

    def update(self):
        """Take in the model as it is now."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        pairs = zip(self.model.state_dict().values(), self.source.state_dict().values())
        for mean, now in {id(mean.array): (mean, now) for mean, now in pairs}.values():  # a weight of two names once
            if mean.dtype.kind != "f":
                mean.copy_(now)
                continue
            touch(mean.array)
            for part in _parts(mean.array):
                step = now.array[part] - mean.array[part]
                step *= 1 - decay
                mean.array[part] += step

    def state_dict(self):
        """The averaged model's state and the number of updates."""
        return {"updates": self.updates, "model": self.model.state_dict()}

    def load_state_dict(self, state_dict):
        """Go on from a state that `state_dict` gave."""
        self.model.load_state_dict(state_dict["model"])
        self.updates = int(state_dict["updates"])


def _parts(array):
    """Indices of an array's parts, of about a block each: what is computed of one is soon free again."""
    if array.size <= BLOCK:
        return [...]
    rows = max(1, BLOCK * len(array) // array.size)
    return [slice(start, start + rows) for start in range(0, len(array), rows)]
