"""LocalStack's own engine in host mode, and the part of the template that needs no Lambda."""

import json
import os
import re
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from local.cloud import REGION, ROOT, install
from local.localstack import LocalStack
from local.stack import STACK, Stack
from tests.integration.conftest import free_port
from tests.localstack.cases import Machine, Output, mock_config, plain
from tests.localstack.execution import Execution
from tests.localstack.monitor import MONITOR
from tests.localstack.retrain import RETRAIN
from tests.localstack.score import SCORE
from tests.patience import PATIENCE_SECONDS, until
from tests.template import template as read

HERE = Path(__file__).parent
MACHINES = (RETRAIN, SCORE, MONITOR)
MOCKED = "mocked.json"
OVER = {"ExecutionFailed", "ExecutionSucceeded"}
ENDED = "ended"  # in place of a token
RESOURCES = (
    "RawBucket",
    "ArtifactsBucket",
    "ArtifactsBucketPolicy",
    "AccessLogBucket",
    "SiteBucket",
    "SiteBucketPolicy",
    "RetrainStateMachine",
    "ApprovalTopic",
    "AlarmKey",
    "RetrainLogGroup",
    "UndeliveredUploads",
)
OUTPUTS = ("StateMachineArn", "RawBucketName", "ArtifactsBucketName", "SiteBucketName", "SiteUrl")


def settings(home: Path, port: int) -> dict[str, str]:
    """Say what LocalStack is told; nothing else of this shell reaches it."""
    return {
        "PATH": os.defpath,
        "HOME": str(home),
        "OVERRIDE_IN_DOCKER": "0",  # in a container it would take the machine's own folders
        "FILESYSTEM_ROOT": str(home / "files"),
        "LOCALSTACK_VOLUME_DIR": str(home / "volume"),
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "GATEWAY_SERVER": "hypercorn",  # its other one lacks a library
        "DNS_ADDRESS": "0",
        "DISABLE_EVENTS": "1",  # its telemetry
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "SFN_MOCK_CONFIG": str(home / MOCKED),
    }


@pytest.fixture(scope="session")
def localstack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """LocalStack from PyPI, which is there on any machine: without it the tests fail."""
    python = install(HERE / "requirements.txt", ROOT / ".local" / "localstack")
    home, port = tmp_path_factory.mktemp("localstack"), free_port()
    (home / MOCKED).write_text(json.dumps(mock_config(*MACHINES)))
    stack = Stack(LocalStack(home, port))
    with stack.cloud.log.open("wb") as log:
        process = subprocess.Popen(
            [python, HERE / "engine.py"],
            cwd=home,
            env=settings(home, port),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        until(lambda: stack.cloud.is_up() or process.poll() is not None, "LocalStack")
        if process.poll() is not None:
            pytest.fail(f"LocalStack did not come up:\n{stack.cloud.log.read_text()}")
        yield stack
    finally:
        process.kill()  # asked to terminate, it waits for its web server for ever
        process.wait()


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    """The part of the template that needs no Lambda, which LocalStack runs in Docker alone.

    The state machine gets the names that its functions would have, and a name of its own.
    """
    whole = read()
    machine = whole["Resources"]["RetrainStateMachine"]["Properties"]
    del machine["DefinitionUri"]
    machine |= {"Name": RETRAIN.name, "Definition": RETRAIN.definition}
    resources = {name: whole["Resources"][name] for name in RESOURCES}
    return {
        **{name: whole[name] for name in whole if name not in {"Globals", "Metadata"}},
        "Parameters": {
            name: {key: value for key, value in one.items() if key != "Description"}
            for name, one in whole["Parameters"].items()
        },
        "Resources": _of_this_part(resources),
        "Outputs": _of_this_part({name: whole["Outputs"][name] for name in OUTPUTS}),
    }


def function_arn(name: str) -> str:
    return f"arn:aws:lambda:{REGION}:000000000000:function:{name}"


def _of_this_part(part: Any) -> Any:
    """Put an ARN where a function's is asked for, and leave out what stands behind CloudFront."""
    match part:
        case {"Fn::GetAtt": [str(name), "Arn"]} if name.endswith("Function"):
            return function_arn(name)
        case {"Fn::If": ["BehindCloudFront", _, otherwise]}:
            return _of_this_part(otherwise)
        case dict():
            return {name: _of_this_part(value) for name, value in part.items()}
        case list():
            return [_of_this_part(value) for value in part]
    return part


@pytest.fixture(scope="session")
def outputs(localstack: Stack, template: dict[str, Any]) -> dict[str, str]:
    """Deploy the part by CloudFormation with the SAM transform, and say what it is called."""
    cloudformation = localstack.client("cloudformation")
    cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=json.dumps(template, separators=(",", ":")),  # which has 51,200 bytes at most
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": PATIENCE_SECONDS}
    )
    (stack,) = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


