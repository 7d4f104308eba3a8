"""What each op is called in ONNX: a rule adds the nodes of a step to a graph, and returns the name of what they make.

RULES has one for each class of op, for the layers that ONNX has as they are, and for the functions without a gradient.
An op without a rule has no counterpart. The names of ONNX are those of https://onnx.ai/onnx/operators.
"""

import math

import numpy

from minigrad.convert import Cast, Clone, CopyTo
from minigrad.nn.norm import BatchNorm1d, BatchNorm2d
from minigrad.onnx.trace import UNEVEN, Batch, Counting, Repeated, State, Unexpressible, Value
from minigrad.ops import (
    activation,
    arrange,
    conv,
    elementary,
    elementwise,
    index,
    linalg,
    pool,
    rectifier,
    reduce,
    rounding,
    select,
    shape,
    trigonometry,
)
from minigrad.ops.norm import BatchNormalize, Normalize
from minigrad.ops.shape import axes_of

RULES = {}
INT64 = numpy.dtype("int64")
BOOL = numpy.dtype("bool")
FAR = 2**63 - 1  # an end beyond any axis


def rule(*kinds):
    """The decorated function is the rule of these ops."""
    def note(function):
        RULES.update(dict.fromkeys(kinds, function))
        return function

    return note


def named(kind):
    """The rule of an elementwise op that ONNX has under a name."""
    return lambda g, step: g.node(kind, *g.inputs(step))


for kind, name in {
        elementwise.Add: "Add", elementwise.Sub: "Sub", elementwise.Mul: "Mul", elementwise.Div: "Div",
        elementwise.Pow: "Pow", elementwise.Neg: "Neg", elementwise.Exp: "Exp", elementwise.Log: "Log",
        elementwise.Sqrt: "Sqrt", elementwise.Abs: "Abs", elementary.Reciprocal: "Reciprocal",
        activation.Tanh: "Tanh", activation.Sigmoid: "Sigmoid", activation.Relu: "Relu", activation.Erf: "Erf",
        trigonometry.Sin: "Sin", trigonometry.Cos: "Cos", trigonometry.Tan: "Tan", trigonometry.Asin: "Asin",
        trigonometry.Acos: "Acos", trigonometry.Atan: "Atan", trigonometry.Sinh: "Sinh", trigonometry.Cosh: "Cosh",
        trigonometry.Asinh: "Asinh", trigonometry.Acosh: "Acosh", trigonometry.Atanh: "Atanh",
        rounding.Sign: "Sign", select.Maximum: "Max", select.Minimum: "Min", linalg.Matmul: "MatMul"}.items():
    RULES[kind] = named(name)


# Elementwise, of several nodes. Numbers come as constants in the dtype of the result.


@rule(elementwise.Log1p)
def log1p(g, step):
    x, = g.inputs(step)
    return g.node("Log", g.node("Add", x, g.constant(1, step.dtype)))


@rule(elementary.Expm1)
def expm1(g, step):
    x, = g.inputs(step)
    return g.node("Sub", g.node("Exp", x), g.constant(1, step.dtype))


@rule(elementary.Exp2)
def exp2(g, step):
    return g.node("Pow", g.constant(2, step.dtype), *g.inputs(step))


@rule(elementary.Log2, elementary.Log10)
def other_logarithm(g, step):
    base = 2 if step.kind is elementary.Log2 else 10
    return g.node("Mul", g.node("Log", *g.inputs(step)), g.constant(1 / math.log(base), step.dtype))


@rule(elementary.Rsqrt)
def rsqrt(g, step):
    return g.node("Reciprocal", g.node("Sqrt", *g.inputs(step)))


@rule(elementary.Hypot)
def hypot(g, step):
    return g.node("Sqrt", g.node("Add", *[g.node("Mul", x, x) for x in g.inputs(step)]))


@rule(elementary.LogAddExp)
def logaddexp(g, step):
    x, y = g.inputs(step)
    gap = g.node("Exp", g.node("Neg", g.node("Abs", g.node("Sub", x, y))))
    return g.node("Add", g.node("Max", x, y), g.node("Log", g.node("Add", gap, g.constant(1, step.dtype))))


