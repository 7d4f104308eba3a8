"""cuDNN, which is not used: convolutions are matrix products, always computed in the same way."""

enabled = benchmark = allow_tf32 = False
deterministic = True


def is_available():
    """False."""
    return False


def version():
    """None."""
