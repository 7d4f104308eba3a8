"""What no fault of the machine may cost a demo: its determinism, its last save, a plain word about what is wrong.

MINIGRAD_KILLS is the number of kill -9 in the quick form (2 if it is not set); -m slow has 40 of 1010, 30 of MNIST, 10
of each other demo.
"""

import contextlib
import functools
import importlib
import json
import mmap
import os
import random
import re
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from gans.__main__ import CHAPTERS
from gans.machinery import judge, replay, run
from minigrad import checkpoint

HOME = str(Path(replay.__file__).parents[2])
DRIVER = textwrap.dedent("""
    # A demo, on few random images instead of digits, or few drawn faces, that tells through a mapped file its step, and
    # whether it saves.
    import importlib, mmap, os, sys
    import numpy as np
    from gans.machinery import attributes, commandline, imagesets, judge, run

    note, name, *options = sys.argv[1:]
    images = np.random.default_rng(0).integers(0, 256, (640, 28, 28), np.uint8)
    module = importlib.import_module(f"gans.{name}")
    imagesets.load_digits = lambda data, split="train", log=print: (images, np.arange(640) % 10, "640 random images")
    imagesets.DRAWN = {"train": (0, 64), "test": (1, 20)}
    judge.EPOCHS, attributes.STEPS, attributes.DRAWN = 1, 3, 64
    if note != "-":
        with open(note, "r+b") as file:
            told = mmap.mmap(file.fileno(), 16)
        save, steps = run.Run.save, run.Run.steps

        def watched_save(self, step):
            told[8:] = (1).to_bytes(8, "little")
            save(self, step)
            told[8:] = bytes(8)

        def watched_steps(self, *to):
            for step in steps(self, *to):
                told[:8] = step.to_bytes(8, "little")
                yield step

        run.Run.save, run.Run.steps = watched_save, watched_steps
    limit = os.environ.get("LIMIT")
    if limit:
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    commandline.main(lambda: module.demo(options))
""")
SMALL = {"face": ["--data", "synthetic-faces", "--size", "16", "--batch", "8"],  # options
         "dcgan": ["--data", "synthetic-faces", "--size", "16", "--width", "2", "--batch", "8"],
         "progan": ["--size", "16", "--width", "2", "--batch", "8", "--phase", "12"],
         "latent": ["--batch", "4", "--known", "150"], "inspect": ["--batch", "4", "--known", "90"],
         "pix2pix": ["--data", "colour", "--size", "16", "--width", "4", "--batch", "8"],
         "cyclegan": ["--size", "16", "--width", "2", "--batch", "4"]}


def has_batches(name):
    """Whether a demo has the option --batch."""
    return re.search(r"= parser\([^)]*\bbatch=", (Path(HOME) / "gans" / f"{name}.py").read_text()) is not None


KILLED = {"pattern1010": (["--steps", "3000"], 1000)} | {  # options, save interval
    name: ([*SMALL.get(name, ["--batch", "16"] if has_batches(name) else []), "--steps", "60"], 3)
    for name in CHAPTERS if name != "pattern1010"}
KILLS = {"pattern1010": 40, "mnist": 30}


@pytest.fixture
def environment(tmp_path):
    os.makedirs(tmp_path / "cache", exist_ok=True)
    return {**os.environ, "PYTHONPATH": HOME, "MINIGRAD_CACHE": str(tmp_path / "cache"),
            "MPLCONFIGDIR": str(tmp_path / "cache")}


def command(*arguments):
    return [sys.executable, "-c", DRIVER, *map(str, arguments)]


def ended(folder):
    """(SHA-256 of all that was trained, metrics.csv) of a finished run."""
    return replay.digest(checkpoint.load(folder / "checkpoint").state["parts"]), (folder / "metrics.csv").read_bytes()


def hidden(folder):
    """Files that are not there for the user."""
    return [str(path) for path in folder.rglob("*") if path.name.startswith(".") or path.name.endswith(".tmp")]


# The same numbers every time


