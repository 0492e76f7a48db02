"""Calibration: recorded compared with predicted scores on the held-out rows.

Sources: Van Calster et al., Calibration: the Achilles heel of predictive analytics, BMC Medicine
17, 2019 (what to report); Harrell, Regression Modeling Strategies, 2nd edition, 2015, section 2.4
(restricted cubic splines and their knots); MacKinnon and White, Journal of Econometrics 29, 1985
(HC1, standard errors that hold for unequal noise).
"""

import numpy as np
from bootstrap import Array, Bootstrap, estimate_of
from clinical.verdict import Calibration, CalibrationBin, CurvePoint, Estimate

BINS = 10
BIN_ROWS = 20  # that a bin should have; fewer rows make fewer bins
POINTS = 21  # of the smooth line
ENDS = (0.01, 0.99)  # of the predictions, from where to where it is drawn
# Harrell's quantiles for the knots, by their number.
KNOTS = {3: (0.1, 0.5, 0.9), 4: (0.05, 0.35, 0.65, 0.95)}
ROWS_FOR_4_KNOTS = 100
RIDGE = 1e-9  # for a resample that cannot tell the spline's columns apart
NOTHING = 1e-12  # of a variance of 1: what rounding leaves of none


def calibration(recorded: Array, predicted: Array, bootstrap: Bootstrap) -> Calibration:
    """Compare recorded with predicted scores (n,).

    If all predictions are the same, there is one bin and no line: the intercept is the mean
    recorded score and the slope is 0, without intervals.
    """
    intercept, slope = _line(recorded, predicted, bootstrap)
    differences = (recorded - predicted)[:, np.newaxis]
    (in_the_large,) = _means(differences, np.ones_like(differences), bootstrap)
    bins = _bins(predicted)
    members = (bins[:, np.newaxis] == np.unique(bins)).astype(np.float64)
    rows = members.sum(axis=0)
    return Calibration(
        intercept=intercept,
        slope=slope,
        in_the_large=in_the_large,
        bins=tuple(
            CalibrationBin(predicted=round(float(at), 6), recorded=found, rows=int(number))
            for at, found, number in zip(
                predicted @ members / rows,
                _means(recorded[:, np.newaxis], members, bootstrap),
                rows,
                strict=True,
            )
        ),
    )


def curve(recorded: Array, predicted: Array, bootstrap: Bootstrap) -> tuple[CurvePoint, ...]:
    """Fit a smooth curve to recorded over predicted scores (n,), with pointwise intervals.

    It is a restricted cubic spline by least squares, a straight line if predictions take too few
    values, and nothing if they take only one. Intervals are percentiles, each for its point.
    """
    distinct = len(np.unique(predicted))
    if distinct == 1:
        return ()
    knots = _knots(predicted, distinct)
    lowest, highest = np.quantile(predicted, ENDS)
    at = np.linspace(lowest, highest, POINTS)
    # With orthonormal columns, the normal equations lose nothing to rounding.
    columns, triangle = np.linalg.qr(_spline(predicted, knots))
    points = np.linalg.solve(triangle.T, _spline(at, knots).T).T
    centre = recorded.mean()
    width = columns.shape[1]
    products = (columns[:, :, np.newaxis] * columns[:, np.newaxis]).reshape(-1, width**2)
    summed = bootstrap.sums(
        np.column_stack([products, columns * (recorded - centre)[:, np.newaxis]])
    )
    squares = summed[:, : width**2].reshape(-1, width, width) + RIDGE * np.eye(width)
    fitted = np.linalg.solve(squares, summed[:, width**2 :, np.newaxis])[..., 0]
    tail = (1 - bootstrap.confidence) / 2
    low, high = np.quantile(fitted @ points.T, [tail, 1 - tail], axis=0)
    line = points @ (columns.T @ (recorded - centre))
    return tuple(
        CurvePoint(predicted=round(float(x), 6), recorded=estimate_of(*(centre + one)))
        for x, one in zip(at, np.column_stack([line, low, high]), strict=True)
    )


def _line(recorded: Array, predicted: Array, bootstrap: Bootstrap) -> list[Estimate]:
    """Return intercept and slope of recorded on predicted scores (n,), studentised."""
    centre, spread = predicted.mean(), predicted.std()
    if spread <= NOTHING * max(1.0, abs(centre)):
        return [estimate_of(*[one] * 3) for one in (recorded.mean(), 0.0)]
    # Standardised deviations from the line of all rows, so that sums of powers are exact.
    x = (predicted - centre) / spread
    slope, level = (x * recorded).mean(), recorded.mean()
    rest = recorded - level - slope * x
    powers = x[:, np.newaxis] ** np.arange(5)
    columns = np.column_stack(
        [powers, rest[:, np.newaxis] * powers[:, :4], rest[:, np.newaxis] ** 2 * powers[:, :3]]
    )
    zero = -centre / spread  # where a score of 0 is
    values, errors = _fitted(columns.sum(axis=0), zero)
    drawn, drawn_errors = _fitted(bootstrap.sums(columns), zero)
    back, offset = np.array([1.0, 1 / spread]), np.array([level + slope * zero, slope])
    return bootstrap.studentised(
        (values + offset) * back,
        errors * back,
        (drawn + offset) * back,
        drawn_errors * back,
    )