@rule(rounding.Floor, rounding.Ceil, rounding.Round)
def rounded(g, step):
    x, = g.inputs(step)
    return g.node(step.kind.__name__, x) if step.dtype.kind == "f" else x


@rule(rounding.Trunc)
def trunc(g, step):
    x, = g.inputs(step)
    if step.dtype.kind != "f":
        return x
    return g.node("Mul", g.node("Sign", x), g.node("Floor", g.node("Abs", x)))


@rule(rounding.FloorDivide)
def floor_divide(g, step):
    whole_numbers(step)
    return g.node("Floor", g.node("Div", *g.inputs(step)))


@rule(rounding.Remainder)
def remainder(g, step):
    whole_numbers(step)
    x, y = g.inputs(step)
    return g.node("Sub", x, g.node("Mul", y, g.node("Floor", g.node("Div", x, y))))


def whole_numbers(step):
    """Unexpressible for integers, whose division is not rounded down in ONNX."""
    if step.dtype.kind != "f":
        raise Unexpressible("of integers it has no counterpart in ONNX; call .float() on them first")


@rule(rounding.Fmod)
def fmod(g, step):
    return g.node("Mod", *g.inputs(step), fmod=1)


@rule(select.Clamp, rectifier.Hardtanh)
def clamp(g, step):
    bounds = [None if bound is None else g.constant(bound, step.dtype) for bound in (
        step.same("low"), step.same("high"))]
    return g.node("Clip", *g.inputs(step), *bounds)


@rule(select.Where)
def where(g, step):
    return g.node("Where", g.name(step.held["condition"], BOOL), *g.inputs(step))


# Activations


@rule(activation.LeakyRelu)
def leaky_relu(g, step):
    return g.node("LeakyRelu", *g.inputs(step), alpha=step.same("slope"))


@rule(activation.Elu)
def elu(g, step):
    x, = g.inputs(step)
    alpha, scale, rate = map(step.same, ("alpha", "scale", "rate"))
    if rate == 1.0:
        return g.node("Elu", x, alpha=alpha) if scale == 1.0 else g.node("Selu", x, alpha=alpha, gamma=scale)
    if scale == 1.0 and rate * alpha == 1.0:
        return g.node("Celu", x, alpha=alpha)
    low = g.node("Exp", g.node("Mul", g.node("Min", x, g.constant(0, step.dtype)), g.constant(rate, step.dtype)))
    low = g.node("Mul", g.node("Sub", low, g.constant(1, step.dtype)), g.constant(alpha * scale, step.dtype))
    high = g.node("Mul", g.node("Relu", x), g.constant(scale, step.dtype))
    return g.node("Add", low, high)


@rule(activation.Silu)
def silu(g, step):
    x, = g.inputs(step)
    return g.node("Mul", x, g.node("Sigmoid", x))


@rule(activation.Gelu)
def gelu(g, step):
    x, = g.inputs(step)
    return g.node("Mul", x, normal_distribution(g, x, step.dtype))


@rule(activation.Ndtr)
def ndtr(g, step):
    x, = g.inputs(step)
    return normal_distribution(g, x, step.dtype)


def normal_distribution(g, x, dtype):
    """(1 + erf(x / sqrt 2)) / 2"""
    erf = g.node("Erf", g.node("Mul", x, g.constant(math.sqrt(0.5), dtype)))
    return g.node("Mul", g.node("Add", erf, g.constant(1, dtype)), g.constant(0.5, dtype))


@rule(activation.GeluTanh)
def gelu_tanh(g, step):
    x, = g.inputs(step)
    cube = g.node("Mul", g.node("Mul", g.node("Mul", x, x), x), g.constant(0.044715, step.dtype))
    z = g.node("Mul", g.node("Add", x, cube), g.constant(math.sqrt(8 / math.pi), step.dtype))
    return g.node("Mul", x, g.node("Sigmoid", z))


