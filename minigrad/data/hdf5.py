"""Image sets in one HDF5 file: the layout, and `ImageSet`, which reads it at the speed of memory.

`python -m minigrad.data.images build` makes these files from a folder or a zip. What one holds:

    images           uint8 N×H×W×C, in chunks of about 1 MiB that follow each other, not compressed
    names            N file names, UTF-8
    attributes       uint8 N×K of 0 and 1 (may be absent)
    attribute_names  K names (absent with attributes)
    done             int64, how many images are in: N once the build has finished
    @about           JSON: what the images were made from, and how

The images are read through a memory map, because random access through libhdf5 is many times slower. That asks for
certainty about where they lie: a file is refused unless every data set is a plain, uncompressed one of the expected
type inside this very file (no soft or external link, no external storage, no virtual data set, no filter), and of a
size that the file really has. Only the newer HDF5 formats (superblock 2 and 3) are taken: they protect their structure
by checksums, so that damage is noticed before libhdf5 acts on it. The images themselves carry no checksum.
"""

import json
import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minigrad.data.files import open_regular
from minigrad.errors import DataError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
CHUNK_BYTES = 2**20
MAX_SIDE = 2**16
MAX_NAME = 255  # bytes
MAX_ABOUT = 2**16  # bytes


class ImageSet:
    """The images of an HDF5 file, as an array that is read on demand. Any number of threads may read at once.

    Args:
        path: a file made by `python -m minigrad.data.images build`.

    Attributes:
        shape: (N, H, W, C).
        names: a list of N file names.
        attributes: a dict from a name to a bool array of N; empty where the images came without a list.
        about: a dict that says what the images were made from, and how.

    Raises:
        DataError: the file is missing, unfinished, damaged, or not of the layout that this module describes.

    An index is an integer, a slice, or an array of integers in any order; the result is a uint8 array of its own:

        with ImageSet("faces.h5") as faces:
            batch = faces[[3, 1, 4]]                       # 3×H×W×C
            smiling = faces[np.flatnonzero(faces.attributes["Smiling"])]
    """

    def __init__(self, path):
        layout = read_layout(path)
        if layout.done != layout.shape[0]:
            raise DataError(f"{path}: is unfinished: {layout.done:,} of {layout.shape[0]:,} images are in; "
                            "run the build again to finish it")
        self.path, self.shape, self.names = Path(path), layout.shape, layout.names
        self.attributes, self.about = layout.attributes, layout.about
        with open_regular(path) as file:
            self._images = np.memmap(file, np.uint8, "r", offset=layout.start, shape=layout.shape)

    def __len__(self):
        return self.shape[0]

    def __getitem__(self, index):
        if self._images is None:
            raise ValueError(f"{self.path}: is closed; open it again to read from it")
        if isinstance(index, slice):
            return np.array(self._images[index])
        index = np.asarray(index)
        if index.dtype.kind not in "iu" and index.size:
            raise IndexError(f"an index is an integer, a slice or an array of integers, not {index.dtype}")
        return np.take(self._images, index.astype(np.intp, copy=False), axis=0).view(np.ndarray)

    def close(self):
        """Let go of the file. Arrays that were read stay valid."""
        self._images = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@dataclass(frozen=True)
class Layout:
    """What an HDF5 file holds, and at which byte the images (`start`) and the number of those done (`mark`) lie."""

    shape: tuple
    start: int
    done: int
    mark: int
    names: list
    attributes: dict
    about: dict


