"""What the tests of the ops share: agreement with PyTorch to the second derivative."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import autograd


def _outputs(y):
    return list(y) if isinstance(y, (tuple, list)) else [y]


def _close(mine, theirs, rtol, what):
    mine = None if mine is None else np.asarray(mine.detach().numpy())
    theirs = None if theirs is None else theirs.detach().numpy(force=True)
    if mine is None or theirs is None:  # no gradient at all and a gradient of zeros mean the same
        other = theirs if mine is None else mine
        assert other is None or not other.any(), f"{what}: one side has no gradient, the other {other}"
        return
    assert mine.shape == theirs.shape, f"{what}: shape {mine.shape}, in PyTorch {theirs.shape}"
    scale = max(np.abs(theirs[np.isfinite(theirs)]).max(initial=0.0), 1.0)
    np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=rtol * scale, err_msg=what)


def _gradients(ys, xs, seeds, library):
    """The gradients of ys, weighed by seeds, with a graph; None for what has none."""
    linked = [(y, v) for y, v in zip(ys, seeds) if y.requires_grad]
    if not linked:
        return [None] * len(xs)
    ys, seeds = zip(*linked)
    return list(library.grad(list(ys), xs, list(seeds), create_graph=True, allow_unused=True))


@pytest.fixture(scope="session")
def torch():
    """PyTorch, the reference."""
    return pytest.importorskip("torch", reason="PyTorch is not installed: pip install minigrad[peers]")


@pytest.fixture(scope="session")
def compare(torch):
    """compare(f, torch_f, arrays, rng): values and derivatives up to `order` agree, weighed by random cotangents."""
    def run(f, torch_f, arrays, rng, rtol=1e-10, order=2):
        floats = [a.dtype.kind == "f" for a in arrays]
        mine = [mg.tensor(a, requires_grad=k) for a, k in zip(arrays, floats)]
        theirs = [torch.tensor(a, requires_grad=k) for a, k in zip(arrays, floats)]
        ys, torch_ys = _outputs(f(*mine)), _outputs(torch_f(*theirs))
        mine, theirs = ([x for x, k in zip(xs, floats) if k] for xs in (mine, theirs))
        assert len(ys) == len(torch_ys)
        for level in range(order + 1):
            for i, (a, b) in enumerate(zip(ys, torch_ys)):
                _close(a, b, rtol, f"derivative {level}, part {i}, of inputs of shapes {[a.shape for a in arrays]}")
            pairs = [(a, b) for a, b in zip(ys, torch_ys) if a is not None and b is not None]
            seeds = [rng.standard_normal(a.shape) for a, _ in pairs]
            mine += [mg.tensor(v, requires_grad=True) for v in seeds]
            theirs += [torch.tensor(v, requires_grad=True) for v in seeds]
            if level == order or not pairs:
                break
            count = len(seeds)
            ys = _gradients([a for a, _ in pairs], mine[:-count], mine[-count:], autograd)
            torch_ys = _gradients([b for _, b in pairs], theirs[:-count], theirs[-count:], torch.autograd)
    return run
