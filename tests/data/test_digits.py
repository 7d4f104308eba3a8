"""The synthetic digits: reproducible one by one, shaped and placed like MNIST, labelled rightly, and learnable."""

import numpy as np

from minigrad.data.digits import synthetic_digits, uniforms


def test_shapes_and_dtypes():
    images, labels = synthetic_digits(5)
    assert images.shape == (5, 28, 28) and images.dtype == np.uint8
    assert labels.shape == (5,) and labels.dtype == np.uint8
    assert synthetic_digits(0)[0].shape == (0, 28, 28)


def test_image_i_is_the_same_whatever_n_is():
    images, labels = synthetic_digits(300, seed=3)
    for n in (1, 127, 129):
        few, names = synthetic_digits(n, seed=3)
        np.testing.assert_array_equal(few, images[:n])
        np.testing.assert_array_equal(names, labels[:n])


def test_another_seed_gives_other_digits():
    assert (synthetic_digits(20, seed=0)[0] != synthetic_digits(20, seed=1)[0]).any((1, 2)).all()


def test_labels_are_uniform():
    counts = np.bincount(synthetic_digits(5000)[1], minlength=10)
    assert len(counts) == 10 and abs(counts - 500).max() < 5 * np.sqrt(500)


def test_digits_are_placed_like_mnist():
    images, _ = synthetic_digits(1000)
    weight = images.astype(float)
    mass = weight.sum((1, 2))
    along = np.arange(28)
    x, y = (weight.sum(1) * along).sum(1) / mass, (weight.sum(2) * along).sum(1) / mass
    assert abs(x.mean() - 14) < 0.1 and abs(y.mean() - 14) < 0.1 and abs(x - 14).max() < 2 and abs(y - 14).max() < 2
    touches = images[:, [0, 27]].any((1, 2)) | images[:, :, [0, 27]].any((1, 2))
    assert touches.mean() < 0.01
    # MNIST's mean brightness is 0.13.
    assert 0.09 < images.mean() / 255 < 0.18 and images.reshape(1000, -1).max(1).min() > 150


def test_no_two_digits_are_alike():
    images, _ = synthetic_digits(1000)
    assert len(np.unique(images.reshape(1000, -1), axis=0)) == 1000


def test_the_label_is_that_of_the_nearest_neighbour():
    images, labels = synthetic_digits(2000)
    points = images.reshape(2000, -1).astype(np.float32)
    known, asked = points[:1700], points[1700:]
    gaps = (known**2).sum(1) - 2 * asked @ known.T
    assert (labels[gaps.argmin(1)] == labels[1700:]).mean() > 0.9


def test_uniforms_depend_on_seed_and_item_alone():
    whole = uniforms(5, 0, 20, 7)
    assert whole.shape == (20, 7) and whole.dtype == np.float32 and 0 <= whole.min() and whole.max() < 1
    for start, stop in ((0, 1), (3, 4), (5, 20)):
        np.testing.assert_array_equal(uniforms(5, start, stop, 7), whole[start:stop])
    assert len(np.unique(whole)) == whole.size and (uniforms(6, 0, 20, 7) != whole).all()


def test_uniforms_are_pinned():
    """The published bits of Philox: a data set that a run depends on may never change under it."""
    first = [0.011546730995178223, 0.24154919385910034, 0.11142581701278687, 0.5644146203994751]
    assert uniforms(0, 0, 1, 4).tolist() == [first]
    assert uniforms(1, 1000, 1001, 2).tolist() == [[0.08993649482727051, 0.6544533371925354]]
