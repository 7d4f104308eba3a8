"""Build an HDF5 image set from a folder or a zip of images, and say what one holds.

    python -m minigrad.data.images build faces.h5 --from img_align_celeba.zip --crop 128 128 --size 64 \\
        --attributes list_attr_celeba.txt
    python -m minigrad.data.images info faces.h5

A build can be interrupted at any moment, power cuts included. What is done stays in faces.h5.partial, the same command
goes on from there, and faces.h5 appears only when it is whole.

Nothing is extracted to the disk, no image is decoded before its declared size was checked, and anything amiss in the
source is a `DataError` that names the image and the fix. An image that does not decode is left out, counted and named,
unless `strict` asks to stop there. `minigrad.data.hdf5` describes the file and reads it.
"""

import argparse
import hashlib
import io
import json
import os
import re
import stat
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np

from minigrad.data.files import alone, open_regular, publish
from minigrad.data.hdf5 import MAX_NAME, ImageSet, create_layout, read_layout
from minigrad.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff")
DECODERS = ("JPEG", "PNG", "BMP", "WEBP", "GIF", "TIFF")  # of Pillow's many, those that are needed
MAX_FILE = 2**26  # bytes of one encoded image
MAX_PIXELS = 2**26  # of one decoded image
MAX_LIST = 2**28  # bytes of an attribute list; CelebA's has 2**24.7
STEP = 256  # images between two marks of progress
NAMED = 10  # images that were left out, at most, whose names are kept


def build(path, source, *, crop=None, size=None, limit=None, attributes=None, background="white", strict=False,
          overwrite=False):
    """Build an image set; or finish one, if `path`.partial is what an interrupted call with the same arguments left.

    Args:
        path: the HDF5 file to make.
        source: a folder (searched with its subfolders) or a zip file. Images are taken in natural order: 2 before 10.
        crop: (height, width) to cut from the middle of each image; "square" for the largest square there.
        size: (height, width) that each image is then resampled to.
        limit: take no more than this many images, the first in natural order.
        attributes: a list in the format of CelebA's list_attr_celeba.txt.
        background: the colour, by a name of CSS's or as "#rrggbb", on which transparent images stand.
        strict: stop at an image that does not decode. Otherwise it is left out; `about["skipped"]` of the image set has
            how many were, and the first names.
        overwrite: replace `path` if it exists, and drop a `path`.partial that is of something else.

    Raises:
        DataError: something is wrong with the source, the list or a file in the way; no image decodes.
        ValueError: the background is no colour.

    Every image comes out as uint8 RGB, of 16 bits the upper 8. Without `crop` and `size`, they all have to be of one
    size.
    """
    path, ground = Path(path), colour(background)
    _refuse_existing(path, overwrite)
    with _open_source(source) as images:
        names, images.ground = images.names[:limit], ground
        images.names = names
        known = read_attributes(attributes, names) if attributes else {}
        side = size or (crop if crop != "square" else None) or _cropped(crop, *_first_size(images, names, strict))
        shape = (len(names), *side, 3)
        about = {
            "format": "minigrad images 1",
            "source": Path(source).name,
            "source_sha256": images.digest(),
            "crop": list(crop) if crop and crop != "square" else crop,
            "size": list(size) if size else None,
            "attributes": Path(attributes).name if attributes else None,
            "background": background,
        }
        with alone(path.parent, lambda line: print(line, file=sys.stderr)):
            _refuse_existing(path, overwrite)
            partial = Path(f"{path}.partial")
            layout = _begin(partial, shape, names, known, about, overwrite)
            skipped = Path(f"{path}.skipped")
            _fill(partial, layout, skipped, strict, lambda name: _decode(images, name),
                  lambda name, pixels: _prepare(images.path, name, pixels, crop, size, layout.shape[1:3]))
            if skipped.exists():
                partial = _without(images, layout, partial, skipped)
            publish(partial, path)
            for rest in (skipped, Path(f"{path}.partial")):
                rest.unlink(missing_ok=True)


