"""Random programs are the same here and in PyTorch, and the campaign would notice if they were not."""

import inspect
import os
import re
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")

import minigrad as mg  # noqa: E402
from minigrad import lr_scheduler, nn, optim  # noqa: E402
from minigrad.testing import faults  # noqa: E402
from tests.differential import __main__ as command  # noqa: E402
from tests.differential import compare, deliberate  # noqa: E402
from tests.differential.campaign import Findings, campaign  # noqa: E402
from tests.differential.functions import CALLS, ELSEWHERE  # noqa: E402
from tests.differential.modules import MODULES, OPTIMISERS, SCHEDULERS  # noqa: E402
from tests.differential.program import Program  # noqa: E402

QUICK, FULL = 400, 100_000


@pytest.fixture(scope="module")
def quick():
    """What the first programs find."""
    findings = Findings(shrunk=0)
    for number in range(QUICK):
        findings.examine(Program.written(number))
    return findings


def unexplained(findings):
    """The findings, as text: --show NUMBER makes a program shorter."""
    return "\n".join(f"{group}: {cause.detail}, program {cause.program.number}"
                     for group, cause in findings.causes.items())


def test_random_programs_are_pytorchs(quick, record_property):
    record_property("figure", f"differential, quick form: {str(quick).splitlines()[-1]}")
    assert not unexplained(quick)


@pytest.mark.slow
def test_a_hundred_thousand_random_programs_are_pytorchs(record_property):
    findings = campaign(range(FULL), os.cpu_count())
    record_property("figure", f"differential: {str(findings).splitlines()[-1]}")
    assert not unexplained(findings)


def test_a_program_depends_on_its_number_alone():
    assert str(Program.written(7)) == str(Program.written(7)) != str(Program.written(8))


@pytest.mark.parametrize("name", ["mul-dropped-factor", "sub-sign", "graph-untied", "leaf-overwrites", "sum-as-mean"])
def test_the_campaign_notices_a_wrong_rule_and_shows_it_in_few_lines(name, quick):
    fault, = (f for f in faults.FAULTS if f.name == name)
    with fault.planted():
        for number in range(QUICK):
            program = Program.written(number)
            for difference in program.differences():
                if difference.kind == "values" and difference.group not in quick.causes:
                    short = program.shrunk(difference)
                    assert difference.group in [d.group for d in short.differences()]
                    assert len(short.lines) < len(program.lines)
                    return
    raise AssertionError(f"{QUICK} programs did not notice that {fault.what}")


def public(owner, wanted=callable):
    """The public names of a module or class whose values are wanted."""
    return {name for name in dir(owner) if not name.startswith("_") and wanted(getattr(owner, name))}


def test_every_public_function_is_in_a_table():
    known = {name for reason in ELSEWHERE.values() for name in reason.split()}
    called = {place: {c.name for c in CALLS if c.place == place} for place in {c.place for c in CALLS}}
    torch = pytest.importorskip("torch")
    missing = {
        "torch": {n for n in public(mg) if hasattr(torch, n)} - called["torch"] - called["drawn"],
        "Tensor": public(mg.Tensor, lambda _: True) - called["method"] - called["inplace"] - called["attribute"],
        "F": set(nn.functional.__all__) - called["F"],
        "nn": set(nn.__all__) - {name for name, *_ in MODULES},
        "init": {n for n in public(nn.init, inspect.isfunction) if n.endswith("_")} - called["init"],
        "optim": {n for n, kind in vars(optim).items() if inspect.isclass(kind) and issubclass(kind, optim.Optimizer)
                  and kind is not optim.Optimizer} - {name for name, _ in OPTIMISERS},
        "lr_scheduler": {n for n, kind in vars(lr_scheduler).items() if inspect.isclass(kind)
                         and issubclass(kind, lr_scheduler.LRScheduler) and kind is not lr_scheduler.LRScheduler}
        - {name for name, _ in SCHEDULERS},
    }
    missing = {where: sorted(names - known) for where, names in missing.items() if names - known}
    assert not missing, f"add a line to tests/differential/tables/ or modules.py for each of {missing}"


def test_the_page_shows_the_table_of_deliberate_differences():
    page = (Path(__file__).parents[2] / "docs" / "from-pytorch.md").read_text()
    shown = re.findall(r"^\| (.*) \|$", page[page.index("| what |"):], re.MULTILINE)[2:]
    assert shown == [f"{row.title} | {row.theirs} | {row.mine}" for row in deliberate.ROWS]


def test_every_row_explains_what_it_is_written_for():
    assert len({row.title for row in deliberate.ROWS}) == len(deliberate.ROWS)
    assert all(set(row.kinds) <= deliberate.KINDS for row in deliberate.ROWS)


def test_values_agree_within_the_rounding_of_their_dtype_only():
    import torch

    a, b = mg.tensor([1.0, 1000.0]), torch.tensor([1.0, 1000.0])
    assert compare.difference(a, b) is None
    assert compare.difference(a * (1 + 2e-7), b) is None
    assert compare.difference(a * 1.00001, b)[0] == "values"
    assert compare.difference(a.double(), b)[0] == "dtype"
    assert compare.difference(a.reshape(2, 1), b)[0] == "shape"
    assert compare.difference(a.requires_grad_(), b)[0] == "requires_grad"
    assert compare.difference(None, b)[0] == "type"
    assert compare.difference(mg.tensor([float("nan")]), torch.tensor([float("nan")])) is None
    assert compare.difference(mg.tensor([1]), torch.tensor([2]))[0] == "values"


def test_the_command_prints_what_it_found(capsys):
    assert command.main(["--show", "3"]) == 0
    assert "\nx1 = leaf(np." in capsys.readouterr().out
