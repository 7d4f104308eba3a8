"""Intel's GPUs, which are not used."""


def is_available():
    """False."""
    return False


def device_count():
    """0."""
    return 0
