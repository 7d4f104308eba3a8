"""How many modes of stacked digits do samples have? A classifier of single digits reads the channels, so each is known.

They are counted by both rules that are in use (metrics/modes.py), beside as many real stacks and PacGAN's tables. The
divergence is that from the shares of real stacks, which are not quite equal.
"""

import numpy as np

from gans.machinery.commandline import say
from gans.machinery.metrics import mode_counts, shares
from gans.machinery.progress import telling
from gans.machinery.run import beside, other_seeds
from gans.machinery.samples import generate
from gans.machinery.stacks import modes
from gans.machinery.supervised import paired
from minigrad.random import stream

EACH = 26  # samples that are counted for each mode, PacGAN's number
TABLES = {  # (modes with one sample, KL) that others have of 1,000 modes with 26,000 samples
    "PacGAN's table 2: DCGAN": (78.9, 4.50), "PacDCGAN2": (1000.0, 0.06),
    "table 3, D a quarter of G: DCGAN": (30.6, 5.99), "PacDCGAN2 ": (484.5, 2.61), "PacDCGAN4": (667.4, 1.81)}


def read(judge, stacks):
    """The mode that each of uint8 stacks (N, 28, 28, k) is read as: (N,)."""
    return modes(np.stack([judge.read(np.ascontiguousarray(stacks[..., k]))[1].argmax(1)
                           for k in range(stacks.shape[3])], 1))


def counted(run, G, pictures, judge):
    """The Modes of samples of a run's generator, EACH for a mode, which are noted."""
    count = 10 ** G.image_shape[2]
    with telling(f"a classifier reads {EACH * count:,} samples, channel by channel"):
        found = mode_counts(read(judge, generate(G, EACH * count, seed=run.seed)), shares(pictures.labels, count))
    run.measure(run.step, hit=found.hit, fair=found.fair, kl=found.kl)
    return found


def real_ones(pictures, judge, digits):
    """The Modes of as many real stacks: what perfect samples would have, read by the same classifier."""
    count = 10 ** digits
    chosen = stream(0, "real stacks").permutation(len(pictures.train))[:EACH * count]
    return mode_counts(read(judge, pictures.train[chosen]), shares(pictures.labels, count))


def beside_plain(run, mine, seeds, judged):
    """(Modes of packs, Modes of single images) of as many seeds, from a run's own on, at equal images seen.

    `mine` are the run's; `judged(other)` trains another run and returns its Modes.
    """
    packs, plain = [mine], []
    for k, other in enumerate([run, *([] if seeds == 1 else other_seeds(run, seeds - 1))]):
        if k:
            packs.append(judged(other))
        with beside(other, "single", {"pack": 1}) as single:
            plain.append(judged(single))
    return packs, plain


def said(found, real):
    """Print the table of Modes, {name: Modes}, beside those of real stacks, and, of 1,000 modes, beside others'."""
    rows = [(name, str(each.hit), str(each.fair), f"{each.kl:.3f}") for name, each in [*found.items(), ("real", real)]]
    if real.modes == 1000:
        rows += [(name, f"{hit:g}", "", f"{kl:.2f}") for name, (hit, kl) in TABLES.items()]
    title = f"of {real.modes:,} modes, {real.n:,} samples"
    for name, hit, fair, kl in [(title, "one hit", "half a share", "KL"), *rows]:
        say(f"{name:<36} {hit:>8} {fair:>13} {kl:>7}")


def results(packs, plain, long):
    """The (name, value, passed, threshold) of the Modes of seeds; a short run only has to beat a single mode."""
    found = packs[0]
    hit, fair, kl = (0.9 * found.modes, 0.5 * found.modes, 1.0) if long else (2, 0, np.log(found.modes) - 0.01)
    rows = [("modes by one hit", found.hit, found.hit >= hit, f">={hit:g}"),
            ("modes by half a fair share", found.fair, found.fair >= fair, f">={fair:g}"),
            ("KL to real shares", found.kl, found.kl <= kl, f"<={kl:.3g}")]
    if plain:
        gain, half = paired([each.kl for each in plain], [each.kl for each in packs])
        say(f"packs are {gain:.3f} nats nearer to the real shares than single images, over {len(plain)} seeds"
            + (f", +- {half:.3f}" if len(plain) > 1 else ""))
        least = -1.0 if not long else -0.1 if found.modes == 100 else 0.0  # of 100 modes packs gain nothing: measured
        rows.append(("KL: what packs gain", gain, gain > least, f">{least:g}"))
    return rows
