"""Start and stop the local cloud: ministack, on loopback, in an environment of its own."""

import os
import shutil
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import ClassVar

import psutil

from local.background import Background, is_free
from local.cloud import REGION, ROOT, Cloud, CloudFailed, Start, install, python_platform
from local.emulator.generations import RUNNING, Generations
from local.emulator.objects import mend

EMULATOR = ROOT / "local" / "emulator"
SAVE_SECONDS = 120


@dataclass(frozen=True)
class Ministack(Cloud):
    """ministack, with the corrections of `local.emulator`.

    enforce_iam: whether a function may do only what its role allows, as on AWS. Off by default,
    because the TLS-only bucket policies would then refuse every request over loopback HTTP.
    """

    enforce_iam: bool = False

    name: ClassVar[str] = "ministack"
    starts_on_uploads: ClassVar[bool] = True
    not_stopped: ClassVar[str] = "The local cloud was not running."

    @property
    def logged_at(self) -> str:
        return str(self.log)

    @property
    def platform(self) -> str:
        """The platform that functions run on, in uv's terms: this machine's."""
        return python_platform()

    def site_url(self, outputs: dict[str, str]) -> str:
        """Return the site's URL, from the stack's outputs; ministack serves buckets by path."""
        return f"{self.endpoint_url}/{outputs['SiteBucketName']}/index.html"

    def is_up(self) -> bool:
        """Whether the ministack that was started from this home answers on this port."""
        return self._process.pid() is not None and self.answers("/_ministack/health")

    def start(self, noting: Callable[[Start], None] | None = None) -> Start:
        """Start the cloud unless it is running, and return how it started.

        noting: is called with the same just before it is started.
        Raises CloudFailed if the port is in use, or if the cloud does not start.
        """
        if self.is_up():
            return Start(fresh=False)
        was_killed = self._process.was_killed()
        self.stop()
        if not is_free(self.port, was_killed=was_killed):
            raise CloudFailed(
                f"port {self.port} is already in use, and not by the local cloud of {self.home}: "
                "stop the program that is listening there, choose another port with PORT=, or, if "
                "it is LocalStack, use it with EMULATOR=localstack"
            )
        kept = Generations(self.home / "state")
        generation, unreadable = kept.newest()
        objects = self.home / "s3"
        never_saved = generation is None and any(objects.glob("[0-9]*/*/*"))
        crashed = (kept.folder / RUNNING).exists() or (
            never_saved and not _before_generations(kept)
        )
        if crashed:
            mend(objects)
        scratch = self.home / "tmp"
        shutil.rmtree(scratch, ignore_errors=True)  # left behind by killed Lambda workers
        scratch.mkdir(parents=True)
        python = install(EMULATOR / "requirements.txt", ROOT / ".local" / "ministack")
        command = (python, EMULATOR)
        start = Start(fresh=True, crashed=crashed, unreadable=tuple(unreadable))
        if noting:
            noting(start)
        if not self._process.start(command, self.home, self._settings(scratch), self.is_up):
            raise CloudFailed(f"the local cloud did not start; see {self.log}")
        return start

    def save(self) -> None:
        """Write its state to disk; raises CloudFailed if that fails."""
        self._ask_to("save")

    def stop(self) -> bool:
        """Save the cloud's state, stop it and its Lambda workers; return whether it was running."""
        if self.is_up():
            with suppress(CloudFailed, OSError, HTTPException):  # it saves again when it ends
                self._ask_to("stop")
        return self._process.stop()

    def _ask_to(self, act: str) -> None:
        request = urllib.request.Request(f"{self.endpoint_url}/_local/{act}", b"")  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=SAVE_SECONDS):  # noqa: S310 - on loopback
                return
        except urllib.error.HTTPError as error:
            why = error.read().decode(errors="replace")
            raise CloudFailed(f"the local cloud cannot save its state: {why}") from error

    def _settings(self, scratch: Path) -> dict[str, str]:
        """Return the environment for ministack; nothing else of this shell reaches its Lambdas."""
        return {
            "PATH": os.defpath,
            "HOME": str(self.home),
            "TMPDIR": str(scratch),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_REGION": REGION,
            "LAMBDA_EXECUTOR": "local",
            "OPENBLAS_NUM_THREADS": "1",  # functions share the cores; idle threads of BLAS spin
            "LAMBDA_ACCOUNT_CONCURRENCY": "1000",  # as on AWS; requests that are waiting count
            "PERSIST_STATE": "1",
            "S3_PERSIST": "1",
            "STATE_DIR": str(self.home / "state"),
            "S3_DATA_DIR": str(self.home / "s3"),
            "UNPACKED_DIR": str(ROOT / ".local" / "unpacked"),
            "AUTH": str(self.enforce_iam).lower(),
            "LOG_LEVEL": "WARNING",
            **bridge(),
        }

    @property
    def _process(self) -> Background:
        return Background(self.home / "cloud.pid", self.log, str(EMULATOR), SAVE_SECONDS)


def _before_generations(kept: Generations) -> bool:
    """Whether the state is in the format of earlier releases of this project."""
    return any(kept.folder.glob("*.json"))


def bridge() -> dict[str, str]:
    """Return the address at which containers reach this machine, if Docker has a bridge.

    On macOS and Windows, Docker runs in a virtual machine and reaches loopback by itself.
    """
    for address in psutil.net_if_addrs().get("docker0", []):
        if address.family == socket.AF_INET:
            return {"BRIDGE_ADDRESS": address.address}
    return {}
