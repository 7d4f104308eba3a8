"""Apple's GPUs, which are not used."""


def is_available():
    """False."""
    return False


is_built = is_available
