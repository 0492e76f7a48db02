"""Logs and metrics. Each invocation writes one line of JSON: its facts, and its metrics in EMF.

Only figures that alarms watch or that the dashboard draws over time are metrics, because AWS bills
each metric every month. Everything else is a property of the line, for Logs Insights.

Nothing here ever sees a patient's identifier: callers pass features and verdicts, not requests, and
an exception is logged with its type and stack frames, never with its message.
"""

import json
import os
import traceback
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import cache, wraps
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit

if TYPE_CHECKING:
    from clinical.registry import Champion

LINE_BYTES = 128 * 1024  # of which CloudWatch would take twice as many in one event
ROOM = 4 * 1024  # of those, for what else is in a line: metrics, dimensions, ids

# The template sets another name for another study's stack.
NAMESPACE = os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "ClinicalOutcomes")

_facts: dict[str, object] = {}  # of the invocation under way
_LINE = json.JSONEncoder(separators=(",", ":"))  # json.dumps would build one for each line

_further: list[dict[str, object]] = []  # facts that wait for lines of their own


class Metric(StrEnum):
    """Every metric this system emits, each under one set of dimensions: this many are billed.

    The dimension is the service, or none if functions of several services count the same event.
    """

    # Of the service "api".
    LATENCY = "Latency"
    PREDICTIONS = "Predictions"
    PREDICTION_ERRORS = "PredictionErrors"
    HEALTH = "Health"
    SERVED_PROMOTION = "ServedPromotion"
    # Of the service "retrain".
    CANDIDATES_REJECTED = "CandidatesRejected"
    CANDIDATES_WITHHELD = "CandidatesWithheld"
    UPLOADS_WAITING = "UploadsWaiting"
    # Of the service "monitor".
    MONITOR_RUNS = "MonitorRuns"
    DRIFTED = "Drifted"
    DEGRADED = "Degraded"
    # Of any function, without a dimension.
    CHAMPION_REFRESH_FAILURES = "ChampionRefreshFailures"
    ARTEFACTS_REFUSED = "ArtefactsRefused"


ALARMING_VERDICTS = {
    "rejected": Metric.CANDIDATES_REJECTED,
    "withheld": Metric.CANDIDATES_WITHHELD,
}


@cache
def logger() -> Logger:
    """Return the function's logger; its service is POWERTOOLS_SERVICE_NAME."""
    return Logger()


@cache
def metrics() -> Metrics:
    """Return the metrics of the current invocation."""
    return Metrics(namespace=NAMESPACE)


