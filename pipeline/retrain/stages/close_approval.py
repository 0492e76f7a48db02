"""Read the decision on a candidate, once its execution is resumed or its waiting time is over."""

from clinical import telemetry
from clinical.approvals import Approvals
from clinical.registry import Approval
from stage import Run, stage

from retrain.state import Closed, Nominated


@stage(cached=False)
def close_approval(nominated: Nominated, approvals: Approvals, run: Run) -> Closed:
    """Read the decision; if there is none, the candidate is not approved, and that is final.

    It does not matter what resumed the execution, because the token approves nothing.
    """
    closed = came_of(nominated, approvals, run)
    if closed.decision == "not_approved":  # then the execution ends; else `promote` counts it
        telemetry.count_execution(closed.decision)
    return closed


def came_of(nominated: Nominated, approvals: Approvals, run: Run) -> Closed:
    """Return the outcome of a request for approval."""
    asked = approvals.asked(run.execution)
    if asked and (asked.version, asked.over) != (nominated.version, nominated.over):
        return closed_by(
            f"An execution named {run.execution} already requested approval of {asked.version} on "
            f"{asked.asked_at:%Y-%m-%d}; start this one under another name.",
            nominated,
        )
    nobody = Approval(
        decision="expired",
        who="nobody",
        why="nobody decided in time",
        decided_at=run.now,
    )
    stands = approvals.decision(run.execution) or approvals.decide(run.execution, nobody)
    reason = f"{nominated.version} {stands.in_words}."
    return closed_by(reason, nominated, approved=stands.decision == "approved")


def closed_by(reason: str, nominated: Nominated, *, approved: bool = False) -> Closed:
    return Closed(
        decision="approved" if approved else "not_approved",
        reason=reason,
        version=nominated.version,
        verdict=nominated.verdict,
    )
