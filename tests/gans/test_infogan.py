"""Codes that nobody labelled: matching, moments and warps beside other ways to find them; a run that goes on."""

import itertools

import numpy as np
import pytest

import gans
import minigrad as mg
from gans import infogan
from gans.machinery import codes, run
from gans.machinery.samples import described
from gans.machinery.warps import SHIFT, SLANT, STRETCH, TURN, warp, warped
from minigrad.data.digits import synthetic_digits
from minigrad.testing import check_grad

torch = pytest.importorskip("torch")
SHORT = ["--data", "synthetic", "--steps", "6", "--batch", "8"]


def test_a_matching_is_the_best_of_all_permutations():
    rng = np.random.default_rng(0)
    for _ in range(20):
        table = rng.integers(0, 9, (6, 6))
        best = max(sum(table[k, way[k]] for k in range(6)) for way in itertools.permutations(range(6)))
        found = codes.matched(table)
        assert sorted(found) == list(range(6)) and table[range(6), found].sum() == best


def test_pairs_are_counted():
    assert codes.counts([0, 0, 2], np.array([1, 1, 0]), 3).tolist() == [[0, 2, 0], [0, 0, 0], [1, 0, 0]]


def test_moments_are_numpys_weighted_covariances():
    images, _ = synthetic_digits(20, 3)
    found = codes.shapes(images)
    y, x = np.mgrid[:28, :28]
    for k, image in enumerate(images):
        (xx, xy), (_, yy) = np.cov(x.ravel(), -y.ravel(), aweights=image.ravel().astype(float), ddof=0)[[0, 1]]
        assert found["slant"][k] == pytest.approx(xy / yy)
        assert found["width"][k] == pytest.approx((xx - xy ** 2 / yy) ** 0.5)


def test_a_shear_changes_the_slant_by_itself_and_leaves_the_width():
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 8:20, 11:17] = 255
    leaning = np.stack([np.roll(row, (19 - k) // 2 - 3) for k, row in enumerate(image[0])])[None]
    before, after = codes.shapes(image), codes.shapes(leaning)
    assert after["slant"] - before["slant"] == pytest.approx(0.5, abs=0.02)
    assert after["width"] == pytest.approx(before["width"], rel=0.03)
    assert codes.shapes(np.zeros((1, 28, 28), np.uint8)) == {"slant": [0.0], "width": [0.0]}


def test_which_number_turns_what_is_found_by_measuring():
    """G draws a box that the second number leans and the first one widens; the kind moves it."""
    class Boxes(mg.nn.Module):
        def forward(self, seeds, kinds):
            images = np.zeros((len(seeds), 1, 28, 28), np.float32)
            for image, (wide, lean) in zip(images[:, 0], seeds.numpy()):
                for k in range(8, 20):
                    middle = 14 + (14 - k) * lean / 4
                    image[k, round(middle - 4 - wide):round(middle + 4 + wide)] = 1
            return mg.tensor(images)

    G = described(Boxes(), (2,), image_shape=(28, 28, 1), classes=2)
    G.weight = mg.nn.Parameter(mg.zeros(1))
    found = codes.turned(G, synthetic_digits(50, 1)[0], n=40)
    assert {name: number for name, (number, _) in found.items()} == {"slant": 1, "width": 0}
    assert all(codes.steady(means) and means[-1] > means[0] for _, means in found.values())


@pytest.mark.parametrize("means, one_way", [([1, 2, 3], True), ([3, 2, 0], True), ([1, 2, 2], False),
                                            ([1, 3, 2], False)])
def test_steady_is_strictly_monotone(means, one_way):
    assert codes.steady(means) is one_way


def test_a_warp_is_torchs_grid_sample():
    numbers, images = np.array([0.5, -0.7, 0.3, -0.4, 0.6, -0.9]), np.random.default_rng(0).random((3, 1, 28, 28))
    ours = warped(mg.tensor(images.astype(np.float32)), [warp(numbers, 28)]).numpy()
    turn, slant, wide, high = numbers[:4] * [TURN, SLANT, STRETCH, STRETCH]
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = turned @ np.array([[1, slant], [0, 1]]) @ np.diag(np.exp([wide, high]))
    theta = torch.tensor(np.concatenate([linear, numbers[4:, None] * SHIFT / 13.5], 1))  # 13.5: from middle to corner
    places = torch.nn.functional.affine_grid(theta.repeat(3, 1, 1), (3, 1, 28, 28), align_corners=True)
    theirs = torch.nn.functional.grid_sample(torch.tensor(images), places, align_corners=True)
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)


def test_each_part_of_a_batch_has_a_warp_of_its_own():
    images, (first, second) = mg.rand(5, 16), (warp(np.array([0, 0, 0, 0, x, 0]), 4) for x in (-0.5, 0.5))
    found, parts = warped(images, [first, second]).numpy(), images.numpy()
    np.testing.assert_allclose(found, np.concatenate([parts[:3] @ first, parts[3:] @ second]), atol=1e-6)
    assert warped(images[:1], [first, second]).shape == (1, 16), "fewer images than warps"


def test_gradients_flow_through_a_warp():
    matrix = warp(np.array([0.5, -0.7, 0.3, -0.4, 0.6, -0.9]), 5).astype(np.float64)
    check_grad(lambda x: warped(x, [matrix]), np.random.default_rng(0).standard_normal((2, 1, 5, 5)))


@pytest.mark.slow  # reliability/test_demos.py stops and kills a shorter one
def test_a_run_that_is_resumed_is_the_same_to_the_bit(there, ended, interrupted):
    infogan.demo([*SHORT, "--out", "whole"])
    interrupted(infogan.demo, [*SHORT, "--out", "parts"], 3)
    infogan.demo(["--resume", "parts"])
    assert ended("whole") == ended("parts")


def test_it_says_what_its_codes_are_and_makes_samples_of_each_kind(there, capsys):
    assert infogan.demo([*SHORT, "--samples", "20", "--check"]) in (0, 1)
    out = capsys.readouterr().out
    assert "Kinds, and what they are read as: 0 is " in out and "turns slant: from -2 to 2" in out
    assert "samples that are their kind's digit" in out and "runs/infogan/codes.png" in out
    assert np.load("runs/infogan/labels.npy").tolist() == [*range(10)] * 2
    G = gans.load("runs/infogan")
    assert G(mg.zeros(3, *G.seed_shape), mg.eye(10)[:3]).shape == (3, 784)
    assert G.coded and G.classes == 10, "there is a kind to give, but no class to ask for"


def test_d_reads_nothing_of_a_code_that_nobody_pays_for(there, trained, monkeypatch):
    """With --information 0, the layers that read stay as they were drawn, and those that answer learn."""
    found, keep = {}, run.Run.keep

    def kept(self, **parts):
        found.update(D=parts["D"], before={name: x.numpy().copy() for name, x in parts["D"].state_dict().items()})
        keep(self, **parts)

    monkeypatch.setattr(run.Run, "keep", kept)
    trained(infogan.demo, [*SHORT, "--information", "0"])
    for name, value in found["D"].state_dict().items():
        assert (value.numpy() == found["before"][name]).all() == name.startswith("read."), name


def test_the_quick_form_passes(there, monkeypatch):
    monkeypatch.setattr(run.Run, "picture_due", lambda *_: False)
    assert infogan.demo(["--check", *infogan.QUICK.split()]) == 0
