"""The demos' training steps on the CPU, on a GPU through CuPy, and by PyTorch on the same GPU where that is there.

  python -m bench.gpu [--cases mnist-conv dcgan-64] [--rounds 5] [--json FILE]

All begin with the same weights, and their losses must agree before anything is timed. They take turns; a figure is the
median of the turns. Reading the losses at each step waits for the GPU, as a training that logs them does. Memory is
what CuPy's pool holds at the end of a case: all that its steps ever needed at once.
"""

import argparse
import statistics
import sys
import time

import numpy as np

import minigrad
from bench.keeping import keep, options
from bench.peers import set_weights
from bench.steps import CASES
from minigrad import cuda


def start(torch, case, device):
    """The step function of a case with its networks and data on a device."""
    networks, step = CASES[case].make(torch, lambda a: torch.tensor(np.asarray(a, np.float32)).to(device))
    set_weights(torch, networks)
    for network in networks:
        network.to(device)
    return step


def losses(step, first, count):
    """The losses of `count` steps from the first on, as numbers: all that was asked of the device is done then."""
    return [[loss.item() for loss in step(i)] for i in range(first, first + count)]


def compare(case, rounds, torch=None):
    """Check, then time, one case; a dict of figures, times in ms a step."""
    cuda.empty_cache()
    steps = {"cpu": start(minigrad, case, "cpu"), "gpu": start(minigrad, case, "cuda")}
    if torch is not None:
        steps["torch"] = start(torch, case, "cuda")
    checked, count = CASES[case].checked, CASES[case].steps
    found = {name: losses(step, 0, checked) for name, step in steps.items()}
    for name, values in found.items():
        # PyTorch multiplies convolutions with ten bits of mantissa (TF32) unless told otherwise.
        if not np.allclose(found["cpu"], values, rtol=5e-2 if name == "torch" else 1e-3, atol=1e-3):
            raise SystemExit(f"{case}: the losses differ, so nothing is timed:\ncpu {found['cpu']}\n{name} {values}")
    times = {name: [] for name in steps}
    for k in range(rounds):
        for name, step in steps.items():
            few = max(1, count // 8) if name == "cpu" else count
            began = time.perf_counter()
            losses(step, checked + k * count, few)
            times[name].append((time.perf_counter() - began) / few * 1e3)
    return {"case": case, "gpu_mib": cuda.max_memory_allocated() / 2**20,
            **{f"{name}_ms": statistics.median(values) for name, values in times.items()}}


def main(argv=None):
    """Time the cases, print a table, keep the figures in a file if one is given."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu", description=__doc__.split("\n")[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--rounds", type=int, default=5, help="turns (5)")
    options(parser)
    args = parser.parse_args(argv)
    if args.rounds < 1:
        parser.error("rounds are 1 or more")
    if not cuda.is_available():
        raise SystemExit("bench.gpu needs a GPU and CuPy, and finds none: pip install minigrad[cuda12] or [cuda13]")
    try:
        import torch
    except ImportError:
        torch = None
    torch = torch if torch is not None and torch.cuda.is_available() else None
    print(cuda.get_device_name())
    print(f"{'':15} {'ms on the CPU':>14} {'on the GPU':>11} {'PyTorch':>9} {'MiB of GPU memory':>18}")
    rows = []
    for case in args.cases:
        row = compare(case, args.rounds, torch)
        rows.append(row)
        there = f"{row['torch_ms']:>9.2f}" if torch else f"{'-':>9}"
        print(f"{case:<15} {row['cpu_ms']:>14.2f} {row['gpu_ms']:>11.2f} {there} {row['gpu_mib']:>18.0f}", flush=True)
    keep(args, {"gpu": cuda.get_device_name(), "cases": rows})
    return None


if __name__ == "__main__":
    sys.exit(main())
