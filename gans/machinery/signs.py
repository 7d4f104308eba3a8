"""The failures of a GAN that the monitor knows, each by its signature in the log, with what to try.

A sign's function gets what the monitor has seen (monitor.Seen) and returns in words what it sees now, or None. It asks
for figures of a stretch of steps, so that one bad batch, and the first steps of a training, are no failure yet. The
page docs/health.md has them in words, with how often they are right.
"""

from collections.abc import Callable
from statistics import fmean, median, pstdev
from typing import NamedTuple

LOOKS, SPAN = 5, 200  # a sign in pictures is one if so many looks, over at least so many steps, show it


class Sign(NamedTuple):
    """A failure and how it is seen."""

    number: int
    name: str
    seen: Callable  # Seen -> words, or None
    remedy: str
    upon: frozenset  # groups and events of a row that it is looked for after
    lasting: bool = False  # it does not pass


WATCHED, LOOKED = frozenset({"grad"}), frozenset({"look"})


def right(seen, steps):
    """The shares of real and of generated images that D took for what they were in the last steps, or None."""
    real, fake = seen.last("D", "right on real", steps, 2), seen.last("D", "right on fake", steps, 2)
    return (fmean(real), fmean(fake)) if real and fake else None


def gradient_of_g(seen):
    """(norm of G's gradient now, at its first update), or None."""
    for name in seen.names("grad"):
        if "G" in name.split("+"):
            return seen.now("grad", name), seen.first["grad", name]
    return None


def looks(seen, name, count=LOOKS):
    """The figures of the last looks at samples, as many as tell something, or []."""
    return seen.last("look", name, SPAN, count)


def shares(seen, name, count=LOOKS):
    """The same, each over the figure of real images."""
    real = seen.real(name)
    return [value / real for value in looks(seen, name, count)] if real else []


def formed(seen):
    """Whether samples have the contrast of images by now."""
    found = shares(seen, "std")
    return bool(found) and min(found) > 0.5


def d_wins(seen):
    """D right on 99 % of both for 500 steps, and D(G(z)) below 0.01."""
    both, fake = right(seen, 500), seen.last("D", "fake", 500, 2)
    if both and fake and min(both) >= 0.99 and fmean(fake) < 0.01:
        grad = gradient_of_g(seen)
        return (f"for 500 steps D has been right on {min(both):.1%} of all images, D(G(z)) is {fmean(fake):.2g}"
                + (f", and ‖∇G‖ went from {grad[1]:.2g} to {grad[0]:.2g}" if grad else ""))


def saturated(seen):
    """G's loss is log(1 - D), its gradient a fiftieth of what it was, and D is sure."""
    both, g, grad = right(seen, 50), seen.last("loss", "g", 50, 2), gradient_of_g(seen)
    if both and g and grad and min(both) >= 0.99 and -0.05 < min(g) and max(g) <= 0 and grad[0] < 0.02 * grad[1]:
        return (f"D is sure, and ‖∇G‖ fell from {grad[1]:.2g} to {grad[0]:.2g}: log(1 - D(G(z))) has no slope there, "
                "so G is stuck")


def all_alike(seen):
    """The mean distance between generated images is below a twentieth of that between real ones."""
    fake, real = (seen.last(name, "spread", 100, 3) for name in ("fake", "real"))
    if fake and real and max(fake) < 0.05 * fmean(real):
        return f"generated images differ from each other by {fmean(fake) / fmean(real):.1%} of what real ones do"


