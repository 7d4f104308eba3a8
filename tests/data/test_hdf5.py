"""Reading image sets: every index gives what NumPy would, at speed, from many threads."""

import threading

import h5py
import numpy as np
import pytest

from minigrad.data.hdf5 import ImageSet, create_layout, read_layout
from minigrad.errors import DataError

SHAPE = (300, 64, 64, 3)  # four chunks, the last one not full


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)


@pytest.fixture(scope="module")
def path(tmp_path_factory, pixels):
    path = tmp_path_factory.mktemp("hdf5") / "a.h5"
    names = [f"bilder/ä{i}.jpg" for i in range(300)]
    create_layout(path, SHAPE, names, {"even": np.arange(300) % 2 == 0, "low": np.arange(300) < 9}, {"source": "test"})
    layout = read_layout(path)
    with open(path, "rb+") as file:
        file.seek(layout.start)
        file.write(pixels.tobytes())
        file.seek(layout.mark)
        file.write((300).to_bytes(8, "little"))
    return path


@pytest.fixture
def images(path):
    with ImageSet(path) as images:
        yield images


@pytest.mark.parametrize("index", [
    0, 299, -1, np.int64(7), np.uint8(7), slice(None), slice(5, 9), slice(-3, None), slice(9, 1, -2), slice(4, 4),
    [3, 1, 2], [5, 5, -1], [], np.array([299, 0]), np.array([[1, 2], [3, 4]], np.uint8),
], ids=str)
def test_an_index_gives_what_numpy_gives(images, pixels, index):
    found, expected = images[index], pixels[np.array(index, int) if isinstance(index, list) else index]
    assert type(found) is np.ndarray and found.dtype == np.uint8 and found.shape == expected.shape
    np.testing.assert_array_equal(found, expected)
    found[...] = 0  # its own memory: the file stays as it is
    np.testing.assert_array_equal(images[index], expected)


@pytest.mark.parametrize("index", [300, -301, [0, 300], 1.0, [0.5], "images", [True, False], None], ids=str)
def test_a_wrong_index_is_refused(images, index):
    with pytest.raises(IndexError):
        images[index]


def test_what_is_known_about_the_images(images):
    assert len(images) == 300 and images.shape == SHAPE
    assert images.names[:2] == ["bilder/ä0.jpg", "bilder/ä1.jpg"] and images.about == {"source": "test"}
    assert list(images.attributes) == ["even", "low"] and images.attributes["even"].dtype == np.bool_
    assert images.attributes["even"].sum() == 150 and images.attributes["low"].sum() == 9


def test_it_is_a_sequence(images, pixels):
    np.testing.assert_array_equal(np.stack(list(images)), pixels)


def test_the_file_is_ordinary_chunked_hdf5(path, pixels):
    with h5py.File(path) as file:
        assert file["images"].chunks == (85, 64, 64, 3) and file["images"].compression is None
        np.testing.assert_array_equal(file["images"][()], pixels)
        assert file["names"].asstr()[299] == "bilder/ä299.jpg" and file["done"][0] == 300


def test_a_contiguous_data_set_reads_as_well(tmp_path, pixels):
    with h5py.File(tmp_path / "a.h5", "w", libver="v110") as file:
        file["images"], file["done"] = pixels[:5], np.array([5])
        file["names"], file.attrs["about"] = np.array([b"a"] * 5), np.bytes_("{}")
    with ImageSet(tmp_path / "a.h5") as images:
        np.testing.assert_array_equal(images[:], pixels[:5])
        assert images.attributes == {}


def test_a_closed_set_says_so_and_what_was_read_stays(path, pixels):
    images = ImageSet(path)
    first = images[0]
    images.close()
    images.close()
    with pytest.raises(ValueError, match="is closed"):
        images[0]
    np.testing.assert_array_equal(first, pixels[0])


def test_an_unfinished_set_is_refused(tmp_path):
    create_layout(tmp_path / "a.h5", (2, 4, 4, 3), ["a", "b"], {}, {})
    with pytest.raises(DataError, match="0 of 2 images are in; run the build again"):
        ImageSet(tmp_path / "a.h5")


def test_threads_may_read_at_once(images, pixels):
    wrong = []

    def read(seed):
        random = np.random.default_rng(seed)
        for _ in range(50):
            index = random.integers(0, 300, 16)
            if not np.array_equal(images[index], pixels[index]):
                wrong.append(seed)

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_random_access_is_a_look_up_in_mapped_memory(images, pixels, monkeypatch):
    monkeypatch.setattr(h5py, "File", None)  # neither HDF5 nor the file itself is asked again
    monkeypatch.setattr("builtins.open", None)
    for index in np.random.default_rng(0).integers(0, 300, (8, 64)):
        np.testing.assert_array_equal(images[index], pixels[index])
