"""Which modes do samples come from? For data that are small hills around known centres, so that each can be told apart.

They are counted by `metrics.modes_around`, by both rules that are in use: a hill is there with one good sample (Lin et
al. 2018, "PacGAN", section 4.1), or with half of its fair share of them.
"""

import numpy as np

import minigrad as mg
from gans.machinery.commandline import say
from gans.machinery.metrics import modes_around
from gans.machinery.samples import noise, outputs
from minigrad.random import stream

TURN, LINE = np.arange(8) * np.pi / 4, np.arange(-2, 3) / 2 ** 0.5
HILLS = {"ring": (2 ** 0.5 * np.stack([np.cos(TURN), np.sin(TURN)], 1), 0.01 * 2 ** 0.5),
         "grid": (np.stack(np.meshgrid(LINE, LINE), 2).reshape(25, 2), 0.05 / 8 ** 0.5)}
"""Centres (hills, 2) and the deviation of each hill: PacGAN's, scaled to deviation 1 of all data along an axis."""

TABLE = {"ring": (("GAN", 6.3, 0.982, 0.45), ("PacGAN2", 7.9, 0.956, 0.07)),
         "grid": (("GAN", 17.3, 0.948, 0.70), ("PacGAN4", 24.8, 0.936, 0.04))}
"""What others reached: (modes with one good sample, share of good ones, KL), PacGAN, table 1."""


def hills(run, k):
    """Real samples for a run's k-th step of D: (N / pack, 2 pack), a pack of samples side by side as one input."""
    (centres, std), draw, n = HILLS[run.args.data], stream(run.seed, "real", k), run.args.batch
    x = centres[draw.integers(0, len(centres), n)] + std * draw.standard_normal((n, 2))
    return mg.tensor(x.astype(np.float32), device=run.device).reshape(-1, 2 * run.args.pack)


def counted(run, G):
    """The Modes of 10,000 samples of a run's generator, which are noted and said, beside PacGAN's table."""
    data = run.args.data
    found = modes_around(outputs(G, noise(G, 10_000, run.seed)), *HILLS[data])
    run.measure(run.step, hit=found.hit, fair=found.fair, good=found.high_quality, kl=found.kl)
    rows = [("", "one hit", "half a share", "good", "KL"),
            ("here", str(found.hit), str(found.fair), f"{found.high_quality:.1%}", f"{found.kl:.4f}"),
            *((f"{name}, PacGAN's table 1", f"{hit}", "", f"{good:.1%}", f"{kl:.2f}")
              for name, hit, good, kl in TABLE[data])]
    for name, hit, fair, good, kl in rows:
        say(f"{name:<26} {hit:>8} {fair:>13} {good:>7} {kl:>7}")
    return found


def figures(found, hills, long):
    """The (name, value, passed, threshold) of Modes where all hills are to be kept; a short run is asked for less."""
    fair, good, kl = (hills, 0.9, 0.01) if long else (hills // 4, 0.25, 0.05)
    return [("hills with one good sample", found.hit, found.hit == hills, f"=={hills}"),
            ("hills with half a fair share", found.fair, found.fair >= fair, f">={fair}"),
            ("good samples", found.high_quality, found.high_quality >= good, f">={good}"),
            ("KL to equal shares", found.kl, found.kl <= kl, f"<={kl}")]
