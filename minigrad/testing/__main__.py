"""`python -m minigrad.testing my_module:my_op`: check your own op; `--faults` and `--hunt`: see `testing.faults`."""

import argparse
import importlib
import importlib.util
import inspect
import os
import sys

import numpy

from minigrad.graph import Op
from minigrad.testing import CONTRACTS, PROPERTIES, GradientMismatch, Nondifferentiable, Skipped, Violation, check_grad


def parse(arguments):
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m minigrad.testing", description=__doc__)
    parser.add_argument("target", nargs="?", help="module:function or module:OpClass, of tensors to a tensor")
    parser.add_argument("--shapes", help='one shape an input, "3,4 4 ()"; 2,3 for each input if left out')
    parser.add_argument("--low", type=float, default=-2.0, help="smallest input value (default -2)")
    parser.add_argument("--high", type=float, default=2.0, help="largest input value (default 2)")
    parser.add_argument(
        "--order", type=int, default=2, choices=(1, 2), help="how many derivatives to check (default 2)"
    )
    parser.add_argument("--examples", type=int, default=5, help="random inputs to try (default 5)")
    parser.add_argument("--seed", type=int, help="where the random numbers start (default 0; for --hunt: a new one)")
    parser.add_argument(
        "--faults", action="store_true", help="plant every known wrong rule and print how many are noticed"
    )
    parser.add_argument("--hunt", action="store_true", help="plant one wrong rule at random, for you to find")
    parser.add_argument("--reveal", action="store_true", help="with --hunt: tell at once")
    options = parser.parse_args(arguments)
    if not (options.target or options.faults or options.hunt):
        parser.error("name an op as module:name, or ask for --faults or --hunt")
    return options


def find(target):
    """The function that `module:name` stands for; an Op class becomes a function that makes and calls one."""
    module, _, name = target.partition(":")
    sys.path.insert(0, os.getcwd())
    try:
        found = importlib.import_module(module)
        for part in (name or module.rpartition(".")[2]).split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise SystemExit(f"{target}: {error}; give module:name of something that can be imported from here") from None
    return found


def as_function(found):
    """(function of tensors, number of its inputs)."""
    if isinstance(found, type) and issubclass(found, Op):
        def apply(*xs):
            return found()(*xs)

        apply.__name__ = apply.__qualname__ = found.__name__
        return apply, _inputs(found.forward) - 1
    return found, _inputs(found)


def _inputs(f):
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return 1
    needed = [p for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return max(len(needed), 1)


def shapes_of(text):
    """'3,4 4 ()' as [(3, 4), (4,), ()]."""
    try:
        return [() if part == "()" else tuple(int(n) for n in part.split(",")) for part in text.split()]
    except ValueError:
        raise SystemExit(
            f'--shapes {text!r}: write sizes with commas and shapes with blanks, such as "3,4 4 ()"'
        ) from None


def check(f, shapes, low, high, order, examples, seed):
    """{check's name: (PASS, FAIL, SKIP or KINK; detail)} over random inputs."""
    named = {"gradient": lambda f, *a, seed: check_grad(f, *a, order=1, seed=seed)}
    if order > 1:
        named["gradient of the gradient"] = lambda f, *a, seed: check_grad(f, *a, order=2, seed=seed)
    second = ("<v, Ju> = <J'v, u>", "Hessian symmetric", "same gradient with create_graph")
    named.update({name: c for name, c in PROPERTIES.items() if order > 1 or name not in second})
    named.update(CONTRACTS)
    results = {}
    for name, one in named.items():
        results[name] = "PASS", ""
        for example in range(examples):
            rng = numpy.random.default_rng([seed, example])
            try:
                one(f, *[numpy.asarray(rng.uniform(low, high, shape)) for shape in shapes], seed=seed + example)
            except Nondifferentiable as error:
                results[name] = "KINK", str(error)
            except Skipped as reason:
                results[name] = "SKIP", str(reason)
            except (GradientMismatch, Violation) as error:
                results[name] = "FAIL", str(error)
            except Exception as error:  # whatever the user's own op raises
                results[name] = "FAIL", f"{type(error).__name__}: {error}"
            if results[name][0] == "FAIL":
                break
    return results


def report(results):
    """Print the table, then the first failure in full; returns the exit status."""
    width = max(map(len, results))
    for name, (verdict, detail) in results.items():
        line = detail.splitlines()[0] if detail else ""
        print(f"{verdict}  {name:<{width}}  {line[:110]}".rstrip())
    failed = [detail for verdict, detail in results.values() if verdict == "FAIL"]
    print(f"{sum(v == 'PASS' for v, _ in results.values())} of {len(results)} checks passed")
    if failed:
        print(f"\n{failed[0]}")
    return 1 if failed else 0


def all_faults():
    """The module of faults, with those of the demos where these are installed."""
    from minigrad.testing import faults

    if importlib.util.find_spec("gans"):
        importlib.import_module("gans.machinery.faults")
    return faults


def score():
    """Plant every fault in turn, print what noticed it; the exit status is 1 if one went unnoticed."""
    faults = all_faults()
    broken = {name: said for name, one in faults.checks().items() if (said := faults.run(one))}
    if broken:
        print(f"the checks fail without any fault: {broken}")
        return 1
    noticed = 0
    for fault in faults.FAULTS:
        found = faults.rejected_by(fault)
        noticed += found is not None
        print(
            f"{'rejected' if found else 'MISSED  '}  {fault.name:<24}  {fault.what}"
            + (f"  [{found[0]}]" if found else "")
        )
    print(f"{noticed} of {len(faults.FAULTS)} wrong rules rejected")
    return 0 if noticed == len(faults.FAULTS) else 1


def hunt(seed, reveal, ask=input):
    """Plant one fault, show what it breaks, and let the learner name the place."""
    faults = all_faults()
    seed = int(numpy.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
    fault = faults.FAULTS[seed % len(faults.FAULTS)]
    print(f"A wrong rule was planted (hunt number {seed}). What the checks say:")
    with fault.planted():
        said = {name: text for name, one in faults.checks().items() if (text := faults.run(one))}
    for name, text in list(said.items())[:6]:
        print(f"  {name}: {text[:200]}")
    print(f"  ({len(said)} of {len(faults.checks())} checks fail)")
    answers = {
        fault.target.__name__.rpartition(".")[2].lower(),
        fault.attribute.lower(),
        fault.name,
        fault.place.lower(),
    }
    while not reveal:
        try:
            guess = ask("Which class or function is wrong? (a name, or 'reveal') ").strip().lower()
        except EOFError:
            print(f"To see the answer: python -m minigrad.testing --hunt --seed {seed} --reveal")
            return 0
        if guess in answers - {"backward", "forward"}:
            print("Found.")
            break
        reveal = guess == "reveal"
        if not reveal:
            print("Not there; look at what the failing checks have in common.")
    print(f"{fault.name}: {fault.what} ({fault.place})")
    return 0


def main(arguments=None):
    """Run the command line; returns the exit status."""
    options = parse(arguments)
    if options.faults:
        return score()
    if options.hunt:
        return hunt(options.seed, options.reveal)
    f, count = as_function(find(options.target))
    shapes = shapes_of(options.shapes) if options.shapes else [(2, 3)] * count
    return report(check(f, shapes, options.low, options.high, options.order, options.examples, options.seed or 0))


if __name__ == "__main__":
    sys.exit(main())
