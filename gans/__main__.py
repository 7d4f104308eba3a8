"""`python -m gans`: the demos, a line each."""

import ast
from pathlib import Path

DEMOS = ("pattern1010", "mnist", "cgan", "face", "dcgan")


def main():
    """Print each demo's command and the first line of its file."""
    print("python -m gans.NAME runs a demo; python -m gans.NAME --help tells its options.\n")
    for name in DEMOS:
        title = ast.get_docstring(ast.parse((Path(__file__).parent / f"{name}.py").read_text())).splitlines()[0]
        print(f"  python -m gans.{name:<12} {title}")


if __name__ == "__main__":
    main()
