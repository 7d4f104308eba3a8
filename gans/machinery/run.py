"""A training run: its folder, its steps, its metrics, its checkpoints. What the demos share, so that each is a page.

A run folder holds config.json, metrics.csv, samples/*.png, losses.png, training.gif and checkpoint/. Noise and data
order are functions of (seed, name, step), so a resumed run goes on as if nothing had happened, to the last bit.
"""

import csv
import json
import math
import os
import platform
import signal
import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

import minigrad as mg
from gans.machinery import replay
from gans.machinery.pictures import plot_losses, save_gif, save_png, write_atomically
from minigrad import autograd, checkpoint
from minigrad.backend.device import cuda_is_available
from minigrad.errors import CheckpointError, MinigradError
from minigrad.random import stream

FREE = ("steps", "out", "resume", "check", "device", "anomaly", "samples", "replay_step", "seeds")
"""Options that may change when a run is resumed; all others shape what it computes, and must not."""


class Run:
    """One run of a demo. `args` is what the demo's command line gave.

    >>> # run = Run(args); run.keep(G=G, D=D, optimiser_d=..., optimiser_g=...)
    >>> # for step in run.steps(): ...; run.log(step, d=loss)
    >>> # run.finish(...)
    """

    def __init__(self, args, *, save_every=None, log_every=10, pictures=60):
        self.args, self.seed, self.log_every = args, args.seed, log_every
        self.resumed, self.replayed = None, args.replay_step
        if args.resume or self.replayed:
            self.folder = folder_to_resume(args)
        if self.replayed:
            made, self.resumed = replay.starting_point(self.folder, self.replayed, say)
            self._match(made.state["config"])
            args.steps, self.gradients = self.replayed, replay.Gradients()
        elif args.resume:
            self.resumed = checkpoint.load(self.folder / "checkpoint", log=say)
            self._match(self.resumed.state["config"])
        else:
            self.folder = fresh_folder(args.demo, args.out)
        device = args.device
        if device == "auto":
            device = "cuda" if cuda_is_available() else "cpu"
        self.device = mg.device(device)
        mg.ones(1, device=self.device)  # an unusable device fails here, before anything is written
        mg.manual_seed(args.seed)
        self.save_every = save_every or max(1, args.steps // 20)
        self.picture_every = max(1, args.steps // pictures)
        self.start = self.resumed.step if self.resumed else 0
        self.rows, self.parts, self.interrupted, self._order = [], {}, False, None
        if self.replayed:
            return
        (self.folder / "samples").mkdir(parents=True, exist_ok=True)
        config = {**self.config(), "python": platform.python_version(), "numpy": np.__version__,
                  "minigrad": mg.__version__, "machine": platform.machine(), "device": str(self.device)}
        write_atomically(self.folder / "config.json", lambda p: p.write_text(json.dumps(config, indent=2) + "\n"))

    def config(self):
        """The options that shape the run."""
        return {k: v for k, v in sorted(vars(self.args).items()) if k not in FREE}

    def _match(self, saved):
        for name, value in self.config().items():
            if name in saved and saved[name] != value:
                raise CheckpointError(f"{self.folder}: was made with --{name.replace('_', '-')} {saved[name]}, not "
                                      f"{value}; resume it with the options that it was started with")

    def keep(self, **parts):
        """Name what a checkpoint holds: modules, optimisers, EMAs. When resuming they take their saved state here."""
        self.parts = parts
        if self.resumed:
            for name, part in parts.items():
                part.load_state_dict(self.resumed.state["parts"][name])
            mg.set_rng_state(self.resumed.state["rng"])
        if self.replayed:
            say(f"replaying step {self.replayed} of {self.folder}, computed again from step {self.start + 1} on")
        elif self.resumed:
            self.rows = [row for row in read_rows(self.folder / "metrics.csv") if row["step"] <= self.start]
            say(f"resuming {self.folder} after step {self.start}")

    def save(self, step):
        """A checkpoint of all parts, at a step's end."""
        self.write_metrics()
        state = {"parts": {name: part.state_dict() for name, part in self.parts.items()}, "config": self.config(),
                 "rng": mg.get_rng_state(), "seed": self.seed, "last": self.rows[-1] if self.rows else {},
                 "versions": {"minigrad": mg.__version__, "numpy": np.__version__}}
        checkpoint.save(self.folder / "checkpoint", state, step=step)

    def steps(self):
        """The steps still to do, 1 for the first. Saves on the way; on Ctrl-C too, at the step's end, and exits 130."""
        before = signal.getsignal(signal.SIGINT) if on_main_thread() else None
        if before is not None:
            signal.signal(signal.SIGINT, self._interrupt)
        bar = tqdm(total=self.args.steps, initial=self.start, unit="step", mininterval=0.5,
                   disable=not sys.stderr.isatty())
        began = time.perf_counter()
        try:
            with autograd.detect_anomaly() if self.args.anomaly else mg.enable_grad():
                for step in range(self.start + 1, self.args.steps + 1):
                    if step == self.replayed:
                        self.gradients.watch(self.parts)
                    yield step
                    bar.update()
                    if self.replayed:
                        if step == self.replayed:
                            bar.close()
                            raise SystemExit(self._show_replay())
                        continue
                    if self.interrupted or step % self.save_every == 0 or step == self.args.steps:
                        self.save(step)
                    if self.interrupted:
                        bar.close()
                        say(f"interrupted: step {step} is saved; go on with python -m gans.{self.args.demo} --resume "
                            f"{self.folder}")
                        raise SystemExit(130)
        finally:
            bar.close()
            if before is not None:
                signal.signal(signal.SIGINT, before)
            self.seconds = time.perf_counter() - began

    def _show_replay(self):
        """Print the replayed step's losses and gradients; the exit status is 1 if it differs from the run's."""
        say("losses: " + "  ".join(f"{name} {value:.9g}" for name, value in self.rows[-1].items() if name != "step"))
        logged = read_rows(self.folder / "metrics.csv")
        lines, same = replay.compare(self.folder, self.replayed, self.rows, logged, self.parts)
        for line in [*lines, *self.gradients.table(self.parts)]:
            say(line)
        return 0 if same else 1

    def _interrupt(self, *_):
        if self.interrupted or self.replayed:  # the second time, or nothing to save: now
            raise KeyboardInterrupt
        self.interrupted = True

    def log(self, step, **values):
        """Note the losses of a step; every `log_every`th is kept. A loss that is no number ends the run by name."""
        if step % self.log_every and step not in (1, self.replayed):
            return
        row = {"step": step, **{name: float(value) for name, value in values.items()}}
        for name, value in row.items():
            if not math.isfinite(value):
                raise MinigradError(f"step {step}: the loss {name} became {value}; the run in {self.folder} stops "
                                    f"here. --resume {self.folder} --anomaly names the line that makes it")
        self.rows.append(row)

    def write_metrics(self):
        """metrics.csv with the rows so far."""
        def write(path):
            with open(path, "w", newline="") as file:
                writer = csv.DictWriter(file, list(self.rows[0]))
                writer.writeheader()
                writer.writerows(self.rows)

        if self.rows:
            write_atomically(self.folder / "metrics.csv", write)

    def metrics(self):
        """name -> list of the logged values."""
        return {name: [row[name] for row in self.rows] for name in (self.rows[0] if self.rows else ())}

    def picture_due(self, step):
        """Whether the step's samples belong in samples/ and in the GIF."""
        return not self.replayed and (step == 1 or step % self.picture_every == 0 or step == self.args.steps)

    def picture(self, step, image):
        """Keep a picture (H, W) or (H, W, 3), uint8, of the samples after a step."""
        save_png(self.folder / "samples" / f"step-{step:08d}.png", image)

    def noise(self, step, *shape, name="noise"):
        """N(0, 1) noise that is a function of (seed, name, step)."""
        return mg.tensor(stream(self.seed, name, step).standard_normal(shape, np.float32), device=self.device)

    def batch_order(self, step, n, batch):
        """The indices (batch,) of a step's images out of n: each epoch in an order of its own, the rest left out."""
        if batch > n:
            raise MinigradError(f"--batch {batch} is more than the {n} images there are; use {n} or fewer")
        epoch, k = divmod(step - 1, n // batch)
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, stream(self.seed, "order", epoch).permutation(n)
        return self._order[1][k * batch:(k + 1) * batch]

    def finish(self, title, ideals, note=""):
        """Write the plot and the GIF; return the paths of all that the run wrote."""
        self.write_metrics()
        paths = [self.folder / "config.json", self.folder / "metrics.csv"]
        if self.rows:
            paths.append(plot_losses(self.folder / "losses.png", title, self.metrics(), ideals, note))
        frames = sorted((self.folder / "samples").glob("step-*.png"))
        paths += [frames[-1]] if frames else []
        paths += [save_gif(self.folder / "training.gif", frames)] if frames else []
        return [*paths, self.folder / "checkpoint"]


def say(line):
    """A line for the reader, at once."""
    try:
        print(line, flush=True)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, "standard output") from error


def report_paths(paths, following):
    """How a demo ends: what it wrote, and what to try next."""
    say("wrote " + "\n      ".join(str(path) for path in paths))
    say(f"next: {following}")


def check_lines(results):
    """Print `PASS|FAIL name value threshold` for (name, value, test, threshold text); return the exit status."""
    failed = 0
    for name, value, passed, threshold in results:
        failed += not passed
        say(f"{'PASS' if passed else 'FAIL'} {name} {value:.4g} {threshold}")
    return 1 if failed else 0


def fresh_folder(demo, out):
    """The folder for a new run. ValueError where `--out` names one that a run is in."""
    if out is not None:
        folder = Path(out)
        if list((folder / "checkpoint").glob("*.json")):
            raise MinigradError(f"{folder}: holds a run already; --resume {folder} goes on with it, or name another "
                                "folder")
        return folder
    base = Path("runs")
    n = 1
    while (folder := base / (demo if n == 1 else f"{demo}-{n}")).exists():
        n += 1
    return folder


def parse(parser, argv):
    """The command line's options; a run that is gone on with brings those that it was started with."""
    args = parser.parse_args(argv)
    if args.resume or args.replay_step:
        path = folder_to_resume(args) / "config.json"
        try:
            saved = json.loads(path.read_text())
        except FileNotFoundError:
            return args  # what is missing is said where the checkpoint is read
        except ValueError as error:
            raise CheckpointError(f"{path}: is damaged ({error}); delete it, and give the run's options beside "
                                  "--resume") from None
        parser.set_defaults(**{name: saved[name] for name in vars(args) if name in saved and name not in FREE})
        args = parser.parse_args(argv)
    return args


def folder_to_resume(args):
    """The folder of the run that `--resume` or `--replay-step` means."""
    return Path(args.resume) if args.resume not in (None, "auto") else latest(args.demo)


def latest(demo):
    """The run folder of the demo that was saved last."""
    folders = [folder for folder in Path("runs").glob(f"{demo}*")
               if folder.name.partition("-")[0] == demo and (folder / "checkpoint").is_dir()]
    if not folders:
        raise CheckpointError(f"runs/{demo}: no run of this demo has a checkpoint here; start one without --resume, or "
                              "name its folder")
    return max(folders, key=lambda f: (f / "checkpoint").stat().st_mtime)


def read_rows(path):
    """The rows of a metrics.csv, numbers as numbers."""
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return [{k: int(v) if k == "step" else float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def on_main_thread():
    """Signal handlers can be set there only."""
    import threading

    return threading.current_thread() is threading.main_thread()


def main(demo):
    """Run a demo's `main`: its own errors become one line and exit status 2, a full disk or a missing file too."""
    try:
        status = demo()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except (MinigradError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        status = 2
    raise SystemExit(status)
