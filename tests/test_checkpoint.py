"""Checkpoints: what goes in comes out, and no damage, kill, or full disk costs more than the last save."""

import json
import os
import pickle
import random
import signal
import subprocess
import sys
import textwrap
import time
import warnings
import zipfile

import numpy as np
import pytest

import minigrad as mg
from minigrad import checkpoint
from minigrad.checkpoint import load, load_nearest, load_safetensors, save, save_safetensors
from minigrad.errors import CheckpointError

FLIPS = int(os.environ.get("MINIGRAD_FUZZ", "500"))


def network():
    mg.manual_seed(3)
    return mg.nn.Sequential(mg.nn.Linear(3, 4), mg.nn.BatchNorm1d(4), mg.nn.Linear(4, 1))


def same(a, b):
    if isinstance(a, mg.Tensor):
        return type(b) is mg.Tensor and same(a.numpy(), b.numpy())
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return a.keys() == b.keys() and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and (a == b or a != a and b != b)


def small(step):
    return {"w": mg.full((3,), float(step)), "step": step}


@pytest.fixture
def two(tmp_path):
    """A folder with checkpoints of steps 1 and 2."""
    for step in (1, 2):
        save(tmp_path, small(step), step=step)
    return tmp_path


def newest(folder, suffix):
    return max(p for p in folder.iterdir() if p.suffix == suffix)


def load_quietly(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load(path)


def test_a_training_run_comes_back_whole(tmp_path):
    model = network()
    optimiser = mg.optim.Adam(model.parameters(), lr=0.1)
    ema = mg.optim.EMA(model)
    for _ in range(3):
        optimiser.zero_grad()
        model(mg.randn(5, 3)).sum().backward()
        optimiser.step()
        ema.update()
    state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "ema": ema.state_dict(),
             "rng": mg.get_rng_state(), "config": {"lr": 1e-4, "betas": (0.5, 0.999), "out": None, "check": False}}
    path = save(tmp_path / "run" / "checkpoint", state, step=3)
    found = load(tmp_path / "run" / "checkpoint")
    assert (found.step, found.path) == (3, path) and load(path).step == 3
    assert same(state, found.state)

    expected, other = mg.rand(4), network()
    again = mg.optim.Adam(other.parameters())
    other.load_state_dict(found.state["model"])
    again.load_state_dict(found.state["optimiser"])
    mg.set_rng_state(found.state["rng"])
    assert same(again.state_dict(), state["optimiser"])
    assert same(mg.rand(4), expected)


@pytest.mark.parametrize("value", [
    0, -1, 2**200, True, None, 1.5, float("inf"), float("nan"), -0.0, "", "Zürich \ud800 \0", [], (), {}, [[1], (2,)],
    {1: "a", "1": "b"}, {"$tensor": "x"}, {"a.b": np.arange(2), "a": {"b": np.arange(3)}}, np.zeros((0, 3), "f4"),
    np.array(2.5), np.arange(24).reshape(2, 3, 4).T, np.arange(10)[::3], np.array([2**64 - 1], "u8"),
    np.array([True, False]), np.arange(3, dtype="f2"), np.arange(3, dtype="i2"), mg.tensor(1.0), mg.eye(3).t(),
])
def test_every_kind_of_value_comes_back(tmp_path, value):
    save(tmp_path, {"value": value, "other": 1}, step=0)
    assert same(load(tmp_path).state, {"value": value, "other": 1})


def test_numpy_scalars_and_other_byte_orders_come_back_as_plain_values(tmp_path):
    save(tmp_path, [np.float32(0.1), np.int64(3), np.bool_(True), np.array([1.5], ">f4")], step=0)
    found = load(tmp_path).state
    assert same(found, [float(np.float32(0.1)), 3, True, np.array([1.5], "f4")])


@pytest.mark.parametrize("value, where", [
    ({"a": [object()]}, r"state\.a\.0 is a object"), ({1.5: 2}, "key 1.5"), ({"b": b"x"}, "is a bytes"),
    ({"c": np.array(["x"])}, "dtype <U1"), (np.array([1j]), "complex128")])
def test_what_cannot_be_saved_is_refused_by_its_place(tmp_path, value, where):
    with pytest.raises(TypeError, match=where):
        save(tmp_path, value, step=1)
    assert not list(tmp_path.iterdir())


