"""Kinds of arguments: what `name:kind` in a table's line stands for, as functions that write an argument's text.

`name:kind[shape]` is a tensor whose shape is described by tokens: `N` is a size that every N of the line shares, or the
value of the argument N; `N?` an axis that may be missing; `*` any axes; `3` or `2*N` what it says; `=x` the shape of
argument x, `~x` one that broadcasts with it. `a|b|c` is one of these texts. Each function gets a `Draw`, the call that
is being written, and an `Argument`.
"""

import re
from dataclasses import dataclass

import torch

from tests.differential.writer import ANY, FLOATS, INTEGERS

KINDS = {}
MISTAKES = 0.03  # the share of arguments that are out of range, of another dtype, or of a shape that does not fit


@dataclass(frozen=True)
class Argument:
    """`name:kind[shape]`; with `name?:` it may be left out, `_name:` goes by position only."""

    name: str
    kind: str
    shape: str | None = None
    optional: bool = False
    positional: bool = False

    @classmethod
    def parse(cls, text):
        """From a word of a table's line."""
        name, optional, kind = re.fullmatch(r"(\w+)(\??):(.*)", text).groups()
        named = re.fullmatch(r"([a-z][a-z0-9-]*)(?:\[(.*)\])?", kind)
        kind, shape = named.groups() if named and named[1] in KINDS else (kind, None)
        return cls(name.lstrip("_"), kind, shape, bool(optional), name.startswith("_"))


class Draw:
    """The arguments of one call, as far as they are written: `given` has their values, `sizes` those of the symbols."""

    def __init__(self, writer, known=None):
        self.writer, self.given, self.sizes, self.first = writer, dict(known or {}), {}, None

    def text(self, argument):
        """The text of an argument, whose value becomes known to those behind it."""
        write = KINDS.get(argument.kind)
        text = write(self, argument) if write else self.writer.choice(argument.kind.split("|")).format(**self.sizes)
        try:
            self.given[argument.name] = self.writer.evaluate(text)
        except Exception:  # an error that the call itself will meet again
            self.given[argument.name] = None
        if self.first is None and isinstance(self.given[argument.name], torch.Tensor):
            self.first = self.given[argument.name]
        return text

    def mistake(self):
        """Whether to write something that does not fit."""
        return self.writer.chance(MISTAKES)

    def size(self, token):
        """The size that a token of a shape stands for."""
        for symbol in re.findall(r"[A-Za-z_]\w*", token):
            if symbol not in self.sizes and isinstance(self.given.get(symbol), int):
                self.sizes[symbol] = self.given[symbol]
            if symbol not in self.sizes:
                low, high = {"H": (1, 8), "W": (1, 8), "L": (1, 9), "G": (1, 2)}.get(symbol, (1, 4))
                self.sizes[symbol] = 0 if self.writer.chance(0.02) else self.writer.integer(low, high)
        return max(0, int(eval(token, {}, self.sizes)))

    def shape(self, described):
        """A shape by its description."""
        writer = self.writer
        if described is None:
            return writer.shape()
        if described[:1] in ("=", "~"):
            other = self.given.get(described[1:])
            shape = tuple(getattr(other, "shape", ()))
            shape = broadcastable(writer, shape) if described[0] == "~" else shape
        else:
            shape = ()
            for token in filter(None, described.split(",")):
                if token == "*":
                    shape += tuple(writer.integer(1, 3) for _ in range(writer.choice((0, 1, 1, 2))))
                elif not token.endswith("?") or writer.chance(0.85):
                    shape += (self.size(token.rstrip("?")),)
        if shape and self.mistake():
            i = writer.integer(0, len(shape) - 1)
            shape = writer.choice((shape[:i] + (shape[i] + 1,) + shape[i + 1:], shape[1:], (2, *shape)))
        return shape

    def fits(self, described, shape):
        """Whether a shape is one that a description stands for, as far as its sizes are chosen yet; then they are."""
        if described is None or described == "*":
            return True
        if described[:1] == "=":
            return tuple(shape) == tuple(getattr(self.given.get(described[1:]), "shape", ()))
        if described[:1] == "~":
            other = tuple(getattr(self.given.get(described[1:]), "shape", ()))
            return all(n == m or 1 in (n, m) for n, m in zip(shape[::-1], other[::-1]))
        tokens, sizes = described.split(",") if described else [], dict(self.sizes)
        if "*" in tokens:
            at, spare = tokens.index("*"), len(shape) - len(tokens) + 1
            if spare < 0:
                return False
            tokens[at:at + 1] = ["_"] * spare
        if len(tokens) != len(shape):
            return False
        for token, n in zip(tokens, shape):
            token = token.rstrip("?")
            if token == "_":
                continue
            if not token.isidentifier() or isinstance(self.given.get(token), int):
                if n != self.size(token):
                    return False
            elif sizes.setdefault(token, n) != n:
                return False
        self.sizes = sizes
        return True


