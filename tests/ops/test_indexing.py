"""Indexing, reading, writing and differentiating, whatever kind of index it is: NumPy's, with PyTorch's exceptions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import ops
from minigrad.testing import strategies

X = np.arange(24.0).reshape(2, 3, 4)
INDICES = [
    0,
    -1,
    (1, 2),
    (1, -1, 3),
    ...,
    None,
    (..., 0),
    (0, ...),
    (None, 0),
    (0, None, 1),
    slice(1, None),
    slice(None, None, -1),
    (slice(None), slice(2, 0, -1)),
    (slice(None), None, slice(1, 9)),
    (slice(5, 9),),
    np.array([1, 0, 1]),
    [1, 0, 0],
    (slice(None), [2, 0]),
    ([0, 1], [2, 2]),
    ([[0], [1]], [0, 2]),
    ([0, 1], slice(None), [3, 0]),
    X > 11,
    (0, np.array([True, False, True])),
    (slice(None), np.array([True, False, True]), 1),
    np.zeros((2, 0), int),
    np.int64(1),
    (np.int32(0), slice(np.int64(1), None)),
    (Ellipsis, np.array([-1, -4])),
    np.array(1),
    (),
    np.zeros(2, bool),
    (None, np.array([1]), ..., None),
]


@pytest.mark.parametrize("index", INDICES, ids=lambda index: str(index).replace("\n", "")[:40])
def test_reading_gives_numpys_values_and_adds_gradients_where_they_came_from(index):
    x = mg.tensor(X, requires_grad=True)
    y = x[index]
    expected = X[np.array(index) if isinstance(index, list) else index]
    np.testing.assert_array_equal(y.detach().numpy(), expected)
    g = np.random.default_rng(0).standard_normal(expected.shape)
    y.backward(mg.tensor(g))
    slope = np.zeros_like(X)
    np.add.at(slope, np.array(index) if isinstance(index, list) else index, g)
    np.testing.assert_allclose(x.grad.numpy(), slope)


@pytest.mark.parametrize("index", INDICES, ids=lambda index: str(index).replace("\n", "")[:40])
def test_assignment_writes_what_numpys_would(index):
    x, expected = mg.tensor(X), X.copy()
    x[index] = -1.0
    expected[np.array(index) if isinstance(index, list) else index] = -1.0
    np.testing.assert_array_equal(x.numpy(), expected)


def two_steps(x, index):
    """x[index] by PyTorch's rule, in NumPy: integers first, then what is left, their axes gone."""
    first = tuple(i if isinstance(i, int) or i is None or i is ... else slice(None) for i in index)
    return x[first][tuple(i if i is not None else slice(None) for i in index if not isinstance(i, int))]


@pytest.mark.parametrize(
    "index",
    [
        (0, slice(None), [3, 3]),
        (0, slice(None), [0, 1, 2]),  # square: only the values tell the orders apart
        (-1, ..., np.array([True, False, True, True])),
        ([1, 0], slice(None), 2),
        (None, 1, slice(None), [0, 2]),
        (slice(None), 0, [[1], [3]]),
    ],
    ids=lambda index: str(index).replace("\n", ""),
)
def test_an_integer_beside_a_slice_and_an_array_selects_first(index):
    x, expected = mg.tensor(X, requires_grad=True), two_steps(X, index)
    y = x[tuple(mg.tensor(i) if isinstance(i, int) else i for i in index)]  # a tensor without axes is an integer
    np.testing.assert_array_equal(y.detach().numpy(), expected)
    np.testing.assert_array_equal(x[index].detach().numpy(), expected)
    g = np.random.default_rng(0).standard_normal(expected.shape)
    y.backward(mg.tensor(g))
    slope, places = np.zeros(X.size), two_steps(np.arange(X.size).reshape(X.shape), index)
    np.add.at(slope, places, g)
    np.testing.assert_allclose(x.grad.numpy(), slope.reshape(X.shape))
    target = mg.tensor(X)
    target[index] = mg.tensor(expected * 2 + 1)
    np.testing.assert_array_equal(target.numpy().ravel()[places], expected * 2 + 1)
    assert (target.numpy() != X).sum() == np.unique(places).size


