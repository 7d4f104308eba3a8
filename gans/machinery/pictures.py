"""Pictures of samples: grids, PNG files, and the training as a GIF; and files that are replaced whole."""

import glob
import os
from pathlib import Path

import numpy as np


def write_atomically(path, write):
    """Call `write(temporary path)`, then put the result in place, so that no half-written file is ever seen.

    What a killed process left of the same file goes first. An OSError names the path, whoever raised it.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        for stray in path.parent.glob(f".{glob.escape(path.stem)}.*{path.suffix}"):
            stray.unlink(missing_ok=True)
        write(temporary)
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        raise
    return path


def grid(images, columns=None, scale=2, gap=2):
    """Images (N, H, W) or (N, H, W, 3), uint8, as one picture, row by row, each pixel `scale` pixels wide.

    Of two channels, (N, H, W, 2), the first is red and the second green.

    >>> grid(np.zeros((4, 28, 28), np.uint8), columns=2, scale=1, gap=1).shape
    (59, 59)
    """
    if images.shape[3:] == (2,):
        images = np.pad(images, ((0, 0), (0, 0), (0, 0), (0, 1)))
    n, height, width = images.shape[:3]
    columns = columns or max(1, round(np.sqrt(n)))
    rows = -(-n // columns)
    sheet = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, *images.shape[3:]), 64, np.uint8)
    for i, image in enumerate(images):
        top, left = gap + i // columns * (height + gap), gap + i % columns * (width + gap)
        sheet[top:top + height, left:left + width] = image
    return sheet.repeat(scale, 0).repeat(scale, 1)


def save_png(path, picture):
    """A uint8 picture (H, W) or (H, W, 3) as PNG."""
    from PIL import Image

    return write_atomically(path, lambda p: Image.fromarray(picture).save(p))


def save_gif(path, frames, seconds=8.0):
    """PNG files of one size as an animation of about that many seconds, the last frame held."""
    from PIL import Image

    frames = list(frames)
    if not frames:
        return None
    images = [Image.open(frame).quantize(32) for frame in frames]  # half the file of 256 shades
    each = max(40, int(1000 * seconds / len(images)))
    held = [each] * (len(images) - 1) + [2000]
    try:
        return write_atomically(path, lambda p: images[0].save(p, save_all=True, append_images=images[1:],
                                                               duration=held, loop=0))
    finally:
        for image in images:
            image.close()
