"""Pictures of what is inside: of the space of the seeds, and of D and G."""

import numpy as np

from gans.machinery.arithmetic import walk as straight
from gans.machinery.figures import sheets, show, strip, written
from gans.machinery.generators import between
from gans.machinery.pictures import grid
from gans.machinery.plots import figure_of
from gans.machinery.samples import as_images, noise, outputs
from minigrad.random import stream

POINTS, STEPS = 9, 12  # of a walk: as in figure 4 of DCGAN's paper, as in Rashid's book
PUSHES = (-4, -3, -2, -1, 0, 1, 2, 3, 4)


def found(pictures, drawn):
    """Pictures, uint8 (N, H, W, C), each above what a seed that is looked for draws, as one picture, (H, W[, 3])."""
    drawn, columns = drawn.reshape(pictures.shape), min(len(pictures), 16)
    rows = [part for k in range(0, len(pictures), columns) for part in (pictures[k:k + columns], drawn[k:k + columns])]
    images = np.concatenate([np.pad(row, ((0, columns - len(row)), (0, 0), (0, 0), (0, 0))) for row in rows])
    return grid(images[..., 0] if images.shape[-1] == 1 else images, columns, scale=2 if images.shape[1] < 64 else 1)


def walk(path, G, seed, rows=4):
    """Ways between pairs of seeds: along the arc and on the straight line; for comparison, a cross-fade of two ends."""
    ends = noise(G, 2 * rows, seed, "walk").reshape(rows, 2, *G.seed_shape)

    def draw(z, row):
        return as_images(outputs(G, z, np.full(len(z), row % G.classes) if G.classes else None), G)

    arcs = [draw(between(*pair, POINTS, G.seeds), k) for k, pair in enumerate(ends)]
    lines = [draw(straight(a.reshape(-1), b.reshape(-1), STEPS).reshape(STEPS, *G.seed_shape), k)
             for k, (a, b) in enumerate(ends[:2])]
    share = np.linspace(0, 1, POINTS).reshape(-1, *[1] * (arcs[0].ndim - 1))
    fade = np.rint((1 - share) * arcs[0][0] + share * arcs[0][-1]).astype(np.uint8)
    return sheets(path, {
        f"along the arc, {POINTS} pictures": (arcs, range(1, POINTS + 1)),
        f"on the straight line, {STEPS} pictures, between the ends of the first two":
            (lines, range(1, STEPS + 1)),
        "for comparison: the first two ends, cross-faded": ([fade], range(1, POINTS + 1))}, (8, 7.4))


def arithmetic(path, known, draw, there, values, seed, rows=5):
    """Sums of concepts: three pictures of each, that of their mean, and what the sum draws, without and with noise."""
    pairs = {(s.first, s.second): [] for s in there}  # one of each pair of attributes, then more
    for k in stream(seed, "shown sums").permutation(len(there)):
        pairs[there[k].first, there[k].second].append(there[k])
    chosen = [s for turn in zip(*[(few * rows)[:rows] for few in pairs.values()]) for s in turn][:rows]
    drawn = {}
    for s in chosen:
        groups = [known.seeds[known.exemplars(**concept)] for concept in s.concepts()]
        a, b, c = (group.mean(0) for group in groups)
        little = 0.25 * stream(seed, "little noise").standard_normal((2, len(a)))
        seeds = np.concatenate([*[[*group, group.mean(0)] for group in groups], a - b + c + np.vstack([0 * a, little])])
        images, (first, second) = draw(seeds), (values[s.first], values[s.second])
        images = np.concatenate([np.concatenate([images[k:k + 4], np.full_like(images[:1], 255)])  # a gap
                                 for k in (0, 4, 8)] + [images[12:]])
        title = (f"{first[s.a]}, {second[s.b]}   -   {first[s.c]}, {second[s.b]}   +   {first[s.c]}, {second[s.d]}"
                 f"   =   {first[s.a]}, {second[s.d]}")
        drawn[title] = [images], ["", "three of them", "", "mean", "-", "", "three of them", "", "mean", "+", "",
                                  "three of them", "", "mean", "=", "sum", "and a little", "noise"]
    return sheets(path, drawn, (12, 1.15 * max(len(drawn), 2)))


def confusion(path, counts, values, right, number):
    """What was asked of sums of concepts, and what was read, an attribute a panel: {attribute: counts}."""
    figure, axes = figure_of((3.4 * len(counts), 3.9), 1, len(counts))
    for panel, (name, table) in zip(np.atleast_1d(axes), counts.items()):
        share = table / np.maximum(table.sum(1, keepdims=True), 1)
        panel.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for (row, column), value in np.ndenumerate(share):
            panel.text(column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=8,
                       color="white" if value > 0.5 else "black")
        panel.set_xticks(range(len(share)), values[name], rotation=40, fontsize=8, ha="right", rotation_mode="anchor")
        panel.set_yticks(range(len(share)), values[name], fontsize=8)
        panel.set(title=name, xlabel="read, %", ylabel="asked")
    figure.suptitle(f"{number:,} sums of concepts: {right:.0%} are read as asked, in both attributes", fontsize=11)
    return written(path, figure)


