"""Prediction intervals, from out-of-fold residuals of training rows."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from clinical.params import Params
from clinical.recorded import Names
from clinical.reference import Conformal, Differences, GroupWidth
from grouped import Groups, groups_in, half_widths
from rows import Rows
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from retrain.averaging import Averaging, Counting
from retrain.encoding import Matrix, as_table
from retrain.families import REGRESSOR
from retrain.folds import folds
from retrain.many_rows import Columns, Which, some_of

MOST_RESIDUALS = 2_000  # whose differences are all taken: 2 million pairs
QUANTILES = 201  # of the differences, 0.5% of them apart

type Array = np.ndarray[tuple[int], np.dtype[np.float64]]


@dataclass(frozen=True)
class LeftOut:
    """Training rows, by index (m,), with their out-of-fold predictions.

    scores: (m,), by the columns that were treated as unknown.
    """

    rows: Which
    scores: dict[Names, Array]


def predicted_when_left_out(
    model: Pipeline, features: Matrix, training: Rows, counted: Counting, params: Params
) -> LeftOut:
    """Predict training rows with models fitted on the other folds: all rows, or a sample of many.

    By the columns that are treated as unknown: none, and each combination that a request may leave
    out. The values that they are averaged over also come from the other folds.
    model: whose encoder is fitted. features: the training rows, encoded (n, d).
    """
    target = training.target()
    rows = some_of(len(target), params.seed)
    predicted = {over: np.empty(len(rows)) for over in ((), *params.left_out)}
    for fitted_on, fold in folds(params.intervals.folds, params).split(features):
        (places,) = np.isin(rows, fold, assume_unique=True).nonzero()
        left_out = rows[places]
        regressor = clone(model[-1]).fit(features[fitted_on], target[fitted_on])
        predicted[()][places] = regressor.predict(features[left_out])
        if not params.left_out:
            continue
        fitted = Pipeline([*model.steps[:-1], (REGRESSOR, regressor)])
        averaged = Averaging(training, counted(fitted_on), params)
        for over in params.left_out:
            predicted[over][places] = averaged.predict(by_table(fitted), over, left_out)
    return LeftOut(rows, predicted)


def by_table(fitted: Pipeline) -> Callable[[Columns], Array]:
    """Return a function that predicts columns (n,) with a fitted pipeline."""
    return lambda columns: fitted.predict(as_table(columns))


def conformal(
    residuals: Array, params: Params, over: Names = (), by: Names = (), groups: Groups | None = None
) -> Conformal:
    """Calculate an interval from out-of-fold residuals (n,).

    by, groups: the columns whose groups have separate intervals, and the group (n,) of each row.
    """
    coverage, widest = params.intervals.coverage, params.width
    return Conformal(
        coverage=coverage,
        half_width=interval_half_width(residuals, coverage, widest),
        residuals=len(residuals),
        folds=params.intervals.folds,
        over=over,
        by=by,
        groups=tuple(
            GroupWidth(
                of=group,
                half_width=interval_half_width(own, coverage, widest),
                residuals=len(own),
            )
            for group, own in (groups.divide(residuals) if groups else ())
            if len(own) >= params.intervals.min_group_rows
        ),
    )


def interval_half_width(residuals: Array, coverage: float, widest: float) -> float:
    """Return the half-width of an interval that contains a fraction of recorded scores.

    It is the (n + 1) x coverage-th smallest absolute residual (n,), rounded up; if there are not
    that many, it is the whole scale, `widest`. Source: Vovk, Cross-conformal predictors, 2015; Lei
    et al., Distribution-Free Predictive Inference for Regression, 2018.
    """
    rank = math.ceil((len(residuals) + 1) * coverage)
    if rank > len(residuals):
        return widest
    return float(np.sort(np.abs(residuals))[rank - 1])


# ---- Groups with intervals of their own ----


def chosen_by(residuals: Array, rows: Which, training: Rows, params: Params) -> Names:
    """Choose the columns whose groups have separate intervals, by params.yaml or by the rows.

    residuals: of training rows, by index (n,).

    `auto` takes the column that most improves the worst coverage of any subgroup, if it improves it
    by more than one standard error. Each fold is evaluated with widths from the other folds.
    Source of intervals by group: Vovk et al., Algorithmic Learning in a Random World, 2005,
    section 4.5 (Mondrian predictors).
    """
    if params.intervals.by != "auto":
        return params.intervals.by
    later = params.roles.known_after_treatment
    subgroups = {
        name: groups_in(training, (name,), params).at(rows) for name in params.roles.subgroups
    }
    worst, error = worst_undercoverage(residuals, (), None, subgroups, params)
    best: Names = ()
    limit = worst - error
    for name, groups in subgroups.items():
        if name in later:
            continue
        its_worst, _ = worst_undercoverage(residuals, (name,), groups, subgroups, params)
        if its_worst < limit:
            best, limit = (name,), its_worst
    return best


def worst_undercoverage(
    residuals: Array,
    by: Names,
    groups: Groups | None,
    subgroups: Mapping[str, Groups],
    params: Params,
) -> tuple[float, float]:
    """Return the largest undercoverage of any subgroup, and its standard error.

    subgroups: the group (n,) of each row, by column. Both results are fractions.
    """
    held = np.empty(len(residuals), np.bool_)
    for others, fold in folds(params.intervals.folds, params).split(residuals):
        within = groups and groups.at(others)
        interval = conformal(residuals[others], params, by=by, groups=within)
        widths = half_widths(interval, groups.at(fold)) if groups else interval.half_width
        held[fold] = np.abs(residuals[fold]) <= widths
    worst, rows = 0.0, len(residuals)
    for of_rows in subgroups.values():
        for _, own in of_rows.divide(held):
            if len(own) < params.intervals.min_group_rows:
                continue
            missed = params.intervals.coverage - float(own.mean())
            if missed > worst:
                worst, rows = missed, len(own)
    coverage = params.intervals.coverage
    return worst, math.sqrt(coverage * (1 - coverage) / rows)


# ---- Pairs of patients ----


def differences(residuals: Array, widths: Array, half_width: float) -> Differences:
    """Describe the distribution of the difference of two residuals (n,).

    widths: the half-width of each row's interval (n,). half_width: the overall one, to which
    residuals are scaled: a group with wider intervals has wider residuals of the same shape.
    Source: Hayter, Win probabilities for regression models, 2012.
    """
    as_wide = np.divide(half_width, widths, out=np.ones_like(widths), where=widths > 0)
    scaled = np.sort(residuals * as_wide)
    if len(scaled) > MOST_RESIDUALS:
        middles = (np.arange(MOST_RESIDUALS) + 0.5) / MOST_RESIDUALS
        scaled = np.quantile(scaled, middles)
    first, second = np.triu_indices(len(scaled), 1)
    apart = np.abs(scaled[first] - scaled[second])
    quantiles = np.quantile(apart, np.linspace(0, 1, QUANTILES))
    return Differences(
        quantiles=tuple(round(one, 9) for one in quantiles.tolist()), residuals=len(residuals)
    )
