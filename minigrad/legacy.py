"""Old spellings that books and tutorials use, PyTorch's second names for one thing, and names that mean less here.

Nothing else in the package uses them. In new code: `tensor`, `zeros`, `set_default_dtype`, `minigrad.checkpoint`.
"""

from math import e, inf, nan, pi

import numpy

from minigrad import create, ops
from minigrad.backend.device import device
from minigrad.graph import Handle
from minigrad.modes import inference_mode, no_grad
from minigrad.ops.index import select as _select
from minigrad.ops.words import with_words
from minigrad.tensor import Tensor

__all__ = ["BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "HalfTensor",
           "IntTensor", "LongTensor", "ShortTensor", "Size", "absolute", "arccos", "arccosh", "arcsin", "arcsinh",
           "arctan", "arctan2", "arctanh", "asarray", "bernoulli", "clip", "clone", "concat", "concatenate",
           "detach", "divide", "dtype", "e", "empty_like", "finfo", "fix", "ger", "greater", "greater_equal", "iinfo",
           "inf", "inference_mode", "int16", "int8", "is_floating_point", "is_tensor", "less", "less_equal", "load",
           "moveaxis", "multiply", "nan", "negative", "normal", "not_equal", "numel", "pi", "promote_types",
           "row_stack", "save", "scalar_tensor", "select", "set_default_tensor_type", "subtract", "swapdims",
           "true_divide"]

Size, dtype = tuple, numpy.dtype  # what shapes and dtypes are instances of
int8, int16 = numpy.dtype("int8"), numpy.dtype("int16")
finfo, iinfo, fix = numpy.finfo, numpy.iinfo, ops.trunc
clip, concat, concatenate, ger = ops.clamp, ops.cat, ops.cat, ops.outer
subtract, multiply, divide, true_divide = ops.sub, ops.mul, ops.div, ops.div
negative, absolute, moveaxis, swapdims = ops.neg, ops.abs, ops.movedim, ops.transpose
arcsin, arccos, arctan, arctan2 = ops.asin, ops.acos, ops.atan, ops.atan2
arcsinh, arccosh, arctanh, row_stack = ops.asinh, ops.acosh, ops.atanh, ops.vstack
select = with_words(_select, __name__)  # not in `ops`, where a module has this name
not_equal, less, less_equal, greater, greater_equal = ops.ne, ops.lt, ops.le, ops.gt, ops.ge

_DTYPES = {"FloatTensor": "float32", "DoubleTensor": "float64", "HalfTensor": "float16", "LongTensor": "int64",
           "IntTensor": "int32", "ShortTensor": "int16", "CharTensor": "int8", "ByteTensor": "uint8",
           "BoolTensor": "bool"}


class TensorType:
    """A dtype and a place under one name, such as FloatTensor or cuda.FloatTensor.

    Called with sequences, arrays or tensors it converts them; with integers it makes a tensor of these sizes without
    content. `x.type(FloatTensor)` and `isinstance(x, FloatTensor)` work, too.

    >>> FloatTensor([1, 2]), FloatTensor(2, 3).shape, isinstance(LongTensor([1]), LongTensor)
    (tensor([1., 2.]), (2, 3), True)
    """

    def __init__(self, name, dtype, place):
        self.name, self.dtype, self.device = name, numpy.dtype(dtype), device(place)

    def __call__(self, *data):
        if len(data) == 1 and not isinstance(data[0], (int, numpy.integer)):
            return create.tensor(data[0], dtype=self.dtype, device=self.device)
        return create.empty(*data or (0,), dtype=self.dtype, device=self.device)

    def __instancecheck__(self, x):
        return isinstance(x, Handle) and x.dtype == self.dtype and x.device.type == self.device.type

    def __repr__(self):
        return f"<tensor type {self.name}>"


def tensor_types(place, prefix=""):
    """{name: TensorType} of all dtypes on one device."""
    return {name: TensorType(prefix + name, dtype, place) for name, dtype in _DTYPES.items()}


_types = tensor_types("cpu")
FloatTensor, DoubleTensor, HalfTensor = _types["FloatTensor"], _types["DoubleTensor"], _types["HalfTensor"]
LongTensor, IntTensor, ShortTensor = _types["LongTensor"], _types["IntTensor"], _types["ShortTensor"]
CharTensor, ByteTensor, BoolTensor = _types["CharTensor"], _types["ByteTensor"], _types["BoolTensor"]


