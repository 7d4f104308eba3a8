"""Property-test any gradient, your own ops' included.

    import numpy
    from minigrad.testing import check_grad
    check_grad(my_op, numpy.random.randn(3, 4))              # first and second derivative against differences

`check_properties` needs no differencing, `check_contracts` looks at types, memory and layouts, `check_all` runs all.
From the command line: `python -m minigrad.testing my_module:my_op --shapes "3,4 4"` prints a table.
`strategies` are hypothesis strategies (imported only there), `registry` the table of cases for the package's own ops,
`machine` a state machine that compares whole random programs with a scalar engine, `faults` a set of planted errors.
"""

from minigrad.testing.contracts import CONTRACTS, Skipped, check_contracts
from minigrad.testing.gradcheck import (
    GradientMismatch,
    Nondifferentiable,
    check_differentiable,
    check_grad,
    check_grad_complex_step,
)
from minigrad.testing.properties import (
    PROPERTIES,
    Violation,
    check_adjoint,
    check_hessian,
    check_linear,
    check_needs,
    check_properties,
    check_same_with_graph,
)

__all__ = [
    "CONTRACTS",
    "GradientMismatch",
    "Nondifferentiable",
    "PROPERTIES",
    "Skipped",
    "Violation",
    "check_adjoint",
    "check_all",
    "check_contracts",
    "check_differentiable",
    "check_grad",
    "check_grad_complex_step",
    "check_hessian",
    "check_linear",
    "check_needs",
    "check_properties",
    "check_same_with_graph",
]


def check_all(f, *arrays, order=2, seed=0, edges=True):
    """check_grad, then all properties and contracts; with order=1 only what asks for no second derivative."""
    check_grad(f, *arrays, order=order, seed=seed)
    if order > 1:
        check_properties(f, *arrays, seed=seed)
    return check_contracts(f, *arrays, seed=seed, edges=edges)
