"""Wrong rules on purpose: small errors of the kind that autograd engines really have, and checks that must find each.

A fault replaces one attribute of a class or module while it is planted. `rejected_by` runs the quick checks meanwhile,
the likeliest first, and tells which of them noticed. `python -m minigrad.testing --faults` prints the score;
`--hunt` plants one for you to find. A family of faults is a file here, with the checks that must notice them, and is
found by itself; the checks of ops come from the registry.
"""

import importlib
import pkgutil

import numpy

from minigrad.testing import registry
from minigrad.testing.faults.checks import check_case
from minigrad.testing.faults.fault import CHECKS, FAULTS, Fault, check, wrong

__all__ = ["CHECKS", "FAULTS", "Fault", "check", "checks", "in_order", "rejected_by", "run", "wrong"]

for family in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{family.name}")


def checks():
    """All quick checks, name -> function without arguments."""
    return CHECKS | {f"case {c.name}": (lambda c=c: check_case(c)) for c in registry.load()}


def in_order(fault, names):
    """Names of checks, those that look at the fault's place first."""
    near = [f"case {c.name}" for c in registry.load() if c.op is fault.target]
    first = [name for name in (*fault.first, *near) if name in names]
    return [*first, *(name for name in names if name not in first)]


def run(check):
    """None, or what the check has to say, in one line. Whatever it raises counts."""
    try:
        with numpy.errstate(all="ignore"):
            check()
    except Exception as error:  # a fault may show as any error at all
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return None


def rejected_by(fault):
    """(name of the first check that notices the planted fault, what it says), or None if all are content."""
    every = checks()
    with fault.planted():
        for name in in_order(fault, every):
            said = run(every[name])
            if said:
                return name, said
    return None
