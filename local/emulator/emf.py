"""Extract metrics from log lines in CloudWatch's embedded metric format, as CloudWatch Logs does.

Source: the specification of the format in the Amazon CloudWatch user guide. Invalid metrics are
ignored and remain log lines: nothing here raises.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any, TypeGuard

PAST_SECONDS = 14 * 24 * 3600  # older and later metrics CloudWatch does not take
FUTURE_SECONDS = 2 * 3600
MAX_VALUES = 100

type Json = dict[str, Any]


@dataclass(frozen=True)
class Datum:
    """Values of one metric under one set of dimensions; the timestamp is in seconds."""

    namespace: str
    name: str
    unit: str
    dimensions: dict[str, str]
    timestamp: float
    values: tuple[float, ...]


def data_in(line: str, now: float) -> Iterator[Datum]:
    """Read the metrics in a log line; none unless it is in the format.

    now: the time in seconds, around which timestamps are taken.
    """
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return
    metadata = document.get("_aws") if isinstance(document, dict) else None
    if not isinstance(metadata, dict) or not _is_number(metadata.get("Timestamp")):
        return
    timestamp = metadata["Timestamp"] / 1000
    if not now - PAST_SECONDS <= timestamp <= now + FUTURE_SECONDS:
        return
    for directive in _objects(metadata.get("CloudWatchMetrics")):
        yield from _directed(directive, document, timestamp)


def _directed(directive: Json, document: Json, timestamp: float) -> Iterator[Datum]:
    namespace, sets = directive.get("Namespace"), directive.get("Dimensions")
    if not isinstance(namespace, str) or not namespace.strip() or not isinstance(sets, list):
        return
    dimension_sets = [
        dimensions for keys in sets if (dimensions := _dimensions(keys, document)) is not None
    ]
    for metric in _objects(directive.get("Metrics")):
        name = metric.get("Name")
        values = _values(document.get(name)) if isinstance(name, str) else ()
        for dimensions in dimension_sets if values else ():
            yield Datum(
                namespace, str(name), metric.get("Unit", "None"), dimensions, timestamp, values
            )


def _dimensions(keys: object, document: Json) -> dict[str, str] | None:
    """Return the members that a dimension set names, or None if one is not text; {} is a set."""
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        return None
    dimensions = {key: document.get(key) for key in keys}
    texts = {key: value for key, value in dimensions.items() if isinstance(value, str) and value}
    return texts if len(texts) == len(dimensions) else None


def _values(member: object) -> tuple[float, ...]:
    """Return the numbers of a metric's member, one or a list; none if any is not a number."""
    values = member if isinstance(member, list) else [member]
    numbers = tuple(float(value) for value in values if _is_number(value))
    return numbers if len(numbers) == len(values) <= MAX_VALUES else ()


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _objects(member: object) -> list[Json]:
    return [one for one in member if isinstance(one, dict)] if isinstance(member, list) else []
