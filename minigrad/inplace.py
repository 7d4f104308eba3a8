"""In-place changes: allowed where no graph is recorded, declared to the graphs that still need the old values."""

import operator

from minigrad import random
from minigrad.backend import array_module
from minigrad.graph import Handle, Leaf
from minigrad.modes import mode
from minigrad.ops.elementary import lerp
from minigrad.ops.index import put
from minigrad.writes import touch


def _operator(operate):
    """The in-place form of a binary operator: writes where no graph is involved, else makes a new tensor."""
    name = f"__i{operate.__name__.strip('_')}__"

    def change(self, other):
        if not mode.grad or self.node is None and getattr(other, "node", None) is None:
            return self._become(name, operate(self.detach(), _constant(name, other)))
        if isinstance(self.node, Leaf):
            self._writable(name)
        return operate(self, other)

    change.__name__, change.__qualname__ = name, f"InPlace.{name}"
    return change


class InPlace(Handle):
    """The part of Tensor that writes. Each method returns the tensor."""

    __slots__ = ()

    def _writable(self, name):
        """The array, declared as about to change; RuntimeError where a graph that hangs on it would have to know."""
        if self.node is not None and mode.grad:
            if isinstance(self.node, Leaf):
                raise RuntimeError(f"{name}: a leaf Variable that requires grad is being used in an in-place operation "
                                   f"(shape {self.array.shape}); change it inside `with no_grad():`")
            raise RuntimeError(f"{name}: this tensor of shape {self.array.shape} carries a graph, which an in-place "
                               "change would falsify; build a new tensor (where, cat, stack), or change a "
                               ".detach().clone()")
        touch(self.array)
        return self.array

    def _assign(self, name, index, value):
        array = self._writable(name)
        value = _constant(name, value)
        value = value.array if isinstance(value, Handle) else value
        try:
            put(array, index, value)
        except (ValueError, IndexError, TypeError, OverflowError) as error:
            kind = ValueError if isinstance(error, OverflowError) else type(error)
            raise kind(f"{name}: {error}; the tensor is {array.dtype}{array.shape}, the value "
                              f"{getattr(value, 'dtype', type(value).__name__)}{getattr(value, 'shape', '')}; fix: "
                              "give an index inside the tensor and a value that broadcasts to it") from None
        return self

    def _become(self, name, result):
        if _KINDS[result.dtype.kind] > _KINDS[self.array.dtype.kind]:
            raise TypeError(f"{name}: the result is {result.dtype}, which a tensor of {self.array.dtype} cannot hold; "
                            f"make it one of {result.dtype} first, with .to()")
        return self._assign(name, ..., result)

    __iadd__, __isub__, __imul__ = map(_operator, (operator.add, operator.sub, operator.mul))
    __itruediv__, __ifloordiv__, __imod__ = map(_operator, (operator.truediv, operator.floordiv, operator.mod))
    __ipow__, __iand__, __ior__, __ixor__ = map(_operator, (operator.pow, operator.and_, operator.or_, operator.xor))
    __ilshift__, __irshift__ = map(_operator, (operator.lshift, operator.rshift))

    def __setitem__(self, index, value):
        self._assign("setitem", index, value)

    def fill_(self, value):
        """Every element = value."""
        return self._assign("fill_", ..., value)

    def zero_(self):
        """Every element = 0."""
        return self._assign("zero_", ..., 0)

    def copy_(self, source):
        """The elements of `source`, broadcast, cast and moved to this device."""
        return self._assign("copy_", ..., source.to(self.device) if isinstance(source, Handle) else source)

    def add_(self, other, alpha=1):
        """self + alpha * other."""
        return self._become("add_", self.detach() + _constant("add_", other) * alpha)

    def sub_(self, other, alpha=1):
        """self - alpha * other."""
        return self._become("sub_", self.detach() - _constant("sub_", other) * alpha)

    def mul_(self, other):
        """self * other."""
        return self._become("mul_", self.detach() * _constant("mul_", other))

    def div_(self, other):
        """self / other."""
        return self._become("div_", self.detach() / _constant("div_", other))

    def lerp_(self, end, weight):
        """self + weight * (end - self): the step of a moving average."""
        return self._become("lerp_", lerp(self.detach(), _constant("lerp_", end), _constant("lerp_", weight)))

    def clamp_(self, min=None, max=None):
        """Between min and max."""
        return self._become("clamp_", self.detach().clamp(min, max))

    def normal_(self, mean=0.0, std=1.0, *, generator=None):
        """Draws of N(mean, std**2)."""
        return self._assign("normal_", ..., random.normal(self.array, mean, std, generator))

    def uniform_(self, low=0.0, high=1.0, *, generator=None):
        """Draws between low and high."""
        return self._assign("uniform_", ..., random.uniform(self.array, low, high, generator))

    def bernoulli_(self, p=0.5, *, generator=None):
        """1 with probability p, a number or a tensor that broadcasts, else 0."""
        array, p = self.array, getattr(p, "array", p)
        possible = (p >= 0) & (p <= 1)
        if not (possible if isinstance(possible, bool) else possible.all()):
            raise ValueError("bernoulli_: a probability is not in 0..1; give some that are")
        drawn = random.draw(array_module(array), "random", array.shape, array.dtype, generator)
        return self._assign("bernoulli_", ..., drawn < p)


_KINDS = {"b": 0, "u": 1, "i": 1, "f": 2}  # what can hold what


def _constant(name, value):
    """The value without its graph, which must not be recorded: the change would cut it."""
    if not isinstance(value, Handle):
        return value
    if value.node is not None and mode.grad:
        raise RuntimeError(f"{name}: the value carries a graph, which a change in place would cut; give its detach(), "
                           "or build the result with +, where, cat or stack")
    return value.detach()
