"""Summarise log lines in JSON as Logs Insights does: `filter`, then `stats … by …`, and no more.

Source: the query syntax in the Amazon CloudWatch Logs user guide. A query that asks for more raises
ValueError.
"""

import json
import math
import re
from collections.abc import Callable, Iterable
from typing import Any

type Fields = dict[str, Any]

FIELD = r"@?[A-Za-z_][\w.]*"
FILTERS: dict[str, Callable[[re.Match[str], Fields], bool]] = {
    rf"ispresent\(({FIELD})\)": lambda said, fields: said[1] in fields,
    rf"({FIELD}) = '([^']*)'": lambda said, fields: str(fields.get(said[1])) == said[2],
    rf"({FIELD}) like /(.+)/": lambda said, fields: bool(
        re.search(said[2], str(fields.get(said[1], "")))
    ),
}
MEASURE = re.compile(rf"(\w+)\(({FIELD}|\*)(?:, (\d+))?\) as (\w+)")


def is_summary(query: str) -> bool:
    """Whether it is for this module, and not for what lists lines."""
    return any(stage.startswith("stats ") for stage in stages(query))


def stages(query: str) -> list[str]:
    return [one.strip() for one in query.split("|")]


def summarised(query: str, messages: Iterable[str]) -> list[dict[str, str]]:
    """Answer a query that is a summary: what it groups by and its measures, of each group."""
    lines = [fields_of(one) for one in messages]
    *filters, last = stages(query)
    for stage in filters:
        lines = [one for one in lines if _passes(stage, one)]
    measures, _, by = last.removeprefix("stats ").partition(" by ")
    names = [one.strip() for one in by.split(",")] if by else []
    groups: dict[tuple[str, ...], list[Fields]] = {}
    for one in lines:
        groups.setdefault(tuple(str(one.get(name, "")) for name in names), []).append(one)
    asked = MEASURE.findall(measures)
    if ", ".join(match[0] for match in MEASURE.finditer(measures)) != measures:
        raise ValueError(f"{last} has measures that are not known here")
    return [
        dict(zip(names, values, strict=True))
        | {name: _measured(what, field, share, group) for what, field, share, name in asked}
        for values, group in groups.items()
    ]


def fields_of(message: str) -> Fields:
    """Find the fields of a line: those of nested objects and lists by a dot between the names."""
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


def _passes(stage: str, fields: Fields) -> bool:
    for pattern, passes in FILTERS.items():
        if said := re.fullmatch(f"filter {pattern}", stage):
            return passes(said, fields)
    raise ValueError(f"{stage} is no filter that is known here")


def _measured(what: str, field: str, share: str, lines: list[Fields]) -> str:
    if what == "count":
        return str(len(lines) if field == "*" else sum(field in one for one in lines))
    values = sorted(float(one[field]) for one in lines if field in one)
    if not values:
        return ""
    match what:
        case "avg":
            return str(round(sum(values) / len(values), 6))
        case "pct":
            return str(values[max(0, math.ceil(len(values) * int(share) / 100) - 1)])
        case "min" | "max":
            return str(values[0 if what == "min" else -1])
    raise ValueError(f"{what} is no measure that is known here")
