"""The figures that demos report: against a slow and plain reference, and what holds whatever the images are."""

import functools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gans.machinery.metrics import MeasureError, beside_floor, sliced
from gans.machinery.metrics.sliced import enlarged, laplacian_pyramid, patches, sliced_wasserstein
from minigrad.random import stream

FILTER = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
QUICK = {"patches_per_image": 16, "directions": 32}
quick = functools.partial(sliced_wasserstein, **QUICK)


def pictures(count, seed, shape=(32, 32, 3)):
    """uint8 images, 60 to 120, each of a disc somewhere, which has like a photograph plain surfaces and edges."""
    rng, (h, w, *channels) = np.random.default_rng(seed), shape
    y, x, radius = rng.uniform([[0], [0], [0.2]], [[h], [w], [0.5]], (3, count))[..., None, None]
    disc = (np.arange(h)[:, None] - y) ** 2 + (np.arange(w) - x) ** 2 < (radius * min(h, w)) ** 2
    colours = rng.uniform(30, 60, (count, 1, 1, *channels))
    return (60 + disc.reshape(count, h, w, *[1] * len(channels)) * colours).astype(np.uint8)


def noisy(images, strength, seed=9):
    noise = np.random.default_rng(seed).normal(0, strength, images.shape)
    return (images + noise).round().clip(0, 255).astype(np.uint8)


def mirrored(i, size):
    return -i if i < 0 else 2 * (size - 1) - i if i >= size else i


def slowly_filtered(image, weights):
    h, w = image.shape
    out = np.zeros((h, w))
    for y, x in np.ndindex(h, w):
        for i, j in np.ndindex(5, 5):
            out[y, x] += weights[i, j] * image[mirrored(y + i - 2, h), mirrored(x + j - 2, w)]
    return out


