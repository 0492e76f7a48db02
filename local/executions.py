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
NAME_LETTERS = 80  # that the name of an execution may have
INTERRUPTED = "States.ServiceRestart"  # the error of what ran when the cloud ended
AWAITS = "AwaitApproval"  # the state in which an execution waits for somebody


@dataclass
class Step:
    """A state of an execution, as its history tells it so far.

    error, cause: of the last try that failed; the state may have been tried again, or caught it.
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
    """What a history says: the states entered, in order, and how far each is."""

    steps: list[Step] = field(default_factory=list)
    read: int = 0
    within: dict[int, Step] = field(default_factory=dict)  # of each event, the state that it is of

    def update(self, events: list[dict[str, Any]]) -> None:
        for event in events[self.read :]:
            self._apply(event)
        self.read = len(events)

    def waits_in(self, state: str) -> bool:
        """Whether a state was entered, and not left yet."""
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
            # An earlier release's local cloud did not say what an event follows.
            step = self.within.get(event["id"], self.steps[-1])
            step.error, step.cause = failure.get("error", ""), failure.get("cause", "")
        elif kind in {"ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"}:
            for step in self.steps:
                step.failed = step.seconds is None

    def _exited(self, event: int, name: str) -> Step:
        """Find which of the times that a state was entered ends: a Map enters one many times."""
        step = self.within.get(event)
        if step and step.name == name and step.seconds is None:
            return step
        return next(step for step in reversed(self.steps) if step.name == name)


@dataclass(frozen=True)
class Outcome:
    """How an execution ended: its output, or the error that names the failure and its cause.

    waiting: the approval that it waits for, where it has not ended for that.
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
    """Start an execution, to retrain with {} on the newest upload; returns its ARN.

    name: of the execution, which must be new; one that is random where none is given.
    """
    return stack.stepfunctions.start_execution(
        stateMachineArn=machine.arn(stack),
        name=name or str(uuid4()),
        input=json.dumps(asked or {}),
    )["executionArn"]


def start_once(
    stack: Stack, asked: dict[str, Any], name: str, machine: Machine = RETRAIN
) -> str | None:
    """Start an execution under a name, unless there is one that has it; returns its ARN."""
    try:
        return start(stack, asked, name, machine)
    except stack.stepfunctions.exceptions.ExecutionAlreadyExists:
        return None


def upload(
    stack: Stack, path: Path, machine: UploadMachine = RETRAIN, told: Told = uploading.unheard
) -> str:
    """Upload a data set, and return the ARN of the execution that the upload started.

    told: is called with the number of bytes that were uploaded since it was called last.
    Raises CloudFailed where the file cannot be read or nothing is started.
    """
    return started_by(stack, uploading.upload(stack, path, machine, told), machine)


def started_by(stack: Stack, uploaded: Uploaded, machine: UploadMachine = RETRAIN) -> str:
    """Find the execution that an upload started; raises CloudFailed where there is none."""
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
        f"{uploaded.key} was uploaded, but started no execution in {TRIGGER_SECONDS} s"
    )


def to_upload(stack: Stack, data: Path | None) -> Path | None:
    """Which file to upload: the data set unless it is there already, the study's if nothing is.

    Raises CloudFailed where the file cannot be read, or the study brings none.
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
    """What a crash kept from its end, or from its beginning.

    name: of the execution that starts it again, by which that is done once.
    told: what to say of it.
    asked: the input that starts it again; None where that is nobody's but the user's to do.
    """

    name: str
    told: str
    asked: dict[str, Any] | None
    machine: Machine = RETRAIN


def interrupted(stack: Stack, since: float, *, crashed: bool) -> list[Interrupted]:
    """Find the executions that the cloud's end interrupted, and the uploads whose event was lost.

    since: the time in seconds before the cloud was started again, which is when they failed.
    crashed: whether it was killed, so that an upload may have started nothing.
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
    """Read what executions were started with, the oldest first.

    Of all that are listed after a crash, else of those that failed since a time.
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
            f"{told}: whether it promoted {asked['promote']} is what `make models` shows; if it "
            "did not, ask again",
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
    """Find the uploads since the newest that an execution names, the oldest first."""
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
        "reason": "The cloud was killed before its upload started an execution.",
    }
    return [
        Interrupted(
            f"again-{one['VersionId']}"[:NAME_LETTERS],
            f"The upload {one['Key']} had started nothing yet; {machine.does} it",
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

    One that waits for somebody's approval is not followed further: that may take days.
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
        console.print()  # Live ends its last frame without a line of its own
    return _outcome(described, waits)


def approvals_of(stack: Stack) -> Approvals:
    """Give what waits for an approval in a stack, and what was decided."""
    return Approvals(Boto3Bucket(stack.s3, stack.outputs.artifacts_bucket))


def awaited(stack: Stack, execution: str) -> Waiting | None:
    """Give the approval that an execution waits for; None where nobody is asked any more."""
    approvals = approvals_of(stack)
    asked = approvals.asked(execution)
    if asked is None or asked.until <= datetime.now(UTC) or approvals.decision(execution):
        return None
    return asked


def outcome_of(stack: Stack, arn: str) -> Outcome | None:
    """Say how an execution ended; None while it runs."""
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
    """Read an execution's events, the oldest first."""
    pages = stack.stepfunctions.get_paginator("get_execution_history").paginate(executionArn=arn)
    for page in pages:
        yield from page["events"]  # type: ignore[misc]


def shown(progress: Progress, status: str) -> Table:
    """Draw the states entered so far, one a line."""
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
    """Which upload an execution was started with, if with any."""
    described = stack.stepfunctions.describe_execution(executionArn=arn)
    upload = _object(described["input"]).get(machine.member)
    return upload if isinstance(upload, dict) else {}


def _object(text: str) -> dict[str, Any]:
    """Read a JSON object; an empty one of what is another value."""
    value = json.loads(text)
    return value if isinstance(value, dict) else {}


def _executions(stack: Stack, machine: Machine = RETRAIN) -> list[str]:
    return [execution["executionArn"] for execution in newest(stack, machine)]


def newest(
    stack: Stack, machine: Machine = RETRAIN, most: int = 100
) -> list["ExecutionListItemTypeDef"]:
    """List the last executions, the one that started last first, as AWS does and others may not."""
    found = stack.stepfunctions.list_executions(stateMachineArn=machine.arn(stack), maxResults=most)
    return sorted(found["executions"], key=lambda one: one["startDate"], reverse=True)
