"""Stacked digits: which mode a stack is of, packs, equal images seen, what is counted; runs that go on."""

from argparse import Namespace

import numpy as np
import pytest

import gans
import minigrad as mg
from gans import stacked
from gans.machinery import folder, imagesets, metrics, samples, stackcounts, stacks
from gans.machinery.commandline import main
from gans.machinery.imagesets import Pictures
from gans.machinery.pictures import grid
from minigrad.data.digits import synthetic_digits

FEW = ["--data", "synthetic", "--steps", "4", "--batch", "8", "--width", "4"]


@pytest.fixture
def singles():
    (images, labels), (others, theirs) = synthetic_digits(300, 1), synthetic_digits(50, 2)
    return Pictures("synthetic", "digits", images[..., None], others[..., None], labels, theirs)


class Perfect:
    """A judge that knows the images."""

    def __init__(self, pictures):
        images = np.concatenate([pictures.train, pictures.held_out])[..., 0]
        self.known = dict(zip([image.tobytes() for image in images],
                              np.concatenate([pictures.labels, pictures.held_out_labels])))

    def read(self, images):
        return None, np.eye(10)[[self.known[image.tobytes()] for image in images]]


@pytest.mark.parametrize("digits", [2, 3])
def test_a_stack_is_read_as_the_number_that_its_labels_spell(singles, digits):
    found = stacks.stacked(singles, digits)
    assert found.shape == (28, 28, digits) and len(found.train) == len(found.labels) == 128_000
    some, judge = np.array([5, 0, 127_999]), Perfect(singles)
    assert stackcounts.read(judge, found.train[some]).tolist() == found.labels[some].tolist()
    assert stackcounts.read(judge, found.held_out).tolist() == found.held_out_labels.tolist()
    real = stackcounts.real_ones(found, judge, digits)
    assert real.hit == 10 ** digits == real.modes and real.n == 26 * 10 ** digits
    assert real.kl == pytest.approx(real.floor, rel=0.25)


def test_a_pack_is_one_input_and_no_image_is_in_two():
    images = mg.randn(12, 2, 5, 5)
    found = stacked.packed(images, 3).numpy()
    assert found.shape == (4, 6, 5, 5)
    for k in range(4):
        np.testing.assert_array_equal(found[k], np.concatenate(images.numpy()[3 * k:3 * k + 3]))


@pytest.mark.parametrize("loss", stacked.LOSSES)
def test_d_sees_as_many_images_with_packs_as_without(there, trained, monkeypatch, loss):
    seen, inputs, build = {}, [], stacked.discriminator

    def watched(args):
        D = build(args)
        D.register_forward_pre_hook(lambda _, x: inputs.append(x[0].shape) if mg.is_grad_enabled() else None)
        return D

    monkeypatch.setattr(stacked, "discriminator", watched)
    for pack in (1, 2, 4):
        inputs.clear()
        trained(stacked.demo, [*FEW, "--loss", loss, "--pack", str(pack), "--out", str(pack)])
        assert {shape[1] for shape in inputs} == {2 * pack}
        seen[pack] = sum(shape[0] * pack for shape in inputs)
    assert seen[1] == seen[2] == seen[4]


def test_two_channels_are_red_and_green():
    images = np.random.default_rng(0).integers(0, 256, (4, 3, 3, 2), np.uint8)
    sheet = grid(images, 2, scale=1, gap=0)
    assert sheet.shape == (6, 6, 3) and (sheet[:3, 3:, :2] == images[1]).all() and not sheet[..., 2].any()


WAYS = [[], ["--loss", "wgan-gp", "--digits", "3"]]


@pytest.mark.slow  # reliability/test_demos.py stops and kills a shorter one
@pytest.mark.parametrize("options", WAYS, ids=" ".join)
def test_a_run_that_is_resumed_is_the_same_to_the_bit(there, ended, interrupted, options):
    stacked.demo([*FEW, *options, "--out", "whole"])
    interrupted(stacked.demo, [*FEW, *options, "--out", "parts"], 2)
    stacked.demo(["--resume", "parts"])
    assert ended("whole") == ended("parts")


def test_its_check_compares_packs_and_single_images_over_seeds_beside_real_stacks(there, capsys):
    assert stacked.demo([*FEW, "--check", "--seeds", "2"]) in (0, 1)
    out = capsys.readouterr().out
    for words in ("packs of 2, seed 1 ", "packs of 2, seed 2 ", "single images, seed 1 ", "single images, seed 2 ",
                  "real ", "over 2 seeds, +- ", "KL: what packs gain"):
        assert words in out, words
    G = gans.load("runs/stacked")
    assert G(mg.zeros(3, *G.seed_shape)).shape == (3, 2, 28, 28)
    assert imagesets.learnt_from(Namespace(**folder.read("runs/stacked"))).shape == G.image_shape
    assert samples.main(["runs/stacked"]) == 0 and (there / "runs/stacked/sample.png").stat().st_size > 100


def test_of_a_thousand_modes_pacgans_tables_are_said(capsys):
    found = metrics.mode_counts(np.arange(26_000) % 1000, 1000)
    stackcounts.said({"here": found}, found)
    out = capsys.readouterr().out
    assert "PacGAN's table 2: DCGAN" in out and "78.9" in out and "4.50" in out and "484.5" in out


@pytest.mark.parametrize("options, says", [
    (["--pack", "3"], "--pack 3: a batch of 64 is not so many whole packs; use a divisor"),
    (["--digits", "4"], "argument --digits: invalid choice"),
    (["--seeds", "2"], "--seeds: has no effect here, only with --check")])
def test_what_makes_no_sense_is_refused_in_one_line_and_nothing_is_written(there, capsys, options, says):
    with pytest.raises(SystemExit) as ended:
        main(lambda: stacked.demo(options))
    err = capsys.readouterr().err
    assert ended.value.code == 2 and says in err and err.count("\n") == 1 and not (there / "runs").exists()


def test_the_quick_form_passes(there):
    assert stacked.demo(["--check", *stacked.QUICK.split()]) == 0
