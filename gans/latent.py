"""The space behind a generator: ways between seeds, sums of concepts, directions, and seeds that are found again.

  python -m gans.latent                      faces drawn by code: faces-dcgan
  python -m gans.latent --from mnist-dcgan   another of python -m gans.hub list
  python -m gans.latent --from runs/dcgan    what you have trained

A generator draws one picture from each of infinitely many seeds. Four questions to the space that these lie in, after
Radford, Metz & Chintala, "Unsupervised Representation Learning with Deep Convolutional GANs" (2016), section 6, and
Rashid (2020):

    walk        what lies between two seeds? Not a cross-fade, but pictures of their own. Seeds of 100 numbers from
                N(0, 1) are all about 10 long; a straight line passes at 7, an arc stays where G has learnt
    arithmetic  smiling with glasses - smiling without + serious without = serious with glasses? Each is the mean of
                three seeds, and all such sums are tried, for all pairs of attributes and all of their values
    directions  the way from serious to smiling is what a logistic regression finds between their seeds
    inversion   which seed draws this picture? Down the slope of the difference, through G, which stands still

Attributes are read by a network that has learnt from faces of which all is known (gans/machinery/attributes.py),
those of digits by a classifier, and by their ink and slant. Of photographs nothing is known: there are walks and
inversion alone.

What to look at: walk.png, where every picture on the way could be an end; arithmetic.png; confusion.png, what was asked
and what is read; directions.png. samples/ and training.gif show seeds being found: at the left pictures of G itself,
which come back, at the right pictures that it has never seen, of which it draws the nearest that it can.

What to try: --shades 6, where skin is asked for by shades that are hard to tell apart; --loss squared.
"""

import sys

import numpy as np

from gans.machinery import views
from gans.machinery.attributes import reader_of
from gans.machinery.commandline import main, non_negative, parse, parser, positive, say
from gans.machinery.directions import Known, added, as_asked, pushed, sums
from gans.machinery.parts import update
from gans.machinery.run import Run
from gans.machinery.samples import as_images, as_real, generate, inputs, noise, outputs
from gans.machinery.trained import opened, source_option
from gans.machinery.ways import half_way
from minigrad import nn, optim

QUICK = "--steps 60 --batch 8 --known 1500"
BARS = {"faces-dcgan": 0.7}  # sums that are read as asked


class Codes(nn.Module):
    """Seeds that are looked for, the one thing that learns."""

    def __init__(self, z):
        super().__init__()
        self.z = nn.Parameter(z)                                                # (N, 100, 1, 1)


def invert(run, G, pictures, labels):
    """Find seeds of pictures, uint8 (N, H, W, C), the first half of which G has drawn: differences before and after."""
    args, half, (low, high) = run.args, len(pictures) // 2, G.value_range
    z, *asked = inputs(G, noise(G, len(pictures), run.seed, "codes"), labels)
    wanted = inputs(G, as_real(pictures, G))[0]                                 # (N, 3, 32, 32)
    codes = Codes(z).to(run.device)
    optimiser = optim.Adam(codes.parameters(), args.lr)
    run.keep(codes=codes, optimiser=optimiser)

    def apart(drawn):                                                           # (N,): 0 alike, 1 black to white
        return (drawn - wanted).flatten(1).abs().mean(1) / (high - low)

    before = apart(G(z, *asked))
    for step in run.steps():
        optimiser.param_groups[0]["lr"] = args.lr * (1 - (step - 1) / args.steps) ** 0.5
        drawn = G(codes.z, *asked)                                              # (N, 3, 32, 32)
        loss = apart(drawn) if args.loss == "absolute" else (drawn - wanted).flatten(1).square().mean(1)
        update(optimiser, loss.sum())
        run.log(step, own=loss[:half].mean(), kept_back=loss[half:].mean())
        if run.picture_due(step):
            run.picture(step, views.found(pictures, as_images(outputs(G, codes.z.detach().cpu().numpy(), labels), G)))
    after = apart(G(codes.z.detach(), *asked))
    return [(some[:half].mean().item(), some[half:].mean().item()) for some in (before, after)]


