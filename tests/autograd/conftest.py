"""A scenario is a function of the library, written once: what it returns here must be what PyTorch returns."""

import math

import pytest

import minigrad


def plain(value):
    """Tensors as lists, also inside tuples and lists; None and numbers as they are."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.detach().numpy().tolist() if hasattr(value, "detach") else value


def outcome(scenario, library):
    """What the scenario returns, or the kind of error that it raises."""
    try:
        return plain(scenario(library))
    except (RuntimeError, TypeError, ValueError, IndexError, ZeroDivisionError) as error:
        return f"raises {type(error).__name__}"


def alike(ours, theirs):
    """Whether two outcomes agree, numbers to six digits, whatever the kind of error."""
    if isinstance(ours, list) and isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(alike, ours, theirs))
    if isinstance(ours, str) or isinstance(theirs, str):
        return isinstance(ours, str) and isinstance(theirs, str) and ours.split()[0] == theirs.split()[0]
    if isinstance(ours, (int, float)) and isinstance(theirs, (int, float)):
        return math.isclose(ours, theirs, rel_tol=1e-6, abs_tol=1e-6) or ours != ours and theirs != theirs
    return ours is theirs


@pytest.fixture
def same_as_torch():
    """same_as_torch(scenario) asserts that the scenario's outcome is the same in both libraries, and returns it."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")

    def run(scenario):
        ours, theirs = outcome(scenario, minigrad), outcome(scenario, torch)
        assert alike(ours, theirs), f"{ours}, in PyTorch {theirs}"
        return ours

    return run
