"""The bell curve: a GAN learns N(4, 1.25^2), in three ways that differ in what D is shown.

  python -m gans.gaussian                     D judges each number by itself
  python -m gans.gaussian --variant moments   D is shown four moments
  python -m gans.gaussian --variant row       D is shown 100 at once

With `batch`, the histogram comes to lie on the density. With `moments` (Dev Nag 2017, "GANs in 50 lines of code"), D is
shown mean, deviation, skewness and kurtosis of 500 numbers and nothing else: mean and deviation come out right, and the
shape does not, for D cannot object to what it never sees. With `row`, D must find out that the order means nothing.

What to look at: training.gif. The mean arrives long before the deviation does; the losses end near ln 2 where G is
right. KS is the largest distance between the two distribution functions: of 10,000 true samples, mostly below 0.0136.

What to try: each --variant; --steps 500; in the file, no r1, no average, a constant rate: when would you stop?
"""

import sys
from functools import partial

import numpy as np

import minigrad as mg
from gans.machinery.bells import histogram, kolmogorov_smirnov, progress
from gans.machinery.commandline import main, only, parse, parser, positive
from gans.machinery.losses import LN2, NS, r1
from gans.machinery.parts import critic_steps, frozen, update
from gans.machinery.plots import drawn
from gans.machinery.run import Run
from gans.machinery.samples import described, noise, outputs
from gans.machinery.seeds import over_seeds
from minigrad import nn, optim

STEPS, N = {"batch": 6000, "moments": 3000, "row": 6000}, {"batch": 256, "moments": 500, "row": 64}
MEAN, STD, QUICK = 4.0, 1.25, "--steps 2500 --seeds 1"


def networks(variant):
    """(G, D)."""
    if variant == "moments":
        G = nn.Sequential(                           # (N, 1)
            nn.Linear(1, 5), nn.Tanh(),              # (N, 5)
            nn.Linear(5, 5), nn.Tanh(),              # (N, 5)
            nn.Linear(5, 1))                         # (N, 1)
        D = nn.Sequential(                           # (1, 4): four moments of all N
            nn.Linear(4, 10), nn.Sigmoid(),          # (1, 10)
            nn.Linear(10, 10), nn.Sigmoid(),         # (1, 10)
            nn.Linear(10, 1))                        # (1, 1): a logit for the whole batch
    else:
        z, w, n = (4, 32, 1) if variant == "batch" else (100, 50, 100)
        G = nn.Sequential(                           # (N, z)
            nn.Linear(z, w), nn.LeakyReLU(0.2),      # (N, w)
            nn.Linear(w, w), nn.LeakyReLU(0.2),      # (N, w)
            nn.Linear(w, n))                         # (N, n): a number, or a row of them
        D = nn.Sequential(                           # (N, n)
            nn.Linear(n, w), nn.LeakyReLU(0.2),      # (N, w)
            nn.Linear(w, w), nn.LeakyReLU(0.2),      # (N, w)
            nn.Linear(w, 1))                         # (N, 1): logits
    return described(G, (G[0].weight.shape[1],), seeds="uniform" if variant == "moments" else "normal",
                     value_range=(-float("inf"), float("inf"))), D


def generator(options):
    return networks(options.variant)[0]


def moments(x):
    """Mean, deviation, skewness and excess kurtosis of numbers (N, 1), as (1, 4)."""
    mean = x.mean()
    std = ((x - mean) ** 2).mean().sqrt()
    z = (x - mean) / std
    return mg.stack([mean, std, (z ** 3).mean(), (z ** 4).mean() - 3]).reshape(1, 4)


