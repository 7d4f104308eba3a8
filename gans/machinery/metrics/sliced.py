"""The sliced Wasserstein distance of sets of images: of their patches, from fine detail to coarse."""

from dataclasses import dataclass

import numpy as np

from gans.machinery.metrics.refusals import MeasureError
from minigrad.random import stream

LEAST = 16  # pixels of the smaller side of the coarsest level that is measured
PATCH = 7  # pixels of a patch's side
IMAGES_AT_ONCE = 64  # images whose pyramids are in memory together; no figure depends on it
DIRECTIONS_AT_ONCE = 32  # directions whose projections are in memory together; no figure depends on it


@dataclass(frozen=True)
class SlicedWasserstein:
    """What `sliced_wasserstein` measures, in thousandths of a patch value's standard deviation; 0 for equal sets."""

    levels: dict[str, float]  # by the level's size, "64x64" (height x width), from the finest to the coarsest
    average: float  # of the levels
    images: int  # that were taken of each set; distances of different numbers of images do not compare

    def __str__(self):
        """The average, and the levels: "20.5 (64x64 31.2, 32x32 17.9, 16x16 12.4)"."""
        return f"{self.average:.1f} ({', '.join(f'{size} {value:.1f}' for size, value in self.levels.items())})"


def sliced_wasserstein(a, b, *, seed=0, patches_per_image=128, directions=512):
    """How far apart the patches of two sets of images are, from fine detail to coarse: a SlicedWasserstein.

    a and b are uint8 images, (N, H, W) or (N, H, W, C), of one size and at least 16 pixels on the smaller side. On each
    level of their Laplacian pyramids, 7 x 7 patches from random places are projected onto random directions; the
    distance is 1000 times the mean absolute difference between the sorted projections of a and those of b (Karras et
    al. 2018, "Progressive growing of GANs", section 5; there of 16,384 images).

    - Each set's patches are brought to mean 0 and standard deviation 1 in each channel of each level, by the set's own.
      So a brightness, tint or contrast that all images of a set share is not seen; what varies among them is.
    - Of sets of different length, the first min(N, M) images are compared: sorting pairs as many with as many.
    - Two sets of real images are not at 0 either, and the fewer the images, the farther apart they are. A distance says
      something beside that floor: `beside_floor`.
    - The distance is a function of (a, b, seed), and symmetric. Patch k of image i comes from the same place in both
      sets, which the paper's own programme draws anew for each: so equal sets are at 0. Its 512 directions come there
      as the mean of four times 128.
    - Where nothing varies in a set of plain images, its patches are one point: at 800 or so, and not NaN, from patches
      that do vary. Two such sets are refused, as there is nothing in them to compare.

    Raises ValueError for sets without images, shapes that differ or are too small, and numbers below 1; MeasureError,
    which is one, for two plain sets; TypeError for images that are not uint8. For 1,000 images of 64 x 64 x 3 it takes
    10 to 20 s on one core and 0.25 GB, for more in proportion.

    >>> images = np.random.default_rng(0).integers(0, 256, (20, 32, 40), np.uint8)
    >>> dark, mirrored = images // 2, images[:, :, ::-1]
    >>> sliced_wasserstein(images, images).levels
    {'32x40': 0.0, '16x20': 0.0}
    >>> sliced_wasserstein(images, dark).average < 10 < sliced_wasserstein(images, mirrored).average
    True
    """
    name = "sliced_wasserstein"
    if a.shape[1:] != b.shape[1:] or a.ndim not in (3, 4) or min(a.size, b.size) == 0:
        raise ValueError(f"{name}: images of shape {a.shape} and {b.shape}; "
                         "give one image or more of one size, (N, H, W) or (N, H, W, C)")
    if a.dtype != np.uint8 or b.dtype != np.uint8:
        raise TypeError(f"{name}: images of {a.dtype} and {b.dtype}; give uint8, 0..255")
    if min(patches_per_image, directions) < 1:
        raise ValueError(f"{name}: {patches_per_image} patches an image, {directions} directions; "
                         "give 1 or more of each")
    levels = laplacian_pyramid(a[:1])  # for their sizes; it refuses images that are too small
    if _plain(a) and _plain(b):
        raise MeasureError(f"{name}: two sets of plain images, in which nothing varies, so that there is nothing to "
                           "compare; give images with some detail")
    count = min(len(a), len(b))
    distances = {}
    for level, finest in enumerate(levels):
        first, second = (descriptors(images[:count], level, patches_per_image, stream(seed, "patches", level))
                         for images in (a, b))
        ways = stream(seed, "directions", level).standard_normal((directions, first.shape[1]))
        ways = (ways / np.linalg.norm(ways, axis=1, keepdims=True)).astype(np.float32)
        total = 0.0
        for start in range(0, directions, DIRECTIONS_AT_ONCE):
            some = ways[start:start + DIRECTIONS_AT_ONCE]
            gaps, others = some @ first.T, some @ second.T
            gaps.sort()
            others.sort()
            gaps -= others
            total += np.abs(gaps, out=gaps).sum(dtype=np.float64)
        distances["x".join(map(str, finest.shape[1:3]))] = 1000 * float(total) / directions / len(first)
        del first, second  # before the next level's come
    return SlicedWasserstein(distances, sum(distances.values()) / len(distances), count)


