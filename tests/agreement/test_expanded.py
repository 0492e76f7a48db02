"""The stack that CloudFormation makes is sound, with every combination of parameters that we list.

A check looks at the expanded resources and lists its objections. Each proves that it can object: it
has a mutation, which breaks what it checks in a stack that it finds sound.
"""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from clinical.telemetry import Metric

from tests.template import COMBINATIONS, deployed, of_type, template, values, written

type Resources = dict[str, Any]
type Given = Mapping[str, str]
type Check = Callable[[Resources, Given], Iterator[str]]
type Mutation = Callable[[Resources], object]

# Everyone who may send a request may use these routes; with an API key, everyone who has the key.
OPEN = {
    ("/predict", "post"),
    ("/predict/batch", "post"),
    ("/compare", "post"),
    ("/model", "get"),
    ("/model", "head"),
    ("/report", "get"),
    ("/report", "head"),
    ("/health", "get"),
    ("/health", "head"),
    ("/docs", "get"),
    ("/docs", "head"),
    ("/openapi.json", "get"),
    ("/openapi.json", "head"),
    ("/dropdown-values", "get"),
    ("/dropdown-values", "head"),
    ("/outcomes", "post"),
    ("/predictions/{prediction_id}", "get"),
    ("/predictions/{prediction_id}", "head"),
}
SIGNED = {("/approvals/{execution}", "post")}  # only IAM principals may use these

# Statements that allow something on every resource, and why no narrower one will do.
ON_EVERYTHING = {
    "ResumeExecutions": "IAM has no resource for task tokens.",
    "DeliverLogs": "IAM grants log delivery only on all resources.",
}
# Managed policies of AWS that roles may have, and why.
ATTACHED = {
    "service-role/AWSLambdaBasicExecutionRole": "Functions write logs.",
    "AWSXrayWriteOnlyAccess": "Functions are traced.",
    "service-role/AWSLambdaVPCAccessExecutionRole": "Functions may join a VPC.",
    "service-role/AWSCodeDeployRoleForLambdaLimited": "CodeDeploy shifts traffic.",
    "service-role/AmazonAPIGatewayPushToCloudWatchLogs": "API Gateway logs.",
}
# Types of which an account and Region have one, so that a second stack would change the first's.
ACCOUNT_WIDE = {
    "AWS::ApiGateway::Account",
    "AWS::IAM::AccountPasswordPolicy",
    "AWS::Lambda::AccountSettings",
    "AWS::Logs::AccountPolicy",
    "AWS::Logs::ResourcePolicy",
    "AWS::S3::AccountPublicAccessBlock",
    "AWS::XRay::Group",
    "AWS::XRay::ResourcePolicy",
    "AWS::XRay::SamplingRule",
}
OF_AWS = {"AWS/ApiGateway", "AWS/Lambda", "AWS/SQS", "AWS/States"}  # namespaces of metrics


@dataclass(frozen=True)
class Proven:
    """A check, and what breaks a stack with everything in it so that the check must object."""

    check: Check
    mutation: Mutation


CHECKS: dict[str, Proven] = {}


def broken_by(mutation: Mutation) -> Callable[[Check], Check]:
    """Make a function a check, and prove it by a mutation."""

    def registered(check: Check) -> Check:
        CHECKS[check.__name__] = Proven(check, mutation)
        return check

    return registered


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(resources: Resources) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every statement of every policy that lets the stack's roles do something."""
    for name, role in of_type(resources, "AWS::IAM::Role").items():
        for policy in role.get("Policies", []):
            yield from ((name, one) for one in policy["PolicyDocument"]["Statement"])
    for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        for name, policy in of_type(resources, kind).items():
            yield from ((name, one) for one in policy["PolicyDocument"]["Statement"])


