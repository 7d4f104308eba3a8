"""How a progressive GAN grows: which level when, what a level is worth, and whether its parts are what they should be.

The parts themselves are in growing.py; gans/progan.py is the chapter.
"""

import argparse
import copy

import numpy as np

import minigrad as mg
from gans.machinery.commandline import positive, say
from gans.machinery.figures import show, written
from gans.machinery.growing import EQUALISED, PLAIN, MinibatchDeviation, doubled, halved
from gans.machinery.imagesets import open_images, own_alone
from gans.machinery.judge import distance_to_real, floor
from gans.machinery.pictures import grid
from gans.machinery.plots import figure_of
from gans.machinery.run import beside
from gans.machinery.samples import generate
from minigrad import autograd, optim
from minigrad.errors import MinigradError

SIZES = (16, 32, 64, 128)
COMPARED, FEW = 1_000, 200  # samples whose distance to real images is measured, and in a short run
RATES = {True: 4e-3, False: 5e-4}  # of Adam, with equalised layers or without, whose weights are smaller
SHORT, BARRED = 100, 150  # steps of a phase: fewer are for a look; from so many on, more is learnt with each level
TECHNIQUES = {  # by the option that leaves each out: what there is without it
    "growing": "the whole networks from the first step on",
    "fading": "a level's layers come in at once",
    "equalised": "plain layers, He's start",
    "pixel_norm": "G's values as they come",
    "minibatch_std": "D sees each image by itself",
    "drift": "the critic's numbers may wander",
    "linear": "tanh behind G's last layer",
    "reset": "Adam goes on from level to level",
    "average": "samples of G as it is"}
LADDER = {  # the paper's table 1: what comes in, one after another
    "WGAN-GP": (), "+ growing": ("growing",), "+ minibatch deviation": ("minibatch_std",),
    "+ equalised rate": ("equalised",), "+ pixel norm": ("pixel_norm",)}


def options(p):
    """Add --no-... for each technique, and --ablation, to a parser."""
    group = p.add_argument_group("without")
    for name, without in TECHNIQUES.items():
        group.add_argument(f"--no-{name.replace('_', '-')}", dest=name, action="store_false", help=without)
    p.add_argument("--ablation", action="store_true", help="train with one technique more each time: a table")


def size(text):
    """The type of --size."""
    value = positive(text)
    if value not in SIZES:
        near = min(SIZES, key=lambda legal: abs(legal - value))
        raise argparse.ArgumentTypeError(f"{value}: images are doubled from 4x4 to {', '.join(map(str, SIZES))}; the "
                                         f"nearest is {near}")
    return value


