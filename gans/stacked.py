"""A thousand modes: three digits at random, one a colour, are an image; how many of them does a GAN make?

  python -m gans.stacked                  two digits, 100 modes, two at once
  python -m gans.stacked --pack 1         D is shown single images
  python -m gans.stacked --loss wgan-gp   a critic instead
  python -m gans.stacked --digits 3       1,000 modes

After Lin, Khetan, Fanti & Oh, "PacGAN: The power of two samples in generative adversarial networks" (2018), and the
data of Metz et al. (2017). A D that is shown single images cannot see that some never come: each by itself is good. Of
two at once it can, as two that are alike come more often than among real ones.

A classifier reads each channel, so the modes can be counted. By one hit, as papers do it, one image in 26,000 is enough
to have a mode; by fair share it takes half of what is due. The divergence from the real shares has a floor: as many
real stacks, read by the same classifier, are not at 0.

All are compared at equal numbers of images seen: a pack of two is one input of D, but two images. D is narrower than G,
as in PacGAN's table 3, so that modes are lost within minutes.

What to look at: the table; samples, red the first digit, green the second.

What to try: --pack 4; --shrink 1, a D as wide as G; in the file, no batch normalisation in D.
"""

import sys

from gans.machinery.commandline import main, only, parse, parser, positive
from gans.machinery.imagesets import DIGITS, open_digits
from gans.machinery.judge import judge_of
from gans.machinery.losses import NS, WGAN, gradient_penalty
from gans.machinery.parts import critic_steps, from_normal, frozen, update
from gans.machinery.run import Run
from gans.machinery.samples import described
from gans.machinery.stackcounts import beside_plain, counted, real_ones, results, said
from gans.machinery.stacks import stacked
from minigrad import nn, optim
from minigrad.errors import MinigradError

LOSSES = {"dcgan": (NS, 1, 2e-3, 0.5), "wgan-gp": (WGAN, 3, 1e-3, 0.0)}  # steps of D for one of G, rate, beta1
QUICK = "--data synthetic --steps 80"


def generator(options):
    w = options.width
    return described(nn.Sequential(                                                             # (N, 100, 1, 1)
        nn.ConvTranspose2d(100, 4 * w, 7, bias=False), nn.BatchNorm2d(4 * w), nn.ReLU(),        # (N, 4w, 7, 7)
        nn.ConvTranspose2d(4 * w, 2 * w, 4, 2, 1, bias=False), nn.BatchNorm2d(2 * w), nn.ReLU(),  # (N, 2w, 14, 14)
        nn.ConvTranspose2d(2 * w, options.digits, 4, 2, 1), nn.Sigmoid(),                       # (N, digits, 28, 28)
    ), (100, 1, 1), image_shape=(28, 28, options.digits))


def discriminator(args):
    w, norm = max(1, args.width // args.shrink), nn.BatchNorm2d if args.loss == "dcgan" else lambda _: nn.Identity()
    return nn.Sequential(                                                            # (N / pack, digits pack, 28, 28)
        nn.Conv2d(args.digits * args.pack, 2 * w, 4, 2, 1), nn.LeakyReLU(0.2),                  # (N / pack, 2w, 14, 14)
        nn.Conv2d(2 * w, 4 * w, 4, 2, 1), norm(4 * w), nn.LeakyReLU(0.2),                       # (N / pack, 4w, 7, 7)
        nn.Conv2d(4 * w, 1, 7))                                                                 # (N / pack, 1, 1, 1)


def packed(images, pack):
    """(N, C, H, W) as (N / pack, pack C, H, W): a pack of images is one input of D."""
    return images.reshape(-1, pack * images.shape[1], *images.shape[2:])


def train(run, pictures):
    """Returns the averaged G."""
    args, (loss, n, rate, beta) = run.args, LOSSES[run.args.loss]
    G, D = generator(args).apply(from_normal).to(run.device), discriminator(args).apply(from_normal).to(run.device)
    average = optim.EMA(G, 0.99)
    optimiser_g, optimiser_d = (optim.Adam(net.parameters(), rate, betas=(beta, 0.999)) for net in (G, D))
    run.keep(G=G, D=D, average=average, optimiser_g=optimiser_g, optimiser_d=optimiser_d)

    for step in run.steps():
        # 1 and 2. D learns from packs of real and of generated images; a critic a few times.
        for k in critic_steps(step, n):
            images = run.batch(k, pictures, like=G)
            made = G(run.noise(k, args.batch, 100, 1, 1))
            real, fake = packed(images, args.pack), packed(made, args.pack)
            on_real, on_fake = D(real), D(fake.detach())
            d_real, d_fake = loss.d(on_real, on_fake)
            d = d_real + d_fake
            if loss is WGAN:
                d = d + 10 * gradient_penalty(D, real, fake, run.uniform(k, len(real), 1, 1, 1, name="mix"))
            update(optimiser_d, d)

        # 3. G learns to be answered as real packs are.
        with frozen(D):
            g = loss.g(D(fake))
            update(optimiser_g, g)
        average.update()

        run.log(step, d_real=d_real, d_fake=d_fake, g=g, images=(images, made), **{loss.answers: (on_real, on_fake)})
        run.look(step, average.model)
    return average.model


def demo(argv=None):
    p = parser("stacked", __doc__, steps="2 digits 1000, 3 digits 2000", batch=64, samples=True)
    p.add_argument("--data", choices=DIGITS, default="auto", help="auto: MNIST, or digits drawn by code without it")
    p.add_argument("--digits", type=int, choices=[2, 3], default=2, help="in an image: 100 or 1,000 modes (2)")
    p.add_argument("--loss", choices=LOSSES, default="dcgan", help="dcgan, or a critic (dcgan)")
    p.add_argument("--pack", type=positive, default=2, metavar="N", help="images that D is shown at once (2)")
    p.add_argument("--width", type=positive, default=8, metavar="W", help="of G (8)")
    p.add_argument("--shrink", type=positive, default=4, metavar="N", help="D is so many times narrower (4)")
    p.add_argument("--seeds", type=positive, metavar="N", help="with --check: compare N seeds, from --seed on (1)")
    args = parse(p, argv)
    only(args, ["seeds"], args.check, "--check")
    args.steps = args.steps or {2: 1000, 3: 2000}[args.digits]
    if args.batch % args.pack:
        raise MinigradError(f"--pack {args.pack}: a batch of {args.batch} is not so many whole packs; use a divisor")
    singles = open_digits(args.data)
    pictures = stacked(singles, args.digits).for_run(args)
    judge = judge_of(singles)
    with Run(args, f"{args.loss}, packs of {args.pack}: the losses of D and G", LOSSES[args.loss][0].ideals) as run:
        def judged(other):
            return counted(other, train(other, pictures), pictures, judge)

        G = train(run, pictures)
        run.finish(G)
        mine = counted(run, G, pictures, judge)
        packs, plain = [mine], []
        if args.check and args.pack > 1:
            packs, plain = beside_plain(run, mine, args.seeds or 1, judged)
        said({**{f"packs of {args.pack}, seed {args.seed + k}": each for k, each in enumerate(packs)},
              **{f"single images, seed {args.seed + k}": each for k, each in enumerate(plain)}},
             real_ones(pictures, judge, args.digits))
        return run.end(results(packs, plain, args.steps >= 1000), "python -m gans.stacked --digits 3 --check")


if __name__ == "__main__":
    sys.exit(main(demo))
