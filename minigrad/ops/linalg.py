"""Matrix products. `Linear` is the one that networks use: x @ W.T + b in one op, for vectors and batches alike."""

import math

from minigrad.backend import array_module, backend_of
from minigrad.convert import Clone
from minigrad.graph import OUT, Handle, Op
from minigrad.ops.broadcast import unbroadcast
from minigrad.ops.checks import whole
from minigrad.ops.half import add_up
from minigrad.ops.shape import axes_of, axis_of, broadcast_to, cat, permute

SHORT = 1 << 13  # values of the one times those of the other: below, NumPy's own product is as good as the backend's


class Matmul(Op):
    """z = x @ y for matrices, with broadcast batches in front"""
    keep = (0, 1)
    fix = "the last size of the first must equal the last but one of the second, and the batches must broadcast"

    def forward(self, x, y):
        return backend_of(x).matmul(x, y)

    def backward(self, g, x, y):
        return (unbroadcast(matmul(g, y.swapaxes(-1, -2)), x.shape) if self.needs[0] else None,
                unbroadcast(matmul(x.swapaxes(-1, -2), g), y.shape) if self.needs[1] else None)


def _rows(x):
    """A stack of matrices as one. (NumPy cannot tell what -1 is where the last size is 0.)"""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


class Linear(Op):
    """y = x @ w.T + b over the last axis of x; w is (out, in), b (out,) or absent"""
    keep = (0, 1)
    fix = "the input's last size must be in_features, the second size of the weight (out_features, in_features)"

    def forward(self, x, w, b=None):
        if w.ndim != 2:
            raise ValueError("the weight must have two axes")
        # .dot costs a third of @ on vectors; a stack of matrices goes as one.
        dot = type(x).dot if x.size * w.size < SHORT else backend_of(x).dot
        if x.ndim == 1:
            y = dot(w, x)
        elif x.ndim == 2:
            y = dot(x, w.T)
        else:
            y = dot(_rows(x), w.T).reshape(*x.shape[:-1], len(w))
        if b is not None:
            y += b
        return y

    def backward(self, g, x, w):
        gx = gw = gb = None
        dot = type(g).dot if isinstance(g, Handle) or g.size * w.size < SHORT else backend_of(g).dot
        if len(x.shape) == 1:
            gx = dot(g, w) if self.needs[0] else None
            if self.needs[1]:
                gw = g.reshape(-1, 1) * x if isinstance(g, Handle) else backend_of(g).outer(g, x)
            gb = g
        else:
            rows = g if len(g.shape) == 2 else _rows(g)
            if self.needs[0]:
                gx = dot(rows, w) if rows is g else dot(rows, w).reshape(x.shape)
            if self.needs[1]:
                gw = dot(rows.T, x if rows is g else _rows(x))
            if self.needs[-1]:
                gb = add_up(rows, 0)
        return (gx, gw) if len(self.parents) == 2 else (gx, gw, gb)


class LinearThen(Linear):
    """y = f(x @ w.T + b) in one node, for an activation op f whose derivative can be told from its output"""
    keep = (0, 1, OUT)

    def __init__(self, activation):
        self.activation = activation

    def forward(self, x, w, b=None):
        return self.activation.forward(super().forward(x, w, b))

    def backward(self, g, x, w, y):
        g, = self.activation.backward(g, y) if self.activation.keep else self.activation.backward(g)
        return super().backward(g, x, w)