def few_kinds(seen):
    """Samples come in few kinds, or a judge says so."""
    low, high = seen.now("measure", "smallest_share"), seen.now("measure", "largest_share")
    if low is not None and high is not None and (low < 0.02 or high > 0.25) and seen.step >= 1000:
        return f"a classifier reads {high:.0%} of the samples as one class, and {low:.1%} as another"
    near, whole = looks(seen, "nearest"), looks(seen, "spread")
    if near and whole and formed(seen) and min(whole) > 0 and seen.real("nearest") and seen.real("spread"):
        usual = seen.real("nearest") / seen.real("spread")
        found = [a / b / usual for a, b in zip(near, whole)]
        if max(found) < 0.1:  # in G's first thousand steps, 0.2 is not rare, and passes
            return (f"a sample's nearest fellow is {fmean(found):.0%} as far away, beside others, as a real image's: "
                    "there are few kinds of samples")


def swinging(seen):
    """Pictures of the same seeds move, from look to look, by more than half the distance between real images."""
    moved = shares(seen, "spread") and [value / seen.real("spread") for value in seen.last("look", "moved", 300, 15)]
    if moved and formed(seen) and median(moved) > 0.5 and median(moved[-5:]) > 0.5:
        return (f"between two looks, samples of the same seeds move by {median(moved):.0%} of the distance between two "
                "real images")


def fooled(seen):
    """An optimiser of G holds D's parameters, or D takes all for real."""
    for row in seen.events.get("parts", ())[-1:]:
        for name, optimiser in row["optimisers"].items():
            if {"G", "D"} <= set(optimiser["nets"]):
                return f"{name} holds the parameters of both {' and '.join(optimiser['nets'])}: D learns to be fooled"
    both, fake = right(seen, 100), seen.last("D", "fake", 100, 2)
    if both and fake and min(fake) > 0.7 and both[0] > 0.95 and both[1] < 0.05:
        return f"D takes everything for real: D(G(z)) is {fmean(fake):.2f}"


def no_number(seen):
    """A loss, a gradient or an answer that is not finite."""
    for event in ("stopped", "null"):
        for row in seen.events.get(event, ())[:1]:
            return f"{row['name']} became {row.get('value', 'NaN or infinite')}"


def checkered(seen):
    """Patterns of two or four pixels stand out of samples, and not of real images."""
    for pixels in (2, 4):
        over, much, peak = (shares(seen, f"period {pixels}"), looks(seen, f"period {pixels}"),
                            looks(seen, f"peak {pixels}"))
        usual = max(1, seen.real(f"peak {pixels}") or 1)
        if over and peak and min(over) > 5 and (fmean(much) > 1.5 and min(much) > 0.9 or min(peak) > 4 * usual):
            return (f"patterns that repeat every {pixels} pixels have {fmean(over):.0f} times the share in samples "
                    "that they have in real images")


def two_modes(seen):
    """Samples in evaluation mode are not those of training mode."""
    found = looks(seen, "two modes")
    if found and min(found) > 0.4:
        return (f"samples in evaluation mode differ from the same in training mode by {fmean(found):.0%} of their "
                "deviation")


def one_batch(seen):
    """D has batch normalisation and is shown real and generated images together."""
    both, real = seen.now("batch", "D"), seen.now("real", "images")
    if both and real and both > real:
        return (f"D, which has batch normalisation, saw {both} images at once where the batch of real ones has {real}: "
                "it can tell by who else is in the batch")


def other_range(seen):
    """Generated images end where the range of G's last layer does, and real ones do not; or go far beyond them."""
    found = {(who, end): seen.last(who, end, SPAN, LOOKS) for who in ("real", "fake") for end in ("low", "high")}
    if not all(found.values()):
        return None
    low, high = (median(found["real", end]) for end in ("low", "high"))
    size = high - low
    if not size:
        return None
    for end, sign, edges in (("low", 1, (0, -1)), ("high", -1, (0, 1))):
        fakes, real = found["fake", end], median(found["real", end])
        stuck = max(fakes) - min(fakes) < 0.03 * size and any(abs(median(fakes) - edge) < 0.03 for edge in edges)
        if stuck and sign * (median(fakes) - real) > 0.2 * size:
            return f"real images are in {low:.2g}..{high:.2g}, and generated ones end at {median(fakes):.2g}"
        squashed = all(-1.001 < fake < 1.001 for fake in fakes)  # a G without a last sigmoid or tanh learns its range
        if squashed and min(sign * (real - fake) for fake in fakes) > 0.25 * size:
            return f"real images are in {low:.2g}..{high:.2g}, and generated ones go as far as {median(fakes):.2g}"


