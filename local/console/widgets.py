"""A CloudWatch dashboard's widgets: their queries, and the lines that they show."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

type Widget = dict[str, Any]
type Query = dict[str, Any]

DURATION = re.compile(r"-?P(?:(?P<days>\d+)D)?(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?)?")
DEFAULT_PERIOD = 300


@dataclass(frozen=True)
class Line:
    """One metric of a widget: its label, and its points in chronological order."""

    label: str
    points: tuple[tuple[datetime, float], ...]

    @property
    def latest(self) -> float | None:
        return self.points[-1][1] if self.points else None


def span(widget: Widget, body: dict[str, Any]) -> timedelta:
    """Return how far back a widget looks: its own setting, or else the dashboard's."""
    said = widget["properties"].get("start", body.get("start", "-PT3H"))
    found = DURATION.fullmatch(said)
    if not found:
        raise ValueError(f"the start {said} is not a duration such as -PT3H")
    return timedelta(**{unit: int(number or 0) for unit, number in found.groupdict().items()})


def queries(widget: Widget, back: timedelta) -> list[Query]:
    """Return a metric widget's queries for GetMetricData."""
    properties = widget["properties"]
    return [_query(number, metric, properties, back) for number, metric in _metrics(properties)]


def lines(widget: Widget, results: list[dict[str, Any]]) -> list[Line]:
    """Return GetMetricData's results for a widget's queries, with the widget's labels."""
    answered = {one["Id"]: one for one in results}
    found = []
    for number, metric in _metrics(widget["properties"]):
        one = answered.get(f"m{number}", {"Timestamps": [], "Values": []})
        points = sorted(zip(one["Timestamps"], one["Values"], strict=True))
        options = metric[-1] if isinstance(metric[-1], dict) else {}
        found.append(Line(options.get("label", str(metric[1])), tuple(points)))
    return found


def log_group_and_query(widget: Widget) -> tuple[str, str]:
    """Split a log widget's query into its log group and the query itself."""
    found = re.match(r"SOURCE '([^']+)'\s*\|\s*(.*)", widget["properties"]["query"], re.DOTALL)
    if not found:
        raise ValueError("a log widget's query must begin with SOURCE '<log group>' |")
    return found.group(1), found.group(2)


def lines_over_time(table: list[list[str]]) -> list[Line]:
    """Give a line for each measure of a query that groups by `bin()`.

    table: the names of the fields, of which the first is the time, and then rows of their values.
    """
    header, *rows = table
    measures = header[1:]
    points: list[list[tuple[datetime, float]]] = [[] for _ in measures]
    for time, *values in sorted(rows):
        when = datetime.fromisoformat(time).replace(tzinfo=UTC)
        for line, value in zip(points, values, strict=True):
            if value:
                line.append((when, float(value)))
    return [Line(name, tuple(line)) for name, line in zip(measures, points, strict=True)]


def bars(table: list[list[str]]) -> list[tuple[str, float]]:
    """Give a bar for each group of a query that has one measure: its name, and how long it is."""
    return [(name, float(value)) for name, value in table[1:]]


def _metrics(properties: dict[str, Any]) -> list[tuple[int, list[Any]]]:
    return list(enumerate(properties.get("metrics", [])))


def _query(number: int, metric: list[Any], properties: dict[str, Any], back: timedelta) -> Query:
    options = metric[-1] if isinstance(metric[-1], dict) else {}
    namespace, name, *rest = metric[:-1] if options else metric
    period = options.get("period", properties.get("period", DEFAULT_PERIOD))
    if properties.get("setPeriodToTimeRange"):
        period = int(back.total_seconds())
    return {
        "Id": f"m{number}",
        "MetricStat": {
            "Metric": {
                "Namespace": namespace,
                "MetricName": name,
                "Dimensions": [
                    {"Name": key, "Value": value}
                    for key, value in zip(rest[::2], rest[1::2], strict=True)
                ],
            },
            "Period": period,
            "Stat": options.get("stat", properties.get("stat", "Average")),
        },
    }


def now() -> datetime:
    return datetime.now(UTC)
