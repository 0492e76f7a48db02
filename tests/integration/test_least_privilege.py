"""Everything works with the permissions in the template and no others."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import boto3
import pytest
from botocore.exceptions import ClientError
from clinical.approvals import Approvals
from clinical.boto3_bucket import Boto3Bucket
from clinical.captures import Captures
from clinical.outcomes import Outcomes
from clinical.params import params
from samcli.lib.bootstrap.bootstrap import manage_stack

from local import executions
from local.cloud import REGION
from local.machines import MONITOR, OUTCOMES, SCORE
from local.ministack import Ministack
from local.stack import Stack
from tests.integration.conftest import NOT_HERE, ROOT, Laptop, fetch, of_few_trees
from tests.template import IN_A_VPC
from tests.waiting import asked

FEW = 20  # rows of a file to score


# What a platform team may ask for. The local cloud takes a VPC and a boundary, and uses neither.
GOVERNED = {
    **IN_A_VPC,
    "PermissionsBoundaryArn": "arn:aws:iam::000000000000:policy/Boundary",
    "RolePath": "/clinical/",
    "ApiAccessLog": "new-role",
    "ReservedConcurrency": "50",
    "LogFormat": "JSON",
    "KmsKeyArn": "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555",
}


@dataclass(frozen=True)
class AsDeployer(Ministack):
    """The cloud as somebody sees it who has these keys."""

    key: str = ""
    secret: str = ""

    @property
    def environment(self) -> dict[str, str]:
        keys = {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret}
        return {**super().environment, **keys}


@pytest.fixture(scope="module")
def enforcing(start_laptop: Callable[[str], Laptop]) -> Stack:
    """A cloud that enforces IAM, as AWS does, and a stack that is not deployed yet."""
    return start_laptop("strict").start_cloud(enforce_iam=True)


@pytest.fixture(scope="module")
def deployer(enforcing: Stack) -> AsDeployer:
    """The cloud as it lets a user who may do what the deployer policy allows."""
    iam, name = enforcing.client("iam"), "deployer"
    policy = (ROOT / "docs/how-to/deployer-policy.json").read_text()
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="Deploy", PolicyDocument=policy)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    cloud = enforcing.cloud
    return AsDeployer(
        cloud.home,
        cloud.port,
        enforce_iam=True,
        key=made["AccessKeyId"],
        secret=made["SecretAccessKey"],
    )


@pytest.fixture(scope="module")
def strict(enforcing: Stack, deployer: AsDeployer) -> Stack:
    """The stack on a cloud that enforces IAM, deployed as to AWS, by who may deploy and no more.

    The deny on requests without TLS goes, for a local cloud has none: what is tested here is
    what the roles allow.
    """
    enforcing.build()
    with mock.patch.dict(os.environ, deployer.environment):
        # As `sam deploy` does, to upload to.
        sams_own = manage_stack(profile=None, region=REGION)
    enforcing.s3.delete_bucket_policy(Bucket=sams_own)
    Stack(deployer).deploy("prod", **NOT_HERE, **GOVERNED, CloudFront="false")
    for bucket in (enforcing.outputs.raw_bucket, enforcing.outputs.artifacts_bucket):
        enforcing.s3.delete_bucket_policy(Bucket=bucket)
    return enforcing


def test_every_role_is_under_the_path_that_was_given(strict: Stack) -> None:
    lambdas, iam = strict.client("lambda"), strict.client("iam")

    roles = {one["Role"] for one in lambdas.list_functions()["Functions"]}
    paths = {one["RoleName"]: one["Path"] for one in iam.list_roles()["Roles"]}

    assert len(roles) > 30
    assert all(":role/clinical/clinical-outcomes-" in role for role in roles)
    ours = {path for name, path in paths.items() if name.startswith("clinical-outcomes-")}
    assert ours == {"/clinical/"}


def test_the_deployer_may_touch_nothing_else(deployer: AsDeployer) -> None:
    """What deployed the stack above is held to its policy."""
    session = boto3.Session(deployer.key, deployer.secret, region_name=REGION)
    s3 = session.client("s3", endpoint_url=deployer.endpoint_url)
    iam = session.client("iam", endpoint_url=deployer.endpoint_url)

    with pytest.raises(ClientError, match="AccessDenied"):
        s3.create_bucket(Bucket="another")
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.create_user(UserName="another")
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.create_role(RoleName="another", AssumeRolePolicyDocument="{}")
    with pytest.raises(ClientError, match="AccessDenied"):
        iam.delete_role_permissions_boundary(RoleName="clinical-outcomes-another")


def test_stack_level_tags_reach_what_sam_made(strict: Stack) -> None:
    lambdas = strict.client("lambda")
    (predict,) = [
        one["FunctionArn"]
        for one in lambdas.list_functions()["Functions"]
        if "PredictFunction" in one["FunctionName"]
    ]
    tags = lambdas.list_tags(Resource=predict)["Tags"]

    assert tags["Project"] == "clinical-outcomes"


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
    pages = Boto3Bucket(strict.s3, strict.outputs.artifacts_bucket).keys(
        "models/change-control/", ""
    )
    assert len(pages) == json.loads(back["output"])["sequence"], back  # one of each promotion
    assert not laptop.newest_upload_waits()
    laptop.wait_until_served(json.loads(first["output"])["version"])
    assert laptop.post("/predict", patient).status == 200
    card = laptop.get("/model")
    assert card.status == 200
    assert len(card.body["learning_curve"]["points"]) == len(params().learning_curve.fractions)
    assert laptop.get("/dropdown-values").status == 200


def test_the_roles_allow_all_that_monitoring_does(
    strict: Stack, sample: Path, patient: dict[str, object], tmp_path: Path
) -> None:
    """It captures requests and scored files, and takes in outcomes however they are told."""
    laptop, target = Laptop(strict.cloud.home, strict.cloud.port), params().target.column
    predicted, other = (laptop.post("/predict", patient).body["prediction_id"] for _ in range(2))
    scored = laptop.ended(executions.upload(strict, few_of(sample, tmp_path), SCORE))
    assert scored["status"] == "SUCCEEDED", scored

    first = laptop.ended(executions.start(strict, machine=MONITOR))
    came = {"prediction_id": predicted, target: 6.5, "observed_at": f"{datetime.now(UTC):%Y-%m-%d}"}
    told = laptop.post("/outcomes", {"outcomes": [came]})
    found = laptop.get(f"/predictions/{predicted}")
    rows = f"prediction_id,{target},observed_at\n{other},7,{came['observed_at']}\n"
    strict.s3.put_object(
        Bucket=strict.outputs.raw_bucket, Key=f"{OUTCOMES}told.csv", Body=rows.encode()
    )
    second = laptop.ended(executions.start(strict, machine=MONITOR))

    for ended in (first, second):
        assert ended["status"] == "SUCCEEDED", (ended.get("error"), ended.get("cause"))
    assert told.body["outcomes"][0]["status"] == "recorded", told.text
    assert found.status == 200, found.text
    bucket = Boto3Bucket(strict.s3, strict.outputs.artifacts_bucket)
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    sources = Counter(
        one.source
        for one in Captures(bucket).between(day - timedelta(days=1), day + timedelta(days=1))
    )
    assert sources["score"] == FEW
    assert sources["predict"] >= 2
    came_of = {one: outcome.value for one, outcome in Outcomes(bucket).all().items()}
    assert came_of == {predicted: 6.5, other: 7}


def test_the_roles_allow_to_decide_on_what_waits(strict: Stack) -> None:
    """The decision is kept, Step Functions are told and, as they know no such task, looked at."""
    laptop = Laptop(strict.cloud.home, strict.cloud.port)
    bucket = Boto3Bucket(strict.s3, strict.outputs.artifacts_bucket)
    machine = strict.outputs.state_machine_arn.replace(":stateMachine:", ":execution:")
    asked(bucket, "forgotten", arn=f"{machine}:forgotten")
    told = {"decision": "approve", "reason": "To see what the role allows."}

    answer = laptop.post_signed("/approvals/forgotten", told)

    assert answer.status == 409, answer.text
    assert "FORGOTTEN" in answer.body["detail"]
    assert Approvals(bucket).decision("forgotten") is not None


def few_of(sample: Path, folder: Path) -> Path:
    """Write the first rows of the sample, as a file to score."""
    few = folder / "few.csv"
    few.write_text("".join(sample.read_text().splitlines(keepends=True)[: FEW + 1]))
    return few


def test_browsers_of_the_own_site_alone_may_call(strict: Stack) -> None:
    laptop = Laptop(strict.cloud.home, strict.cloud.port)
    cloudformation = strict.client("cloudformation")
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
    lambdas, iam = strict.client("lambda"), strict.client("iam")
    (ingest,) = [
        function
        for function in lambdas.list_functions()["Functions"]
        if "IngestFunction" in function["FunctionName"]
    ]
    role = ingest["Role"].rsplit("/", 1)[-1]
    for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]:
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
