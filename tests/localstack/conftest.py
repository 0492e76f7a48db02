"""LocalStack's own engine in host mode, and the part of the template that needs no Lambda."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from samcli.yamlhelper import yaml_parse

from local.cloud import REGION, ROOT, install
from tests import state_machine
from tests.integration.conftest import free_port
from tests.localstack.cases import mock_config

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

HERE = Path(__file__).parent
START_SECONDS = 120
MACHINE = "retrain"
STACK = "part"
RESOURCES = (
    "RawBucket",
    "ArtifactsBucket",
    "ArtifactsBucketPolicy",
    "SiteBucket",
    "SiteBucketPolicy",
    "RetrainStateMachine",
    "RetrainLogGroup",
)
OUTPUTS = ("StateMachineArn", "ArtifactsBucketName", "SiteBucketName", "SiteUrl")


@dataclass(frozen=True)
class Engine:
    """A LocalStack that runs, on loopback, with all it keeps in one folder."""

    home: Path
    port: int

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.home / "engine.log"

    @property
    def mock_file(self) -> Path:
        return self.home / "mocked.json"

    @property
    def settings(self) -> dict[str, str]:
        """Say what LocalStack is told; nothing else of this shell reaches it."""
        return {
            "PATH": os.defpath,
            "HOME": str(self.home),
            "OVERRIDE_IN_DOCKER": "0",  # in a container it would take the machine's own folders
            "FILESYSTEM_ROOT": str(self.home / "files"),
            "LOCALSTACK_VOLUME_DIR": str(self.home / "volume"),
            "GATEWAY_LISTEN": f"127.0.0.1:{self.port}",
            "GATEWAY_SERVER": "hypercorn",  # its other one asks for a library that it does not bring
            "DNS_ADDRESS": "0",
            "DISABLE_EVENTS": "1",  # its telemetry
            "SKIP_SSL_CERT_DOWNLOAD": "1",
            "SFN_MOCK_CONFIG": str(self.mock_file),
        }

    def is_up(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.endpoint_url}/_localstack/health", timeout=5):
                return True
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            return False

    @cached_property
    def cloudformation(self) -> "CloudFormationClient":
        client: CloudFormationClient = self._client("cloudformation")
        return client

    @cached_property
    def stepfunctions(self) -> "SFNClient":
        client: SFNClient = self._client("stepfunctions")
        return client

    @cached_property
    def s3(self) -> "S3Client":
        client: S3Client = self._client("s3")
        return client

    def _client(self, service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint_url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(s3={"addressing_style": "path"}, read_timeout=120),
        )


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """LocalStack from PyPI, which is there on any machine: without it the tests fail."""
    python = install(HERE / "requirements.txt", ROOT / ".local" / "localstack")
    started = Engine(tmp_path_factory.mktemp("localstack"), free_port())
    started.mock_file.write_text(json.dumps(mock_config(MACHINE)))
    with started.log.open("wb") as log:
        process = subprocess.Popen(
            [python, HERE / "engine.py"],
            cwd=started.home,
            env=started.settings,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not started.is_up():
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"LocalStack did not come up:\n{started.log.read_text()}")
            time.sleep(0.2)
        yield started
    finally:
        process.kill()  # asked to terminate, it waits for its web server for ever
        process.wait()


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    """The part of the template that needs no Lambda, which LocalStack runs in Docker alone.

    The state machine gets the names that its functions would have, and a name of its own.
    """
    whole = yaml_parse((ROOT / "template.yaml").read_text())
    machine = whole["Resources"]["RetrainStateMachine"]["Properties"]
    del machine["DefinitionUri"]
    machine |= {"Name": MACHINE, "Definition": state_machine.definition()}
    resources = {name: whole["Resources"][name] for name in RESOURCES}
    return {
        **{name: whole[name] for name in whole if name not in {"Globals", "Metadata"}},
        "Resources": _with_named_functions(resources),
        "Outputs": {name: whole["Outputs"][name] for name in OUTPUTS},
    }


def _with_named_functions(part: Any) -> Any:
    """Put an ARN where a function's is asked for."""
    match part:
        case {"Fn::GetAtt": [str(name), "Arn"]} if name.endswith("Function"):
            return f"arn:aws:lambda:{REGION}:000000000000:function:{name}"
        case dict():
            return {name: _with_named_functions(value) for name, value in part.items()}
        case list():
            return [_with_named_functions(value) for value in part]
    return part


@pytest.fixture(scope="session")
def outputs(engine: Engine, template: dict[str, Any]) -> dict[str, str]:
    """Deploy the part by CloudFormation with the SAM transform, and say what it is called."""
    engine.cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=json.dumps(template),
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    engine.cloudformation.get_waiter("stack_create_complete").wait(
        StackName=STACK, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
    )
    (stack,) = engine.cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