@pytest.fixture(scope="session")
def executions(localstack: Stack, outputs: dict[str, str]) -> dict[str, dict[str, Execution]]:
    """Every case of every machine, run at the same time."""
    arns = {
        RETRAIN.name: outputs["StateMachineArn"],
        SCORE.name: _created(localstack, SCORE),
        MONITOR.name: _created(localstack, MONITOR),
    }
    started: dict[str, dict[str, str]] = {machine.name: {} for machine in MACHINES}
    cases = [(one, name, case) for one in MACHINES for name, case in one.cases.items()]
    for machine, name, case in sorted(cases, key=lambda one: not one[2].ahead):
        arn = localstack.stepfunctions.start_execution(
            stateMachineArn=f"{arns[machine.name]}#{name}", name=name, input=json.dumps(case.asked)
        )["executionArn"]
        started[machine.name][name] = arn
        if case.ahead:
            until(partial(_left, localstack, arn, case.ahead), f"that {arn} leaves {case.ahead}")
    for machine in MACHINES:
        for name, arn in started[machine.name].items():
            if (said := machine.cases[name].woken) is not None:
                _wake(localstack, arn, said)
    return {
        machine.name: {
            name: _ended(localstack, machine, arn) for name, arn in started[machine.name].items()
        }
        for machine in MACHINES
    }


def _created(stack: Stack, machine: Machine) -> str:
    """Make a state machine of its definition alone, and give its ARN."""
    definition = re.sub(
        r"\$\{(\w+)Arn\}", lambda found: function_arn(found[1]), json.dumps(machine.definition)
    )
    created = stack.stepfunctions.create_state_machine(
        name=machine.name, definition=definition, roleArn="arn:aws:iam::000000000000:role/any"
    )
    return str(created["stateMachineArn"])


def _left(stack: Stack, arn: str, state: str) -> bool:
    """Tell whether an execution left a state, or ended."""
    return any(
        event["type"] in OVER or event.get("stateExitedEventDetails", {}).get("name") == state
        for event in _history(stack, arn)
    )


def _wake(stack: Stack, arn: str, said: Output | Exception) -> None:
    """Wake an execution that waits, by the token that its function was handed."""
    token = until(lambda: _token(stack, arn), f"what {arn} waits for, see {stack.cloud.log}")
    if token == ENDED:  # which its path will tell
        return
    if isinstance(said, Exception):
        stack.stepfunctions.send_task_failure(
            taskToken=token, error=type(said).__name__, cause=str(said)
        )
    else:
        stack.stepfunctions.send_task_success(taskToken=token, output=json.dumps(plain(said)))


def _token(stack: Stack, arn: str) -> str | None:
    """Read of an execution's history the token that it waits for by now, or that it ended."""
    submitted = False
    for event in reversed(_history(stack, arn)):
        if event["type"] in OVER:
            return ENDED
        submitted |= event["type"] == "TaskSubmitted"
        if submitted and event["type"] == "TaskScheduled":
            asked = json.loads(event["taskScheduledEventDetails"]["parameters"])
            if token := asked.get("Payload", {}).get("waiting", {}).get("token"):
                return str(token)
    return None


def _history(stack: Stack, arn: str) -> list[dict[str, Any]]:
    pages = stack.stepfunctions.get_paginator("get_execution_history").paginate(executionArn=arn)
    return [dict(event) for page in pages for event in page["events"]]


def _ended(stack: Stack, machine: Machine, arn: str) -> Execution:
    def described() -> dict[str, Any] | None:
        found = stack.stepfunctions.describe_execution(executionArn=arn)
        return dict(found) if found["status"] != "RUNNING" else None

    ended = until(described, f"the end of {arn}, see {stack.cloud.log}")
    return Execution(machine, ended, _history(stack, arn))
