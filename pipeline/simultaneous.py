"""Figures of many groups of the same rows: the intervals of a measure hold jointly.

Each measure is a family of its own over all groups: RMSE, MAE or mean error.
Sources: Romano and Wolf, Exact and approximate stepdown methods for multiple hypothesis testing,
Journal of the American Statistical Association 100, 2005 (the studentised maximum of resampled
rows); Wilson, Probable inference, ibid. 22, 1927.
"""

from dataclasses import dataclass

import numpy as np
from bootstrap import Array, Bootstrap, estimate_of, in_blocks
from clinical.verdict import Estimate

MEASURES = ("RMSE", "MAE", "mean error")
NOTHING = 1e-12  # of a variance of 1: what rounding leaves of none

type Members = np.ndarray[tuple[int, int], np.dtype[np.bool_]]
type Which = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True)
class Errors:
    """The errors of a group; off_zero: whether the interval of the mean excludes 0."""

    rmse: Estimate
    mae: Estimate
    mean_error: Estimate

    @property
    def off_zero(self) -> bool:
        return self.mean_error.low > 0 or self.mean_error.high < 0


def errors_by_group(errors: Array, members: Members, bootstrap: Bootstrap) -> list[Errors]:
    """Estimate RMSE, MAE and mean of errors (n,) within groups, members (n, g), which may overlap.

    An interval is the figure plus and minus a number of its standard errors: the quantile, over the
    resamples, of the largest studentised deviation of all groups. Intervals of RMSE and MAE are
    calculated on the logarithm, and so are positive.
    """
    if not members.shape[1]:
        return []
    scale = float(np.sqrt((errors**2).mean())) or 1.0
    scaled = errors / scale
    groups = members.astype(np.float64)
    # Sums by group: its rows, and the values and squares of the three measures.
    powers = (scaled**0, np.abs(scaled), scaled, scaled**2, scaled**4)
    columns = np.hstack([in_blocks(values[:, np.newaxis] * groups) for values in powers])
    found, drawn = (_by_measure(sums) for sums in (columns.sum(axis=0), bootstrap.sums(columns)))
    widths = [
        float(
            np.quantile(
                _furthest(others, one, logarithm=measure != "mean error"),
                bootstrap.confidence,
                method="higher",
            )
        )
        for measure, one, others in zip(MEASURES, found, drawn, strict=True)
    ]
    squares, sizes, means = zip(found, widths, strict=True)
    return [
        Errors(
            rmse=_positive(squares, group, scale, power=0.5),
            mae=_positive(sizes, group, scale, power=1.0),
            mean_error=_around(means, group, scale),
        )
        for group in range(members.shape[1])
    ]


def coverage_by_group(
    held: Which, members: Members, target: float, bootstrap: Bootstrap
) -> list[Estimate]:
    """Estimate the coverage of intervals, bool array (n,), within groups, members (n, g).

    The intervals are Wilson's, with the width, in standard errors, of the largest deviation of all
    groups if the true coverage is `target`.
    """
    if not members.shape[1]:
        return []
    rows = members.sum(axis=0)
    # Rows of the same groups are interchangeable: their covered number is binomial.
    kinds, sizes = np.unique(members, axis=0, return_counts=True)
    drawn = np.random.default_rng(bootstrap.seed).binomial(
        sizes, target, (bootstrap.resamples, len(sizes))
    )
    off = np.abs(drawn @ kinds.astype(np.int64) / rows - target)
    largest = (off / np.sqrt(target * (1 - target) / rows)).max(axis=1)
    width = float(np.quantile(largest, bootstrap.confidence, method="higher"))
    return [
        wilson(float(held[members[:, group]].mean()), int(rows[group]), width)
        for group in range(members.shape[1])
    ]


def wilson(fraction: float, rows: int, width: float) -> Estimate:
    """Return Wilson's interval of a fraction measured on `rows`, of `width` standard errors."""
    more = width**2 / rows
    centre = (fraction + more / 2) / (1 + more)
    half = np.sqrt(more * (fraction * (1 - fraction) + more / 4)) / (1 + more)
    return estimate_of(fraction, max(centre - half, 0.0), min(centre + half, 1.0))


def _by_measure(sums: Array) -> list[tuple[Array, Array]]:
    """Return the groups' means and standard errors of each measure, (..., g) each.

    sums: (..., 5 g) of rows, sizes, errors, squares and fourth powers, group by group.
    """
    rows, sizes, errors, squares, fourth = np.split(sums, 5, axis=-1)
    return [
        _mean_and_error(rows, *one)
        for one in ((squares, fourth), (sizes, squares), (errors, squares))
    ]


def _mean_and_error(rows: Array, total: Array, squares: Array) -> tuple[Array, Array]:
    """Return means and standard errors; the latter are 0 for a group with one value or none."""
    some = np.maximum(rows, 1)
    mean = total / some
    variance = (squares / some - mean**2) * some / np.maximum(some - 1, 1)
    return mean, np.sqrt(np.where((rows > 1) & (variance > NOTHING), variance, 0.0) / some)


def _furthest(drawn: tuple[Array, Array], found: tuple[Array, Array], *, logarithm: bool) -> Array:
    """Return the largest studentised deviation of each resample: (resamples,).

    A resample in which a group has one value or none is ignored for that group.
    """
    (mean, error), (value, _) = drawn, found
    known = error > 0
    error = np.where(known, error, 1.0)
    if logarithm:
        mean = np.where(known, mean, 1.0)
        deviations = np.log(mean / np.where(value > 0, value, 1.0)) * mean / error
    else:
        deviations = (mean - value) / error
    return np.asarray(np.where(known, np.abs(deviations), 0.0).max(axis=-1))


def _around(family: tuple[tuple[Array, Array], float], group: int, scale: float) -> Estimate:
    (value, error), width = family
    half = width * error[group]
    return estimate_of(*(scale * (value[group] + off) for off in (0.0, -half, half)))


def _positive(
    family: tuple[tuple[Array, Array], float], group: int, scale: float, power: float
) -> Estimate:
    """Return a power of a positive mean, with an interval calculated on its logarithm."""
    (value, error), width = family
    if value[group] == 0:
        return estimate_of(0.0, 0.0, 0.0)
    half = width * error[group] / value[group]
    return estimate_of(
        *(scale * (value[group] * np.exp(off)) ** power for off in (0.0, -half, half))
    )