def each_image(path, *, crop=None, size=None):
    """The images of a folder or zip, or of a single file, one after another: (name, uint8 H×W×3).

    Args:
        path: a folder (searched with its subfolders), a zip file, or an image.
        crop, size: as for `build`; without `size`, each comes in the size that it has.

    Raises:
        DataError: there is no such file, it holds no image, or one does not decode.
    """
    path = Path(path)
    with _File(path) if path.is_file() and is_image(path.name) else _open_source(path) as images:
        for name in images.names:
            pixels = _decode(images, name)
            yield name, _prepare(images.path, name, pixels, crop, size, size or _cropped(crop, *pixels.shape[:2]))


def colour(text):
    """A colour's name of CSS's, or "#rrggbb", as (red, green, blue). ValueError for another text."""
    from PIL import ImageColor

    try:
        return ImageColor.getrgb(text)[:3]
    except ValueError:
        raise ValueError(f"{text!r} is no colour; give a name, say white, or #rrggbb") from None


def _first_size(images, names, strict):
    """(height, width) of the first image that decodes."""
    for name in names:
        try:
            return _decode(images, name).shape[:2]
        except DataError:
            if strict or name == names[-1]:
                raise


def _refuse_existing(path, overwrite):
    if path.exists() and not overwrite:
        raise DataError(f"{path}: exists; pass --overwrite to replace it, or choose another name")


def read_attributes(path, names):
    """Read a list in the format of CelebA's list_attr_celeba.txt, for the images of these names.

    The first line holds the number of rows, the second the names of the attributes, and each row the name of a file and
    1 or -1 for each attribute. Rows of other images are left out.

    Returns:
        A dict from the name of an attribute to a bool array, one value for each of `names`.
    """
    try:
        with open_regular(path) as file:
            content = file.read(MAX_LIST + 1)
        lines = content.decode().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text ({error}); give a list like list_attr_celeba.txt") from error
    if len(content) > MAX_LIST:
        raise DataError(f"{path}: is larger than {MAX_LIST:,} bytes; give a list like list_attr_celeba.txt")
    keys = lines[1].split() if len(lines) > 1 else []
    rows = {line.split(maxsplit=1)[0]: (number, line) for number, line in enumerate(lines[2:], 3) if line.strip()}
    if not keys or len(set(keys)) != len(keys) or lines[0].strip() != str(len(rows)):
        raise DataError(f"{path}: starts with {lines[:1]} and has {len(rows)} rows of {len(keys)} attributes; "
                        "the first line is the number of rows, the second the names of the attributes")
    values = np.empty((len(names), len(keys)), bool)
    for i, name in enumerate(names):
        number, line = rows.get(Path(name).name, (None, ""))
        if number is None:
            raise DataError(f"{path}: has no row for {name}; give the list that belongs to these images")
        row = line.split()[1:]
        if len(row) != len(keys) or not set(row) <= {"1", "-1"}:
            raise DataError(f"{path}: line {number} does not hold {len(keys)} values of 1 or -1; fetch the list again")
        values[i] = [value == "1" for value in row]
    return dict(zip(keys, values.T, strict=True))


def _begin(partial, shape, names, attributes, about, overwrite):
    """The layout of the partial file, made new unless there is one of this very build to go on with."""
    if partial.exists():
        try:
            layout = read_layout(partial)
            same = (layout.shape, layout.names, layout.about) == (shape, names, about)
            same = same and layout.attributes.keys() == attributes.keys()
            same = same and all(np.array_equal(layout.attributes[key], attributes[key]) for key in attributes)
        except DataError:
            same = False
        if same:
            print(f"{partial}: going on after {layout.done:,} of {shape[0]:,} images", file=sys.stderr)
            return layout
        problem = f"{partial}: is left from another source or other settings, or is damaged"
        if not overwrite:
            raise DataError(f"{problem}; pass --overwrite to start again, or delete it")
        print(f"{problem}; starting again", file=sys.stderr)
    new = Path(f"{partial}.new")
    create_layout(new, shape, names, attributes, about)
    os.replace(new, partial)
    return read_layout(partial)


