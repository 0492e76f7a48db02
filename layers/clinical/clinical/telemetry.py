"""Logs and metrics. Each request writes one line: metrics in EMF, facts as properties.

Nothing here ever sees a patient's identifier: callers pass features and verdicts, not requests, and
an exception is logged with its type and stack frames, never with its message.
"""

import json
import os
import traceback
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

if TYPE_CHECKING:
    from clinical.registry import Champion

LINE_BYTES = 128 * 1024  # of which CloudWatch would take twice as many in one event
ROOM = 4 * 1024  # of those, for what else is in a line: metrics, dimensions, ids

# The template sets another name for another study's stack.
NAMESPACE = os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "ClinicalOutcomes")

_further: list[dict[str, object]] = []  # facts that wait for lines of their own


class Metric(StrEnum):
    """Every metric this system emits.

    A rate is emitted as 0 or 1 per request, so that its average is the rate, without metric math.
    """

    REQUESTS = "Requests"
    LATENCY = "Latency"
    SERVER_ERRORS = "ServerErrors"
    CLIENT_ERRORS = "ClientErrors"
    COLD_STARTS = "ColdStarts"
    PREDICTIONS = "Predictions"
    PREDICTION_ERRORS = "PredictionErrors"
    HEALTH = "Health"
    SERVED_PROMOTION = "ServedPromotion"
    MODEL_R2 = "ModelR2"
    MODEL_RMSE = "ModelRMSE"
    AVERAGE_RMSE = "AverageRMSE"
    INTERVAL_COVERAGE = "IntervalCoverage"
    MODEL_LOADS = "ModelLoads"
    CHAMPION_REFRESH_FAILURES = "ChampionRefreshFailures"
    ARTEFACTS_REFUSED = "ArtefactsRefused"
    EXECUTIONS = "Executions"
    UPLOADS_WAITING = "UploadsWaiting"
    STAGE_RUNS = "StageRuns"
    STAGE_CACHE_HITS = "StageCacheHits"
    STAGE_FAILURES = "StageFailures"
    STAGE_DURATION = "StageDuration"
    SCORED_ROWS = "ScoredRows"
    REFUSED_ROWS = "RefusedRows"
    MONITOR_RUNS = "MonitorRuns"
    CAPTURED_PREDICTIONS = "CapturedPredictions"
    DRIFTED = "Drifted"
    DRIFT_P_VALUE = "DriftPValue"
    DEGRADED = "Degraded"
    RECORDED_OUTCOMES = "RecordedOutcomes"
    LIVE_RMSE = "LiveRMSE"
    LIVE_AVERAGE_RMSE = "LiveAverageRMSE"
    LIVE_COVERAGE = "LiveCoverage"


@cache
def logger() -> Logger:
    """Return the function's logger; its service is POWERTOOLS_SERVICE_NAME."""
    return Logger()


@cache
def metrics() -> Metrics:
    """Return the current invocation's metrics, flushed as one EMF line when it ends."""
    return Metrics(namespace=NAMESPACE)


def count(metric: Metric, **properties: str | int) -> None:
    """Count an event that belongs to no request, in an EMF line of its own.

    It has no dimension, so that one series, and one alarm, covers all functions.
    """
    with single_metric(name=metric, unit=MetricUnit.Count, value=1, namespace=NAMESPACE) as single:
        single.add_metadata("service", single.service)
        single.service = ""
        for name, value in properties.items():
            single.add_metadata(name, value)


def count_execution(verdict: str) -> None:
    """Count an execution of the state machine by its outcome, in an EMF line of its own.

    verdict: a dimension, and therefore one of few: the gate's decision or, at the end, `promote`'s.
    """
    with single_metric(
        name=Metric.EXECUTIONS, unit=MetricUnit.Count, value=1, namespace=NAMESPACE
    ) as single:
        single.add_dimension("verdict", verdict)


