"""What waits for an approval, and Step Functions as who decides on it sees them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from clinical.approvals import Approvals, Waiting
from clinical.artefacts import Bucket

NOW = datetime.now(UTC)
ARN = "arn:aws:states:us-east-1:000000000000:execution:retrain:"


def asked(bucket: Bucket, execution: str = "one", **changes: Any) -> Waiting:
    """Have a candidate wait since an hour."""
    waiting = Waiting(
        execution=execution,
        arn=f"{ARN}{execution}",
        version="v-0a1b2c3d",
        over=0,
        who="raw/sample.csv",
        why="An upload.",
        because=("Every candidate needs approval.",),
        token=f"token-of-{execution}",
        asked_at=NOW - timedelta(hours=1),
        until=NOW + timedelta(days=7),
    ).model_copy(update=changes)
    Approvals(bucket).ask(waiting)
    return waiting


class States:
    """Step Functions of which some executions run, and that knows the tokens of those.

    woken: the tokens that were sent, each with its output.
    """

    def __init__(self, *running: str) -> None:
        self.exceptions = boto3.client("stepfunctions").exceptions
        self.running = running
        self.woken: list[tuple[str, Any]] = []

    def describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803
        runs = executionArn.removeprefix(ARN) in self.running
        return {"status": "RUNNING" if runs else "FAILED"}

    def send_task_success(self, taskToken: str, output: str) -> None:  # noqa: N803
        if taskToken.removeprefix("token-of-") not in self.running:
            raise self.exceptions.TaskDoesNotExist({}, "SendTaskSuccess")
        self.woken.append((taskToken, json.loads(output)))