def _fill(partial, layout, skipped, strict, decode, prepare):
    """Write the images that are not yet in, as plain bytes, marking how many are after every few.

    Zeros stand for one that does not decode, and its name goes to the file `skipped`.
    """
    from tqdm import tqdm

    row = int(np.prod(layout.shape[1:]))
    if layout.done == 0:
        skipped.unlink(missing_ok=True)
    with open(partial, "rb+") as file, tqdm(total=layout.shape[0], initial=layout.done, unit=" images",
                                            disable=None) as bar:
        for first in range(layout.done, layout.shape[0], STEP):
            names = layout.names[first:first + STEP]
            file.seek(layout.start + first * row)
            for name in names:
                try:
                    pixels = decode(name)
                except DataError as error:
                    if strict:
                        raise
                    _skip(skipped, name, error)
                    file.write(bytes(row))
                else:
                    file.write(prepare(name, pixels))
                bar.update()
            _mark(file, layout, first + len(names))


def _skip(skipped, name, error):
    """Note an image that is left out."""
    print(f"left out: {error}", file=sys.stderr)
    with open(skipped, "a") as file:
        file.write(json.dumps(name) + "\n")
        file.flush()
        os.fsync(file.fileno())


def _without(images, layout, partial, skipped):
    """Make a file without the images that were left out of the partial one; its path."""
    out = {json.loads(line) for line in skipped.read_text().splitlines()}
    rows = [i for i, name in enumerate(layout.names) if name not in out]
    if not rows:
        _first_size(images, layout.names, strict=True)  # which says what is wrong with the first
    names = [name for name in layout.names if name in out]
    about = {**layout.about, "skipped": {"images": len(names), "names": names[:NAMED]}}
    whole = Path(f"{partial}.whole")
    create_layout(whole, (len(rows), *layout.shape[1:]), [layout.names[i] for i in rows],
                  {key: values[rows] for key, values in layout.attributes.items()}, about)
    new, size = read_layout(whole), int(np.prod(layout.shape[1:]))
    with open(partial, "rb") as source, open(whole, "rb+") as file:
        file.seek(new.start)
        for i in rows:
            source.seek(layout.start + i * size)
            file.write(source.read(size))
        _mark(file, new, len(rows))
    return whole


def _mark(file, layout, done):
    """Note how many images are in: only once they are on the disk, so that the mark is never ahead of them."""
    file.flush()
    os.fsync(file.fileno())
    file.seek(layout.mark)
    file.write(done.to_bytes(8, "little"))
    file.flush()


def _prepare(source, name, pixels, crop, size, expected):
    """A decoded image in the shape that the set has: cropped, resampled."""
    from PIL import Image

    height, width = pixels.shape[:2]
    if crop:
        crop = _cropped(crop, height, width)
        if height < crop[0] or width < crop[1]:
            raise DataError(f"{source}: {name}: is {height}×{width} (height×width), less than the crop of "
                            f"{crop[0]}×{crop[1]}; choose a smaller --crop")
        top, left = (height - crop[0]) // 2, (width - crop[1]) // 2
        pixels = pixels[top:top + crop[0], left:left + crop[1]]
    if size and pixels.shape[:2] != tuple(size):
        pixels = np.asarray(Image.fromarray(pixels).resize((size[1], size[0]), Image.Resampling.LANCZOS))
    if pixels.shape[:2] != tuple(expected):
        raise DataError(f"{source}: {name}: is {height}×{width} (height×width), the first image is "
                        f"{expected[0]}×{expected[1]}; pass --size, or --crop")
    return np.ascontiguousarray(pixels)


def _cropped(crop, height, width):
    """(height, width) of what `crop` leaves of an image."""
    if crop == "square":
        return (min(height, width),) * 2
    return crop or (height, width)