def resource_policies(resources: Resources) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every statement of every policy of a bucket, a queue or a topic."""
    for kind in ("AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"):
        for name, policy in of_type(resources, kind).items():
            yield from ((name, one) for one in policy["PolicyDocument"]["Statement"])


def public_site(given: Given) -> bool:
    return given["CloudFront"] == "false"


# ── Who may call what ───────────────────────────────────────────────────────────────────────────


def _opens_a_route(resources: Resources) -> None:
    paths = resources["Api"]["Properties"]["Body"]["paths"]
    del paths["/approvals/{execution}"]["post"]["security"]


@broken_by(_opens_a_route)
def every_route_has_the_auth_that_is_named_for_it(
    resources: Resources, given: Given
) -> Iterator[str]:
    by_key: list[dict[str, list[Any]]] = [{"api_key": []}] if given["ApiKeyRequired"] else []
    (api,) = of_type(resources, "AWS::ApiGateway::RestApi").values()
    found = {
        (path, method): operation.get("security", [])
        for path, operations in api["Body"]["paths"].items()
        for method, operation in operations.items()
    }
    for route in {*OPEN, *SIGNED} - set(found):
        yield f"{route} is listed, but not a route"
    for route, security in found.items():
        if route[1] == "options":
            expected = []  # browsers send preflights without any auth
        elif route in OPEN:
            expected = by_key
        elif route in SIGNED:
            expected = [{"AWS_IAM": []}, *by_key]
        else:
            yield f"nobody says who may call {route}"
            continue
        if sorted(map(str, security)) != sorted(map(str, expected)):
            yield f"{route} has {security}, not {expected}"


def _lets_everyone_invoke(resources: Resources) -> None:
    next(iter(of_type(resources, "AWS::Lambda::Permission").values())).pop("SourceArn")


@broken_by(_lets_everyone_invoke)
def only_named_sources_invoke_functions(resources: Resources, given: Given) -> Iterator[str]:
    permissions = of_type(resources, "AWS::Lambda::Permission")
    if not permissions:
        yield "there are no permissions"
    for name, permission in permissions.items():
        if "SourceArn" not in permission or permission["SourceArn"] == "*":
            yield f"{name} names no source"
    for name in of_type(resources, "AWS::Lambda::Url"):
        yield f"{name} goes around the API"


# ── What is public, and how it is reached ───────────────────────────────────────────────────────


def _opens_a_bucket(resources: Resources) -> None:
    block = resources["RawBucket"]["Properties"]["PublicAccessBlockConfiguration"]
    block["BlockPublicPolicy"] = False


@broken_by(_opens_a_bucket)
def nothing_but_the_site_is_public(resources: Resources, given: Given) -> Iterator[str]:
    for name, bucket in of_type(resources, "AWS::S3::Bucket").items():
        site = name == "SiteBucket" and public_site(given)
        block = bucket["PublicAccessBlockConfiguration"]
        if not site and (len(block) != 4 or set(block.values()) != {True}):
            yield f"{name} does not block public access"
        if "WebsiteConfiguration" in bucket and not site:
            yield f"{name} is a website"
    for name, one in resource_policies(resources):
        everyone = one["Effect"] == "Allow" and "*" in json.dumps(one["Principal"])
        if everyone and not (name == "SiteBucketPolicy" and public_site(given)):
            yield f"{name} allows everyone"


def _allows_everyone(resources: Resources) -> None:
    policy = resources["AlarmTopicPolicy"]["Properties"]["PolicyDocument"]
    policy["Statement"][0]["Principal"] = "*"


CHECKS["no policy allows everyone"] = Proven(nothing_but_the_site_is_public, _allows_everyone)


def _allows_plain_http(resources: Resources) -> None:
    policy = resources["SiteBucketPolicy"]["Properties"]["PolicyDocument"]
    policy["Statement"] = [one for one in policy["Statement"] if one["Effect"] == "Allow"]


@broken_by(_allows_plain_http)
def every_bucket_refuses_plain_http(resources: Resources, given: Given) -> Iterator[str]:
    refused = {
        policy["Bucket"]["Ref"]: one["Resource"]
        for policy in of_type(resources, "AWS::S3::BucketPolicy").values()
        for one in policy["PolicyDocument"]["Statement"]
        if (one["Effect"], one["Principal"], one["Action"]) == ("Deny", "*", "s3:*")
        and one["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    }
    for name in of_type(resources, "AWS::S3::Bucket"):
        if name == "SiteBucket" and public_site(given):
            continue  # S3 website hosting speaks nothing else
        whole = [{"Fn::GetAtt": [name, "Arn"]}, {"Fn::Sub": f"${{{name}.Arn}}/*"}]
        if refused.get(name) != whole:
            yield f"{name} answers over plain HTTP"


def _takes_plain_http(resources: Resources) -> None:
    distribution = resources["Distribution"]["Properties"]["DistributionConfig"]
    distribution["DefaultCacheBehavior"]["ViewerProtocolPolicy"] = "allow-all"


@broken_by(_takes_plain_http)
def a_distribution_refuses_plain_http(resources: Resources, given: Given) -> Iterator[str]:
    distributions = of_type(resources, "AWS::CloudFront::Distribution")
    if bool(distributions) == public_site(given):
        yield "there is a distribution only if it is asked for"
    for distribution in distributions.values():
        config = distribution["DistributionConfig"]
        behaviours = [config["DefaultCacheBehavior"], *config["CacheBehaviors"]]
        if any(one["ViewerProtocolPolicy"] == "allow-all" for one in behaviours):
            yield "viewers may use plain HTTP"
        if config.get("WebACLId", "") != given["WebAclArn"]:
            yield "the web ACL is not the one that is given"


# ── What roles may do ───────────────────────────────────────────────────────────────────────────


def _widens_a_role(resources: Resources) -> None:
    policies = resources["PromoteFunctionRole"]["Properties"]["Policies"]
    policies[-1]["PolicyDocument"]["Statement"][0]["Resource"] = "*"


@broken_by(_widens_a_role)
def no_role_may_act_on_everything(resources: Resources, given: Given) -> Iterator[str]:
    for name, one in statements(resources):
        if one["Effect"] != "Allow":
            continue
        if "*" in listed(one["Resource"]) and one.get("Sid") not in ON_EVERYTHING:
            yield f"{name} may {one['Action']} on everything"
        for action in listed(one["Action"]):
            if action.split(":")[1].startswith("*"):
                yield f"{name} may {action}"


def _attaches_a_policy(resources: Resources) -> None:
    policies = resources["PredictFunctionRole"]["Properties"]["ManagedPolicyArns"]
    policies.append("arn:aws:iam::aws:policy/AmazonS3FullAccess")


@broken_by(_attaches_a_policy)
def roles_have_only_the_managed_policies_that_are_named(
    resources: Resources, given: Given
) -> Iterator[str]:
    for name, role in of_type(resources, "AWS::IAM::Role").items():
        for policy in role.get("ManagedPolicyArns", []):
            arn = policy["Fn::Sub"] if isinstance(policy, dict) else policy
            if arn.split(":policy/")[1] not in ATTACHED:
                yield f"{name} has {arn}"


def _leaves_the_network_to_code(resources: Resources) -> None:
    shared, _ = resources["PredictFunctionRole"]["Properties"]["Policies"]
    del shared["PolicyDocument"]["Statement"][0]


@broken_by(_leaves_the_network_to_code)
def no_functions_code_may_touch_the_network(resources: Resources, given: Given) -> Iterator[str]:
    """Let Lambda alone use what SAM gives to every function that may join a VPC."""
    by_code = {"Null": {"lambda:SourceFunctionArn": "false"}}
    denied = {"Effect": "Deny", "Action": "ec2:*", "Resource": "*", "Condition": by_code}
    of_role: dict[str, list[dict[str, Any]]] = {}
    for name, one in statements(resources):
        of_role.setdefault(name, []).append({key: one[key] for key in one if key != "Sid"})
    for name, role in of_type(resources, "AWS::IAM::Role").items():
        may = any("VPCAccess" in str(one) for one in role.get("ManagedPolicyArns", []))
        if may and denied not in of_role[name]:
            yield f"{name} lets code manage network interfaces"


def _forgets_the_key(resources: Resources) -> None:
    shared, _ = resources["ReportFunctionRole"]["Properties"]["Policies"]
    del shared["PolicyDocument"]["Statement"][1]


@broken_by(_forgets_the_key)
def every_function_may_use_the_key_that_is_given(
    resources: Resources, given: Given
) -> Iterator[str]:
    using = {
        name
        for name, one in statements(resources)
        if given["KmsKeyArn"]
        and one["Effect"] == "Allow"
        and one["Resource"] == given["KmsKeyArn"]
        and set(one["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey"}
    }
    functions = of_type(resources, "AWS::Lambda::Function").values()
    expected = {one["Role"]["Fn::GetAtt"][0] for one in functions if given["KmsKeyArn"]}
    yield from (f"{name} and the key do not go together" for name in using ^ expected)


# ── What a platform team asks for ───────────────────────────────────────────────────────────────


def _loses_a_boundary(resources: Resources) -> None:
    del resources["StartRole"]["Properties"]["PermissionsBoundary"]


def _loses_a_path(resources: Resources) -> None:
    del resources["MonitorStateMachineRole"]["Properties"]["Path"]


@broken_by(_loses_a_boundary)
def every_role_has_the_boundary_and_the_path_that_are_given(
    resources: Resources, given: Given
) -> Iterator[str]:
    roles = of_type(resources, "AWS::IAM::Role")
    if not roles:
        yield "there are no roles"
    for name, role in roles.items():
        if role.get("PermissionsBoundary", "") != given["PermissionsBoundaryArn"]:
            yield f"{name} has another boundary, or none"
        if role.get("Path") != given["RolePath"]:
            yield f"{name} has another path"
    for kind in ("AWS::IAM::ManagedPolicy", "AWS::IAM::User", "AWS::IAM::Group"):
        yield from (f"{name} has no path" for name in of_type(resources, kind))


CHECKS["every role has the path"] = Proven(
    every_role_has_the_boundary_and_the_path_that_are_given, _loses_a_path
)


def _leaves_the_vpc(resources: Resources) -> None:
    del resources["CaptureFunction"]["Properties"]["VpcConfig"]


@broken_by(_leaves_the_vpc)
def every_function_is_in_the_vpc_that_is_given(resources: Resources, given: Given) -> Iterator[str]:
    expected = {
        "SubnetIds": given["VpcSubnetIds"].split(","),
        "SecurityGroupIds": given["VpcSecurityGroupIds"].split(","),
    }
    for name, function in of_type(resources, "AWS::Lambda::Function").items():
        if function.get("VpcConfig") != (expected if given["VpcSubnetIds"] else None):
            yield f"{name} is in another VPC, or in none"


def _reserves_none(resources: Resources) -> None:
    del resources["PredictFunction"]["Properties"]["ReservedConcurrentExecutions"]


@broken_by(_reserves_none)
def concurrency_is_reserved_only_if_asked_for(resources: Resources, given: Given) -> Iterator[str]:
    reserved = {
        name: function["ReservedConcurrentExecutions"]
        for name, function in of_type(resources, "AWS::Lambda::Function").items()
        if "ReservedConcurrentExecutions" in function
    }
    asked = given["ReservedConcurrency"]
    if reserved != ({"PredictFunction": asked} if asked else {}):
        yield f"reserved are {reserved}"


def _logs_too_little(resources: Resources) -> None:
    resources["PredictFunction"]["Properties"]["LoggingConfig"]["ApplicationLogLevel"] = "WARN"


@broken_by(_logs_too_little)
def functions_log_in_the_format_that_is_given_and_lose_no_metric(
    resources: Resources, given: Given
) -> Iterator[str]:
    expected = {"LogFormat": given["LogFormat"]}
    if given["LogFormat"] == "JSON":
        # A line without a level, such as a metric's, is one of INFO to Lambda.
        level = "DEBUG" if given["LogLevel"] == "DEBUG" else "INFO"
        expected |= {"ApplicationLogLevel": level, "SystemLogLevel": given["SystemLogLevel"]}
    for name, function in of_type(resources, "AWS::Lambda::Function").items():
        logging = dict(function["LoggingConfig"])
        logging.pop("LogGroup")
        if logging != expected:
            yield f"{name} logs by {logging}"


def _changes_the_account(resources: Resources) -> None:
    resources["Sampling"] = {"Type": "AWS::XRay::SamplingRule", "Properties": {}}


@broken_by(_changes_the_account)
def nothing_is_account_wide_unless_asked_for(resources: Resources, given: Given) -> Iterator[str]:
    found = {name for name, one in resources.items() if one["Type"] in ACCOUNT_WIDE}
    asked = {"GatewayAccount"} if given["ApiAccessLog"] == "new-role" else set()
    yield from (f"{name} is not what was asked for" for name in found ^ asked)


def _logs_no_access(resources: Resources) -> None:
    (stage,) = of_type(resources, "AWS::ApiGateway::Stage").values()
    del stage["AccessLogSetting"]


@broken_by(_logs_no_access)
def access_is_logged_only_if_asked_for(resources: Resources, given: Given) -> Iterator[str]:
    """Because API Gateway refuses a stage that logs in an account without the role for it."""
    for name, stage in of_type(resources, "AWS::ApiGateway::Stage").items():
        if ("AccessLogSetting" in stage) != (given["ApiAccessLog"] != "none"):
            yield f"{name} logs access, or does not, against what was asked for"


def _tags_one(resources: Resources) -> None:
    resources["RawBucket"]["Properties"]["Tags"] = [{"Key": "Project", "Value": "another"}]


@broken_by(_tags_one)
def no_resource_has_a_tag_of_its_own(resources: Resources, given: Given) -> Iterator[str]:
    """Because a resource's own would win over the tag of the same name that the stack is given."""
    for name, one in resources.items():
        tags = one.get("Properties", {}).get("Tags", [])
        own = {tag["Key"] for tag in tags} if isinstance(tags, list) else set(tags)
        if own - {"lambda:createdBy", "stateMachine:createdBy", "httpapi:createdBy"}:
            yield f"{name} has the tags {own}"