def record_monitored(counts: Mapping[Metric, int], figures: Mapping[Metric, float | None]) -> None:
    """Record the results of a run of the monitor, in an EMF line of its own.

    Its only dimension is the service, because nobody looks for these by stage. Figures that are
    None are left out.
    """
    line = EphemeralMetrics(namespace=NAMESPACE)
    for metric, count in counts.items():
        line.add_metric(metric, MetricUnit.Count, count)
    for metric, value in figures.items():
        if value is not None:
            line.add_metric(metric, MetricUnit.NoUnit, value)
    line.flush_metrics()


def count_monitor_run() -> None:
    """Count a run of the monitor, in an EMF line of its own whose only dimension is the service."""
    with single_metric(
        name=Metric.MONITOR_RUNS, unit=MetricUnit.Count, value=1, namespace=NAMESPACE
    ):
        pass


def add(metric: Metric, count: int = 1, **properties: Any) -> None:  # noqa: ANN401 - JSON
    """Add to a count in the invocation's line, with the facts that belong to it."""
    metrics().add_metric(metric, MetricUnit.Count, count)
    note(**properties)


def note(**properties: object) -> None:
    """Add facts to the invocation's line for later analysis; never a patient's identifier."""
    for name, value in properties.items():
        metrics().add_metadata(name, value)


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
        print(as_line({**properties, **facts}), flush=True)  # noqa: T201 - as metrics are


def as_line(facts: dict[str, object]) -> str:
    """Serialise facts like metrics: JSON in ASCII, with as many bytes as characters."""
    return json.dumps(facts, separators=(",", ":"))


def record_request(
    route: str, status: int, seconds: float, *, cold: bool, properties: dict[str, object]
) -> None:
    """Add a request to the invocation's line.

    route: the template of the path, such as "POST /predict", never the path itself.
    cold: whether it had to wait for the environment to start.
    properties: facts for later analysis: features, prediction, model version, kinds of errors.
    """
    line = metrics()
    line.add_dimensions(service=line.service, route=route)
    faulty = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    refused = not faulty and status >= HTTPStatus.BAD_REQUEST
    line.add_metric(Metric.REQUESTS, MetricUnit.Count, 1)
    line.add_metric(Metric.LATENCY, MetricUnit.Milliseconds, round(seconds * 1e3, 3))
    line.add_metric(Metric.SERVER_ERRORS, MetricUnit.Count, faulty)
    line.add_metric(Metric.CLIENT_ERRORS, MetricUnit.Count, refused)
    line.add_metric(Metric.COLD_STARTS, MetricUnit.Count, cold)
    note(status=status, **properties)


def record_model(champion: "Champion") -> None:
    """Add to the invocation's line which promotion serves, and its model's performance.

    A version's name is not a number, but its promotion's is; `make models` lists both.
    """
    line, verdict = metrics(), champion.verdict
    line.add_metric(Metric.SERVED_PROMOTION, MetricUnit.NoUnit, champion.sequence)
    line.add_metric(Metric.MODEL_R2, MetricUnit.NoUnit, verdict.candidate.r2.value)
    line.add_metric(Metric.MODEL_RMSE, MetricUnit.NoUnit, verdict.candidate.rmse.value)
    line.add_metric(Metric.AVERAGE_RMSE, MetricUnit.NoUnit, verdict.average.rmse.value)
    line.add_metric(Metric.INTERVAL_COVERAGE, MetricUnit.NoUnit, verdict.coverage.measured)
    note(model_version=champion.version)


def record_stage(
    stage: str, seconds: float, *, cached: bool, properties: dict[str, object]
) -> None:
    """Add a pipeline stage's run to the invocation's line."""
    line = metrics()
    line.add_dimensions(service=line.service, stage=stage)
    line.add_metric(Metric.STAGE_RUNS, MetricUnit.Count, 1)
    line.add_metric(Metric.STAGE_CACHE_HITS, MetricUnit.Count, int(cached))
    line.add_metric(Metric.STAGE_DURATION, MetricUnit.Milliseconds, round(seconds * 1e3, 3))
    note(**properties)


def frames(error: BaseException) -> list[str]:
    """Return an exception's stack frames: file, line and function, without any values."""
    return [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
