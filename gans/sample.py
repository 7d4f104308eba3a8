"""Samples of a finished or interrupted run: `python -m gans.sample RUN [--n 64] [--seed N] [--out FILE]`."""

import sys

from gans.machinery.commandline import main
from gans.machinery.samples import main as sample

if __name__ == "__main__":
    sys.exit(main(sample))
