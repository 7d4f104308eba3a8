"""Every planted wrong rule is noticed by the quick checks, which have nothing to say without one."""

import sys

import pytest

import gans.machinery.faults  # noqa: F401 (the command loads the demos' faults, too)
from minigrad.ops import elementwise
from minigrad.testing import __main__ as command
from minigrad.testing import faults


def test_without_a_fault_all_quick_checks_pass():
    assert {name: said for name, check in faults.checks().items() if (said := faults.run(check))} == {}


@pytest.mark.parametrize("fault", faults.FAULTS, ids=[fault.name for fault in faults.FAULTS])
def test_a_wrong_rule_is_rejected(fault):
    found = faults.rejected_by(fault)
    assert found, f"nothing notices that {fault.what}"
    assert not found[1].startswith(("NameError", "AttributeError", "ImportError")), (
        f"the fault itself is broken: {found[1]}"
    )


def test_there_are_two_hundred_at_least_and_each_is_taken_away_again():
    assert len(faults.FAULTS) >= 200 and len({fault.name for fault in faults.FAULTS}) == len(faults.FAULTS)
    for fault in faults.FAULTS:
        before = getattr(fault.target, fault.attribute)
        with fault.planted():
            assert getattr(fault.target, fault.attribute) is not before or fault.replacement == before
        assert getattr(fault.target, fault.attribute) == before


def test_a_fault_without_a_place_is_refused():
    with pytest.raises(AttributeError, match="has no backwards; plant it where the rule is now"):
        faults.wrong("nowhere", "nothing", elementwise.Mul, None, "backwards")


@pytest.fixture
def few_checks(monkeypatch):
    """A hunt that runs two checks only."""
    every = faults.checks()
    monkeypatch.setattr(faults, "checks", lambda: {name: every[name] for name in ("case Sin", "case Cos")})


def test_the_hunt_shows_symptoms_takes_guesses_and_reveals(capsys, few_checks):
    number = [fault.name for fault in faults.FAULTS].index("sin-sign")
    guesses = iter(["Cos", "Sin"])
    assert command.hunt(number, False, lambda prompt: next(guesses)) == 0
    out = capsys.readouterr().out
    assert "case Sin" in out and "Not there" in out and "Found." in out and "sin x has slope -cos x" in out
    assert command.main(["--hunt", "--seed", str(number), "--reveal"]) == 0
    assert "minigrad.ops.trigonometry.Sin.backward" in capsys.readouterr().out


def test_a_hunt_without_a_keyboard_says_how_to_see_the_answer(capsys, few_checks):
    def closed(prompt):
        raise EOFError

    assert command.hunt(3, False, closed) == 0
    assert "--hunt --seed 3 --reveal" in capsys.readouterr().out


def test_the_command_checks_ones_own_op(capsys, tmp_path, monkeypatch):
    (tmp_path / "my_checked_ops.py").write_text(
        "from minigrad.graph import Op\n"
        "def good(x, y): return x * y + x\n"
        "class Bad(Op):\n"
        "    keep = (0,)\n"
        "    def forward(self, x): return x * x\n"
        "    def backward(self, g, x): return g * x,\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_checked_ops", raising=False)
    assert command.main(["my_checked_ops:good", "--shapes", "3,4 4"]) == 0
    out = capsys.readouterr().out
    assert "PASS  gradient of the gradient" in out and "FAIL" not in out
    assert command.main(["my_checked_ops:Bad"]) == 1
    out = capsys.readouterr().out
    assert "FAIL  gradient " in out and "check_grad(f, numpy.array(" in out
    with pytest.raises(SystemExit, match="my_checked_ops:absent"):
        command.main(["my_checked_ops:absent"])
    with pytest.raises(SystemExit, match='write sizes with commas'):
        command.main(["my_checked_ops:good", "--shapes", "3x4"])
