"""Decide on what waits for somebody's approval: see what does, approve of it, reject it."""

from datetime import UTC, datetime
from typing import Literal

from clinical import approvals
from clinical.approvals import Waiting
from clinical.errors import ClinicalError
from clinical.registry import MAX_WHY, Approval

from local import executions
from local.cloud import CloudFailed
from local.models import operator
from local.stack import Stack

type Decision = Literal["approved", "rejected"]


def waiting(stack: Stack) -> list[Waiting]:
    """List what waits for a decision, the longest first; raises CloudFailed where it cannot tell.

    What an execution asked for that ended meanwhile, such as with the cloud, waits no more.
    """
    try:
        asked = executions.approvals_of(stack).waiting(datetime.now(UTC))
    except ClinicalError as error:
        raise CloudFailed(str(error)) from error
    return [one for one in asked if executions.is_running(stack, one.execution)]


def decide(stack: Stack, execution: str, decision: Decision, why: str) -> Waiting:
    """Decide on what waits, as who is at this keyboard; gives what was decided on.

    Raises CloudFailed where a reason is missing or nothing waits there any more, which says what
    to do.
    """
    approval = Approval(
        decision=decision, who=operator(), why=reason(why), decided_at=datetime.now(UTC)
    )
    try:
        return approvals.decide(
            executions.approvals_of(stack), execution, approval, stack.stepfunctions
        )
    except ClinicalError as error:
        raise CloudFailed(str(error)) from error


def reason(why: str) -> str:
    """Give a reason without the blanks around it; raises CloudFailed where there is none."""
    said = why.strip()
    if not said:
        raise CloudFailed("why? Whoever decides gives a reason, which the ledger keeps")
    if len(said) > MAX_WHY:
        raise CloudFailed(
            f"the reason has {len(said):,} characters, and {MAX_WHY:,} are the most that the "
            "ledger keeps"
        )
    return said
