"""The page Approvals: candidates that wait for approval, and recent decisions."""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from clinical.approvals import RUNNING, Approvals, Waiting, status_of
from clinical.boto3_bucket import Boto3Bucket
from clinical.errors import ArtefactCorrupted, ArtefactMissing
from clinical.params import ApprovalRule, Gate, MovesMoreThan, params
from clinical.registry import MAX_WHY, Approval, Registry
from nicegui import ui

from local import approving, executions
from local.approving import Decision
from local.cloud import CloudFailed
from local.console import checks
from local.console.tables import columns
from local.stack import Stack

LISTED = 20  # decisions, the newest
COLUMNS = ("decided (UTC)", "version", "decision", "by", "reason", "result", "execution")
REASONLESS = "Enter a reason first; it is kept in the ledger."
TOO_LONG = f"Too long: the ledger keeps at most {MAX_WHY:,} characters."
OVER = "is no longer waiting and was not decided: its execution ended, or its time ran out."
RULES = {
    "with_warning": "it would serve with a warning",
    "loses_combinations": "its data lack combinations that the champion's data have",
}


@dataclass(frozen=True)
class Evidence:
    """The evidence for a decision, as the page shows it.

    verdict: the verdict's sentences, of the execution that waits. card: the data for its checks;
    None if the registry has no card. unreadable: why there is none, in a sentence.
    """

    verdict: tuple[str, ...] = ()
    card: dict[str, Any] | None = None
    unreadable: str = ""


@dataclass
class Told:
    """The candidates that wait, the decisions, and objects that are damaged.

    overtaken: waiting executions whose approval would be void, with the reason.
    """

    waiting: list[Waiting] = field(default_factory=list)
    overtaken: dict[str, str] = field(default_factory=dict)
    decided: list[dict[str, str]] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


class Page:
    """The candidates that wait, each with its evidence and two buttons, and the last decisions.

    A candidate that is no longer waiting stays in place and says so, because somebody may be
    looking at it or writing a reason.
    """

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.reader = Reader(stack)
        self.shown: dict[str, Candidate] = {}
        checks.add_style()
        ui.label("Waiting for approval").classes("text-lg font-semibold")
        self.unreadable = ui.label().classes("text-negative whitespace-pre-line")
        self.none = ui.label(f"No candidate is waiting for approval. {in_words(params().gate)}")
        self.waiting = ui.column().classes("w-full gap-4")
        ui.label("Recent decisions").classes("text-lg font-semibold")
        self.undecided = ui.label("No decisions yet.")
        self.decided = ui.table(
            columns=columns({one: one for one in COLUMNS}), rows=[], row_key="execution"
        )
        self.decided.classes("w-full").props("flat bordered wrap-cells")

    async def refresh(self) -> None:
        """Show new candidates and new decisions."""
        told = await asyncio.to_thread(self.reader.read)
        for one in told.waiting:
            if one.execution not in self.shown:
                evidence = await asyncio.to_thread(evidence_of, self.stack, one)
                with self.waiting:
                    self.shown[one.execution] = Candidate(self.stack, one, evidence)
        still = {one.execution for one in told.waiting}
        for execution, candidate in self.shown.items():
            candidate.say_overtaken(told.overtaken.get(execution, ""))
            if execution not in still:
                await candidate.close()
        self.none.set_visibility(not told.waiting)
        self.unreadable.text = "\n".join(told.unreadable)
        self.unreadable.set_visibility(bool(told.unreadable))
        self.undecided.set_visibility(not told.decided)
        self.decided.set_visibility(bool(told.decided))
        if self.decided.rows != told.decided:
            self.decided.rows = told.decided


