"""Faults of what looks into generators and discriminators, and the checks that must notice them."""

import numpy as np

import minigrad as mg
from gans.machinery import directions, generators, maps, saliency
from minigrad import nn
from minigrad.testing.faults.fault import check, expect, rewritten, wrong

# Ways, sums and directions.

wrong("way-ends-swapped", "where two seeds point the same way, the walk begins at its end", generators,
      rewritten(generators.between, ("((1 - share) * start + share * end)", "(share * start + (1 - share) * end)")),
      "between", "ways between seeds")
wrong("way-without-fallback", "seeds that point the same way are divided by the sine of 0", generators,
      rewritten(generators.between, ('seeds != "normal" or np.sin(angle) < 1e-3 or 0 in lengths', 'seeds != "normal"')),
      "between", "ways between seeds")
wrong("way-straight", "the arc is a straight line, half way only 71 % long", generators,
      rewritten(generators.between, ("np.sin(angle) < 1e-3", "True")), "between", "ways between seeds")
wrong("sum-other-signs", "a concept is added that should be taken away", directions,
      rewritten(directions.added, ("a - b + c", "a + b - c")), "added", "sums of concepts")
wrong("sum-other-concept", "what is taken away is not what both others have in common", directions.Sum,
      rewritten(directions.Sum.concepts, ("(self.c, self.b)", "(self.c, self.d)")), "concepts", "sums of concepts")
wrong("asked-by-one", "a sum counts as read as asked when one of its two attributes is", directions,
      rewritten(directions.as_asked, ("== s.a and labels", "== s.a or labels")), "as_asked", "sums of concepts")
wrong("exemplars-least-typical", "a concept's seeds are the least typical ones", directions.Known,
      rewritten(directions.Known.exemplars, ("argsort(-likely", "argsort(likely")), "exemplars", "sums of concepts")
wrong("regression-pays-for-biases", "the regression's biases are drawn to 0", directions,
      rewritten(directions.logistic_regression, ("decay[-1] = 0", "pass")), "logistic_regression", "sums of concepts")

# Filters and maps.

wrong("guided-by-inputs-alone", "guided backpropagation passes negative slopes: it is the plain gradient of a ReLU",
      saliency, rewritten(saliency.guided.__wrapped__, (" * (g > 0).to(g.dtype)", "")), "guided", "slopes of filters")
wrong("guided-by-slopes-alone", "guided backpropagation passes where the input was negative: it is a deconvnet",
      saliency, rewritten(saliency.guided.__wrapped__, (" * (inputs[module] > 0).to(g.dtype)", "")), "guided",
      "slopes of filters")
wrong("smooth-without-noise", "the smooth slope is the plain one, as the noise has no deviation", saliency,
      rewritten(saliency.smooth, ("reach * stream", "0 * stream")), "smooth", "slopes of filters")
wrong("cascade-upwards", "layers are made random from the first one on", saliency,
      rewritten(saliency.cascade, ("reversed(range(len(net)))", "range(len(net))")), "cascade", "sanity of slopes")
wrong("cascade-of-one-network", "all stages of a cascade are the last one", saliency,
      rewritten(saliency.cascade, ('found.append((f"{k}", copy.deepcopy(net)))', 'found.append((f"{k}", net))')),
      "cascade", "sanity of slopes")
wrong("ranks-with-signs", "maps are compared with their signs", saliency,
      rewritten(saliency.rank_correlation, ("np.abs(x)", "x")), "rank_correlation", "sanity of slopes")
wrong("elsewhere-at-it", "a box elsewhere may lie upon the box itself", saliency,
      rewritten(saliency.elsewhere, ("if y >= bottom", "if True or y >= bottom")), "elsewhere", "occlusion")
wrong("occluded-white", "what is occluded becomes white", saliency, 255, "GREY", "occlusion")
wrong("control-unlike", "the control are the maps whose activation is the least alike", maps,
      rewritten(maps.alike, ("min(left", "max(left")), "alike", "forgetting")
wrong("tied-against", "the maps are those that speak against an attribute", maps,
      rewritten(maps.tied, ("weights[:, 0] - weights[:, 1]", "weights[:, 1] - weights[:, 0]")), "tied", "forgetting")