@rule(activation.Softplus)
def softplus(g, step):
    x, = g.inputs(step)
    beta, threshold = step.same("beta"), step.same("threshold")
    z = x if beta == 1 else g.node("Mul", x, g.constant(beta, step.dtype))
    y = g.node("Softplus", z)
    y = y if beta == 1 else g.node("Div", y, g.constant(beta, step.dtype))
    if math.isinf(threshold):
        return y
    return g.node("Where", g.node("Greater", z, g.constant(threshold, step.dtype)), x, y)


# Matrices and convolutions


@rule(linalg.Linear, linalg.LinearThen)
def linear(g, step):
    x, w, *b = g.inputs(step)
    axes = len(step.shapes[0])
    if axes == 2:
        y = g.node("Gemm", x, w, *b, transB=1)
    else:
        y = g.node("MatMul", w, x) if axes == 1 else g.node("MatMul", x, g.node("Transpose", w, perm=[1, 0]))
        y = g.node("Add", y, *b) if b else y
    return activated(g, y, step.sources[0].activation) if step.kind is linalg.LinearThen else y


def activated(g, y, op):
    """An activation that an op applies itself."""
    if isinstance(op, activation.LeakyRelu):
        return g.node("LeakyRelu", y, alpha=op.slope)
    return g.node(type(op).__name__, y)


@rule(linalg.Einsum)
def einsum(g, step):
    return g.node("Einsum", *g.inputs(step), equation=f"{','.join(step.same('inputs'))}->{step.same('output')}")


@rule(conv.Conv2d)
def convolution(g, step):
    return g.node("Conv", *g.inputs(step), **window(step.same("geometry")))


@rule(conv.ConvTranspose2d)
def transposed_convolution(g, step):
    geometry = step.same("geometry")
    extra = [n - ((m - 1) * s + d * (k - 1) + 1 - sum(p)) for n, m, s, d, k, p in zip(
        geometry.image, geometry.windows, geometry.stride, geometry.dilation, geometry.kernel, geometry.padding)]
    return g.node("ConvTranspose", *g.inputs(step), output_padding=extra, **window(geometry))


def window(geometry, *without):
    """The attributes that say which pixels the windows read."""
    (top, bottom), (left, right) = geometry.padding
    found = {"kernel_shape": geometry.kernel, "strides": geometry.stride, "pads": [top, left, bottom, right],
             "dilations": geometry.dilation, "group": geometry.groups}
    return {name: value for name, value in found.items() if name not in without}


@rule(pool.MaxPool2d)
def max_pool(g, step):
    return g.node("MaxPool", *g.inputs(step), **window(step.same("geometry"), "group"))


@rule(pool.AvgPool2d)
def average_pool(g, step):
    geometry, scale = step.same("geometry"), numpy.asarray(step.sources[0].scale)
    y = g.node("AveragePool", *g.inputs(step), count_include_pad=1, **window(geometry, "group", "dilations"))
    scale = scale * math.prod(geometry.kernel)  # of the mean over a whole window
    return y if numpy.allclose(scale, 1, 1e-12, 0) else g.node("Mul", y, g.constant(scale, step.dtype))


# Normalisation


@rule(BatchNorm1d, BatchNorm2d)
def batch_norm(g, step):
    layer = step.sources[0]
    parts = []
    for name, otherwise in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
        there = getattr(layer, name) is not None
        reference = State(f"{step.place}.{name}" if step.place else name)
        parts.append(g.name(reference) if there else g.constant(numpy.full(layer.num_features, otherwise, step.dtype)))
    return g.node("BatchNormalization", g.input(step, 0, step.dtype), *parts, epsilon=layer.eps)


