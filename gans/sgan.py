"""A hundred labels: a GAN that learns to read from 60,000 images of which 100 have a label.

  python -m gans.sgan                             5,000 steps: it reads
  python -m gans.sgan --minibatch-discrimination  better samples instead
  python -m gans.sgan --long                      the paper's 300 epochs

After Salimans et al., "Improved Techniques for Training GANs" (2016). D reads: ten logits, one a digit. "Real" needs no
eleventh: an image is as real as log(sum(exp(logits))) is large. So images without a label teach D, too, as do G's, and
the borders between digits move away from where there are images.

A G that draws perfect digits would teach D nothing new. G's aim is soft: D's last hidden layer should be on average
what it is for real images (feature matching). Its digits are poor, and D reads well. With --minibatch-discrimination G
plays against "real" instead, while D sees how alike the images of a batch are: better digits, and D reads worse.

What to look at: error.png, with what the same 100 labels are worth alone. And that no other label is read, the usual
bug of such programs: each run first overwrites the others with garbage, new each time, and still repeats to the bit.

What to try: another --seed, which picks other labels; --data fashion; in the file, EACH = 2.
"""

import sys
from dataclasses import replace

import numpy as np

import minigrad as mg
from gans.machinery import figures, replay
from gans.machinery.commandline import main, parse, parser, say
from gans.machinery.imagesets import DIGITS, open_digits
from gans.machinery.judge import as_input, judge_of, judged
from gans.machinery.losses import LN2, NS
from gans.machinery.parts import MinibatchDiscrimination, Noise, directed, frozen, lengths_from, update
from gans.machinery.run import Run, beside
from gans.machinery.samples import described
from gans.machinery.supervised import a_few, accuracy, baseline_errors, overwritten
from minigrad import nn, optim
from minigrad.nn import functional as F

EACH = 10  # labels of each digit
QUICK = "--data synthetic --steps 50 --batch 50"


class Discriminator(nn.Module):
    """images (N, 784) -> logits (N, 10); `features` gives the layer before."""

    def __init__(self, alike=False):
        super().__init__()
        self.features = nn.Sequential(                                     # (N, 784)
            Noise(0.3), directed(784, 500), nn.ReLU(),                     # (N, 500)
            Noise(0.3), directed(500, 250), nn.ReLU(),                     # (N, 250)
            Noise(0.3), directed(250, 250), nn.ReLU())                     # (N, 250)
        self.alike = MinibatchDiscrimination(250) if alike else nn.Identity()                    # (N, 282), or (N, 250)
        self.last = nn.Sequential(Noise(0.3), directed(282 if alike else 250, 10, lengths=True))  # (N, 10)

    def forward(self, images):
        return self.last(self.alike(self.features(images)))


def generator(options=None):
    return described(nn.Sequential(                                        # (N, 100)
        nn.Linear(100, 500), nn.BatchNorm1d(500), nn.Softplus(),           # (N, 500)
        nn.Linear(500, 500), nn.BatchNorm1d(500), nn.Softplus(),           # (N, 500)
        directed(500, 784, lengths=True), nn.Sigmoid(),                    # (N, 784)
    ), (100,), seeds="uniform", image_shape=(28, 28, 1), rows=True)


def realness(logits):
    """The logit of "real"."""
    return logits.logsumexp(1)


