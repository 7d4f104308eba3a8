"""What was trained before, by name or from a run; what is neither is refused in a line."""

import numpy as np
import pytest

import minigrad as mg
from gans import dcgan, pattern1010
from gans.machinery import trained
from minigrad.errors import CheckpointError, MinigradError


def test_a_generator_by_name_has_no_d_and_one_begins_anew_by_the_seed():
    found = trained.opened("faces-dcgan")
    assert found.demo == "dcgan" and found.run is None and found.options.size == 32
    G, D, learnt, blank = trained.networks(found, 3)
    assert not learnt and all((a == b).all() for a, b in zip(D.parameters(), blank.parameters()))
    assert all((a == b).all() for a, b in zip(G.state_dict().values(), found.G.state_dict().values()))
    assert not (trained.networks(found, 4)[1][0].weight == D[0].weight).all()


def test_of_a_run_d_is_what_has_learnt(trained_small):
    found = trained.opened(trained_small)
    G, D, learnt, blank = trained.networks(found, 1)
    assert learnt and not (D[0].weight == blank[0].weight).all() and str(found.run) == trained_small
    assert np.isfinite(D(G(mg.randn(2, 100, 1, 1))).detach().numpy()).all()


@pytest.fixture
def trained_small(there, trained):
    """The folder of a small run of gans.dcgan."""
    trained(dcgan.demo, ["--data", "synthetic", "--width", "2", "--batch", "4", "--steps", "3", "--out", "small"])
    return "small"


@pytest.mark.parametrize("source, kind, says", [
    ("no/run", CheckpointError, "no/run: there is no such folder"), ("faces-dcgna", MinigradError, "did you mean"),
    (".", CheckpointError, "is no run of a demo")])
def test_what_is_no_run_and_no_generator_is_refused(there, source, kind, says):
    with pytest.raises(kind, match=says):
        trained.opened(source)


def test_what_makes_no_images_and_a_d_without_convolutions_are_refused(there):
    pattern1010.demo(["--steps", "20", "--out", "four"])
    with pytest.raises(MinigradError, match="gans.pattern1010 makes no images from random noise"):
        trained.opened("four")
    with pytest.raises(MinigradError, match="the D of gans.mnist has no convolutions to look into"):
        trained.networks(trained.opened("mnist-steady"), 1)
