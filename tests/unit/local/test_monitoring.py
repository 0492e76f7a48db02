"""`make monitor`: what a run found, on the terminal."""

from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from clinical.artefacts import sealed_json, sha256
from clinical.monitored import Monitored
from rich.console import Console

from local import monitoring
from local.executions import Outcome
from local.monitoring import MonitoringFailed
from tests.monitored import nothing, troubled

REPORT = "monitor/2026-11-25.json"


def shown(run: Monitored, **output: Any) -> str:
    """Print what a run came to whose report is this."""
    s3, body = boto3.client("s3"), sealed_json(run)
    s3.put_object(Bucket="artifacts", Key=REPORT, Body=body)
    outcome = ended(
        decision="alarmed" if run.drift.drifted else "monitored",
        drifted=run.drift.drifted,
        degraded=run.outcomes.degraded,
        reasons=[run.drift.says] if run.drift.drifted else [],
        report={"key": REPORT, "sha256": sha256(body)},
        **output,
    )
    return printed(outcome)


def ended(status: str = "SUCCEEDED", error: str = "", cause: str = "", **output: Any) -> Outcome:
    return Outcome("arn:of:execution:one", status, 2.5, output, error, cause)


def printed(outcome: Outcome) -> str:
    stack: Any = SimpleNamespace(
        s3=boto3.client("s3"), outputs=SimpleNamespace(artifacts_bucket="artifacts")
    )
    console = Console(width=160, no_color=True)
    with console.capture() as captured:
        monitoring.show(stack, outcome, console)
    return captured.get()


@pytest.mark.usefixtures("cloud")
def test_what_moved_and_what_came_of_it_is_printed_with_what_alarms() -> None:
    run = troubled()

    text = shown(run)

    assert "from 2026-10-29 00:00 to 2026-11-26 00:00 (UTC)" in text
    assert run.drift.says in text
    assert "Sertraline, 7% → 13%" in text
    assert run.outcomes.says in text
    assert "1.310 (1.170 to 1.450)" in text
    assert "1.520 (1.360 to 1.680)" in text
    assert "Alarms: Drifted, Degraded" in text
    assert all(test.says in text for test in run.outcomes.tests)
    assert all(note in " ".join(text.split()) for note in (*run.notes, *run.outcomes.notes))


@pytest.mark.usefixtures("cloud")
def test_what_is_done_about_an_alarm_is_printed_with_it() -> None:
    says = "Retraining as drift-2026-11-25: 20 outcomes can be trained on."

    assert says in shown(troubled(), retraining={"execution": "drift-2026-11-25", "says": says})
    assert says not in shown(nothing(), retraining={"execution": "", "says": says})


@pytest.mark.usefixtures("cloud")
def test_a_column_that_too_few_say_has_no_line() -> None:
    text = shown(troubled())

    assert "Improvement_Score, averaged over Side_Effects" in text
    assert "None" not in text


@pytest.mark.usefixtures("cloud")
def test_where_there_is_too_little_to_tell_it_says_so_and_alarms_nobody() -> None:
    run = nothing()

    text = shown(run)

    assert run.drift.says in text
    assert run.outcomes.says in text
    assert "No alarm." in text


@pytest.mark.usefixtures("cloud")
def test_where_nothing_serves_the_reason_is_printed() -> None:
    text = printed(ended(decision="nothing_serves", reason="No model serves."))

    assert text == "Nothing to monitor: No model serves.\n"


@pytest.mark.usefixtures("cloud")
def test_a_run_that_failed_is_told_with_its_cause() -> None:
    with pytest.raises(MonitoringFailed, match=r"^InputInvalid: until is in the future\.$"):
        printed(ended("FAILED", "InputInvalid", "until is in the future."))
