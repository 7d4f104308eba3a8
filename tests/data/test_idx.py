"""idx files: what is written comes back, MNIST's own bytes are understood, and damage is named."""

import gzip
import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minigrad.data.idx import read_idx, write_idx
from minigrad.errors import DataError

dtypes = st.sampled_from(["u1", "i1", "i2", "i4", "f4", "f8", ">i4", ">f8"])
shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
arrays = dtypes.flatmap(lambda dtype: hnp.arrays(dtype, shapes))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("idx")


@pytest.mark.parametrize("name", ["a.idx", "a.idx.gz"])
@settings(max_examples=50, deadline=None)
@given(array=arrays)
def test_what_is_written_comes_back(folder, name, array):
    write_idx(folder / name, array)
    back = read_idx(folder / name)
    assert back.dtype == array.dtype.newbyteorder("=") and back.shape == array.shape
    np.testing.assert_array_equal(back, array)


def test_the_bytes_are_those_of_the_format(tmp_path):
    write_idx(tmp_path / "a", np.array([[1, -2]], np.int16))
    assert (tmp_path / "a").read_bytes() == bytes.fromhex("00000b02 00000001 00000002 0001 fffe")


def test_gzip_is_told_by_content_not_by_name(tmp_path):
    write_idx(tmp_path / "a.gz", np.arange(3, dtype=np.uint8))
    os.rename(tmp_path / "a.gz", tmp_path / "a")
    assert read_idx(tmp_path / "a").tolist() == [0, 1, 2]


def test_equal_arrays_make_equal_gzip_files(tmp_path):
    for name in ("a.gz", "b.gz"):
        write_idx(tmp_path / name, np.arange(100, dtype=np.uint8))
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    write_idx(tmp_path / "a", np.zeros(3, np.uint8))

    def full_disk(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space left"):
        write_idx(tmp_path / "a", np.ones(3, np.uint8))
    monkeypatch.undo()
    assert os.listdir(tmp_path) == ["a"] and read_idx(tmp_path / "a").tolist() == [0, 0, 0]


def test_a_dtype_that_idx_lacks_is_refused(tmp_path):
    with pytest.raises(TypeError, match="complex64"):
        write_idx(tmp_path / "a", np.zeros(2, np.complex64))


def test_the_array_is_writable_and_its_own(tmp_path):
    write_idx(tmp_path / "a", np.zeros(3, np.uint8))
    array = read_idx(tmp_path / "a")
    array[0] = 9
    assert read_idx(tmp_path / "a").tolist() == [0, 0, 0]


def idx(shape, body=b"", code=8):
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape) + body


whole = idx((4,), b"abcd")
bad = {
    "empty": (b"", "ends 4 bytes early"),
    "not idx": (b"\x89PNG\r\n\x1a\n", "no idx file"),
    "unknown type": (idx((4,), b"abcd", code=7), "no idx file"),
    "dimensions cut off": (whole[:6], "ends 2 bytes early"),
    "values cut off": (gzip.compress(whole[:-1]), "ends 1 bytes early"),
    "trailing byte": (whole + b"e", "goes on after"),
    "trailing byte in gzip": (gzip.compress(whole + b"e"), "goes on after"),
    "garbage after gzip": (gzip.compress(whole) + b"garbage", "cannot be read"),
    "gzip cut off": (gzip.compress(whole)[:-9], "cannot be read"),
    "gzip with a wrong CRC": (gzip.compress(whole)[:-5] + b"\0" + gzip.compress(whole)[-4:], "cannot be read"),
    "gzip with a broken stream": (gzip.compress(whole)[:10] + b"\xff" * 9, "cannot be read"),
    "more than the limit": (idx((2**31, 2)), "above the limit"),
    "more than the file": (idx((2**20,), b"abcd"), "cannot hold more"),
    "more than gzip can hold": (gzip.compress(idx((2**29,))), "cannot hold more"),
    "too many dimensions": (idx((1,) * 255, b"a"), "255 dimensions"),
    "impossible shape of no bytes": (idx((0,) + (2**32 - 1,) * 3), "no array can have"),
    "a bomb": (gzip.compress(idx((4,), bytes(2**22))), "goes on after"),
}


@pytest.mark.parametrize("content, says", bad.values(), ids=bad)
def test_damage_is_named_with_the_file(tmp_path, content, says):
    path = tmp_path / "bad.idx"
    path.write_bytes(content)
    with pytest.raises(DataError, match=says) as caught:
        read_idx(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_bomb_is_not_decompressed(tmp_path, monkeypatch):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(idx((4,), bytes(2**24))))
    wanted = []
    real = gzip.GzipFile.readinto
    monkeypatch.setattr(gzip.GzipFile, "readinto", lambda self, b: wanted.append(len(b)) or real(self, b))
    with pytest.raises(DataError, match="goes on"):
        read_idx(path)
    assert sum(wanted) == 4 + 4 + 4


@pytest.mark.parametrize("path, says", [("/no/a.idx", "no such file"), ("/", "a folder"), ("/dev/zero", "regular")])
def test_what_is_not_a_file_is_refused(path, says):
    with pytest.raises(DataError, match=says):
        read_idx(path)


def test_the_limit_can_be_raised(tmp_path):
    write_idx(tmp_path / "a", np.zeros(10, np.uint8))
    with pytest.raises(DataError, match="limit of 9;"):
        read_idx(tmp_path / "a", limit=9)
    assert read_idx(tmp_path / "a", limit=10).shape == (10,)


@pytest.mark.skipif(not os.environ.get("MINIGRAD_DATA"), reason="MINIGRAD_DATA is not set: no real data")
def test_mnist_reads_as_published():
    folder = f"{os.environ['MINIGRAD_DATA']}/mnist"
    images = read_idx(f"{folder}/t10k-images-idx3-ubyte.gz")
    labels = read_idx(f"{folder}/t10k-labels-idx1-ubyte.gz")
    assert images.shape == (10_000, 28, 28) and images.dtype == np.uint8
    assert np.bincount(labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    with gzip.open(f"{folder}/t10k-images-idx3-ubyte.gz") as file:
        assert zlib.crc32(images) == zlib.crc32(file.read()[16:])