def pushes(path, known, draw, values, seed):
    """Three seeds pushed back and forth in a few directions."""
    seeds = known.seeds[stream(seed, "shown seeds").permutation(len(known.seeds))[:3]]
    last = {name: len(words) - 1 for name, words in values.items()}
    drawn = {}
    for name, value in list(last.items())[:4]:
        way = known.direction(name, value)
        drawn[f"{name}: towards {values[name][value]}"] = (
            [draw(z + np.outer(PUSHES, way)) for z in seeds], [f"{length:+d}" if length else "0" for length in PUSHES])
    return sheets(path, drawn, (6, 2.3 * len(drawn)))


def stretched(maps):
    """Maps (N, H, W) as uint8 images, each from its least (black) to its largest value (white)."""
    low, high = maps.min((1, 2), keepdims=True), maps.max((1, 2), keepdims=True)
    return np.rint((maps - low) / np.maximum(high - low, 1e-12) * 255).astype(np.uint8)


def strength(maps):
    """Slopes (N, C, H, W) as uint8 images (N, H, W): the sum of their absolute values, the strongest pixels white."""
    weight = np.abs(maps).sum(1)
    high = np.quantile(weight, 0.995, axis=(1, 2), keepdims=True)
    return np.rint((weight / np.maximum(high, 1e-30)).clip(0, 1) * 255).astype(np.uint8)


def coloured(images, size):
    """uint8 images (N, h, w), (N, h, w, 1) or (N, h, w, 3) as (N, size, size, 3), by whole pixels."""
    images = images[..., None] if images.ndim == 3 else images
    images = images.repeat(3 // images.shape[3], 3)
    index = np.arange(size) * images.shape[1] // size
    return images[:, index][:, :, index]


def filters(path, rows):
    """{title: {name of a row: images}} of some filters, a panel each: pictures, and the maps of each method below."""
    figure, axes = figure_of((4.6 * len(rows), 0.62 * max(map(len, rows.values())) + 0.6), 1, len(rows))
    for panel, (title, of) in zip(np.atleast_1d(axes), rows.items()):
        size = next(iter(of.values())).shape[1]
        strips = [strip(coloured(images, size)) for images in of.values()]
        show(panel, np.concatenate(strips), title)
        panel.set_yticks([len(strips[0]) * (k + 0.5) for k in range(len(of))], list(of), fontsize=8)
        panel.tick_params(length=0)
    return written(path, figure)


def sanity(path, correlations, names):
    """How alike a method's maps stay to the trained network's as its layers are made random: {method: shares}."""
    figure, axes = figure_of((7, 4))
    for method, values in correlations.items():
        axes.plot(range(len(values)), values, "o-", label=method)
    axes.set_xticks(range(len(names)), ["as trained", *[f"+ layer {name}" for name in names[1:]]])
    axes.set(xlabel="layers with random weights, from D's answer downwards", ylabel="rank correlation with its own map",
             title="A map that stays when the network is gone says nothing about it")
    axes.set_ylim(-0.1, 1.05)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.legend()
    return written(path, figure)


def forgetting(path, drawn):
    """{title: [samples, the same without some maps, the same without others]}, one below the other."""
    return sheets(path, {title: (rows, [""] * len(rows[0])) for title, rows in drawn.items()},
                  (8, 2.25 * len(drawn) + 0.3))


def first_filters(path, weights, others):
    """D's first filters, (C, channels, h, w), beside those of a D that has learnt nothing."""
    figure, axes = figure_of((9, 3), 1, 2)
    for panel, title, w in zip(axes, ("D's first filters", "before it learnt anything"), (weights, others)):
        reach = np.abs(w).max((1, 2, 3), keepdims=True)
        tiles = np.rint((w / np.maximum(reach, 1e-12) + 1) * 127.5).astype(np.uint8).transpose(0, 2, 3, 1)
        tiles = coloured(tiles, 12 * w.shape[2])
        show(panel, grid(tiles, 8, scale=1), title)
    return written(path, figure)


def along(path, seen, image, each=12):
    """A few of the maps (C, H, W) that the layers of G make of one seed, {name of the layer: maps}, and the image.

    Of each layer those that vary most.
    """
    drawn = {}
    for name, maps in seen.items():
        chosen = maps[np.argsort(-maps.std((1, 2)), kind="stable")[:each]]
        drawn[f"{name}: {len(maps)} maps of {maps.shape[1]}x{maps.shape[2]}, the {len(chosen)} that vary most"] = (
            strip(coloured(stretched(chosen), 32)))
    drawn["and what they become"] = strip(image[None])
    figure, axes = figure_of((8, 1.05 * len(drawn) + 0.4), len(drawn))
    for panel, (title, picture) in zip(axes, drawn.items()):
        show(panel, picture, title)
    return written(path, figure)