@check("ways between seeds")
def check_ways():
    """Ends as they are, lengths of the arc, and seeds of one direction."""
    a, b = np.float32([3, 0, 0]), np.float32([0, 0, 3])
    way = generators.between(a, b, 5).astype(float)
    expect(way[[0, -1]].round(5), [a, b], "the ends of a way")
    expect(np.linalg.norm(way, axis=1).round(5), [3] * 5, "lengths along an arc of radius 3")
    expect(generators.between(a, 2 * a, 3).astype(float).round(5), [a, 1.5 * a, 2 * a], "a way straight on")


@check("sums of concepts")
def check_sums():
    """Two attributes that are two coordinates of a seed, one of them rare."""
    seeds = np.random.default_rng(0).standard_normal((2000, 6)).astype(np.float32)

    def read(z):
        return {"first": np.eye(2)[(z[:, 0] > 0.8).astype(int)], "second": np.eye(2)[(z[:, 1] > 0).astype(int)]}

    known = directions.Known.of(seeds, read(seeds))
    there, z = directions.added(known, directions.sums({"first": "no yes".split(), "second": "no yes".split()}))
    shares, _ = directions.as_asked(there, read(z))
    expect(shares["first and second"], 1.0, "sums that are read as asked")
    expect(directions.as_asked(there, {"first": read(z)["first"], "second": 1 - read(z)["second"]})[0][
        "first and second"], 0.0, "sums that are read right in one attribute, and wrong in the other")
    z = seeds[known.exemplars(first=1, second=1)]
    expect(float(z[:, 0].min() > 1.5), 1.0, "whether exemplars are typical")
    rare = np.zeros((100, 1))
    _, bias = directions.logistic_regression(rare, (np.arange(100) < 10).astype(int), 2, ridge=1.0, steps=2000)
    expect(round(float(bias[1] - bias[0]), 4), round(float(np.log(1 / 9)), 4), "the biases of 10 among 100")


@check("slopes of filters")
def check_slopes():
    """A layer of two ReLUs by hand, at which one input and one slope is negative."""
    net = nn.Sequential(nn.Linear(1, 3, bias=False), nn.LeakyReLU(0.2), nn.Linear(3, 1, bias=False))
    net[0].weight.data.copy_(mg.tensor([[1.0], [3.0], [-5.0]])), net[2].weight.data.copy_(mg.tensor([[2.0, -7.0, 1.0]]))
    x = np.ones((1, 1), np.float32)
    expect(saliency.saliency("guided", net, lambda y: net(y)[:, 0], x), [[2.0]], "guided backpropagation")
    expect(saliency.gradient(lambda y: net(y)[:, 0], x), [[2 - 21 - 1.0]], "the plain slope")
    wide = np.float32([[-1.0, 1.0, 0.01]])
    kink = saliency.smooth(lambda y: y.abs().sum(1), wide, n=64)  # near a kink, the slope of either side
    expect(float(abs(kink[0, 2]) < 0.6), 1.0, "whether the slope at a kink is smoothed")


@check("sanity of slopes")
def check_sanity():
    """What is random at each stage; ranks that know no signs."""
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.LeakyReLU(0.2), nn.Conv2d(2, 1, 3))
    same = [[bool((stage[k].weight == net[k].weight).all()) for k in (0, 2)] for _, stage in saliency.cascade(net)]
    expect(same, [[True, True], [True, False], [False, False]], "which layers are the network's own")
    a = np.array([[1.0, -2.0, 3.0, -4.0]])
    expect(saliency.rank_correlation(a, -a), 1.0, "the rank correlation of maps that differ in signs")


@check("occlusion")
def check_occlusion():
    """Boxes that never touch, and grey in the middle of black and white."""
    box = np.array([[3, 7, 2, 6]])
    for seed in range(20):
        (top, bottom, left, right), = saliency.elsewhere(box, 12, seed)
        expect(float(top >= 7 or bottom <= 3 or left >= 6 or right <= 2), 1.0, "whether a box elsewhere is apart")
    grey = saliency.occluded(np.zeros((1, 12, 12, 1), np.uint8), box)
    expect([grey[0, 3:7, 2:6].mean(), grey.sum()], [127, 127 * 16], "what is occluded")


@check("forgetting")
def check_forgetting():
    """Maps of which the first is the attribute; activations one of which is nearest."""
    seen = np.random.default_rng(0).standard_normal((300, 4, 2, 2))
    there = seen[:, 0].mean((1, 2)) > 0
    expect(maps.tied(seen, there)[0], 0, "the map that is tied to an attribute")
    expect(maps.alike(np.array([1.0, 9.0, 1.1, 5.0]), [0]), [2], "the map of the nearest activation")
