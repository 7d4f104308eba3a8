"""bench.ops: an op gives the same here, in PyTorch and in NumPy, and the figures are the medians of the turns."""

import json

import numpy as np
import pytest

from bench import ops


@pytest.mark.parametrize("name", ops.OPS)
def test_an_op_gives_the_same_values_and_gradients_as_pytorch(name):
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")
    here, there = (ops.prepare(library, name, "small")[2] for library in ("minigrad", "torch"))
    assert len(here) == len(there) == 1 + len(ops.OPS[name].shapes["small"])
    for a, b in zip(here, there):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", [name for name, op in ops.OPS.items() if op.plain])
def test_what_numpy_does_is_the_op(name):
    value, = ops.prepare("numpy", name, "small")[2]
    np.testing.assert_allclose(ops.prepare("minigrad", name, "small")[2][0], value, rtol=1e-3, atol=1e-5)


def test_large_arrays_have_more_values_than_small_ones():
    for op in ops.OPS.values():
        small, large = (sum(map(np.prod, op.shapes[size])) for size in ops.SIZES)
        assert large > 10 * small


class Rehearsed:
    """In a worker's place: answers as if its calls took so long."""

    def __init__(self, forward, backward, given):
        self.forward, self.backward, self.given = forward, backward, given

    def ask(self, question):
        return self.given if "counts" not in question else [
            s for s in (self.forward, self.backward) if s]


def test_figures_are_ratios_of_the_turns():
    row = ops.compare("add", "small", {"minigrad": Rehearsed(2e-6, 4e-6, [1.0, 2.0, 3.0]),
                                       "torch": Rehearsed(3e-6, 2e-6, [1.0, 2.0, 3.0]),
                                       "numpy": Rehearsed(1e-6, None, [1.0])}, 3)
    assert (row["forward_ratio"], row["backward_ratio"], row["numpy_share"]) == (1.5, 0.5, 0.5)
    assert (row["minigrad_forward_us"], row["torch_backward_us"]) == (2.0, 2.0)


def test_nothing_is_timed_where_a_gradient_differs():
    with pytest.raises(SystemExit, match="add, small: minigrad gives .* so nothing is timed"):
        ops.compare("add", "small", {"minigrad": Rehearsed(1, 1, [1.0, 2.0, 3.0]),
                                     "torch": Rehearsed(1, 1, [1.0, 2.0, 3.1])}, 1)


def test_the_command_keeps_its_figures_and_a_plot(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")
    monkeypatch.setattr(ops, "SECONDS", 0)
    ops.main(["--ops", "add", "conv2d", "--size", "small", "--rounds", "1", "--json", str(tmp_path / "new" / "o.json"),
              "--plot", str(tmp_path / "o.png")])
    rows = json.loads((tmp_path / "new" / "o.json").read_text())["rows"]
    assert [row["op"] for row in rows] == ["add", "conv2d"] and "numpy_share" not in rows[1]
    assert (tmp_path / "o.png").read_bytes().startswith(b"\x89PNG")
    assert "conv2d" in capsys.readouterr().out
