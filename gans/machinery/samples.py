"""Samples: of a generator while it is trained, and of a finished run, by `gans.load` and `python -m gans.sample`.

A chapter says with `described` what its generator takes and makes; everything else follows from that: noise of the
right shape, evaluation mode, batches that fit the memory, whole pixels. The noise of a sample is a function of the seed
and of its number, so that the first ten of a thousand are those of ten.
"""

import argparse
import importlib
from math import prod
from pathlib import Path

import numpy as np

import minigrad as mg
from gans.machinery import folder, watch
from gans.machinery.commandline import Parser, at_least, positive, say
from gans.machinery.pictures import grid, save_png, write_atomically
from minigrad import checkpoint
from minigrad.checkpoint import save_safetensors
from minigrad.errors import CheckpointError, MinigradError
from minigrad.random import stream

AT_ONCE = 2**20  # numbers of the samples that are made together, 1000 samples at most


def described(G, seed_shape, *, image_shape=None, rows=False, value_range=(0.0, 1.0), seeds="normal", classes=0,
              coded=False):
    """The generator G, which tells from now on, by attributes of these names, what it takes and makes.

    Args:
        seed_shape: of the noise of one sample, say (100,).
        image_shape: (H, W, C) of its images, which G puts out as (N, C, H, W); None for other numbers.
        rows: it puts them out as rows (N, H * W * C) instead, and D takes such.
        value_range: of what it puts out, from black to white.
        seeds: what the noise is: "normal", "uniform" in 0..1, or a number that is always the same; "pictures" where it
            takes such instead (see translate.py).
        classes: G takes one-hot labels (N, classes) beside the noise; 0: it takes none.
        coded: these are codes that it found a use for by itself, and not classes that one can ask for.
    """
    G.seed_shape, G.image_shape, G.rows = tuple(seed_shape), image_shape and tuple(image_shape), rows
    G.value_range, G.seeds, G.classes, G.coded = value_range, seeds, classes, coded
    return G


def of_noise(G, run):
    """The generator of a run, if it makes samples of noise; MinigradError if it makes them of pictures."""
    if G.seeds == "pictures":
        raise MinigradError(f"{run}: its generator makes pictures of pictures, not of noise; python -m gans.apply "
                            f"{run} FILE|FOLDER shows it some")
    return G


def noise(G, n, seed=1, name="samples"):
    """The noise of n samples, a float32 array (n, *seed_shape), a function of (seed, name)."""
    numbers, shape = stream(seed, name), (n, *G.seed_shape)
    if G.seeds == "normal":
        return numbers.standard_normal(shape, np.float32)
    return numbers.random(shape, np.float32) if G.seeds == "uniform" else np.full(shape, G.seeds, np.float32)


def one_hot(labels, classes, device="cpu"):
    """Labels (N,) as a float32 tensor (N, classes)."""
    return mg.tensor(np.eye(classes, dtype=np.float32)[labels], device=device)


def inputs(G, z, labels=None):
    """What G is called with for noise (n, ...) and labels (n,), which are 0, 1, 2, ... in turn where there are none."""
    device = next(G.parameters()).device
    if not G.classes:
        return mg.tensor(z, device=device),
    labels = np.arange(len(z)) % G.classes if labels is None else labels
    return mg.tensor(z, device=device), one_hot(labels, G.classes, device)


