"""Faults of checkpoints and of plain weight files."""

import os
import tempfile
from pathlib import Path

import numpy

from minigrad import checkpoint, create
from minigrad.errors import CheckpointError
from minigrad.testing.faults.fault import check, expect, wrong

_parts, _steps, _newest, _read_tensors = (checkpoint._tensor_parts, checkpoint._steps, checkpoint._newest,
                                          checkpoint._read_tensors)
_host_array, _unpack, _tidy = checkpoint._host_array, checkpoint._unpack, checkpoint._tidy


def _unchecked(path, expected=None):
    """Reads tensors and says of them whatever digest the JSON names."""
    arrays, _ = _read_tensors(path, expected)

    class Any:
        __eq__, __ne__ = (lambda self, other: True), (lambda self, other: False)

    return arrays, Any()


wrong("checkpoint-single", "float64 is saved as float32", checkpoint,
      lambda arrays: _parts({k: a.astype("f4") if a.dtype == "f8" else a for k, a in arrays.items()}), "_tensor_parts",
      "checkpoints")
wrong("checkpoint-transposed", "arrays that are not contiguous are saved as their memory lies", checkpoint,
      lambda value, where: numpy.asarray(_host_array(value, where)).ravel() if getattr(value, "array", value).ndim < 2
      else numpy.ascontiguousarray(value.array.ravel("K")).reshape(value.shape), "_host_array", "checkpoints")
wrong("checkpoint-unaligned", "tensors are written in another order than the header says", checkpoint,
      lambda arrays: (lambda parts: [parts[0], *parts[:0:-1]])(list(_parts(arrays))), "_tensor_parts", "checkpoints")
wrong("checkpoint-oldest", "load takes the oldest checkpoint", checkpoint,
      lambda folder: dict(sorted(_steps(folder).items())), "_steps", "checkpoints")
wrong("checkpoint-later", "load_nearest takes a later step", checkpoint,
      lambda folder, limit, log: _newest(folder, None, log), "_newest", "checkpoints")
wrong("checkpoint-before", "load_nearest leaves the very step out", checkpoint,
      lambda folder, limit, log: _newest(folder, limit and limit - 1, log), "_newest", "checkpoints")
wrong("checkpoint-unverified", "the digest of the tensors is not looked at", checkpoint, _unchecked, "_read_tensors",
      "checkpoints")
wrong("checkpoint-keeps-all", "old checkpoints are never removed", checkpoint, lambda folder, step, tensors, keep: None,
      "_tidy", "checkpoints")
wrong("checkpoint-keeps-one", "all checkpoints but the newest are removed", checkpoint,
      lambda folder, step, tensors, keep: _tidy(folder, step, tensors, 1), "_tidy", "checkpoints")
wrong("checkpoint-tuples", "tuples come back as lists", checkpoint,
      lambda tree, *rest: _unpack(tree["$tuple"] if isinstance(tree, dict) and "$tuple" in tree else tree, *rest),
      "_unpack", "checkpoints")


@check("checkpoints")
def check_checkpoints():
    """What was saved comes back: values, dtypes, shapes, kinds; the newest or the nearest step; never a damaged one."""
    state = {"wide": create.tensor(numpy.array([0.1, 0.2])), "count": create.tensor([3]),
             "turned": create.tensor(numpy.arange(6.0)).reshape(2, 3).T, "flags": numpy.array([True, False]),
             "half": create.ones(3, dtype="float16"), "pair": (1, [2.5, None]), "by number": {0: "a", 7: float("inf")}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for step in (1, 2, 3):
            checkpoint.save(folder, {**state, "step": step}, step=step, keep=2)
        expect(len(list(folder.iterdir())), 4, "the number of files of two checkpoints")
        expect(checkpoint.load(folder).state["step"], 3, "the step of the newest checkpoint")
        expect(checkpoint.load_nearest(folder, 2).state["step"], 2, "the step of the checkpoint nearest to step 2")
        found = checkpoint.load(folder).state
        for key, value in state.items():
            if hasattr(value, "dtype"):
                expect(found[key], value, f"{key}, saved and loaded")
                if found[key].dtype != value.dtype:
                    raise AssertionError(f"{key}: {found[key].dtype}, saved as {value.dtype}")
            elif repr(found[key]) != repr(value):
                raise AssertionError(f"{key}: {found[key]!r}, saved as {value!r}")
        tensors, = folder.glob("step-00000003-*")
        damaged = bytearray(tensors.read_bytes())
        damaged[-1] ^= 1
        os.chmod(tensors, 0o600)
        tensors.write_bytes(damaged)
        expect(checkpoint.load(folder, log=lambda line: None).state["step"], 2, "the step beside a damaged checkpoint")
        try:
            checkpoint.load(folder / "step-00000003.json")
        except CheckpointError:
            return
        raise AssertionError("a damaged checkpoint was loaded")
