"""The methods that are functions of `ops` or of `create`: what tensor.py's operators leave to be named."""

import numpy

from minigrad import create, ops
from minigrad.convert import cast
from minigrad.graph import Handle, Leaf
from minigrad.modes import enable_grad
from minigrad.ops.index import select
from minigrad.ops.words import with_words


def _written(name):
    """The method that writes what a function of `ops` gives: x.exp_() is x.copy_(x.exp()), where it fits x's dtype."""
    function = getattr(ops, name)

    def change(self, *arguments, **options):
        return self._become(f"{name}_", function(self.detach(), *arguments, **options))

    change.__name__, change.__qualname__ = f"{name}_", f"Methods.{name}_"
    change.__doc__ = f"self = self.{name}(...), in place."
    return change


def _reshaped(name):
    """The method that gives this tensor itself another shape: x.unsqueeze_(0)."""
    function = getattr(ops, name)

    def change(self, *arguments, **options):
        if isinstance(self.node, Leaf):
            self._writable(f"{name}_")
        with enable_grad():  # a graph that hangs on it has to know the shape
            view = function(self, *arguments, **options) if not isinstance(self.node, Leaf) else function(
                self.detach(), *arguments, **options)
        self.array, self.node = view.array, view.node or self.node
        return self

    change.__name__, change.__qualname__ = f"{name}_", f"Methods.{name}_"
    change.__doc__ = f"This tensor as self.{name}(...), in place of its own shape; its memory stays."
    return change