@rule(Normalize, BatchNormalize)
def normalize(g, step):
    x, *rest = g.inputs(step)
    axes, features, eps = step.same("axes"), step.same("shape"), step.same("eps")
    ndim = len(step.shapes[0])
    if rest and axes == tuple(range(ndim - len(features), ndim)):
        return g.node("LayerNormalization", x, *rest, axis=axes[0], epsilon=eps)
    over = g.axes(axes)
    centred = g.node("Sub", x, g.node("ReduceMean", x, over))
    variance = g.node("ReduceMean", g.node("Mul", centred, centred), over)
    y = g.node("Div", centred, g.node("Sqrt", g.node("Add", variance, g.constant(eps, step.dtype))))
    for kind, factor in zip(("Mul", "Add"), rest):
        y = g.node(kind, y, g.node("Reshape", factor, g.sizes(features)))
    slope = getattr(step.sources[0], "slope", None)
    return y if slope is None else g.node("LeakyRelu", y, alpha=float(slope))


# Reductions


def reduction(kind):
    """The rule of a reduction that ONNX has under a name."""
    def over_axes(g, step):
        keepdim, axes = step.same("keepdim"), reduce.reduced(step.same("dim"), len(step.shapes[0]))
        x, = g.inputs(step)
        return g.node(kind, x, g.axes(axes), keepdims=int(keepdim)) if axes else x

    return over_axes


for kind, name in {reduce.Sum: "ReduceSum", reduce.Mean: "ReduceMean", reduce.Norm: "ReduceL2",
                   reduce.Amax: "ReduceMax", reduce.Amin: "ReduceMin", reduce.LogSumExp: "ReduceLogSumExp"}.items():
    RULES[kind] = reduction(name)


@rule(reduce.Var)
def variance(g, step):
    x, = g.inputs(step)
    axes, keepdim, correction = step.same("axes"), int(step.same("keepdim")), step.same("correction")
    centred = g.node("Sub", x, g.node("ReduceMean", x, g.axes(axes)))
    total = g.node("ReduceSum", g.node("Mul", centred, centred), g.axes(axes), keepdims=keepdim)
    if not step.differs("scale"):
        return g.node("Mul", total, g.constant(step.sources[0].scale, step.dtype))
    count = g.cast(g.node("Div", g.node("Size", x), g.node("Size", total)), step.dtype)
    return g.node("Div", total, g.node("Sub", count, g.constant(correction, step.dtype)))


@rule(reduce.Softmax, reduce.LogSoftmax)
def softmax(g, step):
    return g.node(step.kind.__name__, *g.inputs(step), axis=step.same("dim"))


@rule(reduce.CumSum)
def cumsum(g, step):
    return g.node("CumSum", *g.inputs(step), g.constant(step.same("dim"), INT64))


# Rearranging


@rule(Clone, CopyTo)
def copied(g, step):
    return g.input(step, 0)


@rule(Cast)
def cast(g, step):
    return g.input(step, 0, step.dtype)


@rule(shape.Reshape)
def reshape(g, step):
    return g.node("Reshape", g.input(step, 0), target(g, step.shape))


def target(g, sizes):
    """The name of the sizes that a Reshape leads to; the one that grows in another way than by the batch, or one that
    grows at all, if it is the only one, is left for ONNX to find out."""
    sizes = list(sizes)
    growing = [i for i, n in enumerate(sizes) if not isinstance(n, int)]
    uneven = [i for i in growing if sizes[i] is UNEVEN] or growing[:len(growing) == 1]
    if len(uneven) > 1:
        raise Unexpressible("two sizes of the result are no multiples of the batch size")
    if uneven:
        sizes[uneven[0]] = -1
    return g.sizes(sizes)


@rule(shape.Permute)
def permute(g, step):
    return g.node("Transpose", g.input(step, 0), perm=axes_of(step.same("dims"), len(step.shapes[0])))


@rule(shape.BroadcastTo)
def broadcast_to(g, step):
    new = len(step.shape) - len(step.shapes[0])
    sizes = [1 if i >= new and n == step.shapes[0][i - new] else n for i, n in enumerate(step.shape)]
    even(sizes)
    return g.input(step, 0) if not new and set(sizes) <= {1} else g.node("Expand", g.input(step, 0), g.sizes(sizes))


