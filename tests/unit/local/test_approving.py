"""`make approvals`, `make approve` and `make reject`, in a cloud of this process."""

import io
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from clinical.approvals import Approvals
from clinical.boto3_bucket import Boto3Bucket
from clinical.registry import MAX_WHY
from rich.console import Console

from local import approving, executions
from local.cloud import CloudFailed
from local.models import operator
from tests.unit.local import clouds
from tests.waiting import ARN, NOW, States, asked


@pytest.fixture
def kept(cloud: Boto3Bucket) -> Approvals:
    return Approvals(cloud)


def stack(*running: str) -> Any:
    """Make a stack of which some executions run."""
    made = clouds.stack()
    made.stepfunctions = States(*running)
    made.outputs.artifacts_bucket = "artifacts"
    made.study, made.folder = SimpleNamespace(told=""), Path("nowhere")
    return made


def printed(show: Callable[[Console], object]) -> str:
    console = Console(width=200, no_color=True)
    with console.capture() as captured:
        show(console)
    return captured.get()


class Awaiting(States):
    """Step Functions whose one execution waits, and ends after so many looks."""

    def __init__(self, running: str, looks: int = 1_000) -> None:
        super().__init__(running)
        self.looks = looks

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803
        self.looks -= 1
        described = super().describe_execution(executionArn)
        described |= {"executionArn": executionArn, "name": "one", "startDate": NOW}
        if self.looks < 0:
            output = json.dumps({"decision": "not_approved"})
            described |= {"status": "SUCCEEDED", "stopDate": NOW, "output": output}
        return described

    def get_paginator(self, _: str) -> Any:
        entered = {"name": executions.AWAITS}
        event = {"id": 1, "type": "TaskStateEntered", "timestamp": NOW}
        event["stateEnteredEventDetails"] = entered
        return SimpleNamespace(paginate=lambda **_: iter([{"events": [event]}]))


def test_what_waits_is_listed_the_longest_first(kept: Approvals) -> None:
    asked(kept.bucket, "later", asked_at=NOW - timedelta(minutes=1))
    asked(kept.bucket, "sooner")
    asked(kept.bucket, "over", until=NOW - timedelta(seconds=1))
    asked(kept.bucket, "interrupted")

    found = approving.waiting(stack("later", "sooner", "over"))

    assert [one.execution for one in found] == ["sooner", "later"]


def test_a_decision_is_kept_with_who_and_why_and_wakes_the_execution(kept: Approvals) -> None:
    waiting, there = asked(kept.bucket), stack("one")

    decided = approving.decide(there, "one", "approved", "  The replay moves nobody. ")

    assert decided == waiting
    assert there.stepfunctions.woken == [("token-of-one", {"decision": "approved"})]
    stands = kept.decision("one")
    assert stands is not None
    assert (stands.decision, stands.who) == ("approved", operator())
    assert stands.why == "The replay moves nobody."
    assert approving.waiting(there) == []


@pytest.mark.parametrize("why", ["", "  \n", "x" * (MAX_WHY + 1)])
def test_without_a_reason_that_the_ledger_can_keep_nothing_is_decided(
    kept: Approvals, why: str
) -> None:
    asked(kept.bucket)
    there = stack("one")

    with pytest.raises(CloudFailed, match="reason"):
        approving.decide(there, "one", "approved", why)

    assert kept.decision("one") is None
    assert there.stepfunctions.woken == []


def test_of_two_decisions_the_first_stands_and_the_other_is_told_of_it(kept: Approvals) -> None:
    asked(kept.bucket)
    there = stack("one")
    approving.decide(there, "one", "rejected", "It loses combinations.")

    with pytest.raises(CloudFailed, match=r"was rejected by .*; this is final"):
        approving.decide(there, "one", "approved", "It is fine.")

    stands = kept.decision("one")
    assert stands is not None
    assert stands.decision == "rejected"


@pytest.mark.usefixtures("kept")
def test_what_nobody_asked_for_is_said() -> None:
    with pytest.raises(CloudFailed, match="no execution named two has requested"):
        approving.decide(stack("two"), "two", "approved", "It is fine.")


def test_the_execution_that_is_meant_is_the_only_one_that_waits(kept: Approvals) -> None:
    there = stack("one", "two")
    with pytest.raises(CloudFailed, match="no candidate is waiting"):
        approving.only(there)
    asked(kept.bucket, "one")
    assert approving.only(there) == "one"
    asked(kept.bucket, "two", asked_at=NOW)

    with pytest.raises(CloudFailed, match="2 executions are waiting; choose one with EXECUTION="):
        approving.only(there)


def test_what_waits_is_shown_with_why_and_how_to_decide_and_without_its_token(
    kept: Approvals,
) -> None:
    there, waiting = stack("one"), asked(kept.bucket)

    text = printed(lambda console: approving.show(there, console))

    assert "v-0a1b2c3d is waiting for approval" in text
    assert f"until {waiting.until:%Y-%m-%d %H:%M}" in text
    assert waiting.because[0] in text
    assert 'make approve EXECUTION=one REASON="…"' in text
    assert 'make reject EXECUTION=one REASON="…"' in text
    assert waiting.token not in text


def test_the_commands_for_another_study_name_it(kept: Approvals) -> None:
    there = stack("one")
    there.study.told = "actg175"
    asked(kept.bucket)

    text = printed(lambda console: approving.show(there, console))

    assert 'make approve STUDY=actg175 EXECUTION=one REASON="…"' in text


def test_where_nothing_waits_that_is_said(kept: Approvals) -> None:
    asked(kept.bucket, "interrupted")

    assert "No candidate is waiting" in printed(lambda console: approving.show(stack(), console))


def test_an_execution_that_waits_for_somebody_is_not_followed_for_days(kept: Approvals) -> None:
    there, waiting = stack("one"), asked(kept.bucket)
    there.stepfunctions = Awaiting("one")

    arn, console = f"{ARN}one", Console(file=io.StringIO())
    outcome = executions.follow(there, arn, console)

    assert outcome.waiting == waiting
    assert not outcome.succeeded


def test_an_execution_that_was_decided_on_is_followed_to_its_end(kept: Approvals) -> None:
    there = stack("one")
    asked(kept.bucket)
    approving.decide(there, "one", "rejected", "It loses combinations.")
    there.stepfunctions = Awaiting("one", looks=3)

    arn, console = f"{ARN}one", Console(file=io.StringIO())
    outcome = executions.follow(there, arn, console)

    assert outcome.waiting is None
    assert outcome.output == {"decision": "not_approved"}
