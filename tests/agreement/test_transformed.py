"""What AWS's own SAM transform makes of the template, by the parameters that change it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.template import deployed, of_type
from tests.template import template as read
from tests.template import transformed as all_of_it

ROOT = Path(__file__).parent.parent.parent
SERVICES = {"StepFunctions": "states", "CertificateManager": "acm"}  # where a prefix differs


def transformed(changed: str = "", **parameters: str) -> dict[str, Any]:
    """Transform the template, as CloudFormation does; gives its resources.

    changed: the resource whose files were uploaded anew.
    """
    resources: dict[str, Any] = all_of_it(changed, **parameters)["Resources"]
    return resources


def test_the_deployer_may_use_every_service_that_the_stack_is_made_of() -> None:
    policy = json.loads((ROOT / "docs/how-to/deployer-policy.json").read_text())
    allowed = {
        action.split(":")[0]
        for statement in policy["Statement"]
        for action in _listed(statement["Action"])
    }

    resources = transformed(CanaryDeployment="true", ApiKeyRequired="true", CloudFront="true")

    services = {one["Type"].split("::")[1] for one in resources.values()}
    assert {SERVICES.get(service, service.lower()) for service in services} <= allowed


def test_the_deployer_may_use_every_transform_that_the_template_names() -> None:
    policy = json.loads((ROOT / "docs/how-to/deployer-policy.json").read_text())
    (stack,) = [one for one in policy["Statement"] if one["Sid"] == "TheStack"]
    template = json.dumps(read())

    used = set(re.findall(r'"(?:Transform|Name)": "AWS::([\w-]+)"', template))

    assert used == {"Serverless-2016-10-31", "Include"}
    for name in used:
        assert f"arn:aws:cloudformation:*:aws:transform/{name}" in stack["Resource"]


def test_the_deployer_may_make_every_layer_and_state_machine() -> None:
    policy = json.loads((ROOT / "docs/how-to/deployer-policy.json").read_text())
    allowed = {arn for one in policy["Statement"] for arn in _listed(one["Resource"])}

    for name, resource in read()["Resources"].items():
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            assert f"arn:aws:lambda:*:*:layer:{name}*" in allowed
        if resource["Type"] == "AWS::Serverless::StateMachine":
            assert f"arn:aws:states:*:*:stateMachine:{name}-*" in allowed


def test_the_deployer_may_hand_roles_to_the_services_that_take_them() -> None:
    policy = json.loads((ROOT / "docs/how-to/deployer-policy.json").read_text())
    (passing,) = [one for one in policy["Statement"] if one["Action"] == "iam:PassRole"]

    roles = of_type(transformed(), "AWS::IAM::Role").values()

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
