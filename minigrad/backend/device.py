"""Devices by name, and moving arrays between them. The only GPU that is used is the current one ("cuda", "cuda:0")."""

import sys

import numpy

from minigrad.backend import array_module, backend_of


class device:
    """Where an array lies: device("cpu") or device("cuda").

    >>> device("cpu")
    device(type='cpu')
    >>> device("tpu")
    Traceback (most recent call last):
    ValueError: device: unknown device 'tpu'; use 'cpu' or 'cuda'
    """

    __slots__ = ("type", "index")

    def __init__(self, name, index=None):
        if isinstance(name, device):
            name, index = name.type, name.index
        kind, colon, number = str(name).partition(":")
        if kind not in ("cpu", "cuda") or colon and not number.isdigit():
            raise ValueError(f"device: unknown device {str(name)!r}; use 'cpu' or 'cuda'")
        self.type, self.index = kind, int(number) if colon else index

    def __eq__(self, other):
        return isinstance(other, device) and self.type == other.type and (self.index or 0) == (other.index or 0)

    def __hash__(self):
        return hash((self.type, self.index or 0))

    def __repr__(self):
        return f"device(type='{self.type}'" + (")" if self.index is None else f", index={self.index})")

    def __str__(self):
        return self.type if self.index is None else f"{self.type}:{self.index}"


CPU = device("cpu")


def device_of(array):
    """The device on which an array lies."""
    return CPU if backend_of(array).NAME == "cpu" else device("cuda", array.device.id)


def cuda_is_available():
    """Whether CuPy is installed and sees a GPU."""
    try:
        import cupy

        return cupy.cuda.runtime.getDeviceCount() > 0
    except Exception:  # CuPy absent, its libraries missing, no driver: each its own exception type
        return False


def module_for(where):
    """numpy or cupy for a device; RuntimeError says what is missing."""
    if where is None or device(where).type == "cpu":
        return numpy
    if "cupy" not in sys.modules and not cuda_is_available():
        raise RuntimeError("device 'cuda': no GPU can be used here; install CuPy for your CUDA (pip install "
                           "minigrad[cuda12] or [cuda13]) on a machine with an NVIDIA GPU, or use device 'cpu'")
    import cupy

    return cupy


def move(array, where):
    """The array on another device; the array itself if it is there already."""
    target = module_for(where)
    if array_module(array) is target:
        return array
    return array.get() if target is numpy else target.asarray(array)
