"""Readers of attributes: how well they read what nobody has learnt from, and what is measured without a network."""

import numpy as np
import pytest

import minigrad as mg
from gans.machinery import attributes
from gans.machinery.imagesets import Pictures
from minigrad.data.digits import synthetic_digits
from minigrad.data.faces import draw_faces, synthetic_faces


def test_faces_that_were_not_learnt_from_are_read_right_and_a_run_goes_on_with_its_numbers(monkeypatch):
    monkeypatch.setattr(attributes, "STEPS", 120)
    state = mg.get_rng_state()
    net = attributes.train_face_reader()
    assert str(mg.get_rng_state()) == str(state)
    images, truth = synthetic_faces(500, 1, 32)
    for shades in (6, 3):
        reader = attributes.Faces(net, shades)
        found = reader.read(images)
        for name, p in found.items():
            assert p.shape == (500, len(reader.values[name])) and abs(p.sum(1) - 1).max() < 1e-5
            asked = truth[name] // 2 if name == "skin" and shades == 3 else truth[name]
            assert (p.argmax(1) == asked).mean() >= 0.97, name
    assert attributes.Faces(net).features(images[:5]).shape == (5, 128)


@pytest.mark.parametrize("lean", [-0.7, 0.0, 0.4])
def test_a_line_that_leans_has_its_slope(lean):
    image = np.zeros((1, 41, 41), np.uint8)
    for row in range(41):
        image[0, row, round(20 - lean * (row - 20))] = 200
    assert attributes.slant(image)[0] == pytest.approx(lean, abs=0.02)
    assert attributes.slant(np.zeros((2, 5, 5), np.uint8)).tolist() == [0, 0], "no ink does not lean"


def test_digits_are_read_by_the_judge_and_measured_by_their_ink_and_slant(there):
    images, labels = synthetic_digits(300, 5)
    pictures = Pictures("mnist", "drawn", images[..., None], images[..., None], labels, labels)
    reader = attributes.reader_of(pictures)
    found = reader.read(images)
    assert {name: p.shape for name, p in found.items()} == {"class": (300, 10), "ink": (300, 2), "slant": (300, 2)}
    assert abs(found["ink"][:, 1].mean() - 0.5) < 0.02 and abs(found["slant"][:, 1].mean() - 0.5) < 0.02
    assert images[found["ink"].argmax(1) == 1].mean() > images[found["ink"].argmax(1) == 0].mean()
    assert attributes.reader_of(Pictures("own/", "", images[..., None], images[..., None])) is None
    _, told, truth = attributes.known(pictures, 100)
    assert truth is None and np.array_equal(told["7"], labels[:100] == 7)


@pytest.mark.parametrize("name", ["smile", "glasses"])
@pytest.mark.parametrize("size", [16, 32])
def test_the_box_of_an_attribute_holds_all_pixels_that_change_with_it_and_touches_some_on_each_side(name, size):
    _, truth = synthetic_faces(30, 7, size)
    found = attributes.boxes(truth, name, size)
    both = [draw_faces({**truth, name: np.full(30, on)}, size) for on in (False, True)]
    for off, on, (top, bottom, left, right) in zip(*both, found):
        changed = (off != on).any(2)
        inside = changed[top:bottom, left:right]
        assert inside.sum() == changed.sum() > 0
        assert inside[0].any() and inside[-1].any() and inside[:, 0].any() and inside[:, -1].any()


def test_larger_faces_are_read_at_the_readers_size():
    images = np.repeat(np.repeat(synthetic_faces(3, 0, 32)[0], 2, 1), 2, 2)
    np.testing.assert_array_equal(attributes.as_faces(images).numpy(), attributes.as_faces(images[:, ::2, ::2]).numpy())
