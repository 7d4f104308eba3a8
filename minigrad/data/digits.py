"""Synthetic digits, drawn by code: what MNIST is for when there is no network.

The digits of the fonts that matplotlib carries, under a random turn, shear, stretch, elastic distortion and change of
stroke, 28×28 white on black, placed as MNIST places its own: in a box of 20×20, centred by centre of mass.

A glyph is kept not as a picture but as its signed distance to the outline. Sampled under any distortion, distance still
gives a clean edge (coverage is a ramp over one pixel), and a thicker stroke is the same picture with a constant added.

`uniforms` is why image i is the same however many are drawn: its random numbers are a function of the seed and of i.
"""

import functools

import numpy as np

SIZE = 28  # pixels a side
BOX = 20  # MNIST scales the longer side of a digit to this
CELL = 128  # pixels a side of a glyph in the atlas
POINTS = 84  # font size that fits a turned glyph into the cell, whatever the face
REACH = 12  # distances beyond this many atlas pixels are of no interest
GRID = 4  # the elastic distortion is given by GRID×GRID displacements
CHUNK = 128  # images drawn at a time: their temporaries stay in the cache
FACES = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique",
    "DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique",
    "DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic", "DejaVuSerif-BoldItalic",
    "STIXGeneral", "STIXGeneralItalic", "cmr10", "cmss10", "cmtt10", "cmti10",
)


def synthetic_digits(n, seed=0):
    """Draw `n` digits with their labels.

    Args:
        n: how many.
        seed: 0 or a positive integer below 2**64. Image i depends on the seed and on i alone.

    Returns:
        (images, labels): uint8 N×28×28, white on black, and uint8 N, uniform over 0 to 9.

    >>> images, labels = synthetic_digits(3)
    >>> images.shape, images.dtype, labels.shape
    ((3, 28, 28), dtype('uint8'), (3,))
    """
    images, labels = np.empty((n, SIZE, SIZE), np.uint8), np.empty(n, np.uint8)
    for first in range(0, n, CHUNK):
        chunk = slice(first, min(first + CHUNK, n))
        images[chunk], labels[chunk] = _draw(uniforms(seed, chunk.start, chunk.stop, 10 + 2 * GRID**2))
    return images, labels


