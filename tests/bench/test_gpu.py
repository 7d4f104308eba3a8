"""The benchmark on a GPU, rehearsed on a stand-in for CuPy, and its one line where there is none."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench import gpu
from minigrad import cuda

REHEARSAL = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("cupy_stand_in", sys.argv[1])
stand_in = importlib.util.module_from_spec(spec)
spec.loader.exec_module(stand_in)
stand_in.install()
from functools import partial
from bench import gpu, steps
gpu.CASES.update({"1010": steps.CASES["1010"]._replace(steps=8),
                  "mnist-conv": steps.Case(partial(steps.mnist_conv, batch=2), 1, checked=2)})
gpu.main(["--cases", "1010", "mnist-conv", "--rounds", "1", "--json", sys.argv[2]])
"""


@pytest.mark.skipif(cuda.is_available(), reason="there is a GPU: python -m bench.gpu does it in earnest")
def test_steps_are_checked_timed_and_kept(tmp_path):
    stand_in = Path(__file__).parents[1] / "cupy_stand_in.py"
    done = subprocess.run([sys.executable, "-c", REHEARSAL, stand_in, tmp_path / "gpu.json"], capture_output=True,
                          text=True, cwd=Path(gpu.__file__).parents[1])
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "gpu.json").read_text())["cases"]
    assert [row["case"] for row in rows] == ["1010", "mnist-conv"] and "mnist-conv" in done.stdout
    assert all(row["cpu_ms"] > 0 and row["gpu_ms"] > 0 for row in rows)


@pytest.mark.skipif(cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so():
    with pytest.raises(SystemExit, match="needs a GPU and CuPy.*pip install"):
        gpu.main([])