def _fitted(sums: Array, zero: float) -> tuple[Array, Array]:
    """Fit a line to each of (...) sums: height at `zero` and slope (..., 2), standard errors.

    sums: (..., 12) of x^0 to x^4, r x^0 to r x^3 and r² x^0 to r² x^2. NaN if x does not vary.
    """
    x, rx, rrx = sums[..., :5], sums[..., 5:9], sums[..., 9:]
    rows = x[..., 0]
    mean = x[..., 1] / rows
    varied = x[..., 2] - rows * mean**2
    varied = np.where(varied > NOTHING * rows, varied, np.nan)
    slope = (rx[..., 1] - mean * rx[..., 0]) / varied
    level = rx[..., 0] / rows - slope * mean
    # Sums of squared residuals e = r - level - slope x, times x^0, x^1 and x^2.
    squared = [
        rrx[..., k]
        + level**2 * x[..., k]
        + slope**2 * x[..., k + 2]
        - 2 * level * rx[..., k]
        - 2 * slope * rx[..., k + 1]
        + 2 * level * slope * x[..., k + 1]
        for k in range(3)
    ]
    first = squared[1] - mean * squared[0]
    second = squared[2] - 2 * mean * squared[1] + mean**2 * squared[0]
    away = (zero - mean) / varied
    variances = [
        squared[0] / rows**2 + 2 * away * first / rows + away**2 * second,
        second / varied**2,
    ]
    corrected = np.stack(variances, axis=-1) * (rows / np.maximum(rows - 2, 1))[..., np.newaxis]
    return (
        np.stack([level + slope * zero, slope], axis=-1),
        np.sqrt(np.maximum(corrected, 0)),
    )


def _means(values: Array, members: Array, bootstrap: Bootstrap) -> list[Estimate]:
    """Estimate the mean of values (n, 1) within each group of members (n, k), studentised."""
    centre, spread = values.mean(), values.std()
    scaled = (values - centre) / (spread if spread > 0 else 1.0)
    columns = np.hstack([members, members * scaled, members * scaled**2])
    found = _mean_and_error(columns.sum(axis=0))
    drawn = _mean_and_error(bootstrap.sums(columns))
    return bootstrap.studentised(
        centre + spread * found[0],
        spread * found[1],
        centre + spread * drawn[0],
        spread * drawn[1],
    )


def _mean_and_error(sums: Array) -> tuple[Array, Array]:
    """Return means and standard errors (..., k) from sums (..., 3 k): rows, values, squares."""
    rows, total, squares = np.split(sums, 3, axis=-1)
    enough = np.where(rows > 1, rows, np.nan)
    mean = total / enough
    variance = (squares / enough - mean**2) * enough / (enough - 1)
    variance[variance < NOTHING] = 0
    return np.where(rows > 0, total / np.maximum(rows, 1), np.nan), np.sqrt(variance / enough)


def _bins(predicted: Array) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the bin number of each prediction (n,); equal predictions share a bin."""
    wanted = int(np.clip(len(predicted) // BIN_ROWS, 1, BINS))
    edges = np.unique(np.quantile(predicted, np.arange(1, wanted) / wanted))
    return np.searchsorted(edges, predicted, side="left")


def _knots(predicted: Array, distinct: int) -> Array:
    """Place the knots of the spline: fewer for few rows or values, and none for a line."""
    wanted = 4 if len(predicted) >= ROWS_FOR_4_KNOTS else 3
    knots = np.unique(np.quantile(predicted, KNOTS[wanted]))
    return knots if len(knots) >= min(KNOTS) and distinct > len(knots) else np.empty(0)


def _spline(x: Array, knots: Array) -> Array:
    """Return the columns (n, k) of a restricted cubic spline, linear beyond the outer knots."""
    columns = [np.ones_like(x), x]
    if len(knots):
        first, last_but_one, last = knots[0], knots[-2], knots[-1]
        cubes = np.maximum(x[:, np.newaxis] - knots, 0) ** 3
        for place, knot in enumerate(knots[:-2]):
            bend = (
                cubes[:, place]
                - cubes[:, -2] * (last - knot) / (last - last_but_one)
                + cubes[:, -1] * (last_but_one - knot) / (last - last_but_one)
            )
            columns.append(bend / (last - first) ** 2)
    return np.column_stack(columns)
