"""What scripts print of the version: `minigrad.version.__version__`, `.cuda`."""

__version__ = "0.1.0"
hip = None


def __getattr__(name):
    if name != "cuda":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from minigrad.backend.device import cuda_is_available, module_for

    if not cuda_is_available():
        return None
    number = module_for("cuda").cuda.runtime.runtimeGetVersion()
    return f"{number // 1000}.{number % 1000 // 10}"
