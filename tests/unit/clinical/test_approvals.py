"""What waits for an approval, what is decided on it, and whom that wakes, in S3 of this process."""

import json
from datetime import timedelta
from typing import Any

import pytest
from clinical.approvals import EXECUTION, Approvals, decide
from clinical.artefacts import Bucket
from clinical.boto3_bucket import Boto3Bucket
from clinical.errors import ApprovalSettled, ApprovalUnknown, ArtefactCorrupted
from clinical.registry import Approval

from tests.waiting import NOW, States, asked


@pytest.fixture
def kept(bucket: Bucket) -> Approvals:
    return Approvals(bucket)


def approval(decision: str = "approved", who: str = "ada", **other: Any) -> Approval:
    return Approval.model_validate(
        {"decision": decision, "who": who, "why": "It is calm.", "decided_at": NOW} | other
    )


class Ended(States):
    """Step Functions of which an execution ended as some status says."""

    def __init__(self, status: str) -> None:
        super().__init__()
        self.status = status

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803
        return super().describe_execution(executionArn) | {"status": self.status}


def test_a_decision_is_kept_before_the_execution_is_woken(kept: Approvals) -> None:
    waiting, states = asked(kept.bucket), States("one")

    assert decide(kept, "one", approval(), states) == waiting  # type: ignore[arg-type]

    assert kept.decision("one") == approval()
    assert states.woken == [(waiting.token, {"decision": "approved"})]
    assert kept.waiting(NOW) == []


def test_who_crashed_between_keeping_and_waking_decides_the_same_again(kept: Approvals) -> None:
    asked(kept.bucket)
    kept.decide("one", approval())
    states = States("one")

    decide(kept, "one", approval(decided_at=NOW + timedelta(hours=1)), states)  # type: ignore[arg-type]

    assert len(states.woken) == 1
    assert kept.decision("one") == approval()  # the first stands


def test_of_two_decisions_at_once_the_first_stands_and_the_other_is_told_of_it(
    kept: Approvals,
) -> None:
    asked(kept.bucket)
    decide(kept, "one", approval("rejected"), States("one"))  # type: ignore[arg-type]

    with pytest.raises(
        ApprovalSettled,
        match=r'v-0a1b2c3d was rejected by ada on .* \("It is calm\."\); this is final',
    ):
        decide(kept, "one", approval(who="grace"), States("one"))  # type: ignore[arg-type]


def test_what_was_approved_and_went_on_is_told_so(kept: Approvals) -> None:
    asked(kept.bucket)
    decide(kept, "one", approval(), States("one"))  # type: ignore[arg-type]

    with pytest.raises(
        ApprovalSettled, match=r"v-0a1b2c3d was approved by ada on .*; deciding the same"
    ):
        decide(kept, "one", approval(who="grace"), States())  # type: ignore[arg-type]


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED"])
def test_a_decision_just_before_the_time_is_over_counts_though_it_wakes_nobody(
    kept: Approvals, status: str
) -> None:
    waiting = asked(kept.bucket)

    assert decide(kept, "one", approval(), Ended(status)) == waiting  # type: ignore[arg-type]


@pytest.mark.parametrize("status", ["ABORTED", "FAILED", "TIMED_OUT"])
def test_a_decision_on_an_execution_that_is_over_is_told_to_change_nothing(
    kept: Approvals, status: str
) -> None:
    asked(kept.bucket)

    with pytest.raises(ApprovalSettled, match=rf"one has already ended \({status}\), so this"):
        decide(kept, "one", approval(), Ended(status))  # type: ignore[arg-type]


def test_an_execution_that_step_functions_forgot_is_over(kept: Approvals) -> None:
    class Forgetful(States):
        def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803
            raise self.exceptions.ExecutionDoesNotExist({}, executionArn)

    asked(kept.bucket)

    with pytest.raises(ApprovalSettled, match="FORGOTTEN"):
        decide(kept, "one", approval(), Forgetful())  # type: ignore[arg-type]


def test_an_execution_that_asked_again_meanwhile_is_woken_by_its_new_token(
    kept: Approvals,
) -> None:
    asked(kept.bucket, token="token-of-an-earlier-try")  # noqa: S106

    class AskedAgain(States):
        def send_task_success(self, taskToken: str, output: str) -> None:  # noqa: N803
            if not self.woken and taskToken == "token-of-an-earlier-try":
                asked(kept.bucket)
            super().send_task_success(taskToken, output)

    states = AskedAgain("one")
    decide(kept, "one", approval(), states)  # type: ignore[arg-type]

    assert states.woken == [("token-of-one", {"decision": "approved"})]


def test_nobody_decides_after_the_time_is_over_nor_after_it_expired(kept: Approvals) -> None:
    waiting = asked(kept.bucket)

    with pytest.raises(ApprovalSettled, match=r"one stopped waiting at .* UTC; promote v-0a1"):
        decide(kept, "one", approval(decided_at=waiting.until), States("one"))  # type: ignore[arg-type]
    assert kept.decision("one") is None

    kept.decide("one", approval("expired", "nobody", why="nobody had decided"))
    with pytest.raises(
        ApprovalSettled, match=r"was not approved by .*: nobody had decided; this is"
    ):
        decide(kept, "one", approval(), States("one"))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["two", "", "../one", "one/decision", "one.json/../one", "o\nne"])
def test_what_nobody_asked_for_cannot_be_decided(kept: Approvals, name: str) -> None:
    asked(kept.bucket)
    kept.decide("one", approval())

    with pytest.raises(ApprovalUnknown):
        decide(kept, name, approval(), States(name))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["drift-2026-11-26", "x" * 80, "a.b_c-d", "Überprüfung", "a=b+c@d'()!"]
)
def test_an_execution_of_any_name_that_step_functions_take_waits_and_is_decided_on(
    kept: Approvals, name: str
) -> None:
    assert EXECUTION.fullmatch(name)
    waiting = asked(kept.bucket, name)

    assert kept.executions() == [name]
    assert kept.waiting(NOW) == [waiting]
    assert decide(kept, name, approval(), States(name)) == waiting  # type: ignore[arg-type]
    assert kept.executions() == [name]
    assert kept.waiting(NOW) == []


def test_a_file_that_somebody_changed_is_refused(kept: Approvals, bucket: Boto3Bucket) -> None:
    asked(kept.bucket)
    key = "approvals/one.json"
    changed = json.loads(bucket.get(key).body) | {"version": "v-99999999"}
    bucket.put(key, json.dumps(changed).encode())

    with pytest.raises(ArtefactCorrupted, match="was altered since"):
        decide(kept, "one", approval(), States("one"))  # type: ignore[arg-type]
