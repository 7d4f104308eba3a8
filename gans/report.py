"""A run on one page, report.html in its folder: `python -m gans.report RUN`, after a kill, too."""

import sys

from gans.machinery.commandline import main
from gans.machinery.report import main as report

if __name__ == "__main__":
    sys.exit(main(report))
