"""Handle many rows: process them in blocks, or use a sample.

Up to `LEAST_JUDGED` rows, results are the same as without this module.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from clinical.params import Params

AT_ONCE = 2**24  # encoded numbers in memory: 64 MB of float32, whatever the data set's size
# The size of a sample: the 90% quantile of this many residuals has a standard error of 0.13% of
# coverage, and the penalty of a regression a smaller one.
MOST_JUDGED = 50_000
LEAST_JUDGED = 10_000  # however wide they are

type Column = np.ndarray[tuple[int], np.dtype[np.generic]]
type Columns = Mapping[str, Column]
type Scores = np.ndarray[tuple[int], np.dtype[np.float64]]
type Which = np.ndarray[tuple[int], np.dtype[np.integer]]


def blocks_of(rows: int, width: int) -> Iterator[slice]:
    """Divide rows of `width` encoded numbers into blocks that fit into memory.

    They begin at multiples of a power of 2, where linear algebra groups rows as without blocks.
    """
    size = 2 ** max((AT_ONCE // width).bit_length() - 1, 0)
    for first in range(0, max(rows, 1), size):  # of no rows, one that has none
        yield slice(first, min(first + size, rows))


def some_of(rows: int, seed: int, width: int = 1) -> Which:
    """Draw a sample of row indices, in order; all rows if they are not many.

    width: the encoded numbers per row, if the sample is to be smaller for wide rows.
    """
    most = min(MOST_JUDGED, max(AT_ONCE // width, LEAST_JUDGED))
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).permutation(rows)[:most])


def width_of(params: Params) -> int:
    """Return the number of encoded numbers per row with one-hot categories."""
    return sum(len(kind.categories or (None,)) for kind in params.features.values())


def in_blocks(
    predict: Callable[[Columns], Scores], columns: Columns, rows: int, params: Params
) -> Scores:
    """Predict columns (n,) block by block: scores (n,)."""
    return np.concatenate(
        [
            predict({name: column[block] for name, column in columns.items()})
            for block in blocks_of(rows, width_of(params))
        ]
    )