def leaves_a_line[**P, R](handler: Callable[P, R]) -> Callable[P, R]:
    """Make a handler write the invocation's line when it ends, even by an exception."""

    @wraps(handler)
    def handle(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(*args, **kwargs)
        finally:
            _write_the_line()

    return handle


def _write_the_line() -> None:
    """Write everything that the invocation added, metrics first, and reset.

    Logs Insights indexes at most 200 fields of a line, and a batch has more: facts that the
    dashboard sums up are noted first.
    """
    line, facts = metrics(), dict(_facts)
    _facts.clear()
    head: dict[str, Any] = {"service": line.service}
    if line.metric_set:
        head = {
            name: value[0] if isinstance(value, list) and len(value) == 1 else value
            for name, value in line.serialize_metric_set(metadata={}).items()
        }
        line.clear_metrics()
    _write({**head, **facts})


def _write(line: dict[str, object]) -> None:
    print(as_line(line))  # noqa: T201 - stdout is the log


def count(metric: Metric, **properties: str | int) -> None:
    """Count an event that belongs to no request, in an EMF line of its own.

    It has no dimension, so that one series, and one alarm, covers all functions.
    """
    with single_metric(name=metric, unit=MetricUnit.Count, value=1, namespace=NAMESPACE) as single:
        single.add_metadata("service", single.service)
        single.service = ""
        for name, value in properties.items():
            single.add_metadata(name, value)


def write_event(event: str, **properties: str | int) -> None:
    """Write a separate line about an event in an invocation, or before the first one.

    event: its name, for queries in Logs Insights.
    """
    _write({"service": metrics().service, "event": event, **properties})


def count_execution(verdict: str) -> None:
    """Note an execution's outcome, and count it if an alarm watches it.

    verdict: the gate's decision or, at the end, `promote`'s.
    """
    note(verdict=verdict)
    if metric := ALARMING_VERDICTS.get(verdict):
        add(metric)


def add(metric: Metric, count: int = 1, **properties: Any) -> None:  # noqa: ANN401 - JSON
    """Add to a count in the invocation's line, with the facts that belong to it."""
    metrics().add_metric(metric, MetricUnit.Count, count)
    note(**properties)


def note(**properties: object) -> None:
    """Add facts to the invocation's line for later analysis; never a patient's identifier."""
    _facts.update(properties)


def _note_first(**properties: object) -> None:
    """Add facts in front of all others."""
    others = dict(_facts)
    _facts.clear()
    _facts.update(properties)
    _facts.update(others)


def note_rows(number: int, facts_of: Callable[[slice], dict[str, object]]) -> None:
    """Add facts about rows to the invocation's line, and to further lines if it has no room.

    facts_of: returns the facts about some of the rows, as properties of a line.
    """
    first, *others = pieces(number, facts_of)
    note(**first)
    _further.extend(others)


def pieces(
    number: int, facts_of: Callable[[slice], dict[str, object]]
) -> Iterator[dict[str, object]]:
    """Split facts about rows into pieces that each fit into a line, or are about one row."""
    waiting = [(0, number)]
    while waiting:
        start, stop = waiting.pop()
        facts = facts_of(slice(start, stop))
        times, rows = -(-len(as_line(facts)) // (LINE_BYTES - ROOM)), stop - start
        if times <= 1 or rows <= 1:
            yield facts
            continue
        each = -(-rows // times)
        starts = range(start, stop, each)
        waiting += [(one, min(one + each, stop)) for one in reversed(starts)]


def write_further_lines(**properties: object) -> None:
    """Write the further lines that facts about rows need, if any.

    properties: of each line, to tell which invocation it belongs to.
    """
    lines, _further[:] = list(_further), []
    for facts in lines:
        _write({**properties, **facts})


def as_line(facts: dict[str, object]) -> str:
    """Serialise facts like metrics: JSON in ASCII, with as many bytes as characters."""
    return _LINE.encode(facts)


def record_request(
    route: str, status: int, seconds: float, *, cold: bool, properties: dict[str, object]
) -> None:
    """Add a request to the invocation's line: `route`, `status`, `Latency`, and `cold` if it was.

    route: the template of the path, such as "POST /predict", never the path itself.
    cold: whether it had to wait for the environment to start.
    properties: facts for later analysis: features, prediction, model version, kinds of errors.
    """
    milliseconds = round(seconds * 1e3, 3)
    metrics().add_metric(Metric.LATENCY, MetricUnit.Milliseconds, milliseconds)
    _note_first(route=route, status=status, **({"cold": True} if cold else {}))
    note(**properties)


def record_model(champion: "Champion") -> None:
    """Add to the invocation's line which promotion serves, and its model's performance.

    A version's name is not a number, but its promotion's is; `make models` lists both.
    """
    verdict = champion.verdict
    metrics().add_metric(Metric.SERVED_PROMOTION, MetricUnit.NoUnit, champion.sequence)
    note(
        model_version=champion.version,
        model_r2=verdict.candidate.r2.value,
        model_rmse=verdict.candidate.rmse.value,
        average_rmse=verdict.average.rmse.value,
        interval_coverage=verdict.coverage.measured,
    )


def record_stage(
    stage: str, seconds: float, *, cached: bool, properties: dict[str, object]
) -> None:
    """Add a pipeline stage's run to the invocation's line: `stage`, `duration_ms`, `cached`.

    cached: whether the cache answered; the line says so only where it did.
    """
    _note_first(
        stage=stage,
        duration_ms=round(seconds * 1e3, 3),
        **({"cached": True} if cached else {}),
    )
    note(**properties)


def frames(error: BaseException) -> list[str]:
    """Return an exception's stack frames: file, line and function, without any values."""
    return [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
