"""The command line that every chapter shares: options, numbers that are refused in one line, the end of a process."""

import argparse
import os
import shlex
import shutil
import signal
import sys
import textwrap

from gans.machinery import folder
from minigrad.backend.device import cuda_is_available
from minigrad.errors import MinigradError

FREE = ("steps", "out", "resume", "check", "device", "anomaly", "capture", "uncaptured", "samples", "replay_step",
        "seeds", "ablation", "given", "command")
"""Options that may change when a run is resumed; all others shape what it computes, and must not."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message}\n")


def parser(name, doc, *, steps, batch=None, samples=False,
           capture="they stand in no function below @run.captured"):
    """The parser of `python -m gans.NAME`; the chapter adds what is its own. `doc` is the chapter's docstring.

    `steps` is a number, or, where it depends on other options, words that tell: the default is then None. `--help` has
    the docstring's first line and the commands in it; the prose is for those who open the file. `capture` is True, or
    why --capture is refused.
    """
    title, _, rest = doc.partition("\n")
    commands = "\n".join(line for line in rest.splitlines() if line.startswith("  python -m"))
    title = textwrap.fill(title, shutil.get_terminal_size().columns - 2)
    p = Parser(prog=f"python -m gans.{name}", usage="%(prog)s [options]",
               description=f"{title}\n\n{commands}" if commands else title,
               epilog=f"gans/{name}.py tells more.", formatter_class=argparse.RawDescriptionHelpFormatter)
    p.set_defaults(demo=name, uncaptured=None if capture is True else capture)
    p.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", metavar="NAME",
                   help="auto (the GPU if there is one), cpu, cuda")
    p.add_argument("--seed", type=at_least(0), default=1, metavar="N", help="of weights, noise and data order (1)")
    p.add_argument("--steps", type=at_least(1), default=steps if isinstance(steps, int) else None, metavar="N",
                   help=f"training steps ({steps})")
    if batch is not None:
        p.add_argument("--batch", type=at_least(1), default=batch, metavar="N", help=f"images a step ({batch})")
    p.add_argument("--out", type=_name, metavar="DIR", help="the run folder (runs/NAME, runs/NAME-2, ...)")
    p.add_argument("--resume", type=_name, nargs="?", const="auto", metavar="DIR",
                   help="go on with a run: the latest, or that in DIR")
    p.add_argument("--replay-step", type=at_least(1), metavar="N",
                   help="compute step N of that run again, show its losses and gradients, write nothing")
    p.add_argument("--check", action="store_true", help="PASS or FAIL lines for what it should reach")
    p.add_argument("--anomaly", action="store_true", help="stop at the first NaN or inf and name its line")
    p.add_argument("--capture", action="store_true", help="replay steps as compiled code: the same bits, sooner"
                   if capture is True else argparse.SUPPRESS)
    if samples:
        p.add_argument("--samples", type=at_least(1), metavar="N", help="write N samples to samples.npy, uint8")
    return p


def parse(p, argv):
    """The options of a command line. A run that is gone on with brings those that it was started with.

    `given` are the names of those that were asked for here and now; `command` is the command line without those that
    do not shape what is computed.
    """
    args = p.parse_args(argv)
    args.given, args.command = _given(p, argv), _command(p, args, argv)
    _refuse_together(args)
    if args.device == "cuda" and not cuda_is_available():
        p.error("argument --device: cuda: no GPU can be used here; use --device cpu, or install CuPy for your CUDA "
                "(pip install minigrad[cuda12] or [cuda13]) on a machine with an NVIDIA GPU")
    if args.resume or args.replay_step:
        where = folder.to_resume(args)
        saved = folder.read(where, args.demo)
        if args.resume and "steps" not in saved and "steps" not in args.given:
            say(f"{where}: was made by a version that did not note its number of steps; --steps says how many")
        kept = [name for name in vars(args) if name in saved and (name not in FREE or name == "steps")]
        p.set_defaults(**{name: saved[name] for name in kept})
        given, command, args = args.given, args.command, p.parse_args(argv)
        args.given, args.command = given, command
    return args


def _given(p, argv):
    """The names of the options that stand in argv."""
    absent = object()
    found = p.parse_args(argv, argparse.Namespace(**{action.dest: absent for action in p._actions}))
    return {action.dest for action in p._actions if getattr(found, action.dest, absent) is not absent}


def _command(p, args, argv):
    """The command line in its shortest form, without what may change when the run is resumed."""
    words, given = ["python", "-m", f"gans.{args.demo}"], _given(p, argv)
    for action in p._actions:
        value = getattr(args, action.dest, None)
        if action.dest not in given or action.dest in FREE and action.dest != "steps":
            continue
        if action.nargs == 0 and action.const == value:
            words.append(action.option_strings[0])
        elif action.nargs != 0 and (action.choices is None or value in action.choices):
            words += [action.option_strings[0], str(value)]
    return shlex.join(words)


def with_option(command, option, value):
    """A command line with an option of this value, whether or not it has one already.

    >>> with_option("python -m gans.mnist --seed 1 --batch 8", "--seed", 2)
    'python -m gans.mnist --seed 2 --batch 8'
    """
    words = shlex.split(command)
    at = words.index(option) if option in words else len(words)
    return shlex.join([*words[:3], option, str(value), *words[3:at], *words[at + 2:]])


def command_of(config, options):
    """The command line that gives a run of such a config.json, with what "auto" became among its options."""
    if "command" not in config:
        return "not known: an older version made the run"
    return with_option(config["command"], "--data", options["data"]) if "data" in options else config["command"]


def _refuse_together(args):
    """MinigradError for options that say nothing beside each other."""
    if args.resume and args.out:
        raise MinigradError(f"--out {args.out}: a run that is resumed stays in its folder; leave --out away")
    if args.capture and args.uncaptured:
        raise MinigradError(f"--capture: this chapter's steps cannot be captured, {args.uncaptured}; leave it away")
    if args.capture and args.anomaly:
        raise MinigradError("--capture: a captured step has no ops for --anomaly to look at; leave one of them away")
    for other in ("check", "samples", "steps", "out"):
        if args.replay_step and other in args.given:
            raise MinigradError(f"--{other}: has no effect beside --replay-step, which trains and writes nothing; "
                                "leave it away")


def only(args, names, holds, where):
    """MinigradError if one of the options `names` was asked for and has no effect, as `holds` is false.

    `where` says with what it would have one: "--recipe steady".
    """
    for name in names:
        if name in args.given and not holds:
            raise MinigradError(f"--{name.replace('_', '-')}: has no effect here, only with {where}; leave it away")


def _name(text):
    """A path from the command line, which an empty word is not."""
    if not text.strip():
        raise argparse.ArgumentTypeError("'' is no folder; name one, or leave the option away")
    return text


def at_least(least):
    """The type of an integer option."""
    def number(text):
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not an integer; give one of {least} or more") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is too small; give {least} or more")
        return value

    return number


positive = at_least(1)


def non_negative(text):
    """A finite number of 0 or more, from the command line."""
    try:
        value = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number; give one of 0 or more") from None
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{value:g} is out of range; give 0 or more")
    return value


def decay(text):
    """A number from 0 up to, and without, 1, from the command line: what is kept of an average at each step."""
    value = non_negative(text)
    if value >= 1:
        raise argparse.ArgumentTypeError(f"{value:g} is out of range; give 0 or more, and less than 1")
    return value


def say(line):
    """A line for the reader, at once."""
    try:
        print(line, flush=True)
    except OSError as error:
        raise type(error)(error.errno, error.strerror, "standard output") from error


def check_lines(results):
    """Print `PASS|FAIL name value threshold` for (name, value, test, threshold text); return the exit status."""
    failed = 0
    for name, value, passed, threshold in results:
        failed += not passed
        say(f"{'PASS' if passed else 'FAIL'} {name} {value:.4g} {threshold}")
    return 1 if failed else 0


def main(demo):
    """Run a chapter's `demo`: its own errors become one line and exit status 2, a full disk or a missing file too."""
    if signal.getsignal(signal.SIGINT) not in (signal.SIG_IGN, None):
        signal.signal(signal.SIGINT, signal.default_int_handler)  # until here, gans/__init__.py has another
    try:
        status = demo()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except (MinigradError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        print("interrupted: the training had not begun, and no run was made", file=sys.stderr)
        status = 130
    raise SystemExit(status)
