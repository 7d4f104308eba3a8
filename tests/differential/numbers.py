"""Kinds of arguments: numbers, flags, dtypes, and the geometry of windows."""

from tests.differential.kinds import kind
from tests.differential.writer import ANY, FLOATS


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
