"""Combinations recorded in the data, and the mean over them if some columns are not yet known."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clinical.frozen import Frozen
from clinical.kinds import Value

type Values = tuple[Value, ...]
type Names = tuple[str, ...]


class Combination(Frozen):
    """Values recorded together in the data set, and the number of training rows with them."""

    values: dict[str, Value]
    training_rows: int


@dataclass(frozen=True)
class Choice:
    """Possible values of unknown columns, with their weight; weights add up to 1."""

    values: Values
    weight: float


class Recorded:
    """Combinations of the same columns, grouped by some of them."""

    def __init__(self, combinations: Iterable[Combination]) -> None:
        self.combinations = tuple(combinations)
        self._grouped: dict[tuple[Names, Names], dict[Values, dict[Values, int]]] = {}
        self._choices: dict[Names, dict[Values, tuple[Choice, ...]]] = {}

    @property
    def columns(self) -> Names:
        return tuple(self.combinations[0].values) if self.combinations else ()

    def grouped(self, by: Names, of: Names) -> Mapping[Values, Mapping[Values, int]]:
        """Count training rows by the values of some columns, then by the values of others."""
        if (by, of) not in self._grouped:
            grouped: dict[Values, dict[Values, int]] = {}
            for one in self.combinations:
                key = tuple(one.values[name] for name in by)
                value = tuple(one.values[name] for name in of)
                counts = grouped.setdefault(key, {})
                counts[value] = counts.get(value, 0) + one.training_rows
            self._grouped[by, of] = grouped
        return self._grouped[by, of]

    def choices(self, row: Mapping[str, Value], unknown: Names) -> tuple[Choice, ...]:
        """List the possible values of unknown columns given the rest of a row, weighted.

        Weights are proportional to training rows. Values that no training row has with the rest
        weigh the same; if nothing was recorded with the rest, all recorded values count.
        """
        rest = self.rest(unknown)
        return self.choices_of(tuple(row.get(name) for name in rest), unknown)

    def choices_of(self, rest: Values, unknown: Names) -> tuple[Choice, ...]:
        """List the possible values given the values of all other columns, in order."""
        known = self._choices.setdefault(unknown, {})
        if rest not in known:
            grouped = self.grouped(self.rest(unknown), unknown)
            known[rest] = weighted(grouped.get(rest) or self.grouped((), unknown)[()])
        return known[rest]

    def rest(self, unknown: Names) -> Names:
        """Name the other columns, which are known."""
        return tuple(name for name in self.columns if name not in unknown)


def weighted(counts: Mapping[Values, int]) -> tuple[Choice, ...]:
    """Weight values by their counts; equally if all counts are 0."""
    total = sum(counts.values())
    if not total:
        return tuple(Choice(values, 1 / len(counts)) for values in counts)
    return tuple(Choice(values, count / total) for values, count in counts.items() if count)
