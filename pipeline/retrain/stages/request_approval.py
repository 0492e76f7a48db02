"""Ask somebody to approve of a candidate: what waits, until when, and what wakes the execution."""

from datetime import timedelta

from clinical.approvals import Approvals, Waiting
from clinical.errors import ApprovalSettled
from stage import Run, stage

from retrain.state import Nominated, Requested, Token


@stage(cached=False)
def request_approval(
    nominated: Nominated, waiting: Token, approvals: Approvals, run: Run
) -> Requested:
    """Keep what waits with the token that wakes the execution; a retry has another token.

    The execution goes on once it is woken, and this answer is nobody's. Raises ApprovalSettled
    where there is nothing to wait for: somebody decided before this try, or an execution of this
    name asked for another approval, long ago.
    """
    before = approvals.asked(run.execution)
    if before and (before.version, before.over) != (nominated.version, nominated.over):
        raise ApprovalSettled(f"{run.execution} asked for an approval of {before.version} before")
    until = run.now + timedelta(seconds=nominated.approval_seconds)
    approvals.ask(
        Waiting(
            execution=run.execution,
            arn=waiting.arn,
            version=nominated.version,
            over=nominated.over or 0,
            who=nominated.who,
            why=nominated.why,
            because=nominated.approval,
            token=waiting.token,
            asked_at=run.now,
            until=until,
            verdict=nominated.verdict,
        )
    )
    if decided := approvals.decision(run.execution):
        raise ApprovalSettled(f"{nominated.version} {decided.in_words}")
    return Requested(version=nominated.version, until=until)
