"""Pairs of pictures: outlines by hand, folders of one's own, and what is wrong with them in one line."""

import argparse

import numpy as np
import pytest
from PIL import Image

from gans.machinery import pairs
from minigrad.errors import DataError, MinigradError

NAMES = [f"{k}.png" for k in range(1, 13)]  # 2 comes before 10


def picture(k, height=20, width=20):
    """A picture that k tells: of one colour, with a mark in its first corner."""
    image = np.full((height, width, 3), 10 * k, np.uint8)
    image[:4, :4] = 255 - k
    return image


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


@pytest.fixture
def folder(there):
    """A folder with A and B, in which equal names belong together."""
    for k, name in enumerate(NAMES, 1):
        save(there / "mine" / "A" / name, picture(k))
        save(there / "mine" / "B" / name, picture(k)[::-1])
    return there / "mine"


def opened(path, size=16):
    return pairs.open_pairs(argparse.Namespace(data=str(path), size=size))


def test_edges_are_where_sobels_gradient_is_long():
    images = np.random.default_rng(0).integers(0, 130, (3, 9, 8), np.uint8)
    padded = np.pad(images.astype(float), ((0, 0), (1, 1), (1, 1)))
    kernel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    for n, i, j in np.ndindex(images.shape):
        window = padded[n, i:i + 3, j:j + 3]
        there = np.hypot((window * kernel).sum(), (window * kernel.T).sum()) >= pairs.STEEP
        assert pairs.edges(images)[n, i, j] == 255 * there
    assert 0 < (pairs.edges(images) > 0).mean() < 1


def test_grey_is_pillows():
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), np.uint8)
    expected = np.stack([np.asarray(Image.fromarray(image).convert("L")) for image in images])
    assert np.abs(pairs.grey(images)[..., 0].astype(int) - expected).max() <= 1


def test_pairs_of_two_folders_go_by_their_names(folder):
    (folder / "A" / "3.png").rename(folder / "A" / "3.bmp")  # which is not a bitmap, but nobody looks
    found = opened(folder)
    assert len(found.given) == 11 and len(found.held_given) == 1 and found.shapes == ((16, 16, 3), (16, 16, 3))
    given, wanted = (np.concatenate([part[:], held]) for part, held in ((found.given, found.held_given),
                                                                      (found.wanted, found.held_wanted)))
    assert sorted(given[:, 8, 8, 0].tolist()) == [10 * k for k in range(1, 13)]
    np.testing.assert_array_equal(given[:, ::-1], wanted)


def test_pairs_side_by_side_are_split_in_the_middle(there):
    for k, name in enumerate(NAMES, 1):
        save(there / "mine" / name, np.concatenate([picture(k), 255 - picture(k)], 1))
    found = opened(there / "mine", 20)
    assert found.given.shape == (11, 20, 20, 3)
    np.testing.assert_array_equal(found.given[[4, 2]], 255 - found.wanted[[4, 2]])
    np.testing.assert_array_equal(found.held_given, 255 - found.held_wanted)


def test_a_tenth_is_kept_back_and_never_learnt_from(folder):
    found = opened(folder)
    learnt = {image.tobytes() for image in found.given[:]}
    assert len(learnt) == 11 and not learnt & {image.tobytes() for image in found.held_given}


@pytest.mark.parametrize("spoil, says", [
    (lambda f: (f / "B" / "5.png").unlink(), "A/5.png: has no partner in .*B; give it a file of the same name there"),
    (lambda f: save(f / "B" / "99.png", picture(9)), "B/99.png: has no partner in .*A; give it"),
    (lambda f: save(f / "A" / "5.bmp", picture(5)), "A/5.png: has the name of 5.bmp but for its ending, and only one"),
    (lambda f: [(f / "A" / name).unlink() for name in NAMES[:3]], r"has no partner in .*A \(3 files lack one\)"),
    (lambda f: save(f / "B" / "5.png", picture(5, 20, 22)), r"A/5.png: is 20x20 \(width x height\), its partner .*B/"
                                                             "5.png 22x20; the two of a pair have to lie upon each"),
    (lambda f: save(f / "C" / "5.png", picture(5)), "mine: holds 3 folders; give one that holds two"),
    (lambda f: (f / "B").rename(f.parent / "B"), "mine: holds 1 folders; give one that holds two"),
    (lambda f: save(f / "whole.png", picture(5)), r"is 20x20 \(width x height\), not twice as wide as high: a pair"),
    (lambda f: [(f / side / name).unlink() for side in "AB" for name in NAMES[:3]], "gives 9 pairs, too few to learn"),
    (lambda f: (f / "A" / "2.png").write_bytes(b"no picture"), "A: 2.png: does not decode")])
def test_what_is_wrong_with_a_folder_is_one_line(folder, spoil, says):
    spoil(folder)
    with pytest.raises(DataError, match=says) as refused:
        opened(folder)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("size, times, near", [(40, 4, 32), (20, 4, 16), (1000, 4, 256), (30, 2, 32), (1, 2, 16)])
def test_a_size_that_halving_does_not_make_is_refused_with_the_nearest(size, times, near):
    pairs.halved(argparse.Namespace(size=near), times)
    with pytest.raises(MinigradError, match=f"--size {size}: .* halve a picture {times} times, .* nearest is {near}$"):
        pairs.halved(argparse.Namespace(size=size), times)
