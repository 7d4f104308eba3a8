"""Apple's GPUs, which are not used: see `minigrad.backends.mps`."""

from minigrad.backends.mps import is_available  # noqa: F401
from minigrad.xpu import device_count  # noqa: F401
