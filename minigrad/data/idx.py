"""Read and write idx, the format of MNIST and its relatives, plain or gzipped.

An idx file is two zero bytes, a byte that says the type, a byte that says how many dimensions, each dimension as a
big-endian uint32, then the values in C order, big-endian (http://yann.lecun.com/exdb/mnist/).

`read_idx` trusts nothing: the declared size is checked before a byte is allocated, at most one byte more than that is
decompressed, and whatever is wrong with the file comes out as a `DataError`.
"""

import gzip
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np

from minigrad.data.files import exactly, open_regular, publish
from minigrad.errors import DataError

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
CODES = {np.dtype(name).newbyteorder("="): code for code, name in TYPES.items()}
MAX_RANK = 32
MAX_DEFLATE_RATIO = 1032  # no deflate stream expands further, so a tiny file cannot declare a huge array


def read_idx(path, *, limit=2**30):
    """Read an idx or idx.gz file into a new array.

    Args:
        path: the file. Compression is told by its content, not by its name.
        limit: the most bytes that the array may take.

    Returns:
        An array of the declared shape; uint8, int8, int16, int32, float32 or float64, in native byte order.

    Raises:
        DataError: the file is missing, damaged, longer or shorter than it declares, or larger than `limit`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_idx(f"{folder}/labels.idx.gz", np.array([7, 2, 1], np.uint8))
    ...     read_idx(f"{folder}/labels.idx.gz")
    array([7, 2, 1], dtype=uint8)
    """
    path = Path(path)
    try:
        with open_regular(path) as file:
            compressed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            most = os.fstat(file.fileno()).st_size * (MAX_DEFLATE_RATIO if compressed else 1)
            if not compressed:
                return _read(file, path, limit, most)
            with gzip.GzipFile(fileobj=file) as content:
                return _read(content, path, limit, most)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}); fetch the file again") from error


def write_idx(path, array):
    """Write an array as idx, gzipped if the name ends in .gz. The file appears whole or not at all.

    Args:
        path: the file to write or replace.
        array: any shape; uint8, int8, int16, int32, float32 or float64.

    Raises:
        TypeError: idx has no code for the array's dtype.
    """
    path, array = Path(path), np.asarray(array)
    code = CODES.get(array.dtype.newbyteorder("="))
    if code is None:
        raise TypeError(f"idx cannot hold {array.dtype}; convert to one of {', '.join(map(str, CODES))}")
    content = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    content += array.astype(TYPES[code], copy=False).tobytes()
    if path.suffix == ".gz":
        content = gzip.compress(content, mtime=0)  # no time stamp: equal arrays make equal files
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _read(file, path, limit, most):
    """Parse idx from an uncompressed stream that cannot hold more than `most` bytes."""
    start = bytes(exactly(file, 4, path))
    dtype, rank = TYPES.get(start[2]), start[3]
    if start[:2] != b"\0\0" or dtype is None:
        raise DataError(f"{path}: is no idx file (it starts with {start.hex(' ')}); fetch the file again")
    if rank > MAX_RANK:
        raise DataError(f"{path}: declares {rank} dimensions, more than {MAX_RANK}; fetch the file again")
    shape = struct.unpack(f">{rank}I", exactly(file, 4 * rank, path))
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size > limit:
        raise DataError(f"{path}: declares shape {shape}, {size:,} bytes, above the limit of {limit:,}; "
                        "pass a larger limit= if that is right")
    if size > most:
        raise DataError(f"{path}: declares shape {shape}, {size:,} bytes, and cannot hold more than {most:,}; "
                        "fetch the file again")
    content = exactly(file, size, path)
    if file.read(1):  # reaching the end also makes gzip check its CRC
        raise DataError(f"{path}: goes on after the {size:,} bytes that it declares; fetch the file again")
    try:
        array = content.view(dtype).reshape(shape)
    except ValueError:  # a dimension of 0 beside ones whose product no array can have
        raise DataError(f"{path}: declares shape {shape}, which no array can have; fetch the file again") from None
    return array.astype(array.dtype.newbyteorder("="), copy=False)
