"""What a GAN's losses ought to be, and what a GAN learns in place of a likelihood.

Where G is perfect, D can do no better than to answer 0.5: against targets of 1 and 0 that is 0.25 in squares, and ln 2
as cross-entropy. Elsewhere the best D is p / (p + q), the share of real data in all that fall upon x, and then
E_p ln D + E_q ln(1 - D) = -ln 4 + 2 JSD(p, q) (Goodfellow et al. 2014, "Generative Adversarial Nets", section 4). Here
p and q are known, G stands still, and D is laid upon the formula.

Cross-entropy is the likelihood of the labels "real" and "generated", not of the data: D's logit is ln p - ln q, and the
ratio is all that D learns of densities. So a GAN never says how probable a picture is, and fits in another way: a bell
for two hills covers both by largest likelihood, and takes one by smallest JSD (Theis et al. 2016, "A note on the
evaluation of generative models").

What to look at: training.gif; losses.png, of a D whose G is perfect. What to try: --steps 99; in the file, another Q.
"""

import sys
from functools import partial
from math import log

import numpy as np

import minigrad as mg
from gans.machinery.bells import Bells, density, integral, jensen_shannon, log_density, mixture, stratified
from gans.machinery.commandline import main, parse, parser
from gans.machinery.ideals import logits, look
from gans.machinery.losses import LN2, LSGAN, NS
from gans.machinery.parts import update
from gans.machinery.run import Run
from gans.machinery.watch import host
from minigrad import nn, optim
from minigrad.autograd import grad
from minigrad.nn import functional as F
from minigrad.random import stream

P, Q, HILLS = (4.0, 1.25), (2.5, 2.0), ((-4.0, 0.6), (4.0, 1.0))  # mean and deviation of each bell
X = np.linspace(-30.0, 40.0, 3501)  # where integrals are taken
RATES = {"D": 0.01, "bell": 0.05}  # at the start; they go to 0
QUICK = "--steps 1000"


def discriminator():
    return nn.Sequential(               # (N, 1)
        nn.Linear(1, 64), nn.Tanh(),    # (N, 64)
        nn.Linear(64, 64), nn.Tanh(),   # (N, 64)
        nn.Linear(64, 1))               # (N, 1): a logit


def divergence(log_p, log_q):
    """2 JSD(p, q), what a GAN with the best D goes down, of densities at a grid (3, N): (3,)."""
    log_m = log_p + F.softplus(log_q - log_p) - log(2)
    return (log_p.exp() * (log_p - log_m) + log_q.exp() * (log_q - log_m)).sum(1)


MEASURES = {"likelihood": lambda log_p, log_q: -(log_p.exp() * log_q).sum(1), "JSD": divergence}  # both are to fall


def train(run):
    """Returns the averaged Ds and the bells, by name."""
    ds = {name: discriminator().to(run.device) for name in ("cross-entropy", "squared error", "perfect G")}
    bells = {name: Bells(*zip(HILLS[0], (0.5, 3.0), HILLS[1])).to(run.device) for name in MEASURES}
    averages = {name: optim.EMA(D, 0.99) for name, D in ds.items()}
    optimisers = {name: optim.Adam(net.parameters(), RATES["D"]) for name, net in ds.items()} | {
        name: optim.Adam(bell.parameters(), RATES["bell"], betas=(0.5, 0.999)) for name, bell in bells.items()}
    run.keep(**ds, **bells, **{f"averaged {name}": average for name, average in averages.items()},
             **{f"optimiser of {name}": optimiser for name, optimiser in optimisers.items()})
    x = mg.tensor(X[np.abs(X) < 12], device=run.device)
    log_p = mg.tensor(mixture(host(x), HILLS), device=run.device)
    best = lambda: {name: bells[name].best(measure(log_p, bells[name](x))) for name, measure in MEASURES.items()}

    @run.captured
    def learn(real, fake, perfect):
        # Each D learns to tell P's numbers from Q's, or from a perfect G's.
        for name, D in ds.items():
            on_real, on_fake = D(real), D(perfect if name == "perfect G" else fake)
            d_real, d_fake = (NS.d(on_real, on_fake) if name != "squared error" else
                              LSGAN.d(on_real.sigmoid(), on_fake.sigmoid()))
            update(optimisers[name], d_real + d_fake)
            averages[name].update()
        # A bell goes to where the data of both hills are most likely, another to where the JSD is smallest.
        for name, measure in MEASURES.items():
            update(optimisers[name], measure(log_p, bells[name](x)).sum())
        return dict(d_real=d_real, d_fake=d_fake, logits=(on_real, on_fake))  # of the D whose G is perfect

    for step in run.steps():
        for name, optimiser in optimisers.items():
            optimiser.param_groups[0]["lr"] = RATES["D" if name in ds else "bell"] * (1 - (step - 1) / run.args.steps)
        run.log(step, **learn(*(
            mg.tensor(mean + std * stratified(stream(run.seed, name, step), run.args.batch), device=run.device)
            for name, (mean, std) in (("real", P), ("fake", Q), ("perfect", P)))))
        run.plot(step, partial(look, averages["cross-entropy"].model, best(), P, Q, HILLS), (9, 7), rows=2, columns=2)
    return {name: average.model for name, average in averages.items()}, best()


