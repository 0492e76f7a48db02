"""The template, read for the tests: as it is written, and as it is deployed."""

import json
import logging
import os
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

FILE = Path(__file__).parent.parent / "template.yaml"
LOCAL = ("CodeUri", "ContentUri", "DefinitionUri")  # properties whose files `sam deploy` uploads
PUT_IN = re.compile(r"\$\{(\w+)\}")

KEY = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
WEB_ACL = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/name/11111111-2222-3333-4444-555555"
BOUNDARY = "arn:aws:iam::123456789012:policy/Boundary"


def of_samconfig(section: str) -> dict[str, str]:
    """Read the parameters with which a section of samconfig.toml deploys."""
    config = tomllib.loads((FILE.parent / "samconfig.toml").read_text())
    given = config[section]["deploy"]["parameters"]["parameter_overrides"]
    return dict(one.split("=", 1) for one in given.split())


IN_A_VPC = {
    "VpcSubnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
    "VpcSecurityGroupIds": "sg-0123456789abcdef0",
}
BOUNDED = {"PermissionsBoundaryArn": BOUNDARY, "RolePath": "/clinical/"}
# What is checked to be sound is each of these, and no other combination.
COMBINATIONS: dict[str, dict[str, str]] = {
    "default": {},
    "local": of_samconfig("default"),
    "prod": of_samconfig("prod"),
    "fronted": {"CloudFront": "true", "WebAclArn": WEB_ACL, "ApiKeyRequired": "true"},
    "governed": {**IN_A_VPC, **BOUNDED, "ApiAccessLog": "existing-role"},
    "encrypted": {"KmsKeyArn": KEY, "TopicKey": "KmsKeyArn"},
    "minimal": {
        "HealthCheck": "DISABLED",
        "Monitoring": "DISABLED",
        "LogRetentionDays": "1",
        "ScoreRetentionDays": "1",
        "CaptureRetentionDays": "1",
        "LogLevel": "ERROR",
    },
    "quiet": {
        "Architecture": "arm64",
        "SnapStart": "PublishedVersions",
        "LogFormat": "JSON",
        "SystemLogLevel": "WARN",
    },
    "everything": {
        **IN_A_VPC,
        **BOUNDED,
        "CloudFront": "true",
        "WebAclArn": WEB_ACL,
        "AllowedOrigins": "https://a.example,https://b.example",
        "ApiKeyRequired": "true",
        "KmsKeyArn": KEY,
        "TopicKey": "Own",
        "ReservedConcurrency": "20",
        "SnapStart": "PublishedVersions",
        "CanaryDeployment": "true",
        "ApiAccessLog": "new-role",
        "LogFormat": "JSON",
        "LogLevel": "DEBUG",
        "SystemLogLevel": "DEBUG",
        "MetricsNamespace": "Another",
        "Retraining": "ENABLED",
        "RetrainAfterOutcomes": "100",
        "ApproverEmail": "approver@example.org",
        "AlarmEmail": "alarms@example.org",
        "BucketPrefix": "named",
    },
}


def template() -> dict[str, Any]:
    """Read it, with functions in their long form: {"Fn::GetAtt": ["Name", "Arn"]}."""
    read: dict[str, Any] = json.loads(_as_json())
    return read


@cache
def _as_json() -> str:
    from cfnlint.decode import cfn_yaml  # noqa: PLC0415 - two seconds, which few tests need

    return json.dumps(cfn_yaml.load(str(FILE)))


def transformed(changed: str = "", **parameters: str) -> dict[str, Any]:
    """Transform the template as CloudFormation does; return all of what becomes of it.

    changed: the resource whose files were uploaded again, with other content.
    """
    from samtranslator.translator.transform import transform  # noqa: PLC0415 - likewise

    class NoManagedPolicies:
        def load(self) -> dict[str, str]:
            return {}

    given = template()
    for name, resource in given["Resources"].items():
        for place in set(LOCAL) & set(resource.get("Properties", {})):
            uploaded = "again" if name == changed else "before"
            resource["Properties"][place] = f"s3://bucket/{uploaded}"
    logging.getLogger("samtranslator").setLevel(logging.ERROR)
    with mock.patch.dict(os.environ, AWS_DEFAULT_REGION="us-east-1"):
        made: dict[str, Any] = transform(given, values(given, parameters), NoManagedPolicies())
    return made


