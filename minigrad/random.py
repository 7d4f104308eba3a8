"""Random numbers: one generator a library, started by `manual_seed`, and streams that are functions of their name.

A stream's numbers depend on (seed, stream, step) alone, through a counter-based generator (Philox 4x64-10; Salmon et
al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): step 7 can be drawn without steps 0 to 6, so that a
resumed training sees the noise that an uninterrupted one sees, on either backend.
"""

import copy
import zlib

import numpy

from minigrad.backend import array_module
from minigrad.backend.device import device as device_named
from minigrad.backend.device import module_for
from minigrad.backend.numpy import quiet

FIXED = 67280421310721  # the seed of a Generator that was given none, PyTorch's: it always draws the same


class Generator:
    """A source of random numbers of one's own, on one device: Generator().manual_seed(42).

    What draws takes one as `generator=`: rand, randn, randint, randperm, normal, bernoulli, multinomial, the in-place
    draws, `nn.init`, `random_split`, DataLoader. A numpy.random.Generator will do there as well.

    >>> import minigrad
    >>> one, other = (Generator().manual_seed(3) for _ in range(2))
    >>> bool((minigrad.rand(4, generator=one) == minigrad.rand(4, generator=other)).all())
    True
    """

    def __init__(self, device="cpu"):
        module_for(device)  # RuntimeError where there is no GPU
        self.device, self._seed, self._source = device_named(device), FIXED, None

    def manual_seed(self, seed):
        """Start anew from a seed, an integer; returns the generator."""
        self._seed, self._source = int(seed), None
        return self

    def seed(self):
        """Start anew from a seed that nobody knows; returns it."""
        return self.manual_seed(_unknown()).initial_seed()

    def initial_seed(self):
        """The seed that it was started from."""
        return self._seed

    @property
    def source(self):
        """The numpy.random.Generator or cupy.random.Generator that draws."""
        if self._source is None:
            xp = module_for(self.device)
            bits = numpy.random.Philox(key=self._seed % 2**128) if xp is numpy else xp.random.Philox4x3210(
                self._seed % 2**64)
            self._source = xp.random.Generator(bits)
        return self._source

    def get_state(self):
        """The state, a dict of plain numbers and arrays for `set_state`. RuntimeError on a GPU: CuPy shows none."""
        return copy.deepcopy(self._bits("get_state").state)

    def set_state(self, state):
        """Go on from a state that `get_state` gave; returns the generator."""
        self._bits("set_state").state = state
        return self

    def _bits(self, name):
        if self.device.type != "cpu":
            raise RuntimeError(f"{name}: CuPy's generators show no state; draw from minigrad.random.stream(seed, name, "
                               "step), which needs none")
        return self.source.bit_generator


def _unknown():
    return numpy.random.SeedSequence().entropy % 2**63


class _Global(Generator):
    """The CPU's generator that all draw from which are given none; its first seed is nobody's choice."""

    def __init__(self):
        super().__init__()
        self._seed = None

    def initial_seed(self):
        if self._seed is None:
            self._seed = _unknown()
        return self._seed

    @property
    def source(self):
        self.initial_seed()
        return super().source


default_generator = _Global()
_on_gpu = []  # the GPU's, once there is one


def manual_seed(seed):
    """Start the global generators, which rand, randn, initialisation and dropout draw from; returns the CPU's.

    >>> import minigrad
    >>> manual_seed(1) and None
    >>> a = minigrad.rand(2)
    >>> manual_seed(1) and None
    >>> bool((a == minigrad.rand(2)).all())
    True
    """
    _on_gpu.clear()
    return default_generator.manual_seed(seed)


def seed():
    """Start the global generators from a seed that nobody knows; returns it."""
    return manual_seed(_unknown()).initial_seed()


def initial_seed():
    """The seed of the global generators."""
    return default_generator.initial_seed()


def generator(xp, own=None):
    """The numpy.random.Generator or cupy.random.Generator to draw with: that of `own`, or the global one.

    `own` is a Generator or one of those two. TypeError for anything else, RuntimeError for that of another device.
    """
    if own is None:
        if xp is numpy:
            return default_generator.source
        if not _on_gpu:
            _on_gpu.append(Generator("cuda").manual_seed(initial_seed()))
        return _on_gpu[0].source
    source = own.source if isinstance(own, Generator) else own
    if not hasattr(source, "standard_normal"):
        raise TypeError(f"generator is a {type(own).__name__}; give one such as Generator().manual_seed(42)")
    if isinstance(source, numpy.random.Generator) != (xp is numpy):
        where = ("the GPU", "the CPU") if xp is numpy else ("the CPU", "the GPU")
        raise RuntimeError(f"the generator draws on {where[0]}, and the tensor is to lie on {where[1]}; make one with "
                           "Generator(device=...)")
    return source


def get_rng_state():
    """The state of the CPU's generator, a dict of plain numbers for `set_rng_state`."""
    return default_generator.get_state()


def set_rng_state(state):
    """Go on from a state that `get_rng_state` gave."""
    default_generator.set_state(state)


def stream(seed, name, step=0):
    """A numpy.random.Generator whose numbers are a function of (seed, name, step) and nothing else.

    `name` says what the numbers are for ("noise", "order"); `step` is a non-negative integer. Draw at most 2**64 blocks
    from one.

    >>> float(stream(7, "noise", 3).random()) == float(stream(7, "noise", 3).random())
    True
    >>> float(stream(7, "noise", 3).random()) == float(stream(7, "noise", 4).random())
    False
    """
    key = [int(seed) % 2**64, zlib.crc32(name.encode())]
    return numpy.random.Generator(numpy.random.Philox(key=key, counter=[0, 0, int(step), 0]))


def draw(xp, method, shape, dtype, own=None):
    """`method` ("random" or "standard_normal") of the global generator, or of `own`, in any floating dtype."""
    native = dtype if dtype in (numpy.float32, numpy.float64) else numpy.float32
    values = getattr(generator(xp, own), method)(shape, dtype=native)
    return xp.asarray(values, dtype)


def uniform(like, low, high, own=None):
    """Uniform draws in an array like another."""
    drawn = draw(array_module(like), "random", like.shape, like.dtype, own)
    return quiet().run(lambda: low + (high - low) * drawn)


def normal(like, mean, std, own=None):
    """Normal draws in an array like another."""
    drawn = draw(array_module(like), "standard_normal", like.shape, like.dtype, own)
    return quiet().run(lambda: mean + std * drawn)


def permutation(xp, n, own=None):
    """0..n - 1 in random order. Without `own` it is drawn on the CPU, wherever it is to lie."""
    if own is None or xp is numpy:
        return xp.asarray(generator(numpy, own).permutation(n))
    return generator(xp, own).random(n).argsort()
