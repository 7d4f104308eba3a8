"""Hills: each loss and remedy takes steps and goes on to the bit; the picture of D; what is refused; the figures."""

import numpy as np
import pytest
from PIL import Image

import gans
import minigrad as mg
from gans import modes
from gans.machinery import heatmaps, samples, saturation
from gans.machinery.commandline import main
from gans.machinery.losses import MINIMAX, NS
from minigrad import nn

FEW = ["--steps", "12", "--batch", "16"]
WAYS = [*(["--loss", loss] for loss in modes.LOSSES), ["--data", "grid"], ["--pack", "2", "--loss", "wgan-gp"],
        ["--collapse", "--minibatch-discrimination"], ["--collapse", "--unrolled", "2"], ["--pack", "4"]]


@pytest.mark.slow  # reliability/test_demos.py stops and kills a shorter one
@pytest.mark.parametrize("options", WAYS, ids=" ".join)
def test_a_run_that_is_resumed_is_the_same_to_the_bit(there, ended, interrupted, monkeypatch, options):
    monkeypatch.setattr(heatmaps, "PLACES", 4)
    modes.demo([*FEW, *options, "--out", "whole"])
    interrupted(modes.demo, [*FEW, *options, "--out", "parts"], 5)
    modes.demo(["--resume", "parts"])
    assert ended("whole") == ended("parts")


def test_it_writes_every_artefact_counts_by_both_rules_and_samples(there, capsys):
    assert modes.demo([*FEW, "--check"]) == 1
    out = capsys.readouterr().out
    assert "FAIL hills with one good sample" in out and "PacGAN2, PacGAN's table 1" in out
    assert "PASS G's slope, saturating / other" in out
    for name in ("metrics.csv", "losses.png", "training.gif", "gradients.png"):
        assert (there / "runs/modes" / name).stat().st_size > 100 and f"runs/modes/{name}" in out
    G = gans.load("runs/modes")
    assert G(mg.zeros(3, *G.seed_shape)).shape == (3, 2) and G.seed_shape == (8,)
    assert samples.main(["runs/modes"]) == 0
    with Image.open(there / "runs/modes/sample.png") as picture:
        assert picture.mode == "RGB"


def test_the_check_of_a_collapse_is_over_eight_seeds(there, capsys):
    modes.demo([*FEW, "--collapse", "--check"])
    out = capsys.readouterr().out
    assert all(f"seed {seed}: KL to equal shares" in out for seed in range(2, 9)) and ">=6" in out
    assert not (there / "runs/modes/gradients.png").exists() and gans.load("runs/modes").seed_shape == (2,)


@pytest.mark.parametrize("options, says", [
    (["--pack", "3"], "--pack 3: a batch of 256 is not so many whole packs; use a divisor"),
    (["--loss", "wgan", "--penalty", "1"], "--penalty: has no effect here, only with a --loss that has one"),
    (["--loss", "gan"], "argument --loss: invalid choice"), (["--unrolled", "-1"], "-1 is too small; give 0 or more")])
def test_what_makes_no_sense_is_refused_in_one_line_and_nothing_is_written(there, capsys, options, says):
    with pytest.raises(SystemExit) as ended:
        main(lambda: modes.demo(options))
    err = capsys.readouterr().err
    assert ended.value.code == 2 and says in err and err.count("\n") == 1 and not (there / "runs").exists()


# Pictures


@pytest.mark.parametrize("answers, high", [("logits", 1), ("scores", 1), ("energies", 0)])
def test_light_is_what_d_takes_for_real(answers, high):
    """D answers 4 x: the right is light, but where it is an energy; a probability is the sigmoid."""
    D = nn.Linear(2, 1, bias=False)
    D.weight.data.copy_(mg.tensor([[4.0, 0.0]]))
    places = np.stack([np.linspace(-1, 1, 41), np.ones(41)], 1)
    light = heatmaps.opinion(D, places, answers=answers)
    assert light[-1] == pytest.approx(high, abs=0.02) and light[0] == pytest.approx(1 - high, abs=0.02)
    if answers == "logits":
        np.testing.assert_allclose(light, 1 / (1 + np.exp(-4 * places[:, 0])), rtol=1e-5)
    assert 0 <= light.min() and light.max() <= 1


def test_a_place_is_shown_as_a_pack_of_equal_ones_and_alone_where_d_looks_at_others():
    seen = []

    class D(nn.Linear):
        def forward(self, x):
            seen.append(x.numpy().copy())
            return super().forward(x)

    heatmaps.opinion(D(6, 1), np.float64([[1, 2], [3, 4]]), pack=3, alone=True)
    np.testing.assert_array_equal(seen, [[[1, 2] * 3], [[3, 4] * 3]])


def test_the_saturating_loss_leaves_g_the_share_of_the_slope_that_d_leaves_unsure():
    """With D(x) = c everywhere near, the ratio of the slopes is D / (1 - D): both go through the same logit."""
    G, D = nn.Linear(1, 1), nn.Linear(1, 1)
    D.weight.data.fill_(0.01), D.bias.data.fill_(-3.0)
    z = mg.tensor([[0.5], [0.5]])
    p = 1 / (1 + np.exp(-D(G(z)).mean().item()))
    rows = saturation.slopes(G, D, lambda k: (mg.ones(2, 1), z), steps=0)
    assert rows[0][0] == 0 and rows[0][2] / rows[0][1] == pytest.approx(p / (1 - p), rel=1e-4)
    assert NS.g(D(G(z))).item() > 0 > MINIMAX.g(D(G(z))).item()


def test_the_quick_form_passes(there):
    assert modes.demo(["--check", *modes.QUICK.split()]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--data", "grid"], ["--collapse"]], ids=" ".join)
def test_its_figures(there, options):
    assert modes.demo(["--check", *options]) == 0
