"""Wasserstein GANs: a critic that measures a distance, where a discriminator only tells real from fake.

  python -m gans.wgan                   the gradient penalty, on digits
  python -m gans.wgan --recipe clip     clipped weights, as it began
  python -m gans.wgan --recipe plain    the same networks as a plain GAN

A discriminator is asked "real?", and where it is sure its answer is flat: nothing tells G which way to go. A critic is
asked for the largest gap, mean f(real) - mean f(fake), that a function of slope 1 can have. That is how far the fakes
would have to be carried to become the reals, the Wasserstein distance, and it is as steep far away as nearby. Two ways
to hold the slope:

    clip     each weight within +-0.01; RMSprop 5e-5 (Arjovsky, Chintala & Bottou 2017)
    penalty  10 (|df/dx| - 1)^2 between reals and fakes; Adam (0, 0.9) (Gulrajani et al. 2017)

and five steps of the critic for one of G, as the gap is a distance only if the critic is ahead. The slope is that of
each sample by itself, over all its values: so the mix of real and fake is drawn once a sample, and the critic has no
batch norm, which would tie samples together; nor a sigmoid, as a distance has no end.

What to look at: critics.png, between two heaps of numbers: D is flat, the critic has slope 1. gap.png: a loss that
tells how far a training has come, also on images that were kept back.

What to try: --recipe clip, whose slope is anything but 1; in the file, one step of the critic, or a penalty of 1.
"""

import sys

import minigrad as mg
from gans.machinery import figures
from gans.machinery.commandline import main, parse, parser, say
from gans.machinery.critics import gaps, linear_error, on_a_line, over_time
from gans.machinery.imagesets import DIGITS, open_digits
from gans.machinery.judge import judge_of, judged
from gans.machinery.losses import NS, WGAN, gradient_penalty
from gans.machinery.parts import critic_steps, frozen, update
from gans.machinery.progress import duration
from gans.machinery.run import Run, beside
from gans.machinery.samples import described
from minigrad import nn, optim

QUICK = "--data synthetic --steps 80 --batch 24"
RECIPES = {  # the loss, steps of the critic for one of G, the optimiser of both
    "penalty": (WGAN, 5, lambda parameters: optim.Adam(parameters, 5e-4, betas=(0.0, 0.9))),
    "clip": (WGAN, 5, lambda parameters: optim.RMSprop(parameters, 5e-5)),
    "plain": (NS, 1, lambda parameters: optim.Adam(parameters, 2e-4, betas=(0.5, 0.999)))}
APART = (0.5, 1, 2, 4)  # two heaps of numbers: the best slope is then 1 + APART / 20, by the penalty's weight of 10
STEPS = {"penalty": 2500, "clip": 2500, "plain": 12_500}  # in about the same time


def generator(options=None):
    return described(nn.Sequential(                                        # (N, 100)
        nn.Linear(100, 256), nn.BatchNorm1d(256), nn.LeakyReLU(0.2),       # (N, 256)
        nn.Linear(256, 512), nn.BatchNorm1d(512), nn.LeakyReLU(0.2),       # (N, 512)
        nn.Linear(512, 784), nn.Sigmoid(),                                 # (N, 784)
    ), (100,), image_shape=(28, 28, 1), rows=True)


