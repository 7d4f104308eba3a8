"""Handwritten digits from noise: fully connected GANs on MNIST.

  python -m gans.mnist                       digits in about two minutes
  python -m gans.mnist --recipe book         the book's training: sharp digits, and too few kinds of them
  python -m gans.mnist --from-the-start      the book's first attempt: total collapse
  python -m gans.mnist --batch 1 ...         one image a step, the book's own pace

The book is Rashid, "Make Your First GAN with PyTorch" (2020). The default recipe trains the book's two networks in
another way; docs/mode-collapse.md tells what each of its ingredients cures, with figures.

What to look at: training.gif, and losses.png with its line at ln 2 = 0.693, the loss of a discriminator that answers
0.5 to everything. A real run hovers away from it: the discriminator below the line, as it stays a little ahead, and
the generator above.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from math import log

import numpy as np

import minigrad as mg
from gans.machinery.commandline import parser, positive
from gans.machinery.judge import cached_judge, verdict
from gans.machinery.pictures import grid, write_atomically
from gans.machinery.run import Run, check_lines, main, parse, report_paths, say
from minigrad import nn, optim
from minigrad.data.download import load_digits

SEED = 100  # numbers that a digit is made from


def book_networks():
    """Layer normalisation in both; D answers with a probability."""
    G = nn.Sequential(nn.Linear(SEED, 200), nn.LeakyReLU(0.02), nn.LayerNorm(200), nn.Linear(200, 784), nn.Sigmoid())
    D = nn.Sequential(nn.Linear(784, 200), nn.LeakyReLU(0.02), nn.LayerNorm(200), nn.Linear(200, 1), nn.Sigmoid())
    return G, D


def steady_networks():
    """The book's, but for the last sigmoid of D: it answers with a logit, whose sigmoid the loss takes."""
    G, D = book_networks()
    return G, D[:-1]


def first_networks():
    """Sigmoids, and a single number as the seed."""
    G = nn.Sequential(nn.Linear(1, 200), nn.Sigmoid(), nn.Linear(200, 784), nn.Sigmoid())
    D = nn.Sequential(nn.Linear(784, 200), nn.Sigmoid(), nn.Linear(200, 1), nn.Sigmoid())
    return G, D


def train_book(run, recipe, images):
    """The book's three steps, a minibatch at a time. Returns G."""
    (G, D), loss = recipe.networks(), recipe.loss
    G.to(run.device), D.to(run.device)
    optimiser_g, optimiser_d = recipe.optimiser(G.parameters()), recipe.optimiser(D.parameters())
    run.keep(G=G, D=D, optimiser_g=optimiser_g, optimiser_d=optimiser_d)
    ones, zeros = mg.ones(run.args.batch, 1, device=run.device), mg.zeros(run.args.batch, 1, device=run.device)

    for step in run.steps():
        # 1. D learns from real images, answer 1.
        d_real = loss(D(real_batch(run, step, images)), ones)
        optimiser_d.zero_grad()
        d_real.backward()
        optimiser_d.step()

        # 2. D learns from generated images, answer 0; detach() keeps the gradient out of G.
        with mg.no_grad():
            fake = G(recipe.seeds(run, step, run.args.batch))
        d_fake = loss(D(fake), zeros)
        optimiser_d.zero_grad()
        d_fake.backward()
        optimiser_d.step()

        # 3. G learns to be answered with 1.
        g = loss(D(G(recipe.seeds(run, step, run.args.batch, "noise for G"))), ones)
        optimiser_g.zero_grad()
        g.backward()
        optimiser_g.step()

        observe(run, step, recipe, G, d_real=d_real, d_fake=d_fake, g=g)
    return G


