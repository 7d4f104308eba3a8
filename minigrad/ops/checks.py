"""What functions ask of their arguments before they begin."""

import operator


def place_in(name, what, value, n):
    """An integer in -n..n - 1, counted from 0 on; IndexError, for `name`, for others."""
    place = whole(name, what, value)
    if not -n <= place < n:
        raise IndexError(f"{name}: {what} is {place}; places go from 0 to {n - 1}")
    return place % n


def whole(name, what, value):
    """`value` as an int: Python's own, NumPy's, or a tensor of one integer; TypeError, for `name`, for others."""
    try:
        if not isinstance(value, bool):
            return operator.index(value)
    except (TypeError, ValueError):
        pass
    raise TypeError(f"{name}: {what} is {value!r:.60}; give an integer")


def floating_only(name, *xs):
    """TypeError for integers and bools, which have no floating result of their own kind."""
    for x in xs:
        if x.dtype.kind in "biu":
            raise TypeError(f"{name}: the input is {x.dtype}, which cannot hold the fractions of the result; call "
                            ".float() on it first")
