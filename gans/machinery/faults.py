"""Faults of what the demos measure with and train by, and the checks that must notice them.

`python -m minigrad.testing --faults` plants them beside those of the library.
"""

import functools
from types import SimpleNamespace

import numpy as np

import minigrad as mg
from gans import cgan, cyclegan, dcgan, infogan, mnist, pix2pix, pixelcnn, stacked
from gans.machinery import (
    codes,
    counterparts,
    faults_growing,  # noqa: F401 (planted with these)
    faults_inside,  # noqa: F401 (planted with these)
    judge,
    losses,
    metrics,
    pairs,
    pixels,
    stackcounts,
    stacks,
    translate,
    warps,
)
from gans.machinery.imagesets import Pictures
from gans.machinery.metrics import features, modes, neighbours
from gans.machinery.pool import Pool
from gans.machinery.run import Run
from gans.machinery.samples import described
from minigrad import nn
from minigrad.data.digits import synthetic_digits
from minigrad.random import stream
from minigrad.testing.faults.fault import check, expect, rewritten, wrong

# The judge, and what it says.

wrong("judge-shuffled", "the judge learns from labels in another order than the images", judge,
      rewritten(judge.train_judge, ("targets[chosen]", "targets[np.sort(chosen)]")), "train_judge", "the judge")
wrong("judge-first-batch", "the judge learns from the first batch alone", judge,
      rewritten(judge.train_judge, ("order[k * BATCH:(k + 1) * BATCH]", "order[:BATCH] * 0")), "train_judge",
      "the judge")
wrong("judge-in-training", "the judge drops features while it judges", judge,
      rewritten(judge.train_judge, ("return judge.eval()", "return judge")), "train_judge", "the judge")
wrong("judge-takes-the-seed", "training a judge changes the run's own numbers", judge,
      rewritten(judge.train_judge, ("mg.set_rng_state(state)", "pass")), "train_judge", "the judge")
wrong("judge-bright", "the judge sees images of 0..255", judge, rewritten(judge.as_input, (" / 255", "")), "as_input",
      "the judge")
wrong("verdict-denominator", "a distance is given as a share of the wrong one", judge,
      rewritten(judge.verdict, ("frechet_distance(noise_features, real_features)",
                                "frechet_distance(noise_features, features)")), "verdict", "a verdict")
wrong("verdict-upside-down", "a distance is divided the wrong way round", judge,
      rewritten(judge.verdict, ("frechet_distance(features, real_features) / frechet_distance(noise_features",
                                "frechet_distance(noise_features, real_features) / frechet_distance(features")),
      "verdict", "a verdict")
wrong("verdict-unsure", "the confidence is that of the least likely class", judge,
      rewritten(judge.verdict, ("probabilities.max(1)", "probabilities.min(1)")), "verdict", "a verdict")
wrong("verdict-of-the-real", "the shares are those of the real images", judge,
      rewritten(judge.verdict, ("real_features, _ =", "real_features, probabilities =")), "verdict", "a verdict")

# Distances.

wrong("frechet-means-only", "the Frechet distance looks at the means alone", metrics,
      lambda a, b: float(((a.mean(0) - b.mean(0)) ** 2).sum()), "frechet_distance", "distances")
wrong("frechet-spreads-only", "the Frechet distance passes over the means", metrics,
      rewritten(metrics.frechet_distance, ("gap @ gap + ", "")), "frechet_distance", "distances")
wrong("frechet-uncrossed", "the Frechet distance lacks the term of both covariances", metrics,
      rewritten(metrics.frechet_distance, (" - 2 * cross", " - cross")), "frechet_distance", "distances")
wrong("shares-counted", "the shares are counts", metrics,
      lambda labels, classes: np.bincount(labels, minlength=classes), "shares", "distances")
wrong("sliced-unsorted", "the sliced distance compares projections in the order they come", metrics,
      rewritten(metrics.sliced_wasserstein, ("gaps.sort()", "pass")), "sliced_wasserstein", "distances")
wrong("floor-of-one-set", "the floor compares a set with itself", metrics,
      rewritten(metrics.beside_floor, ("real[order[count:2 * count]]", "real[order[:count]]")), "beside_floor",
      "distances")
wrong("kid-biased", "the kernel distance counts rows beside themselves", metrics,
      rewritten(metrics.kernel_distance, (" - (((x * x).mean(1) + 1) ** 3).sum()", "")), "kernel_distance", "distances")
wrong("kid-square", "the kernel is a square instead of a cube", features,
      rewritten(features._similarity, ("** 3", "** 2")), "_similarity", "distances")
wrong("inception-mean", "the inception score is a mean of ratios instead of exp of a divergence", metrics,
      rewritten(metrics.inception_score, ("np.exp((p * (known", "((p * (known")), "inception_score", "distances")

# Neighbours and modes.

wrong("precision-recall-swapped", "precision and recall are each other", metrics,
      lambda samples, real, k=3: neighbours.precision_recall(real, samples, k), "precision_recall", "neighbours")
wrong("balls-of-oneself", "a row is its own first neighbour", neighbours,
      rewritten(neighbours._radii, ("others=True", "others=False")), "_radii", "neighbours")
wrong("density-without-k", "the density is not divided by k", metrics,
      rewritten(metrics.density_coverage, ("k * len(samples)", "len(samples)")), "density_coverage", "neighbours")
wrong("coverage-of-samples", "coverage is the share of samples that are in a ball", metrics,
      rewritten(metrics.density_coverage, ("met |= inside.any(0)", "met[:len(inside)] |= inside.any(1)")),
      "density_coverage", "neighbours")
wrong("two-samples-twins", "a row is its own nearest neighbour", metrics,
      rewritten(metrics.two_samples, ("others=True", "others=False")), "two_samples", "neighbours")
wrong("memorised-upside-down", "the ratio to what was kept back is divided the wrong way round", metrics,
      rewritten(metrics.memorised, ("float(np.median(distances)) / usual", "usual / float(np.median(distances))")),
      "memorised", "neighbours")