def sigmoid_twice(seen):
    """What is called logits never leaves 0..1."""
    low, high = seen.last("D", "low", 100, 10), seen.last("D", "high", 100, 10)
    fake, loss = seen.last("D", "fake", 100, 10), seen.last("loss", "d_fake", 100, 10)
    if low and high and min(low) >= 0 and 0.3 < fmean(high) and max(high) <= 1 and fake and min(fake) >= 0.5 and (
            not loss or min(loss) >= 0.69 and max(loss) <= 1.32) and seen.kind == "logits":
        return "D's logits have stayed within 0..1 for 100 steps, as if they were probabilities already"


def overfits(seen):
    """D tells images that it learnt from from others of their kind."""
    known, other, made = (looks(seen, f"D on {name}", 10) for name in ("learnt", "held out", "samples"))
    low, high = (seen.last("D", end, SPAN, LOOKS) for end in ("low", "high"))
    if known and other and made and low and high:
        gap, whole = fmean(known) - fmean(other), fmean(known) - fmean(made)
        range_of_all = fmean(high) - fmean(low)  # what two means of some images differ by is small beside it
        if gap > max(0.2 * whole, 0.15 * range_of_all) and min(a - b for a, b in zip(known, made)) > 0:
            return (f"D answers {fmean(known):.2g} to images that it learnt from, {fmean(other):.2g} to others of the "
                    f"kind, {fmean(made):.2g} to samples: it knows them by heart")


def jumped(seen):
    """Losses or samples are elsewhere than before the run was resumed."""
    if seen.before is None:
        return None
    at, series = seen.before
    for name in ("d_real", "d_fake", "g") if seen.step < at + 200 else ():
        old = [value for _, value in series.get(("loss", name), ())][-20:]
        new = [value for step, value in seen.series.get(("loss", name), ()) if step > at]
        if len(old) == 20 and 3 <= len(new) <= 10 and abs(fmean(new[:3]) - fmean(old)) > 4 * pstdev(old):
            return f"the loss {name} was {fmean(old):.2g} before the run was resumed, and {fmean(new[:3]):.2g} after it"
    looked = series.get(("look", "moved"), ())[-6:]
    new = [pair for pair in seen.series.get(("look", "moved"), ()) if pair[0] > at][:1]
    if len(looked) == 6 and new and seen.real("spread"):
        pace = max(value / (step - before) for (before, _), (step, value) in zip(looked, looked[1:]))
        usual = pace * max(new[0][0] - looked[-1][0], looked[-1][0] - looked[-2][0])
        if new[0][1] > max(2.5 * usual, 0.3 * seen.real("spread")):
            return (f"samples of the same seeds moved by {new[0][1]:.2g} when the run was resumed, where {usual:.2g} "
                    "was usual: a part, say the average, is not in the checkpoint")


def unheard(seen):
    """Labels change neither samples nor D's answers."""
    heard = seen.last("look", "by label", 400, 8)
    known, wrong, made = (looks(seen, f"D on {name}")[-LOOKS:] for name in ("learnt", "mislabelled", "samples"))
    if heard and max(heard) < 0.15 and formed(seen) and known and wrong and made and (
            fmean(known) - fmean(wrong) < 0.03 * abs(fmean(known) - fmean(made))):
        return (f"samples that differ in nothing but their label are {fmean(heard):.0%} as far apart as any two, and a "
                "wrong label makes no difference to D")


