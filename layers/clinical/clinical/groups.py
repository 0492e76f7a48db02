"""The subgroups of patients that figures and intervals are reported for: `roles.subgroups`."""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import pairwise

from clinical.kinds import Kind, Value
from clinical.params import Params


def grouping(name: str, params: Params) -> Callable[[Value], str]:
    """Return a function that names a value's group: the value, or its band, such as "35-49"."""
    kind, starts = params.columns[name], params.roles.subgroups[name]
    if starts is None:
        return kind.group_of
    names = bands_of(starts, kind)

    def band(value: Value) -> str:
        if value is None:
            return kind.group_of(None)
        return names[bisect_right(starts, float(kind.feature(value))) - 1]

    return band


def bands_of(starts: tuple[float, ...], kind: Kind) -> list[str]:
    """Name bands by their first and last value, such as "35-49" or "1.5 to under 2.5"."""
    last = kind.widget["range"][1]
    if kind.widget["step"] == 1:
        ends = [*(start - 1 for start in starts[1:]), last]
        return [f"{start:g}-{end:g}" for start, end in zip(starts, ends, strict=True)]
    under = [f"{start:g} to under {end:g}" for start, end in pairwise(starts)]
    return [*under, f"{starts[-1]:g} to {last:g}"]


def groups_by(
    names: tuple[str, ...], params: Params
) -> Callable[[Mapping[str, Value]], tuple[str, ...]]:
    """Return a function that names a patient's group in each of some columns."""
    groupings = [(name, grouping(name, params)) for name in names]
    return lambda values: tuple(group(values.get(name)) for name, group in groupings)
