"""How often a patient on one treatment does better than such a patient on another."""

from collections.abc import Callable

import numpy as np
from clinical.reference import Conformal, Differences

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


def as_wide(half_widths: Floats, interval: Conformal) -> Floats:
    """Give half widths (n,) as multiples of that of all."""
    of_all = interval.half_width
    return half_widths / of_all if of_all else np.ones_like(half_widths)


def comparable(apart: Floats, wide: Floats, other: Floats) -> Floats:
    """Give differences of scores (n,) as they would be with residuals as wide as those of all.

    wide, other: how wide the intervals of the two rows are, as a multiple of that of all (n,).
    """
    both = np.sqrt((wide**2 + other**2) / 2)
    return np.divide(apart, both, out=np.array(apart, np.float64), where=both > 0)