class Candidate:
    """A candidate that waits: its evidence, a reason, and two buttons."""

    def __init__(self, stack: Stack, waiting: Waiting, evidence: Evidence) -> None:
        self.stack = stack
        self.waiting = waiting
        self.tried = False  # whether a decision was sent without knowing if it arrived
        self.busy = False
        name = f"{waiting.version}, requested by {waiting.execution}"
        with ui.card().classes("w-full").props(f'role=region aria-label="Approval of {name}"'):
            self.title = ui.label(f"{waiting.version} is waiting for approval")
            self.title.classes("text-lg font-semibold")
            self.said = ui.label().classes("font-medium").props("role=status")
            with ui.row().classes("w-full no-wrap items-start gap-6 max-lg:flex-wrap") as self.both:
                with ui.column().classes("grow min-w-0 basis-[36rem] gap-2"):
                    self.overtaken = ui.label().classes("text-negative font-medium")
                    show_evidence(waiting, evidence)
                with ui.column().classes("w-80 max-w-full shrink-0 gap-3 lg:sticky lg:top-20"):
                    self.reason = ui.textarea(
                        "Reason, for the ledger", validation=fault
                    ).without_auto_validation()
                    self.reason.classes("w-full").props("outlined autogrow hide-bottom-space")
                    with ui.row().classes("gap-3"):
                        self.buttons = [
                            self._button("Approve", "approved", "primary"),
                            self._button("Reject", "rejected").props("outline"),
                        ]
        self.said.set_visibility(False)
        self.say_overtaken("")

    def say_overtaken(self, why: str) -> None:
        """Say why an approval would be void, if it would be."""
        self.overtaken.text = why
        self.overtaken.set_visibility(bool(why))

    async def close(self) -> None:
        """Replace the buttons by the decision."""
        if self.busy or not self.both.visible:
            return
        approvals = executions.approvals_of(self.stack)
        stands = await asyncio.to_thread(approvals.decision, self.waiting.execution)
        self._end(f"{self.waiting.version} {stands.in_words if stands else OVER}")

    def _button(self, name: str, decision: Decision, color: str | None = None) -> ui.button:
        made = ui.button(name, on_click=lambda: self._decide(decision), color=color)
        return made.props("no-caps")

    async def _decide(self, decision: Decision) -> None:
        if self.busy or not self.both.visible:
            return  # the second click of two
        if not self.reason.validate():
            self.reason.run_method("focus")
            return
        self._wait(busy=True)
        try:
            came = await asyncio.to_thread(
                decided, self.stack, self.waiting, decision, self.reason.value, again=self.tried
            )
        except (ClientError, BotoCoreError) as error:
            self.tried = True
            ui.notify(f"The local cloud reported an error: {error}. Try again.", type="negative")
        else:
            self._end(came)
        finally:
            self._wait(busy=False)

    def _wait(self, *, busy: bool) -> None:
        self.busy = busy
        for button in self.buttons:
            button.set_enabled(not busy)

    def _end(self, came: str) -> None:
        self.both.set_visibility(False)
        self.title.text = self.waiting.version
        self.said.text = came
        self.said.set_visibility(True)


def fault(reason: str | None) -> str | None:
    """Say why a reason is not accepted; None if it is."""
    said = (reason or "").strip()
    if not said:
        return REASONLESS
    return TOO_LONG if len(said) > MAX_WHY else None


def decided(stack: Stack, waiting: Waiting, decision: Decision, why: str, *, again: bool) -> str:
    """Decide, and report the decision that is in force, which may be somebody else's.

    again: whether this window has tried before, in which case the recorded decision may be its own.
    """
    approvals = executions.approvals_of(stack)
    before = approvals.decision(waiting.execution)
    if before and not again:
        return f"{waiting.version} {before.in_words}; this decision is final."
    try:
        approving.decide(stack, waiting.execution, decision, why)
    except CloudFailed as refused:
        return f"{refused}."
    stands = approvals.decision(waiting.execution)
    return f"{waiting.version} {stands.in_words if stands else OVER}"


def show_evidence(waiting: Waiting, evidence: Evidence) -> None:
    """Show the evidence for a decision."""
    ui.label(
        f"The execution {waiting.execution} has waited since {moment(waiting.asked_at)} UTC and "
        f"will wait until {moment(waiting.until)} UTC. Nominated by {waiting.who}: {waiting.why}"
    )
    for title, sentences in (
        ("Why approval is required", waiting.because),
        ("Verdict", evidence.verdict),
    ):
        if sentences:
            ui.label(title).classes("font-semibold")
            for sentence in sentences:
                ui.label(f"• {sentence}").classes("text-sm")
    if evidence.unreadable:
        ui.label(evidence.unreadable).classes("text-negative")
    if evidence.card:
        checks.Checks(evidence.card)


def moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M}"


def evidence_of(stack: Stack, waiting: Waiting) -> Evidence:
    """Read the evidence for a candidate: its card, and the verdict of this execution.

    The card comes from the execution that first published the version, so this verdict replaces
    the card's.
    """
    bucket = Boto3Bucket(stack.s3, stack.outputs.artifacts_bucket)
    said = waiting.verdict.reasons if waiting.verdict else ()
    try:
        version = Registry(bucket).version(waiting.version)
        card = checks.card_of(version, bucket) if version else {}
    except (ArtefactCorrupted, ArtefactMissing) as error:
        return Evidence(verdict=said, unreadable=f"The model card cannot be read: {error}.")
    if version is None:
        missing = f"The registry has no version {waiting.version}, so there is nothing to approve."
        return Evidence(verdict=said, unreadable=missing)
    if waiting.verdict and version.execution != waiting.execution:
        card |= {"verdict": waiting.verdict.model_dump(mode="json"), "replayed": []}
    return Evidence(verdict=said or version.verdict.reasons, card=card)


