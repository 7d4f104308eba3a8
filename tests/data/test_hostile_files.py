"""Files made to do harm, and files mutated at random: whatever a reader is given, nothing but a DataError comes out.

MINIGRAD_FUZZ is the number of mutants of each kind (200 if it is not set).
"""

import gzip
import io
import os
import struct
import tracemalloc
import zipfile
import zlib

import h5py
import numpy as np
import pytest
from PIL import Image

from minigrad.data.hdf5 import ImageSet, create_layout, read_layout
from minigrad.data.idx import read_idx
from minigrad.data.images import build
from minigrad.data.npy import read_npy
from minigrad.errors import DataError

MUTANTS = int(os.environ.get("MINIGRAD_FUZZ", 200))
SHAPE = (4, 8, 6, 3)
PIXELS = np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)


def encoded(kind, **options):
    file = io.BytesIO()
    Image.fromarray(PIXELS[0]).save(file, kind, **options)
    return file.getvalue()


def good_set(path):
    create_layout(path, SHAPE, list("abcd"), {"Smiling": [0, 1, 0, 1]}, {"source": "test"})
    layout = read_layout(path)
    content = bytearray(path.read_bytes())
    content[layout.start:layout.start + PIXELS.size] = PIXELS.tobytes()
    content[layout.mark:layout.mark + 8] = (4).to_bytes(8, "little")
    path.write_bytes(content)
    return bytes(content)


def test_the_file_that_the_evil_ones_are_made_from_is_good(tmp_path):
    good_set(tmp_path / "a.h5")
    with ImageSet(tmp_path / "a.h5") as images:
        np.testing.assert_array_equal(images[:], PIXELS)


def replaced(name, value=None, **options):
    """An evil HDF5 file: the good one with one data set replaced."""

    def make(file, path):
        del file[name]
        if value is not None or options:
            file.create_dataset(name, data=value, **options)

    return make


def soft_link(file, path):
    file.move("images", "hidden")
    file["images"] = h5py.SoftLink("/hidden")


def external_link(file, path):
    good_set(path.with_name("other.h5"))
    del file["images"]
    file["images"] = h5py.ExternalLink("other.h5", "images")


def external_storage(file, path):
    del file["images"]
    file.create_dataset("images", SHAPE, "u1", external=[("/etc/passwd", 0, PIXELS.size)])


def virtual(file, path):
    good_set(path.with_name("other.h5"))
    del file["images"]
    layout = h5py.VirtualLayout(SHAPE, "u1")
    layout[:] = h5py.VirtualSource(path.with_name("other.h5"), "images", SHAPE)
    file.create_virtual_dataset("images", layout)


def compact(file, path):
    del file["images"]
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_layout(h5py.h5d.COMPACT)
    h5py.h5d.create(file.id, b"images", h5py.h5t.STD_U8LE, h5py.h5s.create_simple(SHAPE), plan).write(
        h5py.h5s.ALL, h5py.h5s.ALL, PIXELS)


def group(file, path):
    del file["images"]
    file.create_group("images")


def chunks_missing(file, path):
    del file["images"]
    file.create_dataset("images", SHAPE, "u1", chunks=(1, 8, 6, 3), maxshape=(None, 8, 6, 3))[2] = PIXELS[2]


def chunks_out_of_order(file, path):
    del file["images"]
    images = file.create_dataset("images", SHAPE, "u1", chunks=(1, 8, 6, 3), maxshape=(None, 8, 6, 3))
    for i in (2, 0, 1, 3):
        images[i] = PIXELS[i]
        file.flush()


def about(value):
    def make(file, path):
        del file.attrs["about"]
        if value is not None:
            file.attrs["about"] = value

    return make