wrong("fair-by-one-hit", "a mode has its fair share with a single sample", modes, 0.0, "FAIR", "modes")
wrong("modes-other-divergence", "the divergence is that of what should come from what does", modes,
      rewritten(modes._counted, ("(share * np.log(", "(expected * -np.log(")), "_counted", "modes")

# A run's order and noise; the penalty.

wrong("batch-order-late", "a run leaves out the first batch of its first epoch", Run,
      rewritten(Run.batch_order, ("step - 1", "step")), "batch_order", "a run's epochs")
wrong("batch-order-short", "a run's epoch ends a batch early", Run,
      rewritten(Run.batch_order, ("n // batch)", "max(n // batch - 1, 1))")), "batch_order", "a run's epochs")
wrong("batch-order-same", "every epoch of a run has the order of the first", Run,
      rewritten(Run.batch_order, ('"order", epoch', '"order", 0')), "batch_order", "a run's epochs")
wrong("noise-same", "a run has the same noise at every step", Run, rewritten(Run.noise, ("name, step)", "name)")),
      "noise", "a run's epochs")
wrong("noise-shared", "noise of two names is the same", Run, rewritten(Run.noise, ("name, step)", '"noise", step)')),
      "noise", "a run's epochs")
wrong("penalty-without-every", "a penalty at every fourth step is not four times as strong", dcgan,
      rewritten(dcgan.train, ("every * args.penalty", "args.penalty")), "train", "a penalty")
wrong("penalty-always", "the penalty is paid at every step", dcgan,
      rewritten(dcgan.train, ("args.penalty and step % every == 0", "args.penalty")), "train", "a penalty")
wrong("penalty-unscaled", "the penalty's difference is not divided by how far it reaches", dcgan,
      rewritten(losses.steepness, (" / reach) ** 2", ") ** 2")), "steepness", "a penalty")
wrong("penalty-at-zero", "the penalty is taken around 0 instead of around real images", dcgan,
      rewritten(losses.steepness, ("real + reach", "0 * real + reach")), "steepness", "a penalty")
wrong("penalty-undivided", "the penalty is twice as strong", dcgan,
      rewritten(dcgan.train, ("args.penalty / 2", "args.penalty")), "train", "a penalty")
for _demo, _train in ((mnist, mnist.train_steady), (cgan, cgan.train)):
    _name = _demo.__name__.rpartition(".")[2]
    wrong(f"{_name}-penalty-without-every", f"{_name}: a penalty at every fourth step is not four times as strong",
          _demo, rewritten(_train, ("every * penalty", "penalty")), _train.__name__, "lazy penalties")
    wrong(f"{_name}-penalty-always", f"{_name}: the penalty is paid at every step", _demo,
          rewritten(_train, ("step % every == 0", "True")), _train.__name__, "lazy penalties")
wrong("answers-swapped", "D is told that generated images are real", dcgan,
      rewritten(dcgan.train, ("NS.d(on_real, on_fake)", "NS.d(on_fake, on_real)")), "train", "a penalty")

# Pictures pixel by pixel.

wrong("pixels-mask-b-first", "the first layer sees the pixel itself", pixelcnn,
      rewritten(pixelcnn.borders, ('mask == "A"', "False")), "borders", "pixel by pixel")
wrong("pixels-mask-a-everywhere", "later layers leave out the own value, too", pixelcnn,
      rewritten(pixelcnn.borders, ('mask == "A"', "True")), "borders", "pixel by pixel")
wrong("pixels-cut-before", "a layer's first rows and columns are cut off instead of its last", pixelcnn.Masked,
      rewritten(pixelcnn.Masked.forward, (":x.shape[2], :x.shape[3]", "-x.shape[2]:, -x.shape[3]:")), "forward",
      "pixel by pixel")
wrong("pixels-blind-spot", "the stack along a row is told nothing of the rows above", pixelcnn.PixelCNN,
      rewritten(pixelcnn.PixelCNN.forward, (" + first", ""), (" + told", "")), "forward", "pixel by pixel")
wrong("pixels-place-of-the-first", "while drawing, every row takes itself for the first", pixelcnn.PixelCNN,
      rewritten(pixelcnn.PixelCNN.above, ("first:first + x.shape[2]", ":x.shape[2]")), "above", "pixel by pixel")
wrong("pixels-mean", "what a picture costs is the mean over its pixels", pixels,
      rewritten(pixels.nats, (".sum(1)", ".mean(1)")), "nats", "pixel by pixel")
wrong("pixels-negative", "what a picture costs is what its negative does", pixels,
      rewritten(pixels.nats, ("with_logits(logits", "with_logits(-logits")), "nats", "pixel by pixel")
wrong("pixels-drawn-upside-down", "a pixel is white where its noise is above its probability", pixels.Draw,
      rewritten(pixels.Draw.complete.__wrapped__, ("< logits", "> logits")), "complete", "pixel by pixel")
wrong("pixels-early-noise", "a pixel's noise is that of the one before it", pixels.Draw,
      rewritten(pixels.Draw.complete.__wrapped__, ("i:i + 1, here] <", "i:i + 1, slice(j - 1, j) if j else here] <")),
      "complete", "pixel by pixel")
wrong("pixels-forgotten", "while drawing, layers with holes remember too little", pixels.Memory,
      rewritten(pixels.Memory.__call__, ("- (count - 1) * dilation]", "- (count - 1)]")), "__call__", "pixel by pixel")
wrong("pixels-threshold", "pixels are white if they are bright enough", pixels,
      rewritten(pixels.binarised, ("255 * stream(*key).random(images.shape, np.float32) < images", "images > 127")),
      "binarised", "pixel by pixel")
wrong("pixels-linear-ahead", "the linear model sees the whole picture", pixels.Linear,
      rewritten(pixels.Linear.forward, (" * self.before", "")), "forward", "pixel by pixel")

# Pictures of pictures.

