"""The differences from PyTorch that are meant: patterns, with the reason."""

import re

ROWS = ()


def plain(detail):
    """A detail without numbers and names of values, so that like ones are alike."""
    detail = re.sub(r"'[^']*'|\"[^\"]*\"", "'...'", detail)
    return re.sub(r"\b[a-z]\d+\b|-?\d[\d.e+-]*|\bnan\b|\binf\b|[\[\]()]", "#", detail)[:110]


def explains(line, kind, detail):
    """The row that explains a difference, or None."""
    for row in ROWS:
        if row.fits(line, kind, detail):
            return row
    return None
