"""Logs and metrics. An invocation leaves one line of JSON: its facts, with its metrics in EMF.

Metrics are what alarms watch and what the dashboard draws over time, and no more: AWS bills each of
them every month. All else is a plain property of the line, which Logs Insights sums up.

Nothing here ever sees an identifier of a patient: callers hand over features and verdicts, not
requests, and an exception is logged by its type and its frames, never by its message.
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

# The template names another for the stack of another study.
NAMESPACE = os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "ClinicalOutcomes")

_facts: dict[str, object] = {}  # of the invocation under way
_further: list[dict[str, object]] = []  # facts that wait for lines of their own


class Metric(StrEnum):
    """Every metric this system emits, each under one set of dimensions: so many are billed.

    The dimension is the service, or none where functions of several services count the same.
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
    """Make the function's logger; its service is POWERTOOLS_SERVICE_NAME."""
    return Logger()


@cache
def metrics() -> Metrics:
    """Collect the metrics of the invocation under way."""
    return Metrics(namespace=NAMESPACE)


def leaves_a_line[**P, R](handler: Callable[P, R]) -> Callable[P, R]:
    """Make a handler write the invocation's line when it ends, by an exception too."""

    @wraps(handler)
    def handle(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return handler(*args, **kwargs)
        finally:
            _write_the_line()

    return handle


def _write_the_line() -> None:
    """Write what the invocation added, metrics first, and forget it.

    Logs Insights finds no more than 200 fields of a line, and a batch has more: what is noted first
    is what the dashboard sums up.
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
    """Count one event that belongs to no request, as an EMF line of its own.

    It has no dimension: one series, and one alarm on it, holds what any function counted.
    """
    with single_metric(name=metric, unit=MetricUnit.Count, value=1, namespace=NAMESPACE) as single:
        single.add_metadata("service", single.service)
        single.service = ""
        for name, value in properties.items():
            single.add_metadata(name, value)


def write_event(event: str, **properties: str | int) -> None:
    """Write a line of its own about what happened in an invocation, or before the first one.

    event: its name, by which Logs Insights finds it.
    """
    _write({"service": metrics().service, "event": event, **properties})


def count_execution(verdict: str) -> None:
    """Note what an execution came to, and count it where an alarm looks at that.

    verdict: the gate's decision or, once it ended, `promote`'s.
    """
    note(verdict=verdict)
    if metric := ALARMING_VERDICTS.get(verdict):
        add(metric)


def add(metric: Metric, count: int = 1, **properties: Any) -> None:  # noqa: ANN401 - JSON
    """Add to a count of the invocation's line, and facts that belong to it."""
    metrics().add_metric(metric, MetricUnit.Count, count)
    note(**properties)


def note(**properties: object) -> None:
    """Add facts to the invocation's line for later analysis; never an identifier of a patient."""
    _facts.update(properties)


def _note_first(**properties: object) -> None:
    """Add facts before all others."""
    others = dict(_facts)
    _facts.clear()
    _facts.update(properties)
    _facts.update(others)


def note_rows(number: int, facts_of: Callable[[slice], dict[str, object]]) -> None:
    """Add facts about rows to the invocation's line, and what it has no room for to further ones.

    facts_of: gives the facts about some of so many rows, as properties of a line.
    """
    first, *others = pieces(number, facts_of)
    note(**first)
    _further.extend(others)


def pieces(
    number: int, facts_of: Callable[[slice], dict[str, object]]
) -> Iterator[dict[str, object]]:
    """Cut facts about rows into pieces, each of which fits into a line, or is about one row."""
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
    """Write the lines that facts about rows need beside the invocation's own, if any.

    properties: of each of them, by which it is known to belong there.
    """
    lines, _further[:] = list(_further), []
    for facts in lines:
        _write({**properties, **facts})


def as_line(facts: dict[str, object]) -> str:
    """Write facts as metrics are written: JSON of as many bytes as characters."""
    return json.dumps(facts, separators=(",", ":"))


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
    """Add to the invocation's line which promotion serves, and what its model is worth.

    A version's name makes no number; that of its promotion does, and `make models` knows both.
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
    """Tell where an exception came from: file, line and function, without any value."""
    return [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