wrong("made-in-evaluation", "a generator of pictures drops nothing once it is trained", translate,
      rewritten(translate.translated, ("G.train()", "G.eval()")), "translated", "pictures of pictures")
wrong("made-by-any-numbers", "what a generator of pictures drops does not go by the seed", translate,
      rewritten(translate.translated, (", numbers_of(seed)", "")), "translated", "pictures of pictures")
wrong("u-net-over-the-batch", "a U-Net's layers look at the whole batch", pix2pix.UNet,
      rewritten(pix2pix.UNet.__init__, ("super().__init__()", "nn.Module.__init__(self)"),
                ("nn.InstanceNorm2d", "nn.BatchNorm2d")), "__init__", "pictures of pictures")
wrong("u-net-without-skips", "a U-Net hands nothing across", pix2pix.UNet,
      rewritten(pix2pix.UNet.__init__, ("super().__init__()", "nn.Module.__init__(self)"),
                ("self.skips, k = skips, 2 if skips else 1", "self.skips, k = False, 1")), "__init__",
      "pictures of pictures")
wrong("d-of-one-picture", "the discriminator's answers are one for a whole picture", translate,
      rewritten(translate.patches, ("nn.Conv2d(2 * width, 1, 4, 1, 1)", "nn.Conv2d(2 * width, 1, 4)")), "patches",
      "pictures of pictures")
wrong("pix2pix-unweighted", "pix2pix: the distance has no weight", pix2pix,
      rewritten(pix2pix.train, ('g = args.weight * losses["l1"]', 'g = losses["l1"]')), "train", "a pair's step")
wrong("pix2pix-unconditional", "pix2pix: D refuses no picture that belongs to something else", pix2pix,
      rewritten(pix2pix.train, ("(chosen + 1)", "chosen")), "train", "a pair's step")
wrong("pix2pix-d-detached", "pix2pix: G learns nothing from D", pix2pix,
      rewritten(pix2pix.train, ('NS.g(D(mg.cat([given, made], 1)))', 'NS.g(D(mg.cat([given, made.detach()], 1)))')),
      "train", "a pair's step")
wrong("pix2pix-answers-swapped", "pix2pix: D is told that what was made belongs", pix2pix,
      rewritten(pix2pix.train, ("NS.d(*answers)", "NS.d(*answers[::-1])")), "train", "a pair's step")
wrong("edges-one-way", "outlines are those of one direction", pairs,
      rewritten(pairs.edges, ("right ** 2 + down ** 2", "right ** 2 + right ** 2")), "edges", "pictures of pictures")

# Two sets without pairs.

wrong("identity-of-the-wrong-pair", "cyclegan: G is to leave alone what it is to change", cyclegan,
      rewritten(cyclegan.train, ("l1_loss(G(b), b) + l1_loss(F(a), a)", "l1_loss(G(a), a) + l1_loss(F(b), b)")),
      "train", "a circle's step")
wrong("circle-one-way", "cyclegan: only one of the two ways leads back", cyclegan,
      rewritten(cyclegan.train, ("l1_loss(G(like_a), b)", "l1_loss(F(like_b), a)")), "train", "a circle's step")
wrong("circle-of-one-set", "cyclegan: G is to be taken for the set that it comes from", cyclegan,
      rewritten(cyclegan.train, ("LSGAN.g(D_b(like_b))", "LSGAN.g(D_a(like_b))")), "train", "a circle's step")
wrong("circle-pools-mixed", "cyclegan: each D is shown what is meant for the other", cyclegan,
      rewritten(cyclegan.train, ("(like_a, like_b), \"ab\"", "(like_b, like_a), \"ab\"")), "train", "a circle's step")
wrong("pool-forgets", "a pool shows what comes, whatever it keeps", Pool,
      rewritten(Pool.__call__, ("picture, self.kept[k] = self.kept[k].clone(), picture", "self.kept[k] = picture")),
      "__call__", "a pool")
wrong("pool-shows-itself", "a pool shows what it has just kept for what was there", Pool,
      rewritten(Pool.__call__, ("self.kept[k].clone(), picture", "self.kept[k], picture")), "__call__", "a pool")
wrong("pool-keeps-graphs", "a pool's pictures hang on the graph that made them", Pool,
      rewritten(Pool.__call__, ("with mg.no_grad():", "if True:"), ("pictures.detach()", "pictures")), "__call__",
      "a pool")
wrong("pool-never-full", "a pool keeps its first picture alone", Pool,
      rewritten(Pool.__call__, ("self.filled += 1", "pass")), "__call__", "a pool")
wrong("truth-of-oneself", "pictures are compared with what they were made of", counterparts,
      rewritten(counterparts.beside_truth, ("Told(l1(made, truth)", "Told(l1(made, given)")), "beside_truth",
      "counterparts")
wrong("noise-at-the-end", "noise is added to what comes back instead of half way", counterparts,
      rewritten(counterparts.hidden, ("back(half + coins.permute(0, 3, 1, 2) * (NOISE / 127.5))",
                                      "back(half) + coins.permute(0, 3, 1, 2) * (NOISE / 127.5)")), "hidden",
      "counterparts")


@functools.cache
def _digits():
    return synthetic_digits(1600, seed=1)


@check("the judge")
def check_the_judge():
    """A judge that learnt 1,200 drawn digits reads most of 400 others, always alike; the run's numbers go on."""
    images, labels = _digits()
    state = mg.get_rng_state()
    found = judge.train_judge(images[:1200], labels[:1200])
    if repr(mg.get_rng_state()) != repr(state):
        raise AssertionError("training a judge changes the global generator")
    (_, first), (_, second) = found.read(images[1200:]), found.read(images[1200:])
    expect(first, second, "the same images read twice")
    expect(judge.as_input(images).numpy().max(), 1.0, "the brightest pixel that the judge sees")
    right = float((first.argmax(1) == labels[1200:]).mean())
    if right < 0.75:
        raise AssertionError(f"the judge reads {right:.0%} of drawn digits that it has not seen")


