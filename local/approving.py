"""Decide on what waits for somebody's approval: see what does, approve of it, reject it."""

from datetime import UTC, datetime
from typing import Literal

from clinical import approvals
from clinical.approvals import Waiting
from clinical.errors import ClinicalError
from clinical.registry import MAX_WHY, Approval, Registry
from rich.console import Console
from rich.markup import escape

from local import executions
from local.cloud import CloudFailed
from local.console.process import address_of
from local.models import operator
from local.stack import Stack

SHOWN_REASONS = 3  # of a verdict; the console has all of them

type Decision = Literal["approved", "rejected"]


def waiting(stack: Stack) -> list[Waiting]:
    """List what waits for a decision, the longest first; raises CloudFailed where it cannot tell.

    What an execution asked for that ended meanwhile, such as with the cloud, waits no more.
    """
    kept = executions.approvals_of(stack)
    try:
        asked = kept.waiting(datetime.now(UTC))
    except ClinicalError as error:
        raise CloudFailed(str(error)) from error
    status_of = approvals.status_of
    return [one for one in asked if status_of(one, stack.stepfunctions) == approvals.RUNNING]


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


def only(stack: Stack) -> str:
    """Name the execution that waits where there is one alone; raises CloudFailed."""
    match waiting(stack):
        case [one]:
            return one.execution
        case []:
            raise CloudFailed("nothing waits for an approval")
        case several:
            names = ", ".join(one.execution for one in several)
            raise CloudFailed(f"{len(several)} executions wait; name one by EXECUTION=: {names}")


def show(stack: Stack, console: Console) -> None:
    """Print what waits for an approval: since when and until when, why, and what it is worth."""
    found = waiting(stack)
    if not found:
        console.print("Nothing waits for an approval.")
        return
    registry = Registry(executions.approvals_of(stack).bucket)
    for one in found:
        show_waiting(stack, one, console)
        if version := registry.version(one.version):
            verdict = version.verdict
            console.print(f"Its verdict: {verdict.decision.replace('_', ' ')}.")
            for said in verdict.reasons[:SHOWN_REASONS]:
                console.print(f"• {escape(said)}")
        console.print()
    show_places(stack, console)


def show_waiting(stack: Stack, waits: Waiting, console: Console) -> None:
    """Print what waits, why, and how it is decided on."""
    study = f" STUDY={stack.study.told}" if stack.study.told else ""
    console.print(
        f"[bold]{waits.version} waits for an approval[/], since {waits.asked_at:%Y-%m-%d %H:%M} "
        f"and until {waits.until:%Y-%m-%d %H:%M} (UTC); it does not serve before."
    )
    for why in waits.because:
        console.print(f"• {escape(why)}")
    console.print(f"Nominated by {escape(waits.who)}: {escape(waits.why)}")
    for what in ("approve", "reject"):
        console.print(
            f'[bold]make {what}[/]{escape(study)} EXECUTION={escape(waits.execution)} REASON="…"'
        )


def show_places(stack: Stack, console: Console) -> None:
    """Print where else somebody can decide."""
    if address := address_of(stack.folder):
        console.print(f"Or decide in the console: {address}/approvals")
