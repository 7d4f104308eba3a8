"""What the image demos learn from: digits, clothes, faces, faces drawn by code, or pictures of one's own.

Faces are CelebA (Liu et al. 2015), which has to be fetched by hand for its terms of use: `MINIGRAD_DATA` names the
folder with celeba/img_align_celeba.zip, as its authors offer it, or with a reduced set of it. The archive is decoded
once, into an HDF5 image set in the user's cache; so is a folder or a zip of one's own.
"""

import argparse
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gans.machinery.commandline import only, say
from gans.machinery.stacks import stacked
from minigrad.data.download import Unavailable, cache_folder, load_digits
from minigrad.data.faces import synthetic_faces
from minigrad.data.files import alone
from minigrad.data.hdf5 import ImageSet
from minigrad.data.images import build, colour, is_image
from minigrad.errors import DataError, MinigradError

ARCHIVES = (  # where an archive may lie in a data folder, and the height and width of its images
    ("celeba/img_align_celeba.zip", 218, 178),
    ("img_align_celeba.zip", 218, 178),
    ("celeba-10k/celeba_align_89x109_10000.zip", 109, 89),
)
LIST = "list_attr_celeba.txt"
FACE = 128 / 178  # of the width: the middle of an aligned picture, hardly more than the face
DRAWN = {"train": (0, 20_000), "test": (1, 2_000)}  # seed and number of the drawn faces
DIGITS = ("auto", "mnist", "fashion", "synthetic")  # of --data
FACES = ("faces", "synthetic-faces")
HDF5 = (".h5", ".hdf5")
FEWEST = 10  # images: fewer cannot be split into some to learn from and some to compare with
SMALLEST, LARGEST, LARGEST_DRAWN = 16, 512, 256  # pixels a side; drawn faces are all in memory at once


@dataclass
class Pictures:
    """Images to learn from and images kept back, uint8 N×H×W×C each. `train` may be a file that is read on demand."""

    name: str  # for --data: what "auto" became
    provenance: str
    train: Any
    held_out: np.ndarray
    labels: np.ndarray | None = None
    held_out_labels: np.ndarray | None = None

    @property
    def shape(self):
        """(height, width, channels) of an image."""
        return tuple(self.train.shape[1:])

    def for_run(self, args):
        """These pictures, once it is certain that a batch of them can be had; `args` note which they are, and say it.

        MinigradError where there are fewer than --batch.
        """
        if args.batch > len(self.train):
            raise MinigradError(f"{self.name}: there are {len(self.train)} images to learn from, fewer than --batch "
                                f"{args.batch}; use --batch {len(self.train)} or less, or give more images")
        args.data, args.shape = self.name, list(self.shape)
        say(f"data: {self.provenance}; images of {self.shape[0]}x{self.shape[1]}")
        return self


class Part:
    """Some images of a set, as a set: those of `indices`."""

    def __init__(self, images, indices):
        self.images, self.indices, self.shape = images, indices, (len(indices), *images.shape[1:])

    def __len__(self):
        return len(self.indices)

    def __getitem__(self, index):
        return self.images[self.indices[index]]


def open_digits(name, size=28, *, log=say):
    """MNIST, Fashion-MNIST or drawn digits, `name` as for `load_digits`, in a black margin up to size×size."""
    images, labels, provenance = load_digits(name, log=log)
    if name == "auto":
        name = "mnist" if provenance.startswith("MNIST") else "synthetic"
    held_out, their_labels, _ = load_digits(name, "test", log=log)
    return Pictures(name, f"{provenance}, {len(images)} images", framed(images, size), framed(held_out, size), labels,
                    their_labels)