OPTIONS = {"mnist": [["--recipe", "steady"], ["--recipe", "book"], ["--from-the-start"]],
           "wgan": [["--recipe", "penalty"], ["--recipe", "clip"], ["--recipe", "plain"]],
           "sgan": [[], ["--minibatch-discrimination"]],
           "gaussian": [["--variant", "batch"], ["--variant", "moments"], ["--variant", "row"]],
           "modes": [["--loss", "ns"], ["--loss", "ebgan"], ["--collapse", "--minibatch-discrimination"]],
           "face": [["--data", "synthetic-faces", "--size", "16"]],
           "dcgan": [["--data", "synthetic", "--width", "4"],
                     ["--data", "synthetic-faces", "--size", "16", "--width", "4"]],
           "progan": [["--size", "16", "--width", "2", "--phase", "3"]],
           "pix2pix": [["--data", "colour", "--size", "16", "--width", "4"]],
           "cyclegan": [["--size", "16", "--width", "2", "--pool", "8"]]}
EVERY = [(name, options) for name in CHAPTERS for options in OPTIONS.get(name, [[]])]
NAMED = [pytest.param(name, options, id=" ".join([name, *options])) for name, options in EVERY]
FIRST = [case if case.values[1] is OPTIONS.get(case.values[0], [case.values[1]])[0] else
         pytest.param(*case.values, id=case.id, marks=pytest.mark.slow) for case in NAMED]  # one a chapter, unless slow


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A function of a demo's name and options that trains on little, in this process, and stops after the training."""
    images = np.random.default_rng(0).integers(0, 256, (640, 28, 28), np.uint8)
    digits = images, np.arange(640) % 10, "640 random images"
    monkeypatch.setattr("gans.machinery.imagesets.load_digits", lambda *_, **__: digits)
    monkeypatch.setattr("gans.machinery.imagesets.DRAWN", {"train": (0, 64), "test": (1, 20)})
    still = judge.Judge().eval()  # which has learnt nothing
    monkeypatch.setattr("gans.machinery.judge.cached_judge", lambda *_, **__: still)
    monkeypatch.setattr("gans.machinery.run.Run.finish", lambda *_: sys.exit(0))
    monkeypatch.setattr(os, "fsync", lambda _: None)  # most of the time of a run this short

    def train(name, *options):
        with pytest.raises(SystemExit):
            importlib.import_module(f"gans.{name}").demo([*map(str, options)])

    return train


def small(name, options):
    """The options of a demo with which it is over soon."""
    return [*options, "--batch", "4"] if has_batches(name) else options


@pytest.mark.parametrize("name, options", FIRST)
def test_a_demo_trains_to_the_same_bits_every_time(tmp_path, trained, name, options):
    for k in range(2):
        trained(name, *small(name, options), "--steps", 8, "--out", tmp_path / str(k))
    assert ended(tmp_path / "0") == ended(tmp_path / "1")


@pytest.mark.slow
@pytest.mark.parametrize("name, options", NAMED)
def test_three_runs_of_200_steps_end_with_the_same_digest(tmp_path, environment, record_property, name, options):
    digests = set()
    for k in range(3):
        subprocess.run(command("-", name, *options, "--steps", 200, "--out", tmp_path / str(k)), check=True,
                       env={**environment, "PYTHONHASHSEED": str(k)}, stdout=subprocess.DEVNULL)
        digests.add(ended(tmp_path / str(k)))
    assert len(digests) == 1
    record_property("figure", f"row 5: 3 runs of 200 steps of gans.{' '.join([name, *options])}: SHA-256 "
                    f"{digests.pop()[0][:16]} each")


# Resuming


@contextlib.contextmanager
def stopped_after(step):
    """Inside, a run gets Ctrl-C in this step."""
    after = run.Run._after

    def stopping(self, now, *how):
        self.interrupted = now == step
        after(self, now, *how)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run.Run, "_after", stopping)
        yield


