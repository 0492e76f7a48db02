"""Scores and their intervals, as served."""

import numpy as np
from clinical.params import Params

from model.scorer import Scores


def served(scores: Scores, params: Params) -> list[float]:
    """Clamp scores (n,) to the target's range, and round them to its decimals."""
    (lowest, highest), decimals = params.scale, params.target.decimals
    return [round(min(max(score, lowest), highest), decimals) for score in scores.tolist()]


def interval_around(
    scores: Scores, half_width: float | Scores, params: Params
) -> tuple[Scores, Scores]:
    """Return the interval ends for scores (n,), in the target's range and decimals.

    half_width: one for all, or one for each (n,).

    Ends are rounded outwards, so that an interval never covers less than was measured.
    """
    (lowest, highest), unit = params.scale, 10**params.target.decimals
    low = np.floor(unit * (scores - half_width)) / unit
    high = np.ceil(unit * (scores + half_width)) / unit
    # As np.clip does, which takes four times as long for a single row.
    return (
        np.minimum(np.maximum(low, lowest), highest),
        np.minimum(np.maximum(high, lowest), highest),
    )
