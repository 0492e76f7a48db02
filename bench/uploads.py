"""`make bench-uploads`: whether the newest data serve after each burst of uploads.

It needs the local cloud. A burst is four data sets that differ in a row, uploaded one right after
the other under two keys, so that their executions race; then one event of the burst comes again.
"""

import json
import time
from collections import Counter
from typing import Any

from clinical.boto3_bucket import Boto3Bucket
from clinical.registry import Registry
from rich.console import Console

from local import executions
from local.cloud import ROOT
from local.emulators import stack_at
from local.stack import Stack

BURSTS, UPLOADS = 20, 4
PATIENCE_SECONDS = 600
POLL_SECONDS = 0.5


def data_set(number: int) -> bytes:
    """Give the sample without one of its rows."""
    header, *rows = (ROOT / "data/sample.csv").read_bytes().splitlines(keepends=True)
    return b"".join([header, *rows[:number], *rows[number + 1 :]])


def burst(stack: Stack, number: int) -> list[str]:
    """Upload one data set after the other, and give their versions, the newest last."""
    return [
        stack.s3.put_object(
            Bucket=stack.outputs.raw_bucket,
            Key=f"raw/burst-{one % 2}.csv",
            Body=data_set(number * UPLOADS + one),
        )["VersionId"]
        for one in range(UPLOADS)
    ]


def ended(stack: Stack, versions: list[str]) -> list[dict[str, Any]]:
    """Wait until an execution on each upload has ended, and describe them."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = {}
        for arn in executions._executions(stack):  # noqa: SLF001
            described = stack.stepfunctions.describe_execution(executionArn=arn)
            version = json.loads(described["input"]).get("raw", {}).get("version_id")
            if version in versions and described["status"] != "RUNNING":
                found[version] = dict(described)
        if len(found) == len(versions):
            return [found[version] for version in versions]
        time.sleep(POLL_SECONDS)
    raise SystemExit("a burst's executions did not end")


def decision(described: dict[str, Any]) -> str:
    return str(json.loads(described.get("output") or "{}").get("decision", described.get("error")))


def served(stack: Stack) -> str | None:
    pointer = Registry(Boto3Bucket(stack.s3, stack.outputs.artifacts_bucket)).champion()
    return pointer.champion.upload.version_id if pointer and pointer.champion.upload else None


def again(stack: Stack, described: dict[str, Any]) -> dict[str, Any]:
    """Let the event of an execution come a second time."""
    arn = stack.stepfunctions.start_execution(
        stateMachineArn=stack.outputs.state_machine_arn, input=described["input"]
    )["executionArn"]
    while (found := stack.stepfunctions.describe_execution(executionArn=arn))["status"] == (
        "RUNNING"
    ):
        time.sleep(POLL_SECONDS)
    return dict(found)


def main() -> None:
    """Count, and print."""
    stack = stack_at(ROOT / ".local")
    newest, decisions, repeated = 0, Counter[str](), Counter[str]()
    for number in range(BURSTS):
        versions = burst(stack, number)
        executed = ended(stack, versions)
        decisions.update(map(decision, executed))
        repeated[decision(again(stack, executed[number % UPLOADS]))] += 1
        newest += served(stack) == versions[-1]
    Console().print(
        f"{BURSTS} bursts of {UPLOADS} uploads: the newest data serve after {newest}.\n"
        f"The executions came to {dict(decisions)}; events that came again to {dict(repeated)}."
    )


if __name__ == "__main__":
    main()
