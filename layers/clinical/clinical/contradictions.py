"""Find contradictions between the parts of a study that are each valid, with their paths.

This runs at every start, so it imports nothing heavy. A part that is not valid by itself is None
here; the others are still checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date

    from clinical.kinds import Kind, Value
    from clinical.params import Roles, Target, Tuning

# Keys of every response, beside the identifier's and the target's.
OF_ANSWERS = frozenset(
    {
        *("prediction_id", "interval", "support", "missing"),
        *("model_version", "skill", "disclaimer"),
        *("base_value", "contributions", "explained_by", "standard_errors"),
        *("averaged_over", "treatment", "treatments", "reference", "win_probability"),
        "assignment",
    }
)
# Keys in the log beside a compared treatment's columns.
OF_COMPARED = frozenset({"prediction_id", "interval"})
# Keys of outcomes and captured predictions, beside the target's.
OF_OUTCOMES = frozenset(
    {"observed_at", "received_at", "predicted_at", "features", "source", "outcome"}
)
OF_DROPDOWN_VALUES = frozenset({"valid_combinations", "fields"})
MOST_KNOWN_LATER = 3  # each choice of them has an interval of its own
LISTS = ("treatment", "recorded_together", "known_after_treatment")


@dataclass(frozen=True)
class Contradiction:
    """A mistake: its path in the file, and what is wrong there."""

    path: tuple[str | int, ...]
    reason: str

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.path))}: {self.reason}"


@dataclass(frozen=True)
class Parts:
    """The parts of a study that must agree with one another."""

    columns: Mapping[str, Kind | None]
    target: Target | None
    roles: Roles | None
    intervals_by: str | tuple[str, ...]
    tuning: Tuning | None
    dropdown_keys: Mapping[str, str]

    @property
    def valid(self) -> dict[str, Kind]:
        return {name: kind for name, kind in self.columns.items() if kind is not None}

    @property
    def features(self) -> dict[str, Kind]:
        """The valid columns from which the target is predicted."""
        target = self.target.column if self.target else None
        return {
            name: kind for name, kind in self.valid.items() if kind.is_feature and name != target
        }


class Contradictory(ValueError):
    """When the parts of a study contradict one another."""

    def __init__(self, found: list[Contradiction]) -> None:
        super().__init__("; ".join(map(str, found)))


def contradictions(parts: Parts) -> Iterator[Contradiction]:
    """Find all contradictions."""
    for found in (
        *(_names, _columns, _dates, _target, _roles, _known_later, _subgroups, _intervals),
        _tuning,
        _dropdown_keys,
    ):
        yield from found(parts)


def no_column(name: str, columns: Mapping[str, object]) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - no valid study needs it

    close = get_close_matches(name, list(columns), n=1)
    meant = f"; did you mean {close[0]}?" if close else ""
    return f"schema has no column {name}; its columns are {', '.join(columns)}{meant}"


def _names(parts: Parts) -> Iterator[Contradiction]:
    for name in parts.columns:
        if not name or name != name.strip():
            # Header cells are read without blanks around them.
            yield Contradiction(
                ("schema", name), "a column name must not be empty or have blanks around it"
            )
    identifiers = [name for name, kind in parts.valid.items() if kind.is_unique]
    target = [parts.target.column] if parts.target else []
    for name in {*identifiers, *target} & parts.columns.keys() & OF_ANSWERS:
        reason = (
            f"{name} is already a key of every response; rename the column here and in the data"
        )
        yield Contradiction(("schema", name), reason)
    treatment = parts.roles.treatment if parts.roles else ()
    for name in {*treatment} & parts.columns.keys() & OF_COMPARED:
        reason = (
            f"{name} is already a key of every compared treatment; rename the column here and in "
            "the data"
        )
        yield Contradiction(("schema", name), reason)
    for name in {*target} & parts.columns.keys() & OF_OUTCOMES:
        reason = f"{name} is already a key of every outcome; rename the column here and in the data"
        yield Contradiction(("schema", name), reason)
    if len(identifiers) > 1:
        reason = f"{' and '.join(identifiers)} are identifiers; only one is allowed"
        yield Contradiction(("schema", identifiers[1]), reason)
    if not parts.features and parts.target and None not in parts.columns.values():
        yield Contradiction(("schema",), "there is no column to predict from")


def _columns(parts: Parts) -> Iterator[Contradiction]:
    for name, kind in parts.valid.items():
        example: Value = getattr(kind, "example", None)
        cell = _cell(example)
        if cell and not all(rule.keeps(cell) for rule in kind.rules()):
            reason = f"{cell} is not {_allowed(kind)}"
            yield Contradiction(("schema", name, "example"), reason)
        words: str = getattr(kind, "range_in_words", "")
        if words and not _can_be_filled(words):
            reason = "only {min} and {max} are allowed in braces"
            yield Contradiction(("schema", name, "range_in_words"), reason)


def _cell(value: Value | date) -> str:
    """Return a value as a CSV cell; "" for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.12f}".rstrip("0").rstrip(".")
    return str(value)


