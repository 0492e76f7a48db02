"""Start executions of the state machines, and follow them on the terminal."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from clinical.approvals import Approvals, Waiting
from clinical.boto3_bucket import Boto3Bucket
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from local import uploading
from local.cloud import CloudFailed
from local.machines import MACHINES, RETRAIN, STARTED_BY_UPLOADS, Machine, UploadMachine
from local.models import operator
from local.stack import Stack
from local.uploading import Told, Uploaded

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import (
        DescribeExecutionOutputTypeDef,
        ExecutionListItemTypeDef,
    )

POLL_SECONDS = 0.2
TRIGGER_SECONDS = 180
NAME_LETTERS = 80  # the longest name of an execution
INTERRUPTED = "States.ServiceRestart"  # the error of executions that ran when the cloud ended
AWAITS = "AwaitApproval"  # the state in which an execution waits for approval


@dataclass
class Step:
    """A state of an execution, from its history so far.

    error, cause: of the last attempt that failed; it may have been retried or caught.
    """

    name: str
    entered: float
    input: str = ""
    output: str = ""
    seconds: float | None = None
    failed: bool = False
    error: str = ""
    cause: str = ""


@dataclass
class Progress:
    """The states that an execution has entered, in order, and their progress."""

    steps: list[Step] = field(default_factory=list)
    read: int = 0
    within: dict[int, Step] = field(default_factory=dict)  # the state of each event

    def update(self, events: list[dict[str, Any]]) -> None:
        for event in events[self.read :]:
            self._apply(event)
        self.read = len(events)

    def waits_in(self, state: str) -> bool:
        """Whether a state has been entered but not left."""
        return any(step.name == state and step.seconds is None for step in self.steps)

    def _apply(self, event: dict[str, Any]) -> None:
        kind, when = event["type"], event["timestamp"].timestamp()
        if before := self.within.get(event.get("previousEventId", 0)):
            self.within[event["id"]] = before
        if kind.endswith("StateEntered"):
            entered = event["stateEnteredEventDetails"]
            self.steps.append(Step(entered["name"], when, entered.get("input", "")))
            self.within[event["id"]] = self.steps[-1]
        elif kind.endswith("StateExited"):
            exited = event["stateExitedEventDetails"]
            step = self._exited(event["id"], exited["name"])
            step.seconds, step.output = when - step.entered, exited.get("output", "")
        elif kind in {"TaskFailed", "TaskTimedOut"}:
            failure = event[f"{kind[0].lower()}{kind[1:]}EventDetails"]
            # An earlier release's local cloud did not record which event an event follows.
            step = self.within.get(event["id"], self.steps[-1])
            step.error, step.cause = failure.get("error", ""), failure.get("cause", "")
        elif kind in {"ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"}:
            for step in self.steps:
                step.failed = step.seconds is None

    def _exited(self, event: int, name: str) -> Step:
        """Find the entry of a state that ends here; a Map enters one many times."""
        step = self.within.get(event)
        if step and step.name == name and step.seconds is None:
            return step
        return next(step for step in reversed(self.steps) if step.name == name)


@dataclass(frozen=True)
class Outcome:
    """How an execution ended: its output, or its error and cause.

    waiting: the approval that it is waiting for, if it has not ended.
    """

    arn: str
    status: str
    seconds: float
    output: dict[str, Any]
    error: str = ""
    cause: str = ""
    waiting: Waiting | None = None

    @property
    def succeeded(self) -> bool:
        return self.status == "SUCCEEDED"


def start(
    stack: Stack,
    asked: dict[str, Any] | None = None,
    name: str | None = None,
    machine: Machine = RETRAIN,
) -> str:
    """Start an execution, by default a retraining on the newest upload; returns its ARN.

    name: of the execution, which must be new; random if it is None.
    """
    return stack.stepfunctions.start_execution(
        stateMachineArn=machine.arn(stack),
        name=name or str(uuid4()),
        input=json.dumps(asked or {}),
    )["executionArn"]


def start_once(
    stack: Stack, asked: dict[str, Any], name: str, machine: Machine = RETRAIN
) -> str | None:
    """Start an execution unless there is one with this name; returns its ARN."""
    try:
        return start(stack, asked, name, machine)
    except stack.stepfunctions.exceptions.ExecutionAlreadyExists:
        return None


def upload(
    stack: Stack, path: Path, machine: UploadMachine = RETRAIN, told: Told = uploading.unheard
) -> str:
    """Upload a data set, and return the ARN of the execution that the upload started.

    told: called with the number of bytes uploaded since the last call.
    Raises CloudFailed if the file cannot be read or no execution starts.
    """
    return started_by(stack, uploading.upload(stack, path, machine, told), machine)


def started_by(stack: Stack, uploaded: Uploaded, machine: UploadMachine = RETRAIN) -> str:
    """Return the execution that an upload started; raises CloudFailed if there is none."""
    version = {"key": uploaded.key, "version_id": uploaded.version_id}
    if not stack.cloud.starts_on_uploads:
        return start(stack, {machine.member: version}, machine=machine)
    looked_at: set[str] = set()
    deadline = time.monotonic() + TRIGGER_SECONDS
    while time.monotonic() < deadline:
        for arn in [arn for arn in _executions(stack, machine) if arn not in looked_at]:
            if version.items() <= asked_of(stack, arn, machine).items():
                return arn
            looked_at.add(arn)
        time.sleep(POLL_SECONDS)
    raise CloudFailed(
        f"{uploaded.key} was uploaded, but no execution started within {TRIGGER_SECONDS} s"
    )


def to_upload(stack: Stack, data: Path | None) -> Path | None:
    """Return the file to upload: the data set unless it is the newest upload, or the study's own.

    The study's own is used if nothing has been uploaded. Raises CloudFailed if the file cannot be
    read, or the study has none.
    """
    found = stack.s3.list_objects_v2(Bucket=stack.outputs.raw_bucket, Prefix="raw/")
    uploads = sorted(found.get("Contents", []), key=lambda upload: upload["LastModified"])
    if not uploads:
        return data or stack.study.data()
    if data is None:
        return None
    return None if uploads[-1]["ETag"] == uploading.tag_of(data) else data


@dataclass(frozen=True)
class Interrupted:
    """An execution that a crash interrupted, or prevented from starting.

    name: of the execution that restarts it, so that this happens once.
    told: the message about it.
    asked: the input that restarts it; None if only the user may do that.
    """

    name: str
    told: str
    asked: dict[str, Any] | None
    machine: Machine = RETRAIN


def interrupted(stack: Stack, since: float, *, crashed: bool) -> list[Interrupted]:
    """Find executions that the cloud's end interrupted, and uploads whose event was lost.

    since: the time in seconds before the cloud was restarted; they failed after it.
    crashed: whether it was killed, so that an upload may not have started an execution.
    """
    inputs = {
        machine.name: _inputs_since(stack, since, machine, crashed=crashed)
        for machine in MACHINES.values()
        if machine.is_in(stack)
    }
    again = [
        _again(one.name, one.asked, MACHINES[name])
        for name, started in inputs.items()
        for one in started
        if one.was_interrupted
    ]
    if not crashed:
        return again
    unheard = [
        one
        for machine in STARTED_BY_UPLOADS
        if machine.name in inputs
        for one in _unheard(stack, [started.asked for started in inputs[machine.name]], machine)
    ]
    return again + unheard


@dataclass(frozen=True)
class _Started:
    """An execution: its name, its input, and whether the cloud's end interrupted it."""

    name: str
    asked: dict[str, Any]
    was_interrupted: bool


