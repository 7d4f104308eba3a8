"""Matrix products. `Linear` is the one that networks use: x @ W.T + b in one op, for vectors and batches alike."""

from minigrad.backend import array_module, backend_of
from minigrad.graph import OUT, Handle, Op
from minigrad.ops.broadcast import unbroadcast
from minigrad.ops.shape import broadcast_to, permute

SHORT = 1 << 13  # values of the one times those of the other: below, a product needs no looking after


class Matmul(Op):
    """z = x @ y for matrices, with broadcast batches in front"""
    keep = (0, 1)
    fix = "the last size of the first must equal the last but one of the second, and the batches must broadcast"

    def forward(self, x, y):
        return backend_of(x).matmul(x, y)

    def backward(self, g, x, y):
        return (unbroadcast(matmul(g, y.swapaxes(-1, -2)), x.shape) if self.needs[0] else None,
                unbroadcast(matmul(x.swapaxes(-1, -2), g), y.shape) if self.needs[1] else None)


class Linear(Op):
    """y = x @ w.T + b over the last axis of x; w is (out, in), b (out,) or absent"""
    keep = (0, 1)
    fix = "the input's last size must be in_features, the second size of the weight (out_features, in_features)"

    def forward(self, x, w, b=None):
        # .dot costs a third of @ on vectors; a stack of matrices goes as one.
        dot = type(x).dot if x.size * w.size < SHORT else backend_of(x).dot
        if x.ndim == 1:
            y = dot(w, x)
        elif x.ndim == 2:
            y = dot(x, w.T)
        else:
            y = dot(x.reshape(-1, x.shape[-1]), w.T).reshape(*x.shape[:-1], -1)
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
            rows = g if len(g.shape) == 2 else g.reshape(-1, g.shape[-1])
            if self.needs[0]:
                gx = dot(rows, w) if rows is g else dot(rows, w).reshape(x.shape)
            if self.needs[1]:
                gw = dot(rows.T, x if rows is g else x.reshape(-1, x.shape[-1]))
            if self.needs[-1]:
                gb = rows.sum(0)
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
        return matmul(x.reshape(-1, x.shape[-1]), y).reshape((*x.shape[:-1], y.shape[1]))
    if n > 1 and m > 1:
        return Matmul()(x, y)
    if not n or not m:
        raise ValueError(f"Matmul: shapes {tuple(x.shape)} and {tuple(y.shape)}; a number has no matrix product, use *")
    if x.shape[-1] != y.shape[-2 if m > 1 else 0]:
        raise ValueError(f"Matmul: shapes {tuple(x.shape)} and {tuple(y.shape)} do not chain; fix: {Matmul.fix}")
    z = Matmul()(x.reshape(1, -1) if n == 1 else x, y.reshape(-1, 1) if m == 1 else y)
    shape = tuple(z.shape)
    return z.reshape(shape[:-2] + shape[-2:-1] * (n > 1) + shape[-1:] * (m > 1))


def linear(x, weight, bias=None, activation=None):
    """x @ weight.T + bias; x (..., in), weight (out, in), bias (out,) or None.

    `activation`, a Sigmoid, Tanh, Relu or LeakyRelu op, is applied to the result within the same node.
    """
    op = Linear() if activation is None else LinearThen(activation)
    return op(x, weight) if bias is None else op(x, weight, bias)


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

