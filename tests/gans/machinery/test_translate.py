"""How generators of pictures of pictures are run, and `python -m gans.apply`."""

import importlib

import numpy as np
import pytest
from PIL import Image

import minigrad as mg
from gans.machinery import translate
from minigrad import nn
from minigrad.errors import DataError, MinigradError

PICTURES = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 1), np.uint8)


def dropping():
    return translate.described(nn.Sequential(nn.Conv2d(1, 3, 3, 1, 1), nn.Dropout(0.5), nn.Tanh()), (16, 16, 1),
                               (16, 16, 3))


def test_values_are_dropped_as_in_training_by_numbers_of_the_seed_and_the_run_goes_on_as_it_was():
    mg.manual_seed(1)
    G = dropping().eval()
    state = repr(mg.get_rng_state())
    first, again, other = (translate.translated(G, PICTURES, seed) for seed in (7, 7, 8))
    assert first.shape == (5, 16, 16, 3) and first.dtype == np.uint8
    assert (first == again).all() and (first != other).mean() > 0.2
    assert not G.training and repr(mg.get_rng_state()) == state and mg.initial_seed() == 1
    assert 0.4 < (first == 128).mean() < 0.6  # tanh(0), of what was dropped


def test_blocks_are_halved_one_by_one():
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 12, 3), np.uint8)
    row = translate.blocks(images).reshape(2, 2, 3, 2, 2, 3)[1, 0, 2]
    expected = [[images[1, i:i + 2, j:j + 2].mean((0, 1)) / 255 for j in (8, 10)] for i in (0, 2)]
    np.testing.assert_allclose(row, expected, rtol=1e-6)


def test_a_sheet_has_rows_of_grey_and_of_colour():
    assert translate.sheet(PICTURES, PICTURES).ndim == 2
    assert translate.sheet(PICTURES, PICTURES.repeat(3, 3)).shape == (2 * (2 * 18 + 2), 2 * (5 * 18 + 2), 3)


@pytest.fixture
def run(there, trained):
    """A run of pix2pix."""
    options = ["--data", "colour", "--size", "16", "--width", "2", "--batch", "4", "--steps", "2", "--out", "run"]
    trained(importlib.import_module("gans.pix2pix").demo, options)
    (there / "mine" / "more").mkdir(parents=True)
    for name in ("mine/a.png", "mine/more/b.jpg"):
        Image.fromarray(np.full((30, 40, 3), 200, np.uint8)).save(name)
    return there


def test_apply_makes_pictures_of_a_folder_or_of_a_file_always_the_same(run, capsys):
    assert translate.main(["run", "mine"]) == 0
    assert capsys.readouterr().out == "wrote 2 pictures of 16x16 to run/made\n"
    assert translate.main(["run", "mine/a.png", "--out", "there"]) == 0
    assert capsys.readouterr().out == "wrote there/a.png\n"
    one, same, other = (np.asarray(Image.open(p)) for p in ("there/a.png", "run/made/a.png", "run/made/more/b.png"))
    assert one.shape == other.shape == (16, 16, 3) and (one == same).all()
    translate.main(["run", "mine/a.png", "--out", "there", "--seed", "9"])
    assert (one != np.asarray(Image.open("there/a.png"))).any()


def test_apply_refuses_in_one_line(run, trained):
    for path, says in (("nowhere", "nowhere: there is no such folder or zip file"), ("run/samples", "holds no image")):
        with pytest.raises(DataError, match=says):
            translate.main(["run", path])
    (run / "mine" / "c.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="c.png: does not decode"):
        translate.main(["run", "mine/c.png"])
    trained(importlib.import_module("gans.pattern1010").demo, ["--steps", "3", "--out", "four"])
    with pytest.raises(MinigradError, match="four: gans.pattern1010 makes samples of noise, not of pictures; python -m "
                                            "gans.sample four draws some"):
        translate.main(["four", "mine"])
