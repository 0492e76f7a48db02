"""List candidates that are waiting for approval, and approve or reject them."""

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

SHOWN_REASONS = 3  # of a verdict; the console shows all

type Decision = Literal["approved", "rejected"]


def waiting(stack: Stack) -> list[Waiting]:
    """List candidates that are waiting, the longest first; raises CloudFailed if it cannot read.

    Requests of executions that have ended, for example with the cloud, are left out.
    """
    kept = executions.approvals_of(stack)
    try:
        asked = kept.waiting(datetime.now(UTC))
    except ClinicalError as error:
        raise CloudFailed(str(error)) from error
    status_of = approvals.status_of
    return [one for one in asked if status_of(one, stack.stepfunctions) == approvals.RUNNING]


def decide(stack: Stack, execution: str, decision: Decision, why: str) -> Waiting:
    """Approve or reject a candidate as this machine's user; returns the request.

    Raises CloudFailed, which says what to do, if the reason is missing or the execution is no
    longer waiting.
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
    """Return a reason without surrounding blanks; raises CloudFailed if it is empty or too long."""
    said = why.strip()
    if not said:
        raise CloudFailed('a reason is required for the ledger: add REASON="…"')
    if len(said) > MAX_WHY:
        raise CloudFailed(
            f"the reason has {len(said):,} characters; the ledger keeps at most {MAX_WHY:,}"
        )
    return said


def only(stack: Stack) -> str:
    """Return the only execution that is waiting; raises CloudFailed if there is none or several."""
    match waiting(stack):
        case [one]:
            return one.execution
        case []:
            raise CloudFailed("no candidate is waiting for approval")
        case several:
            names = ", ".join(one.execution for one in several)
            raise CloudFailed(
                f"{len(several)} executions are waiting; choose one with EXECUTION=: {names}"
            )


def show(stack: Stack, console: Console) -> None:
    """Print the candidates that are waiting: since when, until when, why, and their verdicts."""
    found = waiting(stack)
    if not found:
        console.print("No candidate is waiting for approval.")
        return
    registry = Registry(executions.approvals_of(stack).bucket)
    for one in found:
        show_waiting(stack, one, console)
        if version := registry.version(one.version):
            verdict = version.verdict
            console.print(f"Verdict: {verdict.decision.replace('_', ' ')}.")
            for said in verdict.reasons[:SHOWN_REASONS]:
                console.print(f"• {escape(said)}")
        console.print()
    show_places(stack, console)


def show_waiting(stack: Stack, waits: Waiting, console: Console) -> None:
    """Print a candidate that is waiting, why, and how to decide."""
    study = f" STUDY={stack.study.told}" if stack.study.told else ""
    console.print(
        f"[bold]{waits.version} is waiting for approval[/], since {waits.asked_at:%Y-%m-%d %H:%M} "
        f"and until {waits.until:%Y-%m-%d %H:%M} UTC. It does not serve until it is approved."
    )
    for why in waits.because:
        console.print(f"• {escape(why)}")
    console.print(f"Nominated by {escape(waits.who)}: {escape(waits.why)}")
    for what in ("approve", "reject"):
        console.print(
            f'[bold]make {what}[/]{escape(study)} EXECUTION={escape(waits.execution)} REASON="…"'
        )


def show_places(stack: Stack, console: Console) -> None:
    """Print the console's address, the other place to decide."""
    if address := address_of(stack.folder):
        console.print(f"Or decide in the console: {address}/approvals")
