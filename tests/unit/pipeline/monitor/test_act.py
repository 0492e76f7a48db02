from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from clinical.artefacts import Artefact, Bucket, read_verified, sealed_json, unsealed_json
from clinical.monitored import Monitored, Retrained
from clinical.registry import Champion
from monitor.stages.act import act
from monitor.state import Acted, Reported

from tests.monitored import MOVED, TOO_FEW, WORSE, nothing, troubled
from tests.pipeline import own_state_machine, ran
from tests.unit.conftest import emf_lines
from tests.unit.pipeline.monitor.conftest import Inputs
from tests.unit.pipeline.monitor.test_retraining import UPLOAD

TURNED_OFF = (
    "No automatic retrain: the stack's parameter RetrainAfterOutcomes is 0. Only the "
    "alarm is raised."
)
LIES = Artefact(key="monitor/2026-11-25.json", sha256="0" * 64)


def acted(inputs: Inputs) -> Acted:
    reported = Reported(report=LIES, card=LIES).model_dump()
    return Acted.model_validate(ran(act, "one", inputs | {"reported": reported}))


def told(printed: str) -> dict[str, Any]:
    """What the one line of the run says of it; its metrics have no dimension but the service."""
    (line,) = emf_lines(printed)
    ((directive,),) = [line["_aws"]["CloudWatchMetrics"]]
    assert directive["Dimensions"] == [["service"]]
    assert {one["Name"] for one in directive["Metrics"]} == {"MonitorRuns", "Drifted", "Degraded"}
    of_every_stage = {"_aws", "service", "stage", "duration_ms", "execution", "request_id"}
    return {name: value for name, value in line.items() if name not in of_every_stage}


def test_a_run_that_alarms_says_of_what(
    found: Callable[..., Inputs], champion: Champion, capsys: pytest.CaptureFixture[str]
) -> None:
    came_to = acted(found())

    assert came_to == Acted(
        model_version=champion.version,
        date="2026-11-25",
        drifted=True,
        degraded=True,
        reasons=(MOVED, WORSE),
        retraining=Retrained(says=TURNED_OFF),
        report=LIES,
    )
    assert told(capsys.readouterr().out) == {
        "MonitorRuns": 1,
        "Drifted": 1,
        "Degraded": 1,
        "model_version": champion.version,
        "date": "2026-11-25",
        "captured_predictions": 7,
        "recorded_outcomes": 140,
        "drift_p_value": 0.00005,
        "live_rmse": 1.31,
        "live_average_rmse": 1.52,
        "live_coverage": 0.83,
    }


def test_a_run_with_too_little_to_tell_alarms_of_nothing_and_has_no_figures(
    found: Callable[..., Inputs], champion: Champion, capsys: pytest.CaptureFixture[str]
) -> None:
    came_to = acted(found(nothing()))

    assert (came_to.drifted, came_to.degraded) == (False, False)
    assert came_to.reasons == (TOO_FEW, "No outcome was recorded yet.")
    assert told(capsys.readouterr().out) == {
        "MonitorRuns": 1,
        "Drifted": 0,
        "Degraded": 0,
        "model_version": champion.version,
        "date": "2026-11-25",
        "captured_predictions": 7,
        "recorded_outcomes": 0,
        "drift_p_value": None,
        "live_rmse": None,
        "live_average_rmse": None,
        "live_coverage": None,
    }


def of_an_upload(inputs: Inputs) -> Inputs:
    """Have the champion be made of an upload that is known."""
    inputs["begun"]["champion"]["upload"] = UPLOAD.model_dump(mode="json")
    return inputs


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, bucket: Bucket) -> Iterator[str]:
    """A machine that is started after a hundred outcomes."""
    assert bucket
    monkeypatch.setenv("RETRAIN_AFTER_OUTCOMES", "100")
    with own_state_machine() as arn:
        yield arn


def test_a_run_that_alarms_on_enough_outcomes_retrains_and_its_report_says_so(
    found: Callable[..., Inputs], machine: str, bucket: Bucket
) -> None:
    inputs = of_an_upload(found())
    inputs["joined"]["further"] = 100
    bucket.put(LIES.key, sealed_json(troubled("one")))

    came_to = acted(inputs)
    again = acted(inputs)

    listed = boto3.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    assert [one["name"] for one in listed] == ["drift-2026-11-25"]
    assert came_to.retraining
    assert came_to.retraining.execution == "drift-2026-11-25"
    assert again == came_to
    body = read_verified(bucket, came_to.report)
    report = Monitored.model_validate(unsealed_json(LIES.key, body))
    assert report == troubled("one").model_copy(update={"retraining": came_to.retraining})


def test_the_report_of_another_run_of_the_same_date_stays(
    found: Callable[..., Inputs], bucket: Bucket
) -> None:
    body = sealed_json(troubled("another"))
    bucket.put(LIES.key, body)

    assert acted(found()).report == LIES
    assert bucket.get(LIES.key).body == body


@pytest.mark.usefixtures("machine")
def test_without_anything_new_to_learn_only_the_alarm_goes_out(
    found: Callable[..., Inputs],
) -> None:
    retraining = acted(of_an_upload(found())).retraining

    assert retraining
    assert retraining.execution == ""
    assert "RetrainAfterOutcomes: 100. Only the alarm is raised." in retraining.says
