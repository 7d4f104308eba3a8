"""Mode collapse where all can be seen: eight small hills on a ring, twenty-five on a grid.

  python -m gans.modes                          the ring
  python -m gans.modes --data grid              5 x 5 hills
  python -m gans.modes --loss wgan-gp           another loss
  python -m gans.modes --collapse               a plain GAN: hills are lost
  python -m gans.modes --collapse --pack 2      D is shown two at once

What to look at: training.gif, samples upon what D thinks of each place (light: real). A collapsing G runs from hill to
hill, and D after it. gradients.png tells why G's loss is not minus D's: as D gets sure, it leaves G without a slope.

What makes it work: R1 keeps D from being steep at the hills (Mescheder et al. 2018), the rate goes to 0, G's weights
are averaged, and seeds of 8 numbers leave more room than 2 for the tears by which G parts them among the hills.

What to try: each --loss; --penalty 0; --collapse with --pack 2 (Lin et al. 2018, "PacGAN"), --minibatch-discrimination
(Salimans et al. 2016), --unrolled 3 (Metz et al. 2017).
"""

import sys
from functools import partial

from gans.machinery.commandline import at_least, main, non_negative, only, parse, parser, positive
from gans.machinery.heatmaps import heat_map, points
from gans.machinery.losses import HINGE, LSGAN, MINIMAX, NS, WGAN, energy, energy_based, gradient_penalty, r1
from gans.machinery.modecounts import HILLS, counted, figures, hills
from gans.machinery.parts import MinibatchDiscrimination, critic_steps, frozen, update
from gans.machinery.run import Run
from gans.machinery.samples import described
from gans.machinery.saturation import silence
from gans.machinery.seeds import over_seeds
from gans.machinery.unrolled import unrolled
from minigrad import nn, optim
from minigrad.errors import MinigradError

W, UNROLLED = 128, 0.03
LOSSES = {"ns": (NS, r1), "minimax": (MINIMAX, r1), "lsgan": (LSGAN, r1), "hinge": (HINGE, r1), "wgan": (WGAN, None),
          "wgan-gp": (WGAN, gradient_penalty), "ebgan": (energy_based(0.1), None)}  # the loss, what D pays for
PAID = {r1: 0.015, gradient_penalty: 0.1, None: 0.0}  # how much of it
QUICK = "--steps 1500 --batch 128"
picture = points  # what gans.sample draws
STEPS = {"ring": 10_000, "grid": 20_000, "collapse": 2_000}


def generator(options):
    z = 2 if options.collapse else 8
    return described(nn.Sequential(                         # (N, z)
        nn.Linear(z, W), nn.ReLU(),                         # (N, 128)
        nn.Linear(W, W), nn.ReLU(),                         # (N, 128)
        nn.Linear(W, 2)), (z,), value_range=(-float("inf"), float("inf")))  # (N, 2)


class Autoencoder(nn.Sequential):  # EBGAN's D: the energy of a sample is how badly it is reproduced
    def forward(self, x):
        return energy(x, super().forward(x))


def discriminator(args):
    if args.loss == "ebgan":
        return Autoencoder(
            nn.Linear(2 * args.pack, W), nn.LeakyReLU(0.2),     # (N / pack, 128)
            nn.Linear(W, 32), nn.LeakyReLU(0.2),                # (N / pack, 32)
            nn.Linear(32, W), nn.LeakyReLU(0.2),                # (N / pack, 128)
            nn.Linear(W, 2 * args.pack))                        # (N / pack, 2 pack), and of it the energy (N / pack,)
    told = [MinibatchDiscrimination(W, 8, 3)] if args.minibatch_discrimination else []
    return nn.Sequential(                                   # (N / pack, 2 pack): a pack is one input
        nn.Linear(2 * args.pack, W), nn.LeakyReLU(0.2),     # (N / pack, 128)
        nn.Linear(W, W), nn.LeakyReLU(0.2), *told,          # (N / pack, 128), or 136 with what is told of the others
        nn.Linear(W + 8 * len(told), 1))                    # (N / pack, 1): a logit, or a score


