"""Predict rows as if some columns were not known yet: the mean over what was recorded with them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np
from clinical.kinds import Value
from clinical.params import Params
from clinical.recorded import Combination, Names, Recorded, Values
from rows import DTYPES, Rows

MOST_CHOICES = 64  # that a score is averaged over, of columns outside roles.recorded_together

type Column = np.ndarray[tuple[int], np.dtype[np.generic]]
type Columns = Mapping[str, Column]
type Scores = np.ndarray[tuple[int], np.dtype[np.float64]]
type Which = np.ndarray[tuple[int], np.dtype[np.int64]]


class Averaging:
    """Predictions of rows, averaged over columns that are taken as unknown.

    recorded: what was recorded together, with its training rows.
    """

    def __init__(self, rows: Rows, recorded: Recorded, params: Params) -> None:
        self._rows = rows
        self._recorded = recorded
        self._params = params
        self._features = rows.features()

    def predict(self, predict: Callable[[Columns], Scores], over: Names, which: Which) -> Scores:
        """Predict some of the rows, by their numbers (n,): scores (n,)."""
        known = self._rows.together(self._recorded.rest(over))
        choices = [self._recorded.choices_of(known[row], over) for row in which.tolist()]
        sizes = np.array([len(one) for one in choices])
        repeated = np.repeat(which, sizes)
        columns = {name: column[repeated] for name, column in self._features.items()}
        for place, name in enumerate(over):
            kind = self._params.columns[name]
            columns[name] = np.array(
                [kind.feature(one.values[place]) for each in choices for one in each],
                DTYPES[kind.tensor],
            )
        weights = np.array([one.weight for each in choices for one in each])
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        averaged: Scores = np.add.reduceat(weights * predict(columns), starts)
        return averaged


class Counting(Protocol):
    """Says what was recorded together, counting some of the training rows, by their numbers."""

    def __call__(self, which: Iterable[int]) -> Recorded: ...


def counting(
    combinations: Sequence[Mapping[str, Value]], training: Rows, params: Params
) -> Counting:
    """Count what is known later with the rest, in as many of the training rows as is asked.

    combinations: that the data set records; where they name all that is known later, each is
    listed, even one that no training row has.
    """
    together, later = params.roles.recorded_together, params.roles.known_after_treatment
    columns = tuple(dict.fromkeys((*together, *later)))
    values = training.together(columns)
    listed = [tuple(one[name] for name in together) for one in combinations]

    def counted(which: Iterable[int]) -> Recorded:
        counts = Counter(values[row] for row in which)
        if columns == together:
            return Recorded(as_combinations(together, {one: counts[one] for one in listed}))
        return Recorded(as_combinations(columns, thinned(counts, len(together))))

    return counted


def thinned(counts: Mapping[Values, int], fixed: int) -> dict[Values, int]:
    """Keep, of what follows the first `fixed` values, few enough to average over.

    Where there are more than MOST_CHOICES, rows are taken at equal distances along their order:
    quantiles, where they are numbers.
    """
    groups: dict[Values, list[tuple[Values, int]]] = {}
    for one, count in counts.items():
        groups.setdefault(one[:fixed], []).append((one, count))
    kept: dict[Values, int] = {}
    for group in groups.values():
        if len(group) <= MOST_CHOICES:
            kept |= group
            continue
        in_order = sorted(group, key=lambda pair: in_order_of(pair[0]))
        ends = np.cumsum([count for _, count in in_order])
        middles = (np.arange(MOST_CHOICES) + 0.5) * ends[-1] / MOST_CHOICES
        taken = Counter(np.searchsorted(ends, middles, side="right").tolist())
        kept |= {in_order[place][0]: number for place, number in sorted(taken.items())}
    return kept


def in_order_of(values: Values) -> list[tuple[bool, Value]]:
    """Sort values; what is missing comes first."""
    return [(value is not None, value) for value in values]


def as_combinations(columns: Names, counts: Mapping[Values, int]) -> tuple[Combination, ...]:
    return tuple(
        Combination(values=dict(zip(columns, values, strict=True)), training_rows=count)
        for values, count in counts.items()
    )
