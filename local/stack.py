"""Build and deploy the stack with an unmodified `sam`, and tell where everything is."""

import hashlib
import shlex
import subprocess
import sys
import tomllib
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict

from local import site
from local.cloud import REGION, ROOT, Cloud, CloudFailed, architecture
from local.ministack import Ministack
from local.packing import PACKED, pack
from local.turn import in_turn

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

STACK = "clinical-outcomes"
BUILD = ROOT / ".aws-sam" / "local"
BUILD_LOCK = BUILD.with_suffix(".lock")
BUILT_OF = BUILD / "sources.sha256"


class Outputs(BaseModel):
    """What `.local/outputs.json` holds: where the deployed stack is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    emulator: str = Ministack.name
    endpoint_url: str
    region: str
    stack_name: str
    api_url: str
    site_url: str
    state_machine_arn: str
    raw_bucket: str
    artifacts_bucket: str
    site_bucket: str
    dashboard_name: str
    alarm_topic_arn: str


class Stack:
    """The stack on a local cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    @in_turn(BUILD_LOCK)
    def build(self) -> None:
        """Build functions and layers with sam, for this cloud; what did not change is kept."""
        sources = f"{self.cloud.platform} {source_digest()}"
        if BUILT_OF.exists() and BUILT_OF.read_text() == sources:
            return
        BUILT_OF.unlink(missing_ok=True)
        self._sam(
            "build",
            "--cached",
            "--parallel",
            "--build-dir",
            BUILD,
            "--cache-dir",
            ROOT / ".aws-sam" / f"cache-{self.cloud.platform}",
            "--parameter-overrides",
            f"Architecture={architecture()}",
            PYTHON_PLATFORM=self.cloud.platform,
        )
        pack(BUILD)
        BUILT_OF.write_text(sources)

    @in_turn(BUILD_LOCK, shared=True)
    def deploy(self, config: str = "default", **parameters: str) -> Outputs:
        """Deploy the build, and write outputs.json into the cloud's home.

        config: the section of samconfig.toml to deploy by.
        parameters: of the template, over those of that section.
        """
        given = {**samconfig_overrides(config), "Architecture": architecture(), **parameters}
        self._sam(
            "deploy",
            "--config-file",
            ROOT / "samconfig.toml",
            "--config-env",
            config,
            "--no-confirm-changeset",
            "--template-file",
            BUILD / PACKED,
            "--parameter-overrides",
            " ".join(f"{name}={value}" for name, value in given.items()),
        )
        outputs = self._describe()
        self.outputs_file.write_text(outputs.model_dump_json(indent=1) + "\n")
        self._deployed_file.write_text(source_digest())
        return outputs

    def is_deployed(self) -> bool:
        """Whether this cloud holds the stack as the sources have it now."""
        try:
            return (
                self._deployed_file.read_text() == source_digest()
                and self._describe() == self.outputs
            )
        except (FileNotFoundError, ClientError):
            return False

    @property
    def _deployed_file(self) -> Path:
        return self.cloud.home / "deployed.sha256"

    @property
    def outputs_file(self) -> Path:
        return self.cloud.home / "outputs.json"

    @property
    def outputs(self) -> Outputs:
        """Where the deployed stack is; raises CloudFailed where nothing is deployed or up."""
        if not self.outputs_file.exists() or not self.cloud.is_up():
            raise CloudFailed("the local cloud is not up: run `make up` first")
        return Outputs.model_validate_json(self.outputs_file.read_text())

    @cached_property
    def s3(self) -> "S3Client":
        client: S3Client = self._client("s3")
        return client

    @cached_property
    def stepfunctions(self) -> "SFNClient":
        client: SFNClient = self._client("stepfunctions")
        return client

    @cached_property
    def cloudwatch(self) -> "CloudWatchClient":
        client: CloudWatchClient = self._client("cloudwatch")
        return client

    @cached_property
    def logs(self) -> "CloudWatchLogsClient":
        client: CloudWatchLogsClient = self._client("logs")
        return client

    def publish_site(self) -> None:
        """Publish the site, and tell it where the API is."""
        site.publish(self.s3, self.outputs.site_bucket, self.outputs.api_url, self.outputs.site_url)

    def _describe(self) -> Outputs:
        (stack,) = self._client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        said = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        return Outputs(
            emulator=self.cloud.name,
            endpoint_url=self.cloud.endpoint_url,
            region=REGION,
            stack_name=STACK,
            # By path, not by host as on AWS: *.localhost resolves in browsers and curl alone.
            api_url=f"{self.cloud.endpoint_url}/_aws/execute-api/{said['ApiId']}/v1",
            site_url=self.cloud.site_url(said),
            state_machine_arn=said["StateMachineArn"],
            raw_bucket=said["RawBucketName"],
            artifacts_bucket=said["ArtifactsBucketName"],
            site_bucket=said["SiteBucketName"],
            dashboard_name=said["DashboardName"],
            alarm_topic_arn=said["AlarmTopicArn"],
        )

    def _client(self, service: str) -> Any:  # noqa: ANN401 - as boto3 has it
        session = boto3.Session(
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the local cloud takes any
            region_name=REGION,
        )
        return session.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.cloud.endpoint_url,
            config=Config(s3={"addressing_style": "path"}),
        )

    def _sam(self, command: str, *arguments: str | Path, **environment: str) -> None:
        """Run sam; raises CloudFailed with what it printed."""
        sam = Path(sys.executable).parent / "sam"
        done = subprocess.run(
            [sam, command, *arguments],
            cwd=ROOT,
            env={**self.cloud.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CloudFailed(f"`sam {command}` failed:\n{done.stdout}")


def samconfig_overrides(section: str) -> dict[str, str]:
    """Read which of the template's parameters a section of samconfig.toml overrides."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    overrides: str = config[section]["deploy"]["parameters"].get("parameter_overrides", "")
    return dict(given.split("=", 1) for given in shlex.split(overrides))


def source_digest() -> str:
    """Digest all that `sam build` and `sam deploy` read."""
    digest = hashlib.sha256()
    files = [ROOT / "template.yaml", ROOT / "samconfig.toml"]
    for folder in ("functions", "layers", "pipeline"):
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    for path in sorted(path for path in files if path.suffix != ".pyc"):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
