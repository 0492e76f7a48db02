"""`sam local` on a real Docker engine, beside the local cloud that its containers ask."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import ROOT, Laptop, first_up, start_laptop
from tests.integration.conftest import laptop as laptop_without_engine
from tests.sam_local import engine, stand_in
from tests.sam_local.commands import LocalApi, LocalLambda, SamLocal

__all__ = ["first_up", "laptop_without_engine", "start_laptop"]

MISSING = (
    "no Docker engine answers: start one or, as root, install Debian's docker.io for the tests to "
    "start one of their own"
)
MADE_OF = ("requirements-dev.txt", "local/bootstrap.txt", ".python-version")  # the environment


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


@pytest.fixture(scope="session")
def sam_local(
    docker: dict[str, str], image: str, tmp_path_factory: pytest.TempPathFactory
) -> SamLocal:
    return SamLocal(docker, image, tmp_path_factory.mktemp("sam-local"))


@pytest.fixture(scope="module")
def api(sam_local: SamLocal, laptop: Laptop) -> Iterator[LocalApi]:
    with sam_local.start_api(*sam_local.with_cloud(laptop.port)) as started:
        yield started


@pytest.fixture(scope="module")
def functions(sam_local: SamLocal, laptop: Laptop) -> Iterator[LocalLambda]:
    with sam_local.start_lambda(*sam_local.with_cloud(laptop.port)) as started:
        yield started


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What a clone has, and the environment that its first `make` would make."""
    clone = tmp_path / "clone"
    left_out = shutil.ignore_patterns(".git", ".venv", ".local", ".aws-sam", "*_cache")
    shutil.copytree(ROOT, clone, symlinks=True, ignore=left_out)
    (clone / ".venv").symlink_to(sys.prefix)
    for name in MADE_OF:  # older than the environment, which make would make again otherwise
        os.utime(clone / name, (0, 0))
    return clone


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
