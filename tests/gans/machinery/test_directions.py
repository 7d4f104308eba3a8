"""Logistic regression, sums of concepts and pushes, where attributes are coordinates of the seeds by construction."""

import numpy as np
import pytest

from gans.machinery import directions
from gans.machinery.directions import Known, added, as_asked, logistic_regression, pushed, softmax, sums

VALUES = {"first": ("no", "yes"), "second": ("no", "yes"), "third": ("low", "middle", "high")}


def read(seeds):
    """An image is its seed: its first number tells the first attribute, ..., all as certain probabilities."""
    x = np.asarray(seeds)
    return {"first": np.eye(2)[(x[:, 0] > 0).astype(int)], "second": np.eye(2)[(x[:, 1] > 0.3).astype(int)],
            "third": np.eye(3)[np.digitize(x[:, 2], [-0.5, 0.5])]}


@pytest.fixture(scope="module")
def known():
    seeds = np.random.default_rng(0).standard_normal((3000, 10)).astype(np.float32)
    return Known.of(seeds, read(seeds))


def test_the_regression_is_where_the_slope_of_its_loss_is_nought():
    rng = np.random.default_rng(1)
    x, labels = rng.standard_normal((400, 6)) * [1, 2, 0.5, 1, 1, 3] + 1, rng.integers(0, 3, 400)
    labels[x[:, 0] > 1.2] = 2
    w, b = logistic_regression(x, labels, 3, ridge=0.05, steps=2000)
    off = softmax(x @ w + b) - np.eye(3)[labels]
    assert abs(x.T @ off / 400 + 0.05 * w).max() < 1e-6 and abs(off.mean(0)).max() < 1e-6, "biases are not paid for"


def test_of_two_classes_it_is_newtons_solution():
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((300, 4)), rng.integers(0, 2, 300)
    w, b = logistic_regression(x, y, 2, ridge=0.1, steps=2000)
    rows, theta = np.c_[x, np.ones(300)], np.zeros(5)
    for _ in range(30):  # two classes' weights are v and -v, so that |w|² is 2 |v|², and of their difference half
        p = 1 / (1 + np.exp(-rows @ theta))
        decay = np.array([0.05] * 4 + [0.0])
        slope, bend = rows.T @ (p - y) / 300 + decay * theta, (rows.T * (p * (1 - p))) @ rows / 300 + np.diag(decay)
        theta = theta - np.linalg.solve(bend, slope)
    np.testing.assert_allclose(np.r_[w[:, 1] - w[:, 0], b[1] - b[0]], theta, atol=1e-6)


def test_a_direction_is_the_coordinate_that_decides_and_leaves_the_others_alone(known):
    for k, (name, words) in enumerate(VALUES.items()):
        way = known.direction(name, len(words) - 1)
        assert way[k] > 0.95 and np.linalg.norm(way) == pytest.approx(1)
        for other in set(VALUES) - {name}:
            w = known.weights[other]
            assert abs(way @ (w[:, 1:] - w[:, :1])).max() < 1e-9


def test_exemplars_are_read_as_the_concept_and_lie_farthest_on_its_side(known):
    chosen = known.exemplars(first=1, second=0)
    assert known.labels["first"][chosen].tolist() == [1] * 3 and known.labels["second"][chosen].tolist() == [0] * 3
    likely = known.likely["first"][:, 1] + known.likely["second"][:, 0]
    there = (known.labels["first"] == 1) & (known.labels["second"] == 0)
    assert set(chosen) == set(np.flatnonzero(there)[np.argsort(-likely[there])[:3]])


def test_all_sums_are_asked_and_where_attributes_are_coordinates_all_are_read_so(known):
    asked = sums(VALUES)
    assert len(asked) == len(set(asked)) == 2 * 2 + 2 * 6 + 2 * 6
    assert all(s.a != s.c and s.b != s.d for s in asked)
    there, z = added(known, asked)
    assert there == asked
    for s, seed in zip(there[:5], z):
        a, b, c = (known.seeds[known.exemplars(**concept)].mean(0) for concept in s.concepts())
        np.testing.assert_allclose(seed, a - b + c, rtol=1e-5)
    shares, counts = as_asked(there, read(z))
    assert min(shares.values()) > 0.9 and shares["first and second"] == 1
    assert counts["first"].sum() == 4 + 12 and counts["third"].sum() == 24
    wrong, counts = as_asked(there, {name: np.roll(p, 1, 1) for name, p in read(z).items()})
    assert max(wrong.values()) < 0.1 and np.trace(counts["first"]) < 2


def test_a_concept_without_three_exemplars_is_left_out(known):
    few = known._replace(labels={**known.labels, "first": np.zeros(3000, int)})
    there, z = added(few, sums(VALUES))
    assert {s.first for s in there} == {"second"} and len(there) == len(z) == 12


def test_seeds_are_pushed_just_so_far_that_they_are_read_so(known):
    z = np.zeros((4, 10), np.float32)
    z[:, 0] = [-0.5, -1.5, -9, 1]  # one push, two, more than there are; it is so already
    share, rest = pushed(known, read, z, "first", 1)
    assert share == pytest.approx(2 / 3) and set(rest) == {"second", "third"} and min(rest.values()) >= 0.6
    assert directions.pushed(known, read, z[3:], "first", 1) == (1, {}), "nobody has to be pushed"
