"""The command line that every demo shares."""

import argparse


def parser(name, doc, *, steps, batch=None):
    """The parser of `python -m gans.NAME`; the demo adds what is its own. `doc` is the demo's docstring."""
    title, _, rest = doc.partition("\n")
    p = argparse.ArgumentParser(prog=f"python -m gans.{name}", description=title, epilog=rest,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.set_defaults(demo=name)
    p.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="auto: the GPU if there is one")
    p.add_argument("--seed", type=_at_least(0), default=1, help="of weights, noise and data order (1)")
    p.add_argument("--steps", type=_at_least(1), default=steps, help=f"training steps ({steps})")
    if batch is not None:
        p.add_argument("--batch", type=_at_least(1), default=batch, help=f"images a step ({batch})")
    p.add_argument("--out", metavar="DIR", help="the run folder (runs/NAME, runs/NAME-2, ...)")
    p.add_argument("--resume", nargs="?", const="auto", metavar="DIR",
                   help="go on with a run: the demo's latest, or that in DIR")
    p.add_argument("--replay-step", type=_at_least(1), metavar="N",
                   help="compute step N of that run again from the checkpoint before it, show its losses and "
                        "gradients, write nothing")
    p.add_argument("--check", action="store_true", help="PASS or FAIL lines for what it should reach")
    p.add_argument("--anomaly", action="store_true", help="stop at the first NaN or inf and name the line that made it")
    return p


def _at_least(least):
    def number(text):
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not an integer; give one of {least} or more") from None
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is too small; give {least} or more")
        return value

    return number


positive = _at_least(1)


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
