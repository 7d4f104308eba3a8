"""How far a training is: a bar on a terminal; else, in a file or a pipe, a line now and then."""

import contextlib
import sys
import time

from tqdm import tqdm

from gans.machinery.commandline import say

SECONDS = 10  # between two lines; the first comes after as many


class Progress:
    """Told of every step by `update`, and of losses by `note`, whenever there are new ones.

    `unit`: what else a step is; a bar of such, which are of less interest, goes when it is full.
    """

    def __init__(self, done, whole, unit="step"):
        self.first, self.done, self.whole, self.unit, self.losses = done, done, whole, unit, {}
        self.bar = tqdm(total=whole, initial=done, unit=unit, mininterval=0.5,
                        leave=unit == "step") if sys.stderr.isatty() else None
        self.began = self.told = time.perf_counter()

    def note(self, losses):
        """{name: value} of the losses as they are now."""
        self.losses = losses
        if self.bar is not None:
            self.bar.set_postfix(losses, refresh=False)

    def update(self):
        """Another step is done."""
        self.done += 1
        if self.bar is not None:
            self.bar.update()
        elif time.perf_counter() - self.told >= SECONDS:
            self.told = time.perf_counter()
            say(self.line(self.told - self.began))

    def line(self, seconds):
        """Step, losses, speed, time left, after so many seconds."""
        rate = (self.done - self.first) / seconds
        losses = " ".join(f"{name} {value:.3g}" for name, value in self.losses.items())
        return (f"{self.unit} {self.done:,} of {self.whole:,}{', ' if losses else ''}{losses}, {rate:,.3g} "
                f"{self.unit}s/s, {duration((self.whole - self.done) / rate)} left")

    def say(self, line):
        """A line of something else, above the bar where there is one."""
        say(line) if self.bar is None else self.bar.write(line)

    def close(self):
        """No more steps."""
        if self.bar is not None:
            self.bar.close()


@contextlib.contextmanager
def telling(what):
    """Say what is about to take a while, and afterwards how long it took."""
    say(f"{what} ...")
    began = time.perf_counter()
    yield
    say(f"... which took {duration(time.perf_counter() - began)}")


def duration(seconds):
    """Seconds in words.

    >>> duration(7.4), duration(200), duration(9000)
    ('7 s', '3 min 20 s', '2 h 30 min')
    """
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
