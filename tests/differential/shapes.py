"""Kinds of arguments: axes, and shapes."""

import torch

from tests.differential.kinds import kind
from tests.differential.numbers import count, whole


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
