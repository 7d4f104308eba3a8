"""The cases, one file a family as in `minigrad/ops`. A new file here is found by itself; see `testing.registry`."""