def train_steady(run, recipe, images, reach=0.3, every=4):
    """The same steps with D held back: it pays for being steep around real images. Returns the averaged G.

    The penalty is R1 (Mescheder et al. 2018), |dD/dx|**2 at real images, by a difference instead of a second
    derivative: over random directions u, E[(D(x + reach u) - D(x))**2] / reach**2 is |dD/dx|**2 for a small reach, and
    a larger one smooths D further out. Every fourth step, four times as strong (the lazy regularisation of StyleGAN2).
    """
    (G, D), loss = recipe.networks(), recipe.loss
    G.to(run.device), D.to(run.device)
    average, penalty = optim.EMA(G, run.args.average), run.args.penalty
    optimiser_g, optimiser_d = recipe.optimiser(G.parameters()), recipe.optimiser(D.parameters())
    run.keep(G=G, D=D, average=average, optimiser_g=optimiser_g, optimiser_d=optimiser_d)
    ones, zeros = mg.ones(run.args.batch, 1, device=run.device), mg.zeros(run.args.batch, 1, device=run.device)

    for step in run.steps():
        # 1 and 2. D learns from real and from generated images in one update.
        real = real_batch(run, step, images)
        fake = G(recipe.seeds(run, step, run.args.batch))
        answers = D(real)
        d_real, d_fake = loss(answers, ones), loss(D(fake.detach()), zeros)
        d = d_real + d_fake
        if penalty and step % every == 0:
            nearby = real + reach * run.noise(step, *real.shape, name="directions")
            d = d + every * penalty / 2 * (((D(nearby) - answers) / reach) ** 2).mean()
        optimiser_d.zero_grad()
        d.backward()
        optimiser_d.step()

        # 3. G learns to be answered with 1. D only passes the gradient on, so it needs none of its own.
        D.requires_grad_(False)
        g = loss(D(fake), ones)
        optimiser_g.zero_grad()
        g.backward()
        optimiser_g.step()
        D.requires_grad_(True)
        average.update()

        observe(run, step, recipe, average.model, d_real=d_real, d_fake=d_fake, g=g)
    return average.model


def normal_seeds(run, step, batch, name="noise"):
    return run.noise(step, batch, SEED, name=name)


def uniform_seeds(run, step, batch, name="noise"):
    return mg.tensor(mg.random.stream(run.seed, name, step).random((batch, 1), np.float32), device=run.device)


@dataclass
class Recipe:
    """What one way of training is made of."""

    networks: Callable
    train: Callable
    loss: Callable
    optimiser: Callable
    seeds: Callable
    steps: int
    ideal: tuple  # (label, loss) of a D that answers 0.5


LN2 = ("ln 2 = 0.693: D answers 0.5", log(2))
RECIPES = {
    "steady": Recipe(steady_networks, train_steady, nn.BCEWithLogitsLoss(),
                     lambda p: optim.Adam(p, 1e-3, betas=(0.5, 0.999)), normal_seeds, 12_000, LN2),
    "book": Recipe(book_networks, train_book, nn.BCELoss(), lambda p: optim.Adam(p, 1e-4), normal_seeds, 20_000, LN2),
    "first": Recipe(first_networks, train_book, nn.MSELoss(), lambda p: optim.SGD(p, 0.01), uniform_seeds, 20_000,
                    ("0.25: D answers 0.5, squared error", 0.25)),
}


def load(args):
    """(images, labels, test images) of `--data`. "auto" becomes what was found: a run resumed elsewhere keeps to it."""
    images, labels, provenance = load_digits(args.data, log=say)
    if args.data == "auto":
        args.data = "mnist" if provenance.startswith("MNIST") else "synthetic"
    held_out, _, _ = load_digits(args.data, "test", log=say)
    say(f"data: {provenance}, {len(images)} images")
    return images, labels, held_out


def real_batch(run, step, images):
    """The step's real images, (batch, 784) float32 in 0..1."""
    chosen = images[run.batch_order(step, len(images), run.args.batch)]
    return mg.tensor(chosen.reshape(len(chosen), -1).astype(np.float32) / 255, device=run.device)