def _decode(images, name):
    """An image as uint8 H×W×3, or a `DataError` that names it."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    content = images.read(name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata is no reason to bother anyone
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=DECODERS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise ValueError(f"it declares {image.width}×{image.height} pixels")
                return _rgb(ImageOps.exif_transpose(image), images.ground)  # cameras note which side is up
    except Exception as error:  # on damaged images Pillow's decoders raise nearly every class there is
        reason = " ".join(str(error).split())
        if isinstance(error, UnidentifiedImageError):  # which says the address of a buffer
            reason = f"it is none of {', '.join(DECODERS)}, or its beginning is damaged"
        raise DataError(f"{images.path}: {name}: does not decode ({reason}); replace it, or take it out") from error


def _rgb(image, ground):
    """A Pillow image as uint8 H×W×3: of 16 bits the upper 8, of a transparent one what is seen on the ground."""
    from PIL import Image

    if image.mode == "I" or image.mode.startswith("I;16"):
        grey = np.asarray(image).astype(np.int64)  # convert() would make white of all above 255
        if grey.min() < 0 or grey.max() >= 2**16:
            raise ValueError(f"its pixels reach from {grey.min()} to {grey.max()}; save it with 8 or 16 bits")
        return np.repeat((grey >> 8).astype(np.uint8)[..., None], 3, 2)
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers of no known range; save it with 8 or 16 bits")
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, ground), image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))


def _open_source(path):
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: there is no such folder or zip file; check the path")
    return _Folder(path) if path.is_dir() else _Zip(path)


class _Source:
    """A folder or zip: `names` in natural order, `read` for the bytes of one of them, `digest` for all."""

    ground = (255, 255, 255)  # what transparent images stand on

    def __init__(self, path, names):
        self.path, self.names = path, sorted(names, key=_natural)
        if not self.names:
            raise DataError(f"{path}: holds no image ({', '.join(SUFFIXES)}); give a folder or zip that does")
        for name in self.names:
            try:
                fits = len(name.encode()) <= MAX_NAME
            except UnicodeEncodeError:
                fits = False
            if not fits or "\0" in name:
                raise DataError(f"{path}: {name[:40]!r}: is a name of more than {MAX_NAME} bytes or not of Unicode; "
                                "rename it")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class _Folder(_Source):
    def __init__(self, path):
        files = (Path(folder, name) for folder, _, names in os.walk(path) for name in names)
        names = (file.relative_to(path).as_posix() for file in files)
        super().__init__(path, [name for name in names if is_image(name)])

    def read(self, name):
        try:
            with open_regular(self.path / name) as file:
                content = file.read(MAX_FILE + 1)
        except OSError as error:
            raise DataError(f"{self.path}: {name}: cannot be read ({error}); make it readable") from error
        if len(content) > MAX_FILE:
            raise DataError(f"{self.path}: {name}: is larger than {MAX_FILE:,} bytes; take it out")
        return content

    def digest(self):
        """SHA-256 over every name and the SHA-256 of its content, in order."""
        whole = hashlib.sha256()
        for name in self.names:
            whole.update(name.encode() + b"\0" + hashlib.sha256(self.read(name)).digest())
        return whole.hexdigest()


class _File(_Folder):
    def __init__(self, path):
        _Source.__init__(self, path.parent, [path.name])


class _Zip(_Source):
    def __init__(self, path):
        self.file = open_regular(path)
        try:
            try:
                self.zip = zipfile.ZipFile(self.file)
            except Exception as error:  # zipfile lets struct, Unicode and other errors through
                raise DataError(f"{path}: is no zip file, or damaged ({error}); fetch it again") from error
            self.members = {}
            for member in self.zip.infolist():
                if not member.filename.endswith("/"):  # is_dir() stumbles over an empty name
                    self._check(path, member)
                    self.members[member.filename] = member
            super().__init__(path, [name for name in self.members if is_image(name)])
        except BaseException:
            self.file.close()
            raise

    def _check(self, path, member):
        """Refuse what an honest zip of images never has, although nothing is ever extracted to the disk."""
        name = member.filename
        parts = re.split(r"[/\\]", name)
        if ".." in parts or parts[0] == "" or ":" in parts[0]:
            raise DataError(f"{path}: {name!r}: leads out of the archive; do not trust this file")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise DataError(f"{path}: {name!r}: is a symbolic link; do not trust this file")
        if name in self.members:
            raise DataError(f"{path}: {name!r}: is in it twice; make the zip again")
        if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{path}: {name!r}: is encrypted, or compressed in an unusual way; make the zip again")
        if member.file_size > MAX_FILE:
            raise DataError(f"{path}: {name!r}: declares {member.file_size:,} bytes, more than {MAX_FILE:,}; "
                            "take it out")

    def read(self, name):
        try:
            with self.zip.open(self.members[name]) as file:
                # A read without a size would decompress a bomb first and then cut it to what was declared.
                return file.read(self.members[name].file_size)
        except Exception as error:  # as above
            raise DataError(f"{self.path}: {name}: cannot be read ({error}); fetch the zip again") from error

    def digest(self):
        """SHA-256 of the zip itself, as published beside many a download."""
        self.file.seek(0)
        return hashlib.file_digest(self.file, "sha256").hexdigest()

    def __exit__(self, *_):
        self.zip.close()
        self.file.close()


def is_image(name):
    """Whether a file of a source, by its path in it, is meant as an image: what systems put beside them is not."""
    parts = Path(name).parts
    return Path(name).suffix.lower() in SUFFIXES and not any(p.startswith(".") or p == "__MACOSX" for p in parts)


def _natural(name):
    """A sorting key by which 2 comes before 10. Digits are compared as text, since a name may hold thousands."""
    parts = re.split(r"([0-9]+)", name)
    return [(len(part.lstrip("0")), part.lstrip("0")) if i % 2 else part for i, part in enumerate(parts)], name


def info(path):
    """A few lines that say what an image set holds.

    Raises:
        DataError: see `minigrad.data.hdf5.ImageSet`.
    """
    with ImageSet(path) as images:
        count, height, width, channels = images.shape
        lines = [f"{path}: {count:,} images, {height}×{width}, {channels} channels",
                 f"first {images.names[0]}, last {images.names[-1]}"]
        lines += [f"{key}: {value}" for key, value in images.about.items() if value is not None]
        lines += [f"{key}: {values.sum():,} of {count:,}" for key, values in images.attributes.items()]
    return "\n".join(lines)


def main(arguments=None):
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m minigrad.data.images", description="HDF5 image sets")
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build", help="make one from a folder or zip of images, or finish making it")
    building.add_argument("file", help="the HDF5 file to make")
    building.add_argument("--from", dest="source", required=True, metavar="DIR|ZIP", help="where the images are")
    building.add_argument("--crop", type=_crop, nargs="+", metavar="S",
                          help="cut H W (or a square of S) from the middle of each; 'square': the largest that fits")
    building.add_argument("--size", type=_side, nargs="+", metavar="S",
                          help="then resample to S×S, or to H×W where two are given")
    building.add_argument("--limit", type=_count, metavar="N", help="take the first N images only")
    building.add_argument("--attributes", metavar="LIST", help="a list in the format of list_attr_celeba.txt")
    building.add_argument("--background", type=_colour, default="white", metavar="COLOUR",
                          help="what transparent images stand on (white)")
    building.add_argument("--strict", action="store_true", help="stop at an image that does not decode")
    building.add_argument("--overwrite", action="store_true", help="replace the file if it exists")
    showing = commands.add_parser("info", help="say what one holds")
    showing.add_argument("file")
    options = parser.parse_args(arguments)
    if options.command == "build":
        options.crop = _two(parser, "--crop", options.crop)
        options.size = _two(parser, "--size", options.size)
    try:
        if options.command == "build":
            build(options.file, options.source, crop=options.crop, size=options.size, limit=options.limit,
                  attributes=options.attributes, background=options.background, strict=options.strict,
                  overwrite=options.overwrite)
        print(info(options.file))
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def _two(parser, option, values):
    """What was given once or twice as (height, width), or the word that stands alone."""
    if not values or values == ["square"]:
        return values[0] if values else None
    if len(values) > 2 or "square" in values:
        parser.error(f"{option} takes S, or H and W")
    return (values * 2)[:2]


def _crop(text):
    return text if text == "square" else _side(text)


def _colour(text):
    try:
        colour(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(error) from None
    return text


def _count(text):
    """A number of images from the command line."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of images, 1 or more")
    return int(text)


def _side(text):
    """A number of pixels from the command line."""
    if not text.isdecimal() or not 1 <= int(text) <= 4096:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of pixels from 1 to 4096")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