@pytest.mark.parametrize(
    "index",
    [
        mg.tensor([1, 0]),
        mg.tensor(1),
        mg.tensor([True, False]),
        (0, mg.tensor([2, 0])),
        (mg.tensor([0, 1]), mg.tensor([2, 1])),
        (slice(None), mg.tensor([True, False, True])),
    ],
)
def test_tensors_are_indices(index):
    plain = tuple(getattr(i, "array", i) for i in index) if isinstance(index, tuple) else index.array
    np.testing.assert_array_equal(mg.tensor(X)[index].numpy(), X[plain])
    x, expected = mg.tensor(X), X.copy()
    x[index] = mg.tensor(7.0)
    expected[plain] = 7.0
    np.testing.assert_array_equal(x.numpy(), expected)


@pytest.mark.parametrize("index", [np.array([0, 1, 1]), np.array([0, 1], "i4"), np.array([True, False])])
@pytest.mark.parametrize("place", [lambda i: i, lambda i: (i, 0), lambda i: (slice(None, 2), None, i)])
def test_an_array_that_was_an_index_may_be_written_before_backward(index, place):
    x = mg.tensor(X[:2, :2], requires_grad=True)
    kept = index.copy()
    y = x[place(kept)]
    kept[...] = kept[::-1].copy()
    y.sum().backward()
    expected = np.zeros(x.shape)
    np.add.at(expected, place(index), 1.0)
    np.testing.assert_array_equal(x.grad.numpy(), expected)


def test_a_mask_from_a_comparison_selects():
    x = mg.tensor([1.0, -2.0, 3.0], requires_grad=True)
    y = x[x > 0]
    assert y.tolist() == [1.0, 3.0]
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 0.0, 1.0]


def test_a_list_of_tensors_is_no_trap():
    x = mg.tensor(X)
    for i in mg.arange(2):
        np.testing.assert_array_equal(x[i].numpy(), X[i.item()])


def test_basic_indices_view_and_advanced_ones_copy():
    x = mg.tensor(X)
    assert np.shares_memory(x[0, 1:].numpy(), x.numpy()) and not np.shares_memory(x[[0]].numpy(), x.numpy())


@settings(max_examples=100, deadline=None, database=None, derandomize=True)
@given(st.data())
def test_gather_and_scatter_add_are_numpys(data):
    source = data.draw(strategies.sampled(lambda s: s))
    shape = source.shape(1, 3, (1, 4))
    dim = source.axis(len(shape))
    size = tuple(source.integer(1, 5) if i == dim % len(shape) else n for i, n in enumerate(shape))
    index, x, src = source.labels(size, shape[dim]), source.normal(shape), source.normal(size)
    np.testing.assert_array_equal(
        ops.gather(mg.tensor(x), dim, mg.tensor(index)).numpy(), np.take_along_axis(x, index, dim)
    )
    expected, grid = x.copy(), list(np.ogrid[tuple(slice(n) for n in size)])
    grid[dim] = index
    np.add.at(expected, tuple(grid), src)
    np.testing.assert_allclose(ops.scatter_add(mg.tensor(x), dim, mg.tensor(index), mg.tensor(src)).numpy(), expected)
    np.testing.assert_array_equal(ops.take(mg.tensor(x), mg.tensor(index % x.size)).numpy(), x.take(index % x.size))
    np.testing.assert_array_equal(ops.index_select(mg.tensor(x), dim, mg.tensor(index.ravel())).numpy(),
                                  x.take(index.ravel(), dim))