def best_answer(loss):
    """The answer that is best where real and generated are alike, by Newton's method, and the losses there."""
    a, one = mg.tensor([0.3], dtype=mg.float64, requires_grad=True), mg.ones(1, dtype=mg.float64)
    for _ in range(20):
        slope, = grad(loss(a, one) + loss(a, 0 * one), a, create_graph=True)
        a = (a - slope / grad(slope, a)[0]).detach().requires_grad_()
    return a.item(), loss(a, one).item(), loss(a, 0 * one).item()


def acceptance(run, ds, bells):
    """Closed forms beside what was computed and trained, as (name, value, passed, threshold)."""
    def near(name, value, wanted, by):
        return name, value, abs(value - wanted) <= by, f"{wanted:.7g} +- {by:g}"

    for name, loss, ideal in (("squares", F.mse_loss, 0.25), ("cross-entropy", F.binary_cross_entropy, log(2))):
        answer, on_real, on_fake = best_answer(loss)
        yield near(f"{name}: best answer to all", answer, 0.5, 1e-6)
        yield near("  its loss on real data", on_real, ideal, 1e-6)
        yield near("  and on generated", on_fake, ideal, 1e-6)
    for q in (Q, P, (6.0, 1.25), (10.0, 1.25)):
        log_p, log_q = log_density(X, *P), log_density(X, *q)
        value = integral(-density(X, *P) * np.logaddexp(0, log_q - log_p)
                         - density(X, *q) * np.logaddexp(0, log_p - log_q), X)
        yield near(f"value of the best D, Q = {q}", value, 2 * jensen_shannon(log_p, log_q, X) - log(4), 1e-6)
    numbers = stream(run.seed, "labels")
    logit, label = numbers.standard_normal(50), numbers.integers(0, 2, 50)
    bce = F.binary_cross_entropy_with_logits(mg.tensor(logit), mg.tensor(label.astype(float))).item()
    chance = 1 / (1 + np.exp(-logit))
    likelihood = np.prod(np.where(label == 1, chance, 1 - chance))
    yield near("BCE of 50 labels + ln likelihood / 50", bce + log(likelihood) / 50, 0, 1e-6)
    below = np.cumsum((density(X, *P) + density(X, *Q)) / 2) * (X[1] - X[0])
    grid = X[(below > 0.01) & (below < 0.99)]  # where D has seen enough to know
    best = log_density(grid, *P) - log_density(grid, *Q)
    for name in ("cross-entropy", "squared error"):
        worst = np.abs(np.tanh(logits(ds[name], grid) / 2) - np.tanh(best / 2)).max() / 2
        most = 0.01 if run.args.steps >= 2500 else 0.02
        yield f"{name}: trained D - p / (p + q)", worst, worst <= most, f"<={most}"
    for name, (_, losses) in run.losses().items():
        yield near(f"a perfect G: {name}", float(np.mean(losses[-len(losses) // 4:])), log(2), 0.01)
    means, stds = np.transpose(HILLS)
    whole = means.mean(), ((stds ** 2 + means ** 2).mean() - means.mean() ** 2) ** 0.5  # mean and deviation of all data
    for name, (mean, std), by in (("likelihood", whole, 1e-6), ("JSD", HILLS[1], 0.05)):
        yield near(f"one bell by {name}: mean", bells[name][0], mean, by)
        yield near("  its deviation", bells[name][1], std, by)


def demo(argv=None):
    p = parser("ideal", __doc__, steps=2500, batch=512, capture=True)
    args = parse(p, argv)
    with Run(args, "D against a perfect G: both losses settle at ln 2", LN2, pictures=20) as run:
        ds, bells = train(run)
        run.finish()
        return run.end(acceptance(run, ds, bells), "python -m gans.gaussian")


if __name__ == "__main__":
    sys.exit(main(demo))
