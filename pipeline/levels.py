"""The levels of a column, whose shares are compared: its listed values, or bins of numbers.

The bins of a number come from the reference data: ten with about equally many rows, or fewer if it
takes few values.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from clinical.kinds import Kind, Value
from clinical.population import Levels

BINS = 10
MISSING = "missing"

type Array = np.ndarray[tuple[int], np.dtype[np.float64]]
type Counts = np.ndarray[tuple[int], np.dtype[np.int64]]
type Places = np.ndarray[tuple[int], np.dtype[np.int64]]


def levels_of(
    column: str, kind: Kind, distinct: Sequence[tuple[Value, ...]], counts: Counts
) -> Levels:
    """Count a column's rows by its levels.

    distinct: the values in the column, and in the column that it is counted from, if any; values
    may be repeated. counts: the rows (k,) with each.
    """
    if kind.listed:
        names = (*map(kind.group_of, kind.listed), *([MISSING] if kind.nullable else ()))
        empty = Levels(column=column, names=names, counts=(0,) * len(names))
    else:
        numbers = features_of(kind, distinct)
        known = ~np.isnan(numbers)
        step = kind.widget.get("step", 0.0)
        empty = levels_of_numbers(
            column, numbers[known], counts[known], step, nullable=kind.nullable
        )
    return counted(empty, places_of(empty, kind, distinct), counts)


def levels_of_scores(
    column: str, scores: Array, decimals: int, over: tuple[str, ...] = ()
) -> Levels:
    """Count scores (n,), as served, by bins of their own."""
    distinct, counts = np.unique(scores, return_counts=True)
    empty = levels_of_numbers(column, distinct, counts, 10.0**-decimals, over=over)
    return counted(empty, places_of_numbers(empty, distinct), counts)


def levels_of_numbers(  # noqa: PLR0913 - what levels are called and made of
    column: str,
    numbers: Array,
    counts: Counts,
    step: float,
    *,
    over: tuple[str, ...] = (),
    nullable: bool = False,
) -> Levels:
    """Make bins of numbers (k,) with their row counts (k,); no row is counted yet.

    step: the difference between one number and the next, 0 if unknown.
    """
    edges = edges_between(numbers, counts, step)
    names = (*named(edges, step), *([MISSING] if nullable else ()))
    return Levels(column=column, over=over, names=names, edges=edges, counts=(0,) * len(names))


def edges_between(numbers: Array, counts: Counts, step: float) -> tuple[float, ...]:
    """Divide numbers (k,) so that all bins have about equally many rows (k,).

    Each edge is an existing number, the one nearest to each tenth of the rows; if there are few
    numbers, each is a bin. A constant number still has a bin of its own.
    """
    order = np.argsort(numbers, kind="stable")
    distinct, first = np.unique(numbers[order], return_index=True)
    if not len(distinct):
        return ()
    if len(distinct) == 1:
        only = float(distinct[0])
        above = only + step if step else float(np.nextafter(only, np.inf))
        return (only, above)
    if len(distinct) <= BINS:
        return tuple(distinct[1:].tolist())
    below = np.concatenate([[0], np.cumsum(counts[order])])[first[1:]]  # rows under each but one
    wanted = np.arange(1, BINS) * counts.sum() / BINS
    after = np.clip(np.searchsorted(below, wanted), 1, len(below) - 1)
    before = after - 1
    nearest = np.where(wanted - below[before] <= below[after] - wanted, before, after)
    return tuple(distinct[1:][np.unique(nearest)].tolist())


def named(edges: tuple[float, ...], step: float) -> tuple[str, ...]:
    """Name bins by their first and last number, such as "25-31", or "1.5 to under 2.5"."""
    if not edges:
        return ("all",)

    def between(start: float, end: float) -> str:
        if step and round((end - start) / step) == 1:
            return written(start)
        if step == 1:
            return f"{written(start)}-{written(end - 1)}"
        return f"{written(start)} to under {written(end)}"

    return (
        f"under {written(edges[0])}",
        *(between(*pair) for pair in pairwise(edges)),
        f"{written(edges[-1])} and over",
    )


def written(number: float) -> str:
    return np.format_float_positional(number, trim="-")


def features_of(kind: Kind, distinct: Sequence[tuple[Value, ...]]) -> Array:
    """Return the model's features for values of a number: (k,), NaN if missing."""
    return np.array([kind.feature(*values) for values in distinct], np.float64)


def places_of(levels: Levels, kind: Kind, distinct: Sequence[tuple[Value, ...]]) -> Places:
    """Return the index of each value's level (k,); the number of levels if it has none."""
    if not kind.listed:
        return places_of_numbers(levels, features_of(kind, distinct))
    names = levels.names
    known: dict[Value, int] = {
        value: names.index(kind.group_of(value))
        for value in kind.listed
        if kind.group_of(value) in names
    }
    if kind.nullable and names[-1] == MISSING:
        known[None] = len(names) - 1
    return np.array([known.get(values[0], len(names)) for values in distinct], np.int64)


def places_of_numbers(levels: Levels, numbers: Array) -> Places:
    """Return the index of each number's level (k,); the number of levels if it has none."""
    places = np.searchsorted(np.array(levels.edges), numbers, side="right")
    has_missing = len(levels.names) == len(levels.edges) + 2
    places[np.isnan(numbers)] = len(levels.names) - 1 if has_missing else len(levels.names)
    return np.asarray(places, np.int64)


def counted(levels: Levels, places: Places, counts: Counts) -> Levels:
    """Count rows (k,) by their levels (k,)."""
    found = np.bincount(places, counts, len(levels.names))[: len(levels.names)]
    return levels.model_copy(update={"counts": tuple(found.astype(np.int64).tolist())})
