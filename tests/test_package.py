"""What the package promises as a whole: a light import, a small core, no growth, the classic lesson's code agrees."""

import gc
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad.graph import Node

ROOT = Path(mg.__file__).parents[1]


def python(code, **environment):
    """What a fresh interpreter prints for `code`."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT), **environment}).stdout


def test_importing_minigrad_imports_numpy_and_no_other_dependency():
    loaded = python("import sys, minigrad; print(*{m.partition('.')[0] for m in sys.modules})").split()
    assert "numpy" in loaded
    assert not {"matplotlib", "h5py", "PIL", "tqdm", "pooch", "safetensors", "cupy", "torch", "scipy",
                "hypothesis"} & set(loaded)


def test_importing_minigrad_is_not_much_more_than_importing_numpy():
    """About twice NumPy's own processor time."""
    code = """if True:
        from time import process_time as now
        start = now(); import numpy; middle = now(); import minigrad
        print((now() - middle) / (middle - start))"""
    assert min(float(python(code, OPENBLAS_NUM_THREADS="1")) for _ in range(5)) < 4


def test_the_first_three_files_are_read_in_one_sitting():
    lines = sum(len((ROOT / "minigrad" / name).read_text().splitlines())
                for name in ("graph.py", "tensor.py", "ops/elementwise.py"))
    assert lines <= 600


def gan():
    """The 1010 GAN and its step."""
    nn = mg.nn
    D = nn.Sequential(nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 1), nn.Sigmoid())
    G = nn.Sequential(nn.Linear(1, 3), nn.Sigmoid(), nn.Linear(3, 4), nn.Sigmoid())
    optimisers = [mg.optim.Adam(net.parameters()) for net in (D, G)]
    loss, real, half = nn.MSELoss(), mg.rand(4), mg.tensor([0.5])

    def step():
        for x, target, optimiser in ((real, 1.0, 0), (G(half).detach(), 0.0, 0), (G(half), 1.0, 1)):
            optimisers[optimiser].zero_grad()
            loss(D(x), mg.tensor([target])).backward()
            optimisers[optimiser].step()

    return step


def resident():
    """Resident memory in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("no VmRSS")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is read from /proc")
def test_a_thousand_gan_steps_leave_nodes_and_memory_where_they_were_without_the_collector():
    step = gan()
    for _ in range(100):
        step()
    gc.collect()
    gc.disable()
    try:
        nodes = sum(issubclass(type(o), Node) for o in gc.get_objects())
        before = resident()
        for _ in range(1000):
            step()
        assert sum(issubclass(type(o), Node) for o in gc.get_objects()) == nodes
        assert resident() - before < 1 << 20
    finally:
        gc.enable()


def test_the_loop_and_the_arrays_of_the_vectorising_lesson_agree(tmp_path, capsys):
    sys.path.insert(0, str(ROOT))
    try:
        from bench import vectorize
    finally:
        sys.path.remove(str(ROOT))
    vectorize.seconds = lambda function, *arguments, **options: function(*arguments) is not None and 1.0 or 1.0
    vectorize.main(["--size", "8", "--batch", "5", "--json", str(tmp_path / "vectorize.json"),
                    "--plot", str(tmp_path / "vectorize.png")])
    assert (tmp_path / "vectorize.json").exists() and (tmp_path / "vectorize.png").exists()
    assert "matrix product 8x8" in capsys.readouterr().out


def test_no_file_names_a_place_outside_the_project():
    sources = [path for folder in ("minigrad", "gans") for path in ROOT.glob(f"{folder}/**/*.py")]
    for path in [*sources, *ROOT.glob("docs/*.md"), ROOT / "README.md"]:
        assert not re.search(r"/(home|root|tmp)/\w", path.read_text()), path


def test_the_readme_names_every_demo_and_its_commands():
    text = (ROOT / "README.md").read_text()
    for command in ("pip install -e .", "python -m gans.mnist", "python -m gans.pattern1010", "pytest"):
        assert command in text, command


def test_bench_lists_what_there_is():
    out = subprocess.run([sys.executable, "-m", "bench"], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    for path in (ROOT / "bench").glob("*.py"):
        if "def main(" in path.read_text() and path.stem != "__main__":
            assert f"python -m bench.{path.stem}" in out


def test_numpy_results_are_not_disturbed():
    with np.errstate(over="raise"):
        mg.sigmoid(mg.tensor([-1e4]))
        with pytest.raises(FloatingPointError):
            np.exp(np.float32(1e4))
