"""Request approval of a candidate: store the request, its deadline and the task token."""

from datetime import timedelta

from clinical.approvals import Approvals, Waiting
from clinical.errors import ApprovalSettled
from stage import Run, stage

from retrain.state import Nominated, Requested, Token


@stage(cached=False)
def request_approval(
    nominated: Nominated, waiting: Token, approvals: Approvals, run: Run
) -> Requested:
    """Store the request with the token that resumes the execution; a retry has another token.

    The execution continues once it is resumed; nobody reads this output. Raises ApprovalSettled if
    there is nothing to wait for: a decision was made before this try, or an earlier execution of
    this name requested another approval.
    """
    before = approvals.asked(run.execution)
    if before and (before.version, before.over) != (nominated.version, nominated.over):
        raise ApprovalSettled(f"{run.execution} already requested approval of {before.version}")
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
