"""The differences from PyTorch that are meant, in one table: the campaign consults it, docs/from-pytorch.md shows it.

A row says what PyTorch does, what minigrad does and why, and recognises its differences: by their kind, by patterns for
what the line calls and for what was found, and where that is not enough by a function of the line's operands.
"""

import re
from dataclasses import dataclass
from typing import Any

import torch

from tests.differential.compare import wants

KINDS = {"an error here", "no error here", "structure", "shape", "dtype", "requires_grad", "values", "value", "type",
         "a warning here"}


@dataclass(frozen=True)
class Row:
    """One deliberate difference."""

    title: str
    theirs: str
    mine: str
    kinds: tuple
    found: str = ""
    what: str = ""
    when: Any = None

    def fits(self, kind, detail, what, text, operands):
        """Whether this row explains a difference."""
        return (kind in self.kinds and re.search(self.found, detail) and re.search(self.what, what)
                and (self.when is None or self.when(text, operands)))


def plain(detail):
    """A detail without numbers and names of values, so that like ones are alike."""
    detail = re.sub(r"'[^']*'|\"[^\"]*\"", "'...'", detail)
    return re.sub(r"\b[a-z]\d+\b|-?\d[\d.e+-]*|\bnan\b|\binf\b|[\[\]()]", "#", detail)[:110]


def explains(difference, lines, names):
    """The row that explains a difference after these lines, or None. `names` are the values in PyTorch."""
    line = difference.line
    operands = [names[name] for name in re.findall(r"\b[a-z]\d+\b", line.text) if name in names]
    text = "\n".join(one.text for one in lines)
    for row in ROWS:
        if row.fits(difference.kind, difference.detail, line.what, text, operands):
            return row
    return None


def tensors(operands):
    """The tensors among the operands, and in the tuples among them."""
    flat = [x for operand in operands for x in (operand if isinstance(operand, (tuple, list)) else [operand])]
    return [x for x in flat if isinstance(x, torch.Tensor)]


def without_axes(text, operands):
    """Whether a tensor without axes, or a NumPy number, is among the operands."""
    return "np." in text.splitlines()[-1] or any(not x.dim() for x in tensors(operands))


def without_elements(text, operands):
    """Whether a tensor without elements is among the operands, or a backward goes through one."""
    return "backward" in text.splitlines()[-1] and "zeros((" in text or any(not x.numel() for x in tensors(operands))


def with_graph(text, operands):
    """Whether the line `x += y` is recorded: not x[i] = y."""
    line = text.splitlines()[-1]
    return "] =" not in line and not without_grad(text, operands) and any(map(wants, operands))


def twice(text, operands):
    """Whether one tensor of a line's is there twice, as itself or as a view."""
    tensors = [x for x in operands if isinstance(x, torch.Tensor) and not x._is_zerotensor()]
    return len({x.untyped_storage().data_ptr() for x in tensors}) < len(tensors)


def with_roots(text, operands):
    """Whether the program takes roots, whose slope at 0 is infinite."""
    return re.search(r"sqrt|norm|std|\*\*|pow|hypot|dist", text)


def with_whole(text, operands):
    """Whether there are whole numbers among the operands."""
    return any(not x.is_floating_point() for x in tensors(operands))


def with_gradients(text, operands):
    """Whether the line, or a backward of what it led to, uses gradients that were computed with a graph."""
    last = text.splitlines()[-1]
    return re.search(r"\b[gh]\d+\[", text if "backward" in last else last)


def without_grad(text, operands):
    """Whether the line runs without recording a graph."""
    return "no_grad()" in text.splitlines()[-1] or "set_grad_enabled(False)" in text.splitlines()[-1]


