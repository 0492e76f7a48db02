"""Build and deploy the stack with an unmodified `sam`, and record its outputs."""

import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict

from local import clients, site
from local.building import fitted
from local.cloud import REGION, ROOT, Cloud, CloudFailed, architecture
from local.files import replace_text
from local.interrupts import held_back
from local.ministack import Ministack
from local.packing import PACKED, pack
from local.studies import THE_DRUG_STUDY, Study
from local.turn import in_turn

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_stepfunctions import SFNClient

STACK = "clinical-outcomes"  # with -<study> for every study but the drug study
NAMESPACE = "ClinicalOutcomes"  # of the metrics, likewise
SAM_STACK = "aws-sam-cli-managed-default"  # the stack of the bucket that sam uploads to
SOURCES = "Sources"  # the stack's tag with the digest of its sources
KEPT = ("RetrainAfterOutcomes",)  # parameters that keep the value that `make up` set once
DEPLOYED = {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"}
BROKEN = {
    "CREATE_FAILED",
    "ROLLBACK_COMPLETE",
    "ROLLBACK_FAILED",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_FAILED",
    "DELETE_FAILED",
}
SETTLE_SECONDS = 600
END_SECONDS = 10
BUILD = ROOT / ".aws-sam" / "local"
BUILD_LOCK = BUILD.with_suffix(".lock")
BUILT_OF = BUILD / "sources.sha256"


class Outputs(BaseModel):
    """The contents of `.local/outputs.json`: the deployed stack's addresses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    emulator: str = Ministack.name
    endpoint_url: str
    region: str
    stack_name: str
    api_url: str
    site_url: str
    state_machine_arn: str
    score_state_machine_arn: str = ""  # empty if an earlier release deployed the stack
    monitor_state_machine_arn: str = ""  # likewise
    raw_bucket: str
    artifacts_bucket: str
    site_bucket: str
    dashboard_name: str
    alarm_topic_arn: str


class Stack:
    """The stack of a study on a local cloud.

    folder: for this stack's files, in the cloud's home.
    """

    def __init__(self, cloud: Cloud, study: Study = THE_DRUG_STUDY) -> None:
        self.cloud = cloud
        self.study = study
        self.name = f"{STACK}-{study.name}" if study.name else STACK
        self.folder = folder_of(cloud.home, study)

    @in_turn(BUILD_LOCK)
    def build(self) -> None:
        """Build functions and layers with sam, for this cloud and study, unless they are current.

        A build replaces the previous one when it is complete.
        """
        sources = f"{self.cloud.platform} {source_digest()}"
        if not is_made_of(BUILD, sources):
            self._build_for_all(sources)
        if not self.study.name:
            return
        sources += source_digest(self.study)
        if not is_made_of(self.build_folder, sources):
            shutil.rmtree(self.build_folder, ignore_errors=True)
            fitted(BUILD, self.build_folder, self.study)
            (self.build_folder / BUILT_OF.name).write_text(sources)

    @property
    def build_folder(self) -> Path:
        return BUILD.with_name(f"{BUILD.name}-{self.study.name}") if self.study.name else BUILD

    def _build_for_all(self, sources: str) -> None:
        # In a folder of its own: sam keeps one record next to a build of what is in the cache,
        # whichever cache that is. Sharing it with plain `sam build`, each would take stale parts of
        # its own cache for current ones.
        folder = BUILD.with_name(self.cloud.platform)
        beside = folder / "new"
        shutil.rmtree(beside, ignore_errors=True)
        self._sam(
            "build",
            "--cached",
            "--parallel",
            "--build-dir",
            beside,
            "--cache-dir",
            folder / "cache",
            "--parameter-overrides",
            f"Architecture={architecture()}",
            PYTHON_PLATFORM=self.cloud.platform,
        )
        template = beside / "template.yaml"
        template.write_text(template.read_text().replace("../../../", "../../"))  # where it will be
        pack(beside, BUILD)
        (beside / BUILT_OF.name).write_text(sources)
        # Containers of `sam local` may have mounted the previous build: it is kept until the next.
        before = BUILD.with_name("local.old")
        shutil.rmtree(before, ignore_errors=True)
        if BUILD.exists():
            BUILD.rename(before)
        beside.rename(BUILD)

    @in_turn(BUILD_LOCK, shared=True)
    def deploy(self, config: str = "default", **parameters: str) -> Outputs:
        """Deploy the build, and write outputs.json to the cloud's home.

        config: the section of samconfig.toml to deploy with.
        parameters: of the template, in addition to that section's; those in KEPT keep their
        deployed values unless they are given.
        """
        set_there = samconfig(config)
        given = {
            **pairs(set_there.get("parameter_overrides", "")),
            **self._of_the_study(pairs(set_there.get("parameter_overrides", ""))),
            "Architecture": architecture(),
            **self._kept(),
            **parameters,
        }
        tags = {**pairs(set_there.get("tags", "")), SOURCES: source_digest(self.study)}
        self._clear_the_way()
        self._sam(
            "deploy",
            "--config-file",
            ROOT / "samconfig.toml",
            "--config-env",
            config,
            "--no-confirm-changeset",
            "--stack-name",
            self.name,
            "--template-file",
            self.build_folder / PACKED,
            "--use-json",
            "--parameter-overrides",
            " ".join(f"{name}={value}" for name, value in given.items()),
            "--tags",
            " ".join(f"{name}={value}" for name, value in tags.items()),
        )
        outputs = self._outputs_of(self._described(self.name))
        if outputs is None:
            raise CloudFailed(
                f"`sam deploy` finished, but {self.name} is not deployed; see the stack's events"
            )
        self._note(outputs)
        self.cloud.save()
        return outputs

    def _of_the_study(self, given: dict[str, str]) -> dict[str, str]:
        """Return the template's parameters that keep the stacks of two studies apart."""
        if not self.study.name:
            return {}
        prefix = given.get("BucketPrefix")
        return {
            "MetricsNamespace": f"{NAMESPACE}-{self.study.name}",
            **({"BucketPrefix": f"{prefix}-{self.study.name}"} if prefix else {}),
        }

    def _kept(self) -> dict[str, str]:
        """Return the parameters that were set once for this stack."""
        return {
            name: value
            for name, value in parameters_of(self._described(self.name)).items()
            if name in KEPT
        }

    def is_deployed(self, **parameters: str) -> bool:
        """Whether this cloud has the stack, deployed from the current sources.

        parameters: of the template, which the stack must have.
        If so, outputs.json is updated to this port.
        """
        stack = self._described(self.name)
        tags = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])} if stack else {}
        outputs = self._outputs_of(stack)
        has = parameters_of(stack)
        if (
            outputs is None
            or tags.get(SOURCES) != source_digest(self.study)
            or any(has.get(name) != value for name, value in parameters.items())
        ):
            return False
        self._note(outputs)
        return True

    def _note(self, outputs: Outputs) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        replace_text(self.outputs_file, outputs.model_dump_json(indent=1) + "\n")

    def _clear_the_way(self) -> None:
        """Wait for the deployment of an interrupted command, and delete a broken stack.

        The buckets are kept, and the next deployment adopts them.
        """
        for name in (SAM_STACK, self.name):
            stack = self._settled(name)
            if stack and stack["StackStatus"] in BROKEN:
                self.client("cloudformation").delete_stack(StackName=stack["StackId"])
                self._settled(name)

    def _settled(self, name: str) -> dict[str, Any] | None:
        """Describe a stack when no operation is in progress; None if there is none."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while stack := self._described(name):
            status = stack["StackStatus"]
            if not status.endswith("_IN_PROGRESS") or status == "REVIEW_IN_PROGRESS":
                return stack
            if time.monotonic() > deadline:
                raise CloudFailed(
                    f"the stack {name} is stuck in {status}; see {self.cloud.logged_at}"
                )
            time.sleep(0.5)
        return None

    def _described(self, name: str) -> dict[str, Any] | None:
        try:
            (stack,) = self.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise
        return dict(stack)

    @property
    def outputs_file(self) -> Path:
        return self.folder / "outputs.json"

    @property
    def outputs(self) -> Outputs:
        """The deployed stack's outputs; raises CloudFailed if it is not deployed or running."""
        if not self.outputs_file.exists() or not self.cloud.is_up():
            raise CloudFailed("the local cloud is not running: run `make up` first")
        return Outputs.model_validate_json(self.outputs_file.read_text())

    @property
    def s3(self) -> "S3Client":
        client: S3Client = self.client("s3")
        return client

    def new_s3(self) -> "S3Client":
        """Create a separate client, to listen to its responses."""
        client: S3Client = clients.new_client("s3", self.cloud.endpoint_url)
        return client

    @property
    def stepfunctions(self) -> "SFNClient":
        client: SFNClient = self.client("stepfunctions")
        return client

    @property
    def cloudwatch(self) -> "CloudWatchClient":
        client: CloudWatchClient = self.client("cloudwatch")
        return client

    @property
    def logs(self) -> "CloudWatchLogsClient":
        client: CloudWatchLogsClient = self.client("logs")
        return client

    def publish_site(self) -> None:
        """Publish the site, with the API's address."""
        site.publish(self.s3, self.outputs.site_bucket, self.outputs.api_url, self.outputs.site_url)

    def _outputs_of(self, stack: dict[str, Any] | None) -> Outputs | None:
        """Read the outputs of a stack; None if it is not deployed."""
        if stack is None or stack["StackStatus"] not in DEPLOYED:
            return None
        said = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        return Outputs(
            emulator=self.cloud.name,
            endpoint_url=self.cloud.endpoint_url,
            region=REGION,
            stack_name=self.name,
            # By path, not by host as on AWS: only browsers and curl resolve *.localhost.
            api_url=f"{self.cloud.endpoint_url}/_aws/execute-api/{said['ApiId']}/v1",
            site_url=self.cloud.site_url(said),
            state_machine_arn=said["StateMachineArn"],
            score_state_machine_arn=said.get("ScoreStateMachineArn", ""),
            monitor_state_machine_arn=said.get("MonitorStateMachineArn", ""),
            raw_bucket=said["RawBucketName"],
            artifacts_bucket=said["ArtifactsBucketName"],
            site_bucket=said["SiteBucketName"],
            dashboard_name=said["DashboardName"],
            alarm_topic_arn=said["AlarmTopicArn"],
        )

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3's type
        """Return this process's boto3 client of the cloud's service."""
        return clients.client(service, self.cloud.endpoint_url)

    def _sam(self, command: str, *arguments: str | Path, **environment: str) -> None:
        """Run sam; raises CloudFailed with what it printed."""
        sam = Path(sys.executable).parent / "sam"
        with (
            held_back() as let_through,
            subprocess.Popen(
                [sam, command, *arguments],
                cwd=ROOT,
                env={**self.cloud.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,  # what sam starts can then be ended with it
            ) as process,
        ):
            try:
                let_through()
                printed, _ = process.communicate()
            except BaseException:
                with held_back():  # who presses Ctrl-C twice wants no less to be ended
                    end(process)
                raise
        if process.returncode:
            raise CloudFailed(f"`sam {command}` failed:\n{printed}")


def end(process: subprocess.Popen[str]) -> None:
    """End a process and its children, first as Ctrl-C does, and wait until they have ended."""
    for kind in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
    deadline = time.monotonic() + END_SECONDS
    with suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)  # which only asks whether any of its group is left
            time.sleep(0.05)


