"""Start and stop the local cloud: ministack, on loopback, in an environment of its own."""

import os
import platform
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import psutil

from local.background import Background, answers

ROOT = Path(__file__).parent.parent
EMULATOR = ROOT / "local" / "emulator"
REGION = "us-east-1"
INSTALL_SECONDS = 600


class CloudFailed(Exception):
    """When the local cloud cannot be started, reached or deployed to; says what to do."""


@dataclass(frozen=True)
class Cloud:
    """A local cloud: where it listens, and the folder that holds all it keeps.

    enforce_iam: whether a function may do only what its role allows, as on AWS. Off by default:
    the TLS-only bucket policies would then refuse every request over loopback HTTP.
    """

    home: Path
    port: int = 4566
    enforce_iam: bool = False

    name: ClassVar[str] = "ministack"
    starts_on_uploads: ClassVar[bool] = True
    not_stopped: ClassVar[str] = "It was not running."

    @property
    def endpoint_url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def log(self) -> Path:
        return self.home / "cloud.log"

    @property
    def logged_at(self) -> str:
        return str(self.log)

    @property
    def platform(self) -> str:
        """Name, as uv does, what functions run on: this very machine."""
        return python_platform()

    def site_url(self, outputs: dict[str, str]) -> str:
        """Tell where the site is, by the stack's outputs: ministack serves buckets by path."""
        return f"{self.endpoint_url}/{outputs['SiteBucketName']}/index.html"

    @property
    def environment(self) -> dict[str, str]:
        """What points boto3 and sam at this cloud, whatever AWS account the shell is in."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "SAM_CLI_TELEMETRY": "0",
        }

    def is_up(self) -> bool:
        return self.answers("/_ministack/health")

    def answers(self, path: str) -> bool:
        return answers(f"{self.endpoint_url}{path}")

    def start(self) -> bool:
        """Start the cloud unless it is up, and say whether it was started.

        Raises CloudFailed where the port is another's, or where it does not come up.
        """
        if self._process.pid() is None and (self.is_up() or self.answers("/_localstack/health")):
            raise CloudFailed(
                f"port {self.port} answers, but not for {self.home}: stop what runs there, choose "
                "another with PORT=, or use it with EMULATOR=localstack if it is LocalStack"
            )
        if self.is_up():
            return False
        self.stop()
        scratch = self.home / "tmp"
        shutil.rmtree(scratch, ignore_errors=True)  # what killed Lambda workers left behind
        scratch.mkdir(parents=True)
        python = install(EMULATOR / "requirements.txt", ROOT / ".local" / "ministack")
        command = (python, EMULATOR)
        if not self._process.start(command, self.home, self._settings(scratch), self.is_up):
            raise CloudFailed(f"the local cloud did not come up; see {self.log}")
        return True

    def stop(self) -> bool:
        """Stop the cloud and its Lambda workers, and say whether it ran."""
        return self._process.stop()

    def _settings(self, scratch: Path) -> dict[str, str]:
        """Say what ministack is told; nothing else of this shell reaches it or its Lambdas."""
        return {
            "PATH": os.defpath,
            "HOME": str(self.home),
            "TMPDIR": str(scratch),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": REGION,
            "LAMBDA_EXECUTOR": "local",
            "PERSIST_STATE": "1",
            "S3_PERSIST": "1",
            "STATE_DIR": str(self.home / "state"),
            "S3_DATA_DIR": str(self.home / "s3"),
            "AUTH": str(self.enforce_iam).lower(),
            "LOG_LEVEL": "WARNING",
            **bridge(),
        }

    @property
    def _process(self) -> Background:
        return Background(self.home / "cloud.pid", self.log, str(EMULATOR))


def bridge() -> dict[str, str]:
    """Find the address at which containers see this machine, where Docker has a bridge.

    Where Docker runs in a machine of its own, on macOS and Windows, it leads to loopback by itself.
    """
    for address in psutil.net_if_addrs().get("docker0", []):
        if address.family == socket.AF_INET:
            return {"BRIDGE_ADDRESS": address.address}
    return {}


def architecture() -> str:
    """Name this machine's architecture as Lambda names it."""
    return "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"


def python_platform(system: str = sys.platform) -> str:
    """Name a platform as uv does: this machine's architecture, with its system or another."""
    machine = "aarch64" if architecture() == "arm64" else "x86_64"
    return f"{machine}-apple-darwin" if system == "darwin" else f"{machine}-manylinux_2_28"


def install(requirements: Path, folder: Path) -> Path:
    """Make an environment of hash-pinned requirements, if it is not there; gives its Python."""
    installed = folder / "requirements.txt"
    python = folder / "bin" / "python"
    if python.exists() and installed.exists() and installed.read_text() == requirements.read_text():
        return python
    uv = Path(sys.executable).parent / "uv"
    create = ("venv", "--quiet", "--clear", "--python", sys.executable, folder)
    fill = ("pip", "sync", "--quiet", "--require-hashes", "--python", python, requirements)
    for step in (create, fill):
        subprocess.run([uv, *step], check=True, timeout=INSTALL_SECONDS)
    shutil.copy(requirements, installed)
    return python