EVIL_SETS = {
    "images missing": (replaced("images"), "holds no images"),
    "a soft link": (soft_link, "link to somewhere else"),
    "an external link": (external_link, "link to somewhere else"),
    "external storage, of a secret": (external_storage, "outside of the file"),
    "a virtual data set": (virtual, "outside of the file, or in an unusual layout"),
    "a compact layout": (compact, "unusual layout"),
    "a group": (group, "no data set"),
    "a compressed bomb": (replaced("images", shape=(2**20, 64, 64, 3), dtype="u1", chunks=(2**10, 64, 64, 3),
                                   compression="gzip"), "compressed or filtered"),
    "a size that no file has": (replaced("images", shape=(2**30, 64, 64, 3), dtype="u1", chunks=(1, 64, 64, 3)),
                                "declares 13,194,139,533,312 bytes"),
    "a size beyond 64 bits": (replaced("images", shape=(2**62, 2**10, 2**10, 3), dtype="u1", chunks=(1, 1, 1, 1)),
                              "declares|damaged|cannot be used"),
    "values of float32": (replaced("images", PIXELS.astype("f4")), "float32"),
    "three dimensions": (replaced("images", PIXELS[0]), "of the shape"),
    "no images": (replaced("images", shape=(0, 8, 6, 3), dtype="u1"), "file ends before"),
    "images of no pixels": (replaced("images", shape=(4, 0, 6, 3), dtype="u1"), "shape|file ends before"),
    "chunks that were never written": (chunks_missing, "incomplete"),
    "chunks out of order": (chunks_out_of_order, "not in order"),
    "chunks that cut images": (replaced("images", PIXELS, chunks=(2, 4, 6, 3)), "parts of rows"),
    "too few names": (replaced("names", np.array([b"a"] * 3)), "4 images and 3 names"),
    "names of variable length": (replaced("names", ["a"] * 4, dtype=h5py.string_dtype()), "names is of object"),
    "names that are no UTF-8": (replaced("names", np.array([b"\xff"] * 4)), "decode"),
    "very long names": (replaced("names", np.array([b"a" * 9999] * 4)), "S9999"),
    "attributes of another size": (replaced("attributes", np.zeros((3, 1), "u1")), "attributes are of the shape"),
    "attributes without names": (replaced("attribute_names"), "holds no attribute_names"),
    "more done than there are": (replaced("done", np.array([5])), "5 of 4 images"),
    "fewer done than none": (replaced("done", np.array([-1])), "-1 of 4 images"),
    "no mark": (replaced("done"), "holds no done"),
    "no description": (about(None), "no description"),
    "a description of another type": (about(np.arange(3)), "no plain string"),
    "a description that is no JSON": (about(np.bytes_("{")), "cannot be used"),
    "a description too deep for JSON": (about(np.bytes_("[" * 9999)), "cannot be used"),
    "a description of variable length": (about("{}"), "no plain string"),
}


@pytest.mark.parametrize("make, says", EVIL_SETS.values(), ids=EVIL_SETS)
def test_an_evil_hdf5_file_is_refused(tmp_path, make, says, contained):
    path = tmp_path / "evil.h5"
    good_set(path)
    with h5py.File(path, "r+", libver="v110") as file:
        make(file, path)
    with contained("HDF5"):
        refused(says, path)


def refused(says, path):
    with pytest.raises(DataError, match=says) as caught:
        ImageSet(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value) and "; " in str(caught.value)


def test_a_file_of_the_format_without_checksums_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w", libver="earliest") as file:
        file["images"] = PIXELS
    refused("without checksums|no checksums", tmp_path / "a.h5")


def test_a_file_behind_a_user_block_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w", libver="v110", userblock_size=512) as file:
        file["images"] = PIXELS
    refused("no HDF5 file", tmp_path / "a.h5")


@pytest.mark.parametrize("keep", [0, 7, 9, 100, 1000, -1])
def test_a_truncated_set_is_refused(tmp_path, keep):
    content = good_set(tmp_path / "a.h5")
    (tmp_path / "a.h5").write_bytes(content[:keep])
    refused("cannot be used", tmp_path / "a.h5")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refused("not a regular file", tmp_path / "pipe")
    with pytest.raises(DataError, match="not a regular file"):
        read_idx(tmp_path / "pipe")
    with pytest.raises(DataError, match="not a regular file"):
        build(tmp_path / "a.h5", tmp_path / "pipe")
    os.rename(tmp_path / "pipe", tmp_path / "pipe.png")
    with pytest.raises(DataError, match="not a regular file"):
        build(tmp_path / "a.h5", tmp_path)


def member(name, content=None, **fields):
    """An evil zip: one good image, and one member made for the purpose."""

    def make(file):
        file.writestr("a.png", encoded("PNG"))
        info = zipfile.ZipInfo(name)
        for field, value in fields.items():
            setattr(info, field, value)
        file.writestr(info, encoded("PNG") if content is None else content)

    return make