def bare(seen):
    """Whether D's losses are its scores, as a Wasserstein critic's are, and no other's."""
    pairs = (("d_real", "real", -1), ("d_fake", "fake", 1))
    return all(seen.now("loss", loss) is not None and abs(seen.now("loss", loss) - sign * seen.now("D", name))
               < 1e-4 * (1 + abs(seen.now("D", name))) for loss, name, sign in pairs)


def unbounded(seen):
    """A critic's scores of real and generated images are further apart than the images; or grow without end.

    A critic of slope 1 cannot tell two sets by more than the distance between them, which is at most the sum of the
    roots of their mean squares.
    """
    real, fake = seen.last("D", "real", 100, 5), seen.last("D", "fake", 100, 5)
    if seen.kind != "scores" or not real or not fake or not bare(seen):
        return None
    gap = fmean(real) - fmean(fake)
    figures = [(seen.now(who, "mean"), seen.now(who, "std")) for who in ("real", "fake")]
    if seen.now("real", "values") and None not in sum(figures, ()):
        far = seen.now("real", "values") ** 0.5 * sum((mean ** 2 + std ** 2) ** 0.5 for mean, std in figures)
        if gap > far:
            return (f"the critic's scores of real and generated images are {gap:.3g} apart, and the images by no more "
                    f"than {far:.3g}: its slope is above 1")
    elif gap > max(100, 30 * abs(seen.first["D", "real"] - seen.first["D", "fake"])):
        return f"the critic's scores of real and generated data are {gap:.3g} apart, and nothing bounds its slope"


COLLAPSE = ("go back to the last checkpoint that was well; a penalty on D's slope (R1), several samples at once for D "
            "(packing, minibatch discrimination)")
SIGNS = (
    Sign(1, "D wins", d_wins, "a penalty on D's slope (R1), a lower rate or fewer units for D, labels of 0.9",
         WATCHED),
    Sign(2, "the loss saturates", saturated, "the non-saturating loss: G maximises log D(G(z))", WATCHED),
    Sign(3, "total collapse", all_alike, COLLAPSE, frozenset({"fake"})),
    Sign(4, "partial collapse", few_kinds, COLLAPSE, frozenset({"look", "measure"})),
    Sign(5, "oscillation", swinging, "a lower rate, beta1 of 0 to 0.5, an average of G's weights", LOOKED),
    Sign(6, "D is fooled", fooled, "give each optimiser the parameters of one network", frozenset({"parts", "grad"})),
    Sign(7, "not a number", no_number, "--anomaly names the line; 1e-12 inside roots, a loss of logits, a tenth of the "
         "rate", frozenset({"stopped", "loss", "D", "grad", "look"}), True),
    Sign(8, "checkerboard", checkered, "kernels that the stride divides, or enlarging before a convolution (--upsample "
         "resize)", LOOKED),
    Sign(9, "the two modes differ", two_modes, "sample with eval(); running statistics with a larger momentum, and "
         "averaged with the weights", LOOKED),
    Sign(10, "one batch for real and generated", one_batch, "a batch of its own for each: D(real), D(fake)", WATCHED,
         True),
    Sign(11, "ranges differ", other_range, "scale the data to the range of G's last layer: -1..1 for tanh, 0..1 for "
         "sigmoid", frozenset({"fake"})),
    Sign(12, "sigmoid twice", sigmoid_twice, "take the sigmoid out of D, or the loss of probabilities (BCELoss)",
         WATCHED, True),
    Sign(13, "D overfits", overfits, "more data, the same augmentation of real and generated images, stop at the best",
         LOOKED),
    Sign(14, "worse since it was resumed", jumped, "keep all parts in the checkpoint: both networks, both optimisers, "
         "the average", frozenset({"loss", "look"}), True),
    Sign(15, "labels are ignored", unheard, "give D the labels, too; have images and labels in the same order", LOOKED),
    Sign(15, "the critic is unbounded", unbounded, "clip its weights, or a gradient penalty that is really added",
         WATCHED),
)
