"""The bell curve: its density, how far samples are from it, and the picture of a GAN that learns one."""

import functools
from math import erf, log, pi
from statistics import NormalDist

import numpy as np

import minigrad as mg
from gans.machinery.plots import running_mean
from minigrad import nn


class Bells(nn.Module):
    """Bell curves that are fitted to something, one from each start; x (N,) -> ln of their densities (bells, N)."""

    def __init__(self, means, stds):
        super().__init__()
        self.mean = nn.Parameter(mg.tensor([means], dtype=mg.float64).T)
        self.log_std = nn.Parameter(mg.tensor([stds], dtype=mg.float64).T.log())

    def forward(self, x):
        return -0.5 * ((x - self.mean) * (-self.log_std).exp()) ** 2 - self.log_std - 0.5 * log(2 * pi)

    def best(self, losses):
        """(mean, std) of the one with the smallest of the losses (bells,)."""
        k = int(losses.argmin())
        return self.mean[k].item(), self.log_std[k].exp().item()


def log_density(x, mean, std):
    """ln of the density of N(mean, std**2) at x, an array."""
    return -0.5 * ((x - mean) / std) ** 2 - log(std * (2 * pi) ** 0.5)


def density(x, mean, std):
    """The density of N(mean, std**2) at x, an array."""
    return np.exp(log_density(x, mean, std))


@functools.cache
def _quantiles(count):
    return np.array(NormalDist().quantiles(count + 1), np.float32)


def stratified(rng, n, slices=64):
    """n numbers from N(0, 1), (n, 1) float32, one from each of n equally likely parts: means over them hardly vary."""
    return _quantiles(n * slices)[np.arange(n) * slices + rng.integers(0, slices, n)][:, None]


def mixture(x, bells):
    """ln of the density of bells ((mean, std), ...), mixed in equal shares, at x."""
    return np.logaddexp.reduce([log_density(x, *bell) for bell in bells]) - log(len(bells))


def integral(values, x):
    """Of values at equal steps of x that are 0 at both ends: exact but for rounding where they are smooth."""
    return float(values.sum() * (x[1] - x[0]))


def jensen_shannon(log_p, log_q, x):
    """The Jensen-Shannon divergence by its definition, from the logarithms of two densities at x: half of
    KL(p, m) + KL(q, m) for the mixture m, in nats."""
    log_m = np.logaddexp(log_p, log_q) - log(2)
    return integral(np.exp(log_p) * (log_p - log_m) + np.exp(log_q) * (log_q - log_m), x) / 2


def kolmogorov_smirnov(samples, mean, std):
    """The largest distance between the distribution function of samples (N,) and that of N(mean, std**2).

    True samples are nearer than 1.36 / N**0.5 nineteen times in twenty.

    >>> kolmogorov_smirnov(np.array([0.0]), 0.0, 1.0)
    0.5
    """
    x = np.sort(samples.astype(np.float64))
    true = np.array([0.5 + 0.5 * erf(value) for value in (x - mean) / (std * 2 ** 0.5)])
    steps = np.arange(len(x) + 1) / len(x)
    return float(max((steps[1:] - true).max(), (true - steps[:-1]).max()))


def histogram(axes, samples, mean, std):
    """Samples (N,) as a histogram under the density of N(mean, std**2)."""
    reach = np.linspace(mean - 4.5 * std, mean + 4.5 * std, 300)
    axes.hist(samples.clip(reach[0], reach[-1]), 80, range=(reach[0], reach[-1]), density=True, color="tab:blue",
              alpha=0.45, label=f"{len(samples):,} generated numbers")
    axes.plot(reach, density(reach, mean, std), color="black", label=f"N({mean:g}, {std:g}²)")
    axes.set(xlabel="x", ylabel="density", xlim=reach[[0, -1]], ylim=(0, 0.65 / std * 1.25),
             title=f"mean {samples.mean():.2f}, deviation {samples.std():.2f}")
    axes.legend(fontsize=8, loc="upper right")


def progress(run, samples, mean, std, panels):
    """Three panels: mean and deviation over the steps, as the run measured them, its losses, and samples now."""
    left, middle, right = panels
    looks = [row for row in run.rows if "measure.mean" in row]
    for name, ideal, colour in (("mean", mean, "tab:blue"), ("std", std, "tab:red")):
        left.plot([row["step"] for row in looks], [row[f"measure.{name}"] for row in looks], color=colour,
                  label={"mean": "mean", "std": "deviation"}[name])
        left.axhline(ideal, color=colour, linestyle="--", linewidth=1)
    left.set(xlabel="step", ylabel="of generated numbers", title="Mean and deviation", ylim=(0, 1.4 * mean))
    left.legend(fontsize=8)
    for (name, (steps, values)), colour in zip(run.losses().items(), ("tab:green", "tab:orange", "tab:purple")):
        middle.plot(steps, values, color=colour, alpha=0.2, linewidth=0.7)
        middle.plot(steps, running_mean(values, max(1, len(values) // 20)), color=colour, label=name)
    middle.axhline(log(2), color="black", linestyle="--", linewidth=1, label="ln 2")
    middle.set(xlabel="step", ylabel="loss", title="The three losses", ylim=(0, 1.6))
    middle.legend(fontsize=8, loc="lower right")
    histogram(right, samples, mean, std)
