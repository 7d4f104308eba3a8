"""Random numbers: one generator a library, started by `manual_seed`, and streams that are functions of their name.

A stream's numbers depend on (seed, stream, step) alone, through a counter-based generator (Philox 4x64-10; Salmon et
al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): step 7 can be drawn without steps 0 to 6, so that a
resumed training sees the noise that an uninterrupted one sees, on either backend.
"""

import zlib

import numpy

from minigrad.backend import array_module

_generators = {}


def manual_seed(seed):
    """Start the global generators, which rand, randn, initialisation and dropout draw from; returns the CPU's.

    >>> import minigrad
    >>> manual_seed(1) and None
    >>> a = minigrad.rand(2)
    >>> manual_seed(1) and None
    >>> bool((a == minigrad.rand(2)).all())
    True
    """
    _generators.clear()
    _generators["seed"] = int(seed)
    return generator(numpy)


def initial_seed():
    """The seed of the global generators."""
    if "seed" not in _generators:
        manual_seed(numpy.random.SeedSequence().entropy % 2**63)
    return _generators["seed"]


def generator(xp):
    """The global numpy.random.Generator or cupy.random.Generator."""
    if xp not in _generators:
        seed = initial_seed()
        if xp is numpy:
            _generators[xp] = numpy.random.Generator(numpy.random.Philox(key=seed % 2**128))
        else:
            _generators[xp] = xp.random.Generator(xp.random.Philox4x3210(seed % 2**64))
    return _generators[xp]


def get_rng_state():
    """The state of the CPU's generator, a dict of plain numbers for `set_rng_state`."""
    return generator(numpy).bit_generator.state


def set_rng_state(state):
    """Go on from a state that `get_rng_state` gave."""
    generator(numpy).bit_generator.state = state


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


def draw(xp, method, shape, dtype):
    """`method` ("random" or "standard_normal") of the global generator, in any floating dtype."""
    native = dtype if dtype in (numpy.float32, numpy.float64) else numpy.float32
    values = getattr(generator(xp), method)(shape, dtype=native)
    return xp.asarray(values, dtype)


def uniform(like, low, high):
    """Uniform draws in an array like another."""
    return low + (high - low) * draw(array_module(like), "random", like.shape, like.dtype)


def normal(like, mean, std):
    """Normal draws in an array like another."""
    return mean + std * draw(array_module(like), "standard_normal", like.shape, like.dtype)
