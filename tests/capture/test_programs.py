"""Random training steps are captured to the bit; `python -m tests.capture fuzz` makes more of them."""

import pytest

from tests.capture.programs import campaign, difference

QUICK = 4  # a step of each takes a second


@pytest.mark.parametrize("number", range(QUICK))
def test_a_random_training_step_is_the_same_captured(number):
    pytest.importorskip("llvmlite", reason="llvmlite is not installed: pip install minigrad[fast]")
    words, replays = difference(number)
    assert words is None and replays > 20


@pytest.mark.slow
def test_two_thousand_random_training_steps_are_the_same_captured():
    pytest.importorskip("llvmlite", reason="llvmlite is not installed: pip install minigrad[fast]")
    assert campaign(range(2000)) == 0