class Stub:
    """A judge whose features are an image's first pixels, and whose classes are told by the very first."""

    def read(self, images):
        """The features and probabilities of uint8 images (N, 28, 28)."""
        features = images.reshape(len(images), -1)[:, :3].astype("float64")
        return features, np.where(features[:, :1] > 128, [[0.1, 0.9]], [[0.8, 0.2]])


@check("a verdict")
def check_a_verdict():
    """Noise is at 1, real images are at 0; confidence and shares are those of the samples."""
    rng = np.random.default_rng(0)
    real = rng.integers(0, 100, (300, 28, 28), np.uint8)
    noise = stream(0, "uniform noise").integers(0, 256, (200, 28, 28), np.uint8)
    found = judge.verdict(Stub(), noise, real)
    expect(found.distance, 1.0, "the distance of uniform noise, as a share of itself")
    expect(judge.verdict(Stub(), real, real).distance < 1e-9, True, "whether real images are at 0")
    bright = (noise[:, 0, 0] > 128).mean()
    expect(found.shares, [1 - bright, bright], "the shares of the samples")
    expect(found.confidence, 0.8 * (1 - bright) + 0.9 * bright, "the confidence")
    near = (real * 0.9).astype(np.uint8)
    features = [Stub().read(images)[0] for images in (near, real, stream(0, "uniform noise").integers(
        0, 256, near.shape, np.uint8))]
    ratio = _normal_distance(features[0], features[1]) / _normal_distance(features[2], features[1])
    expect(round(judge.verdict(Stub(), near, real).distance / ratio, 6), 1.0, "the distance of dimmed real images")


def _normal_distance(a, b):
    """The Frechet distance by the eigenvalues of the product of the covariances."""
    first, second = np.cov(a.T), np.cov(b.T)
    cross = np.sqrt(np.linalg.eigvals(first @ second).real.clip(0)).sum()
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(first) + np.trace(second) - 2 * cross


@check("distances")
def check_distances():
    """Normal distributions of known means and spreads; sets of digits, and of noise."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((500, 2))
    x = (x - x.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T  # of covariance 1, exactly
    expect(metrics.frechet_distance(x, x + [3.0, 4.0]), 25.0, "the distance of a shift by (3, 4)")
    expect(metrics.frechet_distance(x, 3 * x), 8.0, "the distance of spreads 1 and 3 in two directions")
    expect(metrics.shares(np.array([0, 2, 2, 2]), 4), [0.25, 0, 0.75, 0], "the shares of four labels")
    images, quick = _digits()[0], {"patches_per_image": 16, "directions": 32}
    near = metrics.sliced_wasserstein(images[:200], images[200:400], **quick).average
    far = metrics.sliced_wasserstein(images[:200], rng.integers(0, 256, (200, 28, 28), np.uint8), **quick).average
    expect(near < far / 4, True, f"whether other digits ({near}) are nearer than noise ({far})")
    measure = functools.partial(metrics.sliced_wasserstein, **quick)
    floor = metrics.beside_floor(measure, images[:20], images[20:60]).floor
    expect(floor.average > 0, True, "whether two halves of a set differ")
    expect(metrics.kernel_distance(np.array([[0.0], [1.0]]), np.array([[2.0], [3.0]])), 1 + 343 - 93 / 2,
           "the kernel distance of {0, 1} and {2, 3}")
    expect(metrics.inception_score(np.eye(2).repeat(3, 0)), 2.0, "the inception score of two classes that are certain")


def _line(*values):
    return np.array(values, np.float64)[:, None]


@check("neighbours")
def check_neighbours():
    """Points on a line, by hand."""
    samples, real = _line(0.5, 3.5, 10, 12), _line(0, 1, 2, 3, 4)
    found, other = metrics.precision_recall(samples, real, k=1), metrics.density_coverage(samples, real, k=2)
    expect([found.precision, found.recall], [0.5, 1.0], "precision and recall")
    expect([other.density, other.coverage], [0.5, 0.8], "density and coverage")
    test = metrics.two_samples(_line(0.4, 10, 10.5, 11.1), _line(0, 1, 2, 3))
    expect([test.on_samples, test.on_real], [0.75, 0.5], "how often a row is next to its own kind")
    near = metrics.memorised(_line(0.5, 10, 19), _line(1, 12, 23), _line(0, 10, 20))
    expect(near.ratio, 0.25, "how near samples are to the training set, beside what was kept back")


@check("modes")
def check_modes():
    """Ten samples of four modes, by hand."""
    found = metrics.mode_counts(np.array([0] * 6 + [1] * 3 + [2]), 4)
    expect([found.hit, found.fair], [3, 2], "the modes that come, by one hit and by fair share")
    expect(found.kl, 0.6 * np.log(2.4) + 0.3 * np.log(1.2) + 0.1 * np.log(0.4), "their divergence")


@check("a run's epochs")
def check_a_runs_epochs():
    """A run's batches go through all images once an epoch, in another order each; its noise is new at every step."""
    run = SimpleNamespace(seed=3, _order=None, device="cpu")
    epochs = [[Run.batch_order(run, step, 12, 4).tolist() for step in range(1 + 3 * e, 4 + 3 * e)] for e in range(3)]
    for epoch in epochs:
        if sorted(sum(epoch, [])) != list(range(12)):
            raise AssertionError(f"an epoch of 12 images in batches of 4 is no permutation: {epoch}")
    if len({str(epoch) for epoch in epochs}) < 3:
        raise AssertionError(f"epochs have the same order: {epochs}")
    drawn = [Run.noise(run, step, 3, name=name) for step in (1, 2) for name in ("noise", "directions")]
    if len({round(n, 6) for noise in drawn for n in noise.tolist()}) < 12:
        raise AssertionError(f"noise of other steps or names is the same: {drawn}")


