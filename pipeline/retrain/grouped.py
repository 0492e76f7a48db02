"""The groups that rows are in, and the intervals that go by them."""

from collections.abc import Sequence

import numpy as np
from clinical.groups import grouping
from clinical.params import Params
from clinical.recorded import Names
from clinical.reference import Conformal
from rows import Rows

type Array = np.ndarray[tuple[int], np.dtype[np.float64]]
type Groups = list[tuple[str, ...]]


def groups_of(rows: Rows, name: str, params: Params) -> list[str]:
    """Name the group (n,) of each row in a column: what it says, or the band of it."""
    group = grouping(name, params)
    known = {value: group(value) for value in set(rows.values(name))}
    return [known[value] for value in rows.values(name)]


def groups_in(rows: Rows, by: Names, params: Params) -> Groups:
    """Name the group (n,) of each row in some columns."""
    columns = [groups_of(rows, name, params) for name in by]
    return list(zip(*columns, strict=True)) if columns else [()] * rows.number


def half_widths(interval: Conformal, groups: Sequence[tuple[str, ...]]) -> Array:
    """Give the half width (n,) for rows of these groups (n,)."""
    return np.array([interval.half_width_of(group) for group in groups])
