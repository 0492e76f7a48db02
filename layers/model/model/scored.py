"""A score and the interval around it, as they are served."""

import numpy as np
from clinical.params import Params

from model.scorer import Scores


def served(scores: Scores, params: Params) -> list[float]:
    """Serve of scores (n,) what the API promises: within the target's range, so many decimals."""
    (lowest, highest), decimals = params.scale, params.target.decimals
    return [round(min(max(score, lowest), highest), decimals) for score in scores.tolist()]


def interval_around(
    scores: Scores, half_width: float | Scores, params: Params
) -> tuple[Scores, Scores]:
    """Give the lower and upper ends for scores (n,): within the target's range, so many decimals.

    half_width: of all of them, or of each (n,).

    Ends are rounded outwards, so that an interval never holds less than was measured.
    """
    unit = 10**params.target.decimals
    low = np.floor(unit * (scores - half_width)) / unit
    high = np.ceil(unit * (scores + half_width)) / unit
    return np.clip(low, *params.scale), np.clip(high, *params.scale)
