"""Kinds of arguments: tensors, of a class of dtypes, beside another, with labels or indices, and indices themselves."""

import torch

from tests.differential.kinds import Argument, kind
from tests.differential.numbers import number, whole
from tests.differential.writer import ANY, FLOATS, INTEGERS


def a_tensor(draw, argument, dtypes, values=None):
    """A tensor of one of the dtypes: from the pool, or new."""
    writer, old = draw.writer, None
    dtypes = ANY if draw.mistake() else dtypes
    if values is None and writer.chance(0.7):
        old = writer.pick(lambda x: name_of(x) in dtypes and draw.fits(argument.shape, x.shape))
    if old is not None:
        draw.fits(argument.shape, writer.evaluate(old).shape)  # now the symbols are those of the one that was picked
        return old
    return writer.leaf(draw.shape(argument.shape), writer.choice(dtypes), values)


def name_of(x):
    """A tensor's dtype by name."""
    return str(x.dtype).removeprefix("torch.")


CLASSES = {"any": ANY, "float": FLOATS, "bool": ("bool",),
           "whole": INTEGERS, "discrete": INTEGERS + ("bool", "bool")}
for _name, _dtypes in CLASSES.items():
    kind(_name)(lambda draw, argument, dtypes=_dtypes: a_tensor(draw, argument, dtypes))
for _style in ("positive", "share"):
    kind(_style)(lambda draw, argument, style=_style: a_tensor(
        draw, argument, FLOATS, style if draw.writer.chance(0.8) else None))


@kind("same")
def same(draw, argument):
    """Of the first tensor's dtype, but for a mistake."""
    return a_tensor(draw, argument, ANY if draw.first is None or draw.mistake() else (name_of(draw.first),),
                    "plain" if draw.writer.chance(0.5) else None)


@kind("same-share")
def same_share(draw, argument):
    """Of the first tensor's dtype, between 0 and 1."""
    dtypes = ("float32",) if draw.first is None or draw.mistake() else (name_of(draw.first),)
    return a_tensor(draw, argument, dtypes, "share" if draw.writer.chance(0.8) else "below 2")


@kind("mixed")
def mixed(draw, argument):
    """Mostly of the first tensor's dtype, at times of any."""
    return a_tensor(draw, argument, ANY if draw.first is None or draw.writer.chance(0.3) else (name_of(draw.first),))


@kind("labels")
def labels(draw, argument):
    """int64 labels below the size C, at times negative, ignored or too large."""
    count = draw.sizes.get("C", 2)
    name = draw.writer.leaf(draw.shape(argument.shape), "int64", f"below {count + draw.mistake() or 1}")
    if draw.writer.chance(0.08):
        value = draw.writer.choice((-100, -100, 0, 1, -1))
        draw.writer.add(f"{name}.view(-1)[:1].fill_({value})", None, "fill_", "writes")
    return name


@kind("signs")
def signs(draw, argument):
    """1 and -1, of the first tensor's dtype, or whole."""
    writer = draw.writer
    dtype = writer.choice((name_of(draw.first), name_of(draw.first), "int64")) if draw.first is not None else "float32"
    name = writer.leaf(draw.shape(argument.shape), dtype, "below 2", wants=False)
    writer.add(f"{name} = {name} * 2 - 1", name, "*")
    return name


@kind("table-index")
def table_index(draw, argument):
    """Indices into the rows of a table with V rows."""
    count = max(draw.size("V"), 1) + draw.mistake()
    return draw.writer.leaf(draw.shape(argument.shape), draw.writer.choice(("int64", "int64", "int64", "int32")),
                            f"below {count}")


@kind("along")
def along(draw, argument):
    """An index for gather and its kin: as many axes as the input, values below its length along dim."""
    writer, x, dim = draw.writer, draw.given.get("input"), draw.given.get("dim", 0)
    if not isinstance(x, torch.Tensor) or not isinstance(dim, int):
        return writer.leaf((2,), "int64", "below 2")
    rank = max(x.dim(), 1)
    dim = dim % rank if -rank <= dim < rank else 0
    length = x.shape[dim] if x.dim() else 1
    shape = [writer.integer(1, 4) if i == dim else writer.integer(min(n, 1), n) for i, n in enumerate(x.shape)]
    if draw.mistake():
        shape = shape[1:]
    return writer.leaf(shape, "int64" if not draw.mistake() else "int32", f"below {max(length, 1) + draw.mistake()}")


