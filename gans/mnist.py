"""Handwritten digits from noise: fully connected GANs on MNIST.

  python -m gans.mnist                    digits in about 70 seconds
  python -m gans.mnist --recipe book      the book's: sharp, too few kinds
  python -m gans.mnist --from-the-start   the book's first: total collapse
  python -m gans.mnist --batch 1 ...      an image a step, the book's pace

The book is Rashid, "Make Your First GAN with PyTorch" (2020). The default recipe trains the book's two networks in
another way; docs/mode-collapse.md tells what each of its ingredients cures, with figures.

What to look at: training.gif, and losses.png with its line at ln 2 = 0.693, the loss of a discriminator that answers
0.5 to everything; a real run's D stays a little ahead, below the line, and G above. seeds.png: what is drawn for sums,
differences and multiples of seeds, and on the way between two.

What to try: --penalty 0 and --average 0, each alone; another --seed; --data fashion.
"""

import sys

import minigrad as mg
from gans.machinery import arithmetic
from gans.machinery.commandline import decay, main, non_negative, only, parse, parser
from gans.machinery.imagesets import DIGITS, open_digits
from gans.machinery.judge import judged
from gans.machinery.losses import LN2, NS, QUARTER, steepness
from gans.machinery.parts import frozen, update
from gans.machinery.run import Run
from gans.machinery.samples import described
from minigrad import nn, optim

STEPS = {"steady": 12_000, "book": 20_000, "first": 20_000}
QUICK = "--data synthetic --steps 800"


def networks(recipe):
    """(G, D) of a recipe."""
    if recipe == "first":
        G = nn.Sequential(                                   # (N, 1): a single number is all there is to go by
            nn.Linear(1, 200), nn.Sigmoid(),                 # (N, 200)
            nn.Linear(200, 784), nn.Sigmoid())               # (N, 784): an image of 28x28, row by row
        D = nn.Sequential(nn.Linear(784, 200), nn.Sigmoid(),  # (N, 784) -> (N, 200)
                          nn.Linear(200, 1), nn.Sigmoid())   # (N, 1)
        return described(G, (1,), seeds="uniform", image_shape=(28, 28, 1), rows=True), D
    G = nn.Sequential(                                       # (N, 100)
        nn.Linear(100, 200), nn.LeakyReLU(0.02),             # (N, 200)
        nn.LayerNorm(200),
        nn.Linear(200, 784), nn.Sigmoid())                   # (N, 784)
    D = nn.Sequential(                                       # (N, 784)
        nn.Linear(784, 200), nn.LeakyReLU(0.02),             # (N, 200)
        nn.LayerNorm(200),
        nn.Linear(200, 1), nn.Sigmoid())                     # (N, 1): the probability of being real
    return described(G, (100,), image_shape=(28, 28, 1), rows=True), D if recipe == "book" else D[:-1]


def generator(options):
    return networks(options.recipe)[0]


def train_book(run, pictures):
    """The book's three steps, a minibatch at a time. Returns G."""
    first, batch = run.args.recipe == "first", run.args.batch
    G, D = (net.to(run.device) for net in networks(run.args.recipe))
    loss, draw = (nn.MSELoss(), run.uniform) if first else (nn.BCELoss(), run.noise)
    optimiser_g, optimiser_d = (optim.SGD(net.parameters(), 0.01) if first else optim.Adam(net.parameters(), 1e-4)
                                for net in (G, D))
    run.keep(G=G, D=D, optimiser_g=optimiser_g, optimiser_d=optimiser_d)
    ones, zeros = mg.ones(batch, 1, device=run.device), mg.zeros(batch, 1, device=run.device)

    @run.captured
    def learn(real, seeds, others):
        # 1. D learns from real images, answer 1.
        on_real = D(real)
        d_real = loss(on_real, ones)
        update(optimiser_d, d_real)
        # 2. D learns from generated images, answer 0; no gradient reaches G.
        with mg.no_grad():
            fake = G(seeds)
        on_fake = D(fake)
        d_fake = loss(on_fake, zeros)
        update(optimiser_d, d_fake)
        # 3. G learns to be answered with 1.
        g = loss(D(G(others)), ones)
        update(optimiser_g, g)
        return dict(d_real=d_real, d_fake=d_fake, g=g, probabilities=(on_real, on_fake), images=(real, fake))

    for step in run.steps():
        seeds = [draw(step, batch, *G.seed_shape, name=name) for name in ("noise", "noise for G")]
        run.log(step, **learn(run.batch(step, pictures, like=G), *seeds))
        run.look(step, G, D)
    return G


