"""How much memory a training takes: of the arrays on the host, and on the GPU.

On the host it is what NumPy and Python allocate (tracemalloc counts it, array buffers included), so that the pages of
a mapped file, which the system can drop, do not count, nor does what libraries take while they are imported.
"""

import os
import sys
import tracemalloc
from math import prod

from minigrad import cuda, nn, no_grad, zeros
from minigrad.backend.numpy import LEAST
from minigrad.nn import Parameter
from minigrad.optim import Adam

MIB = 2**20


class Peak:
    """Counts from where it is made on, until it is dropped.

    >>> peak = Peak()
    >>> block = bytes(2**23)
    >>> del block
    >>> 8 <= peak.host() < 9
    True
    """

    def __init__(self):
        _load_loops()
        self._started = not tracemalloc.is_tracing()
        if self._started:
            tracemalloc.start()
        tracemalloc.reset_peak()
        self._before = tracemalloc.get_traced_memory()[0]
        if cuda.is_available():
            cuda.reset_peak_memory_stats()

    def __del__(self):
        if self._started:  # counting slows down whatever comes next
            tracemalloc.stop()

    def host(self):
        """MiB at most so far, more than there were at the beginning."""
        return (tracemalloc.get_traced_memory()[1] - self._before) / MIB

    def device(self):
        """MiB on the GPU at most so far; None without a GPU."""
        return cuda.max_memory_allocated() / MIB if cuda.is_available() else None


def _load_loops():
    """Do an update like the first one of the training: it may load numba, 30 MiB that are no arrays of anybody's."""
    parameter = Parameter(zeros(LEAST))
    parameter.grad = zeros(LEAST)
    Adam([parameter]).step()


def resident():
    """MiB of this process in the host's memory now (where the system does not tell, the most so far)."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / MIB


def on_device():
    """MiB that are in use on the GPU now; None without one."""
    return cuda.memory_allocated() / MIB if cuda.is_available() else None


def size_of(*parts):
    """MiB of arrays and tensors, those in the state dicts of modules and optimisers included."""
    return sum(map(_bytes, parts)) / MIB


def _bytes(part):
    part = part.state_dict() if hasattr(part, "state_dict") else part
    if isinstance(part, dict):
        return sum(map(_bytes, part.values()))
    return getattr(getattr(part, "array", part), "nbytes", 0)


def layer_outputs(layers, image, batch, seed=100):
    """MiB that a batch of real images takes, with one of all that the layers of G and D, one after another, put out."""
    x, values = zeros(1, seed), prod(image)
    with no_grad():
        for layer in layers:
            x = layer(x)
            values += 0 if isinstance(layer, (nn.Flatten, nn.Unflatten)) else x.numel()
    return batch * values * 4 / MIB