def train(run):
    """Returns the averaged G; with --collapse, G itself."""
    args, plain, (loss, penalty) = run.args, run.args.collapse, LOSSES[run.args.loss]
    weight = args.penalty if args.penalty is not None else 0.0 if plain else PAID[penalty]
    G, D = generator(args).to(run.device), discriminator(args).to(run.device)
    average, beta = optim.EMA(G, 0.0 if plain else 0.999), 0.9 if plain else 0.5
    optimiser_g, optimiser_d = (optim.Adam(net.parameters(), 2e-3, betas=(beta, 0.99)) for net in (G, D))
    run.keep(G=G, D=D, average=average, optimiser_g=optimiser_g, optimiser_d=optimiser_d)

    @run.captured
    def learn(*batches):
        # 1 and 2. D learns from real and from generated samples; a pack of them is one input.
        for real, seeds, mix in batches:
            fake = G(seeds).reshape(-1, 2 * args.pack)
            on_real, on_fake = D(real), D(fake.detach())
            d_real, d_fake = loss.d(on_real, on_fake)
            d = d_real + d_fake
            if weight:
                d = d + weight * penalty(D, real, *(() if mix is None else (fake, mix)))
            update(optimiser_d, d)
            if args.loss == "wgan":
                for p in D.parameters():
                    p.data.clamp_(-0.1, 0.1)
        # 3. G learns to be answered as real data are: by D as it is, or as it will be.
        with frozen(D):
            g = unrolled(D, loss, real, fake, args.unrolled, UNROLLED) if args.unrolled else loss.g(D(fake))
            update(optimiser_g, g)
        average.update()
        return {"d_real": d_real, "d_fake": d_fake, "g": g, loss.answers: (on_real, on_fake)}

    for step in run.steps():
        rate = 2e-3 if plain else 2e-3 * (1 - (step - 1) / args.steps)
        optimiser_g.param_groups[0]["lr"] = optimiser_d.param_groups[0]["lr"] = rate
        run.log(step, **learn(*((hills(run, k), run.noise(k, args.batch, *G.seed_shape), None if penalty is r1 else
                                 run.uniform(k, args.batch // args.pack, 1, name="mix"))
                                for k in critic_steps(step, 3 if loss is WGAN else 1))))
        run.plot(step, partial(heat_map, run, average.model, D, HILLS[args.data],
                               "energies" if args.loss == "ebgan" else loss.answers))
    return average.model


def acceptance(run, G):
    """Whether all hills are kept, beside PacGAN's figures; with --collapse, whether some are lost."""
    args, found = run.args, counted(run, G)
    if args.collapse:
        cured = args.pack > 1 or args.minibatch_discrimination or args.unrolled or args.penalty
        return [("KL to equal shares", found.kl, (found.kl <= 0.05) == bool(cured), "<=0.05" if cured else ">0.05")]
    return figures(found, len(HILLS[args.data][0]), args.steps >= STEPS[args.data])


def demo(argv=None):
    p = parser("modes", __doc__, steps="ring 10000, grid 20000, --collapse 2000", capture=True)
    p.add_argument("--batch", type=positive, metavar="N", help="samples a step (256, --collapse 128)")
    p.add_argument("--data", choices=HILLS, default="ring", help="eight hills (ring), or 25 (grid)")
    p.add_argument("--loss", choices=LOSSES, default="ns", metavar="NAME", help=", ".join(LOSSES))
    p.add_argument("--collapse", action="store_true", help="no penalty, no average, beta1 0.9, a constant rate")
    p.add_argument("--penalty", type=non_negative, metavar="X", help="weight of the loss's own penalty")
    p.add_argument("--pack", type=positive, default=1, metavar="N", help="samples that D is shown at once (1)")
    p.add_argument("--minibatch-discrimination", action="store_true", help="tell D how near the others are")
    p.add_argument("--unrolled", type=at_least(0), default=0, metavar="N", help="steps of D that G looks ahead (0)")
    args = parse(p, argv)
    args.steps = args.steps or STEPS["collapse" if args.collapse else args.data]
    args.batch = args.batch or (128 if args.collapse else 256)
    only(args, ["penalty"], LOSSES[args.loss][1], "a --loss that has one, not wgan or ebgan")
    if args.batch % args.pack:
        raise MinigradError(f"--pack {args.pack}: a batch of {args.batch} is not so many whole packs; use a divisor")
    with Run(args, f"{args.data}, {args.loss}: the losses of D and G", LOSSES[args.loss][0].ideals, pictures=30) as run:
        G = train(run)
        run.finish(G)
        results = acceptance(run, G)
        if args.collapse and args.check:
            results = over_seeds(run, results, 8, lambda other: acceptance(other, train(other)), least=6)
        elif args.loss in ("ns", "minimax") and args.pack == 1:
            results.append(silence(run, generator(args), discriminator(args),
                                   lambda k: (hills(run, k), run.noise(k, args.batch, *G.seed_shape))))
        return run.end(results, "python -m gans.mnist" if args.collapse else "python -m gans.modes --collapse")


if __name__ == "__main__":
    sys.exit(main(demo))
