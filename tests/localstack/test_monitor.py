"""What the monitor machine hands from stage to stage."""

import pytest

from events.generate import inputs_of, stages
from tests.localstack.cases import plain
from tests.localstack.execution import Execution
from tests.localstack.monitor import BEGUN, REPORTED, drifted, joined

STAGES = {
    "".join(part.capitalize() for part in name.split("_")): name for name in stages("monitor")
}


@pytest.fixture
def monitored(executions: dict[str, dict[str, Execution]]) -> dict[str, Execution]:
    return executions["monitor"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_is_handed_what_its_models_take(
    monitored: dict[str, Execution], stage: str
) -> None:
    payloads = [
        (execution.name, payload)
        for execution in monitored.values()
        for payload in execution.asked(stage)
    ]

    assert payloads
    for execution, payload in payloads:
        inputs = inputs_of(STAGES[stage], "monitor")
        assert set(payload) == {"execution", *inputs}
        assert payload["execution"] == execution
        for name, kind in inputs.items():
            kind.model_validate(payload[name])


def test_the_last_stage_sees_what_all_others_found(monitored: dict[str, Execution]) -> None:
    (acting,) = monitored["RequestsDrifted"].asked("Act")

    assert acting == {
        "execution": "RequestsDrifted",
        "begun": plain(BEGUN),
        "drifted": plain(drifted(alarms=True)),
        "joined": plain(joined(alarms=False)),
        "reported": plain(REPORTED),
    }


def test_where_nothing_serves_no_stage_after_the_capture_runs(
    monitored: dict[str, Execution],
) -> None:
    execution = monitored["NothingServes"]

    assert execution.asked("Capture")
    assert not any(execution.asked(stage) for stage in ("Drift", "JoinOutcomes", "Report", "Act"))


def test_a_log_that_does_not_answer_is_asked_again_as_a_bucket_is(
    monitored: dict[str, Execution],
) -> None:
    execution = monitored["StorageThenLogUnavailable"]

    assert execution.failures == ["StorageUnavailable", "LogUnavailable"]
    assert execution.described["status"] == "SUCCEEDED"