def _run(step, **options):
    """A run of one step, which writes nothing; its parts are in `parts`."""
    run = SimpleNamespace(args=SimpleNamespace(**options), seed=0, device="cpu", parts={}, steps=lambda: [step],
                          batch_order=lambda *_: slice(None), log=lambda *_, **__: None, look=lambda *_: None,
                          pictures=True, captured=lambda learn: learn)
    run.keep, run.noise = lambda **parts: run.parts.update(parts), functools.partial(Run.noise, run)
    run.batch = functools.partial(Run.batch, run)
    return run


def _gradient_of_d(step, penalty=0.7, reach=0.6):
    """(D's gradient at a step of `dcgan.train`, the same by hand): two images of 4x4 pixels, D(x) = w x, G(z) = c."""
    weight = stream(0, "weight").standard_normal((1, 1, 4, 4), np.float32)
    G, D = nn.Sequential(nn.ConvTranspose2d(100, 1, 4), nn.Tanh()), nn.Conv2d(1, 1, 4, bias=False)
    G[0].weight.data.zero_(), G[0].bias.data.fill_(0.5), D.weight.data.copy_(mg.tensor(weight))
    described(G, (100, 1, 1), image_shape=(4, 4, 1), value_range=(-1.0, 1.0))
    fake = np.full((1, 4, 4), np.tanh(0.5), np.float32)
    images = stream(0, "real").integers(0, 256, (2, 4, 4, 1), np.uint8)
    real = np.float32(images.transpose(0, 3, 1, 2) / 127.5 - 1)
    run = _run(step, batch=2, lr=0.0, beta1=0.5, penalty=penalty, average=0.0)
    dcgan.train(run, Pictures("two", "drawn", images, images), G, D, every=4)
    answers = (real * weight).sum((1, 2, 3), keepdims=True)
    by_hand = ((1 / (1 + np.exp(-answers)) - 1) * real).mean(0)  # of -ln sigmoid(D(x)), over two images
    by_hand += fake / (1 + np.exp(-(fake * weight).sum()))  # of -ln(1 - sigmoid(D(c))), which both have
    if step % 4 == 0:
        ways = run.noise(step, 2, 1, 4, 4, name="directions").numpy()
        by_hand += 4 * penalty / 2 * (2 * (ways * weight).sum((1, 2, 3), keepdims=True) * ways).mean(0)
    return D.weight.grad.numpy()[0], by_hand


@check("a penalty")
def check_a_penalty():
    """D's gradient at a step without a penalty and at one with it, for a linear D: by hand."""
    for step in (3, 4):
        found, by_hand = _gradient_of_d(step)
        expect(np.round(found - by_hand, 4), np.zeros((1, 4, 4)), f"the error of D's gradient at step {step}")


@check("lazy penalties")
def check_lazy_penalties():
    """A penalty at every fourth step is as strong as one of four times the strength at each, and 0 between."""
    images, labels = (part[:8] for part in _digits())
    pictures = Pictures("digits", "drawn", images[..., None], images[..., None], labels, labels)

    def by_mnist(step, penalty, every):
        run = _run(step, batch=8, average=0.0, penalty=penalty)
        mnist.train_steady(run, pictures, every=every)
        return run

    def by_cgan(step, penalty, every):
        run = _run(step, batch=8, labels="concat")
        cgan.train(run, pictures, penalty=penalty, every=every)
        return run

    for train in (by_mnist, by_cgan):
        def gradient(*how, train=train):
            state = mg.initial_seed(), mg.get_rng_state()
            mg.manual_seed(1)
            try:
                return [p.grad.numpy() for p in train(*how).parts["D"].parameters()][0]
            finally:
                mg.manual_seed(state[0])
                mg.set_rng_state(state[1])

        lazy, eager, without = gradient(4, 2.0, 4), gradient(4, 8.0, 1), gradient(4, 0.0, 1)
        scale = abs(lazy - without).max()
        if not scale > 0 or abs(lazy - eager).max() > 1e-4 * scale:
            raise AssertionError(f"{train.__name__}: D's gradient under a penalty of 2 every fourth step is "
                                 f"{abs(lazy - eager).max()} off that under one of 8 at every step")
        if abs(gradient(3, 2.0, 4) - gradient(3, 0.0, 1)).max() > 1e-4 * scale:
            raise AssertionError(f"{train.__name__}: a step between two penalties has one")


@check("pixel by pixel")
def check_pixel_by_pixel():
    """Two small models of pictures: the probabilities of all of 3x3 pixels, what depends on what, what they draw."""
    state = mg.initial_seed(), mg.get_rng_state()
    mg.manual_seed(1)
    try:
        net, linear = pixelcnn.PixelCNN(4), pixels.Linear(9)
        for p in (net.place, *linear.parameters()):
            p.data.copy_(mg.randn(*p.shape))
    finally:
        mg.manual_seed(state[0])
        mg.set_rng_state(state[1])
    expect(round(float(pixels.nats(mg.tensor([[0.0, 1.0]]), mg.tensor([[1.0, 1.0]]))), 6), 1.006409,
           "ln 2 and -ln of the sigmoid of 1, the nats of two white pixels")
    every = (np.arange(512)[:, None] >> np.arange(9) & 1).astype(np.float32).reshape(512, 1, 3, 3)
    for name, model in (("a PixelCNN", net), ("the linear model", linear)):
        with mg.no_grad():
            total = float((-pixels.nats(model(mg.tensor(every)), mg.tensor(every)).double()).exp().sum())
        expect(round(total, 4), 1.0, f"the sum of the probabilities that {name} has for all pictures of 3x3 pixels")
    expect(pixels.dependence(net, (9, 9)), [0, 0], "pixels that are seen too early, and never")
    z = mg.tensor(stream(1, "z").random((2, 1, 10, 10), np.float32))
    x, logits = pixels.Draw(net).complete(mg.zeros_like(z), z, 0)
    with mg.no_grad():
        whole = net(x)
    expect(np.round(abs(logits.numpy() - whole.numpy()).max(), 4), 0.0, "the error of the logits that are drawn by")
    expect(x, z.numpy() < 1 / (1 + np.exp(-whole.numpy())), "what is drawn by this noise")
    grey = pixels.binarised(np.full((1, 100, 100, 1), 51, np.uint8), 1, "grey")
    expect(abs(grey.mean() - 0.2) < 0.02, True, f"whether a fifth of what is a fifth of white is white ({grey.mean()})")