@settings(max_examples=100, deadline=None, database=None, derandomize=True)
@given(st.data())
def test_sorting_and_extrema_are_numpys(data):
    source = data.draw(strategies.sampled(lambda s: s))
    shape = source.shape(1, 3)
    dim, x = source.axis(len(shape)), np.round(source.normal(shape))  # with ties
    t = mg.tensor(x)
    values, indices = ops.sort(t, dim)
    np.testing.assert_array_equal(values.numpy(), np.sort(x, dim))
    np.testing.assert_array_equal(indices.numpy(), np.argsort(x, dim, kind="stable"))
    down, order = ops.sort(t, dim, descending=True)
    np.testing.assert_array_equal(down.numpy(), -np.sort(-x, dim))
    np.testing.assert_array_equal(order.numpy(), np.argsort(-x, dim, kind="stable"))
    np.testing.assert_array_equal(t.argmax(dim).numpy(), x.argmax(dim))
    np.testing.assert_array_equal(t.argmin(dim, True).numpy(), x.argmin(dim, keepdims=True))
    k = source.integer(0, shape[dim])
    np.testing.assert_array_equal(ops.topk(t, k, dim).values.numpy(), -np.sort(-x, dim).take(range(k), dim))
    np.testing.assert_array_equal(ops.topk(t, k, dim, False).values.numpy(), np.sort(x, dim).take(range(k), dim))


def test_uint8_is_a_mask_in_every_place_of_a_mask():
    mask = np.array([True, False])
    byte, x = mg.tensor(mask.astype("uint8")), mg.tensor(X)
    np.testing.assert_array_equal(x[byte].numpy(), X[mask])
    np.testing.assert_array_equal(x[byte, 0].numpy(), X[mask, 0])
    np.testing.assert_array_equal(x[byte.numpy()].numpy(), X[mask])
    wide = byte.reshape(2, 1, 1)
    np.testing.assert_array_equal(mg.where(wide, x, -1.0).numpy(), np.where(mask[:, None, None], X, -1))
    np.testing.assert_array_equal(x.masked_fill(wide, -1.0).numpy(), np.where(mask[:, None, None], -1, X))
    np.testing.assert_array_equal(x.masked_select(wide).numpy(), X[mask].ravel())
    x[byte] = 0.0
    np.testing.assert_array_equal(x.numpy(), np.where(mask[:, None, None], 0, X))


@pytest.mark.parametrize(
    "call, parts",
    [
        (lambda x: x[1.0], ["1.0 is no index"]),
        (lambda x: x[mg.tensor(1.0)], ["tensor(1.) is no index", "integers"]),
        (lambda x: x[[1.0]], ["[1.0]"]),
        (lambda x: x[np.array([0.0])], ["array([0.])"]),
        (lambda x: x[0, :, mg.tensor([0.5])], ["0.5"]),
        (lambda x: x[mg.tensor([2])], ["2", "size 2"]),
        (lambda x: x[-3], ["-3", "size 2"]),
        (lambda x: x[0, :, [4]], ["4"]),
        (lambda x: x["a"], ["'a'"]),
        (lambda x: x.index_select(0, mg.tensor([-1])), ["index_select", "-1", "0..1"]),
        (lambda x: x.index_select(0, mg.tensor([[0]])), ["index_select", "(1, 1)", "one axis"]),
        (lambda x: x.index_select(2, mg.tensor([4])), ["index_select", "4", "0..3"]),
        (lambda x: x.take(mg.tensor([24])), ["take", "24", "-24..23"]),
        (lambda x: x.gather(0, mg.tensor([[[-1]]])), ["gather", "-1"]),
        (lambda x: x.select(1, 3), ["3"]),
        (lambda x: x.narrow(1, 2, 2), ["narrow", "2 slices from 2", "length 3"]),
    ],
)
def test_what_is_no_index_or_lies_outside_is_named(call, parts):
    with pytest.raises(IndexError) as caught:
        call(mg.tensor(X))
    assert all(part in str(caught.value) for part in parts), str(caught.value)


@pytest.mark.parametrize("index", [1.0, [0.5], mg.tensor([1.0]), [5], (0, slice(None), [7])])
def test_assignment_refuses_the_same_indices(index):
    x = mg.tensor(X)
    with pytest.raises(IndexError, match="setitem: "):
        x[index] = 0.0
    np.testing.assert_array_equal(x.numpy(), X)
