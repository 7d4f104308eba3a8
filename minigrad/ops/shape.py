"""Rearranging: reshape, permute, expand, cat, pad, flip, roll, and what is made of them.

None of these computes anything: each backward is another op of this file. Where NumPy can, the result is a view of the
input's memory.
"""

from minigrad.backend import array_module
from minigrad.convert import Clone
from minigrad.graph import Handle, Op
from minigrad.ops.broadcast import unbroadcast
from minigrad.ops.checks import whole

AXES = "use axes that the input has"


def axes_of(dim, ndim, name=""):
    """`dim` (None, an axis, a tuple) as a tuple of axes from 0 on; one not there or there twice raises, for `name`."""
    if dim is None:
        return tuple(range(ndim))
    if type(dim) is int and -ndim <= dim < ndim:
        return dim % ndim,
    dims = dim if isinstance(dim, (tuple, list)) else (dim,)
    dims = tuple([d if type(d) is int else whole(name or "dim", "an axis", d) for d in dims])
    axes = tuple(d + (ndim or 1) if d < 0 else d for d in dims)
    for d, axis in zip(dims, axes):
        if not 0 <= axis < (ndim or 1):
            raise IndexError(f"{name}{': ' * bool(name)}dim {d} is out of range for a tensor of {ndim} axes; {AXES}")
    if len(set(axes)) != len(axes):
        raise ValueError(f"{name}{': ' * bool(name)}dim {dims} names an axis twice; name each once")
    return axes if ndim else ()


def axis_of(dim, ndim, name):
    """One axis, from 0 on; IndexError, for `name`, where it is not there or the tensor has none."""
    if not ndim:
        raise IndexError(f"{name}: the tensor has no axes; unsqueeze(0) gives it one")
    axis, = axes_of((dim,), ndim, name)
    return axis


def sizes(shape):
    """`f(2, 3)`, `f((2, 3))` and `f([2, 3])` all as (2, 3)."""
    return tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else tuple(shape)


class Reshape(Op):
    """y = x in another shape of as many elements, in C order"""
    fix = "the sizes must multiply to the number of elements; one of them may be -1"

    def __init__(self, shape):
        self.shape = shape

    def forward(self, x):
        self.source = x.shape
        return x.reshape(self.shape)

    def backward(self, g):
        return g.reshape(self.source),


class Permute(Op):
    """y = x with its axes in another order"""
    fix = "name every axis of the input once"

    def __init__(self, dims):
        self.dims = dims

    def forward(self, x):
        return x.transpose(axes_of(self.dims, x.ndim))

    def backward(self, g):
        axes = axes_of(self.dims, len(self.dims))
        return permute(g, tuple(axes.index(i) for i in range(len(axes)))),


class BroadcastTo(Op):
    """y = x repeated along axes of size 1, and along new axes in front, without copying"""
    fix = "only axes of size 1 can grow, and new axes come in front"

    def __init__(self, shape):
        self.shape = shape

    def forward(self, x):
        self.source = x.shape
        return array_module(x).broadcast_to(x, self.shape)

    def backward(self, g):
        return unbroadcast(g, self.source),


class Cat(Op):
    """y = the inputs joined along an axis"""
    fix = "all sizes but that of the joined axis must agree"

    def __init__(self, dim):
        self.dim = dim

    def forward(self, *xs):
        self.dim, = axes_of(self.dim, xs[0].ndim) or (0,)
        self.lengths = [x.shape[self.dim] if x.ndim else 0 for x in xs]
        return array_module(xs[0]).concatenate(xs, self.dim)

    def backward(self, g):
        before, start = (slice(None),) * self.dim, 0
        pieces = []
        for length, needed in zip(self.lengths, getattr(self, "needs", [True])):
            pieces.append(g[(*before, slice(start, start + length))] if needed else None)
            start += length
        return tuple(pieces)