def even(sizes):
    """The sizes; Unexpressible where one is no multiple of the batch size."""
    if any(n is UNEVEN for n in sizes):
        raise Unexpressible("a size of the result is no multiple of the batch size")
    return sizes


@rule(shape.Cat)
def cat(g, step):
    return g.node("Concat", *g.inputs(step), axis=step.same("dim"))


@rule(shape.Pad)
def pad(g, step):
    widths = step.same("widths")
    pads = g.constant([before for before, _ in widths] + [after for _, after in widths], INT64, "pads")
    return g.node("Pad", *g.inputs(step), pads, g.constant(step.same("value"), step.dtype))


@rule(shape.Flip)
def flip(g, step):
    axes = axes_of(step.same("dims"), len(step.shapes[0]))
    return sliced(g, g.input(step, 0), [(axis, slice(None, None, -1)) for axis in axes])


@rule(shape.Roll)
def roll(g, step):
    shifts, dims, x = step.same("shifts"), step.same("dims"), g.input(step, 0)
    if dims is None:
        x = g.node("Reshape", x, g.sizes([-1]))
    ndim = 1 if dims is None else len(step.shapes[0])
    axes = (0,) if dims is None else axes_of(dims, ndim)
    for axis, shift in zip(axes, shifts if isinstance(shifts, (tuple, list)) else (shifts,)):
        length = None if dims is None else step.shapes[0][axis]
        shift = shift % length if isinstance(length, int) else shift
        if shift:  # of an axis that grows it has to be smaller than the axis is long
            x = g.node("Concat", sliced(g, x, [(axis, slice(-shift, None))]), sliced(g, x, [(axis, slice(-shift))]),
                       axis=axis)
    return g.node("Reshape", x, target(g, step.shape)) if dims is None else x


def sliced(g, x, parts):
    """x[..., slice, ...] for pairs (axis, slice) with numbers, Batches or None."""
    axes, slices = zip(*parts)
    steps = [1 if part.step is None else part.step for part in slices]
    if not all(isinstance(step, int) for step in steps):
        raise Unexpressible("the step of a slice depends on the batch size")
    starts = [(0 if step > 0 else FAR) if part.start is None else part.start for part, step in zip(slices, steps)]
    ends = [(FAR if step > 0 else -FAR) if part.stop is None else part.stop for part, step in zip(slices, steps)]
    return g.node("Slice", x, g.sizes(even(starts)), g.sizes(even(ends)), g.axes(axes), g.sizes(steps))


@rule(index.GetItem, arrange.Windows)
def getitem(g, step):
    parts, x = spelt(step), g.input(step, 0)
    if any(is_array(part) and array.dtype == BOOL for part, array in parts):
        raise Unexpressible("how many elements a mask picks depends on values; use where()")
    if sum(is_array(part) for part, _ in parts) > 1:
        return along_one_axis(g, x, [part for part, _ in parts], len(step.shapes[0]))
    slices, dropped, gathered, added = [], [], None, []
    axis = place = 0  # of what goes in, of what comes out
    for part, array in parts:
        if part is None:
            added.append(place)
            place += 1
            continue
        if is_array(part):
            gathered = g.name(part, INT64, array.dtype), axis - len(dropped)
            place += array.ndim
        elif isinstance(part, slice):
            slices += [(axis, part)] * (part != slice(None))
            place += 1
        else:
            end = part._replace(more=part.more + 1) if isinstance(part, Batch) else part + 1 or None
            slices.append((axis, slice(part, end)))
            dropped.append(axis)
        axis += 1
    x = sliced(g, x, slices) if slices else x
    x = g.node("Squeeze", x, g.axes(dropped)) if dropped else x
    x = g.node("Gather", x, gathered[0], axis=gathered[1]) if gathered else x
    return g.node("Unsqueeze", x, g.axes(added)) if added else x


