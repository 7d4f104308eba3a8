"""Progressive growing: faces of 4x4 pixels first, then 8x8, 16x16, 32x32, each size faded in.

  python -m gans.progan                faces drawn by code, from 4x4 to 32x32
  python -m gans.progan --no-fading    abruptly; each technique has its --no-...
  python -m gans.progan --ablation     what one technique after another is worth

After Karras, Aila, Laine & Lehtinen, "Progressive growing of GANs for improved quality, stability, and variation"
(2018). What is coarse is learnt first, on small images, where that is easy and quick; then both networks get layers for
twice the size. These would throw over what was learnt, so they are faded in: G's images go from the enlarged old ones
to the new, D's view of them likewise, and the reals from their enlarged halves to themselves. The other three
techniques are layers of their own, which gans/machinery/growing.py has, each with its formula:

    equalised learning rate        weights N(0, 1), multiplied in use by what their layer needs
    pixel norm                     in G, each pixel's values have mean square 1, so that none escalate
    minibatch standard deviation   D is told how much the images of a batch differ

The loss is WGAN-GP's, and a drift, 0.001 f(real)^2, holds f near 0; one step of the critic for one of G; Adam (0, 0.99)
begins anew with each size; G's last layer is linear; samples come from a running average of G. The paper's rate is
1e-3, for eight times the channels and a hundred times the steps.

What to look at: levels.png, the same seeds at the end of each size, and the sliced Wasserstein distance beside it.

What to try: --no-growing, the whole networks from the first step on; --no-minibatch-std; --data faces, photographs.
"""

import sys

from gans.machinery import growth
from gans.machinery.commandline import main, non_negative, parse, parser, positive
from gans.machinery.growing import (
    EQUALISED,
    PLAIN,
    GrowingCritic,
    GrowingGenerator,
    MinibatchDeviation,
    PixelNorm,
    at,
    faded,
)
from gans.machinery.imagesets import image_options
from gans.machinery.losses import WGAN, gradient_penalty
from gans.machinery.parts import frozen, update
from gans.machinery.run import Run
from gans.machinery.samples import described
from minigrad import nn, optim

QUICK = "--data synthetic-faces --size 16 --width 4 --phase 12"


