"""Checkpoints that survive: `save`, `load`, `load_nearest`; and plain weights to and from PyTorch as safetensors.

A checkpoint is two files. `step-00001000-<digest>.safetensors` holds the arrays; `step-00001000.json` holds everything
else, names the first with its size and SHA-256, and begins with the SHA-256 of its own remainder. The JSON is written
last and is the commit mark: a tensor file that no JSON names was never saved. Each file is written under a temporary
name, flushed to the disk, renamed, and its folder flushed, so a kill or a power cut at any instant leaves the old
checkpoint or the new one. Nothing is pickled, so nothing that is read can run code.

safetensors (https://huggingface.co/docs/safetensors) is a length, a JSON header and the data. It is written and read
here, and not by its library, because it carries no checksum, because its library wrote wrong data for arrays that are
not contiguous, and so that every size is compared with the file's before anything is allocated.
"""

import contextlib
import glob
import hashlib
import json
import math
import os
import platform
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy

from minigrad.backend import array_module, backend_of
from minigrad.data.files import open_regular, publish
from minigrad.errors import CheckpointError, DataError
from minigrad.graph import Handle, Op

FORMAT = 1
DTYPES = {"F64": "f8", "I64": "i8", "U64": "u8", "F32": "f4", "I32": "i4", "U32": "u4", "F16": "f2", "I16": "i2",
          "U16": "u2", "I8": "i1", "U8": "u1", "BOOL": "?"}
CODES = {numpy.dtype(name): code for code, name in DTYPES.items()}
MAX_HEADER = 4 * 2**20  # bytes of a safetensors header, about 40,000 tensors
MAX_JSON = 16 * 2**20  # bytes of a checkpoint's JSON
MAX_RANK = 32
MAX_DEPTH = 100  # dicts in dicts
_OPENING = '{"sha256": "'
_STEP = re.compile(r"step-(\d{8,18})\.json")
_TENSORS = re.compile(r"step-(\d{8,18})-[0-9a-f]{16}\.safetensors")
_SPECIAL = ("$tensor", "$array", "$float", "$tuple", "$items")


@dataclass(frozen=True)
class Checkpoint:
    """What `load` returns: the state as it was saved, the step it belongs to, the JSON file it came from."""

    state: object
    step: int
    path: Path


def save(folder, state, *, step, keep=2):
    """Save `state` as the checkpoint of `step`; then remove all but the `keep` newest.

    Args:
        folder: where the run's checkpoints lie; made if missing. One process at a time may save there.
        state: dicts (keys str or int), lists and tuples of tensors, arrays, numbers, strings, bools, None: say
            `model.state_dict()`, `optimiser.state_dict()`, `get_rng_state()`, a configuration.
        step: an integer of 0 or more. Checkpoints of later steps belong to a run that was given up and are removed.
        keep: how many checkpoints to leave, 1 or more.

    Returns:
        The path of the JSON file.

    Raises:
        CheckpointError: the files cannot be written; the checkpoints that were there are as they were.
        TypeError: the state holds something else than the above; the message says where.

    >>> import tempfile, minigrad
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = save(folder, {"weight": minigrad.ones(2), "seed": 3}, step=1000)
    ...     load(folder).state
    {'weight': tensor([1., 1.]), 'seed': 3}
    """
    folder, arrays = Path(folder), {}
    if not isinstance(step, int) or isinstance(step, bool) or not 0 <= step < 10**18:
        raise ValueError(f"save: step is {step!r}; use an integer of 0 or more")
    if keep < 1:
        raise ValueError(f"save: keep is {keep}; keep at least 1 checkpoint")
    tree = _pack(state, "state", arrays)
    with _reported(folder, "write"):
        _make_folder(folder)
        before = set(os.listdir(folder))
        tensors, digest = _write(folder, "step", _tensor_parts(arrays),
                                 lambda digest: f"step-{step:08d}-{digest[:16]}.safetensors")
        try:
            about = {"format": FORMAT, "step": step, "versions": _versions(), "tensors": {
                "file": tensors.name, "bytes": tensors.stat().st_size, "sha256": digest}, "state": tree}
            rest = json.dumps(about, allow_nan=False)[1:].encode()
            if len(rest) + len(_OPENING) + 67 > MAX_JSON:
                raise CheckpointError(f"{folder}: the numbers and strings of the state take {len(rest):,} bytes of "
                                      f"JSON, above the limit of {MAX_JSON:,}; put long lists into arrays")
            opening = f'{_OPENING}{hashlib.sha256(rest).hexdigest()}", '.encode()
            path, _ = _write(folder, "step", [opening, rest], lambda digest: f"step-{step:08d}.json")
        except BaseException:
            if tensors.name not in before:
                tensors.unlink(missing_ok=True)
            raise
        _tidy(folder, step, tensors.name, keep)
    return path