@check("pictures of pictures")
def check_pictures_of_pictures():
    """A U-Net drops values by the seed, treats each picture by itself, and carries lines past its middle."""
    state = mg.initial_seed(), repr(mg.get_rng_state())
    with translate.numbers_of(1):
        G = translate.described(pix2pix.UNet(1, 1, 4), (16, 16, 1), (16, 16, 1))
        D = translate.patches(1, 2)
    images = _digits()[0][:6, 6:22, 6:22, None]
    first, again, other = (translate.translated(G, images, seed) for seed in (1, 1, 2))
    expect([(first == again).all(), (first == other).all()], [True, False], "whether seeds 1 and 1, 1 and 2 agree")
    if (mg.initial_seed(), repr(mg.get_rng_state())) != state:
        raise AssertionError("making pictures changes the run's own numbers")
    with mg.no_grad():
        x = translate.values(images, G)
        expect(D(x).shape, (6, 1, 3, 3), "the shape of answers to patches")
        for layer in G.train().modules():
            layer.training = not isinstance(layer, nn.Dropout)
        whole, alone = G(x), mg.cat([G(x[k:k + 1]) for k in range(6)])
        expect(np.round((whole - alone).numpy(), 4), np.zeros((6, 1, 16, 16)), "pictures of a batch, less each alone")
        [p.zero_() for p in G.down[3].parameters()]
        if float((G(x)[0] - G(x)[1]).abs().max()) == 0:
            raise AssertionError("a U-Net whose middle is empty makes the same of all pictures")
    corner = np.zeros((1, 6, 6), np.uint8)
    corner[:, 3:, 3:] = 255
    outline = pairs.edges(corner)[0] > 0
    expect([outline[3, 4], outline[4, 3], outline[1, 1]], [True, True, False], "an outline's sides, and outside")


@check("a pair's step")
def check_a_pairs_step():
    """D's and G's gradients at a step of pix2pix: the paper's, and a real picture beside another's outline."""
    images = _digits()[0][:6, 6:22, 6:22, None]
    some = pairs.Pairs("digits", "drawn", images[:, ::-1], images, images, images)
    run = _run(1, batch=4, lr=0.0, weight=2.0, recipe="gan", skips="on", width=4, shapes=some.shapes)
    run.batch_order, run.picture_due = lambda *_: np.arange(2, 6), lambda _: False
    with translate.numbers_of(1):
        G, D = pix2pix.train(run, some)
    with translate.numbers_of(1):
        other = pix2pix.train(SimpleNamespace(**vars(run) | {"steps": list}), some)
        given, wanted, others = (translate.values(x, G) for x in (some.given[2:], images[2:], some.given[[3, 4, 5, 0]]))
        made = other[0](given)

        def answers(a, b):
            return other[1](mg.cat([a, b], 1))

        false = (losses.called_fake(answers(given, made.detach())) + losses.called_fake(answers(others, wanted))) / 2
        d = (losses.called_real(answers(given, wanted)) + false) / 2
        g = losses.called_real(answers(given, made)) + 2 * (made - wanted).abs().mean()
    for net, mine, loss in ((D, other[1], d), (G, other[0], g)):
        slopes = mg.autograd.grad(loss, [*mine.parameters()], retain_graph=True)
        scale = max(float(slope.abs().max()) for slope in slopes)
        for p, slope in zip(net.parameters(), slopes):
            expect(np.round((p.grad - slope).numpy() / scale, 5), np.zeros(p.shape), "the error of a gradient")


@check("a circle's step")
def check_a_circles_step():
    """All gradients at a step of cyclegan, by what the paper says of two sets."""
    images = _digits()[0][:8, 6:22, 6:22, None].repeat(3, 3)
    sets = pairs.Pairs("digits", "drawn", images, images[:, ::-1], images, images)
    run = _run(1, batch=3, lr=0.0, cycle=10.0, identity=5.0, pool=4, width=2, steps=1, shapes=sets.shapes)
    run.batch_order, run.picture_due = lambda *_: np.arange(3), lambda _: False
    run.uniform = functools.partial(Run.uniform, run)
    with translate.numbers_of(1):
        G, F = cyclegan.train(run, sets)
    D_a, D_b = run.parts["D_a"], run.parts["D_b"]
    a, b = (translate.values(part[chosen], G) for part, chosen in counterparts.unpaired(run, 1, sets))
    like_b, like_a = G(a), F(b)
    back_a, back_b = F(like_b), G(like_a)
    d = sum(((D(x) - 1) ** 2).mean() + (D(y.detach()) ** 2).mean() for D, x, y in ((D_a, a, like_a), (D_b, b, like_b)))
    g = ((D_b(like_b) - 1) ** 2).mean() + ((D_a(like_a) - 1) ** 2).mean()
    g = g + 10 * ((back_a - a).abs().mean() + (back_b - b).abs().mean())
    g = g + 5 * ((G(b) - b).abs().mean() + (F(a) - a).abs().mean())
    for nets, loss in (((D_a, D_b), d / 2), ((G, F), g)):
        trained = [p for net in nets for p in net.parameters()]
        slopes = mg.autograd.grad(loss, trained, retain_graph=True)
        scale = max(float(slope.abs().max()) for slope in slopes)
        for p, slope in zip(trained, slopes):
            expect(np.round((p.grad - slope).numpy() / scale, 4), np.zeros(p.shape), "the error of a gradient")


