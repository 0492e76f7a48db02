"""Everything works with the permissions in the template and no others."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from clinical.params import params

from local import executions
from local.stack import Stack
from tests.integration.conftest import NOT_HERE, ROOT, Laptop, fetch, of_few_trees


@pytest.fixture(scope="module")
def strict(start_laptop: Callable[[str], Laptop]) -> Stack:
    """A cloud that enforces IAM, as AWS does, deployed to as to AWS.

    The deny on requests without TLS goes, for a local cloud has none: what is tested here is
    what the roles allow.
    """
    stack = start_laptop("strict").start_cloud(enforce_iam=True)
    stack.build()
    stack.deploy("prod", **NOT_HERE, CloudFront="false")
    for bucket in (stack.outputs.raw_bucket, stack.outputs.artifacts_bucket):
        stack.s3.delete_bucket_policy(Bucket=bucket)
    return stack


def test_the_roles_allow_all_that_the_system_does(
    strict: Stack, sample: Path, patient: dict[str, object], tmp_path: Path
) -> None:
    laptop = Laptop(strict.cloud.home, strict.cloud.port)

    with of_few_trees(laptop, tmp_path):
        first = laptop.ended(executions.upload(strict, sample))
        again = laptop.ended(executions.start(strict))
        tuned = laptop.ended(executions.start(strict, {"tune": True}))
    back = laptop.ended(executions.start(strict, {"promote": "previous"}))

    assert first["status"] == "SUCCEEDED", first
    assert json.loads(again["output"])["decision"] == "already_champion"
    assert json.loads(tuned["output"])["decision"] == "promoted", tuned
    assert json.loads(back["output"])["version"] == json.loads(first["output"])["version"]
    assert not laptop.newest_upload_waits()
    laptop.wait_until_served(json.loads(first["output"])["version"])
    assert laptop.post("/predict", patient).status == 200
    card = laptop.get("/model")
    assert card.status == 200
    assert len(card.body["learning_curve"]["points"]) == len(params().learning_curve.fractions)
    assert laptop.get("/dropdown-values").status == 200


def test_browsers_of_the_own_site_alone_may_call(strict: Stack) -> None:
    laptop = Laptop(strict.cloud.home, strict.cloud.port)
    cloudformation = strict._client("cloudformation")
    (stack,) = cloudformation.describe_stacks(StackName=strict.outputs.stack_name)["Stacks"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}

    for origin, allowed in ((outputs["SiteUrl"], outputs["SiteUrl"]), ("http://evil", None)):
        answer = laptop.get("/health", Origin=origin)
        assert answer.headers.get("Access-Control-Allow-Origin") == allowed


def test_the_site_is_published_as_to_aws(strict: Stack) -> None:
    subprocess.run(
        [sys.executable, "-m", "local.site", strict.outputs.stack_name],
        cwd=ROOT,
        env=strict.cloud.environment,
        check=True,
    )

    config = fetch(strict.outputs.site_url.replace("index.html", "config.json"))
    assert config.body["api_url"].startswith("https://")
    assert config.body["api_url"].endswith(".amazonaws.com/v1")


def test_a_role_without_its_permissions_is_refused(strict: Stack) -> None:
    """The test above can fail: with a permission taken away it would."""
    lambdas, iam = strict._client("lambda"), strict._client("iam")
    (ingest,) = [
        function
        for function in lambdas.list_functions()["Functions"]
        if "IngestFunction" in function["FunctionName"]
    ]
    role = ingest["Role"].rsplit("/", 1)[-1]
    (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    iam.delete_role_policy(RoleName=role, PolicyName=policy)

    laptop = Laptop(strict.cloud.home, strict.cloud.port)
    ended = laptop.ended(executions.start(strict))

    assert ended["status"] == "FAILED"
    assert ended["error"] == "StorageDenied"


def test_the_public_may_read_the_site_and_nothing_else(strict: Stack) -> None:
    strict.publish_site()

    assert fetch(strict.outputs.site_url).status == 200
    for bucket in (strict.outputs.raw_bucket, strict.outputs.artifacts_bucket):
        assert fetch(f"{strict.cloud.endpoint_url}/{bucket}/models/champion.json").status == 403
    with pytest.raises(ClientError):
        strict.s3.get_object(Bucket=strict.outputs.raw_bucket, Key="raw/nothing.csv")