def test_a_state_inside_itself_is_refused(tmp_path):
    state = {}
    state["state"] = state
    with pytest.raises(TypeError, match="nested more than"):
        save(tmp_path, state, step=1)


@pytest.mark.parametrize("step", [-1, 1.0, True, "3"])
def test_a_step_that_is_none_is_refused(tmp_path, step):
    with pytest.raises(ValueError, match="step is"):
        save(tmp_path, {}, step=step)


def test_the_last_two_are_kept(tmp_path):
    for step in (5, 10, 15):
        save(tmp_path, small(step), step=step)
    assert sorted(p.name for p in tmp_path.glob("*.json")) == ["step-00000010.json", "step-00000015.json"]
    assert len(list(tmp_path.iterdir())) == 4
    save(tmp_path, small(20), step=20, keep=1)
    assert len(list(tmp_path.iterdir())) == 2


def test_saving_an_earlier_step_gives_up_the_later_ones(two):
    save(two, {"w": mg.zeros(1)}, step=1)
    assert load(two).step == 1 and len(list(two.iterdir())) == 2
    assert same(load(two).state, {"w": mg.zeros(1)})


def test_saving_the_same_step_again_replaces_it(two):
    save(two, {"new": True}, step=2)
    assert load(two).state == {"new": True} and len(list(two.iterdir())) == 4


def test_the_nearest_is_at_or_before_the_step(two):
    assert [load_nearest(two, step).step for step in (1, 2, 99)] == [1, 2, 2]
    with pytest.raises(CheckpointError, match="no checkpoint at or before step 0; those there are of steps 1, 2"):
        load_nearest(two, 0)


def test_a_missing_or_empty_folder_says_so(tmp_path):
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        load(tmp_path)
    with pytest.raises(CheckpointError, match="nowhere"):
        load(tmp_path / "nowhere")


