"""Random programs agree with the scalar reference engine, and the machine notices an engine that is wrong."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from minigrad.testing import faults
from minigrad.testing.machine import GraphMachine, Scalar, pull_back

COUNT = os.environ.get("MINIGRAD_EXAMPLES")
PROGRAMS = settings(max_examples=int(COUNT or 100), stateful_step_count=30, deadline=None, database=None,
                    derandomize=COUNT is None, suppress_health_check=list(HealthCheck), print_blob=False)


def test_random_programs_agree_with_the_reference():
    run_state_machine_as_test(GraphMachine, settings=PROGRAMS)


@pytest.mark.parametrize("name", ["leaf-overwrites", "mul-dropped-factor", "unbroadcast-picks-one", "no-grad-records",
                                  "detach-attached", "sin-sign"])
def test_the_machine_notices_a_wrong_engine(name):
    fault, = (f for f in faults.FAULTS if f.name == name)
    with fault.planted(), pytest.raises((AssertionError, RuntimeError, ExceptionGroup)):
        run_state_machine_as_test(GraphMachine, settings=settings(PROGRAMS, max_examples=2000, phases=[Phase.generate]))


def test_the_reference_differentiates_a_diamond():
    x = Scalar(2.0, wants=True)
    a = x * x
    assert pull_back([a * a + a], [1.0])[x] == 4 * 8 + 4
