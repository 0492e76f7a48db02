"""A Docker engine to run `sam local` on: the one that answers, or one of the tests' own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.patience import PATIENCE_SECONDS, until


def answers(host: str | None = None) -> bool:
    """Whether an engine answers, at DOCKER_HOST or at a host of its own."""
    if not shutil.which("docker"):
        return False
    asked = subprocess.run(
        ["docker", "version", "--format", "{{.Server.Version}}"],
        env={**os.environ, **({"DOCKER_HOST": host} if host else {})},
        capture_output=True,
        check=False,
    )
    return asked.returncode == 0


def can_be_started() -> bool:
    return os.geteuid() == 0 and shutil.which("dockerd") is not None


@contextmanager
def started(folder: Path) -> Iterator[str]:
    """Start an engine with a data root, a socket and a pid file in a folder; gives its host."""
    host = f"unix://{folder}/docker.sock"
    with (folder / "dockerd.log").open("wb") as log:
        process = subprocess.Popen(
            [
                "dockerd",
                *("--data-root", folder / "data"),
                *("--exec-root", folder / "exec"),
                *("--pidfile", folder / "docker.pid"),
                *("--host", host),
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        until(lambda: answers(host) or process.poll() is not None, "the Docker engine")
        if process.poll() is not None:
            raise RuntimeError((folder / "dockerd.log").read_text())
        yield host
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)