class Pad(Op):
    """y = x with a constant around it; `widths` is one (before, after) pair an axis, negative ones cut"""
    fix = "give one (before, after) pair for each of the last axes"

    def __init__(self, widths, value=0.0):
        self.widths, self.value = widths, value

    def forward(self, x):
        shape = [n + before + after for n, (before, after) in zip(x.shape, self.widths)]
        y = array_module(x).full(shape, self.value, x.dtype)
        inner = tuple(slice(max(before, 0), n + before + min(after, 0))
                      for n, (before, after) in zip(x.shape, self.widths))
        source = tuple(slice(max(-before, 0), n - max(-after, 0)) for n, (before, after) in zip(x.shape, self.widths))
        y[inner] = x[source]
        return y

    def backward(self, g):
        return Pad([(-before, -after) for before, after in self.widths])(g),


class Flip(Op):
    """y = x backwards along axes, copied"""
    fix = AXES

    def __init__(self, dims):
        self.dims = dims

    def forward(self, x):
        return array_module(x).flip(x, axes_of(self.dims, x.ndim)).copy()

    def backward(self, g):
        return Flip(self.dims)(g),


class Roll(Op):
    """y = x shifted along axes, what leaves at one end entering at the other"""
    fix = AXES

    def __init__(self, shifts, dims):
        self.shifts, self.dims = shifts, dims

    def forward(self, x):
        return array_module(x).roll(x, self.shifts, self.dims)

    def backward(self, g):
        shifts = tuple(-s for s in self.shifts) if isinstance(self.shifts, tuple) else -self.shifts
        return Roll(shifts, self.dims)(g),


def reshape(x, *sizes_, shape=None):
    """x in another shape of as many elements; one size may be -1.

    >>> from minigrad import arange
    >>> reshape(arange(4), 2, -1)
    tensor([[0, 1],
            [2, 3]])
    """
    return Reshape(sizes(sizes_) if shape is None else tuple(shape))(x)


def view(x, *shape, size=None):
    """The same as `reshape`; where x lies in memory in another order, it copies instead of failing."""
    return Reshape(sizes(shape) if size is None else tuple(size))(x)


def flatten(x, start_dim=0, end_dim=-1):
    """Axes start_dim to end_dim, both included, as one; x itself where they are one already."""
    if not x.shape:
        axes_of((start_dim,), 0, "flatten"), axes_of((end_dim,), 0, "flatten")
        return x.reshape(1)
    start, end = axes_of((start_dim,), len(x.shape), "flatten") + axes_of((end_dim,), len(x.shape), "flatten")
    if start > end:
        raise ValueError(f"flatten: start_dim {start_dim} lies behind end_dim {end_dim}; exchange them")
    if start == end:
        return x
    length = 1
    for n in x.shape[start:end + 1]:
        length *= n
    return x.reshape((*x.shape[:start], length, *x.shape[end + 1:]))


def ravel(x):
    """All axes as one."""
    return x.reshape(-1)