# ── What is kept, and how ───────────────────────────────────────────────────────────────────────


def _keeps_logs_for_ever(resources: Resources) -> None:
    del resources["PipelineLogGroup"]["Properties"]["RetentionInDays"]


@broken_by(_keeps_logs_for_ever)
def every_log_has_a_group_that_expires(resources: Resources, given: Given) -> Iterator[str]:
    groups = of_type(resources, "AWS::Logs::LogGroup")
    for name, group in groups.items():
        if group.get("RetentionInDays") != int(given["LogRetentionDays"]):
            yield f"{name} keeps logs for another time"
        if group.get("KmsKeyId", "") != given["KmsKeyArn"]:
            yield f"{name} has another key"
    for name, function in of_type(resources, "AWS::Lambda::Function").items():
        if function["LoggingConfig"]["LogGroup"]["Ref"] not in groups:
            yield f"{name} logs into a group that Lambda makes, which keeps logs for ever"
    for name, machine in of_type(resources, "AWS::StepFunctions::StateMachine").items():
        for one in machine["LoggingConfiguration"]["Destinations"]:
            if one["CloudWatchLogsLogGroup"]["LogGroupArn"]["Fn::GetAtt"][0] not in groups:
                yield f"{name} logs into a group of nobody's"


def _encrypts_nothing(resources: Resources) -> None:
    del resources["ArtifactsBucket"]["Properties"]["BucketEncryption"]