class Methods(Handle):
    """The part of Tensor that is functions under another roof: x.exp() is ops.exp(x)."""

    __slots__ = ()

    add, sub, mul, div, pow = ops.add, ops.sub, ops.mul, ops.div, ops.pow
    subtract, multiply, divide, true_divide = ops.sub, ops.mul, ops.div, ops.div
    neg, negative, abs, absolute, positive = ops.neg, ops.neg, ops.abs, ops.abs, ops.positive
    floor_divide, remainder, fmod, reciprocal = ops.floor_divide, ops.remainder, ops.fmod, ops.reciprocal
    addcmul, addcdiv, lerp, nan_to_num = ops.addcmul, ops.addcdiv, ops.lerp, ops.nan_to_num
    matmul, mm, bmm, mv, outer, ger = ops.matmul, ops.mm, ops.bmm, ops.mv, ops.outer, ops.outer
    dot = ops.linalg.matmul  # as wide as NumPy's: backward rules say x.dot(y) of arrays and Tensors
    inner, kron, matrix_power, trace = ops.inner, ops.kron, ops.matrix_power, ops.trace
    addmm, addmv, addr, baddbmm, addbmm = ops.addmm, ops.addmv, ops.addr, ops.baddbmm, ops.addbmm

    exp, exp2, expm1, log, log2, log10, log1p = ops.exp, ops.exp2, ops.expm1, ops.log, ops.log2, ops.log10, ops.log1p
    sqrt, rsqrt, square, sigmoid, logit = ops.sqrt, ops.rsqrt, ops.square, ops.sigmoid, ops.logit
    sin, cos, tan, asin, acos, atan, atan2 = ops.sin, ops.cos, ops.tan, ops.asin, ops.acos, ops.atan, ops.atan2
    arcsin, arccos, arctan, arctan2 = ops.asin, ops.acos, ops.atan, ops.atan2
    arcsinh, arccosh, arctanh = ops.asinh, ops.acosh, ops.atanh
    sinh, cosh, tanh, asinh, acosh, atanh = ops.sinh, ops.cosh, ops.tanh, ops.asinh, ops.acosh, ops.atanh
    deg2rad, rad2deg, hypot, erf, erfc = ops.deg2rad, ops.rad2deg, ops.hypot, ops.erf, ops.erfc
    logaddexp, xlogy, relu = ops.logaddexp, ops.xlogy, ops.relu

    sum, mean, std, var, prod, norm, dist = ops.sum, ops.mean, ops.std, ops.var, ops.prod, ops.norm, ops.dist
    nansum, nanmean, count_nonzero = ops.nansum, ops.nanmean, ops.count_nonzero
    cumsum, cumprod, logcumsumexp, diff = ops.cumsum, ops.cumprod, ops.logcumsumexp, ops.diff
    max, min, amax, amin, aminmax = ops.max, ops.min, ops.amax, ops.amin, ops.aminmax
    argmax, argmin, maximum, minimum = ops.argmax, ops.argmin, ops.maximum, ops.minimum
    clamp, clamp_min, clamp_max, clip = ops.clamp, ops.clamp_min, ops.clamp_max, ops.clamp
    logsumexp, softmax, log_softmax = ops.logsumexp, ops.softmax, ops.log_softmax
    sort, argsort, msort, topk, kthvalue = ops.sort, ops.argsort, ops.msort, ops.topk, ops.kthvalue
    median, quantile, unique, bincount = ops.median, ops.quantile, ops.unique, ops.bincount

    reshape, view, flatten, ravel, unflatten = ops.reshape, ops.view, ops.flatten, ops.ravel, ops.unflatten
    squeeze, unsqueeze, transpose, permute, t = ops.squeeze, ops.unsqueeze, ops.transpose, ops.permute, ops.t
    swapaxes, swapdims, movedim, moveaxis = ops.swapaxes, ops.transpose, ops.movedim, ops.movedim
    expand, broadcast_to, repeat, tile = ops.expand, ops.broadcast_to, ops.repeat, ops.tile
    repeat_interleave, flip, fliplr, flipud = ops.repeat_interleave, ops.flip, ops.fliplr, ops.flipud
    roll, rot90, split, chunk, unbind = ops.roll, ops.rot90, ops.split, ops.chunk, ops.unbind
    split_with_sizes, hsplit, vsplit, cross = ops.split_with_sizes, ops.hsplit, ops.vsplit, ops.cross
    unique_consecutive, diagflat = ops.unique_consecutive, ops.diagflat
    tensor_split, narrow, select, unfold = ops.tensor_split, ops.narrow, with_words(select), ops.unfold
    tril, triu, diag, diagonal, diag_embed = ops.tril, ops.triu, ops.diag, ops.diagonal, ops.diag_embed
    gather, take, take_along_dim, index_select = ops.gather, ops.take, ops.take_along_dim, ops.index_select
    scatter, scatter_add, index_add, index_copy = ops.scatter, ops.scatter_add, ops.index_add, ops.index_copy
    index_fill, index_put, masked_fill = ops.index_fill, ops.index_put, ops.masked_fill
    masked_select, masked_scatter, nonzero, argwhere = ops.masked_select, ops.masked_scatter, ops.nonzero, ops.argwhere

    eq, ne, lt, le, gt, ge, any, all = ops.eq, ops.ne, ops.lt, ops.le, ops.gt, ops.ge, ops.any, ops.all
    not_equal, less, less_equal, greater, greater_equal = ops.ne, ops.lt, ops.le, ops.gt, ops.ge
    equal, allclose, isclose, isin = ops.equal, ops.allclose, ops.isclose, ops.isin
    logical_and, logical_or, logical_xor = ops.logical_and, ops.logical_or, ops.logical_xor
    logical_not, bitwise_not, bitwise_and = ops.logical_not, ops.bitwise_not, ops.bitwise_and
    bitwise_or, bitwise_xor = ops.bitwise_or, ops.bitwise_xor
    bitwise_left_shift, bitwise_right_shift = ops.bitwise_left_shift, ops.bitwise_right_shift
    isnan, isinf, isfinite, sign = ops.isnan, ops.isinf, ops.isfinite, ops.sign
    round, floor, ceil, trunc, frac = ops.round, ops.floor, ops.ceil, ops.trunc, ops.frac
    multinomial = create.multinomial

    index_add_, index_copy_, index_fill_ = map(_written, ("index_add", "index_copy", "index_fill"))
    index_put_, masked_fill_, masked_scatter_ = map(_written, ("index_put", "masked_fill", "masked_scatter"))
    scatter_, scatter_add_, addcmul_, addcdiv_ = map(_written, ("scatter", "scatter_add", "addcmul", "addcdiv"))
    abs_, neg_, exp_, log_, sqrt_, rsqrt_ = map(_written, ("abs", "neg", "exp", "log", "sqrt", "rsqrt"))
    square_, reciprocal_, pow_, erf_ = map(_written, ("square", "reciprocal", "pow", "erf"))
    sin_, cos_, tanh_, sigmoid_, relu_ = map(_written, ("sin", "cos", "tanh", "sigmoid", "relu"))
    round_, floor_, ceil_, trunc_, sign_ = map(_written, ("round", "floor", "ceil", "trunc", "sign"))
    remainder_, fmod_, floor_divide_ = map(_written, ("remainder", "fmod", "floor_divide"))
    clamp_min_, clamp_max_, nan_to_num_ = map(_written, ("clamp_min", "clamp_max", "nan_to_num"))
    tril_, triu_, logical_not_ = map(_written, ("tril", "triu", "logical_not"))
    addmm_, addmv_, baddbmm_, cumsum_, cumprod_ = map(_written, ("addmm", "addmv", "baddbmm", "cumsum", "cumprod"))
    squeeze_, unsqueeze_, transpose_, t_ = map(_reshaped, ("squeeze", "unsqueeze", "transpose", "t"))

    def resize_(self, *sizes):
        """This tensor in other sizes: its elements in C order, as far as they go, then memory as it comes."""
        array = self._writable("resize_")
        other = create.empty(*sizes, dtype=self.dtype, device=self.device).array
        kept = min(array.size, other.size)
        other.reshape(-1)[:kept] = array.reshape(-1)[:kept]
        self.array = other
        return self

    def resize_as_(self, other):
        """This tensor in the sizes of another."""
        return self.resize_(other.shape)

    def fill_diagonal_(self, fill_value):
        """One value on the diagonal of a matrix."""
        n = min(self.shape[0], self.shape[1]) if self.array.ndim == 2 else 0
        if self.array.ndim != 2:
            raise ValueError(f"fill_diagonal_: the tensor has shape {self.shape}; give a matrix")
        return self._assign("fill_diagonal_", (range(n), range(n)), fill_value)

    def detach_(self):
        """This tensor itself without its graph."""
        self.node = None
        return self

    def where(self, condition, other):
        """self where `condition` holds, else `other`."""
        return ops.where(condition, self, other)

    def reshape_as(self, other):
        """This tensor in the shape of another."""
        return ops.reshape(self, other.shape)

    def sum_to_size(self, *size):
        """The sum over the axes along which `size` is 1 or absent."""
        return ops.broadcast.unbroadcast(self, ops.shape.sizes(size))

    def new_tensor(self, data, dtype=None, device=None, requires_grad=False):
        """A tensor with a copy of `data`, in this one's dtype and place; see `tensor`."""
        return create.tensor(data, dtype or self.dtype, device or self.device, requires_grad)

    def new_zeros(self, *shape, size=None, dtype=None, device=None, requires_grad=False):
        """Zeros in this tensor's dtype and place."""
        return create.zeros(*shape, size=size, **self._like(dtype, device, requires_grad))

    def new_ones(self, *shape, size=None, dtype=None, device=None, requires_grad=False):
        """Ones in this tensor's dtype and place."""
        return create.ones(*shape, size=size, **self._like(dtype, device, requires_grad))

    def new_empty(self, *shape, size=None, dtype=None, device=None, requires_grad=False):
        """Memory as it comes, in this tensor's dtype and place."""
        return create.empty(*shape, size=size, **self._like(dtype, device, requires_grad))

    def new_full(self, size, fill_value, dtype=None, device=None, requires_grad=False):
        """One value everywhere, in this tensor's dtype and place."""
        return create.full(size, fill_value, **self._like(dtype, device, requires_grad))

    def _like(self, dtype, device, requires_grad):
        return {"dtype": dtype or self.dtype, "device": device or self.device, "requires_grad": requires_grad}

    def new(self, *data):
        """Memory as it comes of the given sizes, or a copy of a list or array, in this tensor's dtype and place."""
        if len(data) == 1 and not isinstance(data[0], (int, tuple, numpy.integer)):
            return self.new_tensor(data[0])
        return self.new_empty(*data or (0,))

    def short(self):
        """In int16."""
        return cast(self, numpy.dtype("int16"))

    def char(self):
        """In int8."""
        return cast(self, numpy.dtype("int8"))

    def ndimension(self):
        """The number of axes."""
        return self.array.ndim

    def element_size(self):
        """The bytes of an element."""
        return self.array.itemsize

    def stride(self, dim=None):
        """How many elements lie between neighbours along each axis, or along one."""
        steps = tuple(step // self.array.itemsize for step in self.array.strides)
        return steps if dim is None else steps[dim]

    def data_ptr(self):
        """The address of the first element."""
        array = self.array
        return array.ctypes.data if isinstance(array, numpy.ndarray) else array.data.ptr

    def get_device(self):
        """The number of the GPU on which it lies, -1 for the CPU."""
        return -1 if self.device.type == "cpu" else self.device.index

    def is_signed(self):
        """Whether the dtype has negative numbers."""
        return self.array.dtype.kind in "fi"

    def is_complex(self):
        """Whether the dtype is complex: never."""
        return False

    def pin_memory(self):
        """This tensor: nothing is gained by pinning here."""
        return self

    def share_memory_(self):
        """This tensor: loaders read in threads, which share memory anyway."""
        return self

    H = property(lambda self: self.t(), doc="The transpose of a matrix.")
    mH = property(lambda self: self.transpose(-1, -2), doc="The last two axes exchanged.")
    itemsize = property(lambda self: self.array.itemsize, doc="The bytes of an element.")
    nbytes = property(lambda self: self.array.nbytes, doc="The bytes of all elements.")
