"""Whether requests resemble the data that the model was trained on.

Every column's shares of levels are compared with the data's. The alarm depends on how rarely chance
alone makes the largest difference as large; the population stability index is shown for information
and raises no alarm, because without drift it is "large" in most small windows.
Source of the index and its bands: Siddiqi, Credit Risk Scorecards, 2006.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from clinical.monitored import Band, ColumnDrift, Drift, Moved, ScoreGap
from clinical.params import Params
from clinical.population import Levels, Population
from levels import MISSING, Counts
from subgroups import order_of

from monitor.chance import deals_for, joint, shares_p_value, standardised
from monitor.requests import Counted
from monitor.wording import p_in_words, shares_in_words

MODERATE, LARGE = 0.1, 0.2  # of the population stability index
LEAST_SHARE = 0.0001  # in the index, which is undefined for a level without rows
ANOTHER = "another value"
DECIMALS = 6

type Shares = np.ndarray[tuple[int], np.dtype[np.float64]]


def drift_of(found: Counted, population: Population, params: Params) -> Drift:
    """Compare a window's predictions with the version's data."""
    level, least = params.monitoring.false_alarms.drift, params.monitoring.min_requests
    compared = list(columns_of(found, population, params))
    tested = [
        place
        for place, (reference, window, _) in enumerate(compared)
        if window.sum() >= least and reference.sum() and np.count_nonzero(reference + window) > 1
    ]
    most = deals_for(params.monitoring.simulations, len(tested), level)
    p_values = {
        place: shares_p_value(*compared[place][:2], _generator(params, place), most)
        for place in tested
    }
    columns = tuple(
        _column_drift(levels, reference, window, p_values.get(place), len(tested), params)
        for place, (reference, window, levels) in enumerate(compared)
    )
    p_value = joint(list(p_values.values()))
    of_all = found.overall
    return Drift(
        requests=found.requests,
        p_value=p_value,
        alarm_level=level,
        drifted=p_value is not None and p_value < level,
        says=_says(found, columns, p_value, len(tested), params),
        columns=columns,
        score_mean=_rounded(of_all.mean) if of_all.rows else None,
        score_variance=_rounded(of_all.variance) if of_all.rows else None,
        reference_score_mean=_rounded(population.score_mean),
        reference_score_variance=_rounded(population.score_variance),
        gaps=tuple(gaps(found, params)),
    )


def without_population(requests: int, version: str, params: Params) -> Drift:
    """Return the result for a version of an earlier release, which allows no comparison."""
    return Drift(
        requests=requests,
        p_value=None,
        alarm_level=params.monitoring.false_alarms.drift,
        drifted=False,
        says=f"{version} was published by an earlier release, which did not keep the distribution "
        "of its data: there is nothing to compare requests with until a new version serves.",
    )


def columns_of(
    found: Counted, population: Population, params: Params
) -> Iterator[tuple[Counts, Counts, Levels]]:
    """Yield the counts of each column, in the data and in the window, by the same levels."""
    for levels in population.features:
        if levels.column not in found.features:
            continue  # the contract no longer has this column
        later = levels.column in params.roles.known_after_treatment
        only_known = later and params.columns[levels.column].nullable
        yield _side_by_side(levels, found.features[levels.column], only_known=only_known)
    for levels in population.scores:
        yield _side_by_side(levels, found.scores[levels.over], only_known=False)


def _side_by_side(
    levels: Levels, window: Counts, *, only_known: bool
) -> tuple[Counts, Counts, Levels]:
    """Align a window's counts with the data's.

    only_known: whether missing values, whose level is the last, are left out of both.
    """
    names, reference = list(levels.names), np.array([*levels.counts, 0], np.int64)
    keep = np.ones(len(reference), np.bool_)
    keep[-1] = window[-1] > 0
    if only_known and names[-1] == MISSING:
        keep[-2] = False
    shown = [name for name, kept in zip([*names, ANOTHER], keep, strict=True) if kept]
    return reference[keep], window[keep], levels.model_copy(update={"names": tuple(shown)})


def _generator(params: Params, place: int) -> np.random.Generator:
    return np.random.default_rng([params.seed, place])


def _column_drift(  # noqa: PLR0913, PLR0917 - what a column is compared by
    levels: Levels,
    reference: Counts,
    window: Counts,
    p_value: float | None,
    tested: int,
    params: Params,
) -> ColumnDrift:
    rows, of_data = int(window.sum()), int(reference.sum())
    before, now = reference / max(of_data, 1), window / max(rows, 1)
    shown = ColumnDrift(
        column=levels.column,
        over=levels.over,
        rows=rows,
        reference_rows=of_data,
        levels=levels.names,
        reference=tuple(map(_rounded, before)),
        window=tuple(map(_rounded, now)),
    )
    if rows < params.monitoring.min_requests or not of_data:
        return shown
    index = stability_index(before, now)
    furthest = int(np.abs(standardised(reference, window)).argmax())
    alone = joint([p_value] * tested) if p_value is not None else None
    return shown.model_copy(
        update={
            "p_value": 1.0 if p_value is None else p_value,
            "psi": _rounded(index),
            "band": band_of(index),
            "moved": Moved(
                level=levels.names[furthest],
                before=_rounded(before[furthest]),
                now=_rounded(now[furthest]),
            ),
            "drifted": alone is not None and alone < params.monitoring.false_alarms.drift,
        }
    )


def stability_index(before: Shares, now: Shares) -> float:
    """Return the population stability index of shares (k,) of the same levels."""
    before, now = np.maximum(before, LEAST_SHARE), np.maximum(now, LEAST_SHARE)
    return float(((now - before) * np.log(now / before)).sum())


def band_of(index: float) -> Band:
    if index < MODERATE:
        return "stable"
    return "moderate" if index < LARGE else "large"


def gaps(found: Counted, params: Params) -> Iterator[ScoreGap]:
    """Yield the mean score of each subgroup's requests, and its distance from the overall mean."""
    for feature in params.roles.subgroups:
        groups = {group: one for (of, group), one in found.groups.items() if of == feature}
        rows = sum(one.rows for one in groups.values())
        for group in sorted(groups, key=order_of(feature, params)):
            of_all = sum(one.total for one in groups.values()) / rows
            yield ScoreGap(
                feature=feature,
                group=group,
                rows=groups[group].rows,
                mean=_rounded(groups[group].mean),
                less_all=_rounded(groups[group].mean - of_all),
            )