def _encrypts_no_queue(resources: Resources) -> None:
    del resources["UndeliveredUploads"]["Properties"]["KmsMasterKeyId"]


def _encrypts_no_topic(resources: Resources) -> None:
    del resources["AlarmTopic"]["Properties"]["KmsMasterKeyId"]


@broken_by(_encrypts_nothing)
def whatever_is_kept_is_encrypted(resources: Resources, given: Given) -> Iterator[str]:
    own = given["KmsKeyArn"]
    for name, bucket in of_type(resources, "AWS::S3::Bucket").items():
        encryption = bucket.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
        by = [one["ServerSideEncryptionByDefault"] for one in encryption]
        if name in {"RawBucket", "ArtifactsBucket"} and own:
            expected = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": own}
        else:
            expected = {"SSEAlgorithm": "AES256"}
        if by != [expected]:
            yield f"{name} is encrypted by {by}"
    for name, queue in of_type(resources, "AWS::SQS::Queue").items():
        if (queue.get("KmsMasterKeyId", ""), queue.get("SqsManagedSseEnabled")) != (
            (own, None) if own else ("", True)
        ):
            yield f"{name} is not encrypted"
    # Notifications hold no data of patients, so topics are encrypted only if that is asked for.
    asked = {"None": None, "Own": {"Ref": "AlarmKey"}, "KmsKeyArn": own}[given["TopicKey"]]
    for name, topic in of_type(resources, "AWS::SNS::Topic").items():
        if topic.get("KmsMasterKeyId") != asked:
            yield f"{name} is encrypted by another key, or by none"
    for name, function in of_type(resources, "AWS::Lambda::Function").items():
        if function.get("KmsKeyArn", "") != own:
            yield f"the environment of {name} has another key"


