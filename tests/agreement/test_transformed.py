"""What AWS's own SAM transform makes of the template, by the parameters that change it."""

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from tests.template import COMBINATIONS, KEY, deployed, of_type
from tests.template import template as read
from tests.template import transformed as all_of_it

ROOT = Path(__file__).parent.parent.parent
POLICY = ROOT / "docs/how-to/deployer-policy.json"


def transformed(changed: str = "", **parameters: str) -> dict[str, Any]:
    """Transform the template, as CloudFormation does; gives its resources.

    changed: the resource whose files were uploaded anew.
    """
    resources: dict[str, Any] = all_of_it(changed, **parameters)["Resources"]
    return resources


# What CloudFormation asks for to make all that a type of resource can be, and this stack is not.
NOT_NEEDED = {
    "elasticfilesystem:DescribeMountTargets": "No function mounts a file system.",
    "s3files:ListMountTargets": "No function mounts a file system.",
    "firehose:TagDeliveryStream": "No log is delivered to Firehose.",
    "iam:DeleteGroupPolicy": "Policies are of roles.",
    "iam:DeleteUserPolicy": "Policies are of roles.",
    "iam:GetGroupPolicy": "Policies are of roles.",
    "iam:GetUserPolicy": "Policies are of roles.",
    "iam:PutGroupPolicy": "Policies are of roles.",
    "iam:PutUserPolicy": "Policies are of roles.",
    "iam:DeleteRolePermissionsBoundary": "Who may take a boundary off is not bounded by it.",
    "kms:DisableKey": "The key is never disabled.",
    "kms:DisableKeyRotation": "The key is always rotated.",
    "kms:EnableKey": "The key is never disabled.",
    "logs:DeleteDataProtectionPolicy": "Log groups have none.",
    "logs:DeleteIndexPolicy": "Log groups have none.",
    "logs:DeleteLogGroup": "Logs outlive the stack.",
    "logs:DeleteResourcePolicy": "Log groups have none.",
    "logs:DeleteRetentionPolicy": "Logs always expire.",
    "logs:PutBearerTokenAuthentication": "Log groups have none.",
    "logs:PutDataProtectionPolicy": "Log groups have none.",
    "logs:PutIndexPolicy": "Log groups have none.",
    "logs:PutLogGroupDeletionProtection": "Log groups have none.",
    "s3tables:CreateNamespace": "No bucket has a table of its metadata.",
    "s3tables:CreateTable": "No bucket has a table of its metadata.",
    "s3tables:CreateTableBucket": "No bucket has a table of its metadata.",
    "s3tables:GetTable": "No bucket has a table of its metadata.",
    "s3tables:GetTableMetadataLocation": "No bucket has a table of its metadata.",
    "s3tables:PutTableBucketPolicy": "No bucket has a table of its metadata.",
    "s3tables:PutTableEncryption": "No bucket has a table of its metadata.",
    "s3tables:PutTablePolicy": "No bucket has a table of its metadata.",
    "s3tables:UpdateTableMetadataLocation": "No bucket has a table of its metadata.",
}


@pytest.fixture(scope="module")
def policy() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(POLICY.read_text())
    return found


