"""bench.memory: what lives after each op, told by arrays whose sizes are known."""

import gc
import json
import tracemalloc

import numpy as np
import pytest

import minigrad
from bench import memory


@pytest.fixture
def traced():
    tracemalloc.start()
    yield
    tracemalloc.stop()


def test_each_op_owns_its_results_as_long_as_they_live(traced):
    x = minigrad.ones(1000, 250)  # a million bytes
    with memory.Watch() as found:
        y = x * 2
        z = y.exp()
        del y
        w = z.sum()
    assert [record["what"] for record in found.records] == ["Mul", "Exp", "Sum"]
    mul, exp, total = found.records
    assert mul["owned"] == {"Mul": 1_000_000} and exp["owned"] == {"Mul": 1_000_000, "Exp": 1_000_000}
    assert total["owned"]["Exp"] == 1_000_000 and "Mul" not in total["owned"]
    assert exp["live"] - mul["live"] == pytest.approx(1_000_000, rel=0.1)
    assert exp["peak"] >= exp["live"] and w.item() == pytest.approx(250_000 * np.exp(2), rel=1e-5)


def test_a_view_counts_once_and_a_backward_under_its_own_name(traced):
    x = minigrad.ones(1000, 250, requires_grad=True)
    with memory.Watch() as found:
        y = (x * x).reshape(-1)
        y.sum().backward()
    owned = [record["owned"] for record in found.records]
    assert max(o.get("Mul", 0) + o.get("Reshape", 0) for o in owned) == 1_000_000
    assert "Mul, backward" in [record["what"] for record in found.records]


def test_afterwards_ops_are_as_they_were():
    before = minigrad.graph.Op.__call__, minigrad.optim.Optimizer.step
    with pytest.raises(ValueError), memory.Watch():
        raise ValueError
    assert (minigrad.graph.Op.__call__, minigrad.optim.Optimizer.step) == before


def test_the_command_writes_a_table_the_records_and_a_picture(tmp_path, capsys):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    folder = tmp_path / "new"
    memory.main(["--case", "1010", "--json", str(folder / "a.json"), "--plot", str(folder / "a.png")])
    records = json.loads((folder / "a.json").read_text())["records"]
    updates = [record["what"] for record in records if record["what"] == "SGD.step"]
    assert len(updates) == 3 and all(record["peak"] >= record["live"] > 0 for record in records)
    assert (folder / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "ops; the most" in capsys.readouterr().out
    gc.collect()