def sides(largest):
    """The sides of the levels' images.

    >>> sides(32)
    [4, 8, 16, 32]
    """
    return [4 << level for level in range((largest // 4).bit_length())]


def pictures_of(args):
    """The Pictures of --data at --size; `args` get their rate and number of steps where they have none."""
    own_alone(args)
    for name in ("fading", "reset"):
        if name in args.given and not args.growing:
            raise MinigradError(f"--no-{name}: has no effect beside --no-growing, with which there is one level; leave "
                                "it away")
    missing = [name for names in LADDER.values() for name in names if not getattr(args, name)]
    if args.ablation and missing:
        raise MinigradError(f"--no-{missing[0].replace('_', '-')}: has no effect beside --ablation, whose last row "
                            "has all techniques; leave it away")
    args.lr = RATES[args.equalised] if args.lr is None else args.lr
    args.steps = args.steps or end_of(args, len(sides(args.size)) - 1)
    return open_images(args, args.size)


def end_of(args, level):
    """The last step of a level: the first has one phase, the others two, to come in and to go on."""
    return (2 * level + 1) * args.phase


def schedule(args):
    """[(level, its last step)] of a run; the last level goes on for as long as there are --steps.

    >>> schedule(argparse.Namespace(size=16, phase=10, steps=60, growing=True))
    [(0, 10), (1, 30), (2, 60)]
    >>> schedule(argparse.Namespace(size=16, phase=10, steps=25, growing=True))
    [(0, 10), (1, 25)]
    """
    top, found = len(sides(args.size)) - 1, []
    for level in range(top + 1) if args.growing else [top]:
        found.append((level, args.steps if level == top else min(end_of(args, level), args.steps)))
        if found[-1][1] == args.steps:
            break
    return found


def come_in(args, level, step):
    """(done, of): how far a level's layers have come in at a step, in steps.

    >>> args = argparse.Namespace(size=16, phase=10, growing=True, fading=True)
    >>> come_in(args, 0, 3), come_in(args, 1, 11), come_in(args, 1, 20), come_in(args, 1, 21)
    ((1, 1), (1, 10), (10, 10), (10, 10))
    """
    if level == 0 or not (args.growing and args.fading):
        return 1, 1
    return min(step - end_of(args, level - 1), args.phase), args.phase


# What is seen on the way


def look(run, step, level, pictures, G, D):
    """As `run.look`; at the end of a level, in any case, and measured, too."""
    if not (run.args.growing and step == end_of(run.args, level)):
        run.look(step, G, D)
        return
    run.show(step, G, D)
    found, side = distance(run, G, pictures), 4 << level
    run.measure(step, **{f"distance at {side}": found.average})
    say(f"{side}x{side}: the sliced Wasserstein distance of {found.images} samples to pictures that were kept back is "
        f"{found}")


def distance(run, G, pictures):
    """The SlicedWasserstein of a generator's samples, enlarged, to pictures that were kept back."""
    return distance_to_real(generate(G, compared(run.args, pictures), seed=run.seed), pictures)


def compared(args, pictures):
    """How many samples are compared with pictures that were kept back."""
    return min(COMPARED if args.phase >= SHORT else FEW, len(pictures.held_out))


def at_the_end(run, G, pictures):
    """Say and return the distance at the end, beside that of pictures that were learnt from."""
    top = len(sides(run.args.size)) - 1
    least, found = floor(pictures, compared(run.args, pictures)).average, reached(run).get(run.args.size)
    if found is None or run.args.steps != end_of(run.args, top):
        found = distance(run, G, pictures).average
    say(f"at the end it is {found:.1f}; that of pictures that were learnt from is {least:.1f}")
    run.measure(run.step, sliced_wasserstein=found, floor=least)
    return found


def reached(run):
    """{side: distance} that were measured at the ends of levels."""
    found = run.measured()
    return {side: found[f"distance at {side}"] for side in sides(run.args.size) if f"distance at {side}" in found}


def levels(run, pictures):
    """levels.png: the same seeds at the end of each level, beside the distance, and pictures that were kept back."""
    from PIL import Image

    frames, rows, scale = run.frames(), {}, 2 if run.args.size < 64 else 1
    for level, (side, value) in enumerate(reached(run).items()):
        if path := frames.get(end_of(run.args, level)):
            with Image.open(path) as picture:  # its first row of samples
                rows[f"{side}x{side}, distance {value:.0f}"] = np.asarray(picture)[:scale * (run.args.size + 4)]
    rows["pictures that were kept back"] = grid(pictures.held_out[:8], 8, scale)
    figure, axes = figure_of((6, 1.05 * len(rows)), len(rows), squeeze=False)
    for panel, (title, picture) in zip(axes[:, 0], rows.items()):
        show(panel, picture, title)
    return written(run.folder / "levels.png", figure)


# Whether the parts are what they should be


def errors_at_zero(G, D, n=8):
    """(of G, of D): how far off each is at fade 0 from what it was a level before, the largest of all levels."""
    G, D = copy.deepcopy(G), copy.deepcopy(D)
    error_g = error_d = 0.0
    with mg.no_grad():
        for level in range(1, len(G.blocks) + 1):
            z, images = mg.randn(n, *G.seed_shape), mg.randn(n, G.image_shape[2], 4 << level, 4 << level)
            old, judged = at_fade(G, G.made, z, level - 1, 1), at_fade(D, D, halved(images), level - 1, 1)
            error_g = max(error_g, abs(at_fade(G, G.made, z, level, 0) - doubled(old)).max().item())
            error_d = max(error_d, abs(at_fade(D, D, images, level, 0) - judged).max().item())
    return error_g, error_d


def largest_jump(G, D, n=8, parts=1_000):
    """How far a step of 1 / parts of fade moves both, at most, over what the whole way moves them: 1 / parts at best.

    It is taken at both ends and in the middle of each level's way; a fade that is a step has 1 somewhere, and one that
    never comes has no way at all: infinity.
    """
    G, D, worst = copy.deepcopy(G), copy.deepcopy(D), 0.0
    with mg.no_grad():
        for level in range(1, len(G.blocks) + 1):
            z, images = mg.randn(n, *G.seed_shape), mg.randn(n, G.image_shape[2], 4 << level, 4 << level)
            for net, see, x in ((G, G.made, z), (D, D, images)):
                way = abs(at_fade(net, see, x, level, 1) - at_fade(net, see, x, level, 0)).max().item()
                for done in (0, parts // 2, parts - 1):
                    moved = at_fade(net, see, x, level, done + 1, parts) - at_fade(net, see, x, level, done, parts)
                    worst = max(worst, abs(moved).max().item() / way if way else float("inf"))
    return worst


def at_fade(net, see, x, level, done, of=1):
    """see(x) with the network at a level that has come in to done / of."""
    net.grow(level, done, of)
    return see(x)


def deviation_of_equals():
    """What the minibatch deviation says of equal images; infinity if its slope there is not finite."""
    x = mg.ones(8, 3, 4, 4).requires_grad_()
    layer = MinibatchDeviation()
    told = layer(x)[:, 3]
    slope, = autograd.grad((told * mg.randn_like(told)).sum(), x)
    return abs(told).max().item() if np.isfinite(slope.numpy()).all() else float("inf")


def share_moved(layer, shape, rate=1e-3, n=400):
    """By which share of their spread a layer's outputs move when Adam makes its first step, over the rate.

    Inputs (n, *shape) are N(0, 1), others than it has learnt from; what all outputs share, the bias, does not count.
    """
    optimiser = optim.Adam(layer.parameters(), rate, betas=(0.0, 0.99))
    y = layer(mg.randn(n, *shape))
    optimiser.zero_grad()
    (y * mg.randn_like(y)).sum().backward()
    x = mg.randn(n, *shape)
    with mg.no_grad():
        before = layer(x)
        optimiser.step()
        moved = layer(x) - before
        return (moved.std(0).mean() / before.std(0).mean()).item() / rate


def unequal(layers):
    """The largest share that a layer moves by over the smallest one: of a narrow, a middling and a wide one of each."""
    conv, linear = layers
    shares = [share_moved(conv(width, 16, 3), (width, 3, 3)) for width in (3, 32, 256)]
    shares += [share_moved(linear(width, 16), (width,)) for width in (16, 512)]
    return max(shares) / min(shares)


def checked(run, fresh, pictures, G):
    """The rows of a run's check; `fresh` are networks (G, D) that have learnt nothing."""
    (zero_g, zero_d), jump = errors_at_zero(*fresh), largest_jump(*fresh)
    alike, same, other = deviation_of_equals(), unequal(EQUALISED), unequal(PLAIN)
    results = [("G at fade 0, error", zero_g, zero_g <= 1e-6, "<=1e-6"),
               ("D at fade 0, error", zero_d, zero_d <= 1e-6, "<=1e-6"),
               ("move in 0.001 of fade", jump, jump <= 0.01, "<=0.01"),
               ("minibatch deviation of equals", alike, alike <= 1.001e-4, "<=1e-4"),
               ("layers' moves, largest / smallest", same, same <= 1.5, "<=1.5"),
               ("the same, plain layers", other, other >= 3, ">=3")]
    now, way = at_the_end(run, G, pictures), [*reached(run).values()]
    if run.args.phase >= BARRED and len(way) == len(sides(run.args.size)):
        falls = sum(later < before for before, later in zip(way, way[1:]))
        bar = 0.5 if run.args.phase >= 400 else 0.65
        results += [("levels with a smaller distance", falls, falls == len(way) - 1, f"=={len(way) - 1}"),
                    ("distance now / at 4x4", now / way[0], now / way[0] <= bar, f"<={bar}")]
    return results


def ablation(run, train, pictures, G):
    """Train with one technique after another, in folders below the run's, and say the distances; G has them all."""
    off, rows = {name for names in LADDER.values() for name in names}, {}
    for title, names in LADDER.items():
        off -= {*names}
        if off:
            plain = {"lr": RATES[False]} if "equalised" in off and run.args.lr == RATES[True] else {}
            with beside(run, f"without-{'-'.join(sorted(off))}", dict.fromkeys(off, False) | plain) as other:
                rows[title] = distance(other, train(other), pictures)
        else:
            rows[title] = distance(run, G, pictures)
    rows["real beside real"] = least = floor(pictures, compared(run.args, pictures))
    width = max(map(len, rows))
    say(f"sliced Wasserstein distance, {least.images} samples, {run.args.steps:,} steps of {run.args.batch}:")
    say("  ".join([" " * width, *(f"{level:>7}" for level in least.levels), "average"]))
    for title, found in rows.items():
        say("  ".join([title.ljust(width), *(f"{value:7.1f}" for value in (*found.levels.values(), found.average))]))