def set_default_tensor_type(kind):
    """Set the default dtype and device together: set_default_tensor_type(cuda.FloatTensor), or "torch.FloatTensor"."""
    if kind is Tensor:
        kind = FloatTensor
    if isinstance(kind, str):
        name = kind.split(".")[-1]
        if name not in _DTYPES:
            raise ValueError(f"set_default_tensor_type: unknown type {kind!r}; use one of {', '.join(_DTYPES)}")
        kind = TensorType(kind, _DTYPES[name], "cuda" if ".cuda." in f".{kind}" else "cpu")
    create.set_default_device(kind.device)
    create.set_default_dtype(kind.dtype)


def is_tensor(x):
    """Whether x is a Tensor."""
    return isinstance(x, Tensor)


def is_floating_point(input):
    """Whether the dtype of the input is a floating one."""
    return input.is_floating_point()


def clone(input):
    """A copy of the input, through which gradients flow."""
    return input.clone()


def detach(input):
    """The same memory without the graph."""
    return input.detach()


def scalar_tensor(s, dtype=None, device=None):
    """A number as a tensor without axes, in the default dtype."""
    return create.tensor(s, dtype or create.get_default_dtype(), device)


def asarray(obj, dtype=None, device=None, copy=None, requires_grad=False):
    """A tensor of `obj`, sharing its memory where it is an array or tensor, unless `copy`."""
    if copy:
        return create.tensor(obj, dtype, device, requires_grad)
    x = create.as_tensor(obj, dtype, device)
    return x.requires_grad_() if requires_grad else x


def promote_types(a, b):
    """The dtype of a tensor of dtype a beside one of dtype b: a floating one wins over integers."""
    a, b = numpy.dtype(a), numpy.dtype(b)
    return a if a.kind == "f" != b.kind else b if b.kind == "f" != a.kind else numpy.promote_types(a, b)


def numel(input):
    """The number of elements."""
    return input.numel()


def empty_like(input, dtype=None, device=None):
    """Memory as it comes in the shape, dtype and place of the input."""
    return create.empty(*input.shape, dtype=dtype or input.dtype, device=device or input.device)


def normal(mean=0.0, std=1.0, size=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Draws of N(mean, std**2): numbers with a size, or tensors, which broadcast, instead of one or both."""
    given = [x for x in (mean, std) if isinstance(x, Handle)]
    if given and size is None:
        size, dtype, device = numpy.broadcast_shapes(*(x.shape for x in given)), given[0].dtype, given[0].device
    elif size is None:
        raise TypeError(f"normal: mean={mean} and std={std} are numbers; give size, too, or tensors instead")
    drawn = create.randn(size, generator=generator, dtype=dtype, device=device)
    with no_grad():
        drawn = drawn * std + mean
    return drawn.requires_grad_() if requires_grad else drawn


def bernoulli(input, p=None, *, generator=None):
    """1 with the probability in each place of the input, else 0; with a number p, with that one in all places."""
    if p is None and input.dtype.kind != "f":
        raise TypeError(f"bernoulli: the probabilities are {input.dtype}; give floating ones, or p")
    drawn = create.empty(input.shape, dtype=input.dtype, device=input.device)
    return drawn.bernoulli_(input if p is None else p, generator=generator)


def Variable(data, requires_grad=False):
    """The tensor itself: since PyTorch 0.4 every tensor can carry a graph. With requires_grad, a leaf on its memory."""
    return data.detach().requires_grad_() if requires_grad else data


def save(state_dict, path):
    """Save {name: tensor}, such as `model.state_dict()`, as a safetensors file, whatever the name ends in.

    There is no pickling here: TypeError for anything else. `minigrad.checkpoint.save` takes nested states.
    """
    from minigrad import checkpoint

    if not isinstance(state_dict, dict) or not all(isinstance(value, Handle) for value in state_dict.values()):
        raise TypeError(f"save: got {type(state_dict).__name__}, not a dict of tensors; save model.state_dict(), or "
                        "use minigrad.checkpoint.save(folder, state, step=...) for optimisers and numbers, too")
    checkpoint.save_safetensors(path, state_dict)


def load(path, map_location=None, weights_only=True):
    """{name: tensor} from a file that `save` wrote; PyTorch's own are refused, with the way to convert them."""
    from minigrad import checkpoint

    tensors = checkpoint.load_safetensors(path)
    return tensors if map_location is None else {name: x.to(map_location) for name, x in tensors.items()}
