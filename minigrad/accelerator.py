"""The GPU, where there is one, under the name that PyTorch has for whatever computes beside the CPU.

    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else "cpu"
"""

from minigrad import cuda
from minigrad.absent import names_of
from minigrad.backend.device import device as device_named
from minigrad.cuda import (
    current_device,
    device_count,
    empty_cache,
    is_available,
    max_memory_allocated,
    memory_allocated,
    memory_reserved,
    synchronize,
)

__all__ = ["current_accelerator", "current_device_index", "device_count", "empty_cache", "is_available",
           "max_memory_allocated", "memory_allocated", "memory_reserved", "set_device_index", "synchronize"]
__getattr__ = names_of(__name__)

current_device_index = current_device


def current_accelerator(check_available=False):
    """device("cuda"), or None where there is no GPU.

    >>> current_accelerator() is None or current_accelerator().type == "cuda"
    True
    """
    return device_named("cuda") if is_available() else None


def set_device_index(device):
    """Without effect for the GPU in use; ValueError for another."""
    index = device if isinstance(device, int) else device_named(device).index or 0
    if index != (cuda.current_device() if is_available() else 0):
        raise ValueError(f"set_device_index: {device!r} is not in use; minigrad works on the current GPU, which "
                         "CUDA_VISIBLE_DEVICES chooses")
