"""Cartoon faces, drawn by code: colour images whose attributes are known exactly.

A GAN trained on them can be measured: whether "smiling - neutral" is a direction of its latent space is a question with
an answer when every image comes with its truth. The attributes that are meant to be learnt (smile, glasses, hair,
skin) and the ones that only vary (pose, proportions, colours) are all drawn independently of each other.

Every feature is a shape given by its signed distance (negative inside), painted in its colour from back to front;
coverage falls from 1 to 0 over the one pixel around the outline, which is all the anti-aliasing there is
(Quilez, "2D distance functions"). Coordinates: x to the right and y down, the image being [-1, 1]².
"""

import numpy as np

from minigrad.data.digits import uniforms

HAIR = ("bald", "black", "brown", "blond", "red", "grey")
SKIN = ("light", "fair", "olive", "tan", "brown", "dark")
CONTINUOUS = {
    "x": (-0.08, 0.08),  # where the head is
    "y": (-0.06, 0.06),
    "turn": (-0.09, 0.09),  # how far the features are from the middle of the head, as if it were turned
    "face_width": (0.46, 0.58),
    "eye_spacing": (0.17, 0.23),
    "eye_size": (0.085, 0.115),
    "gaze": (-0.03, 0.03),
    "mouth_width": (0.15, 0.24),
    "hair_length": (0.0, 1.0),
    "background": (0.0, 1.0),  # hues, once around the circle
    "shirt": (0.0, 1.0),
}
CHUNK = 16  # faces drawn at a time: their planes stay in the cache

_HAIR_RGB = np.array([[0, 0, 0], [38, 32, 36], [104, 64, 36], [236, 196, 96], [196, 84, 36], [168, 170, 178]], "f4")
_SKIN_RGB = np.array([[255, 222, 200], [245, 201, 170], [222, 176, 132], [196, 142, 98], [146, 96, 62], [98, 62, 42]],
                     "f4")
_INK, _WHITE = np.array([48, 38, 44], "f4"), np.array([255, 255, 255], "f4")


def synthetic_faces(n, seed=0, size=64):
    """Draw `n` faces and say what each one looks like.

    Args:
        n: how many.
        seed: 0 or a positive integer below 2**64. Face i depends on the seed and on i alone.
        size: pixels a side.

    Returns:
        (images, attributes): uint8 N×size×size×3, and a dict from a name to an array of N: `smile` and `glasses` bool,
        `hair` and `skin` uint8 indices into `HAIR` and `SKIN`, and float32 for each name in `CONTINUOUS`.

    >>> images, attributes = synthetic_faces(5, size=32)
    >>> images.shape, images.dtype, attributes["smile"].dtype
    ((5, 32, 32, 3), dtype('uint8'), dtype('bool'))
    """
    attributes = _attributes(uniforms(seed, 0, n, 4 + len(CONTINUOUS)))
    images = np.empty((n, size, size, 3), np.uint8)
    for start in range(0, n, CHUNK):
        chunk = slice(start, start + CHUNK)
        images[chunk] = draw_faces({name: values[chunk] for name, values in attributes.items()}, size)
    return images, attributes