@kind("rows")
def rows(draw, argument):
    """A 1-D index along dim; at times 0-d or 2-D, which is a mistake in PyTorch, too."""
    writer, x, dim = draw.writer, draw.given.get("input"), draw.given.get("dim")
    length = x.shape[dim] if isinstance(dim, int) and x is not None and -x.dim() <= dim < x.dim() else 1
    name = writer.leaf((2, 2) if draw.mistake() else () if draw.mistake() else (writer.integer(0, 4),),
                       writer.choice(("int64", "int64", "int32")), f"below {max(length, 1) + draw.mistake()}")
    return f"({name} - {length})" if draw.mistake() else name


@kind("other")
def other(draw, argument):
    """What stands beside a tensor in an operation: a tensor that broadcasts, or a number."""
    return number(draw, argument) if draw.writer.chance(0.35) else mixed(draw, argument)


@kind("nested")
def nested(draw, argument):
    """A tensor, or lists of tensors of one shape."""
    x = a_tensor(draw, Argument("input", "any"), ANY)
    return draw.writer.choice((x, f"[{x}]", f"[{x}, {x}]", f"[[{x}], [{x}]]"))


@kind("several")
def several(draw, argument):
    """A list or tuple of tensors of one shape, but for one axis at times."""
    writer = draw.writer
    parts = [a_tensor(draw, Argument("input", "any"), ANY)]
    x = writer.evaluate(parts[0])
    draw.given["input"] = x
    for _ in range(writer.choice((0, 1, 1, 1, 2))):
        dtypes = ANY if writer.chance(0.2) else (name_of(x),)
        part = writer.pick(lambda y, d=dtypes: name_of(y) in d and y.shape == x.shape) if writer.chance(0.5) else None
        parts.append(part or writer.leaf(x.shape if not draw.mistake() else (3, *x.shape), writer.choice(dtypes)))
    return f"[{', '.join(parts)}]" if writer.chance(0.7) else f"({', '.join(parts)},)"


@kind("index")
def index(draw, argument):
    """Any index into the input: integers, slices, None, ..., lists, index tensors, masks, and tuples of them."""
    writer, x = draw.writer, draw.given.get("input")
    sizes, parts = list(getattr(x, "shape", ())), []
    if writer.chance(0.08) and sizes:
        return writer.leaf(sizes[:writer.integer(1, len(sizes))], writer.choice(("bool", "bool", "bool", "uint8")),
                           "below 2")
    lengths = None  # of the index tensors and lists, which must broadcast
    while sizes and (not parts or writer.chance(0.65)):
        if writer.chance(0.1):
            parts.append("None")
            continue
        n = sizes.pop(0)
        way = writer.choice("iiiisssss:::llttmn")
        if way in "i":
            parts.append(whole(draw, writer.integer(-n, max(n - 1, 0)) if not draw.mistake() else n))
        elif way == "n":
            parts.append(writer.leaf((), "int64", f"below {max(n, 1)}"))
        elif way == "s":
            ends = [str(writer.integer(-n - 1, n + 1)) if writer.chance(0.6) else "" for _ in "ab"]
            parts.append(":".join(ends) + writer.choice(("", "", ":2", ":1")))
        elif way == ":":
            parts.append(writer.choice((":", ":", "..." if "..." not in parts else ":")))
            if parts[-1] == "...":
                sizes = sizes[writer.integer(0, len(sizes)):]
        elif way == "m":
            parts.append(writer.leaf((n + draw.mistake(),), "bool"))
        else:
            lengths = lengths or writer.integer(1, 3)
            numbers = [writer.integer(-n, max(n - 1, 0)) for _ in range(lengths)]
            parts.append(str(numbers) if way == "l" else f"torch.tensor({numbers})")
    if not parts:
        return writer.choice(("...", "None", "()", "(..., None)"))
    if any(":" in part and "tensor" not in part and part[0] != "[" for part in parts):
        return ", ".join(parts)
    return writer.choice((", ".join(parts),) * 4 + (f"({', '.join(parts)},)",))