class Einsum(Op):
    """z = the sum of products that `spec` writes, no letter twice within an operand"""
    fix = "each letter stands for one size; the letters after -> must come from the inputs"

    def __init__(self, inputs, output):
        self.inputs, self.output = inputs, output

    @property
    def keep(self):
        return range(len(self.inputs))

    def forward(self, *xs):
        self.shapes = [x.shape for x in xs]
        if len(xs) == 1 and xs[0].dtype.kind in "biu" and len(self.output) < len(self.inputs[0]):
            xs = xs[0].astype("int64"),  # as `sum` has it
        return backend_of(xs[0]).einsum(f"{','.join(self.inputs)}->{self.output}", *xs)

    def backward(self, g, *xs):
        needs = self.needs if len(xs) > 1 else [True]
        return tuple(self.adjoint(i, g, xs) if needed else None for i, needed in enumerate(needs))

    def adjoint(self, i, g, xs):
        """The gradient of operand i: the same sum with g in its place; letters that only i has are stretched."""
        others = [k for k in range(len(xs)) if k != i]
        there = set(self.output).union(*(self.inputs[k] for k in others))
        letters = "".join(c for c in self.inputs[i] if c in there)
        part = Einsum([self.output, *(self.inputs[k] for k in others)], letters)(g, *(xs[k] for k in others))
        shape, size = self.shapes[i], dict(zip(letters, part.shape))
        part = part.reshape(tuple(size.get(c, 1) for c in self.inputs[i]))
        part = unbroadcast(part, tuple(1 if n == 1 else size.get(c, 1) for c, n in zip(self.inputs[i], shape)))
        return part if part.shape == shape else broadcast_to(part, shape)


def matmul(x, y):
    """x @ y: vectors, matrices and broadcast batches of matrices, as in numpy.matmul.

    >>> from minigrad import tensor
    >>> matmul(tensor([[1., 2.], [3., 4.]]), tensor([1., 1.]))
    tensor([3., 7.])
    """
    if not isinstance(x, Handle) and not isinstance(y, Handle):
        return backend_of(x).matmul(x, y)
    n, m = len(x.shape), len(y.shape)
    if n > 2 and m == 2:  # one product over all rows: the gradient of y then needs no sum over the batch
        return matmul(_rows(x), y).reshape((*x.shape[:-1], y.shape[1]))
    if n > 1 and m > 1:
        return Matmul()(x, y)
    if not n or not m:
        raise ValueError(f"Matmul: shapes {tuple(x.shape)} and {tuple(y.shape)}; a number has no matrix product, use *")
    if x.shape[-1] != y.shape[-2 if m > 1 else 0]:
        raise ValueError(f"Matmul: shapes {tuple(x.shape)} and {tuple(y.shape)} do not chain; fix: {Matmul.fix}")
    z = Matmul()(x.reshape(1, -1) if n == 1 else x, y.reshape(-1, 1) if m == 1 else y)
    shape = tuple(z.shape)
    return z.reshape(shape[:-2] + shape[-2:-1] * (n > 1) + shape[-1:] * (m > 1))


def mm(input, mat2):
    """The product of two matrices; ValueError for anything else, which is `matmul`'s."""
    return _product("mm", input, mat2, 2, 2)


def bmm(input, mat2):
    """The products of two stacks of matrices; ValueError for anything else."""
    return _product("bmm", input, mat2, 3, 3)


def mv(input, vec):
    """The product of a matrix and a vector; ValueError for anything else."""
    return _product("mv", input, vec, 2, 1)


def dot(input, tensor):
    """The product of two vectors, a number; ValueError for anything else."""
    return _product("dot", input, tensor, 1, 1)


def _product(name, x, y, n, m):
    if len(x.shape) != n or len(y.shape) != m:
        raise ValueError(f"{name}: shapes {tuple(x.shape)} and {tuple(y.shape)}; give tensors of {n} and {m} axes, or "
                         "use matmul")
    return matmul(x, y)


def outer(x, vec2):
    """z[i, j] = x[i] * vec2[j], of vectors"""
    if len(x.shape) != 1 or len(vec2.shape) != 1:
        raise ValueError(f"outer: shapes {tuple(x.shape)} and {tuple(vec2.shape)}; give two vectors (flatten() them)")
    return x.reshape(-1, 1) * vec2


def inner(x, y):
    """The sums of products over the last axis of both; for vectors their dot product."""
    if not x.shape or not y.shape:
        return x * y
    return tensordot(x, y, ([-1], [-1]))


