"""The local cloud killed, as by a power failure: one `make up`, and nothing is lost."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from local import executions
from local.stack import STACK
from tests.integration.conftest import ROOT, Laptop, copied_tree, fetch, ridge_in
from tests.integration.test_faults_of_the_place import begun
from tests.integration.test_registry import assert_consistent, champion_of
from tests.patience import MOMENT_SECONDS, PATIENCE_SECONDS, until

FEW = 300  # rows of a test that is about no model
SOME_CALLS_SECONDS = 0.1  # else who asks takes the core from who is asked


def copy(laptop: Laptop, other: Laptop, *folders: str) -> None:
    """Give a laptop what another one holds, and none of its processes."""
    laptop.stack.cloud.save()
    for folder in folders:
        copied_tree(laptop.home / folder, other.home / folder)


@pytest.fixture(scope="module")
def copied(
    laptop: Laptop, start_laptop: Callable[[str], Laptop], tmp_path_factory: pytest.TempPathFactory
) -> Laptop:
    """A laptop that one crash after the other comes over, with small models."""
    other = start_laptop("crashed")
    copy(laptop, other, "s3", "state")
    other.start_cloud()
    assert other.stack.is_deployed()
    other.decide_by(ridge_in(tmp_path_factory.mktemp("decisions")))
    return other


@pytest.fixture
def crashing(copied: Laptop) -> Laptop:
    """That laptop with its cloud running, whatever came of the crash before."""
    copied.start_cloud()
    copied.stack.cloud.save()
    return copied


def kill(laptop: Laptop) -> None:
    """Kill the cloud with all that it started, at once."""
    pid = int((laptop.home / "cloud.pid").read_text())
    os.killpg(pid, signal.SIGKILL)


def objects(laptop: Laptop) -> dict[tuple[str, str, str], tuple[Any, ...]]:
    """Every version of uploads, models and ledger: its time, bytes and metadata."""
    stack, found = laptop.stack, {}
    outputs = stack.outputs
    for bucket, prefix in ((outputs.raw_bucket, ""), (outputs.artifacts_bucket, "models/")):
        pages = stack.s3.get_paginator("list_object_versions").paginate(
            Bucket=bucket, Prefix=prefix
        )
        for one in [one for page in pages for one in page.get("Versions", [])]:
            got = stack.s3.get_object(Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
            found[(bucket, one["Key"], one["VersionId"])] = (
                one["ETag"],
                one["LastModified"],
                got["Body"].read(),
                got["Metadata"],
                got["ContentType"],
            )
    return found


def nothing_lost(before: dict[Any, Any], laptop: Laptop) -> None:
    after = objects(laptop)
    assert {key: after.get(key) for key in before} == before
    assert_consistent(laptop)


def data(sample: Path, rows: int) -> bytes:
    return b"".join(sample.read_bytes().splitlines(keepends=True)[: rows + 1])


def put(laptop: Laptop, body: bytes) -> dict[str, str]:
    key = f"raw/{uuid4()}.csv"
    written = laptop.stack.s3.put_object(
        Bucket=laptop.stack.outputs.raw_bucket, Key=key, Body=body, Metadata={"of": "the tests"}
    )
    return {"key": key, "version_id": written["VersionId"]}


def about(laptop: Laptop, raw: dict[str, str]) -> list[dict[str, Any]]:
    """The executions that were started for an upload, the newest first."""
    described = [
        laptop.stack.stepfunctions.describe_execution(executionArn=arn)
        for arn in executions._executions(laptop.stack)[:4]
    ]
    return [
        dict(one)
        for one in described
        if raw.items() <= (json.loads(one["input"]).get("raw") or {}).items()
    ]


class Held:
    """A function that waits for ever for its decisions, until they are there."""

    def __init__(self, laptop: Laptop, function: str, folder: Path) -> None:
        self._decisions = folder / "params.yaml"
        os.mkfifo(self._decisions)
        laptop.decide_by(self._decisions, (function,))
        laptop.stack.cloud.save()

    def let_go(self) -> None:
        """Let whoever starts it from now on find its decisions."""
        self._decisions.unlink()
        ridge_in(self._decisions.parent)


def wait_for_state(laptop: Laptop, raw: dict[str, str], state: str) -> None:
    """Wait until the execution that an upload started enters a state."""
    (running,) = until(lambda: about(laptop, raw), "an execution", SOME_CALLS_SECONDS)
    until(lambda: has_entered(laptop, running["executionArn"], state), state, SOME_CALLS_SECONDS)


def upload_held_in_train(laptop: Laptop, body: bytes, folder: Path) -> tuple[dict[str, str], Held]:
    """Upload a data set whose training goes on for ever, until what holds it lets it go."""
    held = Held(laptop, "TrainFunction", folder)
    raw = put(laptop, body)
    wait_for_state(laptop, raw, "Train")
    return raw, held


def has_entered(laptop: Laptop, arn: str, state: str) -> bool:
    return any(
        event["stateEnteredEventDetails"]["name"] == state
        for event in executions.history(laptop.stack, arn)
        if event["type"].endswith("StateEntered")
    )


def interrupt_up_when_the_cloud_is_up(laptop: Laptop) -> None:
    with begun(laptop, "up") as up:
        until(laptop.stack.cloud.is_up, "the cloud", MOMENT_SECONDS)
        up.interrupt()
        assert up.ended() == 130, up.printed


@pytest.mark.parametrize(
    ("rows", "state"),
    [(911, None), (912, "Train"), (913, "Promote")],
    ids=["upload", "train", "promote"],
)
def test_what_a_crash_interrupted_is_told_and_its_upload_trained(
    crashing: Laptop, sample: Path, rows: int, state: str | None, tmp_path: Path
) -> None:
    laptop = crashing
    held = Held(laptop, f"{state}Function", tmp_path) if state == "Train" else None
    raw = put(laptop, data(sample, rows))
    before = {} if state is None else objects(laptop)
    if state:
        wait_for_state(laptop, raw, state)

    kill(laptop)
    if held:
        held.let_go()
        interrupt_up_when_the_cloud_is_up(laptop)
    up = laptop.run("up")

    assert up.returncode == 0, up.stdout
    assert ("The local cloud had been killed" in up.stdout) is not bool(held)  # told the first time
    nothing_lost(before, laptop)
    newest, *others = about(laptop, raw)
    if others or state != "Promote":  # which may have ended before it could be killed
        told = (f"training on {raw['key']} again", f"{raw['key']} had not started an")
        assert any(words in up.stdout for words in told)
    assert newest["status"] == "SUCCEEDED"
    assert {one["status"] for one in others} <= {"FAILED"}  # and none that seems to run for ever
    trained = json.loads(newest["output"])["version"]
    assert champion_of(laptop).version == trained
    assert laptop.get("/health").body["model_version"] == trained
    once = executions.interrupted(laptop.stack, 0.0, crashed=True)
    assert all(
        one.asked is None or executions.start_once(laptop.stack, one.asked, one.name) is None
        for one in once
    )


def test_what_down_interrupted_is_told_and_its_upload_trained(
    crashing: Laptop, sample: Path, tmp_path: Path
) -> None:
    laptop = crashing
    raw, held = upload_held_in_train(laptop, data(sample, 914), tmp_path)

    assert laptop.run("down").stdout.strip() == "Stopped."
    held.let_go()
    up = laptop.run("up")

    assert up.returncode == 0, up.stdout
    assert "killed" not in up.stdout
    assert f"training on {raw['key']} again" in up.stdout
    assert [one["status"] for one in about(laptop, raw)] == ["SUCCEEDED", "FAILED"]
    assert_consistent(laptop)


def terminated(laptop: Laptop) -> None:
    psutil.Process(int((laptop.home / "cloud.pid").read_text())).terminate()


def asked_to_stop_by_a_down_that_is_interrupted(laptop: Laptop) -> None:
    assert fetch(f"{laptop.stack.cloud.endpoint_url}/_local/stop", b"").text == "saved"


@pytest.mark.parametrize(
    ("rows", "ending"),
    [(915, terminated), (916, asked_to_stop_by_a_down_that_is_interrupted)],
    ids=["terminated", "asked"],
)
def test_the_cloud_ends_when_it_is_asked_to_though_functions_never_answer(
    crashing: Laptop, sample: Path, rows: int, ending: Callable[[Laptop], None], tmp_path: Path
) -> None:
    laptop = crashing
    _, held = upload_held_in_train(laptop, data(sample, rows), tmp_path)
    until(lambda: laptop.workers("TrainFunction"), "a training", MOMENT_SECONDS)
    cloud = psutil.Process(int((laptop.home / "cloud.pid").read_text()))

    ending(laptop)

    until(lambda: not cloud.is_running() or cloud.status() == psutil.STATUS_ZOMBIE, "its end")
    until(lambda: not laptop.workers("Function"), "the end of all workers")
    held.let_go()
    assert laptop.run("down").returncode == 0


def test_a_deployment_that_a_crash_interrupted_is_made_anew(crashing: Laptop) -> None:
    laptop = crashing
    before, known = objects(laptop), change_sets(laptop)

    with deploying(laptop, "LogRetentionDays=30"):
        until(
            lambda: change_sets(laptop) - known, "a change set", MOMENT_SECONDS
        )  # ministack makes all of it in milliseconds
        kill(laptop)
    up = laptop.run("up")

    assert up.returncode == 0, up.stdout
    assert status(laptop) in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
    nothing_lost(before, laptop)


def test_a_first_deployment_that_a_crash_interrupted_is_made_anew(
    laptop: Laptop, start_laptop: Callable[[str], Laptop], sample: Path, tmp_path: Path
) -> None:
    assert laptop  # whose build is deployed
    other = start_laptop("first")
    other.start_cloud()

    few = tmp_path / "few.csv"
    few.write_bytes(data(sample, FEW))
    with deploying(other):
        until(lambda: status(other), "a stack", MOMENT_SECONDS)
        kill(other)
    up = other.run("up", DATA=str(few))

    assert up.returncode == 0, up.stdout
    assert "Ready in" in up.stdout
    assert status(other) == "CREATE_COMPLETE"
    assert_consistent(other)


def test_after_a_deployment_that_failed_the_next_takes_the_buckets_with_all_that_they_hold(
    laptop: Laptop, start_laptop: Callable[[str], Laptop]
) -> None:
    other = start_laptop("adopted")
    copy(laptop, other, "s3")
    before, champion = objects(laptop), champion_of(laptop)
    stack = other.start_cloud()
    broken = {
        "Resources": {
            "RawBucket": {
                "Type": "AWS::S3::Bucket",
                "DeletionPolicy": "Retain",
                "Properties": {"BucketName": laptop.stack.outputs.raw_bucket},
            },
            **{
                name: {
                    "Type": "AWS::Events::EventBus",
                    "DependsOn": after,
                    "Properties": {"Name": "one-name-for-two"},
                }
                for name, after in (("One", "RawBucket"), ("Other", "One"))
            },
        }
    }
    stack.client("cloudformation").create_stack(
        StackName=STACK, TemplateBody=json.dumps(broken), OnFailure="ROLLBACK"
    )
    until(lambda: status(other) == "ROLLBACK_COMPLETE", "the rollback")

    up = other.run("up")

    assert up.returncode == 0, up.stdout
    nothing_lost(before, other)
    assert champion_of(other).version == champion.version
    assert other.get("/health").body["model_version"] == champion.version


def test_a_state_that_is_half_written_is_told_and_the_one_before_it_used(
    crashing: Laptop,
) -> None:
    laptop = crashing
    laptop.stack.cloudwatch.put_metric_data(
        Namespace="Tests", MetricData=[{"MetricName": "One", "Value": 1}]
    )
    laptop.stack.cloud.save()
    before = objects(laptop)
    assert laptop.run("down").returncode == 0
    newest = max(laptop.home.glob("state/0*/lambda.json"))
    half = newest.read_bytes()[: newest.stat().st_size // 2]
    newest.unlink()
    newest.write_bytes(half)

    up = laptop.run("up")

    assert up.returncode == 0, up.stdout
    assert f"The saved state {newest.parent.name} is damaged" in up.stdout
    nothing_lost(before, laptop)


def status(laptop: Laptop) -> str | None:
    stack = laptop.stack._described(STACK)
    return str(stack["StackStatus"]) if stack else None


def change_sets(laptop: Laptop) -> set[str]:
    found = laptop.stack.client("cloudformation").list_change_sets(StackName=STACK)
    return {one["ChangeSetId"] for one in found["Summaries"]}


class deploying:  # noqa: N801 - reads as what it is in a `with`
    """A deployment of the build in a process of its own, and nothing left of it afterwards."""

    def __init__(self, laptop: Laptop, *parameters: str) -> None:
        given = ", ".join(f"{name}={value!r}" for name, value in (p.split("=") for p in parameters))
        self.program = (
            "from pathlib import Path; from local.ministack import Ministack; "
            "from local.stack import Stack; "
            f"Stack(Ministack(Path({str(laptop.home)!r}), {laptop.port})).deploy({given})"
        )

    def __enter__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.program],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __exit__(self, *_: object) -> None:
        self.process.wait(PATIENCE_SECONDS)