def observe(run, step, recipe, G, **losses):
    """Log the losses, and keep a picture now and then, always of the same seeds."""
    run.log(step, **losses)
    if run.picture_due(step):
        run.picture(step, grid(generate(run, recipe, G, 64, "picture"), columns=8))


def generate(run, recipe, G, n, name="samples"):
    """n digits, uint8 (n, 28, 28)."""
    training, chunks = G.training, []
    G.eval()
    with mg.no_grad():
        for k in range(0, n, 1000):
            images = G(recipe.seeds(run, k, min(1000, n - k), name)).cpu().numpy()
            chunks.append(np.rint(images * 255).astype(np.uint8).reshape(-1, 28, 28))
    G.train(training)
    return np.concatenate(chunks)


def demo(argv=None):
    p = parser("mnist", __doc__, steps=RECIPES["steady"].steps, batch=64)
    p.set_defaults(steps=None)
    p.add_argument("--data", choices=["auto", "mnist", "fashion", "synthetic"], default="auto",
                   help="auto: MNIST, or digits drawn by code where it cannot be had")
    p.add_argument("--recipe", choices=["steady", "book"], default="steady", help="how to train (steady)")
    p.add_argument("--from-the-start", dest="recipe", action="store_const", const="first",
                   help="the book's failing first attempt: MSE, sigmoids, SGD, one random number as the seed")
    p.add_argument("--penalty", type=float, default=0.2, help="steady: what D pays for steepness; 0 for none (0.2)")
    p.add_argument("--average", type=float, default=0.999, help="steady: decay of G's average; 0 for none (0.999)")
    p.add_argument("--samples", type=positive, metavar="N", help="write N samples to samples.npy, uint8 N x 28 x 28")
    args = parse(p, argv)
    recipe = RECIPES[args.recipe]
    args.steps = args.steps or recipe.steps

    images, labels, held_out = load(args)
    run = Run(args)
    G = recipe.train(run, recipe, images)
    say(f"{args.steps} steps of {args.batch} in {run.seconds:.0f} s")
    judge = cached_judge(images, labels, log=say)

    paths = run.finish(f"{args.recipe}: the losses of D and G", dict([recipe.ideal]),
                       "D stays a little ahead: its losses hover below the line, the generator's above.")
    samples = generate(run, recipe, G, args.samples or 10_000)
    if args.samples:
        paths.append(write_atomically(run.folder / "samples.npy", lambda path: np.save(path, samples)))
    say(where_the_losses_are(run, *recipe.ideal))
    found = verdict(judge, samples, held_out)
    for line in found.words():
        say(line)
    status = check_lines(acceptance(found)) if args.check else 0
    report_paths(paths, "python -m gans.mnist --recipe book, to see a collapse" if args.recipe == "steady"
                 else "python -m gans.mnist, the recipe that keeps all ten digits")
    return status


def where_the_losses_are(run, label, ideal):
    """On which side of the ideal the losses ended, in words."""
    last = run.rows[-max(1, len(run.rows) // 10):]
    d = np.mean([row["d_real"] + row["d_fake"] for row in last]) / 2
    g = np.mean([row["g"] for row in last])
    side = {True: "below", False: "above"}
    return (f"At the end D's losses hover at {d:.2f}, {side[bool(d < ideal)]} the ideal {ideal:.3f}, and G's at "
            f"{g:.2f}, {side[bool(g < ideal)]} it.")


def acceptance(found):
    """(name, value, passed, threshold) for `--check`."""
    return [("mean top probability", found.confidence, found.confidence >= 0.80, ">=0.80"),
            ("smallest share", found.shares.min(), found.shares.min() >= 0.02, ">=0.02"),
            ("largest share", found.shares.max(), found.shares.max() <= 0.25, "<=0.25"),
            ("Frechet distance / noise's", found.distance, found.distance <= 0.15, "<=0.15")]


if __name__ == "__main__":
    sys.exit(main(demo))
