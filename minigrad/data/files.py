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


class Lock:
    """A folder's lock, which one process at a time can hold; the system takes it back when that ends, however it does.

    It is the folder itself that is locked; on Windows, where folders cannot be, a file `lock` in it. On a file system
    without locks everyone gets it.
    """

    def __init__(self, folder):
        self.folder, self.handle = Path(folder), None

    def take(self, wait=False):
        """Whether the lock is ours now. With wait=True, wait until it is."""
        try:
            import fcntl
        except ImportError:
            return self._take_on_windows(wait)
        self.handle = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(self.handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            return False
        except OSError:  # a file system without locks
            pass
        return True

    def _take_on_windows(self, wait):
        import msvcrt

        self.handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT)
        while True:
            try:
                msvcrt.locking(self.handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)  # LK_LOCK: for ten seconds
                return True
            except OSError:
                if not wait:
                    self.release()
                    return False

    def release(self):
        """Let go of the lock, if it is ours."""
        if self.handle is not None:
            os.close(self.handle)
            self.handle = None

    __del__ = release


@contextlib.contextmanager
def alone(folder, log):
    """Hold a folder's lock: of several processes that make a file there, one works, and the others wait for it."""
    lock = Lock(folder)
    if not lock.take():
        log(f"waiting for another process that is building in {folder}")
        lock.take(wait=True)
    try:
        yield
    finally:
        lock.release()


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
