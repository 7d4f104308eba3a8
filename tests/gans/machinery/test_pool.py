"""A pool of pictures: what it keeps and shows, without graphs, and saved with all it keeps."""

import numpy as np
import pytest

import minigrad as mg
from gans.machinery.pool import Pool


def pictures(*numbers):
    """A picture of one number each."""
    return mg.tensor(numbers, dtype=mg.float32).reshape(-1, 1, 1, 1).expand(-1, 1, 2, 2)


def shown(pool, numbers, coins):
    return pool(pictures(*numbers), mg.tensor(coins))[:, 0, 0, 0].tolist()


def test_a_pool_shows_what_comes_until_it_is_full_and_then_half_of_what_came_before():
    pool = Pool(3, (2, 2, 1))
    never, always = [0.9, 0.0], [0.1, 0.4]  # (coin, place): 0.4 is the second of three
    assert shown(pool, [1, 2], [always, always]) == [1, 2]
    assert shown(pool, [3, 4, 5], [always, never, always]) == [3, 4, 2]
    assert shown(pool, [6], [[0.1, 0.4]]) == [5]
    assert pool.kept[:, 0, 0, 0].tolist() == [1, 6, 3]


def test_a_pool_of_none_shows_what_comes():
    assert shown(Pool(0, (2, 2, 1)), [1, 2], [[0.0, 0.0]] * 2) == [1, 2]


def test_what_a_pool_shows_has_no_graph():
    pool, made = Pool(2, (2, 2, 1)), pictures(1, 2).clone().requires_grad_() * 2
    out = pool(made, mg.tensor([[0.0, 0.0]] * 2))
    assert made.requires_grad and not out.requires_grad and not pool.kept.requires_grad


def test_half_of_what_a_full_pool_shows_is_old_and_stays_for_fifty_steps_or_so():
    pool, rng, ages = Pool(50, (1, 1, 1)), np.random.default_rng(0), []
    for k in range(3000):
        out = float(pool(mg.full((1, 1, 1, 1), float(k)), mg.tensor(rng.random((1, 2), np.float32))))
        ages += [k - out] * (k > 500)
    ages = np.array(ages)
    assert 0.45 < (ages > 0).mean() < 0.55 and 80 < ages[ages > 0].mean() < 120  # 50 places, one in two steps


def test_a_pool_of_other_pictures_is_not_gone_on_with():
    with pytest.raises(ValueError, match=r"a pool of \(2, 1, 2, 2\), not \(3, 1, 2, 2\)"):
        Pool(3, (2, 2, 1)).load_state_dict(Pool(2, (2, 2, 1)).state_dict())


def test_a_saved_pool_shows_the_same():
    pool, other = Pool(2, (2, 2, 1)), Pool(2, (2, 2, 1))
    shown(pool, [1, 2], [[0.0, 0.0]] * 2)
    other.load_state_dict(pool.state_dict())
    assert shown(other, [3, 4], [[0.1, 0.9], [0.1, 0.1]]) == shown(pool, [3, 4], [[0.1, 0.9], [0.1, 0.1]]) == [2, 1]
