"""Ids of predictions: random, made by the server, and derived from nothing.

Separate from `clinical.captured` so that a cold start does not import captures.
"""

import os

ID_BYTES = 16


def new_ids(number: int) -> list[str]:
    """Return ids for a number of predictions: 128 random bits each, as 32 hexadecimal digits.

    Every call reads them from the kernel, and none are drawn ahead: environments that SnapStart
    restores from the same snapshot would otherwise continue from the same generator state.
    """
    drawn = os.urandom(ID_BYTES * number).hex()
    return [drawn[start : start + 2 * ID_BYTES] for start in range(0, len(drawn), 2 * ID_BYTES)]
