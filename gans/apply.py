"""What a run's generator makes of pictures of your own: `python -m gans.apply RUN FILE|FOLDER [--out DIR]`."""

import sys

from gans.machinery.commandline import main
from gans.machinery.translate import main as apply

if __name__ == "__main__":
    sys.exit(main(apply))
