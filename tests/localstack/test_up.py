"""What the commands do with a LocalStack that somebody else started."""

import json
from pathlib import Path

import pytest

from local import executions
from local.ministack import Ministack
from local.stack import STACK, Outputs, Stack
from tests.integration.conftest import Laptop, free_port


def laptop_beside(localstack: Stack, home: Path) -> Laptop:
    """A laptop whose commands ask where LocalStack listens."""
    return Laptop(home, localstack.cloud.port)


@pytest.fixture
def deployed(localstack: Stack, outputs: dict[str, str]) -> Stack:
    """The part of the stack that is deployed, where the commands look for all of it."""
    found = Outputs(
        emulator=localstack.cloud.name,
        endpoint_url=localstack.cloud.endpoint_url,
        region="us-east-1",
        stack_name=STACK,
        api_url="",
        site_url=localstack.cloud.site_url(outputs),
        state_machine_arn=outputs["StateMachineArn"],
        raw_bucket=outputs["RawBucketName"],
        artifacts_bucket=outputs["ArtifactsBucketName"],
        site_bucket=outputs["SiteBucketName"],
        dashboard_name="",
        alarm_topic_arn="",
    )
    localstack.outputs_file.write_text(found.model_dump_json())
    return localstack


def test_where_no_localstack_answers_the_user_is_told_what_to_do(tmp_path: Path) -> None:
    done = Laptop(tmp_path, free_port()).run("up", EMULATOR="localstack")

    assert done.returncode == 1
    assert "no LocalStack is running" in done.stdout
    assert "PORT=" in done.stdout
    assert "Traceback" not in done.stdout


def test_an_emulator_that_is_none_is_said_so(tmp_path: Path) -> None:
    done = Laptop(tmp_path, free_port()).run("up", EMULATOR="elsewhere")

    assert done.returncode == 1
    assert "use ministack or localstack" in done.stdout
    assert "Traceback" not in done.stdout


def test_down_leaves_localstack_running_and_says_so(localstack: Stack, tmp_path: Path) -> None:
    done = laptop_beside(localstack, tmp_path).run("down", EMULATOR="localstack")

    assert done.returncode == 0
    assert "LocalStack is still running" in done.stdout
    assert localstack.cloud.is_up()


def test_up_without_saying_so_names_the_way_to_use_it(localstack: Stack, tmp_path: Path) -> None:
    done = laptop_beside(localstack, tmp_path).run("up")

    assert done.returncode == 1
    assert "EMULATOR=localstack" in done.stdout


def test_only_localstack_is_taken_for_localstack(localstack: Stack, tmp_path: Path) -> None:
    assert not localstack.cloud.start().fresh  # it is up; nothing was started
    assert localstack.cloud.is_up()
    assert not Ministack(tmp_path, localstack.cloud.port).is_up()


def test_the_emulator_has_to_be_said_once(localstack: Stack, deployed: Stack) -> None:
    done = laptop_beside(localstack, deployed.cloud.home).run("down")

    assert "LocalStack is still running" in done.stdout


def test_an_upload_starts_an_execution_on_the_version_that_was_uploaded(
    deployed: Stack, sample: Path
) -> None:
    arn = executions.upload(deployed, sample)

    described = deployed.stepfunctions.describe_execution(executionArn=arn)
    current = deployed.s3.head_object(Bucket=deployed.outputs.raw_bucket, Key="raw/sample.csv")
    assert json.loads(described["input"]) == {
        "raw": {"key": "raw/sample.csv", "version_id": current["VersionId"]}
    }