def spelt(step):
    """The parts of an index, beside each what it was in the first run, with a full slice in the place of each axis
    that `...` stands for."""
    held, array = step.held["index"], step.sources[0].index
    parts = list(zip(held, array)) if type(held) is tuple else [(held, array)]
    dots = [i for i, (part, _) in enumerate(parts) if part is Ellipsis] or [len(parts)]
    taken = sum(array.ndim if getattr(array, "dtype", None) == BOOL else part is not None and part is not Ellipsis
                for part, array in parts)
    parts[dots[0]:dots[0] + 1] = [(slice(None), None)] * (len(step.shapes[0]) - taken)
    return parts


def is_array(part):
    """Whether a part of an index is an array of some kind."""
    return isinstance(part, (numpy.ndarray, Value, State, Repeated, Counting))


def along_one_axis(g, x, parts, ndim):
    """What `gather` asks for: elements along one axis, while the other parts of the index count along theirs."""
    chosen = [axis for axis, part in enumerate(parts) if not counts(part)]
    if len(parts) != ndim or len(chosen) != 1 or not all(map(is_array, parts)):
        raise Unexpressible("several arrays as an index have no counterpart in ONNX; use gather, or index_select")
    return g.node("GatherElements", x, g.name(parts[chosen[0]]), axis=chosen[0])


def counts(part):
    """Whether a part of an index is 0, 1, 2, ..."""
    return isinstance(part, Counting) or isinstance(part, numpy.ndarray) and numpy.array_equal(
        part.reshape(-1), numpy.arange(part.size))


# Without a gradient: the sources are {option: value}


def compared(kind, turned=False):
    """The rule of a comparison or a test; with `turned`, of its opposite."""
    def compare(g, step):
        dtypes = [dtype for dtype in step.dtypes if dtype is not None]
        dtype = numpy.result_type(*dtypes)
        if any(isinstance(x, float) for x in step.inputs) and dtype.kind != "f":
            dtype = numpy.dtype("float32")
        y = g.node(kind, *[g.input(step, i, dtype) for i in range(len(step.inputs))])
        return g.node("Not", y) if turned else y

    return compare


def logical(kind):
    """The rule of a connective, of bools."""
    return lambda g, step: g.node(kind, *[g.input(step, i, BOOL) for i in range(len(step.inputs))])


RULES |= {"eq": compared("Equal"), "ne": compared("Equal", True), "lt": compared("Less"), "gt": compared("Greater"),
          "le": compared("LessOrEqual"), "ge": compared("GreaterOrEqual"), "isnan": compared("IsNaN"),
          "isinf": compared("IsInf"), "logical_and": logical("And"), "logical_or": logical("Or"),
          "logical_xor": logical("Xor"), "logical_not": logical("Not")}


def bits(kind):
    """The rule of an operation on bits, which of bools is a connective."""
    return lambda g, step: g.node(kind if step.dtype == BOOL else f"Bitwise{kind}", *g.inputs(step))


RULES |= {f"bitwise_{kind.lower()}": bits(kind) for kind in ("And", "Or", "Xor", "Not")}


@rule("isfinite")
def isfinite(g, step):
    x = g.input(step, 0)
    return g.node("Not", g.node("Or", g.node("IsNaN", x), g.node("IsInf", x)))


@rule("any", "all")
def holds(g, step):
    dim, keepdim = step.same("dim"), step.same("keepdim")
    numbers = g.cast(g.input(step, 0, BOOL), "int32")
    axes = axes_of(dim, len(step.shapes[0]))
    y = g.node("ReduceMax" if step.kind == "any" else "ReduceMin", numbers, g.axes(axes), keepdims=int(keepdim))
    return g.cast(y, step.dtype)


@rule("argmax", "argmin")
def argmax(g, step):
    dim, keepdim, x = step.same("dim"), step.same("keepdim"), g.input(step, 0)
    kind = "ArgMax" if step.kind == "argmax" else "ArgMin"
    if dim is not None:
        return g.node(kind, x, axis=dim, keepdims=int(keepdim))
    y = g.node(kind, g.node("Reshape", x, g.sizes([-1])), axis=0, keepdims=0)
    return g.node("Reshape", y, g.sizes([1] * len(step.shapes[0]))) if keepdim else y