def framed(images, size):
    """(N, H, W) as (N, size, size, 1), in the middle of a black margin."""
    before = [(size - n) // 2 for n in images.shape[1:]]
    margins = [(b, size - n - b) for b, n in zip(before, images.shape[1:])]
    return np.pad(images, ((0, 0), *margins))[..., None] if size != images.shape[1] else images[..., None]


def learnt_from(options):
    """The Pictures that a run with these options has learnt from."""
    if options.data in DIGITS:
        pictures = open_digits(options.data, options.shape[0])
        return stacked(pictures, options.digits) if "digits" in options else pictures
    return open_images(options, options.size, limit=getattr(options, "limit", None))


def image_options(p, names):
    """Add the options that say which images a chapter learns from; `names` are those of `--data` in words."""
    p.add_argument("--data", default="auto", metavar="NAME|PATH",
                   help=f"{names}, or a folder, zip or HDF5 set of your own")
    p.add_argument("--background", type=_colour, default="white", metavar="COLOUR",
                   help="what transparent pictures of your own stand on (white)")
    p.add_argument("--strict", action="store_true", help="stop at a picture of your own that does not decode")


def _colour(text):
    try:
        colour(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(error) from None
    return text


def own_alone(args):
    """MinigradError for options that only a folder or zip of one's own needs, where there is none."""
    own = args.data not in (*DIGITS, *FACES) and Path(args.data).suffix.lower() not in HDF5
    only(args, ["background", "strict"], own, "a folder or zip of pictures of your own")


def open_images(args, size=None, *, limit=None):
    """The Pictures of `--data`: faces, or one's own."""
    if args.data in ("auto", *FACES):
        return open_faces(args.data, size, limit=limit)
    return open_own(args.data, size, limit=limit, background=args.background, strict=args.strict)


def open_faces(name="auto", size=None, *, limit=None, log=say):
    """Faces: CelebA from the data folder, or faces drawn by code.

    Args:
        name: "faces" for CelebA or an error, "synthetic-faces" for drawn ones, "auto" for what there is.
        size: pixels a side, of the middle of the picture; None for the whole picture as it is, 64×64 if drawn.
        limit: use no more than this many photographs, or drawn faces to learn from.
        log: called with a line while an archive is decoded, and where "auto" has to make do with drawings.

    Raises:
        Unavailable: there is no archive, and `name` insists on it.
        DataError: an archive that is there is damaged.
    """
    if name not in ("auto", "faces", "synthetic-faces"):
        raise ValueError(f"no faces named {name!r}; choose auto, faces or synthetic-faces")
    _check_size(size, LARGEST_DRAWN if name == "synthetic-faces" else LARGEST)
    if name != "synthetic-faces":
        try:
            return _photographs(size, limit, log)
        except Unavailable as error:
            if name == "faces":
                raise
            log(f"Using faces drawn by code, because photographs are not to be had. {error}")
    _check_size(size, LARGEST_DRAWN)
    (seed, most), (other, kept_back) = DRAWN.values()
    train = synthetic_faces(min(most, limit or most), seed, size or 64)[0]
    held_out = synthetic_faces(kept_back, other, size or 64)[0]
    return Pictures("synthetic-faces", f"faces drawn by code, {len(train)} images", train, held_out)


def _photographs(size, limit, log):
    """CelebA as Pictures, decoded into the cache the first time."""
    folders = [Path(os.environ["MINIGRAD_DATA"])] if os.environ.get("MINIGRAD_DATA") else []
    found = [(folder / path, height, width) for path, height, width in ARCHIVES
             for folder in [*folders, cache_folder()] if (folder / path).exists()]
    if not found:
        raise Unavailable(
            f"CelebA: no {' or '.join(path for path, _, _ in ARCHIVES)} in "
            f"{' or '.join(str(folder) for folder in [*folders, cache_folder()])}. Fetch img_align_celeba.zip (for "
            "research that is not commercial: https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html), put it into a folder "
            "celeba/ and set MINIGRAD_DATA to the folder that holds it; or take --data synthetic-faces")
    source, height, width = found[0]
    side = round(FACE * width)
    crop = (side, side) if size else None
    known = source.with_name(LIST)
    images = decoded(source, log, crop=crop, size=(size, size) if size else None, limit=limit,
                      attributes=known if known.exists() else None, strict=True)
    return _split("faces", source, f"CelebA, {len(images)} photographs", images)


def open_own(path, size=None, *, limit=None, background="white", strict=False, log=say):
    """Pictures from an HDF5 image set (as it is), or from a folder or zip of images: their middles at size×size.

    Transparent ones stand on the background. Files that do not decode are left out, and counted, unless `strict`.
    """
    if not path or not Path(path).exists():
        raise DataError(f"{path or '--data'}: there is no such folder, zip or HDF5 file, nor a data set of that name "
                        "(--help lists those); check the path")
    _check_size(size)
    name, path = str(path), Path(path)  # "./faces" stays what it is: a run that is resumed must not take CelebA instead
    if path.suffix.lower() in HDF5:
        images = ImageSet(path)
        height, width = images.shape[1:3]
        if size and (height, width) != (size, size):
            raise DataError(f"{path}: its images are {height}x{width} (height x width), not of --size {size}; build it "
                            f"again with python -m minigrad.data.images build --crop square --size {size}")
        if limit:
            images = Part(images, np.arange(min(limit, len(images))))
    else:
        images = decoded(path, log, crop="square", size=(size or 64,) * 2, limit=limit, background=background,
                          strict=strict)
    return _split(name, path, f"{path}, {len(images)} images{left_out(images)}", images)


def left_out(images):
    """What a set has to say of files that did not decode, in words."""
    skipped = getattr(images, "about", {}).get("skipped")
    if not skipped:
        return ""
    more = ", ..." if skipped["images"] > len(skipped["names"]) else ""
    return f" ({skipped['images']} that do not decode are left out: {', '.join(skipped['names'])}{more})"


def _check_size(size, largest=LARGEST):
    if size and not SMALLEST <= size <= largest:
        raise MinigradError(f"--size {size}: is out of range; the nearest that works is "
                            f"{SMALLEST if size < SMALLEST else largest}")


def _split(name, source, provenance, images):
    """Pictures with a tenth of the images kept back (2,000 at most), drawn at random, the same ones every time."""
    height, width, channels = images.shape[1:]
    if len(images) < FEWEST:
        raise DataError(f"{source}: gives {len(images)} images, too few to learn from; {FEWEST} or more are needed")
    if min(height, width) < SMALLEST or channels not in (1, 3):
        raise DataError(f"{source}: its images are {height}x{width} (height x width) with {channels} channels; give "
                        f"some of {SMALLEST} pixels a side or more, with 1 or 3 channels")
    kept, rest = kept_back(len(images))
    return Pictures(name, f"{provenance}, {len(kept)} of them kept back", Part(images, rest), images[kept])


def kept_back(n, most=2_000):
    """(the places of a tenth of n images, drawn at random, the same ones every time; those of the rest), in order."""
    order, count = np.random.default_rng(0).permutation(n), min(most, n // 10)
    return np.sort(order[:count]), np.sort(order[count:])


def decoded(source, log, **how):
    """The ImageSet of an archive or folder, built in the cache unless it is there from the last time."""
    files = [_fingerprint(file) for file in (source, how.get("attributes")) if file]
    key = hashlib.sha256(f"{files}{sorted(how.items())}".encode()).hexdigest()[:16]
    path = cache_folder() / "images" / f"{source.stem}-{key}.h5"
    path.parent.mkdir(parents=True, exist_ok=True)
    with alone(cache_folder(), log):
        try:
            return ImageSet(path)
        except DataError:
            if path.exists():
                log(f"{path} is damaged and is built again")
        log(f"decoding {source} (once; {path} is kept)")
        try:
            build(path, source, overwrite=True, **how)
        except DataError:  # what is put right has another fingerprint: nobody would go on with this, or remove it
            for rest in ("partial", "partial.whole", "skipped"):
                path.with_name(f"{path.name}.{rest}").unlink(missing_ok=True)
            raise
        return ImageSet(path)


def _fingerprint(source):
    """Tells one state of a file, or of a folder's images, from another: names, sizes and times."""
    files = [source]
    if source.is_dir():
        files = sorted(file for file in source.rglob("*") if is_image(file.relative_to(source)))
    return [(str(file.resolve()), status.st_size, status.st_mtime_ns) for file in files for status in [file.stat()]]
