"""Reading and adding by index. Reading (`GetItem`, `Gather`) and adding into zeros are each other's adjoint."""

from minigrad.backend import array_module, backend_of
from minigrad.graph import Handle, Op
from minigrad.ops.broadcast import unbroadcast
from minigrad.ops.shape import axes_of


def plain_index(index):
    """The index with Tensors in it replaced by their arrays, lists by index arrays."""
    if isinstance(index, Handle):
        return index.array
    if isinstance(index, tuple):
        return tuple(plain_index(i) for i in index)
    return index


def _is_basic(index):
    """Whether the index is of integers, slices, None and Ellipsis only, so that no element is read twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(i is None or i is Ellipsis or isinstance(i, (slice, int)) and not isinstance(i, bool) for i in parts)


class GetItem(Op):
    """y = x[index], for any index that NumPy takes"""
    watched = ("index",)
    fix = "an index must fit the tensor: integers in range, masks of its shape"

    def __init__(self, index):
        self.index = index

    def forward(self, x):
        self.shape = x.shape
        return x[self.index]

    def backward(self, g):
        return PutItem(self.index, self.shape)(g),


class PutItem(Op):
    """y = zeros(shape) with y[index] += x: the adjoint of GetItem"""
    watched = ("index",)

    def __init__(self, index, shape):
        self.index, self.shape = index, shape

    def forward(self, x):
        self.source = x.shape
        y = array_module(x).zeros(self.shape, x.dtype)
        if _is_basic(self.index) or getattr(self.index, "dtype", None) == bool:  # noqa: E721 (a dtype)
            y[self.index] = x
        else:
            backend_of(x).scatter_add(y, self.index, x)
        return y

    def backward(self, g):
        return unbroadcast(GetItem(self.index)(g), self.source),


def _along(index, dim):
    """The advanced index that reads element index[i, j, ...] along `dim` and i, j, ... along the other axes."""
    xp = array_module(index)
    grid = xp.ogrid[tuple(slice(n) for n in index.shape)]
    return tuple(index if axis == dim else grid[axis] for axis in range(index.ndim))


def _checked_along(name, x, dim, index):
    """`dim` as an axis of x, and `index` as an array that may be used along it."""
    dim, = axes_of(dim, len(x.shape), name) or (0,)
    index = index.array if isinstance(index, Handle) else array_module(index).asarray(index)
    if index.dtype.kind not in "iu":
        raise TypeError(f"{name}: the index is {index.dtype}; use an integer tensor (int64)")
    if index.ndim != len(x.shape):
        raise ValueError(f"{name}: the index has {index.ndim} axes and the tensor {len(x.shape)}; give it as many")
    length = x.shape[dim] if x.shape else 1
    if index.size and (index.min() < 0 or index.max() >= length):
        raise IndexError(f"{name}: the index reaches from {index.min()} to {index.max()} along axis {dim} of length "
                         f"{length}; keep it in 0..{length - 1}")
    for axis, (n, m) in enumerate(zip(index.shape, x.shape)):
        if axis != dim and n > m:
            raise ValueError(f"{name}: the index {index.shape} is longer than the tensor {tuple(x.shape)} along axis "
                             f"{axis}; only axis {dim} may be")
    return dim, index


def getitem(x, index):
    """x[index] with NumPy's rules: integers, slices, None, Ellipsis, integer arrays, masks; Tensors may be indices."""
    return GetItem(plain_index(index))(x)


def gather(x, dim, index):
    """y[i][j]... = x[i][index[i][j]...]... along `dim`: torch.gather.

    `index` is an int64 tensor with as many axes as x.

    >>> from minigrad import tensor
    >>> gather(tensor([[1., 2.], [3., 4.]]), 1, tensor([[1], [0]]))
    tensor([[2.],
            [3.]])
    """
    dim, index = _checked_along("gather", x, dim, index)
    return GetItem(_along(index, dim))(x) if index.ndim else x


def take(x, index):
    """x's elements, counted in C order, at `index`: torch.take. The result has the index's shape."""
    return GetItem(plain_index(index))(x.reshape(-1))


def index_select(x, dim, index):
    """The slices of x at the 1-D `index` along `dim`."""
    dim, = axes_of(dim, len(x.shape), "index_select")
    return GetItem((slice(None),) * dim + (plain_index(index),))(x)


def scatter_add(x, dim, index, src):
    """x with src[i][j]... added at [i][index[i][j]...]... along `dim`, repeats adding up: torch.scatter_add.

    `src` has the shape of `index`, or is longer.
    """
    dim, index = _checked_along("scatter_add", x, dim, index)
    if tuple(src.shape) != index.shape:
        if any(n > m for n, m in zip(index.shape, src.shape)):
            raise ValueError(f"scatter_add: src {tuple(src.shape)} is smaller than the index {index.shape}")
        src = src[tuple(slice(n) for n in index.shape)]
    return x + PutItem(_along(index, dim), tuple(x.shape))(src)
