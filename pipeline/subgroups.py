"""Errors and coverage of the groups in roles.subgroups."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from clinical.groups import bands_of
from clinical.params import Params
from clinical.verdict import Subgroup
from figures import bootstrap_of
from grouped import Groups, groups_in
from rows import Rows
from simultaneous import coverage_by_group, errors_by_group

type Array = np.ndarray[tuple[int], np.dtype[np.float64]]
type Which = np.ndarray[tuple[int], np.dtype[np.bool_]]


def subgroups(
    rows: Rows, errors: Array, held: Which, target: float, params: Params
) -> Iterator[Subgroup]:
    """Calculate the figures of all groups of each column in roles.subgroups, jointly.

    errors: (n,). held: whether each interval, with the target coverage `target`, contains its
    recorded score.
    """
    groups = {name: groups_in(rows, (name,), params) for name in params.roles.subgroups}
    return subgroups_of(groups, errors, held, target, params)


def subgroups_of(
    groups_by: Mapping[str, Groups], errors: Array, held: Which, target: float, params: Params
) -> Iterator[Subgroup]:
    """Calculate the figures of groups (n,) of rows in each of those columns."""
    named = [
        (feature, group, groups.of == groups.names.index((group,)))
        for feature, groups in groups_by.items()
        for group in sorted((name for (name,) in groups.names), key=order_of(feature, params))
    ]
    enough = [
        members
        for _, _, members in named
        if np.count_nonzero(members) >= params.evaluation.min_subgroup_rows
    ]
    bootstrap = bootstrap_of(params)
    family = np.array(enough, np.bool_).reshape(len(enough), len(errors)).T
    figures = zip(
        errors_by_group(errors, family, bootstrap),
        coverage_by_group(held, family, target, bootstrap),
        strict=True,
    )
    for feature, group, members in named:
        number = int(np.count_nonzero(members))
        told = Subgroup(feature=feature, group=group, rows=number)
        if number >= params.evaluation.min_subgroup_rows:
            found, coverage = next(figures)
            told = told.model_copy(
                update={
                    "rmse": found.rmse,
                    "mae": found.mae,
                    "mean_error": found.mean_error,
                    "coverage": coverage,
                    "off_zero": found.off_zero,
                }
            )
        yield told


def order_of(feature: str, params: Params) -> Callable[[str], tuple[int, str]]:
    """Return a sort key: bands in their order, other groups alphabetically."""
    starts = params.roles.subgroups[feature]
    bands = [] if starts is None else bands_of(starts, params.columns[feature])
    return lambda group: (bands.index(group) if group in bands else len(bands), group)
