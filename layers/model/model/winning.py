"""How often a patient on one treatment does better than such a patient on another."""

from collections.abc import Callable

import numpy as np
from clinical.reference import Differences

type Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def win_probability(differences: Differences, higher_is: str) -> Callable[[Floats], Floats]:
    """Give what maps differences of scores (n,), first less second, to probabilities (n,).

    It is the probability that the first of two patients has the better outcome, ties counting half:
    that the difference of two residuals does not make up for that of the scores. It is never 0 or
    1, for n residuals cannot tell of what happens more seldom than to one in n + 1.
    Source: Hayter, Win probabilities for regression models, 2012.
    """
    quantiles = np.array(differences.quantiles)
    probabilities = np.linspace(0, 1, len(quantiles))
    sign = 1 if higher_is == "better" else -1
    most = differences.residuals / (differences.residuals + 1)

    def probability(apart: Floats) -> Floats:
        made_up = np.interp(np.abs(apart), quantiles, probabilities) * most
        return np.asarray(0.5 + 0.5 * sign * np.sign(apart) * made_up)

    return probability
