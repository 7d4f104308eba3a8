"""What chapters learn from that make pictures of pictures: pairs of what is given and what is wanted, or two sets.

    edges    outlines, by Sobel's filter and a threshold -> Fashion-MNIST's clothes
    colour   faces drawn by code in grey -> in colour
    PATH     a folder of one's own: pictures twice as wide as high, A|B side by side, or two folders A and B in it
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gans.machinery import imagesets
from gans.machinery.commandline import positive, say
from minigrad.data.download import Unavailable
from minigrad.data.faces import draw_faces, synthetic_faces
from minigrad.data.hdf5 import ImageSet
from minigrad.data.images import is_image
from minigrad.errors import DataError, MinigradError

STEEP = 300  # length of Sobel's gradient, of at most 1442, from which on there is an edge
GREY = np.array([0.299, 0.587, 0.114], np.float32)  # what red, green and blue weigh (ITU-R BT.601)
ATTRIBUTE = "glasses"  # what tells the two sets of faces apart


@dataclass
class Pairs:
    """Pictures uint8 N×H×W×C that are given, and those that are wanted, to learn from; and others, kept back.

    Where `matched`, equal places of `held_given` and `held_wanted` belong together. In a set of pairs, those of `given`
    and `wanted` do as well.
    """

    name: str  # for --data: what "auto" became
    provenance: str
    given: Any
    wanted: Any
    held_given: np.ndarray
    held_wanted: np.ndarray
    labels: np.ndarray | None = None  # of what is wanted, where a classifier can judge it
    matched: bool = True

    @property
    def shapes(self):
        """((H, W, C) of what is given, the same of what is wanted)."""
        return tuple(self.given.shape[1:]), tuple(self.wanted.shape[1:])

    def for_run(self, args):
        """These pairs, once it is certain that a batch of them can be had; `args` note which they are, and say it."""
        least = min(len(self.given), len(self.wanted))
        if args.batch > least:
            raise MinigradError(f"{self.name}: there are {least} pictures to learn from, fewer than --batch "
                                f"{args.batch}; use --batch {least} or less, or give more")
        args.data, args.shapes = self.name, [list(shape) for shape in self.shapes]
        say(f"data: {self.provenance}; pictures of {args.size}x{args.size}")
        return self


def pair_options(p, names):
    """Add the options that say which pairs, or sets, a chapter learns from; `names` are those of `--data` in words."""
    p.add_argument("--data", default="auto", metavar="NAME|PATH", help=f"{names}, or a folder of your own")
    p.add_argument("--size", type=positive, default=32, metavar="S", help="pixels a side (32)")


def halved(args, times):
    """MinigradError where networks that halve a picture so many times cannot make one of --size."""
    step, least, most = 2 ** times, imagesets.SMALLEST, imagesets.LARGEST_DRAWN
    near = min(max(round(args.size / step) * step, least), most)
    if near != args.size:
        many = "once" if times == 1 else f"{times} times"
        raise MinigradError(f"--size {args.size}: the networks halve a picture {many}, so its sides are "
                            f"multiples of {step} from {least} to {most}; the nearest is {near}")


# Pairs that are made


def edges(images):
    """Outlines of uint8 images (N, H, W), white on black: where Sobel's gradient is at least STEEP long."""
    x = np.pad(images.astype(np.int32), ((0, 0), (1, 1), (1, 1)))
    along = x[:, :-2] + 2 * x[:, 1:-1] + x[:, 2:]          # smoothed along columns, (N, H, W + 2)
    across = x[:, :, :-2] + 2 * x[:, :, 1:-1] + x[:, :, 2:]  # along rows, (N, H + 2, W)
    right, down = along[:, :, 2:] - along[:, :, :-2], across[:, 2:] - across[:, :-2]
    return np.where(right ** 2 + down ** 2 >= STEEP ** 2, 255, 0).astype(np.uint8)


def grey(images):
    """How bright uint8 images (N, H, W, 3) are: (N, H, W, 1).

    >>> grey(np.array([[[[255, 0, 0], [255, 255, 255]]]], np.uint8)).ravel().tolist()
    [76, 255]
    """
    return np.rint(images @ GREY).astype(np.uint8)[..., None]


def open_pairs(args):
    """The Pairs of `--data`: "edges", "colour", "auto" for the former if Fashion-MNIST is to be had, or one's own.

    Unavailable: there is no Fashion-MNIST, and "edges" insists on it. DataError: a folder that holds no pairs.
    """
    if args.data in ("auto", "edges"):
        try:
            return outlines(args.size)
        except Unavailable as error:
            if args.data == "edges":
                raise
            say(f"Colouring faces drawn by code, because clothes are not to be had. {error}")
    if args.data in ("auto", "colour"):
        train, held_out = (synthetic_faces(count, seed, args.size)[0] for seed, count in imagesets.DRAWN.values())
        return Pairs("colour", f"faces drawn by code, {len(train)} of them, in grey and in colour", grey(train), train,
                     grey(held_out), held_out)
    return own_pairs(args.data, args.size)


def outlines(size):
    """Clothes, and what `edges` leaves of them."""
    if size < 28:
        raise MinigradError(f"--size {size}: clothes are of 28x28 pixels; the nearest that works is 32")
    clothes = imagesets.open_digits("fashion", size)
    given, held_given = (edges(images[..., 0])[..., None] for images in (clothes.train, clothes.held_out))
    return Pairs("edges", f"{clothes.provenance}, and their outlines", given, clothes.train, held_given,
                 clothes.held_out, clothes.labels)


# Two sets without pairs


