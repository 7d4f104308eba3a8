"""The smallest GAN: four numbers, high low high low.

Real data are [U(0.8, 1), U(0, 0.2), U(0.8, 1), U(0, 0.2)]. A discriminator of 4-3-1 units and a generator of 1-3-4, all
sigmoid, mean squared error, plain SGD: the first GAN of Rashid, "Make Your First GAN with PyTorch" (2020). The
generator is fed 0.5 and must find the pattern without ever seeing it.

What to look at: the two losses of the discriminator settle at 0.25. That is no property of the input 0.5. A
discriminator that can no longer tell answers 0.5; its target is 1 for real and 0 for generated; and (1 - 0.5) squared,
like (0 - 0.5) squared, is 0.25, whatever goes into the generator. A few seeds in a hundred start so slowly that they
need more than the book's 10,000 steps.

What to try: another --seed; --steps 20000; in the file, a rate of 0.1, or targets of 0.9 and 0.1.
"""

import sys

import numpy as np

import minigrad as mg
from gans.machinery.commandline import check_lines, main, only, parse, parser, positive, say
from gans.machinery.losses import QUARTER
from gans.machinery.pictures import grid
from gans.machinery.plots import running_mean
from gans.machinery.run import Run, other_seeds
from gans.machinery.samples import described
from minigrad import nn, optim
from minigrad.random import stream

LOW, HIGH = np.float32([0.8, 0.0, 0.8, 0.0]), np.float32([1.0, 0.2, 1.0, 0.2])
QUICK = "--seeds 1"


def discriminator():
    return nn.Sequential(                    # (N, 4)
        nn.Linear(4, 3), nn.Sigmoid(),       # (N, 3)
        nn.Linear(3, 1), nn.Sigmoid())       # (N, 1): the probability of being real


def generator(options=None):
    return described(nn.Sequential(          # (N, 1)
        nn.Linear(1, 3), nn.Sigmoid(),       # (N, 3)
        nn.Linear(3, 4), nn.Sigmoid(),       # (N, 4)
    ), seed_shape=(1,), seeds=0.5)


def real_patterns(seed, first, count):
    """Real data for `count` steps from `first` on, (count, 4) float32; row s is a function of (seed, s)."""
    block, rows = 1000, []
    for b in range(first // block, (first + count - 1) // block + 1):
        rows.append(stream(seed, "real", b).random((block, 4), np.float32))
    offset = first % block
    return LOW + (HIGH - LOW) * np.concatenate(rows)[offset:offset + count]


def train(run):
    """Train by the book's three steps; returns what G makes of 0.5."""
    D, G = discriminator().to(run.device), generator().to(run.device)
    optimiser_d, optimiser_g = optim.SGD(D.parameters(), lr=0.01), optim.SGD(G.parameters(), lr=0.01)
    run.keep(D=D, G=G, optimiser_d=optimiser_d, optimiser_g=optimiser_g)
    loss_function = nn.MSELoss()
    one, zero, half = (mg.tensor([value], device=run.device) for value in (1.0, 0.0, 0.5))
    real = mg.tensor(real_patterns(run.seed, run.start, max(run.args.steps - run.start, 1)), device=run.device)

    @run.captured
    def learn(real):
        # 1. D learns that real data are real.
        on_real = D(real)
        d_real = loss_function(on_real, one)
        optimiser_d.zero_grad()
        d_real.backward()
        optimiser_d.step()

        # 2. D learns that generated data are not; detach() keeps the gradient out of G.
        on_fake = D(G(half).detach())
        d_fake = loss_function(on_fake, zero)
        optimiser_d.zero_grad()
        d_fake.backward()
        optimiser_d.step()

        # 3. G learns to be taken for real: the gradient reaches it through D, and only G takes a step.
        g = loss_function(D(G(half)), one)
        optimiser_g.zero_grad()
        g.backward()
        optimiser_g.step()
        return dict(d_real=d_real, d_fake=d_fake, g=g, probabilities=(on_real, on_fake))

    for step in run.steps():
        run.log(step, **learn(real[step - run.start - 1]))
        if run.picture_due(step):
            run.picture(step, picture(np.float32([output(G, half)])))
    return output(G, half)


def output(G, half):
    """G(0.5) as a list of four floats."""
    with mg.no_grad():
        return G(half).tolist()


def picture(rows, size=64):
    """Rows of four numbers in 0..1, each as four bars with lines at 0.2 and 0.8: (H, W) uint8."""
    bars = np.zeros((len(rows), 2 * size + 16, 4 * size), np.uint8)
    for image, values in zip(bars, rows):
        for i, value in enumerate(values):
            top = 8 + int(round((1 - float(value)) * 2 * size))
            image[top:2 * size + 8, i * size + 6:(i + 1) * size - 6] = 230
        for height in (0.2, 0.8):
            image[8 + int(round((1 - height) * 2 * size)), ::2] = 128
    return bars[0] if len(bars) == 1 else grid(bars, scale=1)


def acceptance(steps, values, rows):
    """The (name, value, passed, threshold) of one trained run."""
    margin = 0.1 if steps >= 20_000 else 0.2
    results = [(f"G[{i}]", v, v >= 1 - margin if i % 2 == 0 else v <= margin,
                f">={1 - margin}" if i % 2 == 0 else f"<={margin}") for i, v in enumerate(values)]
    for name in ("d_real", "d_fake"):
        settled = running_mean([row[name] for row in rows], 100)[-1]
        results.append((name, settled, 0.22 <= settled <= 0.28, "0.22..0.28"))
    return results


def demo(argv=None):
    p = parser("pattern1010", __doc__, steps=10_000, capture=True)
    p.add_argument("--seeds", type=positive, metavar="N", help="with --check: train N seeds from --seed on (20)")
    args = parse(p, argv)
    only(args, ["seeds"], args.check, "--check")
    with Run(args, "1010: the discriminator's losses settle at 0.25", QUARTER, save_every=1000) as run:
        values = train(run)
        run.finish()
        say(f"G(0.5) = [{', '.join(f'{v:.3f}' for v in values)}]")
        results = acceptance(args.steps, values, run.rows)
        if args.check:
            wanted, good = args.seeds or 20, all(passed for _, _, passed, _ in results)
            for other in other_seeds(run, wanted - 1, save_every=args.steps):
                theirs = acceptance(args.steps, train(other), other.rows)
                good += all(passed for _, _, passed, _ in theirs)
                if not all(passed for _, _, passed, _ in theirs):
                    say(f"seed {other.seed}:")
                    check_lines(theirs)
            results.append(("seeds", good, good == wanted, f"=={wanted}"))
        return run.end(results, "python -m gans.mnist, the same three steps on handwritten digits")


if __name__ == "__main__":
    sys.exit(main(demo))
