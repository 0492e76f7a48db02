"""Permutation tests: p-values of differences between two samples of rows.

Rows of both samples are pooled and dealt out again: if nothing has changed, every deal is as likely
as the observed one. This works for any number of rows and for rare levels, without assumptions
about distributions. Sources: Pitman, Significance tests which may be applied to samples from any
populations, 1937 (the permutations); Besag and Clifford, Sequential Monte Carlo p-values,
Biometrika 78, 1991 (when to stop); Šidák, Journal of the American Statistical Association 62, 1967
(the joint probability).
"""

from collections.abc import Callable, Sequence

import numpy as np

ENOUGH = 25  # deals that differ as much: then the probability is known to a fifth of itself
FIRST_DEALS = 100
MOST_AT_ONCE = 20_000
DEALT_AT_ONCE = 1_000_000  # values in memory: 8 MB, whatever the samples' size
PER_ALARM = 5  # deals more than the rarest probability that has to be told takes
NOTHING = 1e-9  # of a statistic: equal deals are equal, however they were added up

type Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
type Counts = np.ndarray[tuple[int], np.dtype[np.int64]]
type Dealing = Callable[[int], Array]


def p_value_of(observed: float, deal: Dealing, most: int) -> float:
    """Return the p-value of a statistic: how often chance alone makes one at least as large.

    deal: returns the statistics of a number of deals (k,). most: deals; fewer if they are enough.
    """
    as_large = dealt = 0
    at_once = FIRST_DEALS
    while dealt < most:
        exceeds = deal(min(at_once, most - dealt)) >= observed - NOTHING
        more = int(np.count_nonzero(exceeds))
        if as_large + more >= ENOUGH:  # as if no deal had followed the one that was enough
            last = int(np.flatnonzero(exceeds)[ENOUGH - as_large - 1])
            return ENOUGH / (dealt + last + 1)
        as_large, dealt = as_large + more, dealt + len(exceeds)
        at_once = min(2 * at_once, MOST_AT_ONCE)
    return (1 + as_large) / (1 + dealt)


def joint(p_values: Sequence[float]) -> float | None:
    """Return the probability that any of independent tests has a p-value as small as the least."""
    if not p_values:
        return None
    return float(-np.expm1(len(p_values) * np.log1p(-min(*p_values, 1 - NOTHING))))


def deals_for(simulations: int, tests: int, alarm_level: float) -> int:
    """Return the number of deals that one of several tests needs to raise a joint alarm."""
    return max(simulations, int(np.ceil(PER_ALARM * max(tests, 1) / alarm_level)))


# ---- Shares of levels ----


def standardised(reference: Counts, window: Counts) -> Array:
    """Return the differences of level shares (k,) in standard errors, above 0 for an increase.

    The standard errors assume equal shares in both samples.
    """
    of_reference, of_window = int(reference.sum()), int(window.sum())
    pooled = (reference + window) / (of_reference + of_window)
    error = np.sqrt(pooled * (1 - pooled) * (1 / of_reference + 1 / of_window))
    apart = window / of_window - reference / of_reference
    return np.divide(apart, error, out=np.zeros_like(apart), where=error > 0)


def shares_p_value(
    reference: Counts, window: Counts, generator: np.random.Generator, most: int
) -> float:
    """Return the p-value of the largest of those differences."""
    pooled = reference + window
    there = pooled > 0
    if np.count_nonzero(there) < 2:  # noqa: PLR2004 - one level says nothing
        return 1.0
    pooled, rows = pooled[there], int(window.sum())
    share = pooled / pooled.sum()
    others = int(reference.sum())
    error = np.sqrt(share * (1 - share) * (1 / others + 1 / rows))
    scale = (1 / rows + 1 / others) / error

    def deal(number: int) -> Array:
        drawn = generator.multivariate_hypergeometric(pooled, rows, number, method="marginals")
        return np.asarray((np.abs(drawn - rows * share) * scale).max(axis=1))

    return p_value_of(float(np.abs(standardised(reference, window)).max()), deal, most)


# ---- Means of values ----


def mean_p_value(
    reference: Array, window: Array, generator: np.random.Generator, most: int
) -> float:
    """Return the p-value of the mean of a window's values (n,) being above the reference's (m,)."""
    pooled, rows = np.concatenate([reference, window]), len(window)

    def deal(number: int) -> Array:
        at_once = max(1, DEALT_AT_ONCE // len(pooled))
        return np.concatenate(
            [
                dealt_means(pooled, rows, min(at_once, number - first), generator)
                for first in range(0, number, at_once)
            ]
        )

    scale = float(np.abs(pooled).max()) or 1.0
    pooled = pooled / scale
    return p_value_of(float((window / scale).mean()), deal, most)


def dealt_means(pooled: Array, rows: int, number: int, generator: np.random.Generator) -> Array:
    """Draw rows from all values (n,) repeatedly, and return the mean of each deal."""
    keys = generator.random((number, len(pooled)), np.float32)
    chosen = np.argpartition(keys, rows - 1, axis=1)[:, :rows]
    return np.asarray(pooled[chosen].mean(axis=1))