def _inputs_since(stack: Stack, since: float, machine: Machine, *, crashed: bool) -> list[_Started]:
    """Read the inputs of executions, oldest first.

    After a crash, of all that are listed; otherwise of those that failed since a time.
    """
    found = []
    for listed in reversed(newest(stack, machine)):
        stopped = listed.get("stopDate")
        failed = listed["status"] == "FAILED" and stopped and stopped.timestamp() >= since
        if not failed and not crashed:
            continue
        described = stack.stepfunctions.describe_execution(executionArn=listed["executionArn"])
        interrupted = bool(failed) and described.get("error") == INTERRUPTED
        found.append(_Started(described["name"], _object(described["input"]), interrupted))
    return found


def _again(name: str, asked: dict[str, Any], machine: Machine) -> Interrupted:
    again = f"again-{name}"[:NAME_LETTERS]
    told = f"The execution {name} was interrupted"
    if "promote" in asked:
        return Interrupted(
            again,
            f"{told}: `make models` shows whether it promoted {asked['promote']}; if not, promote "
            "it again",
            None,
        )
    what = machine.asked(asked)
    asked = {member: value for member, value in asked.items() if member != "event"}
    if machine.takes_reasons:
        asked |= {"who": operator(), "reason": f"The execution {name} was interrupted."}
    return Interrupted(again, f"{told}; {machine.does} {what} again", asked, machine)


