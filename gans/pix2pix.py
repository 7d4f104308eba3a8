"""Pictures of pictures: clothes from their outlines, colour from grey, or what your own pairs show.

  python -m gans.pix2pix                   clothes from outlines
  python -m gans.pix2pix --data colour     colour for grey faces
  python -m gans.pix2pix --data pairs/     a folder of your own
  python -m gans.pix2pix --recipe regress  without a discriminator

After Isola, Zhu, Zhou & Efros, "Image-to-Image Translation with Conditional Adversarial Networks" (2017). G is a U-Net:
it squeezes a picture down to 2x2, builds another from that, and hands each size across, so that lines stay where they
are. It pays for two things, 100 times the mean distance to the picture that is wanted, and a discriminator D.

The distance alone (--recipe regress) is least for the middle of all that fits an outline: a blur, nowhere far off, and
like no real picture. D sees what was given beside what was made, patch by patch, and tells. So that it looks at both,
it also has to refuse a real picture beside another's outline, which is Reed et al.'s (2016), not the paper's. The noise
of G are values that it drops, as in the paper after training, too; it makes little of them.

What to look at: pairs.png, with a row of what is given, some of what is made, and one of what is wanted. The measured
figure is the Frechet distance to real pictures over regression's: the plain distance is regression's to win.

What to try: --skips off, and see lines move; --weight 10, where G invents more.
"""

import sys

import minigrad as mg
from gans.machinery.commandline import main, non_negative, only, parse, parser, positive
from gans.machinery.losses import LN2, NS, called_fake
from gans.machinery.pairs import halved, open_pairs, pair_options
from gans.machinery.parts import from_normal, frozen, update
from gans.machinery.run import Run, beside
from gans.machinery.translate import compared, conditional, described, patches, show, translated, values, written
from minigrad import nn, optim
from minigrad.nn import functional as F

QUICK = "--data colour --size 16 --width 8 --steps 100"
HALVINGS, COMPARED = 4, 2000
BESIDE = {"regress": {"recipe": "regress"}, "without skips": {"skips": "off"}}  # what --check trains, too


class UNet(nn.Module):
    """pictures (N, C, S, S) -> pictures (N, C', S, S) in -1..1. Each is treated by itself: no batch norm."""

    def __init__(self, inputs, outputs, w, skips=True):
        super().__init__()
        self.skips, k = skips, 2 if skips else 1

        def down(inputs, outputs, *norm):
            return nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(inputs, outputs, 4, 2, 1, bias=not norm), *norm)

        def up(inputs, outputs, drop):
            return nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False),
                                 nn.InstanceNorm2d(outputs), nn.Dropout(drop))

        self.down = nn.ModuleList([                                                 # (N, C, S, S)
            nn.Conv2d(inputs, w, 4, 2, 1),                                          # (N, w, S/2, S/2)
            down(w, 2 * w, nn.InstanceNorm2d(2 * w)),                               # (N, 2w, S/4, S/4)
            down(2 * w, 4 * w, nn.InstanceNorm2d(4 * w)),                           # (N, 4w, S/8, S/8)
            down(4 * w, 4 * w)])                                                    # (N, 4w, S/16, S/16)
        self.up = nn.ModuleList([
            up(4 * w, 4 * w, 0.5),                                                  # (N, 4w, S/8, S/8)
            up(k * 4 * w, 2 * w, 0.5),                                              # (N, 2w, S/4, S/4)
            up(k * 2 * w, w, 0.0),                                                  # (N, w, S/2, S/2)
            nn.Sequential(nn.ReLU(), nn.ConvTranspose2d(k * w, outputs, 4, 2, 1), nn.Tanh())])  # (N, C', S, S)

    def forward(self, x):
        passed = [x := layer(x) for layer in self.down]
        for layer, across in zip(self.up, [None, *passed[-2::-1]]):
            x = layer(mg.cat([x, across], 1) if self.skips and across is not None else x)
        return x


def generator(options):
    """G of a run."""
    given, made = options.shapes
    return described(UNet(given[2], made[2], options.width, options.skips == "on"), given, made)