ROWS = (
    Row("in-place changes inside a graph", "rewrites the graph around them", "raises, with the way out",
        ("an error here",), "carries a graph, which (an in-place change|an assignment|a change in place) would"
        "|^RuntimeError: logical_not_: a leaf"),
    Row("`x += y` where a graph is recorded", "writes into x, in its dtype and shape", "makes a new tensor",
        ("values", "dtype", "shape", "requires_grad", "no error here"), "", "[^=]=$", with_graph),
    Row("a write between forward and backward", "is an error where the value is needed",
        "is an error where the op kept it", ("an error here", "no error here"),
        "was changed in place after the forward pass|modified by an inplace operation"),
    Row("the slope of `sqrt`, `norm`, `std` at 0", "inf or NaN", "0, so that a gradient penalty stays finite",
        ("values",), r"PyTorch (-?inf|nan)", "grad|backward|derivative|gradients", with_roots),
    Row("gradients that depend on no input, under `create_graph=True`", "may carry a graph all the same",
        "carry none", ("requires_grad", "an error here", "no error here"),
        "False, PyTorch True|carries no graph|no part in|a second time|does not require grad", "", with_gradients),
    Row("results that do not depend on their input: order or power 0, `beta=0`", "carry a graph, of zeros",
        "carry none", ("requires_grad", "type"), "False, PyTorch True|NoneType, PyTorch Tensor",
        "norm|matrix_power|add(bmm|mm|mv|r)|dist|backward|grad|masked_scatter",
        lambda text, _: re.search(r"beta=0\b|\b0\b|masked_scatter", text.splitlines()[-1] + "beta=0" * (
            re.search("beta=0|masked_scatter", text) is not None))),
    Row("`unique` and `bincount`", "want a gradient, and raise in `backward`", "want none", ("requires_grad",),
        "False, PyTorch True", "unique|bincount"),
    Row("views made under `no_grad` of what wants a gradient", "say that they want one (2.13)",
        "do not, as PyTorch's documentation has it", ("requires_grad",), "False, PyTorch True", "", without_grad),
    Row("`x.requires_grad_()` after a view of x was made", "makes the view want a gradient, too (2.13)",
        "leaves it", ("requires_grad",), "False, PyTorch True", "^requires_grad_$"),
    Row("a graph of which the first sweep needed a part", "is freed as far as its functions reach",
        "is freed as far as the sweep went", ("no error here",), "a second time", "",
        lambda text, _: "_mean(" in text or "second(" in text),
    Row("a second `backward()`", "passes where no op had saved anything", "always needs `retain_graph=True`",
        ("an error here",), "already used and freed"),
    Row("`view` that cannot share memory", "raises", "copies, as `reshape` does",
        ("no error here",), "view size is not compatible|not compatible with.*view", r"view|fill_"),
    Row("a tensor without axes beside one with axes", "does not widen the other's dtype", "widens, as in NumPy 2",
        ("dtype",), "float|int", "", without_axes),
    Row("dtypes that mix in products and layers", "raises", "follows NumPy's promotion", ("no error here",),
        "same dtype|expected scalar type|Input type .* and (weight|bias) type|mixed dtype|found dtype"
        "|should be the same"),
    Row("a bias of a wider dtype", "is narrowed", "widens the result", ("dtype",), r"float\d\d, PyTorch float\d\d",
        "linear|conv"),
    Row("dtypes that mix in losses", "give one or the other", "give the wider", ("dtype", "values"),
        r"float\d\d, PyTorch float\d\d|^", "[lL]oss|entropy",
        lambda text, operands: len({x.dtype for x in tensors(operands)}) > 1),
    Row("losses and norms of float16, and `soft_margin_loss` of large values",
        "are rounded at each step, and overflow", "are computed in float32, and do not", ("values",), "",
        "[lL]oss|entropy|[nN]orm|similarity|Similarity|tanh|derivative",
        lambda text, _: re.search(r"float16[^;]*([lL]oss|[nN]orm|imilarity)|soft_margin|SoftMargin", text, re.DOTALL)),
    Row("logits of infinity", "give inf or NaN", "give NaN or inf", ("values",), "nan", "ogits"),
    Row("losses of unequal shapes", "warns and broadcasts", "raises", ("an error here",),
        "the input has shape .* and the target", "loss|Loss|entropy"),
    Row("the derivative of `//`", "is not there", "is 0, as that of `floor`", ("no error here",),
        "derivative for aten::floor_divide is not implemented"),
    Row("what PyTorch has no kernel for, and dtypes that it does not take", "raises", "computes", ("no error here",),
        "not implemented for|did not match|dtypes match|expected dtype|(do|does) not support bool|not supported for"
        "|[Bb]ool(ean)? inputs|Boolean alpha|alpha must not be|with a bool tensor|with two bool tensors"
        "|either float or double|Autograd not support dtype|can't be cast|Input dtypes must be|Unsupported input type"
        "|can't assign a numpy|out of bounds for bool|only supports boolean|[Ff]ound dtype"
        "|expected input to have floating|promoting not supported|on an unsigned type"
        "|Integral inputs not|could not infer output|expected BoolTensor"),
    Row("indices of int32", "are refused here and there", "are indices", ("no error here",),
        r"[Ee]xpected (a long tensor|dtype int64)|of type LongTensor|should be Long"),
    Row("which arguments there may be", "is a list of overloads", "is what makes sense, and the names are free",
        ("no error here",), r"^TypeError: .*(invalid combination of arguments|missing \d+ required positional"
        r"|takes (from )?\d|unexpected keyword argument|must be tuple of ints, not|'numpy.*cannot be interpreted"
        r"|has no len)|dim must be"),
    Row("`tensor([x, x])` of tensors with axes", "raises, or takes the one element of each", "stacks them",
        ("no error here", "shape"), "only one element tensors can be|only integer tensors of a single|PyTorch",
        r"torch\.(as_)?tensor$|torch.asarray"),
    Row("`x.dot(y)`", "takes vectors, and `tensor=`", "is `matmul`", ("no error here", "an error here"),
        "1D tensors expected|unexpected keyword argument 'tensor'", r"\.dot$"),
    Row("a reduction's name in the place of `size_average`", "counts as True", "raises", ("an error here",),
        "(size_average|reduce) is"),
    Row("whole numbers where fractions or larger ones come out", "are rounded, or cut off", "raise, or become floats",
        ("an error here", "dtype"), r"cannot hold the fractions|which a tensor of (u?int|bool)\w* cannot hold"
        r"|float32, PyTorch u?int|int64, PyTorch bool|^TypeError: \w+: the input is u?int", "", with_whole),
    Row("operands of different numbers of axes", "are refused here, and broadcast there",
        "broadcast; but losses want equal shapes, and layers for images images", ("no error here", "an error here"),
        "same number of dimensions|the inputs have shapes|for first two dimensions|Bad in-place call|the shapes are"
        "|give it 4 or 5 axes"
        r"|give \(N, C|the number of sizes provided|the index has \d axes"
        "|expanded size of the tensor|is smaller than the index|Expect a 1D vector|only supported on"
        r"|is not expandable to|must be 2-D|same number of batches|it takes \d channels"
        r"|mode 'nearest' for shape \(\d+, \d+, \d+, \d+, \d+\)"),
    Row("a convolution whose result has no pixels", "has no elements", "raises", ("an error here",), "gives the size"),
    Row("`F.linear` with a weight of one axis", "multiplies by a vector", "raises; use `x @ w`", ("an error here",),
        "Linear: the weight must have two axes"),
    Row("`output_padding` as large as the stride", "is taken where the result has no pixels there", "raises",
        ("an error here",), "output_padding .* keep it below"),
    Row("indices of `take_along_dim` that lie outside", "may go by unseen", "raise", ("an error here",),
        "gather: the index reaches", "take_along_dim"),
    Row("integers to negative powers", "are cut off", "raises", ("an error here",), "negative integer powers"),
    Row("numbers that an integer dtype cannot hold", "wrap around, or raise where a fraction would be cut off", "raise",
        ("an error here", "no error here"), r"out of bounds for|arange: steps of|without overflow|cannot hold -?\d"),
    Row("what has no elements", "is refused by some functions, and keeps a wrong shape or dtype in others",
        "is computed; but norms, pools and convolutions of nothing raise",
        ("no error here", "an error here", "shape", "dtype", "type", "requires_grad"),
        r"[Nn]on-empty|non-zero|zero batch|optional 0 dim|tensor of size \[0\]|invalid gradient at index"
        r"|shape mismatch: value|too few values|more than one value a channel|has no pixels"
        r"|of length 0|PyTorch \(.*\b0\b.*\)|^(\[\d\] )?\w+, PyTorch \w+$|dilation is|weight is empty"
        "|no classes|for 0 channels|cannot reshape|divided by 0"
        "|NoneType, PyTorch Tensor|smaller than the index|reaches from"
        "|counts are|no middle|the size is 0|one dtype|it takes|False, PyTorch True", "", without_elements),
    Row("`group_norm` of one value a group", "raises for a batch of one", "gives the bias", ("no error here",),
        "more than 1 value per channel"),
    Row("more is differentiable", "losses and statistics have no derivative in their weights", "has one",
        ("no error here",), "is not differentiable with respect to argument"
        "|derivative for aten::(hard|remainder|floor_divide_)"),
    Row("a gradient that wants a gradient itself", "is added to in place", "is replaced by the sum", ("values",),
        r"^y\d+ \[", "backward", lambda text, _: re.search(r"\]\.requires_grad_\(True\)", text)),
    Row("expanded tensors", "can be written where no element is written twice", "cannot be written",
        ("an error here",), "read-only"),
    Row("the gradient of `scatter` where an index is there twice", "goes to all that were written there",
        "goes to the one that stayed", ("values",), "", "grad|backward|derivative", lambda text, _: "scatter(" in text),
    Row("NaN and infinities that meet padding, or weights of 0", "may be skipped", "give NaN, as 0 times inf does",
        ("values",), "nan", "conv|Conv|interpolate|Upsampl|adaptive|norm|Norm|matmul|mm$|mv$|matrix_power|PReLU"),
    Row("the slope at NaN, at infinity, and at the ends of `acos`, `logit`", "is one thing or another",
        "is one thing or another", ("values",), "", "grad|backward|derivative|gradients",
        lambda text, _: re.search(r"np\.(nan|inf)|logit|sqrt_|log_|remainder_|acos|asin|arcsin|arccos|pow_", text)),
    Row("the sign of a zero", "+ or -", "- or +", ("values",),
        r"-3\.14\d*, PyTorch 3\.14|\b3\.14\d*, PyTorch -3\.14|-?inf, PyTorch -?inf"),
    Row("a result with leading axes of 1, written in place", "is refused", "fits", ("no error here",),
        "output with shape .* doesn't match the broadcast shape"),
    Row("one place read and written by one call", "is refused", "computes, then writes", ("no error here",),
        "refer to a single memory location"),
    Row("views of one call, and detached ones", "may not be used after a write, nor detached in place", "may",
        ("no error here", "an error here"), "returns multiple views|Can't detach views"
        "|invalid gradient at index 0 - got"
        "|leaf Variable that requires grad is being used|which an op|returns the wrong shape"),
    Row("an option of an optimiser, switched on before the first step", "may find no state", "begins with zeros",
        ("no error here",), "^KeyError"),
    Row("contracted axes of 1 in `tensordot`", "stretch", "raises", ("an error here",), "tensordot: axes .* differ"),
    Row("`x.mT` of a tensor without axes", "is x", "raises", ("an error here",), "transpose: dim", "mT"),
    Row("whether `reshape`, `ravel`, `contiguous`, `einsum` give a view", "depends on its strides", "depends on ours",
        ("type", "values"), r"NoneType, PyTorch Tensor|^[xy]\d+ at", "backward|grad|_$|=$",
        lambda text, _: re.search(r"contiguous|ravel|flatten|Flatten|reshape|view|einsum|broadcast_t", text)),
    Row("what is left of a node that was written under `no_grad`", "is another node", "is the same",
        ("type",), "Tensor, PyTorch NoneType", "grad", lambda text, _: re.search(r"no_grad\(\): y\d+\.\w+_\(", text)),
    Row("the slope of `kl_div` and `xlogy` at 0, the second one of `atan2`", "NaN",
        "that of the part that has one, or 0", ("values",), "nan", "backward|grad|derivative",
        lambda text, _: re.search("kl_div|KLDiv|xlogy|a(rc)?tan2", text)),
    Row("what cancels but for rounding", "its last digits", "its last digits", ("values",), "",
        "tanhshrink|Tanhshrink|Tanh backward|cross|remainder|fmod|%|reciprocal|sqrt_|abs_",
        lambda text, _: re.search("hrink|Tanh|cross|remainder|fmod|%|adaptive|interpolate|GroupNorm", text)),
    Row("the cross product of a vector with itself", "is 0 but for rounding", "is 0", ("values",), r"^at|^y\d+ at", "",
        lambda text, _: re.search(r"cross\((\w+), (other=)?\1\b|(\w+)\.cross\((other=)?\3\b", text)),
    Row("the last digits of `logcumsumexp`, `cosine_embedding_loss` and of BCE's second derivative",
        "are rounding, or 1e-12 in a denominator", "are rounding", ("values",), "", "backward|derivative",
        lambda text, _: re.search(r"logcumsumexp|CosineEmb|cosine_emb|BCELoss|binary_cross_entropy\(", text)),
    Row("the count of batches after an error", "goes up", "stays", ("values",), r"0, PyTorch 1$", "state"),
    Row("the slope of `clamp` between bounds that are equal", "may be lost", "goes to the bound", ("values",), "",
        "backward|grad|derivative", lambda text, _: re.search(r"cl(amp|ip).*\b([xy]\d+)\b.*\b\2\b", text)),
    Row("whole numbers compared with one that their dtype cannot hold", "wrap it around", "are right", ("values",),
        r"^(True|False), PyTorch|at .* (True|False), PyTorch|\b\d+, PyTorch 25\d",
        r"^[<>=!]=?$|^\.?(torch\.)?(eq|ne|lt|le|gt|ge|less|gr|clamp)"),
    Row("`x.size(axis=0)`", "is `x.size(0)`", "raises", ("an error here",), "size.* unexpected keyword .*'axis'"),
    Row("dropout that drops nothing", "gives a view of a tensor without a batch", "gives the tensor", ("type",),
        "Tensor, PyTorch NoneType", "backward|grad", lambda text, _: "dropout" in text.lower()),
    Row("a rate that was given as an integer", "stays one until it changes", "may be a float", ("type",),
        "float, PyTorch int", "the rates"),
    Row("PyTorch's own mistakes: `median` of what is expanded, means of inf in `var_mean`, positions in "
        "`unique_consecutive`, views in `kron`, `gelu` and `softsign` of inf and of 255, `var` over `()`",
        "reads other memory, has NaN, returns other things, raises", "is right",
        ("values", "type", "shape", "structure", "no error here"), "",
        "median|_mean|unique_consecutive|kron|GELU|gelu|softsign|backward|derivative|_$|grad",
        lambda text, _: re.search(r"median.*|_mean\(|unique_consecutive|kron|GELU|gelu|softsign|var\(|dim=\(\)", text)),
    Row("a float32 constant in PyTorch's `hardsigmoid` of float64", "loses digits", "does not", ("values",), "",
        "grad|backward|derivative", lambda text, _: re.search("ardsigmoid", text) and "float64" in text),
    Row("errors of PyTorch's own workings", "end a derivative, or a norm", "do not occur", ("no error here",),
        "Expected a proper Tensor|does not have a device|INTERNAL ASSERT|ZeroTensors|has no attribute 'sum'"
        r"|grad_input must be contiguous|ScatterBackward0 returned an invalid|shape '\[0\]' is invalid"),
    Row("the order of equal elements in `topk`, `kthvalue`", "is that of its algorithm", "the first ones first",
        ("values",), r"\[1\] ", "topk|kthvalue"),
    Row("`x.addmm_(x, y)` and its like, with x among the operands", "reads what it has written already",
        "computes, then writes", ("values",), "", r"mm_|addmv_|scatter_|index_copy_|^x\[", twice),
)
