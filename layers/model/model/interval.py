"""The interval around a score, as it is served."""

import numpy as np

from model.scorer import HIGHEST, LOWEST, Scores


def interval_around(scores: Scores, half_width: float) -> tuple[Scores, Scores]:
    """Give the lower and upper ends for scores (n,): clamped to 0 to 10, two decimals.

    Ends are rounded outwards, so that an interval never holds less than was measured.
    """
    low = np.floor(100 * (scores - half_width)) / 100
    high = np.ceil(100 * (scores + half_width)) / 100
    return np.clip(low, LOWEST, HIGHEST), np.clip(high, LOWEST, HIGHEST)
