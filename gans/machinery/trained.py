"""What was trained before, as chapters take it that look into it: a generator by name, or a run's, and its D."""

import argparse
import copy
import importlib
from pathlib import Path
from typing import Any, NamedTuple

import minigrad as mg
from gans.machinery import folder, generators, samples
from gans.machinery.commandline import say
from gans.machinery.imagesets import learnt_from
from minigrad import checkpoint
from minigrad.errors import MinigradError

WITH_CONVOLUTIONS = ("dcgan",)  # the demos whose `networks` are Sequentials of them


class Trained(NamedTuple):
    """A generator in evaluation mode, and where it comes from."""

    G: Any
    demo: str
    options: argparse.Namespace  # of the run that made it
    run: Path | None  # that run's folder, where it is here

    def pictures(self, most):
        """The Pictures that it has learnt from, of drawn faces `most` at the most (and 2,000 that are kept back)."""
        drawn = self.options.data == "synthetic-faces"
        found = learnt_from(argparse.Namespace(**vars(self.options) | ({"limit": max(most, 2)} if drawn else {})))
        words = "faces drawn by code" if drawn else found.provenance
        say(f"data: {words}; images of {found.shape[0]}x{found.shape[1]}")
        return found


def source_option(p):
    """Add --from to a parser: what is looked into."""
    p.add_argument("--from", dest="source", default="faces-dcgan", metavar="NAME|RUN",
                   help="a generator of python -m gans.hub list, or the folder of a run (faces-dcgan)")


def opened(source):
    """The Trained of a name of gans.hub, or of the folder of a run.

    MinigradError where it is neither, or makes something else than images from random noise.
    """
    if Path(source).exists() or "/" in source:
        config = folder.read(source)
        found = Trained(samples.load(source), config["demo"], argparse.Namespace(**config), Path(source))
    else:
        G = generators.load(source)
        found = Trained(G, G.card["demo"], argparse.Namespace(**G.card["options"]), None)
    if found.G.image_shape is None or not isinstance(found.G.seeds, str):
        raise MinigradError(f"--from {source}: gans.{found.demo} makes no images from random noise; take the run of "
                            "another demo, or a generator of python -m gans.hub list")
    return found


def networks(trained, seed):
    """(G, D, whether these have learnt), and D as it begins: the networks of a demo whose D is made of convolutions.

    Those of a run are as it saved them last; of a generator by name there is no D, so that it begins anew, by the seed.
    MinigradError where the demo's D has no convolutions.
    """
    chapter, run = importlib.import_module(f"gans.{trained.demo}"), trained.run
    mg.manual_seed(seed)
    G, D = chapter.networks(trained.options) if trained.demo in WITH_CONVOLUTIONS else (None, None)
    if D is None:
        raise MinigradError(f"--from {run or trained.G.card['name']}: the D of gans.{trained.demo} has no convolutions "
                            "to look into; take a run of gans.dcgan, or faces-dcgan, mnist-dcgan, fashion-dcgan")
    blank = copy.deepcopy(D)
    G.load_state_dict(trained.G.state_dict())
    if run:
        parts = checkpoint.load(run / "checkpoint", log=say).state["parts"]
        G.load_state_dict(parts["G"])
        D.load_state_dict(parts["D"])
    return G, D, bool(run), blank