def cross(x, y, dim=None):
    """The cross product of the vectors of three along `dim`; without one, along the first axis of length 3.

    >>> from minigrad import tensor
    >>> cross(tensor([1.0, 0.0, 0.0]), tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    if dim is None:
        dim = next((axis for axis, n in enumerate(x.shape) if n == 3), -1)
    a, b = (axis_of(dim, len(z.shape), "cross") for z in (x, y))
    if x.shape[a] != 3 or y.shape[b] != 3:
        raise ValueError(f"cross: shapes {tuple(x.shape)} and {tuple(y.shape)}, along {dim}; give vectors of three")

    def turned(z, axis, shift):
        before = (slice(None),) * axis
        return cat([z[(*before, slice(shift, None))], z[(*before, slice(shift))]], axis)

    return turned(x, a, 1) * turned(y, b, 2) - turned(x, a, 2) * turned(y, b, 1)


def tensordot(a, b, dims=2):
    """The sum of products over `dims` axes, the last of a and the first of b, or over two lists of axes.

    >>> from minigrad import ones
    >>> tensordot(ones(2, 3, 4), ones(4, 3, 5), ([1, 2], [1, 0])).shape
    (2, 5)
    """
    n, m = len(a.shape), len(b.shape)
    if isinstance(dims, (tuple, list)):
        left, right = (axes_of(axes, k, "tensordot") for axes, k in zip(dims, (n, m)))
    else:
        count = whole("tensordot", "dims", dims)
        left, right = tuple(range(n - count, n)), tuple(range(count))
    if [a.shape[i] for i in left] != [b.shape[i] for i in right]:
        raise ValueError(f"tensordot: axes {left} of {tuple(a.shape)} and {right} of {tuple(b.shape)} differ in size")
    rows, columns = [i for i in range(n) if i not in left], [i for i in range(m) if i not in right]
    tall, wide = tuple(a.shape[i] for i in rows), tuple(b.shape[i] for i in columns)
    size = math.prod(a.shape[i] for i in left)
    a = permute(a, (*rows, *left)).reshape(math.prod(tall), size)
    b = permute(b, (*right, *columns)).reshape(size, math.prod(wide))
    return matmul(a, b).reshape(tall + wide)


def addmm(x, mat1, mat2, *, beta=1, alpha=1):
    """beta * x + alpha * (mat1 @ mat2), of matrices"""
    return _add(x, mm(mat1, mat2), beta, alpha)


def addmv(x, mat, vec, *, beta=1, alpha=1):
    """beta * x + alpha * (mat @ vec), of a matrix and a vector"""
    return _add(x, mv(mat, vec), beta, alpha)


def addr(x, vec1, vec2, *, beta=1, alpha=1):
    """beta * x + alpha * outer(vec1, vec2), of vectors"""
    return _add(x, outer(vec1, vec2), beta, alpha)


def baddbmm(x, batch1, batch2, *, beta=1, alpha=1):
    """beta * x + alpha * (batch1 @ batch2), of stacks of matrices"""
    return _add(x, bmm(batch1, batch2), beta, alpha)


def addbmm(x, batch1, batch2, *, beta=1, alpha=1):
    """beta * x + alpha * the sum of the products of two stacks of matrices"""
    products = bmm(batch1, batch2)
    whole_numbers = {} if products.dtype.kind == "f" else {"dtype": products.dtype}  # `sum` alone would make int64
    return _add(x, products.sum(0, **whole_numbers), beta, alpha)


def _add(x, product, beta, alpha):
    """With beta 0, x counts for nothing, NaN or not."""
    product = product if alpha == 1 else product * alpha
    z = product if beta == 0 else product + (x if beta == 1 else x * beta)
    if z.shape != product.shape:
        raise ValueError(f"the product has shape {tuple(product.shape)}, to which {tuple(x.shape)} does not broadcast; "
                         "give what is added that shape, or less")
    return z


def kron(x, y):
    """The Kronecker product: every element of x times y, as blocks."""
    ndim = len(x.shape) if len(x.shape) > len(y.shape) else len(y.shape)
    a, b = ((1,) * (ndim - len(z.shape)) + tuple(z.shape) for z in (x, y))
    z = x.reshape(tuple(k for n in a for k in (n, 1))) * y.reshape(tuple(k for n in b for k in (1, n)))
    return z.reshape(tuple(n * m for n, m in zip(a, b)))


def matrix_power(x, n):
    """x @ x @ ... @ x, n times, of square matrices (..., k, k)."""
    n = whole("matrix_power", "n", n)
    if n < 0:
        raise ValueError(f"matrix_power: n is {n}; there are no inverses here, give 0 or more")
    if len(x.shape) < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"matrix_power: the input has shape {tuple(x.shape)}; give square matrices")
    if n == 0:
        xp = array_module(x.array if isinstance(x, Handle) else x)
        return broadcast_to(Op.wrap(xp.eye(x.shape[-1], dtype=x.dtype)), x.shape)
    power = None
    while n:
        if n & 1:
            power = Clone()(x) if power is None else power @ x
        x, n = x @ x if n > 1 else x, n >> 1
    return power


def linear(input, weight, bias=None, activation=None):
    """input @ weight.T + bias; input (..., in), weight (out, in), bias (out,) or None.

    `activation`, a Sigmoid, Tanh, Relu or LeakyRelu op, is applied to the result within the same node.
    """
    op = Linear() if activation is None else LinearThen(activation)
    return op(input, weight) if bias is None else op(input, weight, bias)


def einsum(spec, *operands):
    """The sum of products in Einstein's notation: numpy.einsum's, with ellipsis, traces and diagonals.

    >>> from minigrad import tensor
    >>> einsum("ij,j->i", tensor([[1., 2.], [3., 4.]]), tensor([1., 1.]))
    tensor([3., 7.])
    """
    if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
        operands = operands[0]
    left, arrow, output = spec.replace(" ", "").partition("->")
    inputs = left.split(",")
    if len(inputs) != len(operands):
        raise ValueError(f"einsum: {spec!r} has {len(inputs)} inputs and was given {len(operands)}; give as many")
    inputs, output = _spell_ellipses(spec, inputs, output if arrow else None, operands)
    used = "".join(inputs)
    if output is None:
        output = "".join(sorted(c for c in set(used) if used.count(c) == 1))
    if not set(output) <= set(used) or len(set(output)) != len(output):
        raise ValueError(f"einsum: the output of {spec!r} names a letter twice or one that no input has")
    xs, letters = zip(*(_diagonal(spec, x, part) for x, part in zip(operands, inputs)))
    return Einsum(list(letters), output)(*xs)


def _spell_ellipses(spec, inputs, output, operands):
    """Each `...` as capital letters that the spec does not use, aligned from the right as broadcasting is."""
    free = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in spec]
    spelled, longest = [], ""
    for part, x in zip(inputs, operands):
        count = len(x.shape) - len(part.replace("...", ""))
        if count < 0 or count and "..." not in part:
            raise ValueError(f"einsum: {part!r} in {spec!r} has {len(part.replace('...', ''))} letters for a tensor of "
                             f"{len(x.shape)} axes; write a letter an axis, or ... for the rest")
        letters = "".join(free[:count][::-1])
        longest = max(longest, letters, key=len)
        spelled.append(part.replace("...", letters))
    if output is None:
        once = "".join(spelled)
        rest = "".join(sorted(c for c in set(once) - set(longest) if once.count(c) == 1))
        return spelled, (longest + rest if longest else None)
    return spelled, output.replace("...", longest)


def _diagonal(spec, x, letters):
    """x with every letter once: a repeated letter reads the diagonal of its axes."""
    for c in dict.fromkeys(letters):
        axes = [i for i, d in enumerate(letters) if d == c]
        if len(axes) > 1:
            if len({x.shape[i] for i in axes}) > 1:
                raise ValueError(f"einsum: {c!r} in {spec!r} stands for sizes {[x.shape[i] for i in axes]}")
            rest = [i for i in range(len(letters)) if i not in axes]
            array = x.array if isinstance(x, Handle) else x
            i = array_module(array).arange(x.shape[axes[0]])
            x = permute(x, (*axes, *rest))[(i,) * len(axes)]
            letters = c + "".join(letters[i] for i in rest)
    return x, letters