def concepts(run, G, reader):
    """Sums of concepts and directions of attributes: pictures of them, and [(name, value, passed, threshold)]."""
    args = run.args
    seeds = noise(G, args.known, run.seed, "known").reshape(args.known, -1)     # (N, 100)

    def draw(z):
        return as_images(outputs(G, np.asarray(z, np.float32).reshape(-1, *G.seed_shape)), G)

    known = Known.of(seeds, reader.read(draw(seeds)))
    there, z = added(known, sums(reader.values))                                # (N, 100): a sum each
    pairs, counts = as_asked(there, reader.read(draw(z)))
    for pair, share in pairs.items():
        say(f"  {pair:<18} {share:.1%} of the sums are read as asked")
    right = sum(pairs[f"{s.first} and {s.second}"] for s in there) / max(len(there), 1)
    say(f"sums of concepts, {len(there)} of them: {right:.1%} are read as asked, both attributes")

    others = noise(G, args.known // 15, run.seed, "pushed").reshape(args.known // 15, -1)
    reached, kept = [], []
    for name in list(reader.values)[:2] if "smile" in reader.values else list(reader.values)[-2:]:
        for value, word in enumerate(reader.values[name]):
            share, rest = pushed(known, lambda z: reader.read(draw(z)), others, name, value)
            reached, kept = [*reached, share], [*kept, *rest.values()]
            say(f"  pushed to {word:<10} {share:.1%} are read so; as before: "
                + ", ".join(f"{key} {same:.0%}" for key, same in rest.items()))
    if there:
        run.paths.append(views.arithmetic(run.folder / "arithmetic.png", known, draw, there, reader.values, run.seed))
    run.paths += [views.confusion(run.folder / "confusion.png", counts, reader.values, right, len(there)),
                  views.pushes(run.folder / "directions.png", known, draw, reader.values, run.seed)]
    run.measure(run.step, sums=right, pushed=np.mean(reached), kept=np.mean(kept), **pairs)
    bar = BARS.get(args.source, 0.5)
    return [("sums read as asked", right, right >= bar, f">={bar}"),
            ("read so after a push", np.mean(reached), np.mean(reached) >= 0.9, ">=0.9"),
            ("the other attributes stay", np.mean(kept), np.mean(kept) >= 0.75, ">=0.75")]


def demo(argv=None):
    p = parser("latent", __doc__, steps=300, batch=32)
    source_option(p)
    p.add_argument("--lr", type=non_negative, default=0.1, metavar="X", help="Adam's rate for seeds (0.1)")
    p.add_argument("--loss", choices=["absolute", "squared"], default="absolute", metavar="NAME",
                   help="the difference of two pictures: absolute, squared")
    p.add_argument("--known", type=positive, default=6000, metavar="N", help="seeds whose pictures are read (6000)")
    p.add_argument("--shades", type=int, choices=[3, 6], default=3, metavar="N",
                   help="of skin that are told apart: 3, 6")
    args = parse(p, argv)
    trained = opened(args.source)
    pictures = trained.pictures(1)
    with Run(args, "seeds that are looked for: the difference of the pictures") as run:
        G = trained.G.to(run.device)
        half = max(1, args.batch // 2)
        own = generate(G, half, seed=run.seed, name="own").reshape(half, *G.image_shape)
        labels = np.resize(np.arange(half) % G.classes, 2 * half) if G.classes else None
        before, after = invert(run, G, np.concatenate([own, pictures.held_out[:half]]), labels)
        run.finish()
        gains = [1 - b / a for a, b in zip(before, after)]
        say(f"found again: the difference falls by {gains[0]:.1%} for pictures of its own, {gains[1]:.1%} for others")

        reader = None if G.classes else reader_of(pictures, args.shades)
        found = half_way(G, reader, pictures.held_out, labels, seed=run.seed)
        run.paths.append(views.walk(run.folder / "walk.png", G, run.seed))
        run.measure(run.step, own=gains[0], kept_back=gains[1], **found._asdict())
        results = [("difference of own ones, less", gains[0], gains[0] >= 0.8, ">=0.8"),
                   ("ends apart / real ones apart", found.apart, found.apart >= 0.5, ">=0.5"),
                   ("confidence, half way / ends", found.sure, found.sure >= 0.8, ">=0.8"),
                   ("nearest real, half way / fade", found.near, found.near < 1, "<1")]
        return run.end(results + (concepts(run, G, reader) if reader else []), "python -m gans.inspect")


if __name__ == "__main__":
    sys.exit(main(demo))
