"""The stage tells whom a run is about; that it captures has tests of its own."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from clinical.boto3_bucket import Boto3Bucket
from clinical.captures import Captures
from clinical.environment import environment
from clinical.errors import InputInvalid
from clinical.registry import Champion
from monitor.stages.capture import capture
from monitor.state import Begun

from tests.pipeline import Context
from tests.predictions import predictions
from tests.unit.conftest import NOW, Candidate, emf_lines
from tests.unit.pipeline.monitor.clouds import Logs, line_of, utc

type Run = Callable[..., Begun]


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Logs:
    logs = Logs()
    monkeypatch.setattr("monitor.stages.capture.logs_client", lambda: logs)
    monkeypatch.setenv("API_LOG_GROUP", "api")
    environment.cache_clear()
    return logs


@pytest.fixture
def run(bucket: Boto3Bucket, logs: Logs) -> Run:
    assert bucket
    assert logs

    def of(**given: Any) -> Begun:
        handler: Any = capture
        return Begun.model_validate(handler({"given": given, "execution": "one"}, Context()))

    return of


def test_where_nothing_serves_requests_are_captured_and_the_run_ends(
    run: Run, logs: Logs, bucket: Boto3Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    made = predictions(3)
    for one in made:
        logs.put(one.predicted_at, line_of(one))

    begun = run(until="2026-11-24")

    assert (begun.decision, begun.captured, begun.champion) == ("nothing_serves", 3, None)
    assert "No model serves" in begun.reason
    assert Captures(bucket).find([made[0].prediction_id])
    counted = [line for line in emf_lines(capsys.readouterr().out) if "MonitorRuns" in line]
    ((metrics,),) = [line["_aws"]["CloudWatchMetrics"] for line in counted]
    assert metrics["Dimensions"] == [["service"]]


def test_a_run_is_about_the_model_that_serves_and_a_window_of_its_requests(
    run: Run, promote: Callable[[Candidate], Champion], candidate: Candidate
) -> None:
    champion = promote(candidate)

    begun = run(until="2026-10-31")
    assert begun.decision == "monitor"
    assert begun.serving.version == champion.version
    assert begun.window.date.isoformat() == "2026-10-31"
    assert begun.window.until == utc(2026, 11, 1)
    assert begun.window.since == begun.window.until - timedelta(days=28)


def test_a_run_that_names_no_time_looks_up_to_now(run: Run) -> None:
    begun = run()

    assert begun.window.date >= NOW.date()


def test_what_a_run_cannot_do_is_refused_before_anything_is_read(run: Run, logs: Logs) -> None:
    with pytest.raises(InputInvalid, match="until is in the future"):
        run(until="2999-01-01")

    assert logs.asked == []