def uniforms(seed, start, stop, width):
    """Random numbers for the items `start` to `stop`: row i is a function of the seed, the width and i alone.

    Philox is a random function of a counter, so each item owns a stretch of counters. Only its raw bits are used,
    which NumPy promises to keep the same in all versions.

    Returns:
        float32 (stop - start)×width, uniform in [0, 1).

    >>> bool((uniforms(7, 2, 5, 3) == uniforms(7, 0, 9, 3)[2:5]).all())
    True
    """
    counters = -(-width // 4)  # each gives four words of 64 bits
    words = np.random.Philox(key=seed, counter=start * counters).random_raw((stop - start) * counters * 4)
    # 24 bits: what a float32 holds, so that rounding never gives 1.
    return ((words >> np.uint64(40)).astype(np.float32) * np.float32(2**-24)).reshape(-1, counters * 4)[:, :width]


def _draw(u):
    """One image from each row of random numbers."""
    count = len(u)
    atlas, hulls = _glyphs()
    label, face = (u[:, 0] * 10).astype(np.intp), (u[:, 1] * len(FACES)).astype(np.intp)
    glyph = face * 10 + label
    signed = 2 * u - 1
    turn, shear, stretch = 0.25 * signed[:, 2], 0.3 * signed[:, 3], 0.2 * signed[:, 4]
    height, thicker = 1 - 0.2 * u[:, 5], 0.7 * signed[:, 6] + 0.2
    shift = 0.5 * signed[:, 7:9] + SIZE / 2  # MNIST moves by whole pixels, so half a one is left

    cos, sin = np.cos(turn), np.sin(turn)
    linear = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    linear = linear @ np.stack([np.stack([np.exp(stretch), shear], -1),
                                np.stack([0 * shear, np.exp(-stretch)], -1)], -2)
    outline = hulls[glyph] @ linear.transpose(0, 2, 1)
    extent = (outline.max(1) - outline.min(1)).max(1)
    furthest = abs(outline).max((1, 2))
    scale = np.minimum(BOX * height / extent, 11 / furthest)  # output pixels to one of the atlas
    inverse = np.linalg.inv(linear * scale[:, None, None])

    # Where each output pixel comes from: its place, bent by a smooth field, taken back through the linear map.
    basis = _basis()
    bend = basis @ (2 * signed[:, 10:]).reshape(count, 2, GRID, GRID) @ basis.T
    along = np.arange(SIZE, dtype=np.float32)
    x = along - shift[:, 0, None, None] + bend[:, 0]
    y = along[:, None] - shift[:, 1, None, None] + bend[:, 1]
    a, b, c, d = (inverse[:, i, j, None, None] for i in (0, 1) for j in (0, 1))
    distance = _sample(atlas, glyph, a * x + b * y, c * x + d * y)

    # A ramp 1.4 pixels wide is about as soft as MNIST's own scaling.
    coverage = (distance * scale[:, None, None] + thicker[:, None, None] * 0.5) / 1.4 + 0.5
    return (np.clip(coverage, 0, 1) * 255 + 0.5).astype(np.uint8), label.astype(np.uint8)


def _sample(atlas, glyph, x, y):
    """Bilinear samples of the atlas at offsets (x, y) from the centre of each image's glyph."""
    x, y = (np.clip(place + np.float32(CELL / 2), 0, CELL - 1.01) for place in (x, y))
    column, row = x.astype(np.int32), y.astype(np.int32)
    x -= column
    y -= row
    at = (glyph.astype(np.int32) * CELL**2)[:, None, None] + row * CELL + column
    flat = atlas.reshape(-1)
    upper = flat.take(at)
    upper += x * (flat.take(at + 1) - upper)
    at += CELL
    lower = flat.take(at)
    lower += x * (flat.take(at + 1) - lower)
    return upper + y * (lower - upper)


@functools.cache
def _basis():
    """SIZE×GRID: bell-shaped weights that spread the displacement of each grid point over the pixels around it."""
    centre = np.linspace(0, SIZE - 1, GRID)
    weights = np.exp(-0.5 * ((np.arange(SIZE)[:, None] - centre) / (0.6 * SIZE / (GRID - 1))) ** 2)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


@functools.cache
def _glyphs():
    """The atlas, and for each glyph (face-major, digit-minor) the points that its bounding box is found from.

    Returns:
        (atlas, hulls): float32 G×CELL×CELL, the distance to the outline in pixels, positive inside, with the centre of
        mass in the middle of the cell; and float32 G×32×2, the points (x, y) furthest out in 32 directions.
    """
    inks = np.stack([_ink(face, digit) for face in FACES for digit in range(10)])
    atlas = _distance(inks) - _distance(~inks)
    angles = np.arange(32) * (2 * np.pi / 32)
    directions = np.stack([np.cos(angles), np.sin(angles)])
    hulls = []
    for ink in inks:
        points = np.argwhere(ink)[:, ::-1] - CELL / 2
        hulls.append(points[(points @ directions).argmax(0)])
    return atlas, np.array(hulls, np.float32)


def _ink(face, digit):
    """A digit of a font as bool CELL×CELL, its centre of mass in the middle."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/{face}.ttf", POINTS)
    at = np.array([CELL / 2, CELL / 2])
    for _ in range(2):  # drawn once to be measured, and again in its place
        image = Image.new("L", (CELL, CELL))
        ImageDraw.Draw(image).text(tuple(at), str(digit), fill=255, font=font, anchor="mm")
        ink = np.asarray(image) > 127
        at += CELL / 2 - np.argwhere(ink).mean(0)[::-1]
    return ink


def _distance(inside):
    """Euclidean distance from each pixel that is inside to the nearest outside, up to REACH: G×H×W bool to float32.

    The squared distance is separable: first the nearest in the row, then the best over the rows.
    """
    squared = np.where(inside, np.float32(REACH**2), np.float32(0))
    for axis in (2, 1):
        nearest = squared.copy()
        for step in range(1, REACH):
            here, there = [slice(None)] * 3, [slice(None)] * 3
            here[axis], there[axis] = slice(step, None), slice(None, -step)
            here, there = tuple(here), tuple(there)
            np.minimum(nearest[here], squared[there] + np.float32(step**2), out=nearest[here])
            np.minimum(nearest[there], squared[here] + np.float32(step**2), out=nearest[there])
        squared = nearest
    return np.sqrt(squared)
