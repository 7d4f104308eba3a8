"""Pictures of the ideal D, beside one that is trained, and of one bell for two hills."""

from math import log

import numpy as np

import minigrad as mg
from gans.machinery.bells import density, log_density, mixture
from gans.machinery.watch import host


def logits(D, x):
    """D's logits at places x, (N,) float64."""
    with mg.no_grad():
        places = mg.tensor(x.astype(np.float32)[:, None], device=next(D.parameters()).device)
        return host(D(places))[:, 0].astype(np.float64)


def look(D, bells, real, generated, hills, panels):
    """Four panels: constant answers, D beside p / (p + q), its logit beside ln p - ln q, bells (mean, std) on hills."""
    (constant, share), (ratio, fit) = panels
    a = np.linspace(0.02, 0.98, 97)
    for name, colour, one, zero in (("cross-entropy", "tab:red", -np.log(a), -np.log(1 - a)),
                                    ("squares", "tab:purple", (a - 1) ** 2, a ** 2)):
        constant.plot(a, one, color=colour, linestyle="--", linewidth=1, label=f"{name}, target 1")
        constant.plot(a, zero, color=colour, linestyle=":", linewidth=1, label="  target 0")
        constant.plot(a, (one + zero) / 2, color=colour, label="  their mean")
    for height, words in ((log(2), "ln 2"), (0.25, "0.25")):
        constant.annotate(words, (0.5, height), (0.53, height + 0.2), arrowprops={"arrowstyle": "->"})
    constant.set(xlabel="D's answer to everything", ylabel="loss", ylim=(0, 2.5), title="All alike: 0.5 is best")
    constant.legend(fontsize=7, loc="upper center", ncols=2)

    x = np.linspace(-4, 10, 281)
    found, best = logits(D, x), log_density(x, *real) - log_density(x, *generated)
    for bell, colour, name in ((real, "tab:blue", "p, real"), (generated, "tab:orange", "q, generated")):
        share.fill_between(x, density(x, *bell), color=colour, alpha=0.25, label=name)
    share.plot(x, np.tanh(found / 2) / 2 + 0.5, color="tab:green", alpha=0.5, linewidth=5, label="D")
    share.plot(x, np.tanh(best / 2) / 2 + 0.5, color="black", linestyle="--", label="p / (p + q)")
    share.set(xlabel="x", ylabel="D(x), density", ylim=(0, 1), title="The best D is known")
    share.legend(fontsize=8)
    ratio.plot(x, found, color="tab:green", alpha=0.5, linewidth=5, label="D's logit")
    ratio.plot(x, best, color="black", linestyle="--", label="ln p - ln q")
    ratio.set(xlabel="x", ylabel="nats", ylim=(-8, 2.5), title="All that D learns of densities: their ratio")
    ratio.legend(fontsize=8)

    x = np.linspace(-10, 10, 401)
    fit.fill_between(x, np.exp(mixture(x, hills)), color="tab:blue", alpha=0.25, label="the data")
    for (name, (mean, std)), colour in zip(bells.items(), ("tab:red", "tab:green")):
        fit.plot(x, density(x, mean, std), color=colour, label=f"by {name}: N({round(mean, 1) + 0:g}, {std:.1f}²)")
    fit.set(xlabel="x", ylabel="density", ylim=(0, 0.55), title="One bell for two hills")
    fit.legend(fontsize=8)
