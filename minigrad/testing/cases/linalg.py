"""Cases for ops/linalg.py."""

from minigrad import ops
from minigrad.ops.activation import LeakyRelu, Relu, Sigmoid, Tanh
from minigrad.ops.linalg import Einsum, Linear, LinearThen, Matmul
from minigrad.testing.registry import case

SPECS = (
    "ij,jk->ik",
    "ij,j->i",
    "i,i->",
    "i,j->ij",
    "bij,bjk->bik",
    "ij->ji",
    "ij->",
    "ij->j",
    "ii->i",
    "ii->",
    "ij,ij->ij",
    "bi,ij,bj->b",
    "ij,kj,k->i",
    "...i,ij->...j",
    "...i,...i->...",
    "ij,jk",
    "ba,b",
    "i...->...",
    "ijj->i",
    "ij,k->i",
    "i,j,k->k",
)


def matmul_shapes(s):
    """Two operands of matmul: vectors, matrices, broadcast batches."""
    n, m, k = (s.integer(1, 4) for _ in range(3))
    kind = s.integer(0, 5)
    if kind < 4:
        left, right = (((n, m), (m, k)), ((m,), (m,)), ((n, m), (m,)), ((m,), (m, k)))[kind]
    else:
        a, b = s.broadcastable(2, 0, 2, (1, 3))
        left, right = (*a, n, m), (*b, m, k)
        if kind == 5:
            left, right = s.choice(((left, (m,)), ((m,), right), (left, (m, k))))
    return s.normal(left), s.normal(right)


def layer(s):
    """Input, weight and, at times, bias of a linear layer; the input a vector, a matrix or a stack."""
    n, m = s.integer(1, 4), s.integer(1, 4)
    arrays = s.normal((*s.shape(0, 2), n)), s.normal((m, n))
    return (*arrays, s.normal((m,))) if s.flag() else arrays


ACTIVATIONS = {"sigmoid": Sigmoid, "tanh": Tanh, "relu": Relu, "leaky_relu": lambda: LeakyRelu(0.2)}


def activated(s):
    """A linear layer with a bias, and an activation behind it."""
    n, m = s.integer(1, 4), s.integer(1, 4)
    return (s.normal((*s.shape(0, 2), n)), s.normal((m, n)), s.normal((m,))), {
        "activation": s.choice(sorted(ACTIVATIONS))
    }


def linear_then(x, w, b, activation):
    """A linear layer and an activation in one node."""
    return ops.linear(x, w, b, ACTIVATIONS[activation]())


def torch_linear_then(torch, x, w, b, activation):
    """The same in two steps."""
    y = torch.nn.functional.linear(x, w, b)
    return torch.nn.functional.leaky_relu(y, 0.2) if activation == "leaky_relu" else getattr(torch, activation)(y)


def contraction(s):
    """A specification and operands that fit it; now and then an axis of size 1 that broadcasts in an ellipsis."""
    spec = s.choice(SPECS)
    sizes = {c: s.integer(1, 3) for c in "ijkba"}
    rest = s.shape(0, 2, (1, 3))
    arrays = []
    for part in spec.split("->")[0].split(","):
        head, dots, tail = part.partition("...")
        drop = s.integer(0, len(rest)) if dots and arrays else 0
        middle = tuple(1 if s.flag() else n for n in rest[drop:]) if dots and arrays else rest if dots else ()
        arrays.append(s.normal((*(sizes[c] for c in head), *middle, *(sizes[c] for c in tail))))
    return tuple(arrays), {"spec": spec}


case(Matmul, ops.matmul, matmul_shapes, "matmul")
case(Linear, ops.linear, layer, "nn.functional.linear")
case(LinearThen, linear_then, activated, torch_linear_then)
case(Einsum, lambda *xs, spec: ops.einsum(spec, *xs), contraction, lambda torch, *xs, spec: torch.einsum(spec, *xs))
