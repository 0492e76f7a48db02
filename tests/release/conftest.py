"""What the steps of the release check share: a local cloud of their own, and bounded commands."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local.cloud import install
from tests.integration.conftest import ROOT, first_up, laptop, start_laptop

__all__ = ["first_up", "laptop", "start_laptop"]

LIMIT_SECONDS = 600  # of every command

type Run = Callable[..., subprocess.CompletedProcess[str]]
type Say = Callable[[str, object], None]


@pytest.fixture
def run() -> Run:
    """Run a command, by default in the project's root; over the time limit, it is a failure."""

    def run(
        *command: str | Path, folder: Path = ROOT, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            check=False,
        )

    return run


@pytest.fixture
def say(record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]) -> Say:
    """Print a figure beside the step, and keep it in the JUnit report."""

    def say(what: str, figure: object) -> None:
        record_property(what, figure)
        with capsys.disabled():
            sys.stdout.write(f"\n    {what}: {figure} ")

    return say


@pytest.fixture(scope="session")
def tools() -> Path:
    """The folder of checkov's and pip-audit's commands, whose pins would clash with ours."""
    return install(ROOT / "tests/release/requirements.txt", ROOT / ".local/release").parent
