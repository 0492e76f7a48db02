"""Paired bootstrap: the uncertainty of figures due to the choice of held-out rows.

All estimates of equally many rows use the same resamples, so that two models are compared on equal
rows. Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile
intervals) and 12 (studentised intervals, for figures with a standard error of their own).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from clinical.verdict import Estimate

type Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
type Number = float | Array
type Indices = np.ndarray[tuple[int, int], np.dtype[np.int64]]

DECIMALS = 6  # of a figure: what comes after them depends on the machine
BLOCKS = 5_000  # of rows, where there are more
MANY = 10_000  # rows: of more, a figure's resamples are drawn by their blocks
DRAWN_AT_ONCE = 4_000_000  # row numbers in memory: 32 MB, whatever the data set's size


@dataclass(frozen=True)
class Figure:
    """A figure that is a function of means over rows.

    of_rows: calculates it from columns (..., n). summed: calculates the terms to average, (n,)
    each. of_means: calculates the figure from their means (...).
    """

    of_rows: Callable[..., Array]
    summed: Callable[..., tuple[Array, ...]]
    of_means: Callable[..., Array]

    def __call__(self, *columns: Array) -> Array:
        """Return the figure of columns (..., n)."""
        return self.of_rows(*columns)


@dataclass(frozen=True)
class Bootstrap:
    """The settings of the bootstrap: resamples, seed and confidence."""

    resamples: int
    confidence: float
    seed: int

    def of_two(self) -> "Bootstrap":
        """Return a bootstrap for two intervals that hold jointly with this confidence.

        Source: Bonferroni's inequality.
        """
        return replace(self, confidence=one_of_two(self.confidence))

    def estimate(self, statistic: Callable[..., Array], *columns: Array) -> Estimate:
        """Estimate a figure of the rows.

        columns: float arrays (n,), resampled together.
        statistic: takes them as (..., n), and returns the figures (...).
        """
        rows = len(columns[0])
        if rows > MANY and isinstance(statistic, Figure):
            summed = np.column_stack([np.ones(rows), *statistic.summed(*columns)])
            number, *totals = self.sums(summed).T
            drawn = statistic.of_means(*(total / number for total in totals))
        else:
            drawn = np.concatenate(
                [statistic(*(column[some] for column in columns)) for some in self._draws(rows)]
            )
        tail = (1 - self.confidence) / 2
        low, high = np.quantile(drawn, [tail, 1 - tail])
        return estimate_of(statistic(*columns), low, high)

    def sums(self, columns: Array) -> Array:
        """Sum columns (n, k) over the rows of every resample: (resamples, k).

        For many rows, blocks are drawn, whose sums vary as much as those of rows.
        """
        blocks = in_blocks(columns)
        return np.concatenate([counts @ blocks for counts in self._counts(len(blocks))])

    def _counts(self, rows: int) -> Iterator[Array]:
        """Yield how often each row is in each resample: (some resamples, n), part by part."""
        for drawn in self._draws(rows):
            places = drawn + rows * np.arange(len(drawn))[:, np.newaxis]
            counted = np.bincount(places.ravel(), minlength=drawn.size)
            yield counted.reshape(drawn.shape).astype(np.float64)

    def studentised(
        self, values: Array, errors: Array, drawn: Array, drawn_errors: Array
    ) -> list[Estimate]:
        """Estimate figures (k,) that have standard errors (k,): bootstrap-t, with equal tails.

        drawn, drawn_errors: the same for each resample, (resamples, k); NaN if it has none.
        The coverage is correct with fewer rows than for percentile intervals.
        """
        tail = (1 - self.confidence) / 2
        estimates = []
        for value, error, others, their_errors in zip(
            values, errors, drawn.T, drawn_errors.T, strict=True
        ):
            known = their_errors > 0  # NaN is not
            if not (error > 0 and known.any()):
                estimates.append(estimate_of(value, value, value))
                continue
            ratios = (others[known] - value) / their_errors[known]
            low, high = np.quantile(ratios, [tail, 1 - tail])
            estimates.append(estimate_of(value, value - high * error, value - low * error))
        return estimates

    def _draws(self, rows: int) -> Iterator[Indices]:
        generator = np.random.default_rng(self.seed)
        at_once = max(1, DRAWN_AT_ONCE // rows)
        for first in range(0, self.resamples, at_once):
            yield generator.integers(0, rows, (min(at_once, self.resamples - first), rows))


def one_of_two(confidence: float) -> float:
    """Return the confidence of each of two joint intervals, as in `Bootstrap.of_two`."""
    return (1 + confidence) / 2


def in_blocks(columns: Array) -> Array:
    """Sum columns (n, k) over blocks of interleaved rows: (BLOCKS, k); few rows are unchanged."""
    rows, width = columns.shape
    if rows <= BLOCKS:
        return columns
    filled = np.zeros((-rows % BLOCKS, width))
    summed: Array = np.concatenate([columns, filled]).reshape(-1, BLOCKS, width).sum(axis=0)
    return summed


def estimate_of(value: Number, low: Number, high: Number) -> Estimate:
    """Round a figure and its interval to digits that do not depend on the machine."""
    value, low, high = (round(float(one), DECIMALS) for one in (value, low, high))
    return Estimate(value=value, low=low, high=high)


def _root_mean_square(errors: Array) -> Array:
    return np.asarray(np.sqrt((errors**2).mean(axis=-1)))


def _r2(errors: Array, recorded: Array) -> Array:
    deviations = ((recorded - recorded.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1)
    return _one_less_ratio((errors**2).sum(axis=-1), deviations)


def _one_less_ratio(above: Array, below: Array) -> Array:
    whole = np.where(below > 0, below, 1.0)
    return np.where(below > 0, 1 - above / whole, np.where(above > 0, 0.0, 1.0))


# The root of the mean squared error.
rmse = Figure(_root_mean_square, lambda errors: (errors**2,), np.sqrt)

# The mean absolute error.
mae = Figure(
    lambda errors: np.asarray(np.abs(errors).mean(axis=-1)),
    lambda errors: (np.abs(errors),),
    np.asarray,
)

# The mean of values.
mean = Figure(lambda values: np.asarray(values.mean(axis=-1)), lambda values: (values,), np.asarray)

# 1 - squared errors / squared deviations from the rows' own mean, for errors and recorded scores.
# If all rows are equal, it is 1 without errors and otherwise 0, as in scikit-learn.
r2 = Figure(
    _r2,
    lambda errors, recorded: (
        errors**2,
        recorded - recorded.mean(),
        (recorded - recorded.mean()) ** 2,
    ),
    lambda squares, off, squares_off: _one_less_ratio(squares, squares_off - off**2),
)

# 1 - RMSE / RMSE of the average baseline, on the same rows.
skill = Figure(
    lambda errors, of_average: _one_less_ratio(rmse(errors), rmse(of_average)),
    lambda errors, of_average: (errors**2, of_average**2),
    lambda squares, of_average: _one_less_ratio(np.sqrt(squares), np.sqrt(of_average)),
)

# RMSE less another's RMSE, on the same rows.
rmse_difference = Figure(
    lambda errors, others: rmse(errors) - rmse(others),
    lambda errors, others: (errors**2, others**2),
    lambda squares, others: np.sqrt(squares) - np.sqrt(others),
)
