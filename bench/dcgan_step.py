"""The convolutional GANs' training steps here and in PyTorch, timed in alternation.

  python -m bench.dcgan_step [--cases dcgan-64 mnist-conv] [--rounds 9] [--threads 2]

dcgan-64 is pytorch/examples' dcgan (nz 100, ngf = ndf = 64, 64x64 RGB, batch 32), mnist-conv a GAN of 32 and 64
channels on 28x28 (batch 64). A step trains D on real images, D on detached fakes, then G through D, whose parameters
want no gradient meanwhile; each with Adam. The two libraries run in processes of their own, with the same weights and
the same number of threads; their losses must agree before anything is timed. Then they take turns, and the figure is
the median of the turns' ratios. Peak memory is the process's largest resident set, and, beside it, what training
added to the imported library.
"""

import argparse
import importlib
import json
import os
import statistics
import subprocess
import sys
import time

import numpy as np

from bench.peers import Peer, initial, peak_memory

BATCHES = 4  # different batches, used in turn, so that no data loading is timed
CHECKED = 2  # steps whose losses are compared; Adam turns rounding into different signs, which then grows


def adversarial(torch, array, G, D, batch, latent, image):
    """(networks, step): `step(i)` trains D and G once and returns the losses of D on real, D on fake, and G."""
    options = {"lr": 0.0002, "betas": (0.5, 0.999)}
    optimiser_d, optimiser_g = (torch.optim.Adam(net.parameters(), **options) for net in (D, G))
    loss = torch.nn.BCELoss()
    ones, zeros = array(np.ones(batch)), array(np.zeros(batch))
    rng = np.random.default_rng(0)
    real = [array(rng.uniform(-1, 1, (batch, *image))) for _ in range(BATCHES)]
    noise = [array(rng.normal(size=(batch, latent, 1, 1))) for _ in range(BATCHES)]

    def step(i):
        D.requires_grad_(True)
        optimiser_d.zero_grad()
        d_real = loss(D(real[i % BATCHES]).view(-1), ones)
        d_real.backward()
        fake = G(noise[i % BATCHES])
        d_fake = loss(D(fake.detach()).view(-1), zeros)
        d_fake.backward()
        optimiser_d.step()
        D.requires_grad_(False)
        optimiser_g.zero_grad()
        g = loss(D(fake).view(-1), ones)
        g.backward()
        optimiser_g.step()
        return d_real, d_fake, g

    return (D, G), step


def dcgan(torch, array, nz=100, ngf=64, ndf=64, batch=32):
    """The networks of pytorch/examples' dcgan for 64x64 RGB."""
    nn = torch.nn
    G, D = [], []
    for i, (a, b) in enumerate(((nz, 8 * ngf), (8 * ngf, 4 * ngf), (4 * ngf, 2 * ngf), (2 * ngf, ngf))):
        G += [nn.ConvTranspose2d(a, b, 4, *((2, 1) if i else (1, 0)), bias=False), nn.BatchNorm2d(b), nn.ReLU(True)]
    G += [nn.ConvTranspose2d(ngf, 3, 4, 2, 1, bias=False), nn.Tanh()]
    for i, (a, b) in enumerate(((3, ndf), (ndf, 2 * ndf), (2 * ndf, 4 * ndf), (4 * ndf, 8 * ndf))):
        D += [nn.Conv2d(a, b, 4, 2, 1, bias=False), *[nn.BatchNorm2d(b)] * (i > 0), nn.LeakyReLU(0.2, inplace=True)]
    D += [nn.Conv2d(8 * ndf, 1, 4, 1, 0, bias=False), nn.Sigmoid()]
    return adversarial(torch, array, nn.Sequential(*G), nn.Sequential(*D), batch, nz, (3, 64, 64))


