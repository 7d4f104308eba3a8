"""`python -m bench`: the benchmarks, a line each."""

import ast
from pathlib import Path


def main():
    """Print each benchmark's command and the first line of its file."""
    print("python -m bench.NAME runs a benchmark; python -m bench.NAME --help tells its options.\n")
    for path in sorted(Path(__file__).parent.glob("*.py")):
        source = path.read_text()
        if "def main(" in source and path.stem != "__main__":
            print(f"  python -m bench.{path.stem:<12} {ast.get_docstring(ast.parse(source)).splitlines()[0]}")


if __name__ == "__main__":
    main()
