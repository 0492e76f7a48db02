"""`make approvals`, `make approve` and `make reject`, in a cloud of this process."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from clinical.approvals import Approvals, Waiting
from clinical.boto3_bucket import Boto3Bucket
from clinical.registry import MAX_WHY

from local import approving
from local.cloud import CloudFailed
from local.models import operator
from tests.unit.local import clouds

pytestmark = pytest.mark.usefixtures("cloud")
NOW = datetime.now(UTC)


def asked(execution: str = "one", **changes: Any) -> Waiting:
    """Something that waits since an hour, in the bucket."""
    waiting = Waiting(
        execution=execution,
        version="v-0a1b2c3d",
        over=0,
        who="raw/sample.csv",
        why="An upload.",
        because=("params.yaml lets no model serve that nobody approved of (gate.approval).",),
        token=f"token-of-{execution}",
        asked_at=NOW - timedelta(hours=1),
        until=NOW + timedelta(days=7),
    ).model_copy(update=changes)
    kept().ask(waiting)
    return waiting


def kept() -> Approvals:
    return Approvals(Boto3Bucket(boto3.client("s3"), "artifacts"))


class States:
    """Step Functions of which some executions run, and that knows the tokens of those.

    woken: the tokens that were sent, each with its output.
    """

    def __init__(self, *running: str) -> None:
        self.exceptions = boto3.client("stepfunctions").exceptions
        self.running = running
        self.woken: list[tuple[str, Any]] = []

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803
        machine, name = executionArn.rsplit(":", 1)
        if machine != "arn:aws:states:us-east-1:000000000000:execution:retrain":
            raise self.exceptions.ExecutionDoesNotExist({}, "DescribeExecution")
        return {"status": "RUNNING" if name in self.running else "FAILED"}

    def send_task_success(self, taskToken: str, output: str) -> None:  # noqa: N803
        if taskToken.removeprefix("token-of-") not in self.running:
            raise self.exceptions.TaskDoesNotExist({}, "SendTaskSuccess")
        self.woken.append((taskToken, json.loads(output)))


def stack(*running: str) -> Any:
    made = clouds.stack()
    made.stepfunctions = States(*running)
    made.outputs.artifacts_bucket = "artifacts"
    made.outputs.state_machine_arn = "arn:aws:states:us-east-1:000000000000:stateMachine:retrain"
    return made


def test_what_waits_is_listed_the_longest_first() -> None:
    asked("later", asked_at=NOW - timedelta(minutes=1))
    asked("sooner")
    asked("over", until=NOW - timedelta(seconds=1))
    asked("interrupted")

    found = approving.waiting(stack("later", "sooner", "over"))

    assert [one.execution for one in found] == ["sooner", "later"]


def test_a_decision_is_kept_with_who_and_why_and_wakes_the_execution() -> None:
    waiting, there = asked(), stack("one")

    decided = approving.decide(there, "one", "approved", "  The replay moves nobody. ")

    assert decided == waiting
    assert there.stepfunctions.woken == [("token-of-one", {"decision": "approved"})]
    stands = kept().decision("one")
    assert stands is not None
    assert (stands.decision, stands.who) == ("approved", operator())
    assert stands.why == "The replay moves nobody."
    assert approving.waiting(there) == []


@pytest.mark.parametrize("why", ["", "  \n", "x" * (MAX_WHY + 1)])
def test_without_a_reason_that_the_ledger_can_keep_nothing_is_decided(why: str) -> None:
    asked()
    there = stack("one")

    with pytest.raises(CloudFailed, match="reason"):
        approving.decide(there, "one", "approved", why)

    assert kept().decision("one") is None
    assert there.stepfunctions.woken == []


def test_of_two_decisions_the_first_stands_and_the_other_is_told_of_it() -> None:
    asked()
    there = stack("one")
    approving.decide(there, "one", "rejected", "It loses combinations.")

    with pytest.raises(CloudFailed, match=r"was rejected by .* and that stands"):
        approving.decide(there, "one", "approved", "It is fine.")

    stands = kept().decision("one")
    assert stands is not None
    assert stands.decision == "rejected"


def test_what_nobody_asked_for_is_said() -> None:
    with pytest.raises(CloudFailed, match="no execution two ever asked"):
        approving.decide(stack("two"), "two", "approved", "It is fine.")
