"""The switches of CUDA's matrix products: without effect."""

from types import SimpleNamespace

from minigrad.cuda import is_available as is_built  # noqa: F401 (whether CuPy is there and sees a GPU)

matmul = SimpleNamespace(allow_tf32=False)
