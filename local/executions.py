"""Start executions of the retrain state machine, and follow them on the terminal."""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from local.cloud import CloudFailed
from local.stack import Stack

POLL_SECONDS = 0.2
TRIGGER_SECONDS = 180


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

    def update(self, events: list[dict[str, Any]]) -> None:
        for event in events[self.read :]:
            self._apply(event)
        self.read = len(events)

    def _apply(self, event: dict[str, Any]) -> None:
        kind, when = event["type"], event["timestamp"].timestamp()
        if kind.endswith("StateEntered"):
            entered = event["stateEnteredEventDetails"]
            self.steps.append(Step(entered["name"], when, entered.get("input", "")))
        elif kind.endswith("StateExited"):
            exited = event["stateExitedEventDetails"]
            step = self._latest(exited["name"])
            step.seconds, step.output = when - step.entered, exited.get("output", "")
        elif kind in {"TaskFailed", "TaskTimedOut"}:
            failure = event[f"{kind[0].lower()}{kind[1:]}EventDetails"]
            step = self.steps[-1]
            step.error, step.cause = failure.get("error", ""), failure.get("cause", "")
        elif kind in {"ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"}:
            for step in self.steps:
                step.failed = step.seconds is None

    def _latest(self, name: str) -> Step:
        return next(step for step in reversed(self.steps) if step.name == name)


@dataclass(frozen=True)
class Outcome:
    """How an execution ended: its output, or the error that names the failure and its cause."""

    arn: str
    status: str
    seconds: float
    output: dict[str, Any]
    error: str = ""
    cause: str = ""

    @property
    def succeeded(self) -> bool:
        return self.status == "SUCCEEDED"


def start(stack: Stack, asked: dict[str, Any] | None = None, name: str | None = None) -> str:
    """Start an execution, with {} on the newest upload; returns its ARN.

    name: of the execution, which must be new; one that is random where none is given.
    """
    return stack.stepfunctions.start_execution(
        stateMachineArn=stack.outputs.state_machine_arn,
        name=name or str(uuid4()),
        input=json.dumps(asked or {}),
    )["executionArn"]


def upload(stack: Stack, path: Path) -> str:
    """Upload a data set, and return the ARN of the execution that the upload started.

    Raises CloudFailed where the file cannot be read or nothing is started.
    """
    return upload_bytes(stack, path.stem, _read(path))


def upload_bytes(stack: Stack, name: str, body: bytes) -> str:
    """Upload a data set under a name, and return the ARN of the execution that that started.

    Raises CloudFailed where nothing is started.
    """
    key = f"raw/{name}.csv"
    before = set(_executions(stack))
    written = stack.s3.put_object(Bucket=stack.outputs.raw_bucket, Key=key, Body=body)
    if not stack.cloud.starts_on_uploads:
        return start(stack, {"raw": {"key": key, "version_id": written["VersionId"]}})
    deadline = time.monotonic() + TRIGGER_SECONDS
    while time.monotonic() < deadline:
        for arn in [arn for arn in _executions(stack) if arn not in before]:
            described = stack.stepfunctions.describe_execution(executionArn=arn)
            if json.loads(described["input"]).get("raw", {}).get("key") == key:
                return arn
        time.sleep(POLL_SECONDS)
    raise CloudFailed(f"{key} was uploaded, but started no execution in {TRIGGER_SECONDS} s")


def to_upload(stack: Stack, data: Path | None, sample: Path) -> Path | None:
    """Which file to upload: the data set unless it is there already, the sample if nothing is.

    Raises CloudFailed where the file cannot be read.
    """
    found = stack.s3.list_objects_v2(Bucket=stack.outputs.raw_bucket, Prefix="raw/")
    uploads = sorted(found.get("Contents", []), key=lambda upload: upload["LastModified"])
    if not uploads:
        return data or sample
    if data is None:
        return None
    return None if uploads[-1]["ETag"] == f'"{_md5(_read(data))}"' else data


def follow(stack: Stack, arn: str, console: Console) -> Outcome:
    """Show an execution's states while it runs, and return how it ended."""
    progress = Progress()
    with Live(console=console, refresh_per_second=8, transient=False) as live:
        while True:
            described = stack.stepfunctions.describe_execution(executionArn=arn)
            progress.update(list(history(stack, arn)))
            live.update(shown(progress, described["status"]))
            if described["status"] != "RUNNING":
                break
            time.sleep(POLL_SECONDS)
    if not console.is_terminal:
        console.print()  # Live ends its last frame without a line of its own
    took = described["stopDate"] - described["startDate"]
    return Outcome(
        arn=arn,
        status=described["status"],
        seconds=took.total_seconds(),
        output=json.loads(described.get("output") or "{}"),
        error=described.get("error", ""),
        cause=described.get("cause", ""),
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


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CloudFailed(f"{path} cannot be read: {error.strerror}") from error


def _md5(body: bytes) -> str:
    """S3's ETag of an object that was written at once."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def _executions(stack: Stack) -> list[str]:
    found = stack.stepfunctions.list_executions(
        stateMachineArn=stack.outputs.state_machine_arn, maxResults=100
    )
    return [execution["executionArn"] for execution in found["executions"]]