@check("a pool")
def check_a_pool():
    """Five pictures through a pool of two, by hand; what it shows has no graph."""
    pool, made = Pool(2, (1, 1, 1)), mg.arange(1.0, 6.0).reshape(5, 1, 1, 1).requires_grad_() * 1
    numbers = mg.tensor([[0.1, 0.9], [0.1, 0.9], [0.1, 0.9], [0.9, 0.9], [0.1, 0.9]])
    shown = pool(made, numbers)
    expect(shown.ravel().tolist(), [1, 2, 2, 4, 3], "what a pool shows")
    expect(pool.kept.ravel().tolist(), [1, 5], "what it keeps")
    expect([shown.requires_grad, pool.kept.requires_grad], [False, False], "whether that has a graph")


@check("counterparts")
def check_counterparts():
    """Pictures that are their own true counterparts; noise half way to a net that makes it ten times as large."""
    images = _digits()[0][:4, 6:22, 6:22, None].repeat(3, 3)
    given = images // 2
    expect(counterparts.beside_truth(given, images, images)[0], 0.0, "the distance of the truth to itself")
    expect(counterparts.beside_truth(given, given, images).changed, 0.0, "the share that changed of what did not")

    def times(factor):
        net = translate.described(nn.Conv2d(3, 3, 1, bias=False), (16, 16, 3), (16, 16, 3))
        net.weight.data.copy_(factor * mg.eye(3).reshape(3, 3, 1, 1))
        return net

    with translate.numbers_of(1):
        clean, noisy = counterparts.hidden(times(0.1), times(10.0), given)
    expect([round(255 * clean, 3), round(255 * noisy, 2)], [0.0, 20.0],
           "a circle, in grey levels, without and with noise")


# Codes.

wrong("code-not-for-g", "G pays nothing for a code that cannot be read", infogan,
      rewritten(infogan.train, ("update(optimiser_g, g + worth * (kind + number))", "update(optimiser_g, g)")),
      "train", "a code")
wrong("code-not-for-d", "D does not learn to read the code", infogan,
      rewritten(infogan.train, ("(kind + number + sort)", "sort")), "train", "a code")
wrong("code-of-another", "D is to read other kinds than G was given", infogan,
      rewritten(infogan.train, ("mg.tensor(kinds,", "mg.tensor(kinds[::-1].copy(),")), "train", "a code")
wrong("code-of-noise", "D is to read noise instead of the numbers", infogan,
      rewritten(infogan.train, ("seeds[:, :NUMBERS]", "seeds[:, NUMBERS:2 * NUMBERS]")), "train", "a code")
wrong("code-softmax-twice", "the cross-entropy of the kinds is of probabilities, not of logits", infogan,
      rewritten(infogan.missed, ("bent[:, :KINDS]", "bent[:, :KINDS].softmax(1)")), "missed", "a code")
wrong("code-kinds-straight", "kinds are read from straight images", infogan,
      rewritten(infogan.missed, ("bent[:, :KINDS]", "straight[:, :KINDS]")), "missed", "a code")
wrong("code-numbers-bent", "numbers are read from warped images", infogan,
      rewritten(infogan.missed, ("straight[:, KINDS:]", "bent[:, KINDS:]")), "missed", "a code")
wrong("code-uneven", "kinds of real images pay for being even", infogan,
      rewritten(infogan.unsettled, ("unsure + (", "unsure - (")), "unsettled", "a code")
wrong("code-unsure", "kinds of real images pay for being sure", infogan,
      rewritten(infogan.unsettled, ("+ 0.3", "- 0.3")), "unsettled", "a code")
wrong("code-warps-follow", "straight real images pay for what D says of warped ones", infogan,
      rewritten(infogan.unsettled, ("kinds.detach()", "kinds")), "unsettled", "a code")
wrong("code-even-each", "each real image is to be of all kinds", infogan,
      rewritten(infogan.unsettled, ("kinds.mean(0)", "kinds")), "unsettled", "a code")
wrong("matched-greedily", "two kinds may be one digit", codes, lambda table: np.argmax(table, 1), "matched",
      "what codes are")
wrong("slant-downward", "a slant to the right is one to the left", codes,
      rewritten(codes.shapes, ("(-np.arange", "(np.arange")), "shapes", "what codes are")
wrong("width-of-the-slant", "the width is that of the slant, too", codes,
      rewritten(codes.shapes, ("xx - slant * xy", "xx")), "shapes", "what codes are")
wrong("sweep-of-the-next", "along one number of a seed, another changes", codes,
      rewritten(codes.along, ("seeds[:, number]", "seeds[:, 1 - number]")), "along", "what codes are")
wrong("warp-transposed", "a warp reads rows as columns", warps,
      rewritten(warps.warp, ("near @ [1, size]", "near @ [size, 1]")), "warp", "a warp")
wrong("warp-torn", "what a warp brings from beyond an edge comes from the other side", warps,
      rewritten(warps.warp, ("[inside]", ""), ("(near @ [1, size])", "(near % size @ [1, size])"),
                ("np.flatnonzero(inside)", "np.arange(size ** 2)")), "warp", "a warp")


