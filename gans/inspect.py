"""Looking inside: what D's filters respond to, whether pictures of that can be believed, and what G forgets.

  python -m gans.inspect                      faces drawn by code: faces-dcgan
  python -m gans.inspect --from mnist-dcgan   another of python -m gans.hub list
  python -m gans.inspect --from runs/dcgan    D and G of a run of yours

A generator by name comes without its D, so that one learns here first, beside it, for 400 steps. Nobody told it
what a mouth is. Five looks at what it has found out:

    first filters   the weights that are laid on pixels: edges and colours
    filters         the pixels that a filter responds to, by the slope of its response: as it is, smoothed under noise,
                    and by guided backpropagation, which hooks into each LeakyReLU on the way back
    sanity          whether such a picture is one of the network at all: make its layers random, one by one from the
                    top, and see how much of the picture stays (Adebayo et al., "Sanity checks for saliency maps", 2018)
    occlusion       the truth: with the glasses greyed out, does the filter fall more than with a box elsewhere?
    forgetting      a logistic regression tells which of G's maps are tied to a smile; without them, who still smiles?
                    As many maps of the same mean activation are the control (DCGAN's paper, section 6.3.2, on windows)

What to look at: filters.png, where the sharpest pictures are those of guided backpropagation, of random weights, too;
sanity.png, which says why; forgetting.png; first.png; layers.png, the maps along G.

What to try: --steps 50, where D has hardly learnt; in the file, another layer of G to forget from.
"""

import sys

import numpy as np

from gans import dcgan
from gans.machinery import saliency, views
from gans.machinery.attributes import boxes, known, reader_of
from gans.machinery.commandline import main, parse, parser, positive, say
from gans.machinery.losses import LN2
from gans.machinery.maps import activations, forget, observed, without
from gans.machinery.run import Run
from gans.machinery.samples import as_images, as_real, noise, outputs
from gans.machinery.trained import networks, opened, source_option

QUICK = "--steps 60 --batch 16 --known 600"
TAUGHT = 300  # steps after which D's filters are asked to know an attribute; 0 are those of a run, which has learnt
RECIPE = ("lr", "beta1", "penalty", "average")  # of the run that the generator comes from
SHOWN = 6  # images of each filter


def filters(run, G, D, blank, pictures):
    """What single filters respond to: filters.png, and for drawn faces whether occlusion agrees."""
    size, layers, results, rows = pictures.shape[0], activations(D)[1:], [], {}
    images, questions, truth = known(pictures, min(run.args.known, 1000))

    def form(images):
        return as_real(images, G)                                               # (N, 3, 32, 32)

    for name, there in questions.items():
        half = len(images) // 2
        layer, channel, told = saliency.best_filter(D, layers, form(images[:half]), there[:half])
        random = saliency.best_filter(blank, layers, form(images[:half]), there[:half])

        def response(x, net=D, layer=layer, channel=channel):
            return saliency.responses(net, layer, x)[:, channel]                # (N,)

        def untaught(x, net=blank, layer=random[0], channel=random[1]):
            return saliency.responses(net, layer, x)[:, channel]

        chosen = half + np.flatnonzero(there[half:2 * half])
        chosen = chosen[np.argsort(-saliency.answers(response, form(images[chosen])), kind="stable")]
        shown = form(images[chosen[:SHOWN]])                                    # those that it responds to most
        maps = {method: saliency.saliency(method, D, response, shown) for method in saliency.METHODS}
        maps["guided, random D"] = saliency.saliency("guided", blank, untaught, shown)
        title = f"filter {channel} of layer {layer}, which tells {name}"
        rows[title] = {"image": images[chosen[:SHOWN]], **{key: views.strength(one) for key, one in maps.items()},
                       "occlusion": views.stretched(saliency.occlusion(response, images[chosen[:SHOWN]], form).clip(0))}
        if truth:
            at = boxes({key: values[chosen] for key, values in truth.items()}, name, size)
            (own, away), (theirs, aside) = (saliency.falls(f, images[chosen], at, form) for f in (response, untaught))
            say(f"{title} by {told:.2f} deviations: falls by {own:.3f} where that is grey, by {away:.3f} where a box "
                f"elsewhere is; a random D's best tells it by {random[2]:.2f}, falls by {theirs:.2g} and {aside:.2g}")
            say("  within its box lie " + ", ".join(f"{saliency.in_boxes(one, at[:SHOWN]):.0%} of {key}"
                                                    for key, one in maps.items()))
            run.measure(run.step, **{f"{name} own": own, f"{name} elsewhere": away, f"{name} told": told})
            share = abs(away) / own if own > 0 else 99.0
            if run.args.steps == 0 or run.args.steps >= TAUGHT:
                results.append((f"{name}: falls elsewhere / at it", share, share <= 0.5, "<=0.5"))
    run.paths.append(views.filters(run.folder / "filters.png", rows))
    found, names = saliency.sanity(D, form(images[:32]))
    run.paths.append(views.sanity(run.folder / "sanity.png", found, names))
    for method, values in found.items():
        say(f"layers made random: {method:<8} rank correlation " + ", ".join(f"{value:.2f}" for value in values))
    run.measure(run.step, **{f"{method} {name}": v for method, vs in found.items() for name, v in zip(names, vs)})
    return [*results, *((f"{method}: what stays, all random", values[-1], values[-1] <= 0.5, "<=0.5")
                        for method, values in found.items())]


