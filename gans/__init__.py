"""gans: the GANs of the books and papers, a file a chapter. `python -m gans` lists them; what they share is below
`gans/machinery/`.

    python -m gans.mnist                     train
    python -m gans.sample runs/mnist         samples of what was trained
    G = gans.load("runs/mnist")              the same generator in Python
    G = gans.hub.load("mnist-dcgan")         one that was trained before
"""

import os
import signal
import sys

from gans import hub  # noqa: F401


def load(run, device="cpu"):
    """The generator of a run's folder, averaged where the run averages, in evaluation mode.

    G.seed_shape is the shape of the noise of one sample, G.value_range what it puts out from black to white (see
    gans/machinery/samples.py). Of a run on pairs of pictures it takes such, (N, C, H, W), as G.given_shape tells.
    CheckpointError says what is wrong with a folder that is no run.
    """
    from gans.machinery import samples

    return samples.load(run, device)


def _quiet_interrupts():
    """As long as `python -m gans.NAME` imports what it needs, Ctrl-C ends it in one line."""
    def end(*_):
        os.write(2, b"interrupted: nothing had begun\n")
        os._exit(130)

    name = sys.orig_argv[sys.orig_argv.index("-m") + 1] if "-m" in sys.orig_argv[:-1] else ""
    if sys.argv[:1] == ["-m"] and name.partition(".")[0] == "gans" and (
            signal.getsignal(signal.SIGINT) is signal.default_int_handler):
        signal.signal(signal.SIGINT, end)  # until commandline.main


_quiet_interrupts()
