"""How good are the samples of a run? `python -m gans.measure RUN [--n N] [--seed S]`; docs/measures.md explains it."""

import sys

from gans.machinery.commandline import main
from gans.machinery.measure import main as measure

if __name__ == "__main__":
    sys.exit(main(measure))