def train(run, pictures, few):
    """D reads the pictures of the indices `few` by their labels, and learns from all. Returns the averaged G."""
    alike, steps, rates = run.args.minibatch_discrimination, run.args.steps, (3e-3, 1e-3)
    D, G = Discriminator(alike).to(run.device), generator().to(run.device)
    lengths_from([*D.features, D.alike, *D.last], run.batch(1, pictures, like=G))
    reader, average = optim.EMA(D, 0.999), optim.EMA(G, 0.999)
    optimisers = [optim.Adam(net.parameters(), rate, betas=(0.5, 0.999)) for net, rate in zip((D, G), rates)]
    run.keep(G=G, D=D, reader=reader, average=average, optimiser_d=optimisers[0], optimiser_g=optimisers[1])
    labelled = as_input(pictures.train[few]).to(run.device)                # (100, 784)
    answers = mg.tensor(pictures.labels[few].astype(np.int64), device=run.device)

    @run.captured
    def learn(real, others, seeds):
        # 1. D reads the labelled images, takes others for real, and G's for generated.
        fake = G(seeds)
        on_real, on_fake = realness(D(real)), realness(D(fake.detach()))
        d_read = F.cross_entropy(D(labelled), answers)
        d_real, d_fake = NS.d(on_real, on_fake)
        update(optimisers[0], d_read + (d_real + d_fake) / 2)

        # 2. G's images should have, on average, the features of real ones; or else be taken for real.
        with frozen(D):
            g = (NS.g(realness(D(fake))) if alike else
                 ((D.features(fake).mean(0) - D.features(others).mean(0)) ** 2).mean())
            update(optimisers[1], g)
        reader.update(), average.update()
        return dict(d_read=d_read, d_real=d_real, d_fake=d_fake, g=g, logits=(on_real, on_fake), images=(real, fake))

    for step in run.steps():
        for optimiser, rate in zip(optimisers, rates):  # constant for the first half, then falling to 0
            optimiser.param_groups[0]["lr"] = rate * min(1, 2 * (1 - step / steps))
        real, others = (run.batch(k, pictures, like=G) for k in (2 * step - 1, 2 * step))
        run.log(step, **learn(real, others, run.uniform(step, run.args.batch, 100)))
        run.look(step, average.model)
        if step % max(50, steps // 10) == 0 or step == steps:
            run.measure(step, error=1 - accuracy(reader.model, pictures.held_out, pictures.held_out_labels))
    return average.model


def same_without(run, pictures, few):
    """Whether 20 steps end with the same bits if all other labels are there and if they are garbage."""
    digests = set()
    for name, theirs in (("all-labels", pictures.labels), ("garbage", overwritten(pictures.labels, few))):
        with beside(run, name, {"steps": 20}, save_every=20) as short:
            train(short, replace(pictures, labels=theirs), few)
            digests.add(replay.digest({name: part.state_dict() for name, part in short.parts.items()}))
    return len(digests) == 1


def demo(argv=None):
    p = parser("sgan", __doc__, steps=5000, batch=100, samples=True, capture=True)
    p.add_argument("--data", choices=DIGITS, default="auto", help="auto: MNIST, or digits drawn by code without it")
    p.add_argument("--minibatch-discrimination", action="store_true", help="for samples instead of reading")
    p.add_argument("--long", dest="steps", action="store_const", const=180_000, help="the paper's 180000 steps")
    args = parse(p, argv)
    pictures = open_digits(args.data).for_run(args)
    judge, few = judge_of(pictures), a_few(pictures.labels, EACH, args.seed)
    with Run(args, "100 labels: the losses of D and G", LN2) as run:
        G = train(run, replace(pictures, labels=overwritten(pictures.labels, few)), few)
        run.finish(G)
        wrong = run.measured()["error"]
        say(f"{wrong:.2%} of the test images are read wrong, after {len(few)} labels.")
        alone = {} if args.steps < 1000 else baseline_errors(run, pictures, few)
        looks = [(row["step"], row["measure.error"]) for row in run.rows if "measure.error" in row]
        run.paths.append(figures.errors(run.folder / "error.png", *zip(*looks), alone))
        found, same = judged(run, G, pictures, judge), same_without(run, pictures, few) if args.check else True
        points = 100 * (min(alone.values(), default=0.5) - wrong)  # fewer steps only have to read half of them
        return run.end([
            ("same bits without other labels", same, same, "==1"),
            *([("smallest share", found.shares.min(), found.shares.min() >= 0.04, ">=0.04"),
               ("Frechet distance / noise's", found.distance, found.distance <= 0.1, "<=0.1")]
              if args.minibatch_discrimination else
              [("points below the best baseline", points, points >= 5, ">=5")]),
        ], "python -m gans.cgan, where all labels are known, and G is told them")


if __name__ == "__main__":
    sys.exit(main(demo))
