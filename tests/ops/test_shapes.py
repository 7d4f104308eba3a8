"""Rearranging is NumPy's: values, shapes, and views where NumPy has views."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import ops

X = np.arange(24.0).reshape(2, 3, 4)


def check(f, expected, x=X):
    y = f(mg.tensor(x))
    np.testing.assert_array_equal(y.numpy(), expected)
    assert y.shape == np.asarray(expected).shape


@pytest.mark.parametrize(
    "f, g",
    [
        (lambda x: x.reshape(4, 6), lambda x: x.reshape(4, 6)),
        (lambda x: x.reshape((-1, 3)), lambda x: x.reshape(-1, 3)),
        (lambda x: x.reshape(-1), lambda x: x.reshape(-1)),
        (lambda x: x.view(6, -1), lambda x: x.reshape(6, -1)),
        (lambda x: x.flatten(), lambda x: x.reshape(-1)),
        (lambda x: x.flatten(1), lambda x: x.reshape(2, 12)),
        (lambda x: x.flatten(0, 1), lambda x: x.reshape(6, 4)),
        (lambda x: x.flatten(-2, -1), lambda x: x.reshape(2, 12)),
        (lambda x: x.flatten(1, 1), lambda x: x),
        (lambda x: x.unflatten(2, (2, 2)), lambda x: x.reshape(2, 3, 2, 2)),
        (lambda x: x.unflatten(-1, (2, -1)), lambda x: x.reshape(2, 3, 2, 2)),
        (lambda x: x.permute(2, 0, 1), lambda x: x.transpose(2, 0, 1)),
        (lambda x: x.permute((-1, 0, 1)), lambda x: x.transpose(2, 0, 1)),
        (lambda x: x.transpose(0, -1), lambda x: x.swapaxes(0, -1)),
        (lambda x: x.T, lambda x: x.T),
        (lambda x: x.mT, lambda x: x.swapaxes(-1, -2)),
        (lambda x: x[0].t(), lambda x: x[0].T),
        (lambda x: x[0, 0].t(), lambda x: x[0, 0]),
        (lambda x: x.unsqueeze(0), lambda x: x[None]),
        (lambda x: x.unsqueeze(-1), lambda x: x[..., None]),
        (lambda x: x.unsqueeze(2).squeeze(2), lambda x: x),
        (lambda x: x.unsqueeze(0).unsqueeze(3).squeeze(), lambda x: x),
        (lambda x: x[:1].squeeze((0, 1)), lambda x: x[0]),
        (lambda x: x[:, :1].expand(2, 3, 4), lambda x: x[:, :1].repeat(3, 1)),
        (lambda x: x[0, 0].expand(5, -1), lambda x: np.broadcast_to(x[0, 0], (5, 4))),
        (lambda x: x.broadcast_to((2, 2, 3, 4)), lambda x: np.broadcast_to(x, (2, 2, 3, 4))),
        (lambda x: ops.cat([x, x[:, :1]], 1), lambda x: np.concatenate([x, x[:, :1]], 1)),
        (lambda x: ops.cat((x, x), dim=-1), lambda x: np.concatenate([x, x], -1)),
        (lambda x: ops.stack([x, -x], 1), lambda x: np.stack([x, -x], 1)),
        (lambda x: ops.stack([x, -x], -1), lambda x: np.stack([x, -x], -1)),
        (lambda x: x.flip(0), lambda x: np.flip(x, 0)),
        (lambda x: x.flip((0, -1)), lambda x: np.flip(x, (0, -1))),
        (lambda x: x.flip(), np.flip),
        (lambda x: x.roll(1), lambda x: np.roll(x, 1)),
        (lambda x: x.roll(-2, 1), lambda x: np.roll(x, -2, 1)),
        (lambda x: x.roll((1, 5), (0, 2)), lambda x: np.roll(x, (1, 5), (0, 2))),
        (lambda x: x.repeat(1, 2, 3), lambda x: np.tile(x, (1, 2, 3))),
        (lambda x: x.repeat(2, 1, 1, 1), lambda x: np.tile(x, (2, 1, 1, 1))),
        (lambda x: x.repeat(0, 1, 1), lambda x: np.tile(x, (0, 1, 1))),
        (lambda x: ops.pad(x, (1, 2)), lambda x: np.pad(x, ((0, 0), (0, 0), (1, 2)))),
        (
            lambda x: ops.pad(x, (1, 0, 0, 2), value=7.0),
            lambda x: np.pad(x, ((0, 0), (0, 2), (1, 0)), constant_values=7),
        ),
        (lambda x: ops.pad(x, (-1, -2)), lambda x: x[..., 1:2]),
        (lambda x: ops.pad(x, (-1, 2)), lambda x: np.pad(x[..., 1:], ((0, 0),) * 2 + ((0, 2),))),
        (lambda x: ops.pad(x, (3, 2), "reflect"), lambda x: np.pad(x, ((0, 0), (0, 0), (3, 2)), "reflect")),
        (lambda x: ops.pad(x, (3, 5, 1, 1), "replicate"), lambda x: np.pad(x, ((0, 0), (1, 1), (3, 5)), "edge")),
        (lambda x: ops.pad(x, (4, 1), "circular"), lambda x: np.pad(x, ((0, 0), (0, 0), (4, 1)), "wrap")),
    ],
)
def test_rearranging_is_numpys(f, g):
    check(f, g(X))


@pytest.mark.parametrize(
    "size, dim, expected",
    [(2, 2, [2, 2]), (3, 2, [3, 1]), (9, -1, [4]), ([1, 3], 2, [1, 3]), ([0, 4], 2, [0, 4]), (1, 0, [1, 1])],
)
def test_split_cuts_pieces_of_a_size_or_of_given_sizes(size, dim, expected):
    pieces = mg.tensor(X).split(size, dim)
    assert [p.shape[dim] for p in pieces] == expected
    np.testing.assert_array_equal(ops.cat(pieces, dim).numpy(), X)


def test_chunk_and_unbind():
    assert [p.shape[2] for p in mg.tensor(X).chunk(3, 2)] == [2, 2] and len(mg.tensor(X).chunk(9, 1)) == 3
    parts = mg.tensor(X).unbind(1)
    assert len(parts) == 3
    np.testing.assert_array_equal(parts[1].numpy(), X[:, 1])


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x.reshape(6, 4),
        lambda x: x.permute(2, 0, 1),
        lambda x: x[:, :1].expand(2, 3, 4),
        lambda x: x.unsqueeze(1),
        lambda x: x.split(2, 2)[1],
        lambda x: x.detach(),
        lambda x: x.flatten(),
        lambda x: x.T,
        lambda x: x.chunk(2)[0],
    ],
)
def test_what_can_be_a_view_is_one(f):
    x = mg.tensor(X)
    assert np.shares_memory(f(x).numpy(), x.numpy())


@pytest.mark.parametrize(
    "f, shape",
    [
        (lambda x: x.reshape(-1), (0,)),
        (lambda x: x.reshape(3, 0, 5), (3, 0, 5)),
        (lambda x: x.flatten(), (0,)),
        (lambda x: x.T, (3, 0)),
        (lambda x: ops.cat([x, mg.ones(2, 3)]), (2, 3)),
        (lambda x: x.sum(0), (3,)),
        (lambda x: x.expand(4, 0, 3), (4, 0, 3)),
        (lambda x: ops.pad(x, (0, 0, 1, 1)), (2, 3)),
        (lambda x: x.flip(0), (0, 3)),
        (lambda x: x.roll(1, 0), (0, 3)),
        (lambda x: x.repeat(2, 2), (0, 6)),
        (lambda x: x @ mg.ones(3, 2), (0, 2)),
        (lambda x: mg.ones(2, 0) @ x, (2, 3)),
        (lambda x: x.cumsum(0), (0, 3)),
        (lambda x: x.softmax(1), (0, 3)),
        (lambda x: x * 2, (0, 3)),
        (lambda x: x.mean(1), (0,)),
        (lambda x: x.logsumexp(1), (0,)),
        (lambda x: x.var(1), (0,)),
        (lambda x: x.norm(), ()),
        (lambda x: x.prod(0), (3,)),
        (lambda x: x.sort(0)[0], (0, 3)),
        (lambda x: ops.einsum("ij,ij->j", x, x), (3,)),
        (lambda x: x[x > 0], (0,)),
    ],
)
def test_tensors_without_elements_go_through(f, shape):
    x = mg.zeros(0, 3, requires_grad=True)
    y = f(x)
    assert y.shape == shape
    y.sum().backward()
    assert x.grad.shape == (0, 3)


@pytest.mark.parametrize(
    "f, shape",
    [
        (lambda x: x.reshape(1, 1), (1, 1)),
        (lambda x: x.flatten(), (1,)),
        (lambda x: x.squeeze(), ()),
        (lambda x: x.unsqueeze(0), (1,)),
        (lambda x: x.expand(3), (3,)),
        (lambda x: x.permute(()), ()),
        (lambda x: x.sum(), ()),
        (lambda x: x.mean(0), ()),
        (lambda x: x.max(-1)[0], ()),
        (lambda x: x.softmax(0), ()),
        (lambda x: x.cumsum(0), ()),
        (lambda x: x.T, ()),
        (lambda x: x.norm(), ()),
        (lambda x: x.logsumexp(0), ()),
        (lambda x: x.prod(), ()),
        (lambda x: x[None], (1,)),
        (lambda x: x[...], ()),
        (lambda x: x.sort(0)[0], ()),
        (lambda x: x.argmax(), ()),
        (lambda x: x.repeat(2), (2,)),
        (lambda x: x.clamp(0, 1), ()),
    ],
)
def test_tensors_without_axes_go_through(f, shape):
    x = mg.tensor(0.5, requires_grad=True)
    y = f(x)
    assert y.shape == shape
    if y.requires_grad:
        y.sum().backward()
        assert x.grad.shape == () and isinstance(x.grad.array, np.ndarray)
