"""Generators by name, small and trained: `gans.hub.load("mnist-dcgan")`; `python -m gans.hub list` shows them.

Those that come with the package are in this folder, each with a card beside its weights; they learnt from MNIST,
Fashion-MNIST and faces drawn by code, none from photographs. gans/machinery/generators.py has the rest.
"""


def load(name, source=None, device="cpu"):
    """The generator of that name, in evaluation mode: it takes noise (N, *G.seed_shape), as `gans.load`'s does.

    Args:
        name: of one that comes with the package, or that `python -m gans.hub add RUN` made one's own.
        source: a folder with generators, or the https:// address of an index of some, to be used instead.
        device: where it is to be.

    Returns:
        The generator; G.card says what it is, G.seed_shape, G.value_range and others how to use it.

    Raises:
        MinigradError: there is none of that name, a card does not match its weights, an index is none, its host is
            away, or what came is not what it says: one line, and nothing of it is kept.

    >>> G = load("mnist-steady")
    >>> G.seed_shape, G.value_range
    ((100,), (0.0, 1.0))
    """
    from gans.machinery import generators

    return generators.load(name, source, device)
