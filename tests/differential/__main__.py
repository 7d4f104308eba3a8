"""Random programs, here and in PyTorch: `python -m tests.differential --programs 100000 --processes 2`.

A program is written from its number, line by line: functions, methods, operators, indexing, assignments, modules,
losses, optimisers, hooks, first and second derivatives, at all dtypes, of inputs with no axes, no elements, or any
strides. Both libraries run it; values, shapes, dtypes, gradients, errors and what changes in place are compared after
each line. What differs on purpose is a row of `deliberate.py` (and of docs/from-pytorch.md); anything else is printed,
grouped by cause, with the shortest program that shows it, and makes the exit status 1. `--show N` prints program N and
its differences. A function is covered by one line in `tables/`, a module or optimiser by one in `modules.py`.
"""

import argparse
import sys


def main(arguments=None):
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__.splitlines()[0])
    parser.add_argument("--programs", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument("--first", type=int, default=0, help="the number of the first one (default 0)")
    parser.add_argument("--processes", type=int, default=1, help="how many run at a time (default 1)")
    parser.add_argument("--show", type=int, metavar="N", help="print program N and its differences")
    options = parser.parse_args(arguments)
    if options.show is not None:
        return show(options.show)
    from tests.differential.campaign import campaign

    findings = campaign(range(options.first, options.first + options.programs), options.processes,
                        lambda text: print(text, file=sys.stderr))
    print(findings)
    return 1 if findings.causes else 0


def show(number):
    """Print one program, the lines that differ, and the shortest program of each difference without a reason."""
    from tests.differential.program import HEADER, Program

    program = Program.written(number)
    print(HEADER + str(program))
    for difference in program.differences():
        print(f"\n{difference.line.text}\n  {difference.kind}: {difference.detail}")
        if difference.reason:
            print(f"  on purpose: {difference.reason.title}")
        else:
            print("".join(f"    {line.text}\n" for line in program.shrunk(difference).lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