def _step_of_infogan(worth=0.7, batch=4):
    """(gradients of G and D at the first step of infogan.train, the same gradients in other words): lists of arrays."""
    state = mg.initial_seed(), mg.get_rng_state()
    try:
        mg.manual_seed(1)
        images = _digits()[0][:batch][..., None]
        run = _run(1, batch=batch, information=worth, noise=0.1, steps=1)
        infogan.train(run, Pictures("digits", "drawn", images, images))
        mg.manual_seed(1)
        G, D = infogan.generator(run.args), infogan.Discriminator()
    finally:
        mg.manual_seed(state[0])
        mg.set_rng_state(state[1])
    numbers, z = stream(0, "code", 1), run.noise(1, batch, 64)
    kinds = np.eye(10, dtype=np.float32)[numbers.integers(0, 10, batch)]
    bends = [warps.warp(2 * numbers.random(6) - 1, 28) for _ in range(4)]  # each of four images has its own
    real, fake = mg.tensor(images.reshape(batch, 784) / np.float32(255)), G(z, mg.tensor(kinds))

    def bent(images):
        return mg.stack([image @ mg.tensor(bend) for image, bend in zip(images, bends)])

    def paid(D, fake):
        told = D(bent(fake))[1][:, :10]
        kind = (told.logsumexp(1) - (told * mg.tensor(kinds)).sum(1)).mean()
        return worth * (kind + ((D(fake)[1][:, 10:] - z[:, :2]) ** 2).mean())

    p, q = (D(x)[1][:, :10].softmax(1) for x in (real, bent(real)))
    shares = p.mean(0)
    settled = -(p.detach() * q.log() + 0.3 * p * p.log()).sum() / batch + (shares * shares.log()).sum()
    (worth * settled + nn.functional.softplus(-D(real)[0]).mean() + nn.functional.softplus(D(fake.detach())[0]).mean()
     + paid(D, fake.detach())).backward()
    later = run.parts["D"]  # after its update, as G meets it
    grads = [p.grad.numpy().copy() for p in later.parameters()]
    (nn.functional.softplus(-later(fake)[0]).mean() + paid(later, fake)).backward()
    found = [*grads, *(p.grad.numpy() for p in run.parts["G"].parameters())]
    return found, [p.grad.numpy() for net in (D, G) for p in net.parameters()]


@check("a code")
def check_a_code():
    """The gradients of D and G at a step are those of their losses and of what D misses of the code."""
    for k, (found, by_hand) in enumerate(zip(*_step_of_infogan())):
        if abs(found - by_hand).max() > 1e-4 * max(abs(by_hand).max(), 1e-3):
            raise AssertionError(f"gradient {k} of D and G is {abs(found - by_hand).max()} off")


@check("what codes are")
def check_what_codes_are():
    """A matching by hand; the moments of a bar that leans to the right, and of a wide one; numbers of a seed."""
    expect(codes.matched([[9, 8, 0], [7, 1, 0], [5, 5, 5]]), [1, 0, 2], "the columns of three rows")
    bars = np.zeros((2, 28, 28), np.uint8)
    for k in range(10):
        bars[0, 18 - k, 9 + k] = 255  # a pixel to the right each pixel upward
    bars[1, 10:20, 5:15] = 255
    found = codes.shapes(bars)
    expect(found["slant"], [1.0, 0.0], "the slants")
    expect(found["width"], [0.0, (99 / 12) ** 0.5], "the widths")
    G = described(nn.Flatten(), (2,), image_shape=(1, 2, 1), classes=2, rows=True)
    G.weight, G.forward = nn.Parameter(mg.zeros(1)), lambda seeds, kinds: seeds
    images = codes.along(G, 0, (0.0, 1.0), 3)
    expect(images[:, :, 0, 0], [[0] * 3, [255] * 3], "what follows the number")
    expect(images[0, :, 0, 1], images[1, :, 0, 1], "what does not")


@check("a warp")
def check_a_warp():
    """No warp leaves an image as it is; a shift by a pixel to the left, and one by half a pixel upward."""
    image = np.arange(1.0, 17).reshape(4, 4)
    moved = {"none": (0, 0), "left": (1, 0), "up": (0, 0.5)}
    for name, shift in moved.items():
        matrix = warps.warp(np.array([0, 0, 0, 0, *shift]) / [1, 1, 1, 1, warps.SHIFT, warps.SHIFT], 4)
        found = (image.reshape(1, 16) @ matrix).reshape(4, 4)
        beyond = np.pad(image, ((0, 1), (0, 1)))
        expected = {"none": image, "left": beyond[:4, 1:], "up": (beyond[:4, :4] + beyond[1:, :4]) / 2}[name]
        expect(found, expected, f"an image moved: {name}")


# Stacked digits.

wrong("pack-of-one", "a pack is one image again and again", stacked,
      lambda images, pack: mg.cat([images[:len(images) // pack]] * pack, 1), "packed", "stacks")
wrong("pack-across", "a pack has the same channel of its images side by side", stacked,
      rewritten(stacked.packed, ("images.reshape(", "images.transpose(0, 1).reshape(")), "packed", "stacks")
wrong("stack-of-one", "all digits of a stack are the same image", stacks.Stacks,
      rewritten(stacks.Stacks.__getitem__, ("self.chosen[index]", "self.chosen[index][..., [0] * self.shape[3]]")),
      "__getitem__", "stacks")
wrong("stack-backwards", "a stack is read from its last channel to its first", stackcounts,
      rewritten(stacks.modes, ("[::-1]", "")), "modes", "stacks")
wrong("stack-summed", "a stack's mode is the sum of its digits", stackcounts, lambda digits: digits.sum(1), "modes",
      "stacks")
wrong("stack-first-channel", "every channel is read as the first", stackcounts,
      rewritten(stackcounts.read, ("stacks[..., k]", "stacks[..., 0]")), "read", "stacks")


@check("stacks")
def check_stacks():
    """Stacks and packs of images of one grey each, which a judge reads: which is which, by hand."""
    images = np.full((9, 28, 28, 1), np.arange(9).reshape(9, 1, 1, 1), np.uint8)
    chosen = np.array([[4, 0, 7], [1, 1, 2], [8, 3, 5]])
    found = stacks.Stacks(images, chosen)[np.array([2, 0])]
    expect(found[:, 5, 6], [[8, 3, 5], [4, 0, 7]], "the channels of two stacks")
    judge = SimpleNamespace(read=lambda x: (None, np.eye(9)[x[:, 0, 0]]))
    expect(stackcounts.read(judge, found), [835, 407], "the modes that two stacks are read as")
    four = mg.tensor(np.arange(8.0).reshape(4, 2, 1, 1))
    expect(stacked.packed(four, 2), np.arange(8.0).reshape(2, 4, 1, 1), "four images in packs of two")
    expect(stacked.packed(four, 1), four, "packs of one")
