"""Why GANs circle: f = xy, and the smallest GAN there is.

x goes downhill on f = xy, y goes uphill: a game like a GAN's, at rest in (0, 0). Simultaneous steps multiply the radius
by sqrt(1 + lr^2) each and leave; alternating steps, which GANs take, keep x^2 + y^2 - lr x y for ever; extragradient
steps, with slopes from a trial step ahead, multiply it by sqrt(1 - lr^2 + lr^4) and arrive (Korpelevich 1976).

The Dirac-GAN (Mescheder, Geiger & Nowozin 2018, "Which training methods for GANs do actually converge?") has a number a
side: real data are 0, generated data theta, D(x) = psi x. Whether a variant arrives is told without training it by the
Jacobian of (-dG/dtheta, -dD/dpsi) at (0, 0): eigenvalues of a real part below 0 draw in, 0 circles, above 0 drives out.

What to look at: training.gif. Each loss circles by itself; what arrives has D pay for being steep at real data (R1), or
see all data blurred. The penalty of WGAN-GP wants slope 1 where 0 is right. An average of a circling pair is nearer.

What to try: --lr 0.3; --seed, which turns the start of the Dirac-GANs; in the file, less and more of GAMMA and SIGMA.
"""

import sys
from functools import partial
from math import cos, pi, sin
from statistics import NormalDist

import numpy as np

import minigrad as mg
from gans.machinery.commandline import main, non_negative, parse, parser
from gans.machinery.losses import MINIMAX, NS, WGAN, gradient_penalty, r1
from gans.machinery.portraits import Portraits
from gans.machinery.run import Run
from minigrad import nn, optim
from minigrad.autograd import grad
from minigrad.random import stream

START, GAMMA, SIGMA, CLIP, DECAY = (0.6, 0.7), 0.5, 1.0, 0.5, 0.98
NODES = np.array(NormalDist().quantiles(401))  # 400 numbers that stand for all of N(0, 1)
QUICK = ""


class Pair(nn.Module):  # of players, a number each
    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = (nn.Parameter(mg.tensor([[v]], dtype=mg.float64)) for v in (x, y))  # (N, 1) with N = 1

    def move(self, dx=0.0, dy=0.0):
        self.x.data.add_(dx), self.y.data.add_(dy)


def simultaneous(pair, lr):  # both step from where both stand
    df_dx, df_dy = grad(pair.x * pair.y, (pair.x, pair.y))
    pair.move(-lr * df_dx, lr * df_dy)


def alternating(pair, lr):  # y answers to the x that has stepped already
    pair.move(dx=-lr * grad(pair.x * pair.y, pair.x)[0])
    pair.move(dy=lr * grad(pair.x * pair.y, pair.y)[0])


def extragradient(pair, lr):  # a trial step to see the slopes there, then the step with those slopes from here
    ahead = Pair(pair.x.item(), pair.y.item()).to(pair.x.device)
    simultaneous(ahead, lr)
    df_dx, df_dy = grad(ahead.x * ahead.y, (ahead.x, ahead.y))
    pair.move(-lr * df_dx, lr * df_dy)


def dirac(theta, psi, loss=NS, penalty=lambda D, real, fake: 0.0, sigma=0.0):
    """The losses of D and of G for theta and psi, (N, 1) each, a row a game."""
    D, real, fake = partial(mg.mul, psi), mg.zeros_like(theta), theta                                  # (N, 1)
    if sigma:  # D sees both with N(0, sigma^2) upon them (Sonderby et al. 2017)
        real, fake = (x + sigma / NODES.std() * mg.tensor(NODES, device=x.device) for x in (real, fake))  # (N, 400)
    return sum(loss.d(D(real), D(fake))) + penalty(D, real, fake), loss.g(D(fake))


# The games, with (a, t) of the Jacobian in theory, [[0, a], [-a, t]]; WGAN-GP's penalty has a sharp peak at psi = 0.
DIRAC = {"minimax": (partial(dirac, loss=MINIMAX), 0.5, 0.0), "WGAN": (partial(dirac, loss=WGAN), 1.0, 0.0),
         "clipping": (partial(dirac, loss=WGAN), 1.0, 0.0),
         "WGAN-GP": (partial(dirac, loss=WGAN, penalty=lambda *x: 0.1 * gradient_penalty(*x, 0.5)), 1.0, 2e5 - 0.2),
         "non-saturating": (dirac, 0.5, 0.0),
         "R1": (partial(dirac, penalty=lambda D, real, fake: GAMMA / 2 * r1(D, real)), 0.5, -GAMMA),
         "instance noise": (partial(dirac, sigma=SIGMA), 0.5, -SIGMA ** 2 / 2)}
