"""What pictures look like, read by name: of faces whether they smile, of digits which they are and how bold.

Faces drawn by code come with their truth, and a small network learns to read it, once; it is kept in the user's cache.
Digits and clothes are read by the judge (gans/machinery/judge.py), and their ink and slant are measured.
"""

import hashlib

import numpy as np
from PIL import Image

import minigrad as mg
from gans.machinery.commandline import say
from gans.machinery.imagesets import DIGITS
from gans.machinery.judge import judge_of, kept, middle, names_of
from gans.machinery.parts import Noise, update
from minigrad import nn, optim
from minigrad.data.faces import HAIR, SKIN, draw_faces, synthetic_faces
from minigrad.nn import functional as F
from minigrad.random import stream

DRAWN, STEPS, BATCH, RATE, SIDE = 3_000, 300, 64, 3e-3, 32
TRUE = {"smile": ("serious", "smiling"), "glasses": ("no glasses", "glasses"),
        "hair": (HAIR[0], *(f"{colour} hair" for colour in HAIR[1:])), "skin": tuple(f"{shade} skin" for shade in SKIN)}
TONES = ("light skin", "medium skin", "dark skin")  # of skin, two shades each
ENDS = np.cumsum([0, *map(len, TRUE.values())])


class FaceReader(nn.Module):
    """Images in -1..1, (N, 3, 32, 32) -> logits (N, 16), of each attribute's values in turn.

    `features` gives the layer before, (N, 128). It learns from faces under noise, as a generator's are never clean.
    """

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(                                                          # (N, 3, 32, 32)
            Noise(0.15), nn.Conv2d(3, 16, 4, 2, 1), nn.BatchNorm2d(16), nn.LeakyReLU(0.2),      # (N, 16, 16, 16)
            nn.Conv2d(16, 32, 4, 2, 1), nn.BatchNorm2d(32), nn.LeakyReLU(0.2),                  # (N, 32, 8, 8)
            nn.Conv2d(32, 64, 4, 2, 1), nn.BatchNorm2d(64), nn.LeakyReLU(0.2),                  # (N, 64, 4, 4)
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(1024, 128), nn.ReLU(), nn.Dropout(0.2))    # (N, 128)
        self.last = nn.Linear(128, int(ENDS[-1]))

    def forward(self, x):
        return self.last(self.features(x))


class Faces:
    """Reads faces: `values` are the attributes and their values' names, of skin three tones or all six shades."""

    def __init__(self, net, shades=3):
        self.net, self.shades = net, shades
        self.values = TRUE | ({"skin": TONES} if shades == 3 else {})

    def read(self, images):
        """uint8 images (N, H, W, 3) -> {attribute: probabilities (N, values)}."""
        logits = self._through(self.net, images)
        found = {name: _softmax(logits[:, a:b]) for name, a, b in zip(TRUE, ENDS, ENDS[1:])}
        if self.shades == 3:
            found["skin"] = found["skin"].reshape(-1, 3, 2).sum(2)
        return found

    def features(self, images):
        """uint8 images (N, H, W, 3) -> what tells the attributes, (N, 128)."""
        return self._through(self.net.features, images)

    def _through(self, net, images):
        with mg.no_grad():
            return np.concatenate([net(as_faces(images[k:k + 500])).numpy() for k in range(0, len(images), 500)])


class Figures:
    """Reads digits or clothes: their class, whether they have more ink than most, digits whether they slant more."""

    def __init__(self, pictures):
        self.judge, real = judge_of(pictures), middle(pictures.train[..., 0])
        digits = pictures.name != "fashion"
        self.measures = {"ink": ink, "slant": slant} if digits else {"ink": ink}
        self.middles = {name: np.median(measure(real)) for name, measure in self.measures.items()}
        words = {"ink": ("thin", "bold"), "slant": ("upright", "slanted")} if digits else {"ink": ("dark", "bright")}
        self.values = {"class": names_of(pictures), **words}

    def read(self, images):
        """uint8 images (N, H, W) -> {attribute: probabilities (N, values)}, certain ones of what is measured."""
        images = middle(images)
        found = {"class": self.judge.read(images)[1]}
        for name, measure in self.measures.items():
            found[name] = np.eye(2)[(measure(images) > self.middles[name]).astype(int)]
        return found

    def features(self, images):
        """uint8 images (N, H, W) -> the judge's features, (N, 128)."""
        return self.judge.read(middle(images))[0]