def _unheard(
    stack: Stack, inputs: list[dict[str, Any]], machine: UploadMachine
) -> list[Interrupted]:
    """Find uploads since the newest that an execution names, oldest first."""
    uploads = [asked[machine.member] for asked in inputs if machine.member in asked]
    named = {(one.get("key"), one.get("version_id")) for one in uploads if isinstance(one, dict)}
    pages = stack.s3.get_paginator("list_object_versions").paginate(
        Bucket=stack.outputs.raw_bucket, Prefix=machine.folder
    )
    versions = [
        one for page in pages for one in page.get("Versions", []) if not one["Key"].endswith("/")
    ]
    versions.sort(key=lambda one: one["LastModified"])
    heard = [one for one in versions if (one["Key"], one["VersionId"]) in named]
    since = heard[-1]["LastModified"] if heard else None
    why = {
        "who": operator(),
        "reason": "The cloud was killed before the upload started an execution.",
    }
    return [
        Interrupted(
            f"again-{one['VersionId']}"[:NAME_LETTERS],
            f"The upload {one['Key']} had not started an execution; {machine.does} it",
            {
                machine.member: {"key": one["Key"], "version_id": one["VersionId"]},
                **(why if machine.takes_reasons else {}),
            },
            machine,
        )
        for one in (versions if since else versions[-1:])
        if one not in heard and (since is None or one["LastModified"] >= since)
    ]


def follow(stack: Stack, arn: str, console: Console) -> Outcome:
    """Show an execution's states while it runs, and return how it ended.

    An execution that waits for approval is not followed further, because that may take days.
    """
    progress, waits = Progress(), None
    with Live(console=console, refresh_per_second=8, transient=False) as live:
        while True:
            described = stack.stepfunctions.describe_execution(executionArn=arn)
            progress.update(list(history(stack, arn)))
            live.update(shown(progress, described["status"]))
            if described["status"] != "RUNNING":
                break
            if progress.waits_in(AWAITS):
                waits = awaited(stack, described["name"])
            if waits:
                break
            time.sleep(POLL_SECONDS)
    if not console.is_terminal:
        console.print()  # Live does not end its last frame with a newline
    return _outcome(described, waits)


def approvals_of(stack: Stack) -> Approvals:
    """Return a stack's requests for approval and decisions."""
    return Approvals(Boto3Bucket(stack.s3, stack.outputs.artifacts_bucket))


def awaited(stack: Stack, execution: str) -> Waiting | None:
    """Return the approval that an execution is waiting for; None if it is not waiting."""
    approvals = approvals_of(stack)
    asked = approvals.asked(execution)
    if asked is None or asked.until <= datetime.now(UTC) or approvals.decision(execution):
        return None
    return asked


def outcome_of(stack: Stack, arn: str) -> Outcome | None:
    """Return how an execution ended; None while it runs."""
    described = stack.stepfunctions.describe_execution(executionArn=arn)
    return _outcome(described) if described["status"] != "RUNNING" else None


def _outcome(
    described: "DescribeExecutionOutputTypeDef", waiting: Waiting | None = None
) -> Outcome:
    took = described.get("stopDate", datetime.now(UTC)) - described["startDate"]
    return Outcome(
        arn=described["executionArn"],
        status=described["status"],
        seconds=took.total_seconds(),
        output=json.loads(described.get("output") or "{}"),
        error=described.get("error", ""),
        cause=described.get("cause", ""),
        waiting=waiting,
    )


def history(stack: Stack, arn: str) -> Iterator[dict[str, Any]]:
    """Read an execution's events, oldest first."""
    pages = stack.stepfunctions.get_paginator("get_execution_history").paginate(executionArn=arn)
    for page in pages:
        yield from page["events"]  # type: ignore[misc]


def shown(progress: Progress, status: str) -> Table:
    """Draw the states entered so far, one per line."""
    table = Table.grid(padding=(0, 2))
    for step in progress.steps:
        if step.failed:
            mark, took = Text("✗", "red"), Text("failed", "red")
        elif step.seconds is None:
            mark, took = Text("●", "yellow"), Text("running", "yellow")
        else:
            mark, took = Text("✓", "green"), Text(f"{step.seconds:6.2f} s", "dim")
        table.add_row(mark, step.name, took)
    if not progress.steps:
        table.add_row(Text("●", "yellow"), status.lower(), "")
    return table


def asked_of(stack: Stack, arn: str, machine: UploadMachine = RETRAIN) -> dict[str, Any]:
    """Return the upload in an execution's input; empty if there is none."""
    described = stack.stepfunctions.describe_execution(executionArn=arn)
    upload = _object(described["input"]).get(machine.member)
    return upload if isinstance(upload, dict) else {}


def _object(text: str) -> dict[str, Any]:
    """Read a JSON object; any other value is read as an empty one."""
    value = json.loads(text)
    return value if isinstance(value, dict) else {}


def _executions(stack: Stack, machine: Machine = RETRAIN) -> list[str]:
    return [execution["executionArn"] for execution in newest(stack, machine)]


def newest(
    stack: Stack, machine: Machine = RETRAIN, most: int = 100
) -> list["ExecutionListItemTypeDef"]:
    """List the last executions, the newest first on every emulator."""
    found = stack.stepfunctions.list_executions(stateMachineArn=machine.arn(stack), maxResults=most)
    return sorted(found["executions"], key=lambda one: one["startDate"], reverse=True)
