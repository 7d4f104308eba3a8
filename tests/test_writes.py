"""Which writes make a pending backward stale, and which do not."""

import gc

import numpy as np
import pytest

import minigrad as mg
from minigrad import writes
from minigrad.writes import Writes, span, touch


@pytest.mark.parametrize("kind", [mg.optim.SGD, mg.optim.Adam, mg.optim.RMSprop])
def test_a_step_leaves_the_pending_graphs_of_other_parameters_of_one_optimiser_alone(kind):
    a, b = mg.nn.Linear(3, 2), mg.nn.Linear(3, 2)
    optimiser = kind([*a.parameters(), *b.parameters()], lr=0.1)
    x = mg.ones(1, 3, requires_grad=True)
    loss_a, loss_b, again = a(x).sum(), b(x).sum(), a(x).sum()
    loss_a.backward()
    expected = b.weight.detach().clone()
    optimiser.step()  # only a has gradients
    x.grad = None
    loss_b.backward()
    assert x.grad.tolist() == expected.sum(0, keepdim=True).tolist()
    with pytest.raises(RuntimeError, match="its input 1.*changed in place"):
        again.backward()


def test_memory_is_told_apart_by_the_bytes_that_a_view_reaches():
    rng = np.random.default_rng(0)
    for _ in range(300):
        base = np.zeros((6, 5))
        views = [base[tuple(slice(*sorted(rng.integers(0, n + 1, 2)), rng.choice((1, 2))) for n in base.shape)]
                 for _ in range(2)]
        views = [view[::-1] if rng.random() < 0.5 else view.T if rng.random() < 0.5 else view for view in views]
        before = writes.tick()
        touch(views[0])
        noticed = Writes.after(before, views[1])
        if np.shares_memory(*views):
            assert noticed
        (a, b), (c, d) = map(span, views)
        assert noticed == (a < d and c < b and views[0].size > 0 and views[1].size > 0)
        assert not Writes.after(writes.tick(), views[1])


def test_many_stretches_of_one_memory_become_one_and_forget_nothing():
    base = np.zeros(10_000)
    before = writes.tick()
    for i in range(0, 4000, 2):
        touch(base[i:i + 1])
    assert len(Writes.by_owner[id(base)][0]) <= writes.MOST
    assert all(Writes.after(before, base[i:i + 1]) for i in range(0, 4000, 2))
    assert not Writes.after(before, base[5000:])


def test_what_is_known_of_memory_goes_with_it():
    gc.collect()
    count = len(Writes.by_owner)
    arrays = [np.zeros(3) for _ in range(10)]
    for array in arrays:
        touch(array)
    assert len(Writes.by_owner) == count + 10
    del array, arrays
    assert len(Writes.by_owner) == count


def test_nothing_is_written_by_an_empty_view():
    base = np.zeros(4)
    before = writes.tick()
    touch(base[2:2])
    assert not Writes.after(before, base)
