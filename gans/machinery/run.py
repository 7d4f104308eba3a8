"""A training run: its folder, its steps, its log, its checkpoints. What the chapters share, so that each is a page.

A run folder holds config.json, log.jsonl and metrics.csv, samples/*.png, losses.png, training.gif and checkpoint/.
Noise and data order are functions of (seed, name, step), so a resumed run goes on as if nothing had happened, to the
last bit.
"""

import json
import math
import platform
import signal
import threading
import time
from argparse import Namespace
from datetime import UTC, datetime
from math import prod

import numpy as np

import minigrad as mg
from gans.machinery import folder, log, memory, monitor, replay, report, samples, watch
from gans.machinery.commandline import FREE, check_lines, say, with_option
from gans.machinery.pictures import save_gif, save_png, write_atomically
from gans.machinery.plots import caption, drawn, plot_losses
from gans.machinery.progress import Progress, duration
from minigrad import autograd, checkpoint
from minigrad.backend.device import cuda_is_available
from minigrad.data.files import Lock
from minigrad.errors import CheckpointError, MinigradError
from minigrad.random import stream

LOG_EVERY, WATCH_EVERY = 10, 50  # steps between two rows of losses, and of what costs a little more
PICTURES = 60  # of a whole run
COMPARED = 64  # real images whose figures stand beside those of samples
REMEMBERED = 16  # samples that the next ones of the same seeds are compared with


