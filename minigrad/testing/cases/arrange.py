"""Cases for ops/arrange.py and ops/triangle.py, and for the products of ops/linalg.py that are made of others."""

from minigrad import ops
from minigrad.ops.arrange import Windows
from minigrad.ops.index import GetItem, PutItem
from minigrad.ops.select import Where
from minigrad.ops.triangle import Diagonal
from minigrad.testing.registry import case


def moved(s):
    """An array, some of its axes and their new places."""
    shape = s.shape(1, 4)
    count = s.integer(1, len(shape))
    return (s.normal(shape),), {"source": s.permutation(len(shape))[:count],
                                "destination": s.permutation(len(shape))[:count]}


def repeated(s):
    """An array, an axis, and a count for all or for each of its slices."""
    shape = s.shape(1, 3)
    dim = s.axis(len(shape))
    return (s.normal(shape),), {"repeats": s.labels(s.choice(((shape[dim],), (1,))), 4), "dim": dim}


def windowed(s):
    """An array, an axis, a window and a step."""
    shape = s.shape(1, 3)
    dim = s.axis(len(shape))
    return (s.normal(shape),), {"dim": dim, "size": s.integer(1, shape[dim]), "step": s.integer(1, 3)}


def turned(s):
    """An array, a number of quarter turns and a plane."""
    shape = s.shape(2, 3)
    return (s.normal(shape),), {"k": s.integer(-3, 4), "dims": s.permutation(len(shape))[:2]}


def matrices(s):
    """Matrices, which may be stacked, and a diagonal."""
    return (s.normal(s.shape(2, 3)),), {"diagonal": s.integer(-3, 3)}


def two_axes(s):
    """An array, a diagonal and two axes."""
    shape = s.shape(2, 4)
    a, b = s.permutation(len(shape))[:2]
    return (s.normal(shape),), {"offset": s.integer(-2, 2), "dim1": a, "dim2": b}


def embedded(s):
    """Diagonals, and where their matrices are to lie."""
    shape = s.shape(1, 3)
    a, b = s.permutation(len(shape) + 1)[:2]
    return (s.normal(shape),), {"offset": s.integer(-2, 2), "dim1": a, "dim2": b}


def contracted(s):
    """Two arrays and the axes over which their products are added up."""
    shape = s.shape(1, 3)
    count = s.integer(0, len(shape))
    left = s.permutation(len(shape))[:count]
    other = [shape[i] for i in left] + list(s.shape(0, 2))
    order = s.permutation(len(other))
    right = [order.index(i) for i in range(count)]
    return (s.normal(shape), s.normal(tuple(other[i] for i in order))), {"dims": [list(left), right]}


def products(s):
    """A matrix that broadcasts, two that are multiplied, and two factors."""
    n, m, k = s.integer(1, 3), s.integer(1, 3), s.integer(1, 3)
    x = s.normal(s.choice(((n, m), (m,), (n, 1), ())))
    return (x, s.normal((n, k)), s.normal((k, m))), {"beta": s.choice((1, 0.5, 0)), "alpha": s.choice((1, 2))}


def blocks(s):
    """Two arrays of any number of axes."""
    return s.normal(s.shape(0, 2, (1, 3))), s.normal(s.shape(0, 2, (1, 3)))


def squares(s):
    """Square matrices and a power."""
    n = s.integer(1, 3)
    return (s.normal((*s.shape(0, 1), n, n)),), {"n": s.integer(0, 5)}


case(None, ops.movedim, moved, "movedim", name="movedim")
case(GetItem, ops.repeat_interleave, repeated,
     lambda torch, x, repeats, dim: torch.repeat_interleave(x, torch.tensor(repeats), dim), name="repeat_interleave")
case(Windows, ops.unfold, windowed, lambda torch, x, dim, size, step: x.unfold(dim, size, step), name="unfold")
case(None, ops.rot90, turned, "rot90", name="rot90")
case(Where, ops.tril, matrices, "tril", name="tril")
case(Where, ops.triu, matrices, "triu", name="triu")
case(Diagonal, ops.diagonal, two_axes, "diagonal", name="diagonal")
case(PutItem, ops.diag_embed, embedded, "diag_embed", name="diag_embed")
case(None, ops.tensordot, contracted, "tensordot", name="tensordot")
case(None, ops.addmm, products, "addmm", name="addmm")
case(None, ops.kron, blocks, "kron", name="kron")
case(None, ops.matrix_power, squares, "matrix_power", name="matrix_power")