def twice(file):
    file.writestr("a.png", encoded("PNG"))
    with pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("a.png", encoded("PNG"))


def png(width, height):
    """A PNG of a few bytes that declares any size."""

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(99))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


EVIL_ZIPS = {
    "a path up and out": (member("../../b.png"), "leads out of the archive"),
    "a path up and out, for Windows": (member("x\\..\\..\\b.png"), "leads out of the archive"),
    "an absolute path": (member("/tmp/b.png"), "leads out of the archive"),
    "a drive": (member("C:/b.png"), "leads out of the archive"),
    "a symbolic link": (member("b.png", b"/etc/passwd", external_attr=0o120777 << 16), "is a symbolic link"),
    "a member twice": (twice, "is in it twice"),
    "an unusual compression": (member("b.png", compress_type=zipfile.ZIP_LZMA), "unusual way"),
    "an endless name": (member("b" * 300 + ".png"), "more than 255 bytes"),
    "a number of 5,000 digits": (member("1" * 5000 + ".png"), "more than 255 bytes"),
    "a bomb of zeros": (member("b.png", bytes(2**26 + 1), compress_type=zipfile.ZIP_DEFLATED), "declares 67,108,865"),
    "an image above Pillow's limit": (member("b.png", png(20_000, 20_000)), "b.png: does not decode"),
    "an image above Pillow's warning": (member("b.png", png(10_000, 10_000)), "b.png: does not decode"),
    "an image above our limit": (member("b.png", png(8193, 8192)), "declares 8193×8192 pixels"),
    "an image that lacks its pixels": (member("b.png", png(500, 500)), "b.png: does not decode"),
    "a PPM called PNG": (member("b.png", encoded("PPM")), "b.png: does not decode"),
}


@pytest.mark.parametrize("make, says", EVIL_ZIPS.values(), ids=EVIL_ZIPS)
def test_an_evil_zip_is_refused(tmp_path, make, says, contained):
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as file:
        make(file)
    with contained("zip"), pytest.raises(DataError, match=says) as caught:
        build(tmp_path / "a.h5", tmp_path / "evil.zip", strict=True)
    assert "evil.zip" in str(caught.value) and not (tmp_path / "a.h5").exists()
    assert not (tmp_path.parent / "b.png").exists()


def test_an_encrypted_zip_is_refused(tmp_path):
    content = bytearray(zipped(encoded("PNG")))
    content[6] |= 1
    content[content.rindex(b"PK\1\2") + 8] |= 1
    (tmp_path / "evil.zip").write_bytes(content)
    with pytest.raises(DataError, match="is encrypted"):
        build(tmp_path / "a.h5", tmp_path / "evil.zip")


def test_a_bomb_that_declares_few_bytes_is_not_decompressed(tmp_path):
    declared = struct.pack("<I", 2**26), struct.pack("<I", 100)
    (tmp_path / "evil.zip").write_bytes(zipped(bytes(2**26)).replace(*declared))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="cannot be read"):
            build(tmp_path / "a.h5", tmp_path / "evil.zip")
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


def test_a_zip_that_is_none_is_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK\3\4 and no more")
    with pytest.raises(DataError, match="is no zip file"):
        build(tmp_path / "a.h5", tmp_path / "a.zip")


def zipped(content, name="a.png"):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)  # not the time of day: mutants repeat
    return file.getvalue()


def npy(header, content=b"", version=(1, 0), length=None):
    """An evil npy file."""
    text = header if isinstance(header, bytes) else repr(header).encode()
    width = 2 if version == (1, 0) else 4
    length = (len(text) if length is None else length).to_bytes(width, "little")
    return b"\x93NUMPY" + bytes(version) + length + text + content


def form(descr="<f4", fortran_order=False, shape=(2,), **more):
    return {"descr": descr, "fortran_order": fortran_order, "shape": shape, **more}


