"""Two heaps of pictures and no pairs: glasses put onto faces, and taken off, by a pair of GANs in a circle.

  python -m gans.cyclegan                faces without and with glasses
  python -m gans.cyclegan --data mine/   two folders of your own
  python -m gans.cyclegan --pool 0       D sees only what is new

After Zhu, Park, Isola & Efros, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks"
(2017). G makes a picture of B of one of A, F one of A of one of B, and each has a discriminator. Those alone would be
content with any face that wears glasses. What ties a picture to its own is the way back, F(G(a)) = a and G(F(b)) = b,
and that each leaves alone what is so already: G(b) = b, F(a) = a. D is also shown pictures of some time ago.

The faces are drawn by code, so the truth is known: the same face with glasses. No training sees it. Two things are not
the paper's. G and F say what is to be added to a picture instead of drawing it anew; and as that begins with doing
nothing, the weights of the way back and of leaving alone are a fifth and a tenth of its 10 and 5.

What to look at: cycles.png, row by row a, G(a), its true counterpart, F(G(a)); then the same of b. The circle has a
known way to cheat, as F may read what G hides in the last bits: --check adds noise of 2/255 on the way.

What to try: --cycle 10 --identity 5, the paper's weights, under which G and F dare little.
"""

import sys

from gans.machinery import counterparts
from gans.machinery.commandline import at_least, main, non_negative, only, parse, parser, positive
from gans.machinery.losses import LSGAN
from gans.machinery.pairs import halved, open_sets, pair_options
from gans.machinery.parts import frozen, update
from gans.machinery.pool import Pool
from gans.machinery.run import Run
from gans.machinery.translate import described, patches, show, translated, values, written
from minigrad import nn, optim
from minigrad.nn.functional import l1_loss

QUICK = "--size 16 --width 8 --steps 80"
HALVINGS, COMPARED = 1, 500


class Residual(nn.Module):
    """(N, w, S, S) -> the same shape: what comes in, and something added to it."""

    def __init__(self, w):
        super().__init__()
        self.change = nn.Sequential(
            nn.Conv2d(w, w, 3, 1, 1, bias=False), nn.InstanceNorm2d(w), nn.ReLU(),
            nn.Conv2d(w, w, 3, 1, 1, bias=False), nn.InstanceNorm2d(w))

    def forward(self, x):
        return x + self.change(x)


class Generator(nn.Module):
    """pictures (N, C, S, S) -> pictures (N, C, S, S)."""

    def __init__(self, channels, w):
        super().__init__()
        self.change = nn.Sequential(                                                      # (N, C, S, S)
            nn.Conv2d(channels, w, 3, 1, 1), nn.ReLU(),                                   # (N, w, S, S)
            nn.Conv2d(w, 2 * w, 4, 2, 1, bias=False), nn.InstanceNorm2d(2 * w), nn.ReLU(),  # (N, 2w, S/2, S/2)
            Residual(2 * w), Residual(2 * w),                                             # (N, 2w, S/2, S/2)
            nn.ConvTranspose2d(2 * w, w, 4, 2, 1, bias=False), nn.InstanceNorm2d(w), nn.ReLU(),  # (N, w, S, S)
            nn.Conv2d(w, channels, 3, 1, 1))                                              # (N, C, S, S)

    def forward(self, x):
        return x + self.change(x)


def generator(options):
    """G of a run; F is alike."""
    given, made = options.shapes
    return described(Generator(given[2], options.width), given, made)


