"""Pictures made of pictures: what the chapters share whose generators take a picture instead of noise.

A discriminator of patches, how a generator is run, sheets of what it makes, and `python -m gans.apply RUN PATH`.
"""

import contextlib
from pathlib import Path

import numpy as np

import minigrad as mg
from gans.machinery import folder, samples, watch
from gans.machinery.commandline import Parser, at_least, say
from gans.machinery.judge import cached_judge, middle
from gans.machinery.metrics import frechet_distance
from gans.machinery.pairs import grey
from gans.machinery.pictures import grid, save_png
from minigrad import nn
from minigrad.data.images import each_image
from minigrad.errors import MinigradError

AT_ONCE = 100  # pictures that go through a generator together
SHOWN = 8  # columns of a sheet
BLOCK = 4  # pixels a side, by which pictures are compared that no classifier knows


def described(G, given, made):
    """The generator G, which tells from now on that it makes pictures `made`, (H, W, C), of pictures `given`.

    It takes and gives values from -1, black, to 1, white, and no noise; `given_shape` is what it takes.
    """
    G.given_shape = tuple(given)
    return samples.described(G, (), image_shape=made, value_range=(-1.0, 1.0), seeds="pictures")


def patches(channels, width):
    """A discriminator that answers for each patch of 22x22 pixels by itself, PatchGAN (Isola et al. 2017, 3.2.2)."""
    return nn.Sequential(                                                                          # (N, C, S, S)
        nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2),                                    # (N, w, S/2, S/2)
        nn.Conv2d(width, 2 * width, 4, 2, 1, bias=False), nn.InstanceNorm2d(2 * width), nn.LeakyReLU(0.2),
        nn.Conv2d(2 * width, 1, 4, 1, 1))                                                # (N, 1, S/4 - 1, S/4 - 1)


def values(images, G, device="cpu"):
    """uint8 images (N, H, W, C) as a float32 tensor (N, C, H, W) in the range in which G takes and gives them."""
    return mg.tensor(samples.as_real(images, G), device=device)


@contextlib.contextmanager
def numbers_of(seed):
    """Inside, random numbers are those of a seed; afterwards they go on as if nothing had been drawn."""
    first, state = mg.initial_seed(), mg.get_rng_state()
    mg.manual_seed(seed)
    try:
        yield
    finally:
        mg.manual_seed(first)
        mg.set_rng_state(state)


def translated(G, images, seed=1):
    """What G makes of uint8 images (N, H, W, C): uint8 (N, H, W, C').

    G is run as in training: where it drops values, it does so here as well, by numbers of the seed, as that is all its
    noise (Isola et al. 2017, section 3.3). Its layers have to treat each picture by itself.
    """
    device = next(G.parameters()).device
    with watch.untouched(G), numbers_of(seed):
        G.train()
        made = [watch.host(G(values(images[k:k + AT_ONCE], G, device))) for k in range(0, len(images), AT_ONCE)]
    return samples.as_images(np.concatenate(made), G).reshape(-1, *G.image_shape)


def sheet(*rows):
    """Rows of uint8 images (n, H, W, 1 or 3) as one picture, the first few of each, one below the other."""
    rows = [images[:SHOWN] for images in rows]
    if any(images.shape[3] == 3 for images in rows):
        rows = [np.broadcast_to(images, (*images.shape[:3], 3)) for images in rows]
    pictures = np.concatenate(rows)
    return grid(pictures if pictures.shape[3] == 3 else pictures[..., 0], len(rows[0]),
                scale=2 if pictures.shape[1] < 64 else 1)


def show(run, step, *rows):
    """Keep a sheet of the step, if one is due; the rows are functions that give images. Note figures of the second."""
    if run.picture_due(step):
        images = [row() for row in rows]
        run.picture(step, sheet(*images))
        run.history.write(step, look=watch.describe(images[1]))