def test_the_deployer_may_do_all_that_cloudformation_does_for_a_stack_with_everything_in_it(
    policy: dict[str, Any],
) -> None:
    """By the permissions that AWS publishes with the schema of each type of resource."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER as SCHEMAS  # noqa: PLC0415 - half a second, which few tests need

    allowed = [action for one in policy["Statement"] for action in _listed(one["Action"])]
    kinds = {one["Type"] for one in deployed(**COMBINATIONS["everything"]).values()}

    needed = {
        action
        for kind in kinds
        for handler, handled in SCHEMAS.get_resource_schema("us-east-1", kind)
        .schema["handlers"]
        .items()
        if handler != "list"
        for action in handled["permissions"]
    }

    assert "iam:CreateRole" in needed
    refused = {one for one in needed if not any(fnmatchcase(one, each) for each in allowed)}
    assert refused == set(NOT_NEEDED)


@pytest.mark.parametrize("path", ["/", "/clinical/", "/a/b/"])
def test_the_deployer_may_make_and_hand_on_roles_under_any_path(
    path: str, policy: dict[str, Any]
) -> None:
    ours, another = (f"arn:aws:iam::1:role{path}{name}" for name in ("clinical-outcomes-R", "R"))

    for sid in ("ItsRoles", "HandRolesToTheServicesThatTakeThem"):
        (one,) = [one for one in policy["Statement"] if one["Sid"] == sid]
        assert any(fnmatchcase(ours, each) for each in one["Resource"])
        assert not any(fnmatchcase(another, each) for each in one["Resource"])


def test_the_deployer_may_use_every_transform_that_the_template_names(
    policy: dict[str, Any],
) -> None:
    (stack,) = [one for one in policy["Statement"] if one["Sid"] == "TheStack"]
    template = json.dumps(read())

    used = set(re.findall(r'"(?:Transform|Name)": "AWS::([\w-]+)"', template))

    assert used == {"Serverless-2016-10-31", "Include"}
    for name in used:
        assert f"arn:aws:cloudformation:*:aws:transform/{name}" in stack["Resource"]


def test_the_deployer_may_make_every_layer_and_state_machine(policy: dict[str, Any]) -> None:
    allowed = {arn for one in policy["Statement"] for arn in _listed(one["Resource"])}

    for name, resource in read()["Resources"].items():
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            assert f"arn:aws:lambda:*:*:layer:{name}*" in allowed
        if resource["Type"] == "AWS::Serverless::StateMachine":
            assert f"arn:aws:states:*:*:stateMachine:{name}-*" in allowed


def test_the_deployer_may_hand_roles_to_the_services_that_take_them(policy: dict[str, Any]) -> None:
    (passing,) = [one for one in policy["Statement"] if one["Action"] == "iam:PassRole"]

    roles = of_type(deployed(**COMBINATIONS["everything"]), "AWS::IAM::Role").values()

    takers = {
        service
        for role in roles
        for statement in role["AssumeRolePolicyDocument"]["Statement"]
        for service in _listed(statement["Principal"]["Service"])
    }
    assert takers == set(passing["Condition"]["StringEquals"]["iam:PassedToService"])


def _listed(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def test_a_canary_takes_a_new_version_back_when_an_alarm_goes_off() -> None:
    assert of_type(transformed(), "AWS::CodeDeploy::DeploymentGroup") == {}

    resources = transformed(CanaryDeployment="true")

    (group,) = of_type(resources, "AWS::CodeDeploy::DeploymentGroup").values()
    assert group["AlarmConfiguration"]["Enabled"]
    assert {one["Name"]["Ref"] for one in group["AlarmConfiguration"]["Alarms"]} <= set(resources)
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    update = resources["PredictFunctionAliaslive"]["UpdatePolicy"]
    assert "CodeDeployLambdaAliasUpdate" in update


def test_a_key_is_asked_for_on_every_route_but_not_of_preflights() -> None:
    def secured(parameter: str) -> dict[tuple[str, str], bool]:
        (api,) = of_type(transformed(ApiKeyRequired=parameter), "AWS::ApiGateway::RestApi").values()
        return {
            (path, method): {"api_key": []} in operation.get("security", [])
            for path, operations in api["Body"]["paths"].items()
            for method, operation in operations.items()
        }

    assert not any(secured("").values())
    for (path, method), asked in secured("true").items():
        assert asked == (method != "options"), (path, method)


@pytest.mark.parametrize("key", ["", "true"])
def test_who_decides_on_models_signs_the_post_and_nothing_else_decides_or_is_signed(
    key: str,
) -> None:
    (api,) = of_type(transformed(ApiKeyRequired=key), "AWS::ApiGateway::RestApi").values()
    paths = api["Body"]["paths"]

    signed = [
        (path, method)
        for path, operations in paths.items()
        for method, operation in operations.items()
        if any("AWS_IAM" in one for one in operation.get("security", []))
    ]
    assert signed == [("/approvals/{execution}", "post")]
    assert set(paths["/approvals/{execution}"]) == {"post", "options"}
    # Whoever may invoke the route needs no permission to the function behind it.
    for operations in paths.values():
        for operation in operations.values():
            assert "credentials" not in operation["x-amazon-apigateway-integration"]


def test_no_page_of_the_site_knows_where_models_are_decided_on() -> None:
    pages = [path for path in (ROOT / "site").rglob("*") if path.is_file()]

    assert pages
    for path in pages:
        assert b"/approvals" not in path.read_bytes(), path


@pytest.mark.parametrize("changed", ["PredictFunction", "ClinicalLayer", "ModelLayer"])
def test_a_change_in_code_or_layers_makes_another_version_of_what_serves(changed: str) -> None:
    before = of_type(transformed(), "AWS::Lambda::Version")
    again = of_type(transformed(), "AWS::Lambda::Version")
    after = of_type(transformed(changed), "AWS::Lambda::Version")

    assert set(before) == set(again)
    assert set(before).isdisjoint(after)


def test_the_gateways_log_role_is_set_before_the_stage_that_logs() -> None:
    (stage,) = of_type(deployed(ApiAccessLog="new-role"), "AWS::ApiGateway::Stage").values()

    assert "DestinationArn" in stage["AccessLogSetting"]
    assert stage["Variables"] == {"LogsRole": {"Ref": "GatewayAccount"}}


def test_topics_are_encrypted_by_the_key_that_is_asked_for_and_the_retraining_may_use_it() -> None:
    def keys(**parameters: str) -> tuple[Any, Any, bool]:
        """The key of both topics, what the machine may encrypt with, and whether one is made."""
        resources = deployed(**parameters)
        (topic,) = {
            json.dumps(one.get("KmsMasterKeyId"))
            for one in of_type(resources, "AWS::SNS::Topic").values()
        }
        statements = resources["RetrainStateMachineRole"]["Properties"]["Policies"][0][
            "PolicyDocument"
        ]["Statement"]
        allowed = [one["Resource"] for one in statements if one["Sid"] == "EncryptWhatTheyAreTold"]
        return json.loads(topic), allowed, bool(of_type(resources, "AWS::KMS::Key"))

    own = {"Fn::GetAtt": ["AlarmKey", "Arn"]}
    assert keys() == (None, [], False)
    assert keys(KmsKeyArn=KEY) == (None, [], False)  # whose policy may not let CloudWatch use it
    assert keys(TopicKey="Own") == ({"Ref": "AlarmKey"}, [own], True)
    assert keys(KmsKeyArn=KEY, TopicKey="Own") == ({"Ref": "AlarmKey"}, [own], True)
    assert keys(KmsKeyArn=KEY, TopicKey="KmsKeyArn") == (KEY, [KEY], False)


def test_a_key_for_topics_that_is_not_given_is_refused() -> None:
    (rule,) = all_of_it()["Rules"].values()

    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "TopicKey"}, "KmsKeyArn"]}
    (refusal,) = rule["Assertions"]
    assert refusal["Assert"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "KmsKeyArn"}, ""]}]}
