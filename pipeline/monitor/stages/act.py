"""Emit a run's metrics, and retrain if there is an alarm and enough new outcomes."""

from datetime import datetime

from clinical import telemetry
from clinical.artefacts import Artefact, Artefacts, read_sealed, sealed_json, sha256
from clinical.environment import environment
from clinical.monitored import Drift, Monitored, Observed, Retrained
from clinical.telemetry import Metric
from clinical.verdict import Estimate
from machines import stepfunctions
from stage import Run, stage

from monitor.reporting import reasons
from monitor.retraining import Found, says
from monitor.starting import Retrainings
from monitor.state import Acted, Begun, Drifted, Joined, Reported


@stage(cached=False)
def act(  # noqa: PLR0913, PLR0917 - all that a run found
    begun: Begun,
    drifted: Drifted,
    joined: Joined,
    reported: Reported,
    artefacts: Artefacts,
    run: Run,
) -> Acted:
    """Emit the metrics that alarms watch, start a retrain or say why not, and record both.

    Raises ArtefactMissing, ArtefactCorrupted, and MachineUnavailable if Step Functions does not
    start what was decided: a retry or the next run starts it.
    """
    drift = Drift.model_validate_json(artefacts.read(drifted.drift))
    observed = Observed.model_validate_json(artefacts.read(joined.observed))
    telemetry.add(Metric.MONITOR_RUNS)
    telemetry.add(Metric.DRIFTED, int(drift.drifted))
    telemetry.add(Metric.DEGRADED, int(observed.degraded))
    telemetry.note(
        model_version=begun.serving.version,
        date=f"{begun.window.date}",
        captured_predictions=begun.captured,
        recorded_outcomes=observed.outcomes,
        drift_p_value=drift.p_value,
        live_rmse=_value(observed.rmse),
        live_average_rmse=_value(observed.average_rmse),
        live_coverage=_value(observed.coverage),
    )
    why = reasons(drift, observed)
    found = Found(
        execution=run.execution,
        champion=begun.serving,
        window=begun.window,
        alarms=why if drift.drifted or observed.degraded else (),
        further=joined.further,
    )
    retraining = retrained(found, artefacts, run.now)
    return Acted(
        model_version=begun.serving.version,
        date=f"{begun.window.date}",
        drifted=drift.drifted,
        degraded=observed.degraded,
        reasons=why,
        retraining=retraining,
        report=_told(reported.report, retraining, artefacts, run.execution),
    )


def retrained(found: Found, artefacts: Artefacts, now: datetime) -> Retrained:
    """Start an automatic retrain, if it is enabled and due."""
    retrainings = Retrainings(artefacts.bucket, stepfunctions(), environment().state_machine_arn)
    decision = retrainings.begin(found, environment().retrain_after_outcomes, now)
    if decision.starts is None:
        return Retrained(says=decision.why_not)
    return Retrained(execution=decision.starts.execution, says=says(decision.starts))


def _told(
    report: Artefact, retraining: Retrained, artefacts: Artefacts, execution: str
) -> Artefact:
    """Add the decision to the run's report, unless another run of that date replaced it."""
    there = read_sealed(artefacts.bucket, report.key, Monitored, "report")
    if there is None or there[0].execution != execution:
        return report
    body = sealed_json(there[0].model_copy(update={"retraining": retraining}))
    artefacts.bucket.put(report.key, body)
    return Artefact(key=report.key, sha256=sha256(body))


def _value(estimate: Estimate | None) -> float | None:
    return estimate.value if estimate else None