def train(run, pairs):
    """Returns G and D."""
    args, G = run.args, generator(run.args).apply(from_normal).to(run.device)
    D = patches(G.given_shape[2] + G.image_shape[2], args.width).apply(from_normal).to(run.device)
    optimiser_g, optimiser_d = (optim.Adam(net.parameters(), args.lr, betas=(0.5, 0.999)) for net in (G, D))
    run.keep(G=G, D=D, optimiser_g=optimiser_g, optimiser_d=optimiser_d)

    for step in run.steps():
        chosen = run.batch_order(step, len(pairs.given), args.batch)
        given, wanted = (values(part[chosen], G, run.device) for part in (pairs.given, pairs.wanted))
        made = G(given)
        losses, answers = {"l1": F.l1_loss(made, wanted)}, None
        g = args.weight * losses["l1"]
        if args.recipe == "gan":
            # 1. D learns, half as fast as it could, what belongs to what was given: neither what is made nor another's.
            answers = D(mg.cat([given, wanted], 1)), D(mg.cat([given, made.detach()], 1))
            losses["d_real"], d_made = NS.d(*answers)
            others = values(pairs.given[(chosen + 1) % len(pairs.given)], G, run.device)
            losses["d_fake"] = (d_made + called_fake(D(mg.cat([others, wanted], 1)))) / 2
            update(optimiser_d, (losses["d_real"] + losses["d_fake"]) / 2)

        # 2. G learns to be near to what is wanted, and to be taken for it.
        with frozen(D):
            if args.recipe == "gan":
                losses["g"] = NS.g(D(mg.cat([given, made], 1)))
                g = g + losses["g"]
            update(optimiser_g, g)

        run.log(step, **losses, logits=answers, images=(wanted, made))
        show(run, step, lambda: pairs.held_given[:8], lambda: translated(G, pairs.held_given[:8], args.seed),
             lambda: pairs.held_wanted[:8])
    return G, D


def demo(argv=None):
    p = parser("pix2pix", __doc__, steps=1500, batch=16)
    pair_options(p, "auto (edges, or colour without Fashion-MNIST), edges, colour")
    p.add_argument("--recipe", choices=["gan", "regress"], default="gan", help="with D, or without (gan)")
    p.add_argument("--skips", choices=["on", "off"], default="on", help="hand each size across G (on)")
    p.add_argument("--weight", type=non_negative, default=100.0, metavar="X", help="of the distance (100)")
    p.add_argument("--width", type=positive, default=16, metavar="W", help="channels of the widest pictures (16)")
    p.add_argument("--lr", type=non_negative, default=1e-3, metavar="X", help="Adam's rate (1e-3)")
    args = parse(p, argv)
    only(args, ["check"], args.recipe == "gan", "--recipe gan")
    halved(args, HALVINGS)
    pairs = open_pairs(args).for_run(args)

    with Run(args, "pix2pix: the losses of D and G, and the distance", LN2) as run:
        G, D = train(run, pairs)
        run.finish()
        given, wanted = pairs.held_given[:COMPARED], pairs.held_wanted[:COMPARED]
        made = {"made": translated(G, given, args.seed), "made with another seed": translated(G, given, args.seed + 1)}
        for name, changes in BESIDE.items() if args.check else ():
            with beside(run, name.replace(" ", "-"), changes) as other:
                made[name] = translated(train(other, pairs)[0], given, args.seed)
        found = compared(run, pairs, made)
        written(run, "pairs.png", given, *made.values(), wanted)
        if not args.check:
            return run.end([], f"python -m gans.apply {run.folder} FILE, for a picture of your own")
        (near, like), (_, regression), (far, _) = (found[name] for name in ("made", *BESIDE))
        share, lower, rise = like / regression, conditional(D, G, given, wanted, run.device), far / near
        return run.end([("Frechet distance / regression's", share, share < 1, "<1"),
                        ("lower score if what was given is another's", lower, lower >= 0.9, ">=0.9"),
                        ("L1 without skips / with", rise, rise >= 1.1, ">=1.1")],
                       "python -m gans.pix2pix --data colour")


if __name__ == "__main__":
    sys.exit(main(demo))