def load(path, log=None):
    """The newest good checkpoint of a folder, or the one whose JSON file `path` is.

    Args:
        path: a folder that `save` wrote to, or one of its .json files (then there is no falling back).
        log: called with a line for every damaged checkpoint that is passed over; `warnings.warn` if None.

    Returns:
        A Checkpoint. Its tensors lie on the CPU, its arrays are NumPy's; `load_state_dict` takes both.

    Raises:
        CheckpointError: there is no checkpoint, or none that is whole; the message says what is wrong with each.
    """
    path = Path(path)
    if path.is_dir():
        return _newest(path, None, log)
    if not _STEP.fullmatch(path.name):
        _refuse_pickle(path)
        raise CheckpointError(f"{path}: is no checkpoint; give the folder of the checkpoints, or a step-….json in it")
    return _read(path)


def load_nearest(folder, step, log=None):
    """The newest good checkpoint at or before `step`; otherwise as `load`."""
    return _newest(Path(folder), step, log)


def save_safetensors(path, state_dict):
    """Write {name: tensor or array} to one safetensors file, whole or not at all.

    PyTorch reads it: `model.load_state_dict(safetensors.torch.load_file(path))`.
    CheckpointError if it cannot be written.
    """
    path, arrays = Path(path), {}
    for name, value in state_dict.items():
        if not isinstance(name, str) or name == "__metadata__":
            raise TypeError(f"save_safetensors: {name!r} cannot be a name; use strings other than '__metadata__'")
        arrays[name] = _host_array(value, f"save_safetensors: {name!r}")
    with _reported(path, "write"):
        if path.exists() and not path.is_file():
            raise CheckpointError(f"{path}: is not a regular file; give the name of a file to write")
        _write(path.parent, path.name, _tensor_parts(arrays), lambda digest: path.name)


def load_safetensors(path):
    """{name: tensor} from a safetensors file, such as `safetensors.torch.save_file(model.state_dict(), path)` writes.

    bfloat16 becomes float32. CheckpointError where the file is missing, damaged, or something else.

    >>> import tempfile, minigrad
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_safetensors(f"{folder}/w.safetensors", {"bias": minigrad.zeros(3)})
    ...     load_safetensors(f"{folder}/w.safetensors")
    {'bias': tensor([0., 0., 0.])}
    """
    path = Path(path)
    _refuse_pickle(path)
    arrays, _ = _read_tensors(path)
    return {name: Op.wrap(array) for name, array in arrays.items()}


# Files


@contextlib.contextmanager
def _reported(path, verb):
    """Turn what the operating system and the readers say about a file into a CheckpointError with its path."""
    fix = "free some space or choose another folder" if verb == "write" else "check the path and its permissions"
    try:
        yield
    except DataError as error:
        raise CheckpointError(str(error)) from None
    except OSError as error:
        where = "" if error.filename in (None, str(path)) else f" at {error.filename}"
        raise CheckpointError(f"{path}: cannot {verb} ({error.strerror or error}{where}); {fix}") from error