def draw_faces(attributes, size=64):
    """Draw the faces that attributes describe, so that one attribute can be changed and the rest kept.

    Args:
        attributes: as `synthetic_faces` returns them, all of one length N.
        size: pixels a side.

    Returns:
        uint8 N×size×size×3.

    >>> _, attributes = synthetic_faces(4)
    >>> smiling = draw_faces({**attributes, "smile": np.ones(4, bool)})
    """
    a = {name: np.asarray(attributes[name], np.float32)[:, None, None] for name in CONTINUOUS}
    smile, glasses = (np.asarray(attributes[name], bool) for name in ("smile", "glasses"))
    hair, skin = _HAIR_RGB[attributes["hair"]], _SKIN_RGB[attributes["skin"]]
    haired = np.asarray(attributes["hair"]) > 0
    shade, brow = 0.82 * skin, np.where(haired[:, None], hair, 0.55 * skin)
    shirt = _hue(a["shirt"], 140, 70)
    canvas = _Canvas(_hue(a["background"], 196, 44), size)

    x, y, wide, tall = a["x"], a["y"] - 0.04, a["face_width"], 0.62
    middle = x + a["turn"]  # of the features
    eyes, brows, mouth = y, y - 0.2, y + 0.34

    # Hair behind the head: round above, and falling straight to anywhere from the ears to the shoulders.
    fall = 0.1 + 0.35 * a["hair_length"]
    canvas.paint(_ellipse(x, y - 0.04, wide + 0.08, tall + 0.06).above(lambda u: y), hair, haired)
    canvas.paint(_box(x, y - 0.1 + fall, wide + 0.08, fall, 0.1), hair, haired)
    canvas.paint(_ellipse(x, 1.12, 0.72, 0.4), shirt)
    canvas.paint(_box(x, y + 0.62, 0.19, 0.28, 0.12), shade)
    for side in (-1, 1):
        canvas.paint(_ellipse(x + side * wide, y + 0.05, 0.09, 0.13), shade)
    canvas.paint(_ellipse(x, y, wide, tall), skin)

    # The fringe: what of a slightly larger head lies above a curve.
    fringe = _ellipse(x, y - 0.04, wide + 0.05, tall + 0.06)
    hairline = y - 0.3 - 0.6 * a["turn"]
    canvas.paint(fringe.above(lambda u: hairline + 0.5 * (u - middle) ** 2 + 0.25 * (u - middle)), hair, haired)

    blush = 0.7 * skin + 0.3 * np.array([236, 70, 80], "f4")
    half = a["eye_size"]
    for side in (-1, 1):
        eye = middle + side * a["eye_spacing"]
        pupil = eye + a["gaze"]
        canvas.paint(_ellipse(middle + side * 0.33, y + 0.22, 0.1, 0.07), blush)
        canvas.paint(_ellipse(eye, eyes, half, 1.25 * half), _WHITE)
        canvas.paint(_ellipse(pupil, eyes + 0.01, 0.6 * half, 0.8 * half), _INK)
        canvas.paint(_ellipse(pupil + 0.02, eyes - 0.03, 0.022, 0.026), _WHITE)
        canvas.paint(_arc(eye, brows, 0.1, 0.04, 0.028), brow)
    canvas.paint(_ellipse(middle + 0.4 * a["turn"], y + 0.15, 0.045, 0.06), shade)

    # A smile is an open mouth, flat above and round below, with teeth; else it is a line.
    grin = _ellipse(middle, mouth - 0.05, a["mouth_width"], 0.2).below(lambda u: mouth - 0.05)
    canvas.paint(grin, np.array([150, 36, 48], "f4"), smile)
    canvas.paint(grin.above(lambda u: mouth + 0.02), _WHITE, smile)
    canvas.paint(_arc(middle, mouth + 0.02, 0.8 * a["mouth_width"], 0.015, 0.026), 0.5 * skin, ~smile)

    frame, rim = np.array([36, 44, 84], "f4"), 0.155
    for side in (-1, 1):
        eye = middle + side * a["eye_spacing"]
        canvas.paint(_ellipse(eye, eyes + 0.01, rim, rim).outline(0.026), frame, glasses)
        hinge, ear = eye + side * rim, x + side * wide
        canvas.paint(_box((hinge + ear) / 2, eyes - 0.02, abs(ear - hinge) / 2, 0.02, 0), frame, glasses)
    canvas.paint(_box(middle, eyes, a["eye_spacing"] - 0.14, 0.02, 0), frame, glasses)
    return canvas.images()