def mnist_conv(torch, array, batch=64):
    """A GAN of 32 and 64 channels for 28x28 digits."""
    nn = torch.nn
    G = nn.Sequential(nn.ConvTranspose2d(64, 64, 7, bias=False), nn.BatchNorm2d(64), nn.ReLU(True),
                      nn.ConvTranspose2d(64, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU(True),
                      nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Tanh())
    D = nn.Sequential(nn.Conv2d(1, 32, 4, 2, 1), nn.LeakyReLU(0.2, True),
                      nn.Conv2d(32, 64, 4, 2, 1, bias=False), nn.BatchNorm2d(64), nn.LeakyReLU(0.2, True),
                      nn.Conv2d(64, 1, 7), nn.Sigmoid())
    return adversarial(torch, array, G, D, batch, 64, (1, 28, 28))


CASES = {"dcgan-64": (dcgan, 2), "mnist-conv": (mnist_conv, 10)}  # with the steps of one turn


def worker(library, case, threads):
    """Serve one library: a line "losses N" or "time N" in, a line of JSON out."""
    torch = importlib.import_module(library)
    if library == "torch":
        torch.set_num_threads(threads)
    imported = peak_memory()
    networks, step = CASES[case][0](torch, lambda a: torch.tensor(np.asarray(a, np.float32)))
    rng = np.random.default_rng(1)
    for network in networks:
        network.load_state_dict({name: torch.tensor(initial(name, tuple(value.shape), rng))
                                 for name, value in network.state_dict().items()})
    done = 0
    for line in sys.stdin:
        what, count = line.split()
        began, used, losses = time.perf_counter(), time.process_time(), []
        for _ in range(int(count)):
            result = step(done)
            done += 1
            losses.append([loss.item() for loss in result])
        print(json.dumps({"losses": losses if what == "losses" else None, "seconds": time.perf_counter() - began,
                          "cpu": time.process_time() - used, "peak": peak_memory(), "imported": imported}), flush=True)


class Library(Peer):
    """A worker process of this file."""

    def __init__(self, library, case, threads):
        count = str(threads)
        environment = {**os.environ, "OMP_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count, "MKL_NUM_THREADS": count}
        self.process = subprocess.Popen([sys.executable, "-m", "bench.dcgan_step", "--worker", library, "--cases", case,
                                         "--threads", count], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=environment)


def compare(case, rounds, threads):
    """Check, then time, one case; print a line of figures."""
    libraries = Library("minigrad", case, threads), Library("torch", case, threads)
    a, b = (library.ask("losses", CHECKED)["losses"] for library in libraries)
    if not np.allclose(a, b, rtol=2e-3, atol=1e-5):
        raise SystemExit(f"{case}: the losses differ, so nothing is timed:\nminigrad {a}\nPyTorch  {b}")
    turns = [[library.ask("time", CASES[case][1]) for library in libraries] for _ in range(rounds)]
    for library in libraries:
        library.close()
    print(f"{case:<11}", end="")
    for what in ("seconds", "cpu"):
        ratios = [theirs[what] / mine[what] for mine, theirs in turns]
        best = [min(turn[i][what] for turn in turns) / CASES[case][1] * 1e3 for i in (0, 1)]
        print(f" {statistics.median(ratios):>6.2f}x ({min(ratios):.2f} - {max(ratios):.2f})"
              f" {best[0]:>7.1f} {best[1]:>7.1f}", end="")
    for answer in turns[-1]:
        print(f" {answer['peak']:>6.0f} (+{answer['peak'] - answer['imported']:.0f})", end="")
    print(flush=True)


def main(argv=None):
    """Time the cases and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.dcgan_step", description=__doc__.split("\n")[0])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES), metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--rounds", type=int, default=9, help="turns of each library (9)")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="threads of each library (2)")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.worker:
        return worker(args.worker, args.cases[0], args.threads)
    if importlib.util.find_spec("torch") is None:
        raise SystemExit("bench.dcgan_step compares with PyTorch, which is not installed: pip install torch==2.13.0")
    print("case        wall: times as fast (range), least ms here and PyTorch; the same in CPU time; peak MiB of both")
    for case in args.cases:
        compare(case, args.rounds, args.threads)
    return None


if __name__ == "__main__":
    sys.exit(main())
