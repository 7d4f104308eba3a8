"""An energy instead of a verdict: D is an autoencoder, and what it cannot redraw is a fake.

  python -m gans.ebgan                  digits of low energy
  python -m gans.ebgan --pull-away 0    without what keeps them apart
  python -m gans.ebgan --margin 5       where few fakes count for D

After Zhao, Mathieu & LeCun, "Energy-based generative adversarial networks" (2017). D squeezes an image through 32
numbers and draws it again; the squared error is the image's energy. D learns to redraw real images well and generated
ones badly, but only until their energy reaches a margin: beyond it, none counts. G looks for images of low energy.

If all of G's images were one, D's 32 numbers would be the same, too. So G also pays where the codes of its images point
the same way: the pull-away term, the mean squared cosine of two of them.

The energy depends on an image twice, as what is redrawn and as what that is compared with. G needs the gradient through
both; public versions that detach the target drive G by half of the slope.

What to look at: energy.png. D lifts fakes to the margin and no further, and reals sink below it to meet them. And
redrawn.png: digits come back whole, noise as the nearest that D knows of.

What to try: the two commands above; in the file, a code of 8 numbers instead of 32.
"""

import sys

import numpy as np

import minigrad as mg
from gans.machinery import figures
from gans.machinery.commandline import main, non_negative, parse, parser
from gans.machinery.imagesets import DIGITS, open_digits
from gans.machinery.judge import judged
from gans.machinery.losses import energy, energy_based, pull_away
from gans.machinery.parts import frozen, update
from gans.machinery.run import Run
from gans.machinery.samples import as_real, described, generate
from minigrad import nn, optim

QUICK = "--data synthetic --steps 500"


class Autoencoder(nn.Module):
    """images (N, 784) -> their energies (N,)."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(                                      # (N, 784)
            nn.Linear(784, 256), nn.LeakyReLU(0.2),                        # (N, 256)
            nn.Linear(256, 32))                                            # (N, 32): the code
        self.decoder = nn.Sequential(
            nn.LeakyReLU(0.2), nn.Linear(32, 256), nn.LeakyReLU(0.2),      # (N, 256)
            nn.Linear(256, 784), nn.Sigmoid())                             # (N, 784)

    def forward(self, images):
        return energy(images, self.decoder(self.encoder(images)))


def generator(options=None):
    return described(nn.Sequential(                                        # (N, 100)
        nn.Linear(100, 256), nn.BatchNorm1d(256), nn.ReLU(),               # (N, 256)
        nn.Linear(256, 512), nn.BatchNorm1d(512), nn.ReLU(),               # (N, 512)
        nn.Linear(512, 784), nn.Sigmoid(),                                 # (N, 784)
    ), (100,), image_shape=(28, 28, 1), rows=True)


def train(run, pictures):
    """Returns the averaged G, and D."""
    G, D = generator().to(run.device), Autoencoder().to(run.device)
    loss, apart = energy_based(run.args.margin), run.args.pull_away
    average = optim.EMA(G, 0.999)
    optimiser_g, optimiser_d = (optim.Adam(net.parameters(), 5e-4, betas=(0.5, 0.999)) for net in (G, D))
    run.keep(G=G, D=D, average=average, optimiser_g=optimiser_g, optimiser_d=optimiser_d)

    @run.captured
    def learn(real, seeds):
        # 1. D redraws real images well, and generated ones badly, up to the margin.
        fake = G(seeds)
        on_real, on_fake = D(real), D(fake.detach())
        d_real, d_fake = loss.d(on_real, on_fake)
        update(optimiser_d, d_real + d_fake)

        # 2. G lowers the energy of its images, through both of its arguments, and keeps their codes apart.
        with frozen(D):
            codes = D.encoder(fake)
            g, together = loss.g(energy(fake, D.decoder(codes))), pull_away(codes)
            update(optimiser_g, g + apart * together)
        average.update()
        return dict(real=d_real, fake=on_fake.mean(), g=g, scores=(on_real, on_fake), images=(real, fake)), together

    for step in run.steps():
        losses, together = learn(run.batch(step, pictures, like=G), run.noise(step, run.args.batch, 100))
        run.log(step, **losses)
        if step % 10 == 0:
            run.measure(step, pull_away=together)
        run.look(step, average.model, D)
    return average.model, D


def both_arguments(h=1e-6):
    """(relative error of dE/dx against central differences in float64, the same with the target detached)."""
    D, x = Autoencoder().double(), mg.rand(1, 784, dtype=mg.float64).requires_grad_()
    ways = mg.randn(8, 784, dtype=mg.float64)
    with mg.no_grad():
        wanted = (D(x + h * ways) - D(x - h * ways)).numpy() / (2 * h)                     # (8,)
    slopes = [mg.autograd.grad(e.sum(), x)[0] for e in (D(x), energy(x.detach(), D.decoder(D.encoder(x))))]
    return [np.linalg.norm((ways @ slope[0]).numpy() - wanted) / np.linalg.norm(wanted) for slope in slopes]


def demo(argv=None):
    p = parser("ebgan", __doc__, steps=6000, batch=64, samples=True, capture=True)
    p.add_argument("--data", choices=DIGITS, default="auto", help="auto: MNIST, or digits drawn by code without it")
    p.add_argument("--margin", type=non_negative, default=20.0, metavar="X", help="energy beyond which fakes rest (20)")
    p.add_argument("--pull-away", type=non_negative, default=2.0, metavar="X", help="weight of the term (2)")
    args = parse(p, argv)
    pictures = open_digits(args.data).for_run(args)

    with Run(args, "energies: D lifts fakes to the margin", energy_based(args.margin).ideals) as run:
        G, D = train(run, pictures)
        run.finish(G)
        shown = {"reals that were kept back": pictures.held_out, "fakes": generate(G, 2000, seed=args.seed)[..., None],
                 "noise": np.random.default_rng(0).integers(0, 256, (2000, 28, 28, 1), np.uint8)}
        images = {name: mg.tensor(as_real(these, G), device=run.device) for name, these in shown.items()}
        with mg.no_grad():
            energies = {name: D(these).cpu().numpy() for name, these in images.items()}
            redrawn = {name: D.decoder(D.encoder(these[:10])).cpu().numpy() for name, these in images.items()}
        run.paths += [figures.energies(run.folder / "energy.png", run.losses(), energies, args.margin),
                      figures.redrawn(run.folder / "redrawn.png", shown, redrawn)]
        real, _, noise = (each.mean() for each in energies.values())
        found, (whole, half) = judged(run, G, pictures), both_arguments()
        most, least, far = (args.margin, 0.04, 0.05) if args.steps >= 3000 else (noise / 2, 0.0, 0.5)
        return run.end([
            ("dE/dx against differences", whole, whole < 1e-6, "<1e-6"),
            ("the same, target detached", half, half > 0.1, ">0.1"),
            ("energy of reals kept back", real, real < most, f"<{most:.4g}"),
            ("energy of noise", noise, noise > args.margin, f">{args.margin:g}"),
            ("smallest share", found.shares.min(), found.shares.min() >= least, f">={least}"),
            ("Frechet distance / noise's", found.distance, found.distance <= far, f"<={far}"),
        ], "python -m gans.wgan, where D measures a distance")


if __name__ == "__main__":
    sys.exit(main(demo))
