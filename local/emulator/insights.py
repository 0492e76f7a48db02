"""Answer queries in the language of Logs Insights, as far as the dashboard uses it.

Commands: `fields`, `filter`, `stats … by …`, `sort` and `limit`. Source: the query syntax in the
Amazon CloudWatch Logs user guide. A query that asks for more raises ValueError.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

type Fields = dict[str, Any]

FIELD = r"@?[A-Za-z_][\w.]*"
TEXT = r"'([^']*)'"
STAGE = re.compile(r"(?:'[^']*'|/(?:\\.|[^/\\])+/|[^|'])+")  # a | within a text or pattern is none
FILTERS: dict[str, Callable[[re.Match[str], Fields], bool]] = {
    rf"ispresent\(({FIELD})\)": lambda said, fields: said[1] in fields,
    rf"({FIELD}) = {TEXT}": lambda said, fields: str(fields.get(said[1])) == said[2],
    rf"({FIELD}) like /(.+)/": lambda said, fields: bool(
        re.search(said[2], str(fields.get(said[1], "")))
    ),
}
CONTAINS = re.compile(rf"strcontains\((?:({FIELD})|concat\(({FIELD}), {TEXT}\)), {TEXT}\)")
MEASURE = re.compile(rf"(\w+)\((\*|{FIELD}|{CONTAINS.pattern})(?:, (\d+))?\) as (\w+)")
GROUP = re.compile(rf"(?:bin\((\d+)([smhd])\)|({FIELD}))(?: as (\w+))?")
SORT = re.compile(rf"({FIELD}|bin\(\w+\))(?: (asc|desc))?")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
TIME = "%Y-%m-%d %H:%M:%S.%f"
SHOWN = ("@timestamp", "@message")  # where a query does not say


# By values in the order of time, of which there are some, and the percentage that is asked for.
MEASURES: dict[str, Callable[[list[Any], str], object]] = {
    "avg": lambda values, _: round(sum(values) / len(values), 6),
    "sum": lambda values, _: round(sum(values), 6),
    "min": lambda values, _: min(values),
    "max": lambda values, _: max(values),
    "pct": lambda values, share: sorted(values)[
        max(0, math.ceil(len(values) * int(share) / 100) - 1)
    ],
    "earliest": lambda values, _: values[0],
    "latest": lambda values, _: values[-1],
}


@dataclass(frozen=True)
class Found:
    """The rows that a query has found so far, and the fields that it shows."""

    rows: list[Fields]
    shown: tuple[str, ...] = SHOWN


def answered(query: str, records: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Answer a query: the values of each row, as texts, without fields that it does not have.

    records: log events in the order of time, with `@message` and, as far as they are asked for,
    `@timestamp` and `@ptr`.
    """
    found = Found([{**fields_of(one["@message"]), **one} for one in records])
    for stage in STAGE.findall(query):
        name, _, asked = stage.strip().partition(" ")
        if name not in COMMANDS:
            raise ValueError(f"{name} is no command that is known here")
        found = COMMANDS[name](asked.strip(), found)
    return [
        {name: str(row.get(name, "")) for name in (*found.shown, *({"@ptr"} & row.keys()))}
        for row in found.rows
    ]


def fields_of(message: str) -> Fields:
    """Find the fields of a line; those of nested objects and lists have dotted names."""
    found: Fields = {"@message": message}
    try:
        document = json.loads(message)
    except ValueError:
        return found
    waiting = [("", document)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, list):
            value = {str(place): one for place, one in enumerate(value)}
        if isinstance(value, dict):
            waiting += [(f"{name}.{key}" if name else key, one) for key, one in value.items()]
        elif value is not None:
            found[name] = value
    return found


def _fields(asked: str, found: Found) -> Found:
    names = tuple(one.strip() for one in asked.split(","))
    for name in names:
        if not re.fullmatch(FIELD, name):
            raise ValueError(f"{name} is no field that is known here")
    return Found(found.rows, names)


