"""The DCGAN paper's guidelines as options, each of which can be broken, and networks for any size by them.

gans/dcgan.py has the paper's networks as they are; this builds what comes of them when an option says otherwise, or for
other sizes: images of 4 or 7 pixels that are doubled until they are as large as wanted.
"""

from gans.machinery.commandline import positive
from gans.machinery.imagesets import DIGITS, FACES, open_digits, open_images, own_alone
from minigrad import nn
from minigrad.errors import MinigradError

SIZES = (16, 28, 32, 56, 64, 112, 128)  # 4 doubled, or 7 doubled, which is made of 4
ACTIVATIONS = {"relu": nn.ReLU, "leaky_relu": lambda: nn.LeakyReLU(0.2), "gelu": nn.GELU, "elu": nn.ELU}
PAPER = {"upsample": "strided", "downsample": "strided", "norm": "batch", "hidden": None, "activation": "paper",
         "output": "tanh"}


def options(p):
    """Add an option a guideline to a parser."""
    group = p.add_argument_group("the guidelines, to be broken")
    group.add_argument("--upsample", choices=["strided", "resize"], default="strided", metavar="HOW",
                       help="how G doubles its images: strided, resize")
    group.add_argument("--downsample", choices=["strided", "pool"], default="strided", metavar="HOW",
                       help="how D halves its images: strided, pool")
    group.add_argument("--norm", choices=["batch", "none", "everywhere"], default="batch", metavar="WHERE",
                       help="batch (not at the edges), none, everywhere")
    group.add_argument("--hidden", type=positive, metavar="N", help="a fully connected hidden layer of N in both")
    group.add_argument("--activation", choices=["paper", *ACTIVATIONS], default="paper", metavar="NAME",
                       help=f"one for both networks: {', '.join(ACTIVATIONS)}")
    group.add_argument("--output", choices=["tanh", "sigmoid"], default="tanh", metavar="NAME",
                       help="of G, with images to match: tanh, sigmoid")
    group.add_argument("--init", choices=["normal", "default"], default="normal", metavar="NAME",
                       help="normal: N(0, 0.02); default: the layers' own")


def kept(args):
    """Whether the networks are to be the paper's."""
    return all(getattr(args, name) == value for name, value in PAPER.items())


def stages(size):
    """The sides that the images grow through in G, and shrink through in D.

    >>> stages(64), stages(28)
    ([4, 8, 16, 32, 64], [4, 7, 14, 28])
    """
    if size not in SIZES:
        raise MinigradError(f"--size {size}: the networks double images of 4 or 7 pixels, so they cannot make "
                            f"{size}x{size}; the nearest sizes that they can are {nearest(size, ' and ')}")
    sides = [size]
    while sides[0] > 4:
        sides.insert(0, (sides[0] + 1) // 2)
    return sides


def nearest(size, between):
    """The two legal sizes next to a size, as text."""
    return between.join(map(str, sorted(sorted(SIZES, key=lambda legal: abs(legal - size))[:2])))


def kernel(side):
    """What makes `side` of its half, or its half of it, with stride 2 and padding 1; 7 is made of 4."""
    return 4 if side % 2 == 0 else 3


def generator(args, size, channels):
    """(N, 100, 1, 1) -> (N, channels, size, size) in -1..1 (tanh) or 0..1 (sigmoid)."""
    first, *sides = stages(size)
    widths = [args.width * 2**k for k in reversed(range(len(sides)))]
    layers = []
    if args.hidden:  # against guideline 3
        layers += [nn.Flatten(), nn.Linear(100, args.hidden), activation(args, "relu"),
                   nn.Unflatten(1, (args.hidden, 1, 1))]
    layers += [nn.ConvTranspose2d(args.hidden or 100, widths[0], first, bias=args.norm == "none")]
    layers += [*norm(args, widths[0]), activation(args, "relu")]
    for side, a, b in zip(sides, widths, [*widths[1:], channels]):
        last = side == size
        bias = not norm(args, b, edge=last)
        layers += [nn.ConvTranspose2d(a, b, kernel(side), 2, 1, bias=bias)] if args.upsample == "strided" else [
            nn.Upsample(size=side), nn.Conv2d(a, b, 3, padding=1, bias=bias)]
        layers += norm(args, b, edge=last)
        layers += [] if last else [activation(args, "relu")]
    return nn.Sequential(*layers, nn.Tanh() if args.output == "tanh" else nn.Sigmoid())


def discriminator(args, size, channels):
    """(N, channels, size, size) -> logits (N, 1, 1, 1)."""
    last, *sides = stages(size)
    widths = [args.width * 2**k for k in range(len(sides))]
    layers = []
    for side, a, b in zip(reversed(sides), [channels, *widths], widths):
        first = side == size
        bias = not norm(args, b, edge=first)
        layers += [nn.Conv2d(a, b, kernel(side), 2, 1, bias=bias)] if args.downsample == "strided" else [
            nn.Conv2d(a, b, 3, padding=1, bias=bias), nn.MaxPool2d(2, ceil_mode=True)]
        layers += [*norm(args, b, edge=first), activation(args, "leaky_relu")]
    if args.hidden:  # against guideline 3
        layers += [nn.Flatten(), nn.Linear(widths[-1] * last * last, args.hidden), activation(args, "leaky_relu"),
                   nn.Linear(args.hidden, 1), nn.Unflatten(1, (1, 1, 1))]
    else:
        layers += [nn.Conv2d(widths[-1], 1, last)]
    return nn.Sequential(*layers)


def norm(args, channels, edge=False):
    """Guideline 2: batch normalisation, but not on the edges, at G's output and D's input."""
    wanted = args.norm == "everywhere" or (args.norm == "batch" and not edge)
    return [nn.BatchNorm2d(channels)] if wanted else []


def activation(args, paper):
    """Guidelines 4 and 5: what the paper has there, unless --activation names another for everywhere."""
    return ACTIVATIONS[paper if args.activation == "paper" else args.activation]()


def pictures_of(args):
    """The Pictures of `--data` at `--size`, once it is certain that the networks can make such."""
    if args.size:
        stages(args.size)
    own_alone(args)
    if args.data in DIGITS:
        args.size = args.size or 28
        if args.size < 28:
            raise MinigradError(f"--size {args.size}: digits are 28x28; give --size 28, 32 or 64")
        return open_digits(args.data, args.size)
    pictures = open_images(args, args.size or (64 if args.data in FACES else None))
    height, width, _ = pictures.shape
    size = args.size or height
    if (height, width) != (size, size) or size not in SIZES:
        raise MinigradError(f"{args.data}: its images are {height}x{width} (height x width), and the networks make "
                            f"squares of {', '.join(map(str, SIZES))}: build it again with python -m "
                            f"minigrad.data.images build --crop square --size {nearest(size, ' or ')}")
    args.size = size
    return pictures
