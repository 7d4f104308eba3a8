"""Indices of every kind, in PyTorch and here: values, gradients to the second order, and what assignment writes."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")

import minigrad as mg  # noqa: E402
from minigrad.testing.source import Seeded  # noqa: E402

COUNT = 600


def drawn(s):
    """A shape, and an index into it that mixes integers, slices, lists, arrays, masks, None and ..., as scripts do."""
    shape = s.shape(1, 4, (1, 4))
    rows = s.shape(1, 2, (1, 3))  # what the arrays broadcast to
    front = s.integer(0, len(shape))
    back = s.integer(front, len(shape))
    parts = [part(s, n, rows) for n in shape[:front]]
    if front < back or s.flag():
        parts += [...] if s.flag() else [slice(None)] * (back - front)
    if front < back and (... in parts[-1:] or len(parts) == back):
        parts += [part(s, n, rows) for n in shape[back:]]
    if front == 0 and back > 1 and not parts[1:] and s.flag():
        parts = [s.rng().random(shape[:2]) < 0.5]
    if s.flag():
        parts.insert(s.integer(0, len(parts)), None)
    return shape, tuple(parts)


def part(s, n, rows):
    """One part of an index, for an axis of length n; arrays broadcast to the shape `rows`."""
    kind = s.integer(0, 6)
    if kind == 0:
        return s.integer(-n, n - 1)
    if kind == 1:
        return slice(*s.choice(((None, None), (1, None), (None, -1), (0, 2), (None, None, 2))))
    if kind == 2:
        return np.asarray(s.integer(-n, n - 1))  # an integer, as a tensor without axes
    if kind == 3:
        return s.rng().integers(-n, n, s.choice((rows, (1,)))).tolist()
    if kind == 4 and len(rows) == 1 and rows[0] <= n:
        mask = np.zeros(n, s.choice(("bool", "uint8")))
        mask[s.rng().permutation(n)[:rows[0]]] = 1
        return mask
    return s.rng().integers(-n, n, rows)


def as_torch(index):
    """The index for PyTorch, whose uint8 masks cannot be assigned to."""
    return tuple(torch.tensor(i.astype(bool) if i.dtype == "uint8" else i) if isinstance(i, np.ndarray) else i
                 for i in index)


def as_mine(index):
    return tuple(mg.tensor(i) if isinstance(i, np.ndarray) else i for i in index)


@pytest.mark.parametrize("block", range(6))
def test_reading_and_its_derivatives_are_pytorchs(block, compare):
    for seed in range(block * COUNT // 6, (block + 1) * COUNT // 6):
        shape, index = drawn(Seeded(seed))
        x = np.random.default_rng(seed).standard_normal(shape)
        # squared, so that there is a second derivative
        compare(lambda x: x[as_mine(index)] ** 2, lambda x: x[as_torch(index)] ** 2, [x], np.random.default_rng(seed))  # noqa: B023


def test_assignment_is_pytorchs():
    for seed in range(COUNT):
        shape, index = drawn(Seeded(seed))
        rng = np.random.default_rng(seed)
        x = rng.standard_normal(shape)
        mine, theirs = mg.tensor(x), torch.tensor(x)
        value = rng.standard_normal(tuple(theirs[as_torch(index)].shape))
        positions = torch.arange(x.size).reshape(shape)[as_torch(index)]
        if len(torch.unique(positions)) < positions.numel():
            value = np.float64(3.0)  # which of several values stays is not defined in PyTorch
        mine[as_mine(index)], theirs[as_torch(index)] = mg.tensor(value), torch.tensor(value)
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy(), err_msg=f"seed {seed}: x{list(shape)}[{index}]")


X = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence")
@pytest.mark.parametrize("index", [
    "[[0, 1], [1, 0]]", "[[0, 1]]", "[]", "[[]]", "(slice(None), [])", "[True, False]", "True", "False", "(0, True)",
    "(slice(None), True, [0, 1])", "(True, 0)", "range(2)", "[0, True]", "[t.tensor(0), t.tensor(1)]",
    "[t.tensor([0, 1]), t.tensor([1, 0])]", "[t.tensor(1), 0]", "[slice(0, 1)]", "[None, 0]", "(0, [t.tensor(1)])",
    "np.int64(1)", "np.array(1)", "np.array([], int)", "np.array([True, False])", "slice(np.int64(0), np.int64(1))",
    "slice(t.tensor(1), None)", "t.tensor(True)", "t.tensor(1)", "(t.tensor(1), slice(None), [0, 1])", "()", "...",
    "(0, t.tensor([[0], [1]]))", "(slice(None), t.tensor([[0], [1]]), t.tensor([0, 1]))",
    "(t.tensor([[0], [1]]), slice(None), t.tensor([0, 1]))", "(t.tensor([True, False]), 0)",
    "(0, t.tensor([True, False, True]), [0])", "t.tensor([0, 1]).int()", "(None, 0, ..., [1, 2], None)",
])
def test_every_way_to_write_an_index_reads_what_pytorch_reads(index):
    mine, theirs = (eval(index, {"t": t, "np": np}) for t in (mg, torch))
    x, y = mg.tensor(X), torch.tensor(X)
    np.testing.assert_array_equal(x[mine].numpy(), y[theirs].numpy())
    x[mine], y[theirs] = -1.0, -1.0
    np.testing.assert_array_equal(x.numpy(), y.numpy())
    for name in ("x[True]", "x[t.tensor(False)]", "x[...]", "x[None]", "x[()]"):
        a, b = (eval(name, {"t": t, "x": t.tensor(5.0)}) for t in (mg, torch))
        assert a.shape == tuple(b.shape)


WRITES = {
    "scatter": lambda t, x, i, src: x.scatter(1, i, src),
    "scatter of a number": lambda t, x, i, src: x.scatter(1, i, 1.5),
    "scatter of a number into integers": lambda t, x, i, src: x.long().scatter(1, i, 7),
    "scatter that adds": lambda t, x, i, src: x.scatter_add(1, i, src),
    "take": lambda t, x, i, src: x.take(i - 1),
    "take_along_dim": lambda t, x, i, src: t.take_along_dim(x, i[:1], 1),
    "take_along_dim of all": lambda t, x, i, src: t.take_along_dim(x, i.reshape(-1)),
    "index_add": lambda t, x, i, src: x.index_add(1, i[0], src, alpha=2),
    "index_copy": lambda t, x, i, src: x.index_copy(1, t.tensor([2, 0]), src),
    "index_fill": lambda t, x, i, src: x.index_fill(1, t.tensor([-1, 0]), 9.0),
    "index_put": lambda t, x, i, src: x.index_put((t.tensor([0, 1]), t.tensor([2, 2])), t.tensor([5.0, 6.0])),
    "index_put of one value": lambda t, x, i, src: x.index_put((x > 3,), t.tensor(9.0)),
    "index_put that adds": lambda t, x, i, src: x.index_put((t.tensor([1, 1]),), t.tensor(1.0), accumulate=True),
    "masked_fill": lambda t, x, i, src: x.masked_fill(x > 2, 1),
    "masked_fill of a tensor": lambda t, x, i, src: x.masked_fill(x > 2, t.tensor(1.5)),
    "masked_fill of integers": lambda t, x, i, src: x.long().masked_fill(x > 2, 1.5),
    "masked_fill of bools": lambda t, x, i, src: (x > 4).masked_fill(x < 2, 3),
    "masked_select": lambda t, x, i, src: x.masked_select(x[0] > 1),
    "masked_scatter": lambda t, x, i, src: x.masked_scatter(x > 1, src),
    "nonzero": lambda t, x, i, src: x.nonzero(),
    "nonzero as a tuple": lambda t, x, i, src: t.nonzero(x > 2, as_tuple=True)[1],
    "nonzero of a number": lambda t, x, i, src: t.tensor(3).nonzero(),
    "where of a condition": lambda t, x, i, src: t.where(x > 2)[0],
    "argwhere": lambda t, x, i, src: t.argwhere(x > 4),
    "select": lambda t, x, i, src: x.select(1, -1),
    "narrow": lambda t, x, i, src: x.narrow(1, -2, 2),
    "index_select of a number": lambda t, x, i, src: t.tensor(5.0).index_select(0, t.tensor([0])),
    "index_select with a number": lambda t, x, i, src: x.index_select(0, t.tensor(1)),
    "gather from a number": lambda t, x, i, src: t.tensor(5.0).gather(0, t.tensor([0, 0])),
    "gather with a number": lambda t, x, i, src: x[0].gather(0, t.tensor(1)),
    "gather of nothing": lambda t, x, i, src: x.gather(1, t.zeros(2, 0).long()),
}


@pytest.mark.parametrize("name", WRITES)
def test_functions_that_take_an_index_are_pytorchs(name):
    found = []
    for t in (mg, torch):
        x, i = t.arange(6.0).reshape(2, 3), t.tensor([[0, 2], [1, 0]])
        found.append(WRITES[name](t, x, i, t.tensor([[10.0, 20.0], [30.0, 40.0]])).numpy())
    np.testing.assert_array_equal(*found)
    assert found[0].dtype == found[1].dtype and found[0].shape == found[1].shape


def test_of_values_that_meet_the_last_stays_and_gets_the_gradient():
    x = mg.zeros(3, requires_grad=True)
    src = mg.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x.scatter(0, mg.tensor([1, 1, 0]), src)
    assert y.tolist() == [3.0, 2.0, 0.0]
    (y * mg.tensor([10.0, 20.0, 30.0])).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0, 30.0] and src.grad.tolist() == [0.0, 20.0, 10.0]