def test_a_damaged_checkpoint_falls_back_loudly(two):
    newest(two, ".safetensors").unlink()
    with pytest.warns(RuntimeWarning, match="passed over a damaged checkpoint: .*step-00000002.* going back to step 1"):
        assert same(load(two).state, small(1))
    lines = []
    assert load(two, log=lines.append).step == 1 and len(lines) == 1
    with pytest.raises(CheckpointError, match="no such file"):  # asked for by name, there is no falling back
        load(two / "step-00000002.json")
    newest(two, ".safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="no checkpoint is usable: .*step-00000002.*; .*step-00000001"):
        load(two)


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_every_truncation_falls_back(two, suffix, record_property):
    path = newest(two, suffix)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert load_quietly(two).step == 1, length
    path.write_bytes(whole + b" ")
    assert load_quietly(two).step == 1
    path.write_bytes(whole)
    assert load(two).step == 2
    record_property("figure", f"row 8: {len(whole)} truncations of the {suffix}: all fallen back, loudly")


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_every_bit_flip_falls_back(two, suffix):
    path = newest(two, suffix)
    whole = path.read_bytes()
    bits = range(8 * len(whole))
    for bit in bits if FLIPS >= len(bits) else random.Random(1).sample(bits, FLIPS):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        assert load_quietly(two).step == 1, bit


def test_flipped_bits_of_a_whole_training_state_fall_back_loudly(tmp_path, record_property):
    model = network()
    optimiser = mg.optim.Adam(model.parameters())
    model(mg.randn(5, 3)).sum().backward()
    optimiser.step()
    state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "rng": mg.get_rng_state()}
    for step in (1, 2):
        save(tmp_path, state, step=step)
    files = {suffix: newest(tmp_path, suffix) for suffix in (".json", ".safetensors")}
    whole = {suffix: path.read_bytes() for suffix, path in files.items()}
    bits = [(suffix, bit) for suffix, content in whole.items() for bit in range(8 * len(content))]
    chosen = random.Random(4).sample(bits, min(FLIPS, len(bits)))
    for suffix, bit in chosen:
        damaged = bytearray(whole[suffix])
        damaged[bit // 8] ^= 1 << bit % 8
        files[suffix].write_bytes(damaged)
        said = []
        assert load(tmp_path, log=said.append).step == 1 and "going back to step 1" in said[0], (suffix, bit)
        files[suffix].write_bytes(whole[suffix])
    assert load(tmp_path).step == 2
    record_property("figure", f"row 8: {len(chosen):,} of {len(bits):,} bits flipped, one at a time: all fallen back, "
                    "loudly, 0 silent")


def test_renamed_and_mixed_up_files_are_refused(two):
    (two / "step-00000002.json").rename(two / "step-00000003.json")
    with pytest.raises(CheckpointError, match="renamed or mixed up"):
        load(two / "step-00000003.json")


def test_a_json_cannot_point_outside_its_folder(tmp_path):
    path = save(tmp_path / "inner", small(1), step=1)
    about = json.loads(path.read_text())
    del about["sha256"]
    tensors = about["tensors"]["file"]
    (tmp_path / "inner" / tensors).rename(tmp_path / tensors)
    about["tensors"]["file"] = f"../{tensors}"
    rest = json.dumps(about)[1:].encode()
    path.write_bytes(b'{"sha256": "%s", %s' % (checkpoint.hashlib.sha256(rest).hexdigest().encode(), rest))
    with pytest.raises(CheckpointError, match="mixed up"):
        load(path)


# Kills, full disks


SAVER = textwrap.dedent("""
    import sys, numpy
    from minigrad.checkpoint import load, save
    folder, start = sys.argv[1], int(sys.argv[2])
    print("go", flush=True)
    for step in range(start, 10**6):
        save(folder, {"w": numpy.full(200_000, step, "f4"), "step": step}, step=step)
        print(step, flush=True)
""")


def test_a_kill_at_any_instant_costs_nothing_that_was_saved(tmp_path):
    rng, start = random.Random(2), 0
    for _ in range(6):
        process = subprocess.Popen([sys.executable, "-c", SAVER, str(tmp_path), str(start)], stdout=subprocess.PIPE)
        seen = [process.stdout.readline() for _ in range(rng.randrange(2, 12))]  # "go", and the steps that are saved
        time.sleep(rng.uniform(0.0, 0.005))
        process.send_signal(signal.SIGKILL)
        lines = seen[1:] + process.stdout.read().split()
        process.wait()
        process.stdout.close()
        found = load(tmp_path)  # a warning would be an error
        assert found.step >= int(lines[-1])
        assert (found.state["w"] == found.step).all() and found.state["step"] == found.step
        start = found.step + 1
    save(tmp_path, small(start), step=start)
    assert len(list(tmp_path.iterdir())) == 4  # strays of the killed are gone


def test_a_stop_at_every_call_leaves_the_old_or_the_new(two, monkeypatch):
    """As a kill, at every operation on files in turn, and without any chance to clean up."""
    class Killed(BaseException):
        pass

    calls = {"left": 0}

    def lethal(function):
        def wrapped(*args, **options):
            calls["left"] -= 1
            if calls["left"] == 0:
                calls["dead"] = True
            if calls["dead"]:
                raise Killed
            return function(*args, **options)
        return wrapped

    for name in ("replace", "fsync", "open", "listdir"):
        monkeypatch.setattr(os, name, lethal(getattr(os, name)))
    monkeypatch.setattr(checkpoint.Path, "unlink", lethal(checkpoint.Path.unlink))
    step = 2
    for survive in range(1, 60):
        step += 1
        calls.update(left=survive, dead=False)
        try:
            save(two, small(step), step=step)
            done = True
        except Killed:
            done = False
        calls.update(left=0, dead=False)
        found = load(two)
        assert same(found.state, small(found.step)) and found.step in ((step,) if done else (step, step - 1))
        step = found.step
        if done:
            break
    assert done and survive > 10 and len(list(two.iterdir())) == 4


def failing(*args):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("call, survive", [("fsync", 0), ("fsync", 2), ("replace", 0), ("replace", 1)])
def test_a_full_disk_leaves_the_old_checkpoint_and_no_stray_file(two, monkeypatch, call, survive):
    before, real, count = {p.name: p.read_bytes() for p in two.iterdir()}, getattr(os, call), [0]

    def limited(*args):
        count[0] += 1
        return (real if count[0] <= survive else failing)(*args)

    with monkeypatch.context() as patched:
        patched.setattr(os, call, limited)
        with pytest.raises(CheckpointError, match=r"cannot write \(No space left on device.*free some space") as error:
            save(two, small(3), step=3)
    assert str(two) in str(error.value)
    assert {p.name: p.read_bytes() for p in two.iterdir()} == before


def test_a_file_size_limit_leaves_the_old_checkpoint(tmp_path):
    save(tmp_path, small(1), step=1)
    before = sorted(os.listdir(tmp_path))
    code = textwrap.dedent("""
        import resource, sys, numpy
        from minigrad.checkpoint import save
        from minigrad.errors import CheckpointError
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            save(sys.argv[1], {"w": numpy.zeros(200_000)}, step=2)
        except CheckpointError as error:
            sys.exit(str(error))
    """)
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 1 and str(tmp_path) in done.stderr and "File too large" in done.stderr
    assert sorted(os.listdir(tmp_path)) == before and load(tmp_path).step == 1


def test_a_read_only_folder_says_so(two):
    code = textwrap.dedent("""
        import os, sys
        from minigrad.checkpoint import save
        from minigrad.errors import CheckpointError
        if os.geteuid() == 0:  # root may write everywhere
            os.setuid(65534)
        try:
            save(".", {"step": 3}, step=3)
        except CheckpointError as error:
            sys.exit(str(error))
    """)
    before = sorted(os.listdir(two))
    two.chmod(0o555)
    try:
        done = subprocess.run([sys.executable, "-c", code], cwd=two, capture_output=True, text=True)
    finally:
        two.chmod(0o755)
    assert done.returncode == 1 and "cannot write (Permission denied" in done.stderr, done.stderr
    assert sorted(os.listdir(two)) == before


def test_a_folder_that_cannot_be_says_so(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(CheckpointError, match="file.*cannot write"):
        save(tmp_path / "file" / "checkpoint", small(1), step=1)
    with pytest.raises(CheckpointError, match="cannot write"):
        save(tmp_path / "file", small(1), step=1)


def test_strays_of_a_killed_save_go_at_the_next(two):
    (two / ".step.123.tmp").write_bytes(b"half")
    (two / f"step-00000009-{'0' * 16}.safetensors").write_bytes(b"never committed")
    (two / "notes.txt").write_text("mine")
    save(two, small(3), step=3)
    assert sorted(p.suffix for p in two.iterdir()) == [".json"] * 2 + [".safetensors"] * 2 + [".txt"]


# Foreign and hostile files


def test_torch_save_files_are_refused_with_the_way_to_convert_them(tmp_path):
    plain, zipped = tmp_path / "old.pt", tmp_path / "model.pth"
    plain.write_bytes(pickle.dumps({"a": 1}))
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    for path in (plain, zipped):
        for reader in (load, load_safetensors):
            with pytest.raises(CheckpointError, match=rf"{path.name}.*safetensors\.torch\.save_file\(torch\.load\("):
                reader(path)


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    (tmp_path / "x.txt").write_text("hello")
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        load(tmp_path / "x.txt")
    with pytest.raises(CheckpointError, match="no safetensors file"):
        load_safetensors(tmp_path / "x.txt")
    with pytest.raises(CheckpointError, match="a folder"):
        load_safetensors(tmp_path)
    with pytest.raises(CheckpointError, match="not a regular file"):
        save_safetensors(tmp_path, {"a": mg.ones(1)})


def evil(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.mark.parametrize("content, message", [
    (b"", "no safetensors"),
    (b"\0" * 7, "no safetensors"),
    (evil({}, length=2**63), "header of"),
    (evil({}, length=2**22 + 1), "header of"),
    (evil(b"[" * 100_000), "header is damaged"),
    (evil(b"[]"), "header is damaged"),
    (evil(b'{"a": 1}'), "header is damaged"),
    (evil(b'{"a": {"dtype": "F32"}}'), "header is damaged"),
    (evil(b'{"a": %s, "a": %s}' % ((json.dumps(entry()).encode(),) * 2), b"\0" * 4), "twice"),
    (evil({"a": entry(shape=(2**40,), offsets=(0, 2**42))}), "cut off"),
    (evil({"a": entry(shape=(2**40,))}, b"\0" * 4), "in 4 bytes"),
    (evil({"a": entry(shape=(0, 2**61), offsets=(0, 0))}), "no array can have"),
    (evil({"a": entry(shape=(-1, -1))}, b"\0" * 4), "is damaged"),
    (evil({"a": entry(shape=(True,))}, b"\0" * 4), "is damaged"),
    (evil({"a": entry(shape=(1,) * 33)}, b"\0" * 4), "is damaged"),
    (evil({"a": entry(shape=(2**62,))}, b"\0" * 4), "is damaged"),
    (evil({"a": entry(offsets=(0, 4, 8))}, b"\0" * 4), "is damaged"),
    (evil({"a": entry(dtype="O")}, b"\0" * 4), "dtype 'O'"),
    (evil({"a": entry(dtype=["F32"])}, b"\0" * 4), "dtype"),
    (evil({"a": entry(), "b": entry()}, b"\0" * 4), "begins at 0"),
    (evil({"a": entry(offsets=(4, 8))}, b"\0" * 8), "begins at 4"),
    (evil({"a": entry()}, b"\0" * 5), "cut off or damaged"),
    (evil({"a": entry("BOOL", (2,), (0, 2))}, b"\1\2"), "bools"),
])
def test_hostile_safetensors_are_refused(tmp_path, content, message, contained):
    path = tmp_path / "evil.safetensors"
    path.write_bytes(content)
    with contained("safetensors"), pytest.raises(CheckpointError, match=message) as error:
        load_safetensors(path)
    assert str(path) in str(error.value) and len(str(error.value)) < len(str(path)) + 300


def test_mutated_safetensors_raise_nothing_but_our_error(tmp_path, timed, record_property):
    path = tmp_path / "w.safetensors"
    save_safetensors(path, network().state_dict())
    whole, rng, refused = path.read_bytes(), random.Random(3), 0
    for _ in range(FLIPS):
        damaged = bytearray(whole)
        for _ in range(rng.choice((1, 3))):
            damaged[rng.randrange(len(whole))] = rng.randrange(256)
        path.write_bytes(damaged[:rng.choice((len(damaged), rng.randrange(len(damaged))))])
        try:
            with timed:
                load_safetensors(path)  # without a checksum a changed value may pass
        except CheckpointError:
            refused += 1
    record_property("figure", f"row 9: {timed.count:,} mutants of safetensors: {refused:,} refused by CheckpointError, "
                    f"the others read, slowest {timed.slowest:.3f} s")


# Exchange with PyTorch and the safetensors library


def test_plain_weights_round_trip(tmp_path):
    path, model = tmp_path / "w.safetensors", network()
    save_safetensors(path, model.state_dict())
    save_safetensors(path, model.state_dict())
    assert same(load_safetensors(path), model.state_dict()) and os.listdir(tmp_path) == ["w.safetensors"]
    with pytest.raises(TypeError, match="cannot be a name"):
        save_safetensors(path, {"__metadata__": mg.ones(1)})
    with pytest.raises(TypeError, match="is a int"):
        save_safetensors(path, {"a": 1})


def test_the_safetensors_library_reads_what_we_write_and_the_reverse(tmp_path):
    library = pytest.importorskip("safetensors.numpy", reason="needs safetensors")
    arrays = {"c": np.arange(6.0).reshape(2, 3).T, "a": np.array([True]),
              "b": np.zeros((0, 2), "i4"), "d": np.array(1, "u1")}
    save_safetensors(tmp_path / "ours", arrays)
    theirs = library.load_file(tmp_path / "ours")
    assert theirs.keys() == arrays.keys() and all(same(arrays[name], theirs[name]) for name in arrays)
    library.save_file({**arrays, "c": arrays["c"].copy()}, tmp_path / "theirs", metadata={"format": "np"})
    found = load_safetensors(tmp_path / "theirs")
    assert found.keys() == arrays.keys() and all(same(arrays[name], found[name].numpy()) for name in arrays)


def test_weights_go_to_pytorch_and_back_by_name(tmp_path):
    torch = pytest.importorskip("torch", reason="needs PyTorch (pip install minigrad[peers])")
    exchange = pytest.importorskip("safetensors.torch", reason="needs safetensors")
    ours, path = network(), tmp_path / "w.safetensors"
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1))
    save_safetensors(path, ours.state_dict())
    theirs.load_state_dict(exchange.load_file(path))
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("f4")
    np.testing.assert_allclose(ours(mg.from_numpy(x)).detach().numpy(), theirs(torch.from_numpy(x)).detach().numpy(),
                               rtol=1e-5, atol=1e-6)
    other = network()
    exchange.save_file(theirs.state_dict(), path)
    other.load_state_dict(load_safetensors(path))
    back = load_safetensors(path)
    assert all(same(value, back[name]) for name, value in other.state_dict().items())
    exchange.save_file({"half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16)}, path)
    assert load_safetensors(path)["half"].tolist() == [1.5, -2.0]