def create_layout(path, shape, names, attributes, about):
    """Make an HDF5 file with room for images and none in it yet. Everything but `images` and `done` is final.

    Since all room is taken at once and nothing is compressed, the images can then be written as plain bytes, in order,
    from `read_layout(path).start` on. HDF5's own structure is never touched again, so no kill can damage it.

    Args:
        path: the file to make.
        shape: (N, H, W, C).
        names: N file names.
        attributes: a dict from a name to N truth values.
        about: a dict that JSON can hold.
    """
    import h5py

    per_chunk = min(shape[0], max(1, CHUNK_BYTES // math.prod(shape[1:])))
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((per_chunk, *shape[1:]))
    plan.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plan.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        h5py.h5d.create(file.id, b"images", h5py.h5t.STD_U8LE, h5py.h5s.create_simple(shape), plan)
        file["names"] = _utf8(names)
        if attributes:
            file["attributes"] = np.stack(list(attributes.values()), axis=1).astype(np.uint8)
            file["attribute_names"] = _utf8(attributes)
        file["done"] = np.array([0], "<i8")
        file.attrs["about"] = np.bytes_(json.dumps(about, sort_keys=True))


def _utf8(texts):
    """Texts as an array of fixed length that says it is UTF-8: unlike variable length, it can be checked as a whole."""
    import h5py

    encoded = np.array([text.encode() for text in texts])
    return encoded.astype(h5py.string_dtype("utf-8", encoded.itemsize))


def read_layout(path):
    """Check an HDF5 file and say where in it things are, or raise a `DataError`."""
    import h5py

    try:
        with open_regular(path) as file:
            start = file.read(9)
            size = os.fstat(file.fileno()).st_size
        if start[:8] != SIGNATURE:
            raise ValueError("it is no HDF5 file")
        if start[8:] not in (b"\2", b"\3"):
            raise ValueError("its HDF5 format has no checksums, as h5py's libver='v110' would have")
        with h5py.File(path, "r", locking=False) as file:
            return _read(file, size)
    except DataError:
        raise
    except Exception as error:  # on a damaged file h5py raises nearly every class there is
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: cannot be used as an image set ({reason}); build it again with "
                        "python -m minigrad.data.images") from error


def _read(file, size):
    """The layout of an open file of `size` bytes; a ValueError says what is wrong with it."""
    about = _about(file)
    shape, start = _plain(file, "images", np.uint8, 4, size)
    if 0 in shape or max(shape[1:]) > MAX_SIDE:
        raise ValueError(f"images are of the shape {shape}")
    (count,), mark = _plain(file, "done", "<i8", 1, size)
    done = int(file["done"][0]) if count == 1 else -1
    if not 0 <= done <= shape[0]:
        raise ValueError(f"{done} of {shape[0]} images are said to be done")
    names, attributes = _strings(file, "names", size), {}
    if len(names) != shape[0]:
        raise ValueError(f"there are {shape[0]} images and {len(names)} names")
    if file.id.links.exists(b"attributes"):
        keys = _strings(file, "attribute_names", size)
        known, _ = _plain(file, "attributes", np.uint8, 2, size)
        if known != (shape[0], len(keys)) or len(set(keys)) != len(keys):
            raise ValueError(f"attributes are of the shape {known}, for {shape[0]} images and {len(keys)} names")
        attributes = dict(zip(keys, file["attributes"][()].T.astype(bool), strict=True))
    return Layout(shape, start, done, mark, names, attributes, about)


def _plain(file, name, dtype, rank, size):
    """The shape of a data set and the byte at which its values start, once it is certain that they lie there.

    Args:
        dtype: what the values are; None for byte strings.
        size: bytes in the file.
    """
    import h5py

    key = name.encode()
    if not file.id.links.exists(key):
        raise ValueError(f"it holds no {name}")
    if file.id.links.get_info(key).type != h5py.h5l.TYPE_HARD:
        raise ValueError(f"{name} is a link to somewhere else")
    item = h5py.h5o.open(file.id, key)
    if not isinstance(item, h5py.h5d.DatasetID):
        raise ValueError(f"{name} is no data set")
    plan, shape, found = item.get_create_plist(), item.shape, item.dtype
    if plan.get_external_count() or plan.get_layout() not in (h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED):
        raise ValueError(f"{name} is stored outside of the file, or in an unusual layout")
    if plan.get_nfilters():
        raise ValueError(f"{name} is compressed or filtered")
    if len(shape) != rank or (found.kind != "S" or found.itemsize > MAX_NAME if dtype is None else found != dtype):
        raise ValueError(f"{name} is of {found} and of the shape {shape}")
    row = math.prod(shape[1:]) * found.itemsize
    if shape[0] * row > size:
        raise ValueError(f"{name} declares {shape[0] * row:,} bytes in a file of {size:,}")
    if plan.get_layout() == h5py.h5d.CONTIGUOUS:
        start, end = item.get_offset(), shape[0] * row
    else:
        start, end = _follow_each_other(item, name, plan.get_chunk(), shape, row)
    if start is None or start + end > size:
        raise ValueError(f"the file ends before the end of {name}")
    return shape, start


def _follow_each_other(item, name, chunk, shape, row):
    """Where the first chunk is and how long they all are, if they hold whole rows and lie in order without a gap."""
    if chunk[1:] != shape[1:]:
        raise ValueError(f"the chunks of {name} are of the shape {chunk}, parts of rows")
    count, length, places = -(-shape[0] // chunk[0]), chunk[0] * row, []
    item.chunk_iter(lambda info: places.append((info.chunk_offset[0], info.byte_offset, info.size)))
    start = places[0][1] if places else None
    if places != [(i * chunk[0], start + i * length, length) for i in range(count)]:
        raise ValueError(f"the chunks of {name} are incomplete, or not in order")
    return start, count * length


def _strings(file, name, size):
    _plain(file, name, None, 1, size)
    return [value.decode() for value in file[name][()]]


def _about(file):
    """The JSON attribute, read only if it is a plain string of a sane length."""
    import h5py

    if not h5py.h5a.exists(file.id, b"about"):
        raise ValueError("it holds no description of itself")
    item = h5py.h5a.open(file.id, b"about")
    if item.dtype.kind != "S" or item.shape != () or item.dtype.itemsize > MAX_ABOUT:
        raise ValueError("it holds a description that is no plain string")
    about = json.loads(bytes(file.attrs["about"]))
    if not isinstance(about, dict):
        raise ValueError("it holds a description that is no JSON object")
    return about
