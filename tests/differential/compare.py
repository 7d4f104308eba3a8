"""Whether two values, one of each library, are the same: structure, shape, dtype, requires_grad, elements.

Elements agree within the rounding of their dtype, relative to the largest of the array. What rounding does not explain
at once is measured: `Program.rounding` runs the program in PyTorch with its numbers moved by a few roundings, and
what moves that much may differ that much.
"""

import numpy as np
import torch

from minigrad import Tensor

ROUNDINGS = 8  # by how many units in the last place of the largest element two arrays may always differ
MOVED = 32  # how many times the movement seen under perturbation they may differ
SMALLEST = {"float16": 6e-8, "float32": 1.4e-45, "float64": 5e-324}


class Failure:
    """What a line raised."""

    def __init__(self, error):
        self.kind, self.text = type(error).__name__, (str(error).splitlines() or [""])[0]

    def __repr__(self):
        return f"{self.kind}: {self.text}"


def array(x):
    """The elements of a tensor of either library."""
    if isinstance(x, Tensor):
        return x.array
    zeros = x._is_zerotensor()  # a gradient of PyTorch's without memory, at whose views `numpy` crashes
    return (torch.zeros(x.shape, dtype=x.dtype) if zeros else x).numpy(force=True)


def is_tensor(x):
    """Whether x is a tensor of either library."""
    return isinstance(x, (Tensor, torch.Tensor))


def wants(x):
    """Whether a tensor requires grad; false where PyTorch will not say: for views that it thinks are misused."""
    try:
        return is_tensor(x) and x.requires_grad
    except RuntimeError:
        return False


def name_of(dtype):
    """A dtype's name, as NumPy has it."""
    return str(dtype).removeprefix("torch.")


def difference(mine, theirs, where="", wanting=True):
    """(kind, what it is) of the first difference between two values, or None. Kind "values" may yet be rounding.

    Without `wanting`, requires_grad may differ.
    """
    if isinstance(mine, Failure) or isinstance(theirs, Failure):
        if isinstance(mine, Failure) and isinstance(theirs, Failure):
            return None
        return ("an error here", f"{mine!r}") if isinstance(mine, Failure) else ("no error here", f"{theirs!r}")
    if is_tensor(mine) and is_tensor(theirs):
        return tensors_differ(mine, theirs, where, wanting)
    if isinstance(mine, (tuple, list)) and isinstance(theirs, (tuple, list)):
        if len(mine) != len(theirs):
            return "structure", f"{where}{len(mine)} values, PyTorch {len(theirs)}"
        for i, (a, b) in enumerate(zip(mine, theirs)):
            if found := difference(a, b, f"{where}[{i}] ", wanting):
                return found
        return None
    if isinstance(mine, dict) and isinstance(theirs, dict):
        if list(mine) != list(theirs):
            return "structure", f"{where}names {list(mine)}, PyTorch {list(theirs)}"
        return difference(list(mine.values()), list(theirs.values()), where, wanting)
    if isinstance(theirs, torch.dtype) or isinstance(theirs, torch.device):
        return None if name_of(mine) == name_of(theirs) else ("value", f"{where}{mine!r}, PyTorch {theirs!r}")
    if numeric(mine) and numeric(theirs):
        if isinstance(mine, bool) != isinstance(theirs, bool) or isinstance(mine, int) != isinstance(theirs, int):
            return "type", f"{where}{type(mine).__name__}, PyTorch {type(theirs).__name__}"
        if mine == theirs or mine != mine and theirs != theirs:
            return None
        return "values", f"{where}{mine!r}, PyTorch {theirs!r}"
    if opaque(mine) and opaque(theirs):
        return None
    if type(mine) is not type(theirs):
        return "type", f"{where}{type(mine).__name__}, PyTorch {type(theirs).__name__}"
    return None if mine == theirs else ("value", f"{where}{mine!r}, PyTorch {theirs!r}")


def numeric(x):
    """Whether x is a Python number."""
    return isinstance(x, (bool, int, float))


def opaque(x):
    """Whether x is something whose values are looked at elsewhere: a module, an optimiser, a handle."""
    return type(x).__module__.split(".")[0] in ("minigrad", "torch")


def tensors_differ(mine, theirs, where, wanting):
    """The first difference of two tensors."""
    a, b = array(mine), array(theirs)
    if tuple(a.shape) != tuple(b.shape):
        return "shape", f"{where}{tuple(a.shape)}, PyTorch {tuple(b.shape)}"
    if a.dtype != b.dtype:
        return "dtype", f"{where}{a.dtype}, PyTorch {b.dtype}"
    if wanting and mine.requires_grad != wants(theirs):
        return "requires_grad", f"{where}{mine.requires_grad}, PyTorch {theirs.requires_grad}"
    if not within(a, b):
        return "values", f"{where}{shown(a, b)}"
    return None


def within(a, b, more=0.0):
    """Whether two arrays agree up to rounding and `more`."""
    if a.dtype.kind != "f":
        return bool((a == b).all()) if not isinstance(more, np.ndarray) else bool(((a == b) | (more > 0)).all())
    if a.tobytes() == b.tobytes() or not a.size:
        return True
    with np.errstate(all="ignore"):
        a, b, eps, name = a.astype("float64"), b.astype("float64"), float(np.finfo(a.dtype).eps), a.dtype.name
        finite = np.isfinite(a) & np.isfinite(b)
        largest = float(np.abs(b[finite]).max(initial=0.0))
        close = np.abs(a - b) <= ROUNDINGS * (eps * largest + SMALLEST[name]) + more
        same = (a == b) | (np.isnan(a) & np.isnan(b)) | finite & close
        return bool((same | ~np.isfinite(more)).all())


def slack(b, largest):
    """What rounding may make of an array whose terms are as large as `largest`."""
    return ROUNDINGS * float(np.finfo(b.dtype).eps) * largest if b.dtype.kind == "f" else 0.0


def shown(a, b):
    """The places where two arrays differ most, in words."""
    if not a.shape:
        return f"{a}, PyTorch {b}"
    with np.errstate(all="ignore"):
        off = ~((a == b) | (a != a) & (b != b))
        gap = np.where(off, np.abs(np.subtract(a, b, dtype="float64")), 0)
    i = np.unravel_index(int(np.argmax(np.where(off & ~np.isfinite(gap), np.inf, gap))), a.shape)
    return f"at {tuple(map(int, i))} {a[i]}, PyTorch {b[i]}; {int(off.sum())} of {a.size} differ"
