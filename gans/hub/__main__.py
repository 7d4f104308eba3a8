"""Generators by name at the command line: `python -m gans.hub list|card|sample|walk|export|add`."""

import sys
from pathlib import Path

from gans.machinery import generators, samples
from gans.machinery.commandline import Parser, at_least, main, positive, say
from gans.machinery.pictures import grid, save_png

SEED = 1337


def parser():
    p = Parser(prog="python -m gans.hub", description="Generators by name, small and trained.")
    commands = p.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)

    def command(name, words, what=None):
        c = commands.add_parser(name, help=words, description=words)
        if what:
            c.add_argument("name", metavar=what, help="of a generator" if what == "NAME" else "the folder of a run")
        if name != "add":
            c.add_argument("--from", dest="source", metavar="WHERE",
                           help="a folder with generators, or the https:// address of an index of some")
        return c

    command("list", "the generators that there are")
    command("card", "what is known of one", "NAME")
    c = command("sample", "samples of one, in a file", "NAME")
    c.add_argument("--n", type=positive, default=64, metavar="N", help="how many (64)")
    c.add_argument("--seed", type=at_least(0), default=SEED, metavar="N", help=f"of the noise ({SEED})")
    c.add_argument("--out", type=samples.sample_file, metavar="FILE", help="a .png, .npy or .safetensors (NAME.png)")
    c = command("walk", "ways from one sample to another, a way a row", "NAME")
    c.add_argument("--rows", type=positive, default=8, metavar="N", help="how many ways (8)")
    c.add_argument("--points", type=at_least(2), default=9, metavar="N", help="samples on each (9)")
    c.add_argument("--seed", type=at_least(0), default=SEED, metavar="N", help=f"of the noise ({SEED})")
    c.add_argument("--out", type=Path, metavar="FILE", help="a .png (NAME-walk.png)")
    c = command("export", "one as an ONNX file", "NAME")
    c.add_argument("--out", type=Path, metavar="FILE", help="the file (NAME.onnx)")
    c = command("add", "the generator of a run, to be used by name", "RUN")
    c.add_argument("--name", dest="called", metavar="NAME", help="what to call it (as the run's folder)")
    c.add_argument("--title", metavar="TEXT", help="what it is, in a line")
    c.add_argument("--to", metavar="DIR", help="the folder for it, which can be published as it is (the cache)")
    return p


def command(argv=None):
    """The command line; returns the exit status."""
    args = parser().parse_args(argv)
    if args.command == "list":
        found = generators.listed(args.source)
        width = max(map(len, found), default=0)
        for name, (title, size) in found.items():
            say(f"{name:<{width}}  {size / 1e6:4.1f} MB  {title}")
    elif args.command == "add":
        path = generators.add(args.name, args.called, args.to, args.title)
        say(f"wrote {path}, its weights beside it, and the folder's {generators.INDEX}; gans.hub.load({path.stem!r}"
            f"{'' if args.to is None else f', {args.to!r}'}) loads it")
    else:
        use(args)
    return 0


def use(args):
    """What the commands do that take a generator's name."""
    G = generators.load(args.name, args.source)
    if args.command == "card":
        say(generators.described(G.card))
    elif args.command == "export":
        say(f"wrote {samples.write_onnx(G, args.out or Path(f'{args.name}.onnx'))}: the generator {args.name}")
    elif args.command == "sample":
        path = samples.to_write(args.out or Path(f"{args.name}.png"))
        samples.write(G, G.card["demo"], args.n, args.seed, path)
        say(f"wrote {path}: {args.n} samples of {args.name}, seed {args.seed}")
    else:
        path = samples.to_write(args.out or Path(f"{args.name}-walk.png"))
        save_png(path, grid(generators.walk(G, args.rows, args.points, args.seed), args.points))
        say(f"wrote {path}: {args.rows} ways of {args.points} samples of {args.name}, seed {args.seed}")


if __name__ == "__main__":
    sys.exit(main(command))
