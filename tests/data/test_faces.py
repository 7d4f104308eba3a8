"""The cartoon faces: reproducible one by one, and what their attributes say is what the pictures show."""

import numpy as np
import pytest

from minigrad.data.faces import CONTINUOUS, HAIR, SKIN, draw_faces, synthetic_faces


def test_shapes_and_dtypes():
    images, attributes = synthetic_faces(5)
    assert images.shape == (5, 64, 64, 3) and images.dtype == np.uint8
    assert attributes["smile"].dtype == attributes["glasses"].dtype == np.bool_
    assert attributes["hair"].dtype == attributes["skin"].dtype == np.uint8
    assert set(attributes) == {"smile", "glasses", "hair", "skin", *CONTINUOUS}
    assert all(values.shape == (5,) for values in attributes.values())
    assert synthetic_faces(0)[0].shape == (0, 64, 64, 3) and synthetic_faces(1, size=20)[0].shape == (1, 20, 20, 3)


def test_face_i_is_the_same_whatever_n_is():
    images, attributes = synthetic_faces(50, seed=3)
    for n in (1, 15, 17):
        few, names = synthetic_faces(n, seed=3)
        np.testing.assert_array_equal(few, images[:n])
        for name, values in names.items():
            np.testing.assert_array_equal(values, attributes[name][:n])


def test_another_seed_gives_other_faces():
    assert (synthetic_faces(20, seed=0)[0] != synthetic_faces(20, seed=1)[0]).any((1, 2, 3)).all()


def test_the_attributes_are_what_is_drawn():
    images, attributes = synthetic_faces(40)
    np.testing.assert_array_equal(draw_faces(attributes), images)


@pytest.mark.parametrize("name, values", [("smile", [False, True]), ("glasses", [False, True]),
                                          ("hair", range(len(HAIR))), ("skin", range(len(SKIN)))])
def test_every_attribute_shows_in_every_face(name, values):
    _, attributes = synthetic_faces(30)
    drawn = [draw_faces({**attributes, name: np.full(30, value, attributes[name].dtype)}) for value in values]
    for i in range(len(drawn)):
        for other in drawn[:i]:
            assert ((drawn[i] != other).any(3).sum((1, 2)) > 10).all()


def test_a_smile_changes_the_mouth_and_nothing_else():
    _, attributes = synthetic_faces(30)
    smiling, neutral = (draw_faces({**attributes, "smile": np.full(30, smile)}) for smile in (True, False))
    rows = np.flatnonzero((smiling != neutral).any((0, 2, 3)))
    assert rows.min() > 34 and rows.max() < 56


def test_attributes_are_drawn_independently_and_in_range():
    _, attributes = synthetic_faces(5000, size=1)
    table = np.stack([values.astype(float) for values in attributes.values()])
    correlations = np.corrcoef(table) - np.eye(len(table))
    assert abs(correlations).max() < 5 / np.sqrt(5000)
    assert abs(attributes["smile"].mean() - 0.5) < 0.04
    assert np.bincount(attributes["hair"]).min() > 700 and len(np.bincount(attributes["hair"])) == len(HAIR)
    for name, (low, high) in CONTINUOUS.items():
        assert low <= attributes[name].min() and attributes[name].max() <= high


def test_the_smile_can_be_learnt_from_pixels():
    images, attributes = synthetic_faces(1200, size=32)
    points = images.reshape(1200, -1).astype(np.float64) / 255 - 0.5
    sign = 2.0 * attributes["smile"] - 1
    known, asked = points[:1000], points[1000:]
    weights = known.T @ np.linalg.solve(known @ known.T + 10 * np.eye(1000), sign[:1000])
    assert (np.sign(asked @ weights) == sign[1000:]).mean() > 0.95