def values(read: dict[str, Any], parameters: Mapping[str, str]) -> dict[str, str]:
    """Give the value of every parameter, as text; raises KeyError for one that there is none of."""
    defaults = {name: str(one.get("Default", "")) for name, one in read["Parameters"].items()}
    for name in parameters:
        defaults[name]
    return {**defaults, **parameters}


def deployed(**parameters: str) -> dict[str, Any]:
    """Return the resources that CloudFormation would make with these parameters.

    Conditions are decided and parameters put in; what refers to another resource, or to the
    account, stays as it is. None of the libraries at hand does that: those of SAM and cfn-lint
    either make up an ARN for each resource or leave conditions open.
    """
    made = transformed(**parameters)
    given = {
        name: _typed(made["Parameters"][name]["Type"], value)
        for name, value in values(made, parameters).items()
    }
    conditions = made.get("Conditions", {})
    resources: dict[str, Any] = _decided(
        {
            name: resource
            for name, resource in made["Resources"].items()
            if "Condition" not in resource or _holds(resource["Condition"], conditions, given)
        },
        conditions,
        given,
    )
    for resource in resources.values():
        resource.pop("Condition", None)
    return resources


def written(resources: dict[str, Any], folder: Path) -> Path:
    """Write resources as a template of their own, as tools read one; return its file."""
    file = folder / "stack.json"
    file.write_text(json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}))
    return file


def of_type(resources: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the properties of every resource of a type, by name."""
    return {
        name: one.get("Properties", {}) for name, one in resources.items() if one["Type"] == kind
    }


def _typed(kind: str, value: str) -> object:
    if kind == "Number":
        return float(value) if "." in value else int(value)
    return value.split(",") if kind == "CommaDelimitedList" else value


_NOTHING = object()  # what AWS::NoValue stands for


def _decided(value: Any, conditions: dict[str, Any], given: dict[str, Any]) -> Any:
    """Decide what depends on conditions and parameters alone."""
    decided: Any = value
    match value:
        case {"Ref": "AWS::NoValue"}:
            decided = _NOTHING
        case {"Ref": name} if name in given:
            decided = given[name]
        case {"Fn::If": [name, then, otherwise]}:
            chosen = then if _holds(name, conditions, given) else otherwise
            decided = _decided(chosen, conditions, given)
        case {"Fn::Sub": str(text)}:
            text = PUT_IN.sub(lambda found: str(given.get(found[1], found[0])), text)
            decided = {"Fn::Sub": text} if "${" in text else text
        case {"Fn::Join": [between, parts]}:
            parts = _decided(parts, conditions, given)
            known = isinstance(parts, list) and all(isinstance(one, str) for one in parts)
            decided = between.join(parts) if known else {"Fn::Join": [between, parts]}
        case dict():
            made = {name: _decided(one, conditions, given) for name, one in value.items()}
            decided = {name: one for name, one in made.items() if one is not _NOTHING}
        case list():
            items = [_decided(one, conditions, given) for one in value]
            decided = [one for one in items if one is not _NOTHING]
    return decided


def _holds(condition: Any, conditions: dict[str, Any], given: dict[str, Any]) -> bool:
    """Tell whether a condition holds: one by its name, or what a name stands for."""
    match condition:
        case str(name) | {"Condition": name}:
            return _holds(conditions[name], conditions, given)
        case {"Fn::Not": [one]}:
            return not _holds(one, conditions, given)
        case {"Fn::And": several}:
            return all(_holds(one, conditions, given) for one in several)
        case {"Fn::Or": several}:
            return any(_holds(one, conditions, given) for one in several)
        case {"Fn::Equals": [one, other]}:
            return str(_decided(one, conditions, given)) == str(_decided(other, conditions, given))
    raise ValueError(f"no condition: {condition}")
