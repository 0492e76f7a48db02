"""`sam local` on a real Docker engine, beside the local cloud that its containers ask."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.conftest import (
    ROOT,
    Answer,
    Laptop,
    fetch,
    first_up,
    free_port,
    start_laptop,
)
from tests.integration.conftest import laptop as laptop_without_engine
from tests.patience import PATIENCE_SECONDS, until
from tests.sam_local import engine, stand_in

__all__ = ["first_up", "laptop_without_engine", "start_laptop"]

MISSING = (
    "no Docker engine answers: start one or, as root, install Debian's docker.io and debootstrap, "
    "for the tests to start one of their own"
)


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An environment whose DOCKER_HOST answers."""
    if engine.answers():
        yield dict(os.environ)
    elif engine.can_be_started():
        with engine.started(tmp_path_factory.mktemp("docker")) as host:
            yield {**os.environ, "DOCKER_HOST": host}
    elif os.environ.get("CI") == "true":
        pytest.fail(MISSING)
    else:
        pytest.skip(MISSING)


@pytest.fixture(scope="session")
def image(docker: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> str:
    return stand_in.build(tmp_path_factory.mktemp("image"), docker)


@pytest.fixture(scope="session")
def laptop(docker: dict[str, str], request: pytest.FixtureRequest) -> Laptop:
    """A laptop after `make up`, which finds the bridge of an engine that runs by then."""
    assert docker
    found: Laptop = request.getfixturevalue("laptop_without_engine")
    return found


@dataclass(frozen=True)
class Invoking:
    """invoking.py, which runs sam."""

    process: subprocess.Popen[str]

    def ask(self, **command: object) -> int:
        """Have a command run to its end, and give its exit code."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@dataclass(frozen=True)
class SamLocal:
    """`sam local` as samconfig.toml has it; only the image and the port are the tests' own."""

    docker: dict[str, str]
    image: str
    folder: Path
    invoking: Invoking

    def environment_file(self, port: int) -> Path:
        """events/env.json for a cloud on another port."""
        text = (ROOT / "events/env.json").read_text().replace(":4566", f":{port}")
        file = self.folder / f"env-{port}.json"
        file.write_text(text)
        return file

    def invoke(self, function: str, event: Path, port: int) -> tuple[object, str]:
        """Invoke a function, and return its answer and what was logged."""
        printed, logged = self.folder / "printed", self.folder / "logged"
        command = self._arguments("invoke", port, function, "--event", event)
        code = self.invoking.ask(
            arguments=[str(word) for word in command], stdout=str(printed), stderr=str(logged)
        )
        assert code == 0, logged.read_text()
        return json.loads(printed.read_text().strip().splitlines()[0]), logged.read_text()

    @contextmanager
    def start_api(self, cloud_port: int) -> Iterator["LocalApi"]:
        """Serve the API from containers until the block ends."""
        sam = Path(sys.executable).with_name("sam")
        port, log = free_port(), self.folder / f"start-api-{time.monotonic_ns()}.log"
        with log.open("wb") as file:
            # Who runs the tests in the background may have them ignore Ctrl-C, which is inherited.
            listening = ("env", "--default-signal=INT")
            process = subprocess.Popen(
                [*listening, sam, *self._arguments("start-api", cloud_port, "--port", str(port))],
                cwd=ROOT,
                env=self.docker,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        api = LocalApi(f"http://127.0.0.1:{port}", log)
        try:
            until(lambda: api.listens() or process.poll() is not None, f"sam, see {log}")
            assert process.poll() is None, log.read_text()
            yield api
        finally:
            process.send_signal(signal.SIGINT)  # as Ctrl-C, on which sam removes its containers
            try:
                process.wait(PATIENCE_SECONDS)
            finally:
                process.kill()

    def _arguments(self, command: str, port: int, *arguments: str | Path) -> list[str | Path]:
        given = ("--skip-pull-image", "--invoke-image", self.image)
        return [
            *("local", command, *arguments, *given),
            *("--env-vars", self.environment_file(port)),
        ]


@dataclass(frozen=True)
class LocalApi:
    url: str
    log: Path

    def get(self, path: str) -> Answer:
        return fetch(f"{self.url}{path}")

    def post(self, path: str, body: object) -> Answer:
        raw = json.dumps(body).encode()
        return fetch(f"{self.url}{path}", raw, None, Content_Type="application/json")

    def listens(self) -> bool:
        try:
            fetch(f"{self.url}/")
        except (urllib.error.URLError, ConnectionError):
            return False
        return True


@pytest.fixture(scope="session")
def sam_local(
    docker: dict[str, str], image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SamLocal]:
    images = tmp_path_factory.mktemp("images")
    with subprocess.Popen(
        [sys.executable, "-m", "tests.sam_local.invoking", images],
        cwd=ROOT,
        env=docker,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        folder = tmp_path_factory.mktemp("sam-local")
        yield SamLocal(docker, image, folder, Invoking(process))


@pytest.fixture(scope="module")
def api(sam_local: SamLocal, laptop: Laptop) -> Iterator[LocalApi]:
    with sam_local.start_api(laptop.port) as started:
        yield started


type Containers = Callable[[], set[str]]


@pytest.fixture
def containers(docker: dict[str, str]) -> Containers:
    """The ids of the containers that run now."""

    def running() -> set[str]:
        listed = subprocess.run(
            ["docker", "ps", "--quiet"], env=docker, capture_output=True, text=True, check=True
        )
        return set(listed.stdout.split())

    return running