def train_steady(run, pictures, every=4):
    """The same steps with D held back: it pays for being steep around real images. Returns the averaged G."""
    G, D = (net.to(run.device) for net in networks("steady"))
    average, penalty = optim.EMA(G, run.args.average), run.args.penalty
    optimiser_g, optimiser_d = (optim.Adam(net.parameters(), 1e-3, betas=(0.5, 0.999)) for net in (G, D))
    run.keep(G=G, D=D, average=average, optimiser_g=optimiser_g, optimiser_d=optimiser_d)

    @run.captured
    def learn(real, seeds, directions):
        # 1 and 2. D learns from real and from generated images in one update.
        fake = G(seeds)
        on_real, on_fake = D(real), D(fake.detach())
        d_real, d_fake = NS.d(on_real, on_fake)
        d = d_real + d_fake
        if directions is not None:  # R1 by a difference; rarely, and stronger, as in StyleGAN2
            d = d + every * penalty / 2 * steepness(D, real, on_real, directions, reach=0.3)
        update(optimiser_d, d)
        # 3. G learns to be answered with 1.
        with frozen(D):
            g = NS.g(D(fake))
            update(optimiser_g, g)
        average.update()
        return dict(d_real=d_real, d_fake=d_fake, g=g, logits=(on_real, on_fake), images=(real, fake))

    for step in run.steps():
        real, seeds = run.batch(step, pictures, like=G), run.noise(step, run.args.batch, 100)
        due = penalty and step % every == 0
        run.log(step, **learn(real, seeds, run.noise(step, *real.shape, name="directions") if due else None))
        run.look(step, average.model, D)
    return average.model


def demo(argv=None):
    p = parser("mnist", __doc__, steps="12000, the book's 20000", batch=64, samples=True, capture=True)
    p.add_argument("--data", choices=DIGITS, default="auto", help="auto: MNIST, or digits drawn by code without it")
    p.add_argument("--recipe", choices=["steady", "book"], default="steady", help="how to train (steady)")
    p.add_argument("--from-the-start", dest="recipe", action="store_const", const="first", help="the first attempt")
    p.add_argument("--penalty", type=non_negative, default=0.2, metavar="X", help="what D pays for steepness (0.2)")
    p.add_argument("--average", type=decay, default=0.999, metavar="X", help="decay of G's average (0.999)")
    args = parse(p, argv)
    steady, args.steps = args.recipe == "steady", args.steps or STEPS[args.recipe]
    only(args, ["penalty", "average"], steady, "--recipe steady")
    pictures = open_digits(args.data).for_run(args)
    with Run(args, f"{args.recipe}: the losses of D and G", QUARTER if args.recipe == "first" else LN2) as run:
        G = (train_steady if steady else train_book)(run, pictures)
        run.finish(G)
        found = judged(run, G, pictures)
        rules = arithmetic.of_seeds(run, G, pictures) if args.recipe != "first" else []  # whose seed is one number
        return run.end([
            ("mean top probability", found.confidence, found.confidence >= 0.80, ">=0.80"),
            ("smallest share", found.shares.min(), found.shares.min() >= 0.02, ">=0.02"),
            ("largest share", found.shares.max(), found.shares.max() <= 0.25, "<=0.25"),
            ("Frechet distance / noise's", found.distance, found.distance <= 0.15, "<=0.15"), *rules,
        ], f"python -m gans.mnist{' --recipe book, to see a collapse' * steady or ', which keeps all digits'}")


if __name__ == "__main__":
    sys.exit(main(demo))