XY = {"simultaneous": simultaneous, "alternating": alternating, "extragradient": extragradient}
FATES = {"simultaneous": "leaves", "non-saturating": "ever slower", "averaged": "WGAN's average",
         **dict.fromkeys(("extragradient", "R1", "instance noise"), "arrives")}


def push(game, theta, psi, **how):  # where they go: down the slopes of G's loss and of D's
    d, g = game(theta, psi)
    return grad(-g, theta, retain_graph=True, **how)[0], grad(-d, psi, **how)[0]


def jacobian(game):
    """d push / d(theta, psi) at (0, 0)."""
    at = [mg.zeros(1, 1, dtype=mg.float64, requires_grad=True) for _ in range(2)]
    rows = [grad(v, at, retain_graph=True, allow_unused=True) for v in push(game, *at, create_graph=True)]
    return [[0.0 if entry is None else entry.item() for entry in row] for row in rows]


def train(run):
    """All games at once. Returns {name: way (steps + 1, 2)}."""
    angle, lr = 2 * pi * stream(run.seed, "start").random(), run.args.lr
    pairs = {name: Pair(*START) for name in XY} | {name: Pair(cos(angle), sin(angle)) for name in DIRAC}
    average = optim.EMA(pairs["WGAN"].to(run.device), DECAY)
    run.keep(**{name: pair.to(run.device) for name, pair in pairs.items()}, average=average)
    fields = {name: lambda x, y: (-y, x) for name in XY} | {name: partial(push, DIRAC[name][0]) for name in DIRAC}
    portraits = Portraits(run, fields | {"averaged": fields["WGAN"]}, FATES)

    for step in run.steps():
        for name, take in XY.items():
            take(pairs[name], lr)
        for name, (game, *_) in DIRAC.items():  # D's step, then G's, as in every other chapter
            theta, psi = pairs[name].x, pairs[name].y
            pairs[name].move(dy=-lr * grad(game(theta, psi)[0], psi)[0])
            if name == "clipping":
                psi.data.clamp_(-CLIP, CLIP)
            pairs[name].move(dx=-lr * grad(game(theta, psi)[1], theta)[0])
        average.update()
        portraits.go_on(step, pairs | {"averaged": average.model})
    return portraits.ways()


def acceptance(way, n, lr):
    """What theory says of each game, as (name, value, passed, threshold)."""
    radius = {name: np.hypot(*places.T) for name, places in way.items()}
    x, y = way["alternating"].T
    grown, shrunk = (np.hypot(*START) * by ** (n / 2) for by in (1 + lr ** 2, 1 - lr ** 2 + lr ** 4))
    yield "simultaneous: radius", (end := radius["simultaneous"][-1]), abs(end / grown - 1) < 1e-10, f"{grown:.5g}"
    yield "alternating: largest radius", (most := radius["alternating"].max()), most < 1, "<1"
    yield "  what it keeps changes by", (off := np.ptp(x ** 2 + y ** 2 - lr * x * y)), off < 1e-9, "<1e-9"
    yield "extragradient: radius", (end := radius["extragradient"][-1]), end < 0.1 and abs(end - shrunk) < 1e-9, "<0.1"
    ends = {"minimax": 1, "WGAN": 1, "clipping": CLIP, "WGAN-GP": 4 / pi, "R1": 0, "instance noise": 0,
            "non-saturating": (1 + (n - 63) * lr / 8) ** -0.5, "averaged": (1 - DECAY) / np.hypot(1 - DECAY, lr)}
    for name, (game, a, t) in DIRAC.items():
        found, wanted = (np.linalg.eigvals(j) for j in (jacobian(game), [[0, a], [-a, t]]))
        off = np.abs(np.sort_complex(found) - np.sort_complex(wanted)).max()
        yield f"{name}: real part", found.real.max(), off < 1e-6 * max(1, t), f"{wanted.real.max():.4g}"
    for name, wanted in ends.items():
        last = radius[name][-126:].mean()  # of one turn or two
        yield f"{name}: ends at radius", last, abs(last - wanted) < 0.1 * wanted + 0.001, f"{wanted:.3g}"


def demo(argv=None):
    p = parser("xy", __doc__, steps=499, capture="extragradient takes numbers out of its tensors")
    p.add_argument("--lr", type=non_negative, default=0.1, metavar="X", help="the rate of all steps (0.1)")
    args = parse(p, argv)
    with Run(args, pictures=30) as run:
        way = train(run)
        run.finish()
        return run.end(acceptance(way, run.step, args.lr), "python -m gans.ideal")


if __name__ == "__main__":
    sys.exit(main(demo))