def blocks(images):
    """Blocks of BLOCK×BLOCK pixels of images (N, H, W, C) at half their resolution, in 0..1: rows of 4 C numbers."""
    n, height, width, channels = images.shape
    half = BLOCK // 2
    small = images.reshape(n, height // BLOCK, 2, half, width // BLOCK, 2, half, channels).mean((3, 6), np.float32)
    return small.swapaxes(2, 3).reshape(-1, 4 * channels) / 255


def l1(images, others):
    """The mean difference of two uint8 images of one shape, over all values, in 0..1."""
    return float(np.abs(images.astype(np.float32) - others).mean() / 255)


def reader(pairs):
    """A function of uint8 images that gives rows, (N, F), by which those of `pairs` can be compared with real ones.

    A classifier's features where there is one for what is wanted, else all `blocks`.
    """
    if pairs.labels is None:
        return blocks
    judge = cached_judge(middle(pairs.wanted[..., 0]), pairs.labels, log=say)
    return lambda images: judge.read(middle(images[..., 0]))[0]


def compared(run, pairs, made):
    """{name: (L1, Frechet distance)} of what was `made` of pictures that were kept back; and say it."""
    read, n = reader(pairs), len(next(iter(made.values())))
    wanted = pairs.held_wanted[:n]
    real = read(wanted)
    found = {name: (l1(images, wanted), frechet_distance(read(images), real)) for name, images in made.items()}
    for name, (distance, frechet) in found.items():
        say(f"{name}: {distance:.4f} from what is wanted on average, 0 to 1; Frechet distance to real pictures "
            f"{frechet:.4g}, of {n} that were kept back")
    run.measure(run.step, **{f"{name} {what}": value for name, pair in found.items()
                             for what, value in zip(("l1", "frechet"), pair)})
    return found


def conditional(D, G, given, wanted, device):
    """The share of pairs to which D's mean answer falls where what was given is that of another pair."""
    a, b = values(given, G, device), values(wanted, G, device)
    with mg.no_grad():
        own, others = (D(mg.cat([x, b], 1)).mean((1, 2, 3)) for x in (a, a.roll(1, 0)))
    return float((own > others).float().mean())


def written(run, name, *rows):
    """Write a sheet into the run's folder."""
    run.paths.append(save_png(run.folder / name, sheet(*rows)))


# Pictures of one's own


def main(argv=None):
    """`python -m gans.apply RUN PATH`: what a run's generator makes of pictures; returns the exit status."""
    p = Parser(prog="python -m gans.apply", usage="%(prog)s RUN FILE|FOLDER [options]",
               description="What the generator of a run makes of pictures of your own.")
    p.add_argument("run", metavar="RUN", help="the folder of a run, say runs/pix2pix")
    p.add_argument("path", metavar="FILE|FOLDER", help="a picture, or a folder or zip of some")
    p.add_argument("--out", metavar="DIR", type=Path, help="where what is made goes, as NAME.png (RUN/made)")
    p.add_argument("--seed", type=at_least(0), metavar="N", help="of what is left open (the run's own)")
    p.add_argument("--back", action="store_true", help="the other way: what gans.cyclegan's F makes")
    args = p.parse_args(argv)
    config, out = folder.read(args.run), args.out or Path(args.run) / "made"
    if args.back and config["demo"] != "cyclegan":
        raise MinigradError(f"--back: gans.{config['demo']} learns one way alone; leave it away")
    G = samples.load(args.run, part="F" if args.back else "G")
    if G.seeds != "pictures":
        raise MinigradError(f"{args.run}: gans.{config['demo']} makes samples of noise, not of pictures; python -m "
                            f"gans.sample {args.run} draws some")
    seed, (height, width, channels), count = config["seed"] if args.seed is None else args.seed, G.given_shape, 0
    for name, picture in each_image(args.path, crop="square", size=(height, width)):
        given = picture[None] if channels == 3 else grey(picture[None])
        path = out / Path(name).with_suffix(".png")
        path.parent.mkdir(parents=True, exist_ok=True)
        made = translated(G, given, seed)[0]
        save_png(path, made if made.shape[2] == 3 else made[..., 0])
        count += 1
    say(f"wrote {count} pictures of {height}x{width} to {out}" if count > 1 else f"wrote {path}")
    return 0
