"""Where a benchmark keeps what it found: in the files of --json and --plot, and nowhere unless they are given."""

import json
from pathlib import Path


def options(parser, plot=False):
    """Give a parser --json FILE and, for a benchmark that draws, --plot FILE."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    if plot:
        parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw them there")


def keep(args, figures, draw=None):
    """Write what was asked for: `figures`, anything that JSON can say, and the picture of draw(), a Figure."""
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(figures, indent=2) + "\n")
    if draw and args.plot:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        args.plot.parent.mkdir(parents=True, exist_ok=True)
        FigureCanvasAgg(draw()).print_figure(args.plot, dpi=110)
