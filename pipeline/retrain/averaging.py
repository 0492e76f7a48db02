"""Predict rows as if some columns were not known yet: the mean over their recorded values."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from clinical.kinds import Value
from clinical.params import Params
from clinical.recorded import Combination, Names, Recorded, Values
from rows import DTYPES, Rows

from retrain.many_rows import Column, Columns, Scores, Which, blocks_of, width_of

MOST_CHOICES = 64  # that a score is averaged over, of columns outside roles.recorded_together


class Averaging:
    """Predictions of rows, averaged over columns that are treated as unknown.

    recorded: the recorded combinations, with their training rows.
    """

    def __init__(self, rows: Rows, recorded: Recorded, params: Params) -> None:
        self._rows = rows
        self._recorded = recorded
        self._params = params
        self._features = rows.features()

    def predict(self, predict: Callable[[Columns], Scores], over: Names, which: Which) -> Scores:
        """Predict some of the rows, by index (n,): scores (n,)."""
        known, of_rows = self._rows.coded(self._recorded.rest(over))
        choices = [self._recorded.choices_of(one, over) for one in known]
        sizes = np.array([len(one) for one in choices])
        firsts = np.cumsum(sizes) - sizes
        weights = np.array([one.weight for each in choices for one in each])
        values = {
            name: self._as_feature(name, [one.values[place] for each in choices for one in each])
            for place, name in enumerate(over)
        }
        averaged = np.empty(len(which))
        for block in blocks_of(len(which), width_of(self._params) * int(sizes.max())):
            rows = which[block]
            known_of, number = of_rows[rows], sizes[of_rows[rows]]
            starts = np.cumsum(number) - number
            chosen = np.arange(number.sum()) + np.repeat(firsts[known_of] - starts, number)
            repeated = np.repeat(rows, number)
            columns = {
                name: values[name][chosen] if name in values else column[repeated]
                for name, column in self._features.items()
            }
            averaged[block] = np.add.reduceat(weights[chosen] * predict(columns), starts)
        return averaged

    def _as_feature(self, name: str, values: Sequence[Value]) -> Column:
        kind = self._params.columns[name]
        return np.array([kind.feature(value) for value in values], DTYPES[kind.tensor])


class Counting(Protocol):
    """Returns recorded combinations, counted in some of the training rows, by index."""

    def __call__(self, which: Which) -> Recorded: ...


def counting(
    combinations: Sequence[Mapping[str, Value]], training: Rows, params: Params
) -> Counting:
    """Count the values known later with the rest, in the requested training rows.

    combinations: those recorded in the data set; if they include all columns known later, each is
    listed, even if no training row has it.
    """
    together, later = params.roles.recorded_together, params.roles.known_after_treatment
    columns = tuple(dict.fromkeys((*together, *later)))
    coded = training.coded(columns)
    listed = [tuple(one[name] for name in together) for one in combinations]

    def counted(which: Which) -> Recorded:
        counts = counts_of(coded, which)
        if columns == together:
            return Recorded(as_combinations(together, {one: counts.get(one, 0) for one in listed}))
        return Recorded(as_combinations(columns, thinned(counts, len(together))))

    return counted


def counts_of(
    coded: tuple[Sequence[Values], Which], which: Which | None = None
) -> dict[Values, int]:
    """Count rows, or some by index, by their values, in order of appearance.

    coded: the distinct values, and the index (n,) of each row's.
    """
    distinct, of_rows = coded
    found, firsts, counts = np.unique(
        of_rows if which is None else of_rows[which], return_index=True, return_counts=True
    )
    in_order = np.argsort(firsts)
    return {
        distinct[place]: count
        for place, count in zip(found[in_order].tolist(), counts[in_order].tolist(), strict=True)
    }


def thinned(counts: Mapping[Values, int], fixed: int) -> dict[Values, int]:
    """Limit what follows the first `fixed` values to few enough to average over.

    If there are more than MOST_CHOICES, equally spaced ones in sorted order are taken: for numbers,
    quantiles.
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
    """Return a sort key; missing values come first."""
    return [(value is not None, value) for value in values]


def as_combinations(columns: Names, counts: Mapping[Values, int]) -> tuple[Combination, ...]:
    return tuple(
        Combination(values=dict(zip(columns, values, strict=True)), training_rows=count)
        for values, count in counts.items()
    )
