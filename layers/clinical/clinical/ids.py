"""Names of predictions: random, made by the server, and derived from nobody and nothing.

It is apart from `clinical.captured` for a cold start, which need not know what a capture is.
"""

import os

ID_BYTES = 16


def new_ids(number: int) -> list[str]:
    """Make ids of so many predictions: 128 random bits each, as 32 hexadecimal digits.

    They come from the kernel at every call, and nothing is drawn ahead: environments that SnapStart
    restores from one snapshot would go on from the same state of a generator of their own.
    """
    drawn = os.urandom(ID_BYTES * number).hex()
    return [drawn[start : start + 2 * ID_BYTES] for start in range(0, len(drawn), 2 * ID_BYTES)]
