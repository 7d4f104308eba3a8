"""What goes on in a run, in words, with what to try: `python -m gans.monitor RUN`, while it trains or afterwards."""

import sys

from gans.machinery.commandline import main
from gans.machinery.monitor import main as monitor

if __name__ == "__main__":
    sys.exit(main(monitor))
