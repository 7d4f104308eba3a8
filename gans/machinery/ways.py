"""Ways from one seed to another: whether what lies half way is as good as the ends, and no cross-fade of them."""

from typing import NamedTuple

import numpy as np

from gans.machinery.generators import between
from gans.machinery.metrics.neighbours import squared_distances
from gans.machinery.samples import as_images, noise, outputs

MOST = 2_000  # real pictures in which a neighbour is looked for


class HalfWay(NamedTuple):
    """What `half_way` measures, means over pairs of seeds."""

    apart: float  # the difference of the ends' pixels, as a share of that of real pictures
    sure: float  # the reader's confidence half way, as a share of that at the ends; 1 without a reader
    near: float  # the distance half way to the nearest real picture, as a share of a cross-fade's


def half_way(G, reader, real, labels=None, *, pairs=200, seed=1):
    """HalfWay, of `pairs` of seeds of G, along the arc; `real` pictures are uint8 (N, H, W, C).

    A reader (gans/machinery/attributes.py) sees features, and the nearest is then the nearest by these; else by pixels.
    With classes, both ends are of one.
    """
    start, end = noise(G, 2 * pairs, seed, "ways").reshape(2, pairs, *G.seed_shape)
    middle = np.stack([between(a, b, 3, G.seeds)[1] for a, b in zip(start, end)])
    labels = np.arange(pairs) % G.classes if G.classes else None
    first, last, half = (as_images(outputs(G, z, labels), G) for z in (start, end, middle))
    real = real[..., 0] if real.shape[-1] == 1 else real
    fade = ((first.astype(int) + last) // 2).astype(np.uint8)
    some = real[:MOST // 2 * 2]
    apart = difference(first, last) / difference(some[::2][:pairs], some[1::2][:pairs])
    features = reader.features if reader else lambda images: images.reshape(len(images), -1) / 255
    known = features(real[:MOST])
    near, faded = (np.sqrt(squared_distances(features(images), known).min(1)).mean() for images in (half, fade))
    sure = confidence(reader, half) / confidence(reader, np.concatenate([first, last])) if reader else 1.0
    return HalfWay(float(apart), float(sure), float(near / faded))


def difference(images, others):
    """The mean absolute difference of two sets of images, image by image."""
    return np.abs(images.astype(int) - others).mean()


def confidence(reader, images):
    """How sure a reader is of images, the mean over attributes and images."""
    return float(np.mean([p.max(1).mean() for p in reader.read(images).values()]))