def _plain(images):
    """Whether each image (N, H, W, ...) has one value in each channel, all over."""
    return all((image == image[0, 0]).all() for image in images)  # most sets are not by the first


def laplacian_pyramid(images, least=LEAST):
    """The detail of images at each scale, finest first: float32 arrays (N, H, W, ...), (N, H/2, W/2, ...), and so on.

    images are (N, H, W) or (N, H, W, C) of any real dtype, in whose unit the levels are; half of an odd side is rounded
    up. The last level, the smallest whose sides have `least` pixels or more (2 at least), holds small blurred images;
    each before it holds what `enlarged` cannot tell from the next smaller image (Burt & Adelson 1983). Hence, but for
    rounding, images = level 0 + enlarged(level 1 + enlarged(level 2 + ...)). Raises ValueError for images too small.

    >>> [level.shape for level in laplacian_pyramid(np.zeros((5, 109, 89, 3), np.uint8))]
    [(5, 109, 89, 3), (5, 55, 45, 3), (5, 28, 23, 3)]
    """
    if images.ndim < 3 or min(images.shape[1:3]) < least or least < 2:
        raise ValueError(f"laplacian_pyramid: images of shape {images.shape} for levels of {least} pixels or more; "
                         "give (N, H, W) or (N, H, W, C) with H and W at least that, and that at least 2")
    levels = [images.astype(np.float32)]
    while (min(levels[-1].shape[1:3]) + 1) // 2 >= least:
        small = smoothed(smoothed(levels[-1], 1, 2), 2, 2)
        levels[-1] -= enlarged(small, levels[-1].shape)
        levels.append(small)
    return levels


def enlarged(small, shape):
    """Images (N, H/2, W/2, ...) at twice the size, smoothly; `shape` is the result's, with H and W odd or even."""
    large = np.zeros(shape, np.float32)
    large[:, ::2, ::2] = small
    return 4 * smoothed(smoothed(large, 1), 2)  # 4: three of four pixels were 0


def smoothed(x, axis, step=1):
    """x under the binomial filter (1 4 6 4 1)/16 along an axis, mirrored at the edge pixels; every step-th value."""
    x = np.moveaxis(x, axis, 0)
    size = len(x)
    x = np.pad(x, [(2, 2)] + [(0, 0)] * (x.ndim - 1), mode="reflect")
    taps = [x[k:k + size:step] for k in range(5)]
    return np.moveaxis((taps[0] + taps[4] + 4 * (taps[1] + taps[3]) + 6 * taps[2]) / np.float32(16), 0, axis)


def patches(level, count, rng):
    """`count` patches from random places of each image of a level (N, H, W) or (N, H, W, C): (N * count, C, 7, 7).

    Those of an image follow each other; each place inside the image is as likely as any other. rng is a
    numpy.random.Generator. Raises ValueError for images smaller than a patch.

    >>> patches(np.zeros((5, 28, 23, 3)), 10, np.random.default_rng(0)).shape
    (50, 3, 7, 7)
    """
    if level.ndim not in (3, 4) or min(level.shape[1:3]) < PATCH:
        raise ValueError(f"patches: a level of shape {level.shape}; give (N, H, W) or (N, H, W, C), "
                         f"H and W at least {PATCH}")
    level = level[..., None] if level.ndim == 3 else level
    windows = np.lib.stride_tricks.sliding_window_view(level, (PATCH, PATCH), (1, 2))  # (N, H - 6, W - 6, C, 7, 7)
    # One draw for all of them, so that two blocks of images get what they would get together.
    top, left = np.moveaxis(rng.integers(0, windows.shape[1:3], (len(level), count, 2)), 2, 0)
    return windows[np.arange(len(level))[:, None], top, left].reshape(-1, *windows.shape[3:])


def descriptors(images, level, count, rng):
    """`count` patches an image of a level of the pyramid, as rows (N * count, C * 49), normalised in each channel."""
    rows = None
    for start in range(0, len(images), IMAGES_AT_ONCE):
        block = patches(laplacian_pyramid(images[start:start + IMAGES_AT_ONCE])[level], count, rng)
        if rows is None:
            rows = np.empty((len(images) * count, block.shape[1], PATCH * PATCH), np.float32)
        rows[start * count:start * count + len(block)] = block.reshape(len(block), -1, PATCH * PATCH)
    # In place and without an array in float64: a large set's descriptors are most of the memory in use.
    rows -= rows.mean((0, 2), np.float64, keepdims=True).astype(np.float32)
    std = np.sqrt(np.einsum("ncp,ncp->c", rows, rows, dtype=np.float64) / (len(rows) * PATCH * PATCH))
    rows /= np.where(std > 0, std, 1).astype(np.float32)[:, None]  # a channel that never changes stays 0
    return rows.reshape(len(rows), -1)