def broadcastable(writer, shape):
    """A shape that broadcasts with another: equal, some axes of size 1, or missing ones in front."""
    way = writer.choice("=====1-+")
    if way == "1":
        return tuple(writer.choice((1, n)) for n in shape)
    if way == "-":
        return shape[writer.integer(0, len(shape)):]
    return (writer.integer(1, 3), *shape) if way == "+" and len(shape) < 4 else shape


def kind(*names):
    """Register a function under names of kinds."""
    def register(write):
        KINDS.update(dict.fromkeys(names, write))
        return write

    return register


# Tensors.

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


CLASSES = {"any": ANY, "float": FLOATS, "whole": INTEGERS, "bool": ("bool",), "int64": ("int64",), "discrete":
           INTEGERS + ("bool", "bool")}
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


@kind("table-index")
def table_index(draw, argument):
    """Indices into the rows of a table with V rows."""
    count = max(draw.size("V"), 1) + draw.mistake()
    return draw.writer.leaf(draw.shape(argument.shape), draw.writer.choice(("int64", "int64", "int64", "int32")),
                            f"below {count}")


@kind("along")
def along(draw, argument):
    """An index for gather and its kin: as many axes as the input, values below its length along dim."""
    writer, x, dim = draw.writer, draw.given.get("input"), draw.given.get("dim")
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


# Numbers.

@kind("number")
def number(draw, argument):
    """A number of Python's, at times NumPy's, or a tensor without axes."""
    writer = draw.writer
    value = writer.choice((str(writer.integer(-3, 3)), f"{writer.random.gauss(0, 1.5):.2f}", "2", "0.5", "2.0", "1"))
    if writer.chance(0.04):
        return writer.choice(("True", "float('inf')", "float('nan')", "-0.0", "1e10"))
    if writer.chance(0.06):
        kinds = ("np.float32", "np.float64") if "." in value else ("np.int64", "np.int32", "np.float64")
        return f"{writer.choice(kinds)}({value})"
    return value


@kind("real")
def real(draw, argument):
    """A number of Python's."""
    return f"{draw.writer.random.gauss(0, 1.5):.2f}" if draw.writer.chance(0.7) else str(draw.writer.integer(-2, 3))


@kind("rate")
def rate(draw, argument):
    """A number between 0 and 1."""
    return draw.writer.choice(("0.0", "0.1", "0.5", "0.9", "0.25", "1.0" if draw.mistake() else "0.75"))


@kind("small")
def small(draw, argument):
    """A small positive number."""
    return draw.writer.choice(("1e-5", "1e-3", "0.1", "1e-8"))


def whole(draw, value):
    """Text of an int, at times as NumPy's."""
    return f"np.int64({value})" if draw.writer.chance(0.06) else str(value)


@kind("count")
def count(draw, argument):
    """1 to 4."""
    return whole(draw, draw.writer.integer(1, 4) if not draw.mistake() else draw.writer.choice((0, -1)))