class Run:
    """One run of a chapter, whose folder is nobody else's until the `with` block ends. `args` are its options.

    >>> # with Run(args, "the losses of D and G", LN2) as run:
    >>> #     run.keep(G=G, D=D, average=average, optimiser_d=optimiser_d, optimiser_g=optimiser_g)
    >>> #     for step in run.steps():
    >>> #         ...
    >>> #         run.log(step, d_real=d_real, d_fake=d_fake, g=g, logits=(on_real, on_fake))
    >>> #         run.look(step, average.model)
    >>> #     run.finish(average.model)
    >>> #     return run.end([(name, value, value >= 0.9, ">=0.9")], "python -m gans.mnist")

    `title` stands over losses.png, and the `ideals`, {label: loss}, are lines in it. There are a few more than
    `pictures` of a whole run.
    """

    def __init__(self, args, title="losses", ideals=(), *, save_every=None, pictures=None):
        self.args, self.seed, self.title, self.ideals = args, args.seed, title, dict(ideals)
        self.replayed, self.resumed, self.begun = args.replay_step, None, False
        self.device = mg.device(args.device if args.device != "auto" else "cuda" if cuda_is_available() else "cpu")
        mg.ones(1, device=self.device)  # an unusable device fails here, before anything is written
        self.folder = folder.to_resume(args) if args.resume or self.replayed else folder.fresh(args.demo, args.out)
        self.history, self.lock = log.Log(), Lock(self.folder)
        try:
            self._find_out()
        except BaseException:
            self.close()
            raise
        mg.manual_seed(args.seed)
        self.start = self.step = self.resumed.step if self.resumed else 0
        self.save_every = save_every or max(1, args.steps // 20)
        self.picture_every = max(1, args.steps // (pictures or PICTURES))
        self.parts, self.phases, self.paths, self.seconds, self.interrupted = {}, [], [], 0.0, False
        self.progress = self.updates = self.pictures = self.shown = self.monitor = self._order = None
        self.captures = []  # captured steps
        if self.replayed:
            self.begun = True
            say(f"replaying step {self.replayed} of {self.folder}, computed again from step {self.start + 1} on")
        elif not self.resumed:
            self._begin()

    # The folder

    def _find_out(self):
        """What is in the folder, and whether it fits. Nothing is written yet."""
        if self.replayed:
            made, self.resumed = replay.starting_point(self.folder, self.replayed, say)
            self._match(made.state["config"])
            self.args.steps = self.replayed
            return
        if not self.lock.take():
            raise MinigradError(f"{self.folder}: another process is training there; wait until it has ended, or give "
                                "--out another folder")
        if self.args.resume:
            self.resumed = checkpoint.load(self.folder / "checkpoint", log=say)
            self._match(self.resumed.state["config"])
            log.found(self.folder)
            if self.args.steps < self.resumed.step:
                raise CheckpointError(f"{self.folder}: has done {self.resumed.step} steps already, more than --steps "
                                      f"{self.args.steps}; give a larger number")

    def _match(self, saved):
        for name, value in self.config().items():
            if name in saved and saved[name] != value and name not in FREE:
                raise CheckpointError(f"{self.folder}: was made with --{name.replace('_', '-')} {saved[name]}, not "
                                      f"{value}; resume it with the options that it was started with")

    def config(self):
        """The options that shape the run, and its length, as JSON has them."""
        shaping = {name: value for name, value in sorted(vars(self.args).items()) if name not in FREE}
        return json.loads(json.dumps(shaping | {"steps": self.args.steps}))

    def _begin(self):
        """Write what a run begins with; when it is resumed, once its parts have been found to fit."""
        self.begun = True
        self.history = log.Log(self.folder / log.NAME)
        if self.resumed:
            self.history.go_on(self.start)
            say(f"resuming {self.folder} after step {self.start}" if self.start < self.args.steps else
                f"{self.folder} has done all of its {self.start} steps; --steps N trains on")
        else:
            self.history.begin()
        self.monitor = monitor.read(self.history.rows())
        self.history.told = self._judge
        (self.folder / "samples").mkdir(parents=True, exist_ok=True)
        for step, frame in self.frames().items():  # of steps that are done again
            if step > self.start or not self.resumed:
                frame.unlink()
        versions = {"python": platform.python_version(), "numpy": np.__version__, "minigrad": mg.__version__}
        config = {**self.config(), **self._command(), **versions, "machine": platform.machine(),
                  "device": str(self.device)}
        write_atomically(self.folder / "config.json", lambda p: p.write_text(json.dumps(config, indent=2) + "\n"))
        self.history.write(self.start, event="resumed" if self.resumed else "started", steps=self.args.steps,
                           device=str(self.device), **versions, time=datetime.now(UTC).isoformat(timespec="seconds"),
                           ideals=self.ideals)

    def _judge(self, row):
        """Have the monitor see a row of the log; what it finds goes into the log, too, and is said at once."""
        for verdict in self.monitor.feed(row):
            self.history.write(row["step"], **verdict)
            (self.progress.say if self.progress else say)(monitor.line({"step": row["step"], **verdict}))

    def _command(self):
        """{"command": the command line that the run was started with}, or {} where that is not known."""
        if not self.resumed:
            return {"command": self.args.command} if "command" in self.args else {}
        command = folder.read(self.folder).get("command")
        if command and "steps" in vars(self.args).get("given", ()):
            command = with_option(command, "--steps", self.args.steps)
        return {"command": command} if command else {}

    def frames(self):
        """{step: path} of the pictures that there are."""
        found = {path.stem.removeprefix("step-"): path for path in (self.folder / "samples").glob("step-*.png")}
        return {int(step): found[step] for step in sorted(found) if step.isdecimal()}

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.close()
        if kind is KeyboardInterrupt:
            say(f"interrupted; go on with python -m gans.{self.args.demo} --resume {self.folder}"
                if folder.has_checkpoint(self.folder) else
                f"interrupted before the first save; {self.folder} holds no more than the beginning")
            raise SystemExit(130) from None

    def close(self):
        """Let go of the folder."""
        self.history.close()
        self.lock.release()

    # The training

    def phase(self, name):
        """From here on the run is in a phase, with parts of its own: `keep` those, then take its `steps(to=...)`.

        A resumed run passes through the phases that it has done: `keep` restores nothing there, and there are no steps,
        until the phase comes in which it was saved.
        """
        self.phases, self.parts = [*self.phases, name], {}
        if self.begun and name not in self.history.phases():
            self.history.write(self.step, event="phase", name=name)

    def keep(self, **parts):
        """Name what a checkpoint holds: modules, optimisers, EMAs. When resuming they take their saved state here."""
        self.parts, self.updates = parts, watch.Updates(parts)
        if self.resumed and self.resumed.state.get("phases", []) == self.phases:
            self._restore(parts)
        if self.begun:
            self.history.write(self.step, event="parts", **watch.anatomy(parts))

    def _restore(self, parts):
        saved = self.resumed.state
        try:
            for name, part in parts.items():
                part.load_state_dict(saved["parts"][name])
        except (KeyError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{self.folder}: what was saved does not fit this demo ({name}: {error}); it was "
                                  "made by another version, or its files were mixed up: start anew") from error
        mg.set_rng_state(saved["rng"])
        self.shown = saved.get("shown")
        if not self.begun:
            self._begin()

    def save(self, step):
        """A checkpoint of all parts, at a step's end."""
        self.history.sync()
        self.history.write_table(self.folder / "metrics.csv")
        state = {"parts": {name: part.state_dict() for name, part in self.parts.items()}, "config": self.config(),
                 "rng": mg.get_rng_state(), "seed": self.seed, "phases": self.phases, "shown": self.shown,
                 "versions": {"minigrad": mg.__version__, "numpy": np.__version__}}
        checkpoint.save(self.folder / "checkpoint", state, step=step)

    def steps(self, to=None):
        """The steps still to do, 1 for the first, up to `to` or the last. Saves on the way.

        On Ctrl-C it saves at the step's end, too, draws what there is, and exits 130.
        """
        last = self.args.steps if to is None else min(to, self.args.steps)
        if self.step >= last:
            return
        if not self.begun:
            raise CheckpointError(f"{self.folder}: was saved in the phase {self.resumed.state.get('phases')}, which "
                                  "this demo does not have; start anew")
        handler = signal.getsignal(signal.SIGINT) if threading.current_thread() is threading.main_thread() else None
        if handler is not None:
            signal.signal(signal.SIGINT, self._interrupt)
        self.progress, began = Progress(self.step, self.args.steps), time.perf_counter()
        self.spent = [0.0, 0]  # seconds in how many of the latest steps
        try:
            with autograd.detect_anomaly() if self.args.anomaly else mg.enable_grad():
                for step in range(self.step + 1, last + 1):
                    watched = self._watched(step)
                    if watched:
                        self.updates.begin()
                    self.drew, since = False, time.perf_counter()
                    yield step
                    self._after(step, watched, time.perf_counter() - since)
        finally:
            self.updates.end()
            self.progress.close()
            if handler is not None:
                signal.signal(signal.SIGINT, handler)
            self.seconds += time.perf_counter() - began

    def _watched(self, step):
        return step % WATCH_EVERY == 0 or step in (1, self.replayed)

    def _after(self, step, watched, seconds):
        """What is to be done at the end of a step."""
        self.step = step
        self.progress.update()
        if not self.drew:
            self.spent = [self.spent[0] + seconds, self.spent[1] + 1]
        if watched:
            self.history.write(step, **self.updates.end(), machine=self._machine())
        if step == self.replayed:
            self.progress.close()
            raise SystemExit(replay.report(self, say))
        if self.replayed:
            return
        if self.interrupted or step % self.save_every == 0 or step == self.args.steps:
            self.save(step)
        if self.interrupted:
            self.progress.close()
            self.history.write(step, event="interrupted")
            self.illustrate()
            say(self.monitor.summary())
            self.paths.append(report.write(self.folder))
            say(f"interrupted: step {step} of {self.args.steps} is saved; go on with python -m gans.{self.args.demo} "
                f"--resume {self.folder}")
            raise SystemExit(130)

    def _machine(self):
        """Milliseconds of a step since the last time, without those that drew; MiB in use."""
        (seconds, steps), self.spent = self.spent, [0.0, 0]
        row = {"ms": 1000 * seconds / steps} if steps else {}
        row["host MiB"] = memory.resident()
        return row | ({"device MiB": memory.on_device()} if self.device.type == "cuda" else {})

    def _interrupt(self, *_):
        if self.interrupted or self.replayed:  # the second time, or nothing to save: now
            raise KeyboardInterrupt
        self.interrupted = True

    def captured(self, learn):
        """The decorated function of tensors, a step's updates; with --capture, one that replays them as compiled code.

        Steps in which the updates are watched are done as they are: what is watched happens between them.
        """
        if not self.args.capture:
            return learn
        if self.device.type == "cuda":
            raise MinigradError("--capture: steps are captured on the CPU only; leave it away, or give --device cpu")
        captured = mg.capture(learn)
        self.captures.append(captured)
        return lambda *tensors: (learn if self._watched(self.step + 1) else captured)(*tensors)

    # What is noted on the way

    @property
    def rows(self):
        """The log as a table: a dict a step."""
        return self.history.table()

    def log(self, step, *, logits=None, probabilities=None, scores=None, images=None, **losses):
        """Note the losses of a step, scalars; every tenth step's are kept. One that is no number ends the run by name.

        For those who watch the run: what D answers to (real, generated) images as `logits`, `probabilities`, or
        `scores` without a scale, and the `images` (real, generated) themselves.
        """
        if step % LOG_EVERY and step not in (1, self.replayed):
            return
        row = {"loss": {name: self._finite(step, name, value) for name, value in losses.items()}} if losses else {}
        for kind, pair in (("logits", logits), ("probabilities", probabilities), ("scores", scores)):
            if pair is not None:
                row["D"] = watch.answers(kind, *pair)
        if images is not None and self._watched(step):
            row |= {name: watch.pixels(batch) for name, batch in zip(("real", "fake"), images)}
        if row:
            self.history.write(step, **row)
        if losses and self.progress:
            self.progress.note(row["loss"])

    def _finite(self, step, name, value):
        if getattr(value, "shape", ()) != ():
            raise MinigradError(f"step {step}: the loss {name} has the shape {tuple(value.shape)}; give its mean")
        value = float(value)
        if not math.isfinite(value):
            self.history.write(step, event="stopped", name=name, value=str(value))
            raise MinigradError(f"step {step}: the loss {name} became {value}; the run in {self.folder} stops here. "
                                f"--resume {self.folder} --anomaly names the line that makes it")
        return value

    def measure(self, step, **values):
        """Note figures of a step, numbers, as "measure.NAME" in metrics.csv."""
        self.history.write(step, measure={name: float(value) for name, value in values.items()})

    def measured(self):
        """{name: value} of the figures that were noted, the latest of each."""
        return {name.removeprefix("measure."): value for row in self.rows for name, value in row.items()
                if name.startswith("measure.")}

    def picture_due(self, step):
        """Whether the step's samples belong in samples/ and in the GIF."""
        return not self.replayed and (step == 1 or step % self.picture_every == 0 or step == self.args.steps)

    def picture(self, step, image):
        """Keep a picture (H, W) or (H, W, 3), uint8, of how things are after a step."""
        self.drew = True
        save_png(self.folder / "samples" / f"step-{step:08d}.png", image)

    def plot(self, step, draw, size=(5, 5), **panels):
        """Keep what `draw(axes)` draws, so many inches large, as the step's picture, if one is due.

        `panels`: rows and columns of axes.
        """
        if self.picture_due(step):
            self.picture(step, drawn(draw, size, **panels))

    def look(self, step, G, D=None):
        """Keep a picture of samples of G, always of the same seeds, if one is due, and note figures of them.

        `D`: note, too, what it answers to images that it has learnt from, to others, and to the samples.
        """
        if self.picture_due(step):
            self.show(step, G, D)

    def show(self, step, G, D=None):
        """The same, due or not."""
        if self.replayed or not self.begun:
            return
        picture, images, inputs = samples.sheet(G, self.seed)
        self.picture(step, picture)
        row = watch.describe(images, G.classes or 1)
        if self.shown is not None:
            row["moved"] = watch.distance(images[:REMEMBERED], self.shown)
        row["two modes"] = watch.two_modes(G, inputs)
        if G.classes:
            row["by label"] = watch.by_label(images, G.classes)
        self.shown = images[:REMEMBERED].copy()
        if D is not None and self.pictures is not None:
            row |= {f"D on {name}": value for name, value in self._confidence(D, G, images, inputs).items()}
        self.history.write(step, look=row)

    def _confidence(self, D, G, images, inputs):
        """What D answers, on average, to images that it learns from, to others of the kind, and to samples.

        Where it is given labels, also to images under labels that are not theirs.
        """
        known = self.pictures
        groups = {"learnt": (known.train, known.labels), "held out": (known.held_out, known.held_out_labels)}
        if G.classes:
            groups["mislabelled"] = known.train, (known.labels + 1) % G.classes
        many = max(COMPARED, min(4 * COMPARED, 2**20 // prod(G.image_shape)))  # means of more, where images are small
        asked = {name: samples.shown(G, these[:many], labels, self.device)
                 for name, (these, labels) in groups.items()}
        asked["samples"] = samples.shown(G, images.reshape(-1, *G.image_shape), None, self.device) + inputs[1:]
        return watch.confidence(D, asked)

    # What a step needs

    def noise(self, step, *shape, name="noise"):
        """N(0, 1) noise that is a function of (seed, name, step)."""
        return mg.tensor(stream(self.seed, name, step).standard_normal(shape, np.float32), device=self.device)

    def uniform(self, step, *shape, name="noise"):
        """Uniform noise in 0..1, the same."""
        return mg.tensor(stream(self.seed, name, step).random(shape, np.float32), device=self.device)

    def batch(self, step, pictures, like):
        """The step's real images in the form in which the generator `like` makes its own."""
        if self.pictures is None:
            self.pictures = pictures
            if self.begun and not self.resumed:
                self.history.write(0, event="reals", **watch.describe(pictures.held_out[:COMPARED]))
        chosen = self.batch_order(step, len(pictures.train), self.args.batch)
        return mg.tensor(samples.as_real(pictures.train[chosen], like), device=self.device)

    def batch_order(self, step, n, batch):
        """The indices (batch,) of a step's images out of n: each epoch in an order of its own, the rest left out."""
        if batch > n:
            raise MinigradError(f"--batch {batch} is more than the {n} images there are; use {n} or fewer")
        epoch, k = divmod(step - 1, n // batch)
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, stream(self.seed, "order", epoch).permutation(n)
        return self._order[1][k * batch:(k + 1) * batch]

    # The end

    def losses(self):
        """{name: (steps, values)} of all that was logged as a loss."""
        return self.history.columns()

    def illustrate(self):
        """metrics.csv, the plot of the losses, and the GIF, of what there is so far."""
        self.history.write_table(self.folder / "metrics.csv")
        self.paths = [self.folder / "config.json", self.folder / log.NAME, self.folder / "metrics.csv"]
        if losses := self.losses():
            self.paths.append(plot_losses(self.folder / "losses.png", self.title, losses, self.ideals))
        if frames := list(self.frames().values()):
            self.paths += [frames[-1], save_gif(self.folder / "training.gif", frames)]
        self.paths.append(self.folder / "checkpoint")

    def finish(self, G=None):
        """After the last step: draw everything, say what the losses did, and write `--samples` of G."""
        if self.step > self.start:
            many = f" of {self.args.batch}" if "batch" in self.args else ""
            replays = sum(captured.replays for captured in self.captures)
            say(f"{self.step - self.start:,} steps{many} in {duration(self.seconds)}" +
                f", {replays:,} replays" * bool(self.captures))
        self.illustrate()
        if losses := self.losses():
            say(caption(losses, self.ideals))
        if n := getattr(self.args, "samples", None):
            made = {"samples": samples.generate(G, n, seed=self.seed)}
            if G.classes:
                made["labels"] = np.arange(n) % G.classes
            for name, array in made.items():
                self.paths.append(write_atomically(self.folder / f"{name}.npy", lambda p, a=array: np.save(p, a)))

    def end(self, results, following):
        """With `--check`, PASS and FAIL lines; what the monitor saw, what was written, what to try next.

        Returns the exit status.
        """
        self.history.write_table(self.folder / "metrics.csv")  # with what was measured since
        self.history.write(self.step, event="finished")
        status = 0
        if self.args.check:
            results = list(results)  # some chapters find them out only now
            for name, value, passed, threshold in results:
                self.history.write(self.step, event="checked", name=name, value=float(value), passed=bool(passed),
                                   threshold=threshold)
            status = check_lines(results)
        say(self.monitor.summary())
        self.paths.append(report.write(self.folder))
        say("wrote " + "\n      ".join(str(path) for path in self.paths))
        say(f"next: {following}")
        return status


def beside(run, name, changes, **options):
    """A run in the folder `name` below a run's own, of the same options but for `changes`, for its check.

    One that is there already, from a check before, is gone on with: it has no steps left to do.
    """
    where = run.folder / name
    place = {"out": None, "resume": where} if folder.has_checkpoint(where) else {"out": where, "resume": None}
    if "command" in run.args and "seed" in changes:
        place["command"] = with_option(run.args.command, "--seed", changes["seed"])
    other = Run(Namespace(**vars(run.args) | changes | place), run.title, run.ideals, **options)
    other.picture_every = other.args.steps  # the first and the last
    return other


def other_seeds(run, count, **options):
    """Runs of the `count` seeds after a run's own, one after another, each in a folder below the run's."""
    for seed in range(run.seed + 1, run.seed + 1 + count):
        with beside(run, f"seed-{seed}", {"seed": seed}, **options) as other:
            yield other