@pytest.mark.parametrize("name, options", FIRST)
def test_a_demo_that_stopped_goes_on_in_another_folder_as_if_it_never_had(tmp_path, trained, monkeypatch, name,
                                                                            options):
    trained(name, *small(name, options), "--steps", 9, "--out", tmp_path / "whole")
    monkeypatch.chdir(tmp_path)
    with stopped_after(5):
        trained(name, *small(name, options), "--steps", 9, "--out", "begun")
    Path("elsewhere").mkdir()
    shutil.move("begun", "elsewhere/moved")
    trained(name, "--resume", "elsewhere/moved")
    assert ended(tmp_path / "elsewhere/moved") == ended(tmp_path / "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "whole"]


@pytest.mark.parametrize("name, options", FIRST)
def test_a_demo_that_was_killed_between_two_saves_ends_as_if_nothing_had_been(tmp_path, trained, monkeypatch, name,
                                                                                options):
    steps, killed = (2100, 1500) if name == "pattern1010" else (40, 25)
    options, after = [*small(name, options), "--steps", steps], run.Run._after
    monkeypatch.setattr(run.Run, "picture_due", lambda *_: False)
    trained(name, *options, "--out", tmp_path / "whole")

    def dies(self, step, *rest):
        after(self, step, *rest)
        if step == killed:
            sys.exit()

    with monkeypatch.context() as patch:
        patch.setattr(run.Run, "_after", dies)
        trained(name, *options, "--out", tmp_path / "killed")
    assert checkpoint.load(tmp_path / "killed" / "checkpoint").step < killed
    trained(name, "--resume", tmp_path / "killed")
    assert ended(tmp_path / "killed") == ended(tmp_path / "whole")


def as_before_there_was_a_log(folder):
    """Make of a run what 0.1.0 left: no log, and neither the number of steps nor the images' shape in its options."""
    (folder / "log.jsonl").unlink()
    found = checkpoint.load(folder / "checkpoint")
    options = {name: value for name, value in found.state["config"].items() if name not in ("steps", "shape")}
    state = {name: value for name, value in found.state.items() if name not in ("phases", "shown")}
    shutil.rmtree(folder / "checkpoint")
    checkpoint.save(folder / "checkpoint", state | {"config": options, "last": {}}, step=found.step)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({name: value for name, value in config.items()
                                                    if name not in ("steps", "shape")}))


OLD = [(name, options) for name, options in EVERY if name in ("pattern1010", "mnist", "cgan", "face", "dcgan")]


@pytest.mark.parametrize("name, options", OLD, ids=[" ".join([name, *options]) for name, options in OLD])
def test_a_run_of_0_1_0_goes_on_to_the_same_bits(tmp_path, trained, name, options):
    trained(name, *small(name, options), "--steps", 9, "--out", tmp_path / "whole")
    with stopped_after(5):
        trained(name, *small(name, options), "--steps", 9, "--out", tmp_path / "old")
    as_before_there_was_a_log(tmp_path / "old")
    trained(name, "--resume", tmp_path / "old", "--steps", 9)
    assert ended(tmp_path / "old")[0] == ended(tmp_path / "whole")[0]


# Kills


def killed_run(folder, environment, name, told, rng, inside):
    """Start or resume the run in `folder`, and kill it at a random instant, or in a save.

    Returns (step, whether in a save), or None if it came to its end before.
    """
    options = KILLED[name][0]
    saved = (folder / "checkpoint").is_dir() and any((folder / "checkpoint").glob("*.json"))
    if not saved:
        shutil.rmtree(folder, ignore_errors=True)
    told[:] = bytes(16)
    where = ["--resume", folder] if saved else ["--out", folder]
    process = subprocess.Popen(command(told.path, name, *options, *where), env=environment, stdout=subprocess.DEVNULL)
    while process.poll() is None and not any(told[:8]):
        time.sleep(0.001)
    if inside:
        for _ in range(rng.randrange(3)):  # not always the first save
            while process.poll() is None and not told[8]:
                pass
            while process.poll() is None and told[8]:
                pass
        while process.poll() is None and not told[8]:
            pass
        time.sleep(rng.uniform(0.0, 0.004))
    else:
        time.sleep(rng.uniform(0.0, 1.5))
    process.kill()
    if process.wait() != -9:
        return None
    return int.from_bytes(told[:8], "little"), bool(told[8])


