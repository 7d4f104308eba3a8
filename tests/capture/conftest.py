"""What the tests of capture share: steps done twice, captured and not, compared to the last bit."""

import gc

import numpy as np
import pytest

import minigrad as mg


@pytest.fixture(autouse=True, scope="module")
def without_what_other_tests_left():
    """Capture looks for tensors among all objects; those of 200,000 that were there before are none of a test's."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(params=["numpy", "machine"])
def executor(request):
    """Both ways to run a plan."""
    if request.param == "machine":
        pytest.importorskip("llvmlite", reason="llvmlite is not installed: pip install minigrad[fast]")
    return request.param


def bits(x):
    """Tensors, arrays and numbers in nested containers as bytes."""
    if isinstance(x, dict):
        return {key: bits(value) for key, value in x.items()}
    if isinstance(x, (list, tuple)):
        return [bits(value) for value in x]
    array = getattr(x, "array", x)
    return (array.dtype, array.shape, array.tobytes()) if isinstance(array, np.ndarray) else array


@pytest.fixture
def same(executor):
    """same(make, steps): `make()` gives (parts, step, data); step(*data(i)) is done captured and not, from one seed.

    Results, and the state dicts of the parts, are equal to the last bit. Returns the captured step.
    """
    def compare(make, steps=12):
        found = []
        for capture in (False, True):
            mg.manual_seed(3)
            parts, step, data = make()
            step = mg.capture(step, executor) if capture else step
            results = [bits(step(*data(i))) for i in range(steps)]
            found.append((results, [bits(part.state_dict()) for part in parts], mg.rand(3).tolist()))
        (one, state, drawn), (other, captured_state, also_drawn) = found
        for i, (a, b) in enumerate(zip(one, other, strict=True)):
            assert a == b, f"results of call {i}"
        assert state == captured_state
        assert drawn == also_drawn
        assert step.replays > 0
        return step

    return compare