def critic(inputs=784, width=512):
    return nn.Sequential(                                                  # (N, 784)
        nn.Linear(inputs, width), nn.LeakyReLU(0.2),                       # (N, 512)
        nn.Linear(width, width // 2), nn.LeakyReLU(0.2),                   # (N, 256)
        nn.Linear(width // 2, 1))                                          # (N, 1): any number


def critic_step(recipe, f, optimiser, real, fake, mix, weight=10.0):
    """The critic makes the gap as large as its slope allows. Returns its losses and answers, by name."""
    answers = f(real), f(fake)
    d_real, d_fake = RECIPES[recipe][0].d(*answers)
    d = d_real + d_fake
    if recipe == "penalty":
        d = d + weight * gradient_penalty(f, real, fake, mix)
    update(optimiser, d)
    if recipe == "clip":
        with mg.no_grad():
            for p in f.parameters():
                p.clamp_(-0.01, 0.01)
    return {"d_real": d_real, "d_fake": d_fake, RECIPES[recipe][0].answers: answers}


def train(run, pictures, judge, looks=20):
    """Returns the averaged G. So many times (at every tenth step at the most) it is measured how things stand."""
    recipe, batch = run.args.recipe, run.args.batch
    G, f, (loss, n, optimiser) = generator().to(run.device), critic().to(run.device), RECIPES[recipe]
    average, optimiser_g, optimiser_f = optim.EMA(G, 0.999), optimiser(G.parameters()), optimiser(f.parameters())
    run.keep(G=G, f=f, average=average, optimiser_g=optimiser_g, optimiser_f=optimiser_f)

    @run.captured
    def ahead(real, mix, seeds):  # 1. The critic gets ahead.
        with mg.no_grad():
            fake = G(seeds)
        return critic_step(recipe, f, optimiser_f, real, fake, mix) | {"images": (real, fake)}

    @run.captured
    def follow(seeds):  # 2. G raises what the critic answers to its images.
        with frozen(f):
            update(optimiser_g, g := loss.g(f(G(seeds))))
        average.update()
        return g

    for step in run.steps():
        for k in critic_steps(step, n):
            mix, seeds = run.uniform(k, batch, 1, name="mix"), run.noise(k, batch, 100)
            found = ahead(run.batch(k, pictures, like=G), mix, seeds)
        run.log(step, **found, g=follow(run.noise(step, batch, 100, name="noise for G")))
        run.look(step, average.model, f)
        if step % max(10, run.args.steps // looks) == 0 or step == run.args.steps:
            run.measure(step, **gaps(run, pictures, judge, G, f))
    return average.model


def of_numbers(recipe, apart, steps):
    """What a critic of numbers has learnt between two heaps of them."""
    mg.manual_seed(1)
    f = critic(1, 64)
    optimiser = (optim.RMSprop(f.parameters(), 5e-4) if recipe == "clip" else
                 optim.Adam(f.parameters(), 2e-3, betas=(0.5, 0.9)))
    return on_a_line(f, lambda *batch: critic_step(recipe, f, optimiser, *batch), apart, steps=steps)


def demo(argv=None):
    p = parser("wgan", __doc__, steps="2500, plain 12500", batch=64, samples=True, capture=True)
    p.add_argument("--data", choices=DIGITS, default="auto", help="auto: MNIST, or digits drawn by code without it")
    p.add_argument("--recipe", choices=list(RECIPES), default="penalty", help="what holds the slope (penalty)")
    args = parse(p, argv)
    args.steps, pictures = args.steps or STEPS[args.recipe], open_digits(args.data).for_run(args)
    judge, bar = judge_of(pictures), 0.03 if args.steps >= 1000 else 1.0
    with Run(args, f"{args.recipe}: the losses of critic and G", RECIPES[args.recipe][0].ideals) as run:
        G = train(run, pictures, judge)
        run.finish(G)
        found, steps = judged(run, G, pictures, judge), min(600, 3 * args.steps)
        line = {recipe: of_numbers(recipe, 4, steps) for recipe in RECIPES}
        measured = {recipe: [of_numbers(recipe, apart, steps) for apart in APART] for recipe in ("plain", "penalty")}
        run.paths += [figures.critics(run.folder / "critics.png", line, APART, measured),
                      figures.gap(run.folder / "gap.png", run.rows)]
        error, (among, follows), two = linear_error(), over_time(run.rows), measured["penalty"][2].slope
        results = [("linear critic's penalty, error", error, error < 1e-9, "<1e-9"),
                   ("slope on a line, heaps 2 apart", two, abs(two - 1.1) <= 0.1, "1.0..1.2")]
        if args.check and args.recipe == "penalty":
            with beside(run, "plain", {"recipe": "plain", "steps": args.steps * 5}) as other:
                plain = judged(other, train(other, pictures, judge, looks=1), pictures, judge)
            say(f"{other.args.steps} steps of a plain GAN: {duration(other.seconds)}; {duration(run.seconds)} here")
            share = found.distance / plain.distance
            results += [("slope among digits", among, abs(among - 1) <= 0.2, "0.8..1.2"),
                        ("gaps to both reals, correlation", follows, follows >= 0.9, ">=0.9"),
                        ("Frechet distance / noise's", found.distance, found.distance <= bar, f"<={bar}"),
                        ("the same / the plain GAN's", share, share < 1, "<1")]
        return run.end(results, "python -m gans.wgan --recipe plain, where the loss tells nothing")


if __name__ == "__main__":
    sys.exit(main(demo))