class Told(mmap.mmap):
    """16 bytes that a demo writes: the step it is at, and whether it is saving."""


@pytest.fixture
def told(tmp_path):
    path = tmp_path / "told"
    path.write_bytes(bytes(16))
    with open(path, "r+b") as file:
        memory = Told(file.fileno(), 16)
    memory.path = path
    yield memory
    memory.close()


@pytest.mark.parametrize("name, kills", [("pattern1010", int(os.environ.get("MINIGRAD_KILLS", 2))),
                                         *[pytest.param(name, KILLS.get(name, 10), marks=pytest.mark.slow,
                                                        id=f"{name}-all") for name in CHAPTERS]])
def test_kill_9_costs_no_more_than_one_save_interval_and_no_bit(tmp_path, environment, told, record_property, name,
                                                                kills):
    options, interval = KILLED[name]
    subprocess.run(command("-", name, *options, "--out", tmp_path / "whole"), check=True, env=environment,
                   stdout=subprocess.DEVNULL)
    expected, rng = ended(tmp_path / "whole"), random.Random(kills)
    done = in_saves = finished = most = 0
    while done < kills or not finished:
        folder = tmp_path / f"killed-{finished}"
        found = killed_run(folder, environment, name, told, rng, inside=done % 2 == 0) if done < kills else None
        if found is None:
            if not any((folder / "checkpoint").glob("*.json")):
                shutil.rmtree(folder, ignore_errors=True)
            go_on = ["--resume", folder] if folder.exists() else ["--out", folder]
            subprocess.run(command("-", name, *options, *go_on), check=True, env=environment, stdout=subprocess.DEVNULL)
            assert ended(folder) == expected and not hidden(folder)
            finished += 1
            continue
        step, in_save = found
        done, in_saves = done + 1, in_saves + in_save
        left = list((folder / "checkpoint").glob("*.json"))
        kept = checkpoint.load(folder / "checkpoint").step if left else 0  # a damaged one would warn, an error here
        most = max(most, step - kept)
        assert 0 <= step - kept <= interval
    record_property("figure", f"row 6: {done} kills of gans.{name}, {in_saves} inside a save, in {finished} run(s): "
                    f"each ended with the uninterrupted one's SHA-256 and metrics; at most {most} steps computed "
                    f"again (save interval {interval})")
    assert in_saves >= (10 if kills >= 30 else 0)


# Full disks


HALVES = {"pattern1010": (1000, 2000), "dcgan": (3, 6)}  # steps of a run that is begun, and when it is at its end


def go_on(name, *options):
    """The demo in this process, as small as in the driver."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gans.machinery.imagesets.DRAWN", {"train": (0, 64), "test": (1, 20)})
        importlib.import_module(f"gans.{name}").demo([*SMALL.get(name, []), *map(str, options)])


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A function of a demo's name: (folder of a run that is half done, what an uninterrupted one ends with)."""
    @functools.cache
    def halves(name):
        folder, (half, end) = tmp_path_factory.mktemp("run"), HALVES[name]
        go_on(name, "--steps", half, "--out", folder / "r")
        shutil.copytree(folder / "r", folder / "whole")
        go_on(name, "--steps", end, "--resume", folder / "whole")
        return folder / "r", ended(folder / "whole")

    return halves


def refused_for_want_of_room(name, folder, environment, says, limit=""):
    """Resume the run in `folder`, which must fail in one line, lose nothing, and go on when it can."""
    before, end = replay.digest(checkpoint.load(folder / "checkpoint").state["parts"]), HALVES[name][1]
    done = subprocess.run(command("-", name, "--steps", end, "--resume", folder), capture_output=True,
                          text=True, env={**environment, "LIMIT": str(limit)})
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    said = [line for line in done.stderr.splitlines() if "font_manager cache" not in line]  # which is matplotlib's
    assert len(said) == 1 and str(folder) in said[0] and says in said[0], done.stderr
    found = checkpoint.load(folder / "checkpoint")  # a damaged one would be a warning, an error here
    assert found.step == end or replay.digest(found.state["parts"]) == before
    assert not hidden(folder)
    return found.step


