"""A classifier of digits that minigrad trains once and keeps: it tells whether samples can be read, and as what.

784-256-128-10 with dropout, four epochs of Adam with a falling rate: about 98 % of MNIST's test digits. It is kept in
the user's cache, under the digest of the data that it learned from.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

import minigrad as mg
from gans.machinery.commandline import say
from gans.machinery.metrics import frechet_distance, shares, sliced_wasserstein
from gans.machinery.progress import telling
from gans.machinery.samples import generate
from minigrad import nn, optim
from minigrad.checkpoint import load_safetensors, save_safetensors
from minigrad.data.download import cache_folder
from minigrad.errors import CheckpointError
from minigrad.random import stream

EPOCHS, BATCH, RATE = 4, 128, 2e-3
NAMES = {"digits": tuple("0123456789"), "fashion": ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal",
                                                    "shirt", "sneaker", "bag", "ankle boot")}


class Judge(nn.Module):
    """images in 0..1, (N, 784) -> logits (N, classes); `features` gives the layer before, (N, 128)."""

    def __init__(self, classes=10):
        super().__init__()
        self.features = nn.Sequential(nn.Dropout(0.1), nn.Linear(784, 256), nn.ReLU(),
                                      nn.Dropout(0.2), nn.Linear(256, 128), nn.ReLU())
        self.last = nn.Linear(128, classes)

    def forward(self, x):
        return self.last(self.features(x))

    def read(self, images):
        """uint8 images (N, 28, 28) -> (features (N, 128), probabilities (N, classes)), float32 arrays."""
        features, probabilities = [], []
        with mg.no_grad():
            for start in range(0, len(images), 1000):
                f = self.features(as_input(images[start:start + 1000]))
                features.append(f.numpy())
                probabilities.append(self.last(f).softmax(1).numpy())
        return np.concatenate(features), np.concatenate(probabilities)


@dataclass
class Verdict:
    """What a judge says of samples."""

    confidence: float  # the mean of the largest class probability
    shares: np.ndarray  # of each class among the samples
    distance: float  # the Fréchet distance of the features to real ones, as a share of uniform noise's
    read: np.ndarray | None = None  # the class that each sample is read as

    def words(self, names=NAMES["digits"]):
        """The verdict in plain words, a sentence a line."""
        low, high = int(self.shares.argmin()), int(self.shares.argmax())
        count = len(self.shares)
        lines = [f"A classifier is {self.confidence:.0%} sure on average of what it reads, and the samples lie at "
                 f"{self.distance:.1%} of the distance from real digits at which plain noise lies.",
                 "The samples are read as " + ", ".join(f"{n} {s:.1%}" for n, s in zip(names, self.shares)) + "."]
        missing = [name for name, share in zip(names, self.shares) if share < 0.2 / count]
        if missing or self.shares[high] > 2.5 / count:
            lines.append(f"That is mode collapse: {self.shares[high]:.0%} of all samples are {names[high]}"
                         + (f", and {', '.join(missing)} hardly ever come." if missing else "."))
        else:
            lines.append(f"No mode has collapsed: each class has a fair share, from {self.shares[low]:.1%} "
                         f"({names[low]}) to {self.shares[high]:.1%} ({names[high]}).")
        return lines


def as_input(images):
    """uint8 images (N, 28, 28) as a float32 tensor (N, 784) in 0..1."""
    return mg.tensor(images.reshape(len(images), -1).astype(np.float32) / 255)


def train_judge(images, labels, seed=0, classes=10):
    """A Judge trained on uint8 images (N, 28, 28) and labels (N,)."""
    first, state = mg.initial_seed(), mg.get_rng_state()
    mg.manual_seed(seed)
    judge = Judge(classes)
    optimiser = optim.Adam(judge.parameters(), RATE)
    targets, per_epoch = labels.astype(np.int64), len(images) // BATCH
    for step in range(EPOCHS * per_epoch):
        epoch, k = divmod(step, per_epoch)
        if k == 0:
            order = stream(seed, "judge", epoch).permutation(len(images))
        chosen = order[k * BATCH:(k + 1) * BATCH]
        optimiser.param_groups[0]["lr"] = RATE * (1 - step / (EPOCHS * per_epoch))
        loss = nn.functional.cross_entropy(judge(as_input(images[chosen])), mg.tensor(targets[chosen]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    mg.manual_seed(first)  # a run goes on with its own numbers, on every device, as if no judge had been trained
    mg.set_rng_state(state)
    return judge.eval()


def cached_judge(images, labels, log=print):
    """The Judge for these images and labels, from the cache or trained now (about ten seconds) and put there."""
    digest = hashlib.sha256(images.tobytes() + labels.tobytes() + f"{EPOCHS}-{BATCH}-{RATE}".encode()).hexdigest()[:16]
    classes = int(labels.max()) + 1
    return kept(f"judge-{digest}", Judge(classes), lambda: train_judge(images, labels, classes=classes),
                "training the classifier that will judge the samples (once; it is kept)", log)


def kept(name, net, train, words, log):
    """`net` with the weights that the cache has under a name, in evaluation mode; else what `train()` returns.

    That is put into the cache. `words` are logged before it is trained.
    """
    path = cache_folder() / f"{name}.safetensors"
    try:
        net.load_state_dict(load_safetensors(path))
        return net.eval()
    except (CheckpointError, OSError):
        pass  # not there yet, or damaged: training makes it anew
    log(words)
    net = train()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_safetensors(path, net.state_dict())
    except (CheckpointError, OSError) as error:
        log(f"the classifier could not be kept: {error}")
    return net


def verdict(judge, samples, real):
    """The Verdict on uint8 samples (N, 28, 28), `real` being images that the judge did not learn from."""
    features, probabilities = judge.read(samples)
    real_features, _ = judge.read(real)
    noise = stream(0, "uniform noise").integers(0, 256, (len(samples), 28, 28), np.uint8)
    noise_features, _ = judge.read(noise)
    read = probabilities.argmax(1)
    return Verdict(float(probabilities.max(1).mean()), shares(read, probabilities.shape[1]),
                   frechet_distance(features, real_features) / frechet_distance(noise_features, real_features), read)


def judge_of(pictures):
    """The Judge for digits or clothes, which lose their black margin first: it reads 28x28."""
    return cached_judge(middle(pictures.train[..., 0]), pictures.labels, log=say)


def judged(run, G, pictures, judge=None, n=10_000):
    """The Verdict on n samples of a run's generator, beside digits or clothes that were kept back; and say it."""
    judge = judge or judge_of(pictures)
    with telling(f"a classifier reads {n:,} samples"):
        found = verdict(judge, middle(generate(G, n, seed=run.seed)), middle(pictures.held_out[..., 0]))
    for line in found.words(names_of(pictures)):
        say(line)
    run.measure(run.step, confidence=found.confidence, smallest_share=found.shares.min(),
                largest_share=found.shares.max(), frechet=found.distance)
    return found


