"""Two sets without pairs: their batches, and what is measured where the truth is known, that was never shown."""

from typing import NamedTuple

import numpy as np

import minigrad as mg
from gans.machinery import watch
from gans.machinery.commandline import say
from gans.machinery.translate import l1, values
from minigrad.random import stream

NOISE = 2  # of 255: what nobody sees


def unpaired(run, step, sets):
    """((the set, the places of the step's batch in it) of A, the same of B): each set is drawn from by itself."""
    n, drawn = run.args.batch, stream(run.seed, "second set", step)
    return ((sets.given, run.batch_order(step, len(sets.given), n)),
            (sets.wanted, drawn.choice(len(sets.wanted), n, replace=False)))


class Told(NamedTuple):
    """How pictures that were made compare with the true counterparts of what they were made of."""

    near: float  # L1 to the true counterpart
    control: float  # the same to that of another picture
    unchanged: float  # what it would be if nothing had been done
    changed: float  # the share that went more than half the way to it
    rest: float  # L1 to what was given, where the counterpart is like it


def beside_truth(given, made, truth):
    """What is Told by uint8 images (N, H, W, C) that were made, beside those given and their true counterparts.

    How far a picture went is told by the projection upon the way from what was given to the truth.
    """
    way, moved = (images.astype(np.float64) - given for images in (truth, made))
    share = (way * moved).sum((1, 2, 3)) / (way ** 2).sum((1, 2, 3))
    return Told(l1(made, truth), l1(made, np.roll(truth, 1, 0)), l1(given, truth), float((share > 0.5).mean()),
                float(np.abs(moved[way == 0]).mean() / 255))


def hidden(there, back, given, seed=1):
    """(L1 of the way there and back to what was given, the same if NOISE is added half way), of uint8 images.

    The noise is of +-NOISE, a coin a value. What `back` reads from pictures can be no finer, or the latter is large.
    """
    device = next(there.parameters()).device
    coins = mg.tensor(stream(seed, "noise half way").choice(np.float32([-1, 1]), given.shape), device=device)
    start = values(given, there, device)
    with watch.untouched(there), watch.untouched(back):
        half = there(start)
        ends = back(half), back(half + coins.permute(0, 3, 1, 2) * (NOISE / 127.5))  # values are from -1 to 1
        return [float((end - start).abs().mean()) / 2 for end in ends]


def results(run, G, F, a, like_b, b, like_a):
    """What is found in faces that were kept back, for `Run.end`; and say it. Short runs have lower bars."""
    lines, (nearer, changed, still) = [], (1.0, 0.8, 0.03) if run.args.steps >= 1000 else (np.inf, 0.0, 0.15)
    for name, there, back, given, made, truth in (("put on", G, F, a, like_b, b), ("taken off", F, G, b, like_a, a)):
        told, (clean, noisy) = beside_truth(given, made, truth), hidden(there, back, given)
        say(f"{name}: {told.near:.4f} from the true counterpart, 0 to 1; {told.control:.4f} from another's, "
            f"{told.unchanged:.4f} if nothing had been done; there and back {clean:.4f}, with noise {noisy:.4f}")
        run.measure(run.step, **{f"{name} {what}": value for what, value in told._asdict().items()},
                    **{f"{name} cycle": clean, f"{name} cycle with noise": noisy})
        near, left, added = told.near / told.control, told.near / told.unchanged, 255 * (noisy - clean) / NOISE
        lines += [(f"{name}: distance / to another's", near, near < 0.5, "<0.5"),
                  (f"{name}: distance / if unchanged", left, left < nearer, f"<{nearer:g}"),
                  (f"{name}: share that changed", told.changed, told.changed >= changed, f">={changed}"),
                  (f"{name}: change of the rest", told.rest, told.rest <= still, f"<={still}"),
                  (f"{name}: what noise adds / noise", added, added <= 2, "<=2")]
    return lines