def _allowed(kind: Kind) -> str:
    if kind.listed:
        return f"one of its values: {', '.join(map(str, kind.listed))}"
    if (scale := _scale(kind)) is not None:
        return f"a value from {scale[0]} to {scale[1]}"
    return f"text of 1 to {getattr(kind, 'max_length', 0)} characters"


def _can_be_filled(words: str) -> bool:
    try:
        words.format(min=0, max=1)
    except (LookupError, ValueError, AttributeError, TypeError):
        return False
    return True


def _dates(parts: Parts) -> Iterator[Contradiction]:
    for name, kind in parts.features.items():
        since = kind.since_column
        if since is None:
            continue
        path = ("schema", name, "since")
        other = parts.valid.get(since)
        if since not in parts.columns:
            yield Contradiction(
                path, f"{no_column(since, parts.columns)}; write a fixed day as 2026-01-31"
            )
        elif since == name or (other is not None and other.since_column == name):
            yield Contradiction(path, f"{since} is counted from {name} itself")
        elif other is not None and (since not in parts.features or not _are_alike(other, kind)):
            yield Contradiction(path, f"{since} is not a date")


def _are_alike(one: Kind, other: Kind) -> bool:
    return type(one) is type(other)


def _target(parts: Parts) -> Iterator[Contradiction]:
    if parts.target is None:
        return
    name = parts.target.column
    if name not in parts.columns:
        yield Contradiction(("target", "column"), no_column(name, parts.columns))
    elif (kind := parts.valid.get(name)) is None:
        return
    elif not kind.may_be_target:
        reason = f"schema.{name} must be a number or whole_number to be the target"
        yield Contradiction(("target", "column"), reason)
    elif kind.nullable:
        reason = "the target cannot be missing; remove nullable"
        yield Contradiction(("schema", name, "nullable"), reason)
    else:
        yield from _bands(parts.target, kind)


def _bands(target: Target, kind: Kind) -> Iterator[Contradiction]:
    path, starts = ("target", "bands"), list(target.bands.values())
    lowest, highest = _scale(kind) or (0, 0)
    if starts != sorted(set(starts)):
        yield Contradiction(path, "each band must begin above the previous one")
    if min(starts) > lowest:
        reason = (
            f"values from {lowest:g} to {min(starts):g} are not in any band; the first band must "
            f"begin at {lowest:g}"
        )
        yield Contradiction(path, reason)
    for band, start in target.bands.items():
        if start >= highest:
            reason = f"begins at {start:g}, but no value is above {highest:g}"
            yield Contradiction((*path, band), reason)


def _roles(parts: Parts) -> Iterator[Contradiction]:
    if parts.roles is None:
        return
    for role in LISTS:
        names: tuple[str, ...] = getattr(parts.roles, role)
        for place, name in enumerate(names):
            path = ("roles", role, place)
            yield from _is_feature(parts, name, path)
            if name in names[:place]:
                yield Contradiction(path, f"{name} is listed twice")
    for name in parts.roles.subgroups:
        yield from _is_feature(parts, name, ("roles", "subgroups", name))


