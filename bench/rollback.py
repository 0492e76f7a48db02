"""`make bench-rollback`: from the command to the first answer by the other version.

It needs the local cloud with two versions published, and moves the champion there and back.
"""

import json
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from itertools import cycle

from clinical.boto3_bucket import Boto3Bucket
from clinical.params import params
from clinical.registry import Registry
from rich.console import Console

from local.cloud import ROOT
from local.emulators import stack_at
from local.stack import Stack

TIMES = 6  # an even number: the champion is in the end what it was
POLL_SECONDS = 0.05
PATIENCE_SECONDS = 60


def served(stack: Stack) -> str:
    with urllib.request.urlopen(f"{stack.outputs.api_url}/health", timeout=30) as response:  # noqa: S310
        version: str = json.load(response)["model_version"]
        return version


def two_versions(stack: Stack) -> tuple[str, str]:
    """Name the champion, and the version to go to and come back from."""
    registry = Registry(Boto3Bucket(stack.s3, stack.outputs.artifacts_bucket))
    champion = served(stack)
    others = [one.version for one in registry.versions() if one.version != champion]
    if not others:
        raise SystemExit("publish a second version first: make retrain DATA=…")
    return others[0], champion


def rolled_back(stack: Stack, version: str) -> float:
    """Roll back to a version as a user does, and return the seconds until it answers."""
    began = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", "local", "rollback"],
        cwd=ROOT,
        env={**os.environ, "VERSION": version},
        stdout=subprocess.DEVNULL,
    ):
        while served(stack) != version:
            if time.monotonic() - began > PATIENCE_SECONDS:
                raise SystemExit(f"the rollback to {version} is not served")
            time.sleep(POLL_SECONDS)
        return time.monotonic() - began


def main() -> None:
    """Measure and print, beside `serving.refresh_seconds`, which is most of it."""
    stack = stack_at(ROOT / ".local")
    there_and_back = cycle(two_versions(stack))
    took = [rolled_back(stack, next(there_and_back)) for _ in range(TIMES)]
    refresh = params().serving.refresh_seconds
    Console().print(
        f"{TIMES} rollbacks, from the command to the first answer: median "
        f"{statistics.median(took):.1f} s, longest {max(took):.1f} s; "
        f"serving.refresh_seconds is {refresh:g} s"
    )


if __name__ == "__main__":
    main()
