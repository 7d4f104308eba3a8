"""torch.linalg, as far as it is there: norms, and the products of `ops` under its roof."""

from minigrad import ops
from minigrad.absent import names_of
from minigrad.ops import matmul, matrix_power  # noqa: F401 (part of this roof)

__getattr__ = names_of(__name__)


def cross(x, y, dim=-1):
    """The cross product of the vectors of three along `dim`."""
    return ops.cross(x, y, dim)


def vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    """The norm of x as one vector, or of the vectors along `dim`: see `norm` of ops/reduce.py, whose p is `ord`.

    >>> from minigrad import tensor
    >>> vector_norm(tensor([[3.0, 4.0]]), dim=1)
    tensor([5.])
    """
    return ops.norm(x if dtype is None else x.to(dtype), ord, dim, keepdim)


def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    """The norm of the matrices in two axes: "fro", or the largest (smallest, negative) sum of sizes along one.

    `ord` 1 is that of the columns, inf that of the rows. "nuc" and 2 need singular values, which are not there.
    """
    if ord not in ("fro", 1, -1, float("inf"), -float("inf")):
        raise ValueError(f"matrix_norm: ord is {ord!r}; use 'fro', 1, -1, inf or -inf")
    A = A if dtype is None else A.to(dtype)
    if ord == "fro":
        return ops.norm(A, 2, dim, keepdim)
    a, b = ops.shape.axes_of(tuple(dim), len(A.shape), "matrix_norm")
    along, over = (a, b) if abs(ord) == 1 else (b, a)
    sums = ops.sum(ops.abs(A), along, True)
    largest = (ops.amax if ord > 0 else ops.amin)(sums, over, True)
    return largest if keepdim else ops.squeeze(largest, (a, b))


def norm(A, ord=None, dim=None, keepdim=False, *, dtype=None):
    """The Euclidean norm of all elements; with `ord` or `dim`, that of vectors (one axis) or matrices (two axes).

    >>> from minigrad import tensor
    >>> norm(tensor([[3.0, 4.0], [0.0, 2.0]]), dim=1)
    tensor([5., 2.])
    """
    pair = isinstance(dim, (tuple, list)) and len(dim) == 2
    if ord is not None and (pair or dim is None and len(A.shape) == 2):
        return matrix_norm(A, ord, dim if pair else (0, 1), keepdim, dtype=dtype)
    if ord is not None and dim is None and len(A.shape) != 1:
        raise ValueError(f"norm: ord is {ord!r} for {len(A.shape)} axes; say along which, or use vector_norm")
    return vector_norm(A, 2 if ord is None else ord, dim, keepdim, dtype=dtype)