def networks(args):
    """(G, D) of all levels for images of --size; the widest have four times --width channels."""
    widths = [min(args.width * args.size // side, 4 * args.width) for side in growth.sides(args.size)]
    w, channels, (conv, linear) = widths[0], args.shape[2], EQUALISED if args.equalised else PLAIN

    def norm():
        return [PixelNorm()] if args.pixel_norm else []

    def after():
        return [nn.LeakyReLU(0.2), *norm()]

    G = GrowingGenerator(
        nn.Sequential(                                                                 # (N, w)
            *norm(), linear(w, 16 * w), nn.Unflatten(1, (w, 4, 4)), *after(),          # (N, w, 4, 4)
            conv(w, w, 3, padding=1), *after()),                                       # (N, w, 4, 4)
        [nn.Sequential(                                                                # (N, a, S / 2, S / 2)
            nn.Upsample(scale_factor=2), conv(a, b, 3, padding=1), *after(),           # (N, b, S, S)
            conv(b, b, 3, padding=1), *after()) for a, b in zip(widths, widths[1:])],  # (N, b, S, S)
        [nn.Sequential(                                                                # (N, width, S, S)
            conv(width, channels, 1, gain=1.0), *([] if args.linear else [nn.Tanh()]))  # (N, C, S, S)
         for width in widths], args.size)
    D = GrowingCritic(
        [nn.Sequential(                                                                # (N, C, S, S)
            conv(channels, width, 1), nn.LeakyReLU(0.2)) for width in widths],         # (N, width, S, S)
        [nn.Sequential(                                                                # (N, b, S, S)
            conv(b, b, 3, padding=1), nn.LeakyReLU(0.2), conv(b, a, 3, padding=1), nn.LeakyReLU(0.2),  # (N, a, S, S)
            nn.AvgPool2d(2)) for a, b in zip(widths, widths[1:])],                     # (N, a, S / 2, S / 2)
        nn.Sequential(                                                                 # (N, w, 4, 4)
            *([MinibatchDeviation()] if args.minibatch_std else []),                   # (N, w + 1, 4, 4)
            conv(w + args.minibatch_std, w, 3, padding=1), nn.LeakyReLU(0.2),          # (N, w, 4, 4)
            conv(w, w, 4), nn.LeakyReLU(0.2), nn.Flatten(), linear(w, 1, gain=1.0)))   # (N, 1): any number
    return described(G, (w,), image_shape=args.shape, value_range=(-1.0, 1.0)), D


def generator(options):
    """G of a run; how far it has grown is in its weights."""
    return networks(options)[0]


def train(run, pictures):
    """Level after level. Returns the averaged G."""
    args, batch = run.args, run.args.batch
    G, D = (net.to(run.device) for net in networks(args))
    average = optim.EMA(G, 0.99 if args.average else 0.0)
    optimiser_g, optimiser_d = (optim.Adam(net.parameters(), args.lr, betas=(0.0, 0.99)) for net in (G, D))
    new = optimiser_g.state_dict(), optimiser_d.state_dict()
    for level, last in growth.schedule(args):
        run.phase(f"{4 << level}x{4 << level}")
        if args.reset:
            optimiser_g.load_state_dict(new[0]), optimiser_d.load_state_dict(new[1])
        run.keep(G=G, D=D, average=average, optimiser_g=optimiser_g, optimiser_d=optimiser_d)

        for step in run.steps(to=last):
            for net in (G, D, average.model):
                net.grow(level, *growth.come_in(args, level, step))
            real = faded(at(level, run.batch(step, pictures, like=G)), G.fade)
            fake, mix = G.made(run.noise(step, batch, *G.seed_shape)), run.uniform(step, batch, 1, 1, 1, name="mix")

            # 1. The critic makes the gap as large as its slope allows, and stays near 0.
            on_real, on_fake = D(real), D(fake.detach())
            d_real, d_fake = WGAN.d(on_real, on_fake)
            penalty = gradient_penalty(D, real, fake, mix)
            update(optimiser_d, d_real + d_fake + 10 * penalty + args.drift * 0.001 * (on_real ** 2).mean())

            # 2. G raises what the critic answers to its images.
            with frozen(D):
                g = WGAN.g(D(fake))
                update(optimiser_g, g)
            average.update()

            run.log(step, d_real=d_real, d_fake=d_fake, g=g, scores=(on_real, on_fake), images=(real, fake))
            growth.look(run, step, level, pictures, average.model, D)
    return average.model


def demo(argv=None):
    p = parser("progan", __doc__, steps="a phase for 4x4, two for each other size", batch=16, samples=True)
    image_options(p, "synthetic-faces, faces (CelebA)")
    p.set_defaults(data="synthetic-faces")
    p.add_argument("--size", type=growth.size, default=32, metavar="S", help="pixels a side: 16, 32, 64, 128 (32)")
    p.add_argument("--width", type=positive, default=16, metavar="W", help="channels of the largest images (16)")
    p.add_argument("--phase", type=positive, default=400, metavar="N", help="steps in which a size comes in (400)")
    p.add_argument("--lr", type=non_negative, metavar="X", help="Adam's rate (4e-3, 5e-4 for plain layers)")
    growth.options(p)
    args = parse(p, argv)
    pictures = growth.pictures_of(args).for_run(args)

    with Run(args, "the losses of critic and G", WGAN.ideals) as run:
        G = train(run, pictures)
        run.finish(G)
        run.paths.append(growth.levels(run, pictures))
        if args.ablation:
            growth.ablation(run, lambda other: train(other, pictures), pictures, G)
        return run.end(growth.checked(run, networks(args), pictures, G),
                       "python -m gans.progan --no-growing, the whole networks from the first step on")


if __name__ == "__main__":
    sys.exit(main(demo))