class Reader:
    """Reads requests and decisions; a decision, and how its execution ended, are read once."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._decided: dict[str, tuple[Waiting, Approval]] = {}
        self._ended: dict[str, str] = {}

    def read(self) -> Told:
        told, approvals = Told(), executions.approvals_of(self.stack)
        for execution in approvals.executions():
            if execution in self._decided:
                continue
            try:
                self._read(approvals, execution, told)
            except ArtefactCorrupted as error:
                told.unreadable.append(
                    f"{error}; restore an earlier version of the object, or delete it."
                )
        told.waiting.sort(key=lambda one: one.asked_at)
        told.overtaken = self._overtaken(told)
        newest = sorted(self._decided.values(), key=lambda one: one[1].decided_at, reverse=True)
        told.decided = [self._row(asked, approval) for asked, approval in newest[:LISTED]]
        return told

    def _read(self, approvals: Approvals, execution: str, told: Told) -> None:
        asked = approvals.asked(execution)
        if asked is None:
            return
        if approval := approvals.decision(execution):
            self._decided[execution] = asked, approval
        elif asked.until > datetime.now(UTC) and self._runs(asked):
            told.waiting.append(asked)

    def _runs(self, asked: Waiting) -> bool:
        return status_of(asked, self.stack.stepfunctions) == RUNNING

    def _overtaken(self, told: Told) -> dict[str, str]:
        if not told.waiting:
            return {}
        bucket = Boto3Bucket(self.stack.s3, self.stack.outputs.artifacts_bucket)
        try:
            pointer = Registry(bucket).champion()
        except ArtefactCorrupted as error:
            told.unreadable.append(f"{error}; restore an earlier version of the object.")
            return {}
        serves = pointer.champion.sequence if pointer else 0
        return {
            one.execution: (
                f"An approval would be void: the candidate was compared with the champion of "
                f"promotion {one.over}, but promotion {serves} has changed the champion since. "
                "Reject it and retrain."
            )
            for one in told.waiting
            if one.over != serves
        }

    def _row(self, asked: Waiting, approval: Approval) -> dict[str, str]:
        return {
            "decided (UTC)": f"{approval.decided_at:%Y-%m-%d %H:%M:%S}",
            "version": asked.version,
            "decision": approval.decision,
            "by": approval.who,
            "reason": approval.why,
            "result": self._came(asked),
            "execution": asked.execution,
        }

    def _came(self, asked: Waiting) -> str:
        """Describe the result of an execution; once it has ended, it is not read again."""
        if asked.execution not in self._ended:
            client = self.stack.stepfunctions
            try:
                found = client.describe_execution(executionArn=asked.arn)
            except client.exceptions.ExecutionDoesNotExist:
                return "the execution no longer exists"
            if found["status"] == RUNNING:
                return "the execution is still running"
            self._ended[asked.execution] = came_to(dict(found))
        return self._ended[asked.execution]


def came_to(described: dict[str, Any]) -> str:
    """Describe the result of an execution that has ended, with the reason if it has one."""
    output = json.loads(described.get("output") or "{}")
    came = str(output.get("decision") or described.get("error") or described["status"].lower())
    reason = output.get("reason")
    return f"{came.replace('_', ' ')}: {reason}" if reason else came.replace("_", " ")


def in_words(gate: Gate) -> str:
    """Describe which candidates need approval, according to params.yaml."""
    match gate.approval:
        case "none":
            return (
                "gate.approval in params.yaml is none: candidates that pass the gate serve at once."
            )
        case "always":
            return (
                "gate.approval in params.yaml is always: every candidate that passes the gate "
                f"waits here for approval, for up to {days(gate.approval_days)}."
            )
        case when:
            rules = "; or ".join(rule_in_words(rule) for rule in when.when)
            return (
                "According to gate.approval in params.yaml, a candidate that passes the gate waits "
                f"here for approval, for up to {days(gate.approval_days)}, if {rules}."
            )


def rule_in_words(rule: ApprovalRule) -> str:
    if isinstance(rule, MovesMoreThan):
        return (
            f"more than {rule.replay_moves_more_than:.1%} of the replayed requests would be "
            "refused or change by more than the half-width of their interval, or none could be "
            "replayed"
        )
    return RULES[rule]


def days(count: float) -> str:
    return f"{count:g} day{'' if count == 1 else 's'}"
