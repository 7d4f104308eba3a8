"""The GPU under PyTorch's names: `minigrad.cuda.is_available()` and what there is to ask about its memory.

Without a GPU `is_available()` is False, and the functions about memory return 0.
"""

from minigrad import legacy, random
from minigrad.absent import names_of
from minigrad.backend.device import cuda_is_available, module_for

__getattr__ = names_of(__name__)

globals().update(legacy.tensor_types("cuda", "cuda."))  # FloatTensor, LongTensor, ...


def is_available():
    """Whether CuPy is installed and sees a GPU."""
    return cuda_is_available()


def device_count():
    """How many GPUs there are; minigrad works on the current one."""
    return module_for("cuda").cuda.runtime.getDeviceCount() if is_available() else 0


def current_device():
    """The number of the GPU in use."""
    return module_for("cuda").cuda.Device().id


def get_device_name(device=None):
    """What the GPU is called. RuntimeError where there is none."""
    cupy = module_for("cuda")
    return cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)["name"].decode()


def memory_allocated(device=None):
    """Bytes of GPU memory that arrays occupy now."""
    return _pool().used_bytes() if is_available() else 0


def memory_reserved(device=None):
    """Bytes of GPU memory that CuPy's pool holds, in use or for reuse."""
    return _pool().total_bytes() if is_available() else 0


def max_memory_allocated(device=None):
    """Bytes that the pool holds: an upper bound of the peak since it was last emptied, as CuPy counts none."""
    return memory_reserved(device)


def reset_peak_memory_stats(device=None):
    """Begin a new peak, by giving back what is not in use."""
    empty_cache()


def empty_cache():
    """Give the memory that no array uses back to the GPU."""
    if is_available():
        _pool().free_all_blocks()


def memory_summary(device=None, abbreviated=False):
    """The same figures as a text."""
    return (f"GPU memory in use {memory_allocated() / 2**20:,.1f} MiB, "
            f"held by the pool {memory_reserved() / 2**20:,.1f} MiB")


def synchronize(device=None):
    """Wait until the GPU has done all that was asked of it. RuntimeError where there is none."""
    module_for("cuda").cuda.Device().synchronize()


def manual_seed(seed):
    """The same as `minigrad.manual_seed`, which starts the generators of both backends."""
    random.manual_seed(seed)


manual_seed_all = manual_seed


def _pool():
    return module_for("cuda").get_default_memory_pool()
