"""The smallest GAN: four numbers, high low high low.

Real data are [U(0.8, 1), U(0, 0.2), U(0.8, 1), U(0, 0.2)]. A discriminator of 4-3-1 units and a generator of 1-3-4, all
sigmoid, mean squared error, plain SGD: the first GAN of Rashid, "Make Your First GAN with PyTorch" (2020). The
generator is fed 0.5 and must find the pattern without ever seeing it.

What to look at: the two losses of the discriminator settle at 0.25. That is no property of the input 0.5. A
discriminator that can no longer tell answers 0.5; its target is 1 for real and 0 for generated; and (1 - 0.5) squared,
like (0 - 0.5) squared, is 0.25, whatever goes into the generator. A few seeds in a hundred start so slowly that they
need more than the book's 10,000 steps.
"""

import sys

import numpy as np

import minigrad as mg
from gans.machinery.commandline import parser, positive
from gans.machinery.pictures import running_mean
from gans.machinery.run import Run, check_lines, main, parse, report_paths, say
from minigrad import nn, optim
from minigrad.random import stream

LOW, HIGH = np.float32([0.8, 0.0, 0.8, 0.0]), np.float32([1.0, 0.2, 1.0, 0.2])


def discriminator():
    return nn.Sequential(nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 1), nn.Sigmoid())


def generator():
    return nn.Sequential(nn.Linear(1, 3), nn.Sigmoid(), nn.Linear(3, 4), nn.Sigmoid())


def real_patterns(seed, first, count):
    """Real data for `count` steps from `first` on, (count, 4) float32; row s is a function of (seed, s)."""
    block, rows = 1000, []
    for b in range(first // block, (first + count - 1) // block + 1):
        rows.append(stream(seed, "real", b).random((block, 4), np.float32))
    offset = first % block
    return LOW + (HIGH - LOW) * np.concatenate(rows)[offset:offset + count]


def train(run):
    """Train by the book's three steps; returns the generator."""
    D, G = discriminator().to(run.device), generator().to(run.device)
    optimiser_d, optimiser_g = optim.SGD(D.parameters(), lr=0.01), optim.SGD(G.parameters(), lr=0.01)
    run.keep(D=D, G=G, optimiser_d=optimiser_d, optimiser_g=optimiser_g)
    loss_function = nn.MSELoss()
    one, zero, half = (mg.tensor([value], device=run.device) for value in (1.0, 0.0, 0.5))
    real = mg.tensor(real_patterns(run.seed, run.start, max(run.args.steps - run.start, 1)), device=run.device)

    for step in run.steps():
        # 1. D learns that real data are real.
        d_real = loss_function(D(real[step - run.start - 1]), one)
        optimiser_d.zero_grad()
        d_real.backward()
        optimiser_d.step()

        # 2. D learns that generated data are not; detach() keeps the gradient out of G.
        d_fake = loss_function(D(G(half).detach()), zero)
        optimiser_d.zero_grad()
        d_fake.backward()
        optimiser_d.step()

        # 3. G learns to be taken for real: the gradient reaches it through D, and only G takes a step.
        g = loss_function(D(G(half)), one)
        optimiser_g.zero_grad()
        g.backward()
        optimiser_g.step()

        run.log(step, d_real=d_real, d_fake=d_fake, g=g)
        if run.picture_due(step):
            run.picture(step, bars(output(G, half)))
    return output(G, half)


def output(G, half):
    """G(0.5) as a list of four floats."""
    with mg.no_grad():
        return G(half).tolist()


def bars(values, size=64):
    """Four numbers in 0..1 as four bars, (H, W) uint8."""
    picture = np.zeros((2 * size + 16, 4 * size), np.uint8)
    for i, value in enumerate(values):
        top = 8 + int(round((1 - value) * 2 * size))
        picture[top:2 * size + 8, i * size + 6:(i + 1) * size - 6] = 230
    for height in (0.2, 0.8):
        picture[8 + int(round((1 - height) * 2 * size)), ::2] = 128
    return picture


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
    p = parser("pattern1010", __doc__, steps=10_000)
    p.add_argument("--seeds", type=positive, metavar="N", help="with --check: train N seeds from --seed on (20)")
    args = parse(p, argv)
    run = Run(args, log_every=10, save_every=1000)
    values = train(run)
    say(f"G(0.5) = [{', '.join(f'{v:.3f}' for v in values)}] after {args.steps} steps ({run.seconds:.1f} s)")
    paths = run.finish("1010: the discriminator's losses settle at 0.25",
                       {"0.25 = (answer 0.5 - target 0 or 1) squared": 0.25},
                       "A discriminator that cannot tell answers 0.5. Its target is 1 (real) or 0 (generated): the "
                       "squared error is 0.25, whatever goes into G.")
    status = check(run, args, values) if args.check else 0
    report_paths(paths, "python -m gans.mnist, the same three steps on handwritten digits")
    return status


def check(run, args, values):
    """The acceptance of this run, and of 19 more seeds (or --seeds - 1) in folders below it."""
    status = check_lines(acceptance(args.steps, values, run.rows))
    wanted, good = args.seeds or 20, 1 - status
    for seed in range(args.seed + 1, args.seed + wanted):
        other = type(args)(**{**vars(args), "seed": seed, "out": str(run.folder / f"seed-{seed}"), "resume": None})
        another = Run(other, log_every=10, save_every=args.steps)
        results = acceptance(args.steps, train(another), another.rows)
        good += all(passed for _, _, passed, _ in results)
        if not all(passed for _, _, passed, _ in results):
            say(f"seed {seed}:")
            check_lines(results)
    return max(status, check_lines([("seeds", good, good == wanted, f"=={wanted}")]))


if __name__ == "__main__":
    sys.exit(main(demo))
