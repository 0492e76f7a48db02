import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from local import executions
from local.executions import Progress, shown
from local.machines import MONITOR, RETRAIN, SCORE
from tests.unit.local import clouds

BEGAN = datetime(2026, 11, 23, 12, tzinfo=UTC)


def event(
    kind: str, seconds: float, name: str = "", number: int = 0, after: int = 0, error: str = ""
) -> dict[str, Any]:
    details = {"name": name}
    return {
        "id": number,
        "previousEventId": after,
        "taskFailedEventDetails": {"error": error},
        "type": kind,
        "timestamp": BEGAN + timedelta(seconds=seconds),
        "stateEnteredEventDetails": details,
        "stateExitedEventDetails": details,
    }


def text(progress: Progress) -> str:
    console = Console(width=60, no_color=True)
    with console.capture() as captured:
        console.print(shown(progress, "RUNNING"))
    return captured.get()


def test_states_are_shown_in_order_with_how_far_they_are() -> None:
    progress = Progress()

    progress.update(
        [
            event("ExecutionStarted", 0),
            event("TaskStateEntered", 0, "Ingest"),
            event("TaskStateExited", 1.5, "Ingest"),
            event("TaskStateEntered", 1.5, "Validate"),
        ]
    )

    ingest, validate = text(progress).splitlines()
    assert "✓" in ingest
    assert "1.50 s" in ingest
    assert "running" in validate


def test_an_error_is_of_the_state_that_it_happened_in_and_not_of_one_beside_it() -> None:
    progress = Progress()

    progress.update(
        [
            event("ParallelStateEntered", 0, "Both", 1),
            event("TaskStateEntered", 0, "One", 2, after=1),
            event("TaskStateEntered", 0, "Two", 3, after=1),
            event("TaskScheduled", 0, "", 4, after=2),
            event("TaskFailed", 1, "", 5, after=4, error="Broken"),
        ]
    )

    assert [(step.name, step.error) for step in progress.steps] == [
        ("Both", ""),
        ("One", "Broken"),
        ("Two", ""),
    ]


def test_an_error_that_follows_nothing_is_of_the_state_entered_last() -> None:
    progress = Progress()

    progress.update(
        [
            event("TaskStateEntered", 0, "One", 1),
            event("TaskStateEntered", 0, "Two", 2),
            event("TaskFailed", 1, "", 3, error="Broken"),
        ]
    )

    assert [step.error for step in progress.steps] == ["", "Broken"]


def test_of_a_state_that_was_entered_many_times_the_one_ends_that_an_event_follows() -> None:
    progress = Progress()

    progress.update(
        [
            event("MapStateEntered", 0, "Each", 1),
            event("TaskStateEntered", 0, "One", 2, after=1),
            event("TaskStateEntered", 0, "One", 3, after=1),
            event("TaskStateExited", 2, "One", 4, after=2),
            event("TaskStateExited", 5, "One", 5, after=3),
            event("MapStateExited", 5, "Each", 6, after=5),
        ]
    )

    assert [step.seconds for step in progress.steps] == [5.0, 2.0, 5.0]


def test_only_what_is_new_in_a_history_is_read() -> None:
    progress = Progress()
    history = [event("TaskStateEntered", 0, "Ingest")]
    progress.update(history)

    progress.update([*history, event("TaskStateExited", 2, "Ingest")])

    assert [(step.name, step.seconds) for step in progress.steps] == [("Ingest", 2.0)]


def test_the_state_that_an_execution_failed_in_is_marked() -> None:
    progress = Progress()

    progress.update([event("TaskStateEntered", 0, "Ingest"), event("ExecutionFailed", 1)])

    assert "failed" in text(progress)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("trial.csv", "raw/trial.csv"),
        ("trial.xlsx", "raw/trial.xlsx"),
        ("TRIAL.CSV", "raw/TRIAL.CSV"),
        ("trial.csv.gz", "raw/trial.csv.gz"),
        ("trial", "raw/trial"),
        ("my trial (1).csv", "raw/my trial (1).csv"),
        ("étude.csv", "raw/étude.csv"),
        ("a?b#c%d\\e\n.csv", "raw/a_b_c_d_e_.csv"),
        (f"{'x' * 300}.xlsx", f"raw/{'x' * 95}.xlsx"),
    ],
)
def test_an_upload_keeps_the_name_of_its_file_and_so_what_it_ends_in(name: str, key: str) -> None:
    assert RETRAIN.key(name) == key


class Interrupted:
    """The machines of a cloud that was killed; each has one execution, of an upload that is named.

    asked: what each was started with, by the machine's ARN.
    """

    def __init__(self, asked: dict[str, Any]) -> None:
        self._asked = asked

    def list_executions(self, stateMachineArn: str, **_: object) -> dict[str, Any]:  # noqa: N803
        listed: dict[str, Any] = {"executionArn": stateMachineArn, "status": "FAILED"}
        listed |= {"startDate": BEGAN, "stopDate": BEGAN}
        return {"executions": [listed] if stateMachineArn in self._asked else []}

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803
        return {
            "name": f"of-{executionArn}",
            "input": json.dumps(self._asked[executionArn]),
            "error": executions.INTERRUPTED,
        }


@pytest.mark.usefixtures("cloud")
def test_what_was_interrupted_is_started_again_by_the_machine_that_it_was_of() -> None:
    stack = clouds.stack()
    event = {"event": {"id": "one"}}
    raw, score = ({"key": key, "version_id": "v"} for key in ("raw/a.csv", "score/in/b.csv"))
    asked = {
        "retrain": {"raw": raw} | event,
        "score": {"score": score} | event,
        "monitor": {"until": "2026-10-31"},
    }
    stack.stepfunctions = Interrupted(asked)

    again, rescored, watched = executions.interrupted(stack, 0.0, crashed=False)

    assert again.machine is RETRAIN
    assert again.asked is not None
    assert again.asked["raw"] == raw
    assert again.told == "The execution of-retrain was interrupted; training on raw/a.csv again"
    assert rescored.machine is SCORE
    assert rescored.asked == {"score": score}  # and nothing else, which it would refuse
    assert rescored.told == "The execution of-score was interrupted; scoring score/in/b.csv again"
    assert watched.machine is MONITOR
    assert watched.asked == {"until": "2026-10-31"}
    assert watched.told.endswith("monitoring up to 2026-10-31 again")


@pytest.mark.usefixtures("cloud")
def test_an_upload_whose_event_was_lost_is_scored_after_a_crash() -> None:
    stack = clouds.stack()
    stack.stepfunctions = Interrupted({})
    written = stack.s3.put_object(Bucket="raw", Key="score/in/b.csv", Body=b"id")

    (lost,) = executions.interrupted(stack, 0.0, crashed=True)

    assert lost.machine is SCORE
    assert lost.asked == {"score": {"key": "score/in/b.csv", "version_id": written["VersionId"]}}
    assert lost.told == "The upload score/in/b.csv had not started an execution; scoring it"
