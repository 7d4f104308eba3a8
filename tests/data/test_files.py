"""Locks of folders: one process at a time, and gone with it."""

import subprocess
import sys
import types

import pytest

from minigrad.data.files import Lock

HOLDER = """
import sys
from minigrad.data.files import Lock
lock = Lock(sys.argv[1])
print(lock.take(), flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("ending", ["its end", "a kill"])
def test_a_lock_is_one_processs_until_that_ends_however_it_does(tmp_path, ending):
    pytest.importorskip("fcntl")
    command = [sys.executable, "-c", HOLDER, tmp_path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"True\n"
        lock = Lock(tmp_path)
        assert not lock.take() and not Lock(tmp_path).take()
        holder.kill() if ending == "a kill" else holder.stdin.close()
        holder.wait()
        assert lock.take() and not Lock(tmp_path).take()
        lock.release()
        assert Lock(tmp_path).take(wait=True), "what is dropped is released"
        assert not list(tmp_path.iterdir())


def test_without_fcntl_a_file_in_the_folder_is_locked(tmp_path, monkeypatch):
    held = []

    def locking(handle, mode, size):
        if held and mode == windows.LK_NBLCK:
            raise PermissionError(13, "Permission denied")
        if held:
            held.clear()  # the other process ended while this one waited
            raise OSError(36, "Resource deadlock avoided")
        held.append(handle)

    windows = types.SimpleNamespace(locking=locking, LK_LOCK=1, LK_NBLCK=2)
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    first, second = Lock(tmp_path), Lock(tmp_path)
    assert first.take() and not second.take() and second.handle is None
    assert second.take(wait=True) and [path.name for path in tmp_path.iterdir()] == ["lock"]
    first.release()
