"""Win probabilities: how often a patient on one treatment does better than one on another."""

from collections.abc import Callable

import numpy as np
from clinical.reference import Conformal, Differences

type Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def win_probability(differences: Differences, higher_is: str) -> Callable[[Floats], Floats]:
    """Return the function from differences of scores (n,), first less second, to probabilities.

    The probability is that the first of two patients has the better outcome, ties counting half:
    that the difference of their residuals does not outweigh the difference of their scores. It is
    never 0 or 1, because n residuals say nothing about events rarer than one in n + 1.
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
    """Return half-widths (n,) as multiples of the overall one."""
    of_all = interval.half_width
    return half_widths / of_all if of_all else np.ones_like(half_widths)


def comparable(apart: Floats, wide: Floats, other: Floats) -> Floats:
    """Scale differences of scores (n,) to residuals of the overall width.

    wide, other: the widths of the two rows' intervals, as multiples of the overall one (n,).
    """
    both = np.sqrt((wide**2 + other**2) / 2)
    return np.divide(apart, both, out=np.array(apart, np.float64), where=both > 0)