CHECKS["topics are encrypted"] = Proven(whatever_is_kept_is_encrypted, _encrypts_no_topic)
CHECKS["queues are encrypted"] = Proven(whatever_is_kept_is_encrypted, _encrypts_no_queue)


def _loses_data(resources: Resources) -> None:
    resources["RawBucket"]["DeletionPolicy"] = "Delete"


@broken_by(_loses_data)
def data_and_logs_outlive_the_stack(resources: Resources, given: Given) -> Iterator[str]:
    for name, one in resources.items():
        kept = one["Type"] in {"AWS::S3::Bucket", "AWS::Logs::LogGroup"} and name != "SiteBucket"
        policies = {one.get("DeletionPolicy"), one.get("UpdateReplacePolicy")}
        if kept and policies != {"Retain"}:
            yield f"{name} goes with the stack"


# ── What tells of faults ────────────────────────────────────────────────────────────────────────


def _tells_nobody(resources: Resources) -> None:
    resources["NoModelAlarm"]["Properties"]["AlarmActions"] = []


@broken_by(_tells_nobody)
def every_alarm_has_an_action(resources: Resources, given: Given) -> Iterator[str]:
    alarms = of_type(resources, "AWS::CloudWatch::Alarm")
    topics = of_type(resources, "AWS::SNS::Topic")
    if not alarms:
        yield "there are no alarms"
    for name, alarm in alarms.items():
        actions = [*alarm.get("AlarmActions", []), *alarm.get("OKActions", [])]
        if not alarm.get("AlarmActions") or any(one["Ref"] not in topics for one in actions):
            yield f"{name} notifies nobody"
        if alarm.get("ActionsEnabled") is False or "TreatMissingData" not in alarm:
            yield f"{name} leaves open what silence means, or is off"