def unflatten(x, dim, sizes):
    """Axis `dim` as several axes of the given sizes, one of which may be -1."""
    shape = tuple(sizes)
    dim = axis_of(dim, len(x.shape), "unflatten")
    if -1 in shape:
        known = 1
        for n in shape:
            known *= n
        shape = [x.shape[dim] // -known if n == -1 and known else n for n in shape]
    return x.reshape((*x.shape[:dim], *shape, *x.shape[dim + 1:]))


def permute(x, *axes, dims=None):
    """x with its axes in the order given: permute(x, 1, 0), permute(x, (1, 0))."""
    return Permute(sizes(axes) if dims is None else tuple(dims))(x)


def swapaxes(x, axis0, axis1):
    """x with two axes exchanged: `transpose`, in NumPy's words."""
    return transpose(x, axis0, axis1)


def transpose(x, dim0, dim1):
    """x with two axes exchanged."""
    order = list(range(len(x.shape)))
    a, b = axes_of((dim0,), len(order) or 1, "transpose") + axes_of((dim1,), len(order) or 1, "transpose")
    if order:
        order[a], order[b] = b, a
    return Permute(tuple(order))(x)


def t(x):
    """The transpose of a matrix; a vector as it is."""
    if len(x.shape) > 2:
        raise ValueError(f"t: the input has {len(x.shape)} axes; use transpose or permute for more than two")
    return Permute(tuple(reversed(range(len(x.shape)))))(x)


def squeeze(x, *axes, dim=None):
    """x without its axes of size 1, or without those among the given ones: squeeze(x, 0), squeeze(x, (0, 1))."""
    axes = axes_of(sizes(axes) if axes and axes != (None,) else dim, len(x.shape), "squeeze")
    return x.reshape(tuple(n for i, n in enumerate(x.shape) if n != 1 or i not in axes))


def unsqueeze(x, dim):
    """x with a new axis of size 1 at `dim`."""
    dim = axis_of(dim, len(x.shape) + 1, "unsqueeze")
    return x.reshape((*x.shape[:dim], 1, *x.shape[dim:]))


def broadcast_to(x, size):
    """x repeated to the shape `size` as broadcasting would, without copying; -1 leaves an axis as it is."""
    return expand(x, *size) if -1 in size else BroadcastTo(tuple(size))(x)


def expand(x, *shape, size=None):
    """`broadcast_to` in which -1 leaves an axis as it is."""
    shape = sizes(shape) if size is None else tuple(size)
    new = len(shape) - len(x.shape)
    if new < 0 or -1 in shape[:new]:
        raise ValueError(f"expand: cannot expand {tuple(x.shape)} to {shape}; give a size for every axis, -1 only "
                         "for those that are there")
    return BroadcastTo(tuple(x.shape[i - new] if n == -1 else n for i, n in enumerate(shape)))(x)


def cat(tensors, dim=0):
    """The tensors joined along an axis that they have. Beside others, tensor([]) adds nothing.

    >>> from minigrad import zeros, ones
    >>> cat([zeros(1, 2), ones(1, 2)])
    tensor([[0., 0.],
            [1., 1.]])
    """
    tensors = tuple(tensors)
    if not tensors:
        raise ValueError("cat: the list of tensors is empty; give it one at least")
    for x in tensors:
        if len(x.shape) != len(tensors[0].shape):
            return Cat(dim)(*_as_long_as_the_others(tensors, dim))
    return Cat(dim)(*tensors)


def _as_long_as_the_others(tensors, dim):
    """The tensors, those of shape (0,) with the axes of the others."""
    shape = next(tuple(x.shape) for x in tensors if tuple(x.shape) != (0,))
    axis, = axes_of(dim, len(shape), "cat") or (0,)
    return [x.reshape((*shape[:axis], 0, *shape[axis + 1:])) if tuple(x.shape) == (0,) else x for x in tensors]


def stack(tensors, dim=0):
    """The tensors, all of one shape, joined along a new axis."""
    tensors = tuple(tensors)
    if len({tuple(x.shape) for x in tensors}) != 1:
        raise ValueError(f"stack: the shapes are {[tuple(x.shape) for x in tensors]}; give tensors of one shape")
    return Cat(dim)(*[unsqueeze(x, dim) for x in tensors])


def split(x, split_size, dim=0):
    """Pieces of `split_size` along an axis (the last may be smaller), or of the sizes in a list."""
    size = split_size
    dim = axis_of(dim, len(x.shape), "split")
    n = x.shape[dim]
    if not isinstance(size, (tuple, list)):
        size = whole("split", "the size", size)
        if size < 1:
            raise ValueError(f"split: the size is {size}; use 1 or more")
        lengths = [size] * (n // size) + ([n % size] if n % size or not n else [])
    else:
        lengths = list(size)
        if sum(lengths) != n or min(lengths, default=0) < 0:
            raise ValueError(f"split: the sizes {lengths} do not add up to {n}, the length of axis {dim}")
    before, start, pieces = (slice(None),) * dim, 0, []
    for length in lengths:
        pieces.append(x[(*before, slice(start, start + length))])
        start += length
    return tuple(pieces)


def chunk(x, chunks, dim=0):
    """At most `chunks` pieces of equal length along an axis; the last may be smaller."""
    if chunks < 1:
        raise ValueError(f"chunk: {chunks} chunks; ask for 1 or more")
    chunks = whole("chunk", "the number of chunks", chunks)
    dim = axis_of(dim, len(x.shape), "chunk")
    n = x.shape[dim]
    return split(x, max(-(-n // chunks), 1) if n else [0] * chunks, dim)


def unbind(x, dim=0):
    """The slices of x along an axis, without it."""
    dim = axis_of(dim, len(x.shape), "unbind")
    return tuple(x[(slice(None),) * dim + (i,)] for i in range(x.shape[dim]))


def pad(x, pad, mode="constant", value=0.0):
    """x padded; `pad` lists (before, after) from the last axis on, as in PyTorch: (left, right, top, bottom, ...).

    `mode`: "constant" (with `value`; negative widths cut), "reflect", "replicate" or "circular".

    >>> from minigrad import ones
    >>> pad(ones(2), (1, 2))
    tensor([0., 1., 1., 0., 0.])
    """
    ndim = len(x.shape)
    if len(pad) % 2 or len(pad) > 2 * ndim:
        raise ValueError(f"pad: {len(pad)} widths for {ndim} axes; give a (before, after) pair an axis, the last first")
    widths = [(0, 0)] * (ndim - len(pad) // 2) + list(zip(pad[::2], pad[1::2]))[::-1]
    for n, (before, after) in zip(x.shape, widths):
        if n + before + after < 0 or before < -n or after < -n:
            raise ValueError(f"pad: cutting {-before} and {-after} from an axis of length {n} leaves less than nothing")
    if mode == "constant":
        return Pad(widths, value)(x)
    padded = x
    for axis, (before, after) in enumerate(widths):
        if before or after:
            padded = padded[(slice(None),) * axis + (_border(padded, axis, before, after, mode),)]
    return padded if padded is not x else Clone()(x)


def _border(x, axis, before, after, mode):
    """The indices along `axis` that padding by reflection, repetition or wrapping reads."""
    n = x.shape[axis]
    array = x.array if isinstance(x, Handle) else x
    xp = array_module(array)
    i = xp.arange(-before, n + after)
    most = {"reflect": n - 1, "circular": n, "replicate": before + after}.get(mode)
    if most is None:
        raise ValueError(f"pad: unknown mode {mode!r}; use constant, reflect, replicate or circular")
    if max(before, after) > most or n == 0:
        raise ValueError(f"pad: {mode} padding of ({before}, {after}) needs more than the {n} elements of axis {axis}")
    if mode == "reflect":
        period = max(2 * (n - 1), 1)
        return (n - 1) - abs((i % period) - (n - 1))
    return i.clip(0, n - 1) if mode == "replicate" else i % n


def flip(x, *axes, dims=None):
    """x backwards along axes: flip(x, 0), flip(x, 0, 1), flip(x, (0, 1)); without any along all."""
    return Flip(sizes(axes) if axes and axes != (None,) else dims)(x)


def roll(x, shifts, dims=None):
    """x shifted along axes, wrapping around; without `dims` over all elements in order."""
    several = [len(v) if isinstance(v, (tuple, list)) else 1 for v in (shifts, () if dims is None else dims)]
    if dims is None and several[0] != 1 or dims is not None and several[0] != several[1]:
        raise ValueError(f"roll: shifts {shifts} along {dims}; give one shift an axis")
    return Roll(shifts, dims)(x)


def repeat(x, *sizes_, repeats=None):
    """x tiled `sizes` times along each axis, new axes in front: torch.Tensor.repeat, numpy.tile."""
    times = sizes(sizes_) if repeats is None else tuple(repeats)
    if min(times, default=0) < 0:
        raise ValueError(f"repeat: the counts are {times}; give 0 or more")
    if len(times) < len(x.shape):
        raise ValueError(f"repeat: {len(times)} counts for {len(x.shape)} axes; give one for every axis at least")
    shape = (1,) * (len(times) - len(x.shape)) + tuple(x.shape)
    tall = tuple(m for n, k in zip(shape, times) for m in (k, n))
    x = Clone("C")(broadcast_to(x.reshape(tuple(m for n in shape for m in (1, n))), tall))
    return x.reshape(tuple(n * k for n, k in zip(shape, times)))
