"""Assign rows to subgroups, and subgroups to their intervals."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from clinical.groups import grouping
from clinical.params import Params
from clinical.recorded import Names, Values
from clinical.reference import Conformal
from rows import Rows

type Array = np.ndarray[tuple[int], np.dtype[np.float64]]
type Which = np.ndarray[tuple[int], np.dtype[np.integer]]


@dataclass(frozen=True)
class Groups:
    """The groups of rows: `of` is the index of each row's group, (n,)."""

    names: tuple[tuple[str, ...], ...]
    of: Which

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        """Yield the name of each row's group."""
        return (self.names[place] for place in self.of.tolist())

    def at(self, rows: Which) -> "Groups":
        return Groups(self.names, self.of[rows])

    def divide[Kind: np.generic](
        self, values: np.ndarray[tuple[int], np.dtype[Kind]]
    ) -> Iterator[tuple[tuple[str, ...], np.ndarray[tuple[int], np.dtype[Kind]]]]:
        """Return the values (n,) of each group's rows, by group name."""
        in_order = values[np.argsort(self.of, kind="stable")]
        ends = np.cumsum(np.bincount(self.of, minlength=len(self.names)))
        return zip(self.names, np.split(in_order, ends[:-1]), strict=True)


def groups_in(rows: Rows, by: Names, params: Params) -> Groups:
    """Return the group (n,) of each row by some columns: their values, or bands of them."""
    distinct, which = rows.coded(by)
    found = groups_of(distinct, by, params)
    return Groups(found.names, found.of[which])


def groups_of(said: Sequence[Values], by: Names, params: Params) -> Groups:
    """Return the groups (n,) of rows by their values in some columns."""
    group_of = [grouping(name, params) for name in by]
    named = [
        tuple(group(value) for group, value in zip(group_of, values, strict=True))
        for values in said
    ]
    names = tuple(sorted(set(named)))
    place = {name: number for number, name in enumerate(names)}
    return Groups(names, np.array([place[name] for name in named], np.int64))


def half_widths(interval: Conformal, groups: Groups) -> Array:
    """Return the half-width (n,) for rows of these groups (n,)."""
    return np.array([interval.half_width_of(name) for name in groups.names])[groups.of]
