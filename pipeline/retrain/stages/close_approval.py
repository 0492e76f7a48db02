"""See what was decided on a candidate, once its execution was woken or its time is over."""

from clinical import telemetry
from clinical.approvals import Approvals
from clinical.registry import Approval
from stage import Run, stage

from retrain.state import Closed, Nominated


@stage(cached=False)
def close_approval(nominated: Nominated, approvals: Approvals, run: Run) -> Closed:
    """Read the decision that stands; where there is none, nobody approved, and nobody can any more.

    What woke the execution is not asked: its token approves nothing.
    """
    closed = came_of(nominated, approvals, run)
    if closed.decision == "not_approved":  # then the execution ends; else `promote` counts it
        telemetry.count_execution(closed.decision)
    return closed


def came_of(nominated: Nominated, approvals: Approvals, run: Run) -> Closed:
    """Tell what came of asking for an approval."""
    asked = approvals.asked(run.execution)
    if asked and (asked.version, asked.over) != (nominated.version, nominated.over):
        return closed_by(
            f"An execution named {run.execution} asked for an approval of {asked.version} on "
            f"{asked.asked_at:%Y-%m-%d}, and has it; start this one under another name.",
            nominated,
        )
    nobody = Approval(
        decision="expired",
        who="nobody",
        why="nobody had decided",
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