# ---- In words ----


def _says(
    found: Counted,
    columns: Sequence[ColumnDrift],
    p_value: float | None,
    tested: int,
    params: Params,
) -> str:
    monitoring = params.monitoring
    if p_value is None:
        if found.requests < monitoring.min_requests:
            return (
                f"Too few to tell: {found.requests:,} request{'' if found.requests == 1 else 's'} "
                f"in {monitoring.window_days} days; at least {monitoring.min_requests} are needed."
            )
        return f"Nothing to compare: {found.requests:,} requests, but no column that could differ."
    if p_value >= monitoring.false_alarms.drift:
        return (
            f"No drift: {found.requests:,} requests do not differ from the version's data by more "
            f"than chance explains ({p_in_words(p_value)})."
        )
    moved = sorted((one for one in columns if one.drifted), key=lambda one: one.p_value or 0.0)
    return " ".join(_moved(one, tested, params) for one in moved)


def _moved(column: ColumnDrift, tested: int, params: Params) -> str:
    """Say which level of a column moved, such as "Drug moved: Sertraline 7 → 13% of …"."""
    kind, moved = params.columns[column.column], column.moved
    if moved is None or column.p_value is None:
        raise ValueError("a column that moved has a level that did")
    is_score = column.column == params.target.column
    level = moved.level
    if (is_score or kind.is_number) and level not in {MISSING, ANOTHER}:
        level = f"{level} {kind.unit}".rstrip() + ","
    named = f"Predicted {column.column}" if is_score else column.column
    if column.over:
        named += f" (before {' and '.join(column.over)} was known)"
    later = column.column in params.roles.known_after_treatment
    return (
        f"{named} moved: {level} {shares_in_words(moved.before, moved.now)} of requests"
        f"{' that include it' if later else ''} "
        f"({p_in_words(joint([column.p_value] * tested) or 0.0)})."
    )


def _rounded(number: float) -> float:
    return round(float(number), DECIMALS) + 0.0
