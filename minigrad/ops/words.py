"""The words for arguments that PyTorch takes beside its own: NumPy's `axis` and `keepdims`, and `input`, `other`."""

import functools
import inspect

WORDS = {"input": "x", "other": "y", "axis": "dim", "dimension": "dim", "keepdims": "keepdim",
         "split_size_or_sections": "split_size"}


def with_words(f, module=None):
    """f, which also takes those words for its arguments x, y, dim and keepdim; f itself where it has none of them.

    The result says that it stands in `module`, where pickle finds it.

    >>> with_words(lambda x, dim: (x, dim))(input=1, axis=0)
    (1, 0)
    """
    if not set(WORDS.values()).intersection(inspect.signature(f).parameters):
        return f

    @functools.wraps(f)
    def apply(*args, **options):
        if options:
            said = {WORDS.get(name, name): value for name, value in options.items()}
            if len(said) < len(options):
                raise TypeError(f"{f.__name__}: {', '.join(options)} name one argument twice; say each once")
            options = said
        return f(*args, **options)

    apply.__module__ = module or f.__module__
    return apply