def train(run, sets):
    """Returns G and F."""
    args, (G, F) = run.args, (generator(run.args).to(run.device) for _ in "GF")
    D_a, D_b = (patches(G.given_shape[2], 2 * args.width).to(run.device) for _ in "ab")
    pools = [Pool(args.pool, G.given_shape, run.device) for _ in "ab"]
    optimiser_g, optimiser_d = (optim.Adam([*one.parameters(), *other.parameters()], rate, betas=(0.5, 0.999))
                                for one, other, rate in ((G, F, args.lr), (D_a, D_b, 2 * args.lr)))
    run.keep(G=G, F=F, D_a=D_a, D_b=D_b, pool_a=pools[0], pool_b=pools[1], optimiser_g=optimiser_g,
             optimiser_d=optimiser_d)

    for step in run.steps():
        for optimiser, rate in ((optimiser_g, args.lr), (optimiser_d, 2 * args.lr)):
            optimiser.param_groups[0]["lr"] = rate * min(1, 2 - 2 * (step - 1) / args.steps)
        a, b = (values(part[chosen], G, run.device) for part, chosen in counterparts.unpaired(run, step, sets))
        like_b, like_a = G(a), F(b)

        # 1. G and F are to be taken for the other set, to lead back, and to leave alone what is of their own set.
        with frozen(D_a), frozen(D_b):
            g = LSGAN.g(D_b(like_b)) + LSGAN.g(D_a(like_a))
            cycle = l1_loss(F(like_b), a) + l1_loss(G(like_a), b)
            identity = l1_loss(G(b), b) + l1_loss(F(a), a)
            update(optimiser_g, g + args.cycle * cycle + args.identity * identity)

        # 2. Each D learns, half as fast, from real pictures and from those of the pool.
        shown = [pool(made, run.uniform(step, len(made), 2, name=f"pool {name}"))
                 for pool, made, name in zip(pools, (like_a, like_b), "ab")]
        answers = D_a(a), D_a(shown[0]), D_b(b), D_b(shown[1])
        d_real, d_fake = (sum(parts) for parts in zip(LSGAN.d(*answers[:2]), LSGAN.d(*answers[2:])))
        update(optimiser_d, (d_real + d_fake) / 2)

        run.log(step, d_real=d_real / 2, d_fake=d_fake / 2, g=g / 2, cycle=cycle / 2, identity=identity / 2,
                scores=answers[2:], images=(b, like_b))
        show(run, step, lambda: sets.held_given[:8], lambda: translated(G, sets.held_given[:8]),
             lambda: sets.held_wanted[:8], lambda: translated(F, sets.held_wanted[:8]))
    return G, F


def demo(argv=None):
    p = parser("cyclegan", __doc__, steps=1600, batch=4)
    pair_options(p, "auto (glasses), glasses")
    p.add_argument("--cycle", type=non_negative, default=2.0, metavar="X", help="weight of the way back (2)")
    p.add_argument("--identity", type=non_negative, default=0.5, metavar="X", help="of leaving alone (0.5)")
    p.add_argument("--pool", type=at_least(0), default=50, metavar="N", help="pictures kept for D (50)")
    p.add_argument("--width", type=positive, default=16, metavar="W", help="channels of the widest pictures (16)")
    p.add_argument("--lr", type=non_negative, default=1e-3, metavar="X", help="rate of G and F, of D twice that (1e-3)")
    args = parse(p, argv)
    only(args, ["check"], args.data in ("auto", "glasses"), "--data glasses, where the truth is known")
    halved(args, HALVINGS)
    sets = open_sets(args).for_run(args)

    with Run(args, "cyclegan: the losses of D and G, and of the way back", LSGAN.ideals) as run:
        G, F = train(run, sets)
        run.finish()
        a, b = sets.held_given[:COMPARED], sets.held_wanted[:COMPARED]
        like_b, like_a = translated(G, a), translated(F, b)
        circles = [a, like_b, *([b] if sets.matched else []), translated(F, like_b),
                   b, like_a, *([a] if sets.matched else []), translated(G, like_a)]
        written(run, "cycles.png", *circles)
        if not sets.matched:
            return run.end([], f"python -m gans.apply {run.folder} FOLDER, for other pictures of the first set")
        return run.end(counterparts.results(run, G, F, a, like_b, b, like_a),
                       f"python -m gans.apply {run.folder} FILE, for a face of your own; --back for the other way")


if __name__ == "__main__":
    sys.exit(main(demo))
