"""Everything works with the permissions in the template and no others."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from local import executions
from local.cloud import Cloud
from local.stack import Stack
from tests.integration.conftest import Laptop


@pytest.fixture(scope="module")
def strict(start_laptop: Callable[[str], Laptop], laptop: Laptop) -> Stack:
    """A cloud that enforces IAM, as AWS does.

    The deny on requests without TLS goes, for a local cloud has none: what is tested here is
    what the roles allow.
    """
    home = start_laptop("strict")
    stack = Stack(Cloud(home.home, home.port, enforce_iam=True))
    stack.cloud.start()
    stack.deploy()
    for bucket in (stack.outputs.raw_bucket, stack.outputs.artifacts_bucket):
        stack.s3.delete_bucket_policy(Bucket=bucket)
    return stack


def test_the_roles_allow_all_that_the_system_does(
    strict: Stack, sample: Path, patient: dict[str, object]
) -> None:
    laptop = Laptop(strict.cloud.home, strict.cloud.port)

    first = laptop.ended(executions.upload(strict, sample))
    again = laptop.ended(executions.start(strict))

    assert first["status"] == "SUCCEEDED", first
    assert json.loads(again["output"])["decision"] == "already_champion"
    laptop.wait_until_served(json.loads(first["output"])["version"])
    assert laptop.post("/predict", patient).status == 200
    assert laptop.get("/dropdown-values").status == 200


def test_a_role_that_may_not_read_is_refused(strict: Stack) -> None:
    """The test above can fail: taking the permission away makes it so."""
    lambdas, iam = strict._client("lambda"), strict._client("iam")
    (dropdown,) = [
        function
        for function in lambdas.list_functions()["Functions"]
        if "DropdownFunction" in function["FunctionName"]
    ]
    role = dropdown["Role"].rsplit("/", 1)[-1]
    (policy,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    iam.delete_role_policy(RoleName=role, PolicyName=policy)
    lambdas.update_function_configuration(
        FunctionName=dropdown["FunctionName"], Description="start anew"
    )

    laptop = Laptop(strict.cloud.home, strict.cloud.port)
    assert laptop.get("/dropdown-values").status == 503


def test_the_public_may_read_the_site_and_nothing_else(strict: Stack) -> None:
    from tests.integration.conftest import fetch

    strict.publish_site()

    assert fetch(strict.outputs.site_url).status == 200
    for bucket in (strict.outputs.raw_bucket, strict.outputs.artifacts_bucket):
        assert fetch(f"{strict.cloud.endpoint_url}/{bucket}/models/champion.json").status == 403
    with pytest.raises(ClientError):
        strict._client("s3").get_object(Bucket=strict.outputs.raw_bucket, Key="raw/nothing.csv")