def _watches_nothing(resources: Resources) -> None:
    resources["DriftedAlarm"]["Properties"]["MetricName"] = "Adrift"


def _watches_elsewhere(resources: Resources) -> None:
    resources["DriftedAlarm"]["Properties"]["Namespace"] = "ClinicalOutcomes"


@broken_by(_watches_nothing)
def every_alarms_metric_is_emitted(resources: Resources, given: Given) -> Iterator[str]:
    """Watch what the code emits, in the namespace that is given, or what AWS itself counts."""
    for name, alarm in of_type(resources, "AWS::CloudWatch::Alarm").items():
        if alarm["Namespace"] in OF_AWS:
            continue
        if alarm["MetricName"] not in set(Metric):
            yield f"nothing emits {alarm['MetricName']}, which {name} watches"
        if alarm["Namespace"] != given["MetricsNamespace"]:
            yield f"{name} watches another namespace"
    for name, function in of_type(resources, "AWS::Lambda::Function").items():
        namespace = function["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"]
        if namespace != given["MetricsNamespace"]:
            yield f"{name} emits into another namespace"


CHECKS["every alarm watches the namespace"] = Proven(
    every_alarms_metric_is_emitted, _watches_elsewhere
)


def _never_times_out(resources: Resources) -> None:
    del resources["ActFunction"]["Properties"]["Timeout"]