def parameters_of(stack: dict[str, Any] | None) -> dict[str, str]:
    """Return the parameters that a stack was deployed with; none if there is no stack."""
    given = stack.get("Parameters", []) if stack else []
    return {one["ParameterKey"]: one["ParameterValue"] for one in given}


def samconfig(section: str) -> dict[str, Any]:
    """Read the deploy parameters in a section of samconfig.toml."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    parameters: dict[str, Any] = config[section]["deploy"]["parameters"]
    return parameters


def pairs(text: str) -> dict[str, str]:
    """Parse sam's `name=value name=value`."""
    return dict(given.split("=", 1) for given in shlex.split(text))


def folder_of(home: Path, study: Study) -> Path:
    """Return the folder for a study's stack in a cloud's home."""
    return home / "studies" / study.name if study.name else home


def folders_in(home: Path) -> list[Path]:
    """List the folders of the stacks that were deployed to a cloud, by its home."""
    return [
        folder
        for folder in (home, *sorted((home / "studies").glob("*")))
        if (folder / "outputs.json").exists()
    ]


def is_made_of(build: Path, sources: str) -> bool:
    """Whether a build is of these sources, and packed as this release packs it."""
    made_of = build / BUILT_OF.name
    return made_of.exists() and made_of.read_text() == sources and (build / PACKED).exists()


def source_digest(study: Study = THE_DRUG_STUDY) -> str:
    """Digest everything that `sam build` and `sam deploy` read, for a study."""
    digest = hashlib.sha256()
    files = [ROOT / name for name in ("template.yaml", "dashboard.yaml", "samconfig.toml")]
    for folder in ("functions", "layers", "pipeline"):
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    for path in sorted(path for path in files if path.suffix != ".pyc"):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    digest.update(study.params_path.read_bytes())
    return digest.hexdigest()
