"""`make approvals`, `make approve` and `make reject`, in a cloud of this process."""

from datetime import timedelta
from typing import Any

import pytest
from clinical.approvals import Approvals
from clinical.boto3_bucket import Boto3Bucket
from clinical.registry import MAX_WHY

from local import approving
from local.cloud import CloudFailed
from local.models import operator
from tests.unit.local import clouds
from tests.waiting import MACHINE, NOW, States, asked


@pytest.fixture
def kept(cloud: Boto3Bucket) -> Approvals:
    return Approvals(cloud)


def stack(*running: str) -> Any:
    """Make a stack of which some executions run."""
    made = clouds.stack()
    made.stepfunctions = States(*running)
    made.outputs.artifacts_bucket = "artifacts"
    made.outputs.state_machine_arn = MACHINE
    return made


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

    with pytest.raises(CloudFailed, match=r"was rejected by .* and that stands"):
        approving.decide(there, "one", "approved", "It is fine.")

    stands = kept.decision("one")
    assert stands is not None
    assert stands.decision == "rejected"


@pytest.mark.usefixtures("kept")
def test_what_nobody_asked_for_is_said() -> None:
    with pytest.raises(CloudFailed, match="no execution two ever asked"):
        approving.decide(stack("two"), "two", "approved", "It is fine.")
