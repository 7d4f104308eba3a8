"""Files with care: opened only if they are files, read to the byte, replaced whole, made by one process at a time."""

import contextlib
import os
import stat
from pathlib import Path

import numpy as np

from minigrad.errors import DataError


def open_regular(path):
    """Open a file for reading in binary; refuse with a `DataError` one that is missing, or no regular file.

    A device or a pipe is refused before it is opened, because reading one may never end.
    """
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file; check the path, or fetch the file first") from None
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise DataError(f"{path}: is {kind}; name a regular file")
    return open(path, "rb")


def publish(temporary, path):
    """Give a finished temporary file its name, so that a crash at any moment leaves the old file or the new one."""
    with open(temporary, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)
    folder = os.open(Path(path).parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name is in the folder, which has to reach the disk too
    finally:
        os.close(folder)


@contextlib.contextmanager
def alone(folder, log):
    """Hold a folder's lock: of several processes that make a file there, one works, and the others wait for it.

    The system lets go of the lock when the process ends, however it does. Systems without such locks do without.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log(f"waiting for another process that is building in {folder}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(handle)


def exactly(file, size, path):
    """Read exactly `size` bytes into a new uint8 array, or raise a `DataError`."""
    content = np.empty(size, np.uint8)
    view, have = memoryview(content), 0
    while have < size:
        count = file.readinto(view[have:])
        if not count:
            raise DataError(f"{path}: ends {size - have:,} bytes early; fetch the file again")
        have += count
    return content
