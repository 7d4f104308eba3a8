"""Doctests are run with the package's names at hand; what needs CuPy is not imported where it is missing."""

import importlib.util

collect_ignore = [] if importlib.util.find_spec("cupy") else ["backend/cuda.py"]
