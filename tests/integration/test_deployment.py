"""What the template's parameters do when it is deployed, deployed again, and deleted."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from local.stack import Stack
from tests.integration.conftest import NOT_HERE, ROOT, Answer, Laptop, fetch
from tests.patience import PATIENCE_SECONDS
from tests.unit.conftest import without_ids

KEY = "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555"


@pytest.fixture(scope="module")
def hosted(start_laptop: Callable[[str], Laptop]) -> Stack:
    """A cloud deployed to as to AWS, behind CloudFront, with an API key and a KMS key."""
    stack = start_laptop("hosted").start_cloud()
    stack.build()
    stack.deploy(
        "prod",
        **NOT_HERE,
        ApiKeyRequired="true",
        KmsKeyArn=KEY,
        SnapStart="PublishedVersions",
    )
    return stack


@pytest.fixture(scope="module")
def outputs(hosted: Stack) -> dict[str, str]:
    return said(hosted)


def said(stack: Stack) -> dict[str, str]:
    (described,) = stack.client("cloudformation").describe_stacks(
        StackName=stack.outputs.stack_name
    )["Stacks"]
    return {one["OutputKey"]: one["OutputValue"] for one in described["Outputs"]}


def test_a_second_deploy_after_retrains_changes_no_model(
    laptop: Laptop, patient: dict[str, object]
) -> None:
    def registry() -> dict[str, Any]:
        stack = laptop.stack
        pages = stack.s3.get_paginator("list_objects_v2").paginate(
            Bucket=stack.outputs.artifacts_bucket, Prefix="models/"
        )
        return {one["Key"]: one["ETag"] for page in pages for one in page["Contents"]}

    before, answered = registry(), laptop.post("/predict", patient)

    laptop.stack.deploy(LogRetentionDays="14")

    assert registry() == before
    assert "models/champion.json" in before
    again = laptop.post("/predict", patient)
    assert again.status == 200
    assert without_ids(again.body) == without_ids(answered.body)
    retained = {
        group.get("retentionInDays")
        for group in laptop.stack.logs.describe_log_groups()["logGroups"]
        if "clinical-outcomes" in group["logGroupName"]
    }
    assert retained == {14}  # it was a deployment that changed something


def test_the_api_answers_only_who_sends_a_key_of_its_plan(
    hosted: Stack, outputs: dict[str, str], patient: dict[str, object]
) -> None:
    key = hosted.client("apigateway").get_api_key(apiKey=outputs["ApiKeyId"], includeValue=True)

    def predict(**headers: str) -> Answer:
        url, body = f"{hosted.outputs.api_url}/predict", json.dumps(patient).encode()
        return fetch(url, body, None, Content_Type="application/json", **headers)

    for refused in (predict(), predict(x_api_key="a guess")):
        assert refused.status == 403
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert "x-api-key" in refused.body["detail"]
    assert predict(x_api_key=key["value"]).status == 503  # it is let in; no model is there yet
    preflight = fetch(f"{hosted.outputs.api_url}/predict", None, "OPTIONS", Origin="https://a")
    assert preflight.status == 204  # which browsers send without the key


def test_behind_cloudfront_the_site_is_private_and_asks_its_own_origin(
    hosted: Stack, outputs: dict[str, str]
) -> None:
    subprocess.run(
        [sys.executable, "-m", "local.site", hosted.outputs.stack_name],
        cwd=ROOT,
        env=hosted.cloud.environment,
        check=True,
    )
    (distribution,) = hosted.client("cloudfront").list_distributions()["DistributionList"]["Items"]
    block = hosted.s3.get_public_access_block(Bucket=hosted.outputs.site_bucket)
    config = hosted.s3.get_object(Bucket=hosted.outputs.site_bucket, Key="config.json")

    assert outputs["SiteUrl"] == f"https://{distribution['DomainName']}"
    assert set(block["PublicAccessBlockConfiguration"].values()) == {True}
    assert json.loads(config["Body"].read())["api_url"] == "/v1"
    (api,) = distribution["CacheBehaviors"]["Items"]
    assert api["PathPattern"] == "/v1/*"
    origins = {one["Id"]: one["DomainName"] for one in distribution["Origins"]["Items"]}
    assert origins[api["TargetOriginId"]].startswith(outputs["ApiId"])
    assert origins["site"].startswith(hosted.outputs.site_bucket)


def test_logs_are_encrypted_by_the_key_that_is_given(hosted: Stack) -> None:
    groups = hosted.client("logs").describe_log_groups()["logGroups"]
    ours = [group for group in groups if "clinical-outcomes" in group["logGroupName"]]

    assert len(ours) >= 4
    assert {group.get("kmsKeyId") for group in ours} == {KEY}


def test_what_serves_is_an_alias_of_a_published_version(hosted: Stack) -> None:
    lambdas = hosted.client("lambda")
    (name,) = [
        function["FunctionName"]
        for function in lambdas.list_functions()["Functions"]
        if "PredictFunction" in function["FunctionName"]
    ]

    (alias,) = lambdas.list_aliases(FunctionName=name)["Aliases"]

    assert alias["Name"] == "live"
    assert alias["FunctionVersion"] != "$LATEST"
    version = lambdas.get_function_configuration(FunctionName=name, Qualifier="live")
    assert version["SnapStart"]["ApplyOn"] == "PublishedVersions"


def test_deleting_the_stack_deletes_no_data_and_no_log(hosted: Stack) -> None:
    kept = (hosted.outputs.raw_bucket, hosted.outputs.artifacts_bucket)
    for bucket in kept:
        hosted.s3.put_object(Bucket=bucket, Key="kept", Body=b"data")
    cloudformation = hosted.client("cloudformation")
    logs = {
        group["logGroupName"] for group in hosted.client("logs").describe_log_groups()["logGroups"]
    }

    for page in hosted.s3.get_paginator("list_objects_v2").paginate(
        Bucket=hosted.outputs.site_bucket
    ):
        for one in page["Contents"]:
            hosted.s3.delete_object(Bucket=hosted.outputs.site_bucket, Key=one["Key"])
    cloudformation.delete_stack(StackName=hosted.outputs.stack_name)
    cloudformation.get_waiter("stack_delete_complete").wait(
        StackName=hosted.outputs.stack_name,
        WaiterConfig={"Delay": 1, "MaxAttempts": PATIENCE_SECONDS},
    )

    for bucket in kept:
        assert hosted.s3.get_object(Bucket=bucket, Key="kept")["Body"].read() == b"data"
    left = {
        group["logGroupName"] for group in hosted.client("logs").describe_log_groups()["logGroups"]
    }
    assert {name for name in logs if "clinical-outcomes" in name} <= left
