"""Cases for the ops of convert.py."""

from minigrad.convert import Cast, Clone, CopyTo
from minigrad.testing.registry import case


def one(s):
    """One array."""
    return s.normal(s.shape()),


case(Cast, lambda x: Cast(x.dtype)(x), one, "clone")
case(Clone, lambda x: x.clone(), one, "clone")
case(CopyTo, lambda x: CopyTo(str(x.device))(x), one, "clone")
