from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from clinical.artefacts import Bucket
from clinical.upload import Upload
from handled import Claim, Handled
from retrain import watch
from retrain.watch import STARTS_WITHIN, is_waiting

from tests.pipeline import Context, own_state_machine
from tests.unit.conftest import NOW, emf_lines

type Put = Callable[..., str]

UPLOAD = Upload(key="raw/data.csv", version_id="1", uploaded_at=NOW)


@pytest.mark.parametrize(
    ("status", "after", "waits"),
    [
        (None, STARTS_WITHIN, False),
        (None, STARTS_WITHIN + timedelta(seconds=1), True),
        ("RUNNING", timedelta(hours=1), False),
        ("RUNNING", timedelta(days=30), False),  # which may wait for an approval
        ("SUCCEEDED", timedelta(days=1), False),
        ("FAILED", timedelta(seconds=1), True),
        ("TIMED_OUT", timedelta(hours=2), True),
        ("ABORTED", timedelta(minutes=1), True),
        (watch.FORGOTTEN, timedelta(days=91), False),
    ],
)
def test_an_upload_waits_until_an_execution_on_it_succeeds(
    status: str | None, after: timedelta, *, waits: bool
) -> None:
    assert is_waiting(UPLOAD, status, NOW + after) is waits


@pytest.fixture
def watched(bucket: Bucket, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], float]]:
    """Watch, and give what was counted; a state machine is there, and has never run."""
    assert bucket

    def look() -> float:
        handler: Callable[..., Any] = watch.watch
        handler({}, Context())
        (line,) = emf_lines(capsys.readouterr().out)
        counted: float = line["UploadsWaiting"]
        return counted

    with own_state_machine():
        yield look


def claimed(bucket: Bucket, version_id: str, execution: str) -> None:
    upload = UPLOAD.model_copy(update={"version_id": version_id})
    Handled(bucket).take_over(Claim(execution=execution, upload=upload, claimed_at=NOW))


def started(name: str) -> str:
    client = boto3.client("stepfunctions")
    (machine,) = client.list_state_machines()["stateMachines"]
    arn: str = client.start_execution(stateMachineArn=machine["stateMachineArn"], name=name)[
        "executionArn"
    ]
    return arn


def test_nothing_uploaded_waits_for_nothing(watched: Callable[[], float]) -> None:
    assert watched() == 0


def test_an_upload_whose_event_was_lost_waits_once_it_is_late(
    watched: Callable[[], float], upload: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(b"x")
    assert watched() == 0

    monkeypatch.setattr(watch, "STARTS_WITHIN", timedelta(seconds=-1))

    assert watched() == 1


def test_a_run_that_is_under_way_or_forgotten_is_no_upload_waiting_and_one_that_failed_is(
    watched: Callable[[], float], upload: Put, bucket: Bucket
) -> None:
    claimed(bucket, upload(b"x"), "long-ago")
    assert watched() == 0
    claimed(bucket, upload(b"y"), "now")
    arn = started("now")
    assert watched() == 0

    boto3.client("stepfunctions").stop_execution(executionArn=arn)

    assert watched() == 1
