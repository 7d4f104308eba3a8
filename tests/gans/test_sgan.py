"""A hundred labels: which they are, that no other is looked at, likeness within a batch, and a run that goes on."""

import numpy as np
import pytest

import minigrad as mg
from gans import sgan
from gans.machinery.parts import MinibatchDiscrimination
from gans.machinery.supervised import a_few, overwritten, paired


def test_the_few_labels_are_as_many_of_each_class_and_others_with_another_seed():
    labels = np.random.default_rng(0).integers(0, 10, 2000)
    few = a_few(labels, 7, 1)
    assert np.bincount(labels[few]).tolist() == [7] * 10 and len(set(few)) == 70
    assert set(few) != set(a_few(labels, 7, 2)) and (few == a_few(labels, 7, 1)).all()


def test_all_labels_but_the_few_are_overwritten():
    labels = np.arange(5000) % 10
    few = a_few(labels, 10, 1)
    found = overwritten(labels, few)
    assert (found[few] == labels[few]).all() and (found != labels).mean() > 0.8


def test_likeness_within_a_batch_is_permuted_with_it_and_leaves_a_sample_itself_out():
    mg.manual_seed(0)
    layer, x = MinibatchDiscrimination(6, kernels=3, size=2), mg.randn(5, 6)
    order = np.array([3, 0, 4, 1, 2])
    found = layer(x).detach().numpy()
    np.testing.assert_allclose(layer(x[order]).detach().numpy(), found[order], rtol=1e-6)
    np.testing.assert_allclose(layer(x[:1]).detach().numpy()[0, 6:], 0.0)  # alone, nothing is like it
    np.testing.assert_allclose(layer(x[:1].repeat(4, 1)).detach().numpy()[:, 6:], 3.0)
    views = (x.numpy() @ layer.views.detach().numpy()).reshape(5, 3, 2)
    by_hand = [[sum(np.exp(-abs(views[i, k] - views[j, k]).sum()) for j in range(5) if j != i) for k in range(3)]
               for i in range(5)]
    np.testing.assert_allclose(found[:, 6:], by_hand, rtol=1e-5)


def test_a_paired_gain_has_the_interval_of_students_t():
    mean, half = paired([3.0, 5.0, 7.0], [1.0, 2.0, 3.0])
    assert mean == 3.0 and half == pytest.approx(4.303 / 3 ** 0.5)


@pytest.mark.slow  # reliability/test_demos.py stops and kills a shorter one
@pytest.mark.parametrize("options", [[], ["--minibatch-discrimination"]])
def test_a_run_that_is_resumed_is_the_same_to_the_bit(there, ended, interrupted, options):
    options = ["--data", "synthetic", "--steps", "6", "--batch", "8", *options]
    sgan.demo([*options, "--out", "whole"])
    interrupted(sgan.demo, [*options, "--out", "parts"], 3)
    sgan.demo(["--resume", "parts"])
    assert ended("whole") == ended("parts")


def test_overwritten_labels_leave_a_run_as_it_is_to_the_bit(there, capsys):
    sgan.demo(["--data", "synthetic", "--steps", "6", "--batch", "8", "--check"])
    assert "PASS same bits without other labels 1 ==1" in capsys.readouterr().out