@kind("flag")
def flag(draw, argument):
    """True or False."""
    return draw.writer.choice(("True", "False"))


@kind("dtype")
def dtype(draw, argument):
    """torch.something."""
    return "torch." + draw.writer.choice(ANY)


@kind("float-dtype")
def float_dtype(draw, argument):
    """torch.float something."""
    return "torch." + draw.writer.choice(FLOATS)


# Axes and shapes.

def rank(draw, extra=0):
    """The number of axes of the input, 1 at least, as dims of tensors without axes go."""
    x = draw.given.get("input")
    return max((x.dim() if isinstance(x, torch.Tensor) else 1) + extra, 1)


@kind("dim")
def dim(draw, argument, extra=0):
    """An axis of the input, counted from either end."""
    n = rank(draw, extra)
    return whole(draw, draw.writer.integer(-n, n - 1) if not draw.mistake() else draw.writer.choice((n, -n - 1)))


@kind("new-dim")
def new_dim(draw, argument):
    """A place for an axis more."""
    x = draw.given.get("input")
    return dim(draw, argument, 1 if isinstance(x, torch.Tensor) and x.dim() else 0)


@kind("dims")
def dims(draw, argument):
    """An axis, several as a tuple or list, or None."""
    writer, n = draw.writer, rank(draw)
    way = writer.choice("nooosstl")
    if way == "n":
        return "None"
    if way in "o":
        return dim(draw, argument)
    if way == "t" and draw.mistake():
        return "(0, 0)"
    chosen = [i - n * writer.integer(0, 1) for i in writer.random.sample(range(n), writer.integer(way != "t", n))]
    return str(chosen) if way == "l" else f"({', '.join(map(str, chosen))}{',' * (len(chosen) == 1)})"


@kind("order")
def order(draw, argument):
    """All axes in another order."""
    n = draw.given["input"].dim() if isinstance(draw.given.get("input"), torch.Tensor) else 1
    chosen = draw.writer.random.sample(range(n), n)
    chosen = [i - n * draw.writer.integer(0, 1) for i in chosen] if draw.writer.chance(0.3) else chosen
    return listed(draw, chosen[1:] if draw.mistake() else chosen)


@kind("some-dims")
def some_dims(draw, argument):
    """Some axes, as a tuple or list."""
    n = rank(draw)
    return listed(draw, draw.writer.random.sample(range(n), draw.writer.integer(1, n)))


def listed(draw, numbers):
    """Numbers as a tuple or a list."""
    text = ", ".join(map(str, numbers))
    return f"[{text}]" if draw.writer.chance(0.3) else f"({text}{',' * (len(numbers) == 1)})"


@kind("shape")
def shape(draw, argument):
    """Sizes for a new tensor."""
    return listed(draw, draw.writer.shape())


@kind("reshaped")
def reshaped(draw, argument):
    """Another shape of as many elements, at times with -1."""
    writer, x = draw.writer, draw.given.get("input")
    n, sizes = x.numel() if isinstance(x, torch.Tensor) else 1, []
    while n > 1 and writer.chance(0.75):
        k = writer.choice([k for k in range(1, n + 1) if n % k == 0])
        sizes.append(k)
        n //= k
    if n != 1 or not sizes and writer.chance(0.8):
        sizes.append(n)
    if sizes and writer.chance(0.4):
        sizes[writer.integer(0, len(sizes) - 1)] = -1
    if draw.mistake():
        sizes.append(2)
    return listed(draw, sizes)


@kind("expanded")
def expanded(draw, argument):
    """The input's shape with axes of size 1 made longer, new ones in front, -1 for some."""
    writer, x = draw.writer, draw.given.get("input")
    sizes = [writer.integer(1, 3) if n == 1 else n for n in getattr(x, "shape", ())]
    sizes = [-1 if writer.chance(0.15) else n for n in sizes]
    if writer.chance(0.3):
        sizes.insert(0, writer.integer(1, 3))
    if sizes and draw.mistake():
        sizes[-1] += 1
    return listed(draw, sizes)