def forgetting(run, G, reader):
    """What G no longer draws without the maps that are tied to it: forgetting.png."""
    layer, results, drawn = G[activations(G)[0]], [], {}
    learnt, fresh = (noise(G, run.args.known // k, run.seed, name) for k, name in ((1, "known"), (2, "fresh")))
    asked = [("smile", 1), ("glasses", 1)] if "smile" in reader.values else [("class", 1), ("class", 7)]
    for name, value in asked[:2 if run.args.known >= 1000 else 1]:  # the second takes many maps, and many samples
        word, found = reader.values[name][value], forget(G, reader.read, layer, name, value, learnt, fresh)
        say(f"without {len(found.maps)} of G's maps, {word}: {found.before:.1%} of the samples before, "
            f"{found.after:.1%} after, {found.by_control:.1%} without as many others; of the rest "
            + ", ".join(f"{key}: {found.stay[key]:.0%} as before, rates fall by {found.lost[key]:.1%}"
                        for key in found.stay))
        after, others = found.after / max(found.before, 1e-9), found.by_control / max(found.before, 1e-9)
        lost = max(found.lost.values())
        run.measure(run.step, **{f"{word} after": after, f"{word} by others": others, f"{word} lost": lost})
        results += [(f"{word}: after / before", after, after <= 0.5, "<=0.5"),
                    (f"{word}: without other maps", others, others >= 0.75, ">=0.75"),
                    (f"{word}: what else is lost", lost, lost <= 0.1, "<=0.1")]
        those = fresh[reader.read(as_images(outputs(G, fresh), G))[name].argmax(1) == value][:12]
        those = those if len(those) else fresh[:12]
        drawn[f"{word}: samples; without {len(found.maps)} maps tied to it; without {len(found.maps)} others"] = [
            without(G, those, layer, maps) for maps in ([], found.maps, found.control)]
    run.paths.append(views.forgetting(run.folder / "forgetting.png", drawn))
    return results


def demo(argv=None):
    p = parser("inspect", __doc__, steps="400; none for the D of a run", batch=32)
    source_option(p)
    p.add_argument("--known", type=positive, default=1200, metavar="N",
                   help="seeds whose pictures are read, to choose maps by (1200)")
    args = parse(p, argv)
    trained = opened(args.source)
    moving, D, learnt, blank = networks(trained, args.seed)
    for name in RECIPE:
        setattr(args, name, getattr(trained.options, name))
    args.steps = args.steps or (0 if learnt else 400)
    pictures = trained.pictures(args.steps * args.batch)
    with Run(args, "the losses of D, and of G beside it", LN2) as run:
        G, moving, D, blank = (net.to(run.device) for net in (trained.G, moving, D, blank))
        dcgan.train(run, pictures, moving, D)
        if not args.steps:
            run.save(0)
        run.finish()
        for net in (D, blank):
            net.eval().requires_grad_(False).cpu()
        run.paths.append(views.first_filters(run.folder / "first.png", D[0].weight.cpu().numpy(),
                                             blank[0].weight.cpu().numpy()))
        one, seen = noise(G, 1, run.seed, "picture"), {}
        for k in activations(G):
            image, maps = observed(G, one, G[k])
            seen[f"layer {k}"] = maps[0]
        run.paths.append(views.along(run.folder / "layers.png", seen, image[0]))
        results, reader = filters(run, G, D, blank, pictures), reader_of(pictures)
        return run.end(results + (forgetting(run, G, reader) if reader else []), "python -m gans.latent")


if __name__ == "__main__":
    sys.exit(main(demo))
