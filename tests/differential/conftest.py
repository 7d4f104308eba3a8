"""Without PyTorch there is nothing to import here; test_differential.py then says so."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("torch") else ["[!t]*.py"]
