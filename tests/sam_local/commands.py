"""The commands of `sam local` as samconfig.toml has them, on an engine of the tests' own."""

import json
import signal
import subprocess
import sys
import time
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from local.cloud import REGION
from tests.integration.conftest import ROOT, Answer, fetch, free_port
from tests.patience import PATIENCE_SECONDS, until

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

SAM = Path(sys.executable).with_name("sam")
BUILDING_ONCE = (sys.executable, "-m", "tests.sam_local.building_once")
ENDED = "REPORT RequestId"  # what the runtime logs last of an invocation


@dataclass(frozen=True)
class SamLocal:
    """`sam local` as samconfig.toml has it; only the image and the port are the tests' own."""

    docker: dict[str, str]
    image: str
    folder: Path

    def invoke(self, function: str, event: Path, port: int) -> tuple[object, str]:
        """Invoke a function by `sam local invoke`; gives its answer and what was logged."""
        arguments = (*self._with_image, *self.with_cloud(port))
        invoked = subprocess.run(
            [SAM, "local", "invoke", function, "--event", event, *arguments],
            cwd=ROOT,
            env=self.docker,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        assert invoked.returncode == 0, invoked.stderr
        return json.loads(invoked.stdout.strip().splitlines()[0]), invoked.stderr

    @contextmanager
    def start_api(self, *arguments: str | Path) -> Iterator["LocalApi"]:
        """Serve the API from containers until the block ends."""
        with self._started(ROOT, *BUILDING_ONCE, "local", "start-api", *arguments) as (url, log):
            yield LocalApi(url, log)

    @contextmanager
    def start_api_of(self, clone: Path) -> Iterator["LocalApi"]:
        """Serve the API of a clone in the same way, by what its user types."""
        with self._started(clone, SAM, "local", "start-api") as (url, log):
            yield LocalApi(url, log)

    @contextmanager
    def start_lambda(self, *arguments: str | Path) -> Iterator["LocalLambda"]:
        """Invoke functions in containers, as AWS does, until the block ends."""
        with self._started(ROOT, *BUILDING_ONCE, "local", "start-lambda", *arguments) as (url, log):
            yield LocalLambda(url, log)

    @contextmanager
    def _started(self, folder: Path, *command: str | Path) -> Iterator[tuple[str, Path]]:
        port, log = free_port(), self.folder / f"{time.monotonic_ns()}.log"
        url = f"http://127.0.0.1:{port}"
        with log.open("wb") as file:
            # Who runs the tests in the background may have them ignore Ctrl-C, which is inherited.
            listening = ("env", "--default-signal=INT")
            process = subprocess.Popen(
                [*listening, *command, *self._with_image, "--port", str(port)],
                cwd=folder,
                env=self.docker | {"BUILT": str(self.folder)},
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        try:
            until(lambda: listens(url) or process.poll() is not None, f"sam, see {log}")
            assert process.poll() is None, log.read_text()
            yield url, log
        finally:
            process.send_signal(signal.SIGINT)  # as Ctrl-C, on which sam removes its containers
            try:
                process.wait(PATIENCE_SECONDS)
            finally:
                process.kill()

    @property
    def _with_image(self) -> tuple[str, ...]:
        return ("--skip-pull-image", "--invoke-image", self.image)

    def with_cloud(self, port: int) -> tuple[str | Path, ...]:
        """Give the options by which containers ask the local cloud, where it is on another port."""
        text = (ROOT / "events/env.json").read_text().replace(":4566", f":{port}")
        file = self.folder / f"env-{port}.json"
        file.write_text(text)
        return ("--config-env", "cloud", "--env-vars", file)


def listens(url: str) -> bool:
    try:
        fetch(f"{url}/")
    except (urllib.error.URLError, ConnectionError):
        return False
    return True


@dataclass(frozen=True)
class LocalApi:
    url: str
    log: Path

    def get(self, path: str) -> Answer:
        return fetch(f"{self.url}{path}")

    def post(self, path: str, body: object) -> Answer:
        raw = json.dumps(body).encode()
        return fetch(f"{self.url}{path}", raw, None, Content_Type="application/json")


@dataclass(frozen=True)
class LocalLambda:
    url: str
    log: Path

    def invoke(self, function: str, event: object) -> tuple[Any, str]:
        """Invoke a function; gives its answer and what was logged."""
        before = self.log.stat().st_size
        answer = self._client.invoke(FunctionName=function, Payload=json.dumps(event).encode())

        def logged() -> str | None:
            said = self.log.read_bytes()[before:].decode()
            return said if ENDED in said else None

        return json.load(answer["Payload"]), until(logged, f"the end of {function}")

    @cached_property
    def _client(self) -> "LambdaClient":
        return boto3.client(
            "lambda",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - sam takes any
            config=Config(read_timeout=PATIENCE_SECONDS, retries={"total_max_attempts": 1}),
        )