def outputs(G, z, labels=None):
    """What G, in evaluation mode, makes of noise (n, ...): a float32 array (n, ...)."""
    with watch.untouched(G):
        G.eval()
        step = min(1000, max(1, AT_ONCE // prod(G.image_shape or (1,))))
        return np.concatenate([watch.host(G(*inputs(G, z[k:k + step], None if labels is None else labels[k:k + step])))
                               for k in range(0, len(z), step)])


def as_images(values, G):
    """What G puts out as uint8 images (n, H, W, C), or (n, H, W) where there is one channel."""
    low, high = G.value_range
    height, width, channels = G.image_shape
    images = values.reshape(-1, height, width, channels) if G.rows else values.transpose(0, 2, 3, 1)
    images = np.nan_to_num(np.rint((images - low) / (high - low) * 255)).clip(0, 255).astype(np.uint8)
    return images[..., 0] if channels == 1 else images


def as_real(images, G):
    """uint8 images (n, H, W, C) as float32 values in the form and range in which G puts its own out."""
    low, high = G.value_range
    images = images.reshape(len(images), -1) if G.rows else images.transpose(0, 3, 1, 2)
    values = np.divide(images, 255, dtype=np.float32)
    if (low, high) != (0.0, 1.0):
        values *= high - low
        values += low
    return values


def shown(G, images, labels=None, device="cpu"):
    """What D is called with for uint8 images (n, H, W, C), with their labels where G takes some."""
    values = mg.tensor(as_real(images, G), device=device)
    return (values, one_hot(labels[:len(images)], G.classes, device)) if G.classes and labels is not None else (values,)


def generate(G, n, *, seed=1, name="samples", labels=None):
    """n samples as uint8 images (n, H, W, C), or (n, H, W) where there is one channel; G stays as it is."""
    return as_images(outputs(G, noise(G, n, seed, name), labels), G)


def sheet(G, seed=1, name="picture"):
    """Samples side by side as one picture, always of the same seeds; with classes, each row of one class.

    Returns the picture, (H, W) or (H, W, 3), the samples, and the noise.
    """
    large = G.image_shape[0] > 64
    z, labels = noise(G, 24 if large else 64, seed, name), None
    if G.classes:
        columns = 10
        labels = np.repeat(np.arange(G.classes), columns)
        z = np.tile(z[:columns], (G.classes, *[1] * len(G.seed_shape)))  # a column shares its seed
    else:
        columns = 6 if large else 8
    images = as_images(outputs(G, z, labels), G)
    return grid(images, columns, scale=2 if G.image_shape[0] < 64 else 1), images, inputs(G, z, labels)


def load(run, device="cpu", part="G"):
    """The generator of a run, as it was saved last: the averaged one where there is one, in evaluation mode.

    `part` is what the run calls it; cyclegan's for the way back is "F".
    Its attributes tell how to use it: `seed_shape`, `seeds`, `value_range`, `image_shape`, `classes` (see `described`).

    CheckpointError where the folder `run` is none of a demo, has no checkpoint, or one that is damaged.

    >>> # G = gans.load("runs/mnist")
    >>> # images = G(torch.randn(16, *G.seed_shape))
    """
    run = Path(run)
    folder.read(run)
    state = checkpoint.load(run / "checkpoint", log=say).state
    parts, demo = state["parts"], state["config"].get("demo")
    weights = parts["average"]["model"] if "average" in parts else parts.get(part, {})
    return built(demo, state["config"], weights, run, f"python -m gans.{demo} --resume {run} brings it up to date").to(
        device)


def built(demo, options, weights, where, remedy):
    """The generator of a demo with these options and weights, in evaluation mode.

    CheckpointError, which begins with `where` they come from, if they do not fit; `remedy` is for an option that lacks.
    """
    from gans.__main__ import CHAPTERS

    if demo not in CHAPTERS:
        raise CheckpointError(f"{where}: is a run of gans.{demo}, which is not here; the demos are "
                              f"{', '.join(CHAPTERS)}")
    options, chapter = argparse.Namespace(**options), importlib.import_module(f"gans.{demo}")
    if not hasattr(chapter, "generator"):
        raise CheckpointError(f"{where}: gans.{demo} trains no generator, so there are no samples of it; look at "
                              f"the pictures in {where}")
    try:
        G = chapter.generator(options)
    except AttributeError as error:
        if error.obj is not options:
            raise
        raise CheckpointError(f"{where}: an older version made it, which did not note its {error.name}; "
                              f"{remedy}") from None
    try:
        G.load_state_dict(weights)
    except RuntimeError as error:
        raise CheckpointError(f"{where}: its weights do not fit gans.{demo} ({error}); another version made "
                              "it") from None
    return G.requires_grad_(False).eval()


def sample_file(text):
    """The type of an option that names a file for samples."""
    if Path(text).suffix not in (".png", ".npy", ".safetensors"):
        raise argparse.ArgumentTypeError(f"{text!r}: give a file that ends in .png, .npy or .safetensors")
    return Path(text)


def to_write(path):
    """The path, if a file can be made there."""
    if not path.parent.is_dir():
        raise MinigradError(f"{path.parent}: there is no such folder; make it, or name another file")
    return path


def write(G, demo, n, seed, path):
    """Write n samples of the generator of a demo to a file of the kind that its name says."""
    z = noise(G, n, seed)
    values = outputs(G, z)
    samples = as_images(values, G) if G.image_shape else values
    if path.suffix == ".png":
        chapter = importlib.import_module(f"gans.{demo}")
        save_png(path, grid(samples) if G.image_shape else chapter.picture(values))
    elif path.suffix == ".npy":
        write_atomically(path, lambda temporary: np.save(temporary, samples))
    else:
        arrays = {"samples": samples, "noise": z}
        save_safetensors(path, arrays | ({"labels": np.arange(n) % G.classes} if G.classes else {}))


def write_onnx(G, path):
    """Write a generator to an ONNX file: "z", and "labels" where it takes some, to "images", or "samples"."""
    names = ["z", "labels"] if G.classes else ["z"]
    return mg.onnx.export(G, inputs(G, noise(G, 2)), path, input_names=names,
                          output_names=["images" if G.image_shape else "samples"])


def main(argv=None):
    """`python -m gans.sample RUN`: write samples of a run to a file, or G itself; returns the exit status."""
    p = Parser(prog="python -m gans.sample", usage="%(prog)s RUN [options]",
               description="Samples of a finished or interrupted run, from its averaged generator.")
    p.add_argument("run", metavar="RUN", help="the folder of a run, say runs/mnist")
    p.add_argument("--n", type=positive, default=64, metavar="N", help="how many (64)")
    p.add_argument("--seed", type=at_least(0), metavar="N", help="of the noise (the run's own)")
    p.add_argument("--out", metavar="FILE", type=sample_file,
                   help="a .png with all of them side by side, .npy with an array, or .safetensors with samples and "
                        "noise (RUN/sample.png)")
    p.add_argument("--onnx", metavar="FILE", help="write the generator itself instead, for programs that run ONNX; "
                                                  "with --out samples, too")
    args = p.parse_args(argv)
    run = Path(args.run)
    config = folder.read(run)
    seed, G = config["seed"] if args.seed is None else args.seed, of_noise(load(run), run)
    path = args.out or run / "sample.png"
    to_write(path)
    if args.onnx is not None:
        say(f"wrote {write_onnx(G, args.onnx)}: the generator of {run}")
        if args.out is None:
            return 0
    write(G, config["demo"], args.n, seed, path)
    say(f"wrote {path}: {args.n} samples of {run}, seed {seed}")
    return 0