def names_of(pictures):
    """What the classes of a set are called."""
    return NAMES["fashion" if pictures.name == "fashion" else "digits"]


def middle(images, size=28):
    """The middle of images (N, H, W), without the margin that made them larger."""
    edge = (images.shape[1] - size) // 2
    return np.ascontiguousarray(images[:, edge:edge + size, edge:edge + size])


def distance_to_real(samples, pictures):
    """The SlicedWasserstein of samples, uint8 (N, H, W, C) or (N, H, W), to Pictures that were kept back."""
    real = pictures.held_out
    return sliced_wasserstein(samples.reshape(-1, *real.shape[1:]), real)


def floor(pictures, n):
    """The SlicedWasserstein of n real pictures that were not kept back: what perfect samples would reach."""
    learnt = pictures.train[np.sort(stream(0, "floor").permutation(len(pictures.train))[:n])]
    return sliced_wasserstein(learnt, pictures.held_out[:n])


def compared(run, G, pictures, before):
    """The distance of a generator's samples to real pictures, as a share of what it was `before`; and say it."""
    n = before.images  # distances of other numbers do not compare
    with telling(f"{n:,} samples are compared with pictures that were kept back, and these with others"):
        now, least = distance_to_real(generate(G, n, seed=run.seed), pictures), floor(pictures, n)
    say(f"sliced Wasserstein distance of {n} samples to pictures that were kept back: {before.average:.1f} before "
        f"training, {now} now; pictures that were learnt from: {least}")
    run.measure(run.step, sliced_wasserstein=now.average, floor=least.average, before=before.average)
    return now.average / before.average