def reader_of(pictures, shades=3):
    """What reads such Pictures, or None where nobody knows their attributes: photographs, and pictures of one's own.

    `shades` of skin: 3 or 6.
    """
    if pictures.name in DIGITS:
        return Figures(pictures)
    return Faces(face_reader(pictures.shape[0]), shades) if pictures.name == "synthetic-faces" else None


def ink(images):
    """How bright images (N, H, W) are on average, (N,)."""
    return images.mean((1, 2))


def slant(images):
    """How far the figures in images (N, H, W) lean to the right: columns that they gain a row upwards, (N,).

    That is the slope of the line through the ink (its regression of columns on rows).

    >>> slant(np.eye(5)[None, ::-1]).round(9).tolist(), slant(np.ones((1, 5, 5))).round(9).tolist()
    ([1.0], [0.0])
    """
    weights = images.astype(np.float64)
    weights /= np.maximum(weights.sum((1, 2), keepdims=True), 1e-9)
    rows, columns = np.arange(images.shape[1])[:, None], np.arange(images.shape[2])
    off_row, off_column = (at - (weights * at).sum((1, 2), keepdims=True) for at in (rows, columns))
    spread = (weights * off_row ** 2).sum((1, 2))
    return -(weights * off_row * off_column).sum((1, 2)) / np.maximum(spread, 1e-9) + 0.0


def _softmax(logits):
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def as_faces(images):
    """uint8 images (N, H, W, 3) as a float32 tensor (N, 3, 32, 32) in -1..1."""
    if images.shape[1:3] != (SIDE, SIDE):
        images = np.stack([np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.BOX)) for image in images])
    return mg.tensor(np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32) / 127.5 - 1)


def train_face_reader(size=SIDE, seed=0):
    """A FaceReader trained on faces drawn at size×size; a run's random numbers go on as if nothing had been."""
    first, state = mg.initial_seed(), mg.get_rng_state()
    mg.manual_seed(seed)
    images, truth = synthetic_faces(DRAWN, 2, size)  # 0 and 1 are what runs learn from and what they keep back
    net = FaceReader()
    optimiser = optim.Adam(net.parameters(), RATE)
    for step in range(STEPS):
        optimiser.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
        chosen = stream(seed, "face reader", step).integers(0, DRAWN, BATCH)
        logits = net(as_faces(images[chosen]))
        update(optimiser, sum(F.cross_entropy(logits[:, a:b], mg.tensor(truth[name][chosen].astype(np.int64)))
                              for name, a, b in zip(TRUE, ENDS, ENDS[1:])))
    mg.manual_seed(first)
    mg.set_rng_state(state)
    return net.eval()


def face_reader(size=SIDE):
    """The FaceReader for faces of that size, from the cache or trained now (about ten seconds) and put there."""
    name = hashlib.sha256(f"{DRAWN}-{STEPS}-{BATCH}-{RATE}-{size}".encode()).hexdigest()[:16]
    return kept(f"face-reader-{name}", FaceReader(), lambda: train_face_reader(size),
                "training the network that will read faces (once; it is kept)", say)


def boxes(truth, name, size=SIDE):
    """Where an attribute that is there or not (smile, glasses) shows on drawn faces: (N, 4), top, bottom, left, right.

    That is the box about all pixels that change with it.
    """
    n = len(truth[name])
    off, on = (draw_faces({**truth, name: np.full(n, there)}, size) for there in (False, True))
    changed = (on != off).any(3)
    return np.stack([edge for axis in (2, 1) for side in (changed.any(axis),)
                     for edge in (side.argmax(1), size - side[:, ::-1].argmax(1))], 1)


def known(pictures, n=1000):
    """(Images (n, H, W, C) that nobody has learnt from, {what may be told of each: booleans (n,)}, truth or None).

    Of drawn faces that is who smiles and who wears glasses, and the truth is all of it; of digits and clothes two
    classes; of other pictures which are the brighter ones.
    """
    if pictures.name == "synthetic-faces":
        images, truth = synthetic_faces(n, 3, pictures.shape[0])
        return images, {name: truth[name] for name in ("smile", "glasses")}, truth
    images = pictures.held_out[:n]
    if pictures.held_out_labels is not None:
        labels, names = pictures.held_out_labels[:n], names_of(pictures)
        return images, {names[c]: labels == c for c in (1, 7)}, None
    brightness = images.mean((1, 2, 3))
    return images, {"brightness": brightness > np.median(brightness)}, None
