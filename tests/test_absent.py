"""Names of PyTorch's that are not here, the roofs that scripts look under, and what printing a version shows."""

import importlib
import random
import subprocess
import sys
from pathlib import Path

import pytest

import minigrad as mg
from minigrad import absent

ROOT = Path(mg.__file__).parents[1]
ROOFS = ["", "nn", "nn.functional", "nn.init", "nn.utils", "nn.parallel", "optim", "optim.lr_scheduler", "utils",
         "utils.data", "autograd", "cuda", "linalg", "backends", "accelerator"]


def roof(library, path):
    found = library
    for name in path.split(".") if path else ():
        found = getattr(found, name)
    return found


def missing(mine, theirs):
    return [name for name in dir(theirs) if name[0] != "_" and not hasattr(mine, name)]


@pytest.mark.filterwarnings("ignore")  # of names that PyTorch gives up
@pytest.mark.parametrize("path", ROOFS)
def test_asking_for_a_pytorch_name_that_is_absent_gives_one_line(path):
    torch = pytest.importorskip("torch", reason="needs PyTorch (pip install minigrad[peers])")
    mine, theirs, owner = roof(mg, path), roof(torch, path), f"minigrad.{path}" if path else "minigrad"
    names = missing(mine, theirs)
    assert len(names) > 3 or path == "linalg" or path == "accelerator"
    for name in names:
        assert getattr(mine, name, None) is None
        with pytest.raises(AttributeError) as caught:
            getattr(mine, name)
        said = str(caught.value)
        assert said.startswith(f"{owner} has no {name}") and "\n" not in said and len(said) < 240
        assert absent.PAGE in said or "import " in said
        if "write `import" not in said:
            with pytest.raises(ImportError) as caught:
                exec(f"from {owner} import {name}", {})
            assert str(caught.value) == said


@pytest.mark.parametrize("ask, words", [
    (lambda: mg.nn.LSTM, "minigrad.nn has no LSTM: recurrent layers are not there; use Conv1d over lines; see docs/"),
    (lambda: mg.compile, "minigrad has no compile: nothing is compiled"),
    (lambda: mg.optim.LBFGS, "minigrad.optim has no LBFGS: use SGD, RMSprop"),
    (lambda: mg.Linear, "minigrad has no Linear: it is minigrad.nn.Linear; see"),
    (lambda: mg.nn.Adam, "minigrad.nn has no Adam: it is minigrad.optim.Adam"),
    (lambda: mg.nn.Conv2D, "minigrad.nn has no Conv2D; did you mean Conv2d or"),
    (lambda: mg.zeross(2), "minigrad has no zeross; did you mean zeros"),
    (lambda: mg.nn.functional.dropout4d, "did you mean dropout"),
    (lambda: mg.utils.data.IterableDataset, "a Dataset is read by number"),
    (lambda: mg.cuda.amp, "minigrad.cuda has no amp: mixed precision is not there")])
def test_what_is_asked_for_by_mistake_is_told_where_to_look(ask, words):
    with pytest.raises(AttributeError) as caught:
        ask()
    assert str(caught.value).startswith(words) or words in str(caught.value)


@pytest.mark.parametrize("path", ["", "nn", "nn.functional", "optim"])
def test_a_slip_of_one_letter_finds_the_name(path):
    rng, module = random.Random(0), roof(mg, path)
    names = [name for name in getattr(module, "__all__", dir(module)) if name[0] != "_" and len(name) > 5]
    for name in rng.sample(names, min(60, len(names))):
        i = rng.randrange(1, len(name) - 1)
        slip = rng.choice([name[:i] + name[i + 1:], name[:i] + name[i + 1] + name[i] + name[i + 2:], name + "s"])
        if hasattr(module, slip) or slip in absent.HINTS:
            continue
        with pytest.raises(AttributeError) as caught:
            getattr(module, slip)
        assert "did you mean" in str(caught.value) or "it is minigrad" in str(caught.value)


def test_names_with_an_underscore_are_answered_shortly():
    for thing in (mg, mg.nn, mg.optim):
        with pytest.raises(AttributeError, match="has no attribute '__wrapped__'$"):
            thing.__wrapped__  # noqa: B018


def test_a_module_that_was_not_imported_yet_is_named():
    code = "import minigrad\ntry: minigrad.testing\nexcept AttributeError as error: print(error)"
    assert "write `import minigrad.testing` first" in subprocess.run([sys.executable, "-c", code], capture_output=True,
                                                                      text=True, check=True, cwd=ROOT).stdout


def test_every_hint_is_of_a_name_that_is_not_there_somewhere():
    for name in absent.HINTS:
        lacking = [path for path in ROOFS if not hasattr(roof(mg, path), name)]
        assert lacking, name
    assert all(len(hint) < 120 for hint in absent.HINTS.values())


@pytest.mark.parametrize("path", ["backends.cudnn", "backends.mps", "backends.cuda", "nn.parallel", "nn.parameter",
                                  "nn.utils.parametrizations", "utils.data.dataloader", "utils.data.dataset", "xpu",
                                  "accelerator", "mps", "version", "optim.lr_scheduler", "nn.init", "linalg"])
def test_the_modules_that_scripts_import_can_be_imported(path):
    module = importlib.import_module(f"minigrad.{path}")
    assert module is roof(mg, path) and module.__doc__


def test_switches_and_questions_have_an_answer():
    mg.backends.cudnn.benchmark = True
    mg.backends.cudnn.benchmark = False
    assert not mg.backends.cudnn.is_available() and mg.backends.cudnn.version() is None
    assert not mg.backends.mps.is_available() and not mg.backends.mps.is_built()
    assert not mg.backends.cuda.matmul.allow_tf32
    assert not mg.xpu.is_available() and mg.xpu.device_count() == 0 and not mg.mps.is_available()
    assert mg.version.__version__ == mg.__version__ and mg.version.hip is None
    x = mg.ones(1)
    assert not any((x.is_xpu, x.is_mps, x.is_sparse, x.is_quantized, x.is_meta))
    gpu = mg.cuda.is_available()
    assert (mg.version.cuda is None) != gpu and (mg.accelerator.current_accelerator() is None) != gpu
    assert mg.accelerator.is_available() == gpu and mg.accelerator.device_count() == mg.cuda.device_count()
    device = mg.accelerator.current_accelerator().type if mg.accelerator.is_available() else "cpu"
    assert mg.zeros(1, device=device).device.type == device
    mg.accelerator.set_device_index(0)
    with pytest.raises(ValueError, match="set_device_index: 3 is not in use"):
        mg.accelerator.set_device_index(3)


def test_data_parallel_runs_the_module_and_names_it_as_pytorch_does():
    def run(library):
        net = library.nn.DataParallel(library.nn.Sequential(library.nn.Linear(2, 1)), list(range(0)))
        net.load_state_dict({"module.0.weight": library.ones(1, 2), "module.0.bias": library.zeros(1)})
        y = net(library.ones(3, 2))
        y.sum().backward()
        return [y.tolist(), [k for k, _ in net.named_parameters()], net.module[0].weight.grad.tolist(),
                library.nn.parallel.DataParallel is library.nn.DataParallel]

    torch = pytest.importorskip("torch", reason="needs PyTorch (pip install minigrad[peers])")
    if not torch.cuda.is_available():
        assert run(mg) == run(torch)
    net = mg.nn.Linear(2, 1)
    x = mg.ones(3, 2)
    assert (mg.nn.parallel.data_parallel(net, x, range(1)) == net(x)).all()
    assert (mg.nn.parallel.data_parallel(net, (x,)) == net(x)).all()
