"""A run's folder from outside: what it is, which is meant, and a new one. Nothing is written but a new folder."""

import json
from pathlib import Path

from minigrad import checkpoint
from minigrad.errors import CheckpointError, MinigradError


def fresh(demo, out):
    """A folder for a new run: `out`, or the next free of runs/NAME, runs/NAME-2, ..."""
    if out is not None:
        folder = Path(out)
        if has_checkpoint(folder):
            raise MinigradError(f"{folder}: holds a run already; --resume {folder} goes on with it, or name another "
                                "folder")
        if folder.exists() and not folder.is_dir():
            raise MinigradError(f"{folder}: is a file; --out names a folder")
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    n = 1
    while True:
        folder = Path("runs") / (demo if n == 1 else f"{demo}-{n}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:  # another run's, or one that was begun this very moment
            n += 1


def to_resume(args):
    """The folder of the run that `--resume` or `--replay-step` means."""
    return Path(args.resume) if args.resume not in (None, "auto") else latest(args.demo)


def latest(demo):
    """The folder in runs/ of the demo's run that was saved last."""
    folders = [folder for folder in Path("runs").glob("*") if has_checkpoint(folder) and _demo(folder) == demo]
    if not folders:
        raise CheckpointError(f"runs/{demo}: no run of this demo has a checkpoint here; start one without --resume, or "
                              "name its folder")
    return max(folders, key=lambda folder: (folder / "checkpoint").stat().st_mtime)


def has_checkpoint(folder):
    """Whether a run in the folder has been saved."""
    return any((Path(folder) / "checkpoint").glob("step-*.json"))


def read(folder, demo=None, saved=True):
    """The config of the run in a folder: its options by name. `saved`: one that can be gone on with.

    CheckpointError, which says what the folder is instead: missing, a run's checkpoints, of another demo, of no demo,
    without a checkpoint, with a damaged config.json.
    """
    folder = Path(folder)
    if not folder.exists():
        raise CheckpointError(f"{folder}: there is no such folder; check the path of the run")
    whole = next((above for above in (folder, *folder.parents[:2]) if (above / "config.json").is_file()
                  or has_checkpoint(above)), None)
    if whole is None:
        raise CheckpointError(f"{folder}: is no run of a demo, as it holds no config.json; name the folder of one")
    if whole != folder:
        raise CheckpointError(f"{folder}: is a part of the run in {whole}; name that folder")
    if saved and not has_checkpoint(folder):
        raise CheckpointError(f"{folder}: the run ended before it was saved for the first time, so there is no "
                              "checkpoint to go on from; start it anew")
    config = _config(folder)
    if demo is not None and config["demo"] != demo:
        raise CheckpointError(f"{folder}: is a run of gans.{config['demo']}, not of gans.{demo}: python -m "
                              f"gans.{config['demo']} --resume {folder} goes on with it")
    return config


def _config(folder):
    """What config.json says; where there is none, what the checkpoint says, which holds the options, too."""
    path = folder / "config.json"
    if not path.exists():
        return checkpoint.load(folder / "checkpoint").state["config"]
    try:
        config = json.loads(path.read_text())
        if not isinstance(config["demo"], str):
            raise TypeError("it names no demo")
        return config
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise CheckpointError(f"{path}: is damaged ({type(error).__name__}: {str(error)[:60]}); delete it: the "
                              "checkpoint holds the options, too") from None


def _demo(folder):
    try:
        return _config(folder)["demo"]
    except (CheckpointError, OSError):
        return None