def _make_folder(folder):
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _write(folder, label, parts, name):
    """Write `parts` to a new file of `folder` called name(its SHA-256); return its path and digest.

    Temporary files with the same label are what killed processes left: they go first.
    """
    for stray in folder.glob(f".{glob.escape(label)}.*.tmp"):
        stray.unlink(missing_ok=True)
    temporary, digest = folder / f".{label}.{os.getpid()}.tmp", hashlib.sha256()
    try:
        with open(temporary, "wb") as file:
            for part in parts:
                digest.update(part)
                file.write(part)
        path = folder / name(digest.hexdigest())
        publish(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path, digest.hexdigest()


def _steps(folder):
    """{step: path of its JSON}, the newest first."""
    found = {int(match[1]): folder / match[0] for match in map(_STEP.fullmatch, sorted(os.listdir(folder))) if match}
    return dict(sorted(found.items(), reverse=True))


def _tidy(folder, step, tensors, keep):
    """Remove what the new checkpoint of `step` makes superfluous: each JSON before its tensors."""
    steps = _steps(folder)
    kept = [n for n in steps if n <= step][:keep]
    for n in steps.keys() - kept:
        steps[n].unlink(missing_ok=True)
    for name in os.listdir(folder):
        match = _TENSORS.fullmatch(name)
        if match and (int(match[1]) not in kept or int(match[1]) == step and name != tensors):
            (folder / name).unlink(missing_ok=True)


def _newest(folder, limit, log):
    with _reported(folder, "read"):
        steps = _steps(folder)
    wanted = {step: path for step, path in steps.items() if limit is None or step <= limit}
    if not wanted:
        there = f"; those there are of steps {', '.join(map(str, sorted(steps)))}" if steps else ""
        before = "" if limit is None else f" at or before step {limit}"
        raise CheckpointError(f"{folder}: there is no checkpoint{before}{there}; check the folder, or start anew")
    problems = []
    for path in wanted.values():
        try:
            found = _read(path)
        except CheckpointError as error:
            problems.append(str(error))
            continue
        for problem in problems:
            line = f"passed over a damaged checkpoint: {problem}; going back to step {found.step}"
            warnings.warn(line, RuntimeWarning, stacklevel=3) if log is None else log(line)
        return found
    raise CheckpointError(f"{folder}: no checkpoint is usable: {'; '.join(problems)}; start anew, or restore a backup")


def _read(path):
    """The checkpoint of a JSON file, whole, or a CheckpointError."""
    with _reported(path, "read"), open_regular(path) as file:
        text = file.read(MAX_JSON + 1)
    start = len(_OPENING)
    opening, digest, rest = text[:start], text[start:start + 64], text[start + 67:]
    sealed = opening == _OPENING.encode() and text[start + 64:start + 67] == b'", '
    if len(text) > MAX_JSON or not sealed or digest != hashlib.sha256(rest).hexdigest().encode():
        raise CheckpointError(f"{path}: is damaged (its checksum does not fit)")
    try:
        about = json.loads(b"{" + rest)
        step, tensors, version = about["step"], about["tensors"], about["format"]
        name, size, digest, tree = tensors["file"], tensors["bytes"], tensors["sha256"], about["state"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CheckpointError(f"{path}: is no checkpoint ({type(error).__name__}: {str(error)[:80]})") from None
    if version != FORMAT:
        raise CheckpointError(f"{path}: has format {version!r}, not {FORMAT}; read it with the minigrad that wrote it")
    match = _TENSORS.fullmatch(name) if isinstance(name, str) else None
    if type(step) is not int or path.name != f"step-{step:08d}.json" or not match or int(match[1]) != step:
        raise CheckpointError(f"{path}: is of step {step!r} with tensors {name!r}; files were renamed or mixed up")
    arrays, found = _read_tensors(path.with_name(name), size)
    if found != digest:
        raise CheckpointError(f"{path.with_name(name)}: is damaged (SHA-256 {found[:12]}…, not {str(digest)[:12]}…)")
    return Checkpoint(_unpack(tree, arrays, path), step, path)


def _refuse_pickle(path):
    """CheckpointError for what torch.save wrote: a pickle, or a zip with one inside."""
    with _reported(path, "read"), open_regular(path) as file:
        start = file.read(4)
    if start == b"PK\x03\x04" or start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise CheckpointError(f"{path}: was written by torch.save or pickle, which is never opened here because it can "
                              "run code; convert it with PyTorch: safetensors.torch.save_file(torch.load("
                              f"{path.name!r}, weights_only=True), {path.stem + '.safetensors'!r})")


def _versions():
    from importlib import metadata

    try:
        own = metadata.version("minigrad")
    except metadata.PackageNotFoundError:  # run from a source tree
        own = "unknown"
    return {"minigrad": own, "numpy": numpy.__version__, "python": platform.python_version()}


# safetensors: 8 bytes, little-endian, the header's length; the header, {name: {dtype, shape, data_offsets}}; the data


def _tensor_parts(arrays):
    """The file as a series of buffers. Wide dtypes first, so that each tensor is aligned."""
    header, end = dict.fromkeys(arrays), 0
    ordered = sorted(arrays.items(), key=lambda item: -item[1].itemsize)
    for name, array in ordered:
        header[name] = {"dtype": CODES[array.dtype], "shape": array.shape, "data_offsets": [end, end + array.nbytes]}
        end += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER:
        raise CheckpointError(f"save: the names of {len(arrays):,} tensors take {len(text):,} bytes, above the limit "
                              f"of {MAX_HEADER:,}; put small ones together")
    yield len(text).to_bytes(8, "little") + text
    for _, array in ordered:
        yield array.astype(array.dtype.newbyteorder("<"), copy=False).reshape(-1).view("u1")


def _read_tensors(path, expected=None):
    """({name: array}, SHA-256) of a safetensors file; CheckpointError unless every size in it fits the file's."""
    digest = hashlib.sha256()
    with _reported(path, "read"), open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if expected is not None and size != expected:
            raise CheckpointError(f"{path}: has {size:,} bytes, not {expected!r}: it is cut off or damaged")
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if size < 8 or length > min(MAX_HEADER, size - 8):
            raise CheckpointError(f"{path}: is no safetensors file, or cut off ({size:,} bytes, header of {length:,})")
        text = file.read(length)
        header = _parse_header(text, size - 8 - length, path)
        digest.update(start + text)
        arrays = dict.fromkeys(header)
        for name, (code, shape, (begin, end)) in sorted(header.items(), key=lambda item: item[1][2]):
            try:
                content = numpy.empty(end - begin, "u1")
            except MemoryError:
                raise CheckpointError(f"{path}: no memory for the {end - begin:,} bytes of {name!r}") from None
            if file.readinto(content) != len(content):
                raise CheckpointError(f"{path}: was cut off while it was read")
            digest.update(content)
            arrays[name] = _decoded(content, code, shape, name, path)
    return arrays, digest.hexdigest()


def _parse_header(text, room, path):
    """{name: (dtype code, shape, (begin, end))}, checked: known dtypes, sizes that fit, no gap, no overlap."""
    try:
        header = json.loads(text, object_pairs_hook=_without_repeats)
        header.pop("__metadata__", None)
        found = {name: (e["dtype"], tuple(e["shape"]), tuple(e["data_offsets"])) for name, e in header.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path}: its safetensors header is damaged ({str(error)[:80]})") from None
    for name, (code, shape, offsets) in found.items():
        numbers = (*shape, *offsets)
        if not all(type(n) is int and 0 <= n < 2**62 for n in numbers) or len(offsets) != 2 or len(shape) > MAX_RANK:
            raise CheckpointError(f"{path}: {name!r} is damaged (shape {str(shape)[:80]} at {str(offsets)[:80]})")
        if not isinstance(code, str) or code not in DTYPES and code != "BF16":
            known = ", ".join([*DTYPES, "BF16"])
            raise CheckpointError(f"{path}: {name!r} has dtype {str(code)[:20]!r}; convert it to one of {known}")
        itemsize = 2 if code == "BF16" else numpy.dtype(DTYPES[code]).itemsize
        if offsets[1] - offsets[0] != math.prod(shape) * itemsize:
            raise CheckpointError(f"{path}: {name!r} has shape {shape} of {code} in {offsets[1] - offsets[0]} bytes")
    at = 0
    for name, (_, _, (begin, end)) in sorted(found.items(), key=lambda item: item[1][2]):
        if begin != at:
            raise CheckpointError(f"{path}: {name!r} begins at {begin}, the data before it end at {at}; it is damaged")
        at = end
    if at != room:
        raise CheckpointError(f"{path}: declares {at:,} bytes of data and has {room:,}; it is cut off or damaged")
    return found


def _without_repeats(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _decoded(content, code, shape, name, path):
    if code == "BOOL" and content.size and content.max() > 1:
        raise CheckpointError(f"{path}: {name!r} is of bools and holds {content.max()}; it is damaged")
    try:
        if code == "BF16":  # the upper half of a float32
            return (content.view("<u2").astype("u4") << 16).view("f4").reshape(shape)
        return content.view(numpy.dtype(DTYPES[code]).newbyteorder("<")).astype(DTYPES[code], copy=False).reshape(shape)
    except ValueError:
        raise CheckpointError(f"{path}: {name!r} has shape {shape}, which no array can have") from None


# The state as JSON, with the arrays taken out of it


def _host_array(value, where):
    """A tensor or array as a contiguous NumPy array of a dtype that can be stored."""
    array = value.array if isinstance(value, Handle) else value
    if not isinstance(array, (numpy.ndarray, numpy.generic)) and array_module(array) is numpy:
        raise TypeError(f"{where} is a {type(value).__name__}; give a tensor or an array")
    array = numpy.asarray(backend_of(array).to_host(array))
    if array.dtype.newbyteorder("=") not in CODES:
        raise TypeError(f"{where} has dtype {array.dtype}; safetensors holds {', '.join(map(str, CODES))}")
    return numpy.ascontiguousarray(array.astype(array.dtype.newbyteorder("="), copy=False)).reshape(array.shape)


def _pack(value, where, arrays, depth=0):
    """`value` as JSON has it; the arrays go to `arrays`, and their names take their places."""
    if depth > MAX_DEPTH:
        raise TypeError(f"save: {where[:80]}… is nested more than {MAX_DEPTH} deep; is something inside itself?")
    if isinstance(value, numpy.generic) and value.dtype.kind in "fiub":
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": repr(value)}
    if isinstance(value, list):
        return [_pack(item, f"{where}.{i}", arrays, depth + 1) for i, item in enumerate(value)]
    if isinstance(value, tuple):
        return {"$tuple": _pack(list(value), where, arrays, depth)}
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, (str, int)) or isinstance(key, bool):
                raise TypeError(f"save: {where} has the key {key!r}; keys are strings or integers")
        items = [(key, _pack(item, f"{where}.{key}", arrays, depth + 1)) for key, item in value.items()]
        plain = all(isinstance(key, str) and not key.startswith("$") for key in value)
        return dict(items) if plain else {"$items": items}
    is_tensor = isinstance(value, Handle)
    if not is_tensor and not isinstance(value, numpy.ndarray) and array_module(value) is numpy:
        raise TypeError(f"save: {where} is a {type(value).__name__}; a checkpoint holds tensors, arrays, numbers, "
                        "strings, bools, None, and dicts, lists and tuples of them")
    name = where.removeprefix("state.")
    while name in arrays:
        name += "~"
    arrays[name] = _host_array(value, f"save: {where}")
    return {"$tensor" if is_tensor else "$array": name}


def _unpack(value, arrays, path):
    if isinstance(value, list):
        return [_unpack(item, arrays, path) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1 or next(iter(value)) not in _SPECIAL:
        return {key: _unpack(item, arrays, path) for key, item in value.items()}
    (kind, content), = value.items()
    try:
        if kind == "$tensor":
            return Op.wrap(arrays[content])
        if kind == "$array":
            return arrays[content]
        if kind == "$float":
            return float(content)
        if kind == "$tuple":
            return tuple(_unpack(content, arrays, path))
        return {key: _unpack(item, arrays, path) for key, item in content}
    except (KeyError, ValueError, TypeError):
        raise CheckpointError(f"{path}: {kind} {str(content)[:40]!r} is not there or damaged") from None