class _Shape:
    """A signed distance, as a function of x (N×1×W) and y (N×H×1), with the box outside of which it is positive.

    The box (left, top, right, bottom) is what keeps painting a small feature cheap.
    """

    def __init__(self, distance, box):
        self.distance, self.box = distance, box

    def above(self, curve):
        """The part of the shape above y = curve(x)."""
        return _Shape(lambda x, y: np.maximum(self.distance(x, y), y - curve(x)), self.box)

    def below(self, curve):
        """The part of the shape below y = curve(x)."""
        return _Shape(lambda x, y: np.maximum(self.distance(x, y), curve(x) - y), self.box)

    def outline(self, half):
        """A line along the outline, of half this width to either side."""
        left, top, right, bottom = self.box
        box = (left - half, top - half, right + half, bottom + half)
        return _Shape(lambda x, y: abs(self.distance(x, y)) - half, box)


def _ellipse(x, y, a, b):
    def distance(u, v):
        # To first order, which is exact enough within a pixel of the outline: value over length of gradient.
        p, q = ((u - x) / a) ** 2, ((v - y) / b) ** 2
        return (p + q - 1) / (2 * np.sqrt(p / a**2 + q / b**2) + 1e-6)

    return _Shape(distance, (x - a, y - b, x + a, y + b))


def _box(x, y, a, b, radius):
    """A rectangle with half sides a and b, its corners rounded."""

    def distance(u, v):
        p, q = abs(u - x) - (a - radius), abs(v - y) - (b - radius)
        return np.hypot(np.maximum(p, 0), np.maximum(q, 0)) + np.minimum(np.maximum(p, q), 0) - radius

    return _Shape(distance, (x - a, y - b, x + a, y + b))


def _arc(x, y, a, rise, half):
    """A line from x - a to x + a, bent so that its middle is higher than its ends; `half` is half its thickness."""

    def distance(u, v):
        middle = y - rise * (1 - ((u - x) / a) ** 2)
        return np.maximum(abs(v - middle) - half, abs(u - x) - a)

    return _Shape(distance, (x - a, y - abs(rise) - half, x + a, y + abs(rise) + half))


class _Canvas:
    """N images being painted at once, as planes of float32."""

    def __init__(self, colour, size):
        self.size = size
        self.planes = np.empty((len(colour), 3, size, size), np.float32)
        self.planes[:] = colour[:, :, None, None]
        self.places = (np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1

    def paint(self, shape, colour, where=None):
        """Lay a colour (3, or N×3) over what is there, on all images or on those where `where` (bool N) is true."""
        left, top, right, bottom = shape.box
        columns, rows = self._span(left, right), self._span(top, bottom)
        distance = shape.distance(self.places[columns][None, None, :], self.places[rows][None, :, None])
        coverage = np.clip(0.5 - distance * np.float32(self.size / 2), 0, 1)[:, None]
        if where is not None:
            coverage = coverage * where[:, None, None, None]
        part = self.planes[:, :, rows, columns]
        part += coverage * (np.broadcast_to(colour, (len(part), 3))[:, :, None, None] - part)

    def images(self):
        """What was painted, as uint8 N×size×size×3."""
        return (self.planes.transpose(0, 2, 3, 1) + np.float32(0.5)).astype(np.uint8)

    def _span(self, low, high):
        """The pixels that can be covered between two coordinates, with a margin for the soft edge."""
        first = int((np.min(low) + 1) * self.size / 2) - 2
        last = int((np.max(high) + 1) * self.size / 2) + 2
        return slice(max(first, 0), max(min(last, self.size), 0))


def _hue(turns, middle, swing):
    """N×3 RGB around the colour circle, from its angle as N×1×1 turns."""
    return (middle + swing * np.cos(2 * np.pi * (turns[:, 0] + np.arange(3) / 3))).astype(np.float32)


def _attributes(u):
    """Attributes from N×k uniform numbers."""
    attributes = {
        "smile": u[:, 0] < 0.5,
        "glasses": u[:, 1] < 0.35,
        "hair": (u[:, 2] * len(HAIR)).astype(np.uint8),
        "skin": (u[:, 3] * len(SKIN)).astype(np.uint8),
    }
    for column, (name, (low, high)) in enumerate(CONTINUOUS.items(), start=4):
        attributes[name] = np.float32(low) + u[:, column] * np.float32(high - low)
    return attributes
