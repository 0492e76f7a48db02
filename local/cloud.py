"""A local cloud, whichever emulator provides it, and what emulators need from this machine."""

import os
import platform
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from local.background import answers
from local.turn import in_turn

ROOT = Path(__file__).parent.parent
REGION = "us-east-1"
INSTALL_SECONDS = 600


class CloudFailed(Exception):
    """When the local cloud cannot be started, reached or deployed to; says what to do."""


@dataclass(frozen=True)
class Start:
    """How a cloud started.

    fresh: whether it was not running before.
    crashed: whether it was killed, rather than stopped, the last time.
    unreadable: saved states that were damaged, so that an earlier one was used.
    """

    fresh: bool
    crashed: bool = False
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cloud(ABC):
    """A local cloud: its port, and the folder with its state.

    starts_on_uploads: whether an upload starts an execution, as on AWS.
    not_stopped: the message if there was nothing to stop.
    """

    home: Path
    port: int = 4566

    name: ClassVar[str]
    starts_on_uploads: ClassVar[bool]
    not_stopped: ClassVar[str]

    @property
    def endpoint_url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def log(self) -> Path:
        """The log of an emulator that is started from here."""
        return self.home / "cloud.log"

    @property
    @abstractmethod
    def logged_at(self) -> str:
        """Where its log is."""

    @property
    @abstractmethod
    def platform(self) -> str:
        """The platform that functions run on, in uv's terms."""

    @abstractmethod
    def site_url(self, outputs: dict[str, str]) -> str:
        """Return the site's URL, from the stack's outputs."""

    @abstractmethod
    def is_up(self) -> bool:
        """Whether it, and not another cloud, answers."""

    @abstractmethod
    def start(self, noting: Callable[[Start], None] | None = None) -> Start:
        """Start it unless it is running, and return how it started; raises CloudFailed.

        noting: is called with the same just before it is started, because a start that is
        interrupted is one, too: what the cloud's end interrupted is told by that start alone.
        """

    @abstractmethod
    def save(self) -> None:
        """Save its state now; raises CloudFailed."""

    @abstractmethod
    def stop(self) -> bool:
        """Stop it if it was started from here, and return whether it was running."""

    @property
    def environment(self) -> dict[str, str]:
        """The environment that points boto3 and sam at this cloud, whatever the shell's account."""
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

    def answers(self, path: str) -> bool:
        return answers(f"{self.endpoint_url}{path}")


def architecture() -> str:
    """Return this machine's architecture in Lambda's terms."""
    return "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64"


def python_platform(system: str = sys.platform) -> str:
    """Return a platform in uv's terms: this machine's architecture, with its system or another."""
    machine = "aarch64" if architecture() == "arm64" else "x86_64"
    return f"{machine}-apple-darwin" if system == "darwin" else f"{machine}-manylinux_2_28"


def install(requirements: Path, folder: Path) -> Path:
    """Create an environment of hash-pinned requirements unless it exists; returns its Python."""
    with in_turn(folder.with_suffix(".lock")):
        return _installed(requirements, folder)


def _installed(requirements: Path, folder: Path) -> Path:
    installed = folder / "requirements.txt"
    python = folder / "bin" / "python"
    if python.exists() and installed.exists() and installed.read_text() == requirements.read_text():
        return python
    uv = Path(sys.executable).parent / "uv"
    create = ("venv", "--quiet", "--clear", "--python", sys.executable, folder)
    fill = ("pip", "sync", "--quiet", "--require-hashes", "--python", python, requirements)
    for step in (create, fill):
        try:
            subprocess.run([uv, *step], check=True, timeout=INSTALL_SECONDS)
        except subprocess.SubprocessError as error:
            raise CloudFailed(f"cannot install {requirements}: {error}") from error
    shutil.copy(requirements, installed)
    return python