LIMITS = [  # bytes, too few for: config.json, arrays, JSON, metrics.csv, losses.png
    ("pattern1010", [1200, 8000]), pytest.param("pattern1010", [100, 600, 1200, 8000, 30_000], marks=pytest.mark.slow),
    # config.json, a picture, another, arrays
    ("dcgan", [30_000]), pytest.param("dcgan", [100, 1000, 2500, 30_000, 100_000], marks=pytest.mark.slow)]


@pytest.mark.parametrize("name, limits", LIMITS)
def test_a_file_size_limit_loses_nothing(tmp_path, environment, begun, name, limits, record_property):
    for limit in limits:
        shutil.copytree(begun(name)[0], tmp_path / str(limit))
        refused_for_want_of_room(name, tmp_path / str(limit), environment, "File too large", limit)
        go_on(name, "--steps", HALVES[name][1], "--resume", tmp_path / str(limit))
        assert ended(tmp_path / str(limit)) == begun(name)[1]
    record_property("figure", f"row 7: gans.{name}, file-size limits {limits}: exit status 2, one line with the path, "
                    "old checkpoint intact, no stray file, and the run then ends as if nothing had been")


def mounted(folder, pages):
    """A small file system in memory at `folder`, where this process may mount one."""
    folder.mkdir()
    return shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={pages * 4096}", "none", folder], capture_output=True).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("name, room", [*(("pattern1010", room) for room in (0, 1, 2, 3, 4, 5, 6, 8, 12)),
                                        *(("dcgan", room) for room in (0, 3, 20, 30))])
def test_a_full_disk_loses_nothing(tmp_path, environment, begun, name, room, record_property):
    disk = tmp_path / "disk"
    if not mounted(disk, 256):
        pytest.skip("needs the right to mount a tmpfs")
    try:
        shutil.copytree(begun(name)[0], disk / "r")
        with open(disk / "filler", "wb") as file:
            free = os.statvfs(disk).f_bavail
            file.write(bytes(4096 * (free - room)))
        step = refused_for_want_of_room(name, disk / "r", environment, "No space left on device")
        (disk / "filler").unlink()
        go_on(name, "--steps", HALVES[name][1], "--resume", disk / "r")
        assert ended(disk / "r") == begun(name)[1]
    finally:
        subprocess.run(["umount", disk], check=True)
    record_property("figure", f"row 7: gans.{name}, a disk with {room} free blocks: exit status 2, one line with the "
                    f"path, checkpoint of step {step} whole, no stray file; the run then ends as if nothing had been")


@pytest.mark.parametrize("name", HALVES)
def test_a_read_only_folder_loses_nothing(tmp_path, environment, begun, name, record_property):
    disk = tmp_path / "disk"
    root = os.geteuid() == 0  # may write everywhere, but on a read-only file system
    if root and not mounted(disk, 256):
        pytest.skip("root needs the right to mount a read-only tmpfs")
    folder = disk / "r"
    shutil.copytree(begun(name)[0], folder)
    paths = [folder, *folder.rglob("*")]
    try:
        if root:
            subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        for path in () if root else paths:
            path.chmod(0o555 if path.is_dir() else 0o444)
        refused_for_want_of_room(name, folder, environment, "Read-only file system" if root else "Permission denied")
        for path in () if root else paths:
            path.chmod(0o755 if path.is_dir() else 0o644)
        if root:
            subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        go_on(name, "--steps", HALVES[name][1], "--resume", folder)
        assert ended(folder) == begun(name)[1]
    finally:
        if root:
            subprocess.run(["umount", disk], check=True)
    record_property("figure", f"row 7: gans.{name}, a read-only folder: exit status 2, one line with the path, nothing "
                    "changed")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_output_to_a_full_disk_is_said(tmp_path, environment):
    with open("/dev/full", "w") as full:
        done = subprocess.run(command("-", "pattern1010", "--steps", "5", "--out", tmp_path / "r"), env=environment,
                              stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2 and "No space left on device: 'standard output'" in done.stderr
    assert checkpoint.load(tmp_path / "r" / "checkpoint").step == 5 and not hidden(tmp_path / "r")