def _known_later(parts: Parts) -> Iterator[Contradiction]:
    """Find columns that cannot be left out of a request and averaged over."""
    if parts.roles is None:
        return
    later = parts.roles.known_after_treatment
    path = ("roles", "known_after_treatment")
    if len(later) > MOST_KNOWN_LATER:
        reason = f"it lists {len(later)} columns; at most {MOST_KNOWN_LATER} are allowed"
        yield Contradiction(path, reason)
    if later and not set(parts.features) - set(later):
        yield Contradiction(
            path, "it lists every feature, which would leave nothing to predict from"
        )
    for place, name in enumerate(later):
        if name in parts.roles.treatment:
            reason = f"{name} is also under treatment, and a chosen treatment is known in advance"
            yield Contradiction((*path, place), reason)
        counted = [other for other, kind in parts.features.items() if kind.since_column == name]
        if counted or (name in parts.features and parts.features[name].since_column):
            reason = f"{name} is counted from another date, or another date from it"
            yield Contradiction((*path, place), f"{reason}, so it cannot be left out")


def _intervals(parts: Parts) -> Iterator[Contradiction]:
    if parts.roles is None or isinstance(parts.intervals_by, str):
        return
    for place, name in enumerate(parts.intervals_by):
        path = ("intervals", "by", place)
        if name not in parts.roles.subgroups:
            known = ", ".join(parts.roles.subgroups) or "none"
            yield Contradiction(
                path, f"{name} is not in roles.subgroups; the subgroups are {known}"
            )
        elif name in parts.roles.known_after_treatment:
            reason = f"{name} may be left out of a request, so intervals cannot depend on it"
            yield Contradiction(path, reason)


def _is_feature(parts: Parts, name: str, path: tuple[str | int, ...]) -> Iterator[Contradiction]:
    if name not in parts.columns:
        yield Contradiction(path, no_column(name, parts.columns))
    elif name in parts.valid and name not in parts.features:
        what = "the target" if parts.valid[name].is_feature else "not used by the model"
        reason = f"{name} is {what}; a role needs a feature: {', '.join(parts.features)}"
        yield Contradiction(path, reason)


def _subgroups(parts: Parts) -> Iterator[Contradiction]:
    if parts.roles is None:
        return
    for name, starts in parts.roles.subgroups.items():
        if name in parts.features:
            reason = _wrong_bands(parts.features[name], starts)
            if reason:
                yield Contradiction(("roles", "subgroups", name), reason)


def _wrong_bands(kind: Kind, starts: tuple[float, ...] | None) -> str:
    """Describe what is wrong with the bands of a subgroup; "" if nothing is."""
    scale = _scale(kind) if kind.is_number else None
    if scale is None:
        return "" if starts is None else "its groups are its values; only a number has bands"
    if not starts:
        return f"list where its bands begin, such as [{scale[0]:g}, {sum(scale) / 2:g}]"
    if list(starts) != sorted(set(starts)):
        return "each band must begin above the previous one"
    if starts[0] > scale[0]:
        return f"values from {scale[0]:g} to {starts[0]:g} are not in any band"
    if starts[-1] > scale[1]:
        return f"the last band begins at {starts[-1]:g}, but no value is above {scale[1]:g}"
    return ""


def _scale(kind: Kind) -> tuple[float, float] | None:
    return None if kind.listed else getattr(kind, "range", None)


def _tuning(parts: Parts) -> Iterator[Contradiction]:
    if parts.tuning is None:
        return
    families = parts.tuning.families
    for place, family in enumerate(families):
        if family in families[:place]:
            yield Contradiction(("tuning", "families", place), f"{family} is listed twice")
    for name, grid in parts.tuning.grids.items():
        for family in dict.fromkeys(families):
            if grid.of(family) is None:
                reason = f"it has no values for {family}, which is in tuning.families"
                yield Contradiction(("tuning", "grids", name), reason)


def _dropdown_keys(parts: Parts) -> Iterator[Contradiction]:
    for key, name in parts.dropdown_keys.items():
        path = ("serving", "dropdown_keys", key)
        if key in OF_DROPDOWN_VALUES:
            yield Contradiction(path, "this is already a key of /dropdown-values")
        if name not in parts.columns:
            yield Contradiction(path, no_column(name, parts.columns))