@kind("repeats")
def repeats(draw, argument):
    """How often to repeat each axis."""
    n = getattr(draw.given.get("input"), "ndim", 1)
    more = draw.writer.choice((0, 0, 0, 1)) - draw.mistake()
    return listed(draw, [draw.writer.integer(0 if draw.writer.chance(0.1) else 1, 2) for _ in range(max(n + more, 0))])


@kind("sections")
def sections(draw, argument):
    """A length of pieces, or all their lengths."""
    writer, x = draw.writer, draw.given.get("input")
    if writer.chance(0.6) or not getattr(x, "ndim", 0):
        return count(draw, argument)
    cut = writer.integer(0, x.shape[0])
    return f"[{cut}, {x.shape[0] - cut + draw.mistake()}]"


@kind("factors")
def factors(draw, argument):
    """Two sizes whose product is that of the axis dim, at times one of them -1."""
    x, axis = draw.given.get("input"), draw.given.get("dim")
    n = x.shape[axis] if isinstance(axis, int) and getattr(x, "ndim", 0) and -x.ndim <= axis < x.ndim else 4
    k = draw.writer.choice([k for k in range(1, n + 1) if n % k == 0] or [1])
    return listed(draw, [draw.writer.choice((k, -1)), n // k + draw.mistake()])


@kind("shifts")
def shifts(draw, argument):
    """How far to roll: one number, or one an axis."""
    return whole(draw, draw.writer.integer(-4, 4)) if draw.writer.chance(0.6) else "(1, -2)"


@kind("paddings")
def paddings(draw, argument):
    """Widths for pad, the last axis first."""
    pairs = draw.writer.integer(1, max(min(rank(draw), 3), 1))
    return listed(draw, [draw.writer.choice((0, 0, 1, 1, 2, -1)) for _ in range(2 * pairs - draw.mistake())])


@kind("sides")
def sides(draw, argument):
    """Widths for the padding layers: one, or two for each of the last axes."""
    n = {"1d": 2, "2d": 4}.get(argument.shape, 4)
    return whole(draw, draw.writer.integer(0, 2)) if draw.writer.chance(0.5) else listed(
        draw, [draw.writer.integer(0, 2) for _ in range(n)])


# Windows.

@kind("pair", "one", "pair0", "one0")
def window(draw, argument):
    """A size or two of a window: 1 to 3; from 0 for paddings."""
    low = 0 if argument.kind.endswith("0") else 1
    high = 2 if low == 0 or argument.name in ("stride", "dilation") else 3
    value = draw.writer.integer(low, high) if not draw.mistake() else draw.writer.integer(-1, 3)
    if argument.kind.startswith("one"):
        return whole(draw, value) if draw.writer.chance(0.85) else f"({value},)"
    return whole(draw, value) if draw.writer.chance(0.6) else f"({value}, {draw.writer.integer(low, high)})"


@kind("pool-padding")
def pool_padding(draw, argument):
    """A padding of pooling: up to half of the kernel."""
    kernel = draw.given.get("kernel_size")
    kernel = min(kernel) if isinstance(kernel, tuple) else kernel or 1
    return str(draw.writer.integer(0, max(int(kernel) // 2, 0)) + draw.mistake())


@kind("pool-dilation")
def pool_dilation(draw, argument):
    """A dilation of max pooling: 1 where there is padding, since with both PyTorch writes outside of its memory."""
    return "1" if draw.given.get("padding") else str(draw.writer.integer(1, 2))


@kind("symbol")
def symbol(draw, argument):
    """The size that the symbol in the brackets stands for."""
    return whole(draw, draw.size(argument.shape))


@kind("output-size")
def output_size(draw, argument):
    """Of adaptive pooling."""
    n, m = draw.writer.integer(1, 4), draw.writer.integer(1, 4)
    return str(n) if argument.shape == "1d" or draw.writer.chance(0.5) else f"({n}, {m})"


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
