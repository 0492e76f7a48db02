"""Check the calibration of win probabilities: which of two patients does better.

Every pair of held-out rows is a case. Pairs share rows, so uncertainty is calculated over rows.
Sources: Hoeffding, Annals of Mathematical Statistics 19, 1948 (the projection of a mean over pairs
on rows); Mann and Whitney, ibid. 18, 1947 (its variance where probabilities are as predicted).
"""

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from bootstrap import Array, Bootstrap, estimate_of
from clinical.params import Params
from clinical.verdict import WinBin, Wins
from model.winning import comparable

BINS = 10
LEVEL = 0.01  # how often probabilities that are right are said to be off, by any of the bins
MOST_ROWS = 500  # 124,750 pairs; more rows say the same and take longer
LEAST_ROWS = 20  # effective ones, that a bin's pairs are made of; fewer tell nothing

type Probability = Callable[[Array], Array]


def wins_of(
    recorded: Array, predicted: Array, wide: Array, probability: Probability, params: Params
) -> Wins:
    """Check win probabilities on held-out rows (n,)."""
    bootstrap = Bootstrap(params.evaluation.resamples, 1 - LEVEL, params.seed)
    sign = 1.0 if params.target.higher_is == "better" else -1.0
    return check(sign * recorded, predicted, probability, bootstrap, wide)


def check(
    outcome: Array,
    predicted: Array,
    probability: Probability,
    bootstrap: Bootstrap,
    wide: Array | None = None,
) -> Wins:
    """Compare how often the first of two rows did better with the predicted probability.

    outcome: (n,), higher is better. predicted: scores (n,), in units of the target.
    probability: maps differences of predicted scores, first less second, to the probability that
    the first does better.
    bootstrap: its confidence applies to all bins jointly.
    wide: the widths of intervals, as multiples of the overall one (n,), if there are several.

    The half-width of a bin's interval, in standard errors, is the quantile over the resamples of
    the largest studentised deviation of all bins; it contains the predicted probability or not.
    """
    wide = np.ones(len(outcome)) if wide is None else wide
    if len(outcome) > MOST_ROWS:
        drawn = np.random.default_rng(bootstrap.seed).permutation(len(outcome))[:MOST_ROWS]
        drawn.sort()
        outcome, predicted, wide = outcome[drawn], predicted[drawn], wide[drawn]
    rows = len(outcome)
    first, second = np.triu_indices(rows, k=1)
    apart = comparable(predicted[first] - predicted[second], wide[first], wide[second])
    expected = probability(apart)
    won = (1 + np.sign(outcome[first] - outcome[second])) / 2
    bins = np.minimum((expected * BINS).astype(np.int64), BINS - 1)

    def by_row(which: np.ndarray[tuple[int], np.dtype[np.int64]], values: Array | None) -> Array:
        """Sum a figure of pairs by one of their rows and by bin: (n, bins)."""
        places = which * BINS + bins
        return np.bincount(places, values, rows * BINS).reshape(rows, BINS).astype(np.float64)

    pairs = np.bincount(bins, minlength=BINS)
    some = np.maximum(pairs, 1)
    predicted_mean = np.bincount(bins, expected, BINS) / some
    won_mean = np.bincount(bins, won, BINS) / some
    off = won_mean - predicted_mean
    deviation = won - expected - off[bins]
    shares = (by_row(first, deviation) + by_row(second, deviation)) / some
    as_first, as_second = by_row(first, None), by_row(second, None)
    together, net = as_first + as_second, (as_first - as_second) / some
    known = together.sum(axis=0) ** 2 >= LEAST_ROWS * np.maximum((together**2).sum(axis=0), 1)
    # If all pairs came out the same, the rows' own spread underestimates the uncertainty.
    uncertain = np.bincount(bins, expected * (1 - expected), BINS) / some
    least = uncertain * ((net**2).sum(axis=0) + 1 / some) / 3
    errors = np.sqrt(np.maximum((shares**2).sum(axis=0), least))
    width = _width(shares[:, known], least[known], bootstrap) if known.any() else 0.0
    return Wins(
        rows=rows,
        bins=tuple(
            WinBin(
                predicted=round(
                    float(predicted_mean[one] if pairs[one] else (one + 0.5) / BINS), 6
                ),
                won=estimate_of(
                    won_mean[one],
                    max(won_mean[one] - width * errors[one], 0.0),
                    min(won_mean[one] + width * errors[one], 1.0),
                )
                if known[one]
                else None,
                pairs=int(pairs[one]),
            )
            for one in range(BINS)
        ),
        holds=bool((np.abs(off) <= width * errors)[known].all()),
    )


def _width(shares: Array, least: Array, bootstrap: Bootstrap) -> float:
    """Return the largest deviation of all bins in the resamples, in standard errors.

    shares: each row's contribution to its bins' deviations (n, bins). least: variance of each bin.
    """
    bins = shares.shape[1]
    summed = bootstrap.sums(np.hstack([shares, shares**2]))
    errors = np.sqrt(np.maximum(summed[:, bins:], np.maximum(least, np.finfo(float).tiny)))
    largest = (np.abs(summed[:, :bins]) / errors).max(axis=1)
    width = float(np.quantile(largest, bootstrap.confidence, method="higher"))
    # Rows without any variation would give 0: it is never less than for a single bin.
    return max(width, NormalDist().inv_cdf((1 + bootstrap.confidence) / 2))