def open_sets(args):
    """Two sets without pairs: faces without and with glasses ("auto", "glasses"), or the two folders of one's own."""
    if args.data in ("auto", "glasses"):
        count = imagesets.DRAWN["train"][1] // 2
        (without, _), (_, with_them) = (toggled(count, seed, args.size) for seed in (0, 1))  # other faces in each
        return Pairs("glasses", f"faces drawn by code, {count} without glasses, {count} others with", without,
                     with_them, *toggled(imagesets.DRAWN["test"][1], 2, args.size))
    path, (first, second) = Path(args.data), two_folders(args.data)
    sets = [imagesets.open_own(folder, args.size, strict=True) for folder in (first, second)]
    counts = " and ".join(f"{len(each.train)} of {folder.name}" for each, folder in zip(sets, (first, second)))
    return Pairs(str(args.data), f"{path}, {counts}", *(each.train for each in sets),
                 *(each.held_out for each in sets), matched=False)


def toggled(n, seed, size):
    """n faces drawn by code, without the ATTRIBUTE, and the very same with it."""
    _, attributes = synthetic_faces(n, seed, size)
    return [draw_faces({**attributes, ATTRIBUTE: np.full(n, there)}, size) for there in (False, True)]


# Pairs of one's own


def own_pairs(path, size):
    """Pairs of a folder: pictures that are A|B side by side, or two folders in it with files of equal names."""
    path = existing(path)
    whole = [file for file in path.iterdir() if file.is_file() and is_image(file.name)]
    if whole:
        for file in sorted(path.rglob("*")):
            found = dimensions(file) if is_image(file.relative_to(path)) else None
            if found and found[0] != 2 * found[1]:
                raise DataError(f"{file}: is {found[0]}x{found[1]} (width x height), not twice as wide as high: a "
                                "pair is two squares side by side, or two files of one name in two folders")
        both = imagesets.decoded(path, say, size=(size, 2 * size), strict=True)
        sides = [Half(both, slice(k * size, (k + 1) * size)) for k in (0, 1)]
    else:
        folders = two_folders(path)
        names = matching(*folders)
        sides = [imagesets.decoded(folder, say, crop="square", size=(size, size), strict=True) for folder in folders]
        sides = [imagesets.Part(images, places(images, names)) for images in sides]
    return split(path, *sides)


def existing(path):
    """The folder, if it is one."""
    if not path or not Path(path).is_dir():
        raise DataError(f"{path or '--data'}: there is no such folder, nor data of that name (--help lists those); "
                        "check the path")
    return Path(path)


def two_folders(path):
    """The two folders in a folder, by their names' order."""
    found = sorted(folder for folder in existing(path).iterdir() if folder.is_dir() and folder.name[0] != ".")
    if len(found) != 2:
        raise DataError(f"{path}: holds {len(found)} folders; give one that holds two, say A with what is given and "
                        "B with what is wanted (they are taken in alphabetical order)")
    return found


def dimensions(file):
    """(width, height) as a file's head declares them; None of what is no picture, which decoding tells better."""
    from PIL import Image

    try:
        with Image.open(file) as image:
            return image.size
    except Exception:  # on damaged images Pillow raises nearly every class there is
        return None


def matching(first, second):
    """The names, without what is after the dot, of the pictures that two folders both hold, pair by pair.

    DataError for a picture without a partner, for two that could be one's, and for a pair of two sizes.
    """
    files = by_name(first), by_name(second)
    alone = sorted(files[0].keys() ^ files[1].keys())
    if alone:
        mine, other = (files[0], second) if alone[0] in files[0] else (files[1], first)
        more = f" ({len(alone)} files lack one)" if len(alone) > 1 else ""
        raise DataError(f"{mine[alone[0]]}: has no partner in {other}{more}; give it a file of the same name there, or "
                        "take it out")
    for name in files[0]:
        a, b = (dimensions(names[name]) for names in files)
        if a and b and a != b:
            raise DataError(f"{files[0][name]}: is {a[0]}x{a[1]} (width x height), its partner {files[1][name]} "
                            f"{b[0]}x{b[1]}; the two of a pair have to lie upon each other")
    return sorted(files[0])


def by_name(folder):
    """{path in a folder, without what is after the dot: file} of its pictures."""
    found = {}
    for file in sorted(folder.rglob("*")):
        if is_image(file.relative_to(folder)):
            other = found.setdefault(str(file.relative_to(folder).with_suffix("")), file)
            if other != file:
                raise DataError(f"{file}: has the name of {other.name} but for its ending, and only one of them can be "
                                "of a pair; take the other out")
    return found


def places(images, names):
    """Where the pictures of these names, without what is after the dot, are in an ImageSet."""
    found = {str(Path(name).with_suffix("")): k for k, name in enumerate(images.names)}
    return np.array([found[name] for name in names])


class Half:
    """The left or the right half of a set of pictures, as a set: the columns `across`."""

    def __init__(self, images: ImageSet, across):
        self.images, self.across = images, across
        n, height, width, channels = images.shape
        self.shape = n, height, width // 2, channels

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index][:, :, self.across]


def split(path, given, wanted):
    """Pairs with a tenth kept back, drawn at random, the same ones every time."""
    if len(given) < imagesets.FEWEST:
        raise DataError(f"{path}: gives {len(given)} pairs, too few to learn from; {imagesets.FEWEST} or more are "
                        "needed")
    kept, rest = imagesets.kept_back(len(given))
    return Pairs(str(path), f"{path}, {len(given)} pairs, {len(kept)} of them kept back", imagesets.Part(given, rest),
                 imagesets.Part(wanted, rest), given[kept], wanted[kept])