def pickled(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


EVIL_ARRAYS = {
    "nothing": (b"", "ends 8 bytes early"),
    "another format": (b"PK\3\4 and no more", "is no npy file"),
    "a version to come": (npy(form(), bytes(8), (9, 0)), "is no npy file"),
    "a pickle": (pickled(np.array([{1: 2}], object)), "nothing is ever unpickled"),
    "text": (pickled(np.array(["a"])), "not plain numbers"),
    "dates": (pickled(np.array(["2000-01-01"], "M8[D]")), "not plain numbers"),
    "complex numbers": (pickled(np.array([1j])), "not plain numbers"),
    "records": (pickled(np.zeros(2, [("a", "f4")])), "not plain numbers"),
    "a dtype of a dict": (npy(form({"names": []}), bytes(8)), "not plain numbers"),
    "a dtype that is empty": (npy(form(""), bytes(8)), "not plain numbers"),
    "a bomb of a shape": (npy(form(shape=(2**40, 2**20))), "above the limit"),
    "a shape below the limit that is not there": (npy(form(shape=(2**29,))), "declares shape .* and has 0"),
    "a shape that no array can have": (npy(form(shape=(0, 2**61, 2**61))), "no array can have"),
    "a negative side": (npy(form(shape=(-1,))), "declares the shape"),
    "a side beyond 64 bits": (npy(form(shape=(0, 2**64))), "declares the shape"),
    "a side of True": (npy(form(shape=(True,)), bytes(4)), "declares the shape"),
    "a side of 1.0": (npy(form(shape=(1.0,)), bytes(4)), "declares the shape"),
    "too many sides": (npy(form(shape=(1,) * 33), bytes(4)), "declares the shape"),
    "a shape that is a list": (npy(form(shape=[2]), bytes(8)), "header is damaged"),
    "an order of 1": (npy(form(fortran_order=1), bytes(8)), "header is damaged"),
    "an entry too many": (npy(form(more=1), bytes(8)), "header is damaged"),
    "a header that is a list": (npy([1], bytes(8)), "header is damaged"),
    "a header that is code": (npy(b"__import__('os').abort()", bytes(8)), "header is damaged"),
    "a header that multiplies": (npy(b"{'descr': '<f4' * 10**9}", bytes(8)), "header is damaged"),
    "a header too deep": (npy(b"(" * 8000, bytes(8)), "header is damaged"),
    "a header of signs": (npy(b"-" * 8000 + b"1", bytes(8)), "header is damaged"),
    "a number of 8,000 digits": (npy(b"{'descr': " + b"1" * 8000 + b"}", bytes(8)), "header is damaged"),
    "a header that is no UTF-8": (npy(b"\xff\xfe", bytes(8)), "header is damaged"),
    "a header that the file lacks": (npy(form(), length=8000), "ends .* bytes early"),
    "a header of 4 GB": (npy(form(), version=(2, 0), length=2**32 - 1), "above the limit"),
    "a byte too few": (npy(form(), bytes(7)), "8 bytes, and has 7"),
    "a byte too many": (npy(form(), bytes(9)), "8 bytes, and has 9"),
    "bools that are none": (npy(form("|b1"), b"\1\2"), "holds 2"),
}


@pytest.mark.parametrize("content, says", EVIL_ARRAYS.values(), ids=EVIL_ARRAYS)
def test_an_evil_npy_file_is_refused(tmp_path, content, says, contained):
    path = tmp_path / "evil.npy"
    path.write_bytes(content)
    with contained("npy"), pytest.raises(DataError, match=says) as caught:
        read_npy(path)
    assert str(path) in str(caught.value) and len(str(caught.value)) < len(str(path)) + 250


@pytest.mark.parametrize("array", [np.arange(6, dtype=">i4").reshape(2, 3), np.float16([[1, 2], [3, 4]]).T,
                                   np.array(True), np.zeros((3, 0)), np.uint8([1, 2])], ids=lambda a: a.dtype.str)
def test_what_numpy_saves_is_read(tmp_path, array):
    for version in ((1, 0), (2, 0), (3, 0)):
        with open(tmp_path / "a.npy", "wb") as file:
            np.lib.format.write_array(file, array, version)
        found = read_npy(tmp_path / "a.npy")
        np.testing.assert_array_equal(found, array)
        assert found.dtype == array.dtype.newbyteorder("=") and found.dtype.isnative


def test_the_limit_of_a_npy_file_is_the_callers(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros(10))
    with pytest.raises(DataError, match="80 bytes, above the limit of 79; pass a larger limit="):
        read_npy(tmp_path / "a.npy", limit=79)


def test_the_evil_files_are_many(record_property):
    counts = {"HDF5": len(EVIL_SETS), "zip": len(EVIL_ZIPS), "npy": len(EVIL_ARRAYS)}
    record_property("figure", f"row 10: evil files {counts}, each refused, memory grew by less than 256 MiB, nothing "
                    "written outside")
    assert sum(counts.values()) >= 12


def mutants(content):
    """MUTANTS variations: bytes changed, runs cut out, doubled or zeroed, the end cut off. Always the same ones."""
    random = np.random.default_rng(zlib.crc32(content))
    for number in range(MUTANTS):
        mutant = bytearray(content)
        for _ in range(random.integers(1, 4)):
            at, length = int(random.integers(len(mutant))), int(random.integers(1, 9))
            match number % 5:
                case 0:
                    mutant[at] ^= 1 << int(random.integers(8))
                case 1:
                    mutant[at:at + length] = random.bytes(length)
                case 2:
                    mutant[at:at + length] = random.choice([b"\0", b"\xff"]) * length
                case 3:
                    mutant[at:at] = mutant[at:at + 4 * length]
                case 4:
                    del mutant[at:at + length if random.random() < 0.7 else None]
            if not mutant:
                break
        yield bytes(mutant)


IDX = struct.pack(">BBBBIII", 0, 0, 8, 3, *SHAPE[:3]) + PIXELS[..., 0].tobytes()
IDX_SEEDS = {"plain": (IDX, bytes), "gzip": (gzip.compress(IDX), bytes), "in whole gzip": (IDX, gzip.compress)}


@pytest.mark.parametrize("seed, wrap", IDX_SEEDS.values(), ids=IDX_SEEDS)
def test_only_data_errors_come_out_of_a_mutant_idx_file(tmp_path, seed, wrap, timed, record_property):
    path, refusals = tmp_path / "a.idx", 0
    for mutant in mutants(seed):
        path.write_bytes(wrap(mutant))
        try:
            with timed:
                assert isinstance(read_idx(path, limit=2**20), np.ndarray)
        except DataError as error:
            assert str(path) in str(error)
            refusals += 1
    told("idx" if wrap is bytes and seed is IDX else "idx.gz", refusals, timed, record_property)


ARRAYS = {"1-d": pickled(np.arange(20, dtype="f4")), "by column": pickled(np.arange(12).reshape(3, 4).T),
          "a header alone": npy(form("<f8", False, (0, 3)))}


@pytest.mark.parametrize("seed", ARRAYS.values(), ids=ARRAYS)
def test_only_data_errors_come_out_of_a_mutant_npy_file(tmp_path, seed, timed, record_property):
    path, refusals = tmp_path / "a.npy", 0
    for mutant in mutants(seed):
        path.write_bytes(mutant)
        try:
            with timed:
                assert isinstance(read_npy(path, limit=2**20), np.ndarray)
        except DataError as error:
            assert str(path) in str(error)
            refusals += 1
    told("npy", refusals, timed, record_property)


def told(kind, refusals, timed, record_property):
    assert refusals > MUTANTS / 10
    record_property("figure", f"row 9: {timed.count:,} mutants of {kind}: {refusals:,} refused by DataError, the "
                    f"others read, slowest {timed.slowest:.3f} s")


def test_only_data_errors_come_out_of_a_mutant_hdf5_file(tmp_path, timed, record_property):
    path, refusals = tmp_path / "a.h5", 0
    for mutant in mutants(good_set(path)):
        path.write_bytes(mutant)
        try:
            with timed, ImageSet(path) as images:
                assert images[:].shape == images.shape and len(images.names) == len(images)
        except DataError as error:
            assert str(path) in str(error) and "\n" not in str(error)
            refusals += 1
    told("HDF5", refusals, timed, record_property)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF", "zip"])
def test_only_data_errors_come_out_of_a_mutant_image_in_a_zip(tmp_path, kind, monkeypatch, timed, record_property):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # most of the time of a build this small
    source, refusals = tmp_path / "a.zip", 0
    seed = zipped(encoded("PNG")) if kind == "zip" else encoded(kind)
    for mutant in mutants(seed):
        source.write_bytes(mutant if kind == "zip" else zipped(mutant))
        try:
            with timed:
                build(tmp_path / "a.h5", source, size=(4, 4), strict=True, overwrite=True)
        except DataError as error:
            assert str(source) in str(error)
            refusals += 1
    told(kind, refusals, timed, record_property)
