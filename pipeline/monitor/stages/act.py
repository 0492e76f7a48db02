"""Tell of what a run came to: to whom the alarms go, and to whoever follows it."""

from clinical import telemetry
from clinical.artefacts import Artefacts
from clinical.monitored import Drift, Observed
from clinical.telemetry import Metric
from clinical.verdict import Estimate
from stage import stage

from monitor.reporting import reasons
from monitor.state import Acted, Begun, Drifted, Joined, Reported


@stage(cached=False)
def act(
    begun: Begun, drifted: Drifted, joined: Joined, reported: Reported, artefacts: Artefacts
) -> Acted:
    """Emit the metrics that the alarms look at, and say of what it alarms.

    Raises ArtefactMissing, ArtefactCorrupted.
    """
    drift = Drift.model_validate_json(artefacts.read(drifted.drift))
    observed = Observed.model_validate_json(artefacts.read(joined.observed))
    telemetry.record_monitored(
        {
            Metric.MONITOR_RUNS: 1,
            Metric.DRIFTED: int(drift.drifted),
            Metric.DEGRADED: int(observed.degraded),
            Metric.CAPTURED_PREDICTIONS: begun.captured,
            Metric.RECORDED_OUTCOMES: observed.outcomes,
        },
        {
            Metric.DRIFT_P_VALUE: drift.p_value,
            Metric.LIVE_RMSE: _value(observed.rmse),
            Metric.LIVE_AVERAGE_RMSE: _value(observed.average_rmse),
            Metric.LIVE_COVERAGE: _value(observed.coverage),
        },
    )
    return Acted(
        model_version=begun.serving.version,
        date=f"{begun.window.date}",
        drifted=drift.drifted,
        degraded=observed.degraded,
        reasons=reasons(drift, observed),
        report=reported.report,
    )


def _value(estimate: Estimate | None) -> float | None:
    return estimate.value if estimate else None
