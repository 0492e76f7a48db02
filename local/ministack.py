"""Start and stop the local cloud: ministack, on loopback, in an environment of its own."""

import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import psutil

from local.background import Background
from local.cloud import REGION, ROOT, Cloud, CloudFailed, install, python_platform

EMULATOR = ROOT / "local" / "emulator"


@dataclass(frozen=True)
class Ministack(Cloud):
    """ministack, with what `local.emulator` puts right.

    enforce_iam: whether a function may do only what its role allows, as on AWS. Off by default:
    the TLS-only bucket policies would then refuse every request over loopback HTTP.
    """

    enforce_iam: bool = False

    name: ClassVar[str] = "ministack"
    starts_on_uploads: ClassVar[bool] = True
    not_stopped: ClassVar[str] = "It was not running."

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

    def is_up(self) -> bool:
        return self.answers("/_ministack/health")

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
