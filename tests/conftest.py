"""What tests share: the devices, and for docs/reliability.md figures printed at the end, poisoned memory, limits.

MINIGRAD_POISON=1 runs whatever is tested with NaN in all memory that NumPy hands out uninitialised.
MINIGRAD_REQUIRE_GPU=1 turns the skips of tests that need a GPU into failures.
MINIGRAD_CUPY_STAND_IN=1 puts tests/cupy_stand_in.py in CuPy's place, which needs none.
"""

import contextlib
import functools
import importlib.util
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest

GROWTH = 256 * 2**20  # bytes by which a refusal may let the resident memory grow
HANG = 2.0  # seconds of its own that a reader may take for a small file, whatever else the machine does
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_written = None  # while watched: the paths that Python opened for writing, made, moved or linked


def pytest_configure(config):
    if os.environ.get("MINIGRAD_CUPY_STAND_IN") == "1":
        spec = importlib.util.spec_from_file_location("cupy_stand_in", Path(__file__).with_name("cupy_stand_in.py"))
        stand_in = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(stand_in)
        stand_in.install()
    if os.environ.get("MINIGRAD_POISON") == "1":
        poison = poisoned_memory()
        poison.__enter__()
        config.add_cleanup(functools.partial(poison.__exit__, None, None, None))


def pytest_terminal_summary(terminalreporter):
    """Print what the tests recorded as figures: record_property("figure", text)."""
    figures = [text for reports in terminalreporter.stats.values() for report in reports
               for name, text in getattr(report, "user_properties", ()) if name == "figure" and report.when == "call"]
    if figures:
        terminalreporter.section("figures")
        for text in figures:
            terminalreporter.write_line(text)


@functools.cache
def why_no_gpu():
    """What is missing for the tests of device "cuda", or None."""
    try:
        import cupy
    except ImportError as error:
        return f"no GPU: CuPy cannot be imported ({error})"
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # without a driver: CuPy's own type of error
        return f"no GPU: {str(error).strip() or type(error).__name__}"
    return None if count else "no GPU: CuPy sees no device"


def _usable(name):
    reason = why_no_gpu() if name == "cuda" else None
    if reason and os.environ.get("MINIGRAD_REQUIRE_GPU") == "1":
        pytest.fail(f"{reason}, and MINIGRAD_REQUIRE_GPU=1 asks for one", pytrace=False)
    if reason:
        pytest.skip(reason)
    return name


@pytest.fixture(params=["cuda"] if os.environ.get("MINIGRAD_CUPY_STAND_IN") == "1" else ["cpu", "cuda"])
def device(request):
    """The name of each device in turn; the test skips, with the reason, where there is no GPU."""
    return _usable(request.param)


@pytest.fixture
def gpu():
    """The name of the GPU, for what only compares it with the CPU; the test skips where there is none."""
    return _usable("cuda")


@contextlib.contextmanager
def poisoned_memory():
    """Inside, numpy.empty and numpy.empty_like fill what they return: NaN, the largest integer, True."""
    before = np.empty, np.empty_like

    def filling(make):
        @functools.wraps(make)
        def made(*arguments, **options):
            array = make(*arguments, **options)
            kind = array.dtype.kind if isinstance(array, np.ndarray) else ""
            if kind and kind in "fciub":
                array.fill(np.nan if kind in "fc" else True if kind == "b" else np.iinfo(array.dtype).max)
            return array

        return made

    np.empty, np.empty_like = map(filling, before)
    try:
        yield
    finally:
        np.empty, np.empty_like = before


@pytest.fixture
def poisoned():
    """A context manager: uninitialised memory is NaN inside."""
    return poisoned_memory


class Stopwatch:
    """Used as `with timed:` around each reading of a mutant; `slowest` is in seconds."""

    def __init__(self):
        self.slowest, self.count = 0.0, 0

    def __enter__(self):
        self.start = time.process_time()

    def __exit__(self, *_):
        took = time.process_time() - self.start
        self.slowest, self.count = max(self.slowest, took), self.count + 1
        assert took < HANG, f"number {self.count} took {took:.1f} s"


@pytest.fixture
def timed():
    """A Stopwatch that fails what takes longer than HANG."""
    return Stopwatch()


def _watch(event, arguments):
    if _written is None:
        return
    if event == "open":
        path, mode, flags = arguments
        if isinstance(path, (str, bytes)) and (set(mode or "") & set("wax+") or flags & _WRITING):
            _written.append(path)
    elif event in ("os.mkdir", "os.rename", "os.link", "os.symlink", "os.truncate"):
        _written.extend(path for path in arguments[:2] if isinstance(path, (str, bytes)))


@functools.cache
def _watching():
    sys.addaudithook(_watch)  # there is no taking it off again


def _resident(line):
    """A figure of this process's memory in bytes, from /proc."""
    with open("/proc/self/status") as file:
        return next(int(text.split()[1]) * 1024 for text in file if text.startswith(line))


@pytest.fixture
def contained(tmp_path, record_property):
    """A context manager: inside, nothing may be written outside of tmp_path, and memory may not grow beyond GROWTH."""
    @contextlib.contextmanager
    def watch(what):
        global _written
        _watching()
        neighbours, linux = sorted(tmp_path.parent.iterdir()), os.path.exists("/proc/self/clear_refs")
        if linux:
            with open("/proc/self/clear_refs", "w") as file:
                file.write("5")  # the peak starts anew
            before = _resident("VmRSS")
        _written = written = []
        try:
            yield
        finally:
            _written = None
        outside = [os.fsdecode(path) for path in written
                   if not os.path.realpath(os.fsdecode(path)).startswith(os.path.realpath(tmp_path) + os.sep)]
        assert not outside, f"{what}: written outside: {outside}"
        assert sorted(tmp_path.parent.iterdir()) == neighbours
        if linux:
            grown = _resident("VmHWM") - before
            record_property("grown", grown)
            assert grown < GROWTH, f"{what}: memory grew by {grown:,} bytes"

    return watch
