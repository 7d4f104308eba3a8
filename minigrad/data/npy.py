"""Read npy, NumPy's own format for one array, without the parts of it that can do harm.

A npy file is b"\\x93NUMPY", two bytes of version, the length of a header, the header (a Python dict display with the
keys descr, fortran_order and shape), and the values
(https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).

`numpy.load` may unpickle and allocates what the header asks for. `read_npy` takes plain numbers only, never unpickles,
and compares every size with the file's before a byte is allocated. To write one, use `numpy.save`.
"""

import ast
import math
import os
import warnings
from pathlib import Path

import numpy as np

from minigrad.data.files import exactly, open_regular
from minigrad.errors import DataError

LENGTH_BYTES = {(1, 0): 2, (2, 0): 4, (3, 0): 4}  # version -> bytes of the header's length
MAX_HEADER = 2**13  # bytes; numpy.load, too, takes no more than about this from strangers
MAX_RANK = 32
PLAIN = {kind + str(size) for kind, sizes in {"i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "f": (2, 4, 8), "b": (1,)}.items()
         for size in sizes}


def read_npy(path, *, limit=2**32):
    """Read a npy file into a new array.

    Args:
        path: the file.
        limit: the most bytes that the array may take.

    Returns:
        An array of the declared shape: bool, or integer or floating of at most 8 bytes, in native byte order.

    Raises:
        DataError: the file is missing, damaged, longer or shorter than it declares, larger than `limit`, or holds
            objects, text or records, which are never read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/a.npy", np.eye(2, dtype="f4"))
    ...     read_npy(f"{folder}/a.npy")
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    path = Path(path)
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            start = bytes(exactly(file, 8, path))
            width = LENGTH_BYTES.get((start[6], start[7]))
            if start[:6] != b"\x93NUMPY" or width is None:
                raise DataError(f"{path}: is no npy file (it starts with {start.hex(' ')}); write it with numpy.save")
            length = int.from_bytes(exactly(file, width, path), "little")
            if length > MAX_HEADER:
                raise DataError(f"{path}: declares a header of {length:,} bytes, above the limit of {MAX_HEADER:,}; "
                                "write the file again")
            dtype, shape, by_column = _parse(bytes(exactly(file, length, path)), path)
            declared = math.prod(shape) * dtype.itemsize
            if declared > limit:
                raise DataError(f"{path}: declares shape {shape}, {declared:,} bytes, above the limit of {limit:,}; "
                                "pass a larger limit= if that is right")
            if declared != size - 8 - width - length:
                raise DataError(f"{path}: declares shape {shape}, {declared:,} bytes, and has "
                                f"{size - 8 - width - length:,}; it is cut off or damaged, write it again")
            content = exactly(file, declared, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error}); make it readable") from error
    if dtype.kind == "b" and content.size and content.max() > 1:
        raise DataError(f"{path}: is of bools and holds {content.max()}; it is damaged, write it again")
    try:
        array = content.view(dtype).reshape(shape, order="F" if by_column else "C")
    except ValueError:  # a dimension of 0 beside ones whose product no array can have
        raise DataError(f"{path}: declares shape {shape}, which no array can have; write it again") from None
    return array.astype(dtype.newbyteorder("="), copy=False)


def _parse(text, path):
    """(dtype, shape, whether the values go column by column) of a header that may be anything."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's, about odd escapes and numbers
            header = ast.literal_eval(text.decode("utf-8").strip())
        descr, by_column, shape = header["descr"], header["fortran_order"], header["shape"]
        if len(header) != 3 or type(by_column) is not bool or type(shape) is not tuple:
            raise ValueError("it has other entries")
    except (ValueError, TypeError, KeyError, SyntaxError, MemoryError, RecursionError) as error:
        reason = " ".join(str(error).split())[:60]
        raise DataError(f"{path}: its npy header is damaged ({reason}); write the file again") from None
    if len(shape) > MAX_RANK or not all(type(n) is int and 0 <= n < 2**62 for n in shape):
        raise DataError(f"{path}: declares the shape {str(shape)[:60]}; write the file again")
    if type(descr) is not str or descr[1:] not in PLAIN or descr[0] not in "<>|=":
        raise DataError(f"{path}: holds {str(descr)[:40]!r}, not plain numbers, and nothing is ever unpickled; convert "
                        "it with .astype(float) or the like, and numpy.save")
    return np.dtype(descr), shape, by_column