def slow_pyramid(image, least):
    """The levels of one image (H, W), float64."""
    levels = [image.astype(float)]
    while -(-min(levels[-1].shape) // 2) >= least:
        small = slowly_filtered(levels[-1], FILTER)[::2, ::2]
        spread = np.zeros_like(levels[-1])
        for y, x in np.ndindex(small.shape):
            spread[2 * y, 2 * x] = small[y, x]
        levels[-1] = levels[-1] - slowly_filtered(spread, 4 * FILTER)
        levels.append(small)
    return levels


def slow_distances(a, b, seed, count, directions):
    """The distance of each level of (N, H, W, C) images, from patches that are gathered one by one."""
    pyramids = [[[slow_pyramid(image[..., c], 16) for c in range(a.shape[3])] for image in images] for images in (a, b)]
    for k, level in enumerate(pyramids[0][0][0]):
        positions = np.broadcast_to(np.arange(level.size).reshape(level.shape), (len(a), *level.shape))
        places = patches(positions, count, stream(seed, "patches", k)).reshape(len(a), count, 49)
        both = []
        for pyramid in pyramids:
            rows = np.array([[channel[k].ravel()[place] for channel in image]
                             for image, chosen in zip(pyramid, places) for place in chosen])
            for c in range(rows.shape[1]):
                rows[:, c] = (rows[:, c] - rows[:, c].mean()) / rows[:, c].std()
            both.append(rows.reshape(len(rows), -1))
        gaps = []
        for way in stream(seed, "directions", k).standard_normal((directions, both[0].shape[1])):
            way = way / np.sqrt((way ** 2).sum())
            gaps += [abs(p - q) for p, q in zip(sorted(both[0] @ way), sorted(both[1] @ way))]
        yield 1000 * np.mean(gaps)


@pytest.mark.parametrize("shape, least", [((32, 32), 16), ((33, 20), 5), ((8, 13), 2), ((31, 40), 16)])
def test_the_pyramid_is_that_of_a_slow_reference(shape, least):
    image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    levels, slow = laplacian_pyramid(image[None], least), slow_pyramid(image, least)
    assert len(levels) == len(slow) and {level.dtype for level in levels} == {np.dtype(np.float32)}
    for level, expected in zip(levels, slow):
        np.testing.assert_allclose(level[0], expected, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(images=hnp.arrays(np.uint8, st.tuples(st.just(2), st.integers(4, 40), st.integers(4, 40), st.integers(1, 2))),
       least=st.integers(2, 4))
def test_the_pyramid_collapses_to_the_images(images, least):
    levels = laplacian_pyramid(images, least)
    whole = levels[-1]
    for level in levels[-2::-1]:
        whole = level + enlarged(whole, level.shape)
    np.testing.assert_allclose(whole, images, atol=1e-3)
    assert (whole.round() == images).all()
    sizes = [level.shape[1:3] for level in levels]
    assert all(small == ((h + 1) // 2, (w + 1) // 2) for (h, w), small in zip(sizes, sizes[1:]))
    assert least <= min(sizes[-1]) < 2 * least


@pytest.mark.parametrize("size", [(17, 16), (16, 33), (109, 89)])
def test_all_detail_of_a_plain_surface_is_zero(size):
    *detail, rest = laplacian_pyramid(np.full((1, *size), 201, np.uint8), least=2)
    assert detail and not any(level.any() for level in detail) and (rest == 201).all()


def test_patches_are_windows_of_their_own_image_and_come_from_everywhere():
    n, h, w, c = np.ogrid[:4, :9, :8, :3]
    found = patches(((n * 9 + h) * 8 + w) * 3 + c, 60, np.random.default_rng(0))
    assert found.shape == (240, 3, 7, 7)
    rows = found.reshape(4, 60, 3, 7, 7)
    images, top, left, channel = np.unravel_index(rows, (4, 9, 8, 3))
    assert (images == np.arange(4).reshape(4, 1, 1, 1, 1)).all() and (channel == np.arange(3).reshape(3, 1, 1)).all()
    assert (np.diff(top, axis=-2) == 1).all() and (np.diff(left, axis=-1) == 1).all()
    for i in range(4):
        corners = set(zip(top[i, :, 0, 0, 0], left[i, :, 0, 0, 0]))
        assert corners == {(y, x) for y in range(3) for x in range(2)}


@pytest.mark.parametrize("shape, seed", [((32, 35, 2), 0), ((28, 28, 1), 3)])
def test_the_distance_is_that_of_a_slow_reference(shape, seed):
    a, b = pictures(3, 0, shape), noisy(pictures(3, 1, shape), 20)
    ours = sliced_wasserstein(a, b, seed=seed, patches_per_image=8, directions=20)
    slow = list(slow_distances(a, b, seed, 8, 20))
    assert list(ours.levels.values()) == pytest.approx(slow, rel=1e-4)
    assert ours.average == pytest.approx(np.mean(slow), rel=1e-4) and ours.images == 3


def test_it_is_a_distance_of_sets_and_a_function_of_the_seed():
    a, b = pictures(20, 0), noisy(pictures(20, 1), 20)
    distance = sliced_wasserstein(a, b, **QUICK)
    assert sliced_wasserstein(a, a, **QUICK).levels == {"32x32": 0, "16x16": 0}
    assert distance == sliced_wasserstein(b, a, **QUICK) == sliced_wasserstein(a, b, seed=0, **QUICK)
    other = sliced_wasserstein(a, b, seed=1, **QUICK)
    assert other.average != distance.average and other.average == pytest.approx(distance.average, rel=0.3)
    assert all(gap > 0 for gap in distance.levels.values())


@pytest.mark.parametrize("shape, levels", [((28, 28), ["28x28"]), ((109, 89, 3), ["109x89", "55x45", "28x23"]),
                                           ((31, 64), ["31x64", "16x32"]), ((16, 16, 1), ["16x16"])])
def test_the_levels_are_those_with_16_pixels_or_more(shape, levels):
    distance = sliced_wasserstein(pictures(2, 0, shape), pictures(2, 1, shape), patches_per_image=2, directions=2)
    assert list(distance.levels) == levels
    assert distance.average == pytest.approx(np.mean(list(distance.levels.values())))


def test_the_channel_axis_may_be_left_out_and_the_longer_set_is_cut():
    a, b = pictures(9, 0, (20, 20)), pictures(9, 1, (20, 20))
    cut = sliced_wasserstein(a[:6], b[:6], **QUICK)
    assert cut.images == 6
    assert cut == sliced_wasserstein(a, b[:6], **QUICK) == sliced_wasserstein(a[:6], b, **QUICK)
    assert cut == sliced_wasserstein(a[:6, ..., None], b[:6, ..., None], **QUICK)


def test_blocks_change_nothing(monkeypatch):
    a, b = pictures(10, 0), pictures(10, 1)
    whole = sliced_wasserstein(a, b, **QUICK)
    monkeypatch.setattr(sliced, "IMAGES_AT_ONCE", 3)
    assert sliced_wasserstein(a, b, **QUICK) == whole
    monkeypatch.setattr(sliced, "DIRECTIONS_AT_ONCE", 7)
    assert sliced_wasserstein(a, b, **QUICK).levels == pytest.approx(whole.levels, rel=1e-5)


def test_what_a_whole_set_shares_is_not_seen_and_what_varies_is():
    a, b = pictures(20, 0), pictures(20, 1)
    plain = sliced_wasserstein(a, b, **QUICK)
    tinted = (a * [1, 2, 2] + [0, 5, 10]).astype(np.uint8)
    assert sliced_wasserstein(tinted, b, **QUICK).levels == pytest.approx(plain.levels, rel=1e-3)
    flicker = a + np.array([0, 100], np.uint8).repeat(10)[:, None, None, None]  # images dark or bright: no new detail
    seen = sliced_wasserstein(flicker, b, **QUICK)
    assert seen.levels["32x32"] == pytest.approx(plain.levels["32x32"], rel=1e-3)
    assert seen.levels["16x16"] > 1.3 * plain.levels["16x16"]


def test_noise_raises_the_distance_above_the_floor_and_more_noise_more():
    real, samples = pictures(80, 0), pictures(40, 1)
    found = [beside_floor(quick, noisy(samples, strength), real) for strength in (0, 10, 30, 60)]
    averages, floors = [beside.value.average for beside in found], [beside.floor.average for beside in found]
    assert averages == sorted(averages) and averages[-1] > 3 * floors[0] and len(set(floors)) == 1
    assert averages[0] == pytest.approx(floors[0], rel=0.5), "samples as good as real ones are at the floor"
    fewer = beside_floor(quick, samples[:5], real).floor
    assert fewer.images == 5 and fewer.average > floors[0]


def test_a_surface_without_any_pattern_is_at_a_finite_distance():
    plain = np.full((4, 32, 32), 77, np.uint8)
    with pytest.raises(MeasureError, match="two sets of plain images, in which nothing varies, .*; give"):
        sliced_wasserstein(plain, plain + 3, **QUICK)
    away = sliced_wasserstein(plain, pictures(4, 0, (32, 32)), **QUICK)
    assert all(300 < gap < 2000 for gap in away.levels.values())


def test_memory_is_that_of_one_level_of_both_sets():
    a, b = pictures(300, 0), pictures(300, 1)
    tracemalloc.start()
    sliced_wasserstein(a, b, patches_per_image=64, directions=32)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    rows = 300 * 64 * 147 * 4  # bytes of one set's descriptors
    assert 2 * rows < peak < 2 * rows + 20e6, "beside them come a block of images and a block of directions"


GREY = np.zeros((3, 32, 32), np.uint8)


@pytest.mark.parametrize("call, error, words", [
    (lambda: sliced_wasserstein(GREY, GREY[:, :30]), ValueError,
     r"sliced_wasserstein: images of shape \(3, 32, 32\) and \(3, 30, 32\); give one image or more of one size"),
    (lambda: sliced_wasserstein(GREY, GREY[:0]), ValueError, r"shape \(3, 32, 32\) and \(0, 32, 32\); give one image"),
    (lambda: sliced_wasserstein(GREY[0], GREY[0]), ValueError, r"shape \(32, 32\).*give .*\(N, H, W\)"),
    (lambda: sliced_wasserstein(GREY, GREY / 255), TypeError,
     r"sliced_wasserstein: images of uint8 and float64; give uint8"),
    (lambda: sliced_wasserstein(GREY[:, :15], GREY[:, :15]), ValueError,
     r"images of shape \(1, 15, 32\) for levels of 16 pixels or more; give"),
    (lambda: sliced_wasserstein(GREY, GREY, directions=0), ValueError,
     r"sliced_wasserstein: 128 patches an image, 0 directions; give 1 or more"),
    (lambda: sliced_wasserstein(GREY, GREY, patches_per_image=0), ValueError, r"0 patches an image"),
    (lambda: laplacian_pyramid(GREY, 1), ValueError, r"laplacian_pyramid: .* levels of 1 pixels.* at least 2"),
    (lambda: laplacian_pyramid(GREY[0]), ValueError, r"laplacian_pyramid: images of shape \(32, 32\)"),
    (lambda: patches(GREY[:, :6], 1, np.random.default_rng(0)), ValueError,
     r"patches: a level of shape \(3, 6, 32\); give .* at least 7"),
])
def test_a_refusal_says_what_was_given_and_what_to_give(call, error, words):
    with pytest.raises(error, match=words):
        call()