def _filter(asked: str, found: Found) -> Found:
    rows = found.rows
    for condition in asked.split(" and "):
        rows = [row for row in rows if _passes(condition, row)]
    return Found(rows, found.shown)


def _passes(condition: str, fields: Fields) -> bool:
    for pattern, passes in FILTERS.items():
        if said := re.fullmatch(pattern, condition):
            return passes(said, fields)
    raise ValueError(f"{condition} is no filter that is known here")


def _stats(asked: str, found: Found) -> Found:
    """Aggregate groups, in the order of their first rows."""
    said, _, by = asked.partition(" by ")
    measures = list(MEASURE.finditer(said))
    if ", ".join(one[0] for one in measures) != said:
        raise ValueError(f"{said} has measures that are not known here")
    groups = [_group(one.strip()) for one in by.split(",")] if by else []
    rows: dict[tuple[str, ...], list[Fields]] = {}
    for row in found.rows:
        rows.setdefault(tuple(value_of(row) for _, value_of in groups), []).append(row)
    names = [name for name, _ in groups]
    return Found(
        [
            dict(zip(names, values, strict=True))
            | {one.groups()[-1]: _measured(one, of_group) for one in measures}
            for values, of_group in rows.items()
        ],
        (*names, *(one.groups()[-1] for one in measures)),
    )


def _group(asked: str) -> tuple[str, Callable[[Fields], str]]:
    """Return the name of a group, and the function that computes it for a row."""
    said = GROUP.fullmatch(asked)
    if not said:
        raise ValueError(f"{asked} is no group that is known here")
    number, unit, field, alias = said.groups()
    if field:
        return alias or field, lambda row: str(row.get(field, ""))
    width = timedelta(**{UNITS[unit]: int(number)})
    return alias or asked, lambda row: _bin_of(row["@timestamp"], width)


def _bin_of(timestamp: str, width: timedelta) -> str:
    """Return the start of the bin that contains a time."""
    at = datetime.strptime(timestamp, TIME).replace(tzinfo=UTC)
    epoch = datetime.fromtimestamp(0, UTC)
    return f"{epoch + (at - epoch) // width * width:%Y-%m-%d %H:%M:%S}.000"


def _measured(measure: re.Match[str], rows: list[Fields]) -> str:
    what, of, *_, share, _ = measure.groups()
    if what == "count":
        return str(len(rows) if of == "*" else sum(of in row for row in rows))
    if what not in MEASURES:
        raise ValueError(f"{what} is no measure that is known here")
    values = [value for row in rows if (value := _value(of, row)) is not None]
    return _text(MEASURES[what](values, share)) if values else ""


def _value(of: str, row: Fields) -> Any:  # noqa: ANN401 - JSON
    """Return the value of a field or of `strcontains` in a row, or None."""
    if said := CONTAINS.fullmatch(of):
        field, first, added, searched = said.groups()
        text = str(row.get(field or first, "")) + (added or "")
        return int(searched in text)
    return row.get(of)


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _sort(asked: str, found: Found) -> Found:
    rows = list(found.rows)
    for key in reversed(asked.split(",")):
        said = SORT.fullmatch(key.strip())
        if not said:
            raise ValueError(f"{key} is no order that is known here")
        rows.sort(key=lambda row: _place(row.get(said[1], "")), reverse=said[2] == "desc")
    return Found(rows, found.shown)


def _place(value: object) -> tuple[bool, float, str]:
    """Order numbers before texts."""
    try:
        return False, float(str(value)), ""
    except ValueError:
        return True, 0.0, str(value)


def _limit(asked: str, found: Found) -> Found:
    if not asked.isdecimal():
        raise ValueError(f"{asked} is no limit that is known here")
    return Found(found.rows[: int(asked)], found.shown)


COMMANDS: dict[str, Callable[[str, Found], Found]] = {
    "fields": _fields,
    "filter": _filter,
    "stats": _stats,
    "sort": _sort,
    "limit": _limit,
}