def train(run):
    """Returns the averaged G."""
    variant, n = run.args.variant, N[run.args.variant]
    G, D = (net.to(run.device) for net in networks(variant))
    show, seeds, inner, width = nn.Identity(), run.noise, 1, D[0].weight.shape[1]
    optimiser_g, optimiser_d = (optim.Adam(net.parameters(), 2e-3, betas=(0.5, 0.999)) for net in (G, D))
    if variant == "moments":  # 20 steps of D, then 20 of G, as published
        show, seeds, inner, width = moments, run.uniform, 20, 1
        optimiser_g, optimiser_d = (optim.SGD(net.parameters(), 1e-3, momentum=0.9) for net in (G, D))
    average = optim.EMA(G, 0.99 if variant == "moments" else 0.999)
    run.keep(G=G, D=D, average=average, optimiser_g=optimiser_g, optimiser_d=optimiser_d)

    @run.captured
    def learn(real, seeds):  # 1 and 2. D learns from real and from generated numbers; of each alone, it is not steep.
        on_real, on_fake = D(show(real)), D(show(G(seeds).detach()))
        d_real, d_fake = NS.d(on_real, on_fake)
        update(optimiser_d, d_real + d_fake + (0.05 * r1(D, real) if variant == "batch" else 0))
        return dict(d_real=d_real, d_fake=d_fake, logits=(on_real, on_fake))

    @run.captured
    def follow(seeds):  # 3. G learns to be taken for real.
        with frozen(D):
            update(optimiser_g, g := NS.g(D(show(G(seeds)))))
        return g

    for step in run.steps():
        if variant != "moments":
            rate = 2e-3 * (1 - (step - 1) / run.args.steps)
            optimiser_g.param_groups[0]["lr"] = optimiser_d.param_groups[0]["lr"] = rate
        for k in critic_steps(step, inner):
            found = learn(MEAN + STD * run.noise(k, n, width, name="real"), seeds(k, n, *G.seed_shape))
        for k in critic_steps(step, inner):
            g = follow(seeds(k, n, *G.seed_shape, name="noise for G"))
        average.update()
        run.log(step, **found, g=g)
        if step % 50 == 0 or run.picture_due(step):
            run.measure(step, mean=(x := samples(average.model, run.seed, "look", 1000)).mean(), std=x.std())
            run.plot(step, partial(progress, run, x, MEAN, STD), (12, 3.7), columns=3)
    return average.model


def samples(G, seed, name="samples", n=10_000):
    """n numbers of G, (n,)."""
    return outputs(G, noise(G, n // G[-1].weight.shape[0], seed, name)).ravel().astype(np.float64)


def picture(values):  # for gans.sample
    return drawn(lambda axes: histogram(axes, values.ravel(), MEAN, STD))


def acceptance(run, G):
    """The (name, value, passed, threshold) of a trained run; with `row`, the mean is asked for, and that roughly."""
    x, row = samples(G, run.seed), run.args.variant == "row"
    ks, by = kolmogorov_smirnov(x, MEAN, STD), 0.3 if row else 0.15
    run.measure(run.step, mean=x.mean(), std=x.std(), ks=ks)
    words, right = {"batch": ("<0.04", ks < 0.04), "moments": (">=0.04", ks >= 0.04)}.get(
        run.args.variant, ("reported", True))
    return [("mean", x.mean(), abs(x.mean() - MEAN) <= by, f"4 +- {by}"),
            ("deviation", x.std(), row or abs(x.std() - STD) <= by, "reported" if row else f"1.25 +- {by}"),
            ("KS", ks, right, words)]


def demo(argv=None):
    p = parser("gaussian", __doc__, steps="6000, moments 3000", capture=True)
    p.add_argument("--variant", choices=STEPS, default="batch", help="what D is shown (batch)")
    p.add_argument("--seeds", type=positive, metavar="N", help="with --check: train N seeds (batch 8, others 3)")
    only(args := parse(p, argv), ["seeds"], args.check, "--check")
    args.steps = args.steps or STEPS[args.variant]
    with Run(args, f"{args.variant}: the losses of D and G", LN2, pictures=30) as run:
        run.finish(G := train(run))
        seeds = (args.seeds or {"batch": 8}.get(args.variant, 3)) if args.check else 1
        results = over_seeds(run, acceptance(run, G), seeds, lambda other: acceptance(other, train(other)))
        return run.end(results, "python -m gans.gaussian --variant moments, and then python -m gans.modes")


if __name__ == "__main__":
    sys.exit(main(demo))