@broken_by(_never_times_out)
def every_function_has_a_timeout_and_is_traced(resources: Resources, given: Given) -> Iterator[str]:
    for name, function in of_type(resources, "AWS::Lambda::Function").items():
        if not 0 < function.get("Timeout", 0) < 900:  # what Lambda allows
            yield f"{name} has no timeout of its own"
        if function.get("TracingConfig") != {"Mode": "Active"}:
            yield f"{name} is not traced"
    for name, machine in of_type(resources, "AWS::StepFunctions::StateMachine").items():
        if machine.get("TracingConfiguration") != {"Enabled": True}:
            yield f"{name} is not traced"


# ── The tests ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def read() -> dict[str, Any]:
    return template()


@pytest.fixture(scope="module", params=COMBINATIONS)
def combination(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def resources(combination: str) -> Resources:
    return deployed(**COMBINATIONS[combination])


@pytest.mark.parametrize("check", CHECKS)
def test_the_stack_is_sound(
    check: str, combination: str, resources: Resources, read: dict[str, Any]
) -> None:
    given = values(read, COMBINATIONS[combination])

    assert list(CHECKS[check].check(resources, given)) == []


@pytest.fixture(scope="module")
def everything() -> Resources:
    return deployed(**COMBINATIONS["everything"])


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_objects_to_what_is_not_sound(
    check: str, everything: Resources, read: dict[str, Any]
) -> None:
    mutated = copy.deepcopy(everything)
    given = values(read, COMBINATIONS["everything"])

    CHECKS[check].mutation(mutated)

    assert list(CHECKS[check].check(mutated, given))


def test_every_parameter_is_given_another_value_by_some_combination(read: dict[str, Any]) -> None:
    """But for figures, which no condition asks for."""
    defaults = values(read, {})
    varied = {
        name
        for given in COMBINATIONS.values()
        for name, value in given.items()
        if value != defaults[name]
    }

    figures = {name for name, one in read["Parameters"].items() if one["Type"] == "Number"}
    schedules = {"MonitorSchedule", "RetrainSchedule"}
    local = {"EndpointUrl"}  # which only `sam local` is given
    assert set(read["Parameters"]) - figures - schedules - local <= varied


def test_every_condition_is_decided_both_ways_by_some_combination(read: dict[str, Any]) -> None:
    asked = json.dumps(read["Conditions"])
    of_conditions = {name for name in read["Parameters"] if f'{{"Ref": "{name}"}}' in asked}

    assert "PermissionsBoundaryArn" in of_conditions
    for name in of_conditions - {"EndpointUrl"}:
        given = {values(read, one)[name] for one in COMBINATIONS.values()}
        assert len(given) > 1, name


@pytest.mark.slow
def test_cfn_lint_finds_nothing_in_a_stack_with_everything_in_it(tmp_path: Path) -> None:
    """Of the other combinations, the release check says so."""
    import cfnlint  # noqa: PLC0415 - half a second, which no other test needs
    from cfnlint.config import ManualArgs  # noqa: PLC0415 - likewise

    file = written(deployed(**COMBINATIONS["everything"]), tmp_path)

    found = cfnlint.lint_file(file, ManualArgs(regions=["us-east-1"]))

    assert [str(one) for one in found] == []
