"""Logs and metrics. A request leaves one line: its metrics in EMF, its facts as properties.

Nothing here ever sees a `Patient_ID`: callers hand over features and verdicts, not requests,
and an exception is logged by its type and its frames, never by its message.
"""

import traceback
from enum import StrEnum
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics, single_metric
from aws_lambda_powertools.metrics import MetricUnit

NAMESPACE = "ClinicalOutcomes"


class Metric(StrEnum):
    """Every metric this system emits, besides Powertools' own ColdStart."""

    REQUESTS = "Requests"
    LATENCY = "Latency"
    PREDICTIONS = "Predictions"
    PREDICTION_ERRORS = "PredictionErrors"
    MODEL_LOADS = "ModelLoads"
    CHAMPION_REFRESH_FAILURES = "ChampionRefreshFailures"
    ARTEFACTS_REFUSED = "ArtefactsRefused"
    STAGE_RUNS = "StageRuns"
    STAGE_CACHE_HITS = "StageCacheHits"
    STAGE_FAILURES = "StageFailures"
    STAGE_DURATION = "StageDuration"


@cache
def logger() -> Logger:
    """Make the function's logger; its service is POWERTOOLS_SERVICE_NAME."""
    return Logger()


@cache
def metrics() -> Metrics:
    """Collect the metrics of the invocation under way, flushed as one EMF line when it ends."""
    return Metrics(namespace=NAMESPACE)


def count(metric: Metric, **properties: str) -> None:
    """Count one event that belongs to no request, as an EMF line of its own."""
    with single_metric(name=metric, unit=MetricUnit.Count, value=1, namespace=NAMESPACE) as single:
        for name, value in properties.items():
            single.add_metadata(name, value)


def add(metric: Metric, count: int = 1, **properties: Any) -> None:  # noqa: ANN401 - JSON
    """Add to a count of the invocation's line, and facts that belong to it."""
    metrics().add_metric(metric, MetricUnit.Count, count)
    note(**properties)


def note(**properties: object) -> None:
    """Add facts to the invocation's line for later analysis; never a `Patient_ID`."""
    for name, value in properties.items():
        metrics().add_metadata(name, value)


def record_request(route: str, status: int, seconds: float, properties: dict[str, object]) -> None:
    """Add a request to the invocation's line.

    route: the template of the path, such as "POST /predict", never the path itself.
    properties: facts for later analysis: features, prediction, model version, kinds of errors.
    """
    line = metrics()
    line.add_dimensions(service=line.service, route=route, status_class=f"{status // 100}xx")
    line.add_metric(Metric.REQUESTS, MetricUnit.Count, 1)
    line.add_metric(Metric.LATENCY, MetricUnit.Milliseconds, round(seconds * 1e3, 3))
    note(status=status, **properties)


def record_stage(
    stage: str, seconds: float, *, cached: bool, properties: dict[str, object]
) -> None:
    """Add a pipeline stage's run to the invocation's line."""
    line = metrics()
    line.add_dimension("stage", stage)
    line.add_metric(Metric.STAGE_RUNS, MetricUnit.Count, 1)
    line.add_metric(Metric.STAGE_CACHE_HITS, MetricUnit.Count, int(cached))
    line.add_metric(Metric.STAGE_DURATION, MetricUnit.Milliseconds, round(seconds * 1e3, 3))
    note(**properties)


def frames(error: BaseException) -> list[str]:
    """Tell where an exception came from: file, line and function, without any value."""
    return [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
