"""Units run against moto in this process: no socket is opened, no real account can be reached."""

import importlib.util
import json
import logging
import os
import pickle
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any

import pytest
import stage
from clinical import champion, telemetry
from clinical.artefacts import Bucket
from clinical.boto3_bucket import Boto3Bucket
from clinical.hyperparameters import Grid
from clinical.obstore_bucket import ObstoreBucket
from clinical.params import Params, params
from clinical.population import Population
from clinical.registry import POPULATION, Champion, Promotion, Registry, Version
from clinical.verdict import Verdict
from pytest_socket import disable_socket
from threadpoolctl import threadpool_limits

from local.turn import in_turn
from tests import pipeline
from tests.patience import PATIENCE_SECONDS
from tests.pipeline import ENVIRONMENT, Context, own_cloud, own_store

ROOT = Path(__file__).parent.parent.parent
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PROMOTION = Promotion(who="the tests", why="to see it serve", execution="execution-1")


class CurrentStdout:
    """Whatever stdout is now: the logger outlives the stdout that pytest gives each test."""

    def write(self, text: str) -> int:
        return sys.stdout.write(text)

    def flush(self) -> None:
        sys.stdout.flush()


@pytest.fixture(autouse=True, scope="session")
def _log_to_current_stdout() -> None:
    handler = telemetry.logger().registered_handler
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(CurrentStdout())


@pytest.fixture(autouse=True, scope="session")
def _on_one_thread() -> Iterator[None]:
    """Have each worker compute on a thread of its own.

    Threads that wait for each other where other workers hold the cores take ten times the time.
    """
    with threadpool_limits(limits=1):
        yield


@pytest.fixture(autouse=True)
def _no_sockets() -> None:
    disable_socket(allow_unix_socket=True)


@pytest.fixture
def context() -> Context:
    return Context()


@pytest.fixture(autouse=True)
def _lambda_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment that the template gives, with credentials that reach nothing."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


@pytest.fixture
def cloud() -> Iterator[Boto3Bucket]:
    """The artefacts bucket, empty, and the raw bucket beside it, both versioned."""
    with own_cloud() as empty:
        yield empty


@pytest.fixture
def bucket(cloud: Boto3Bucket) -> Boto3Bucket:
    """Where models are published, unless the tests of a room say otherwise."""
    return cloud


@pytest.fixture
def at_once(bucket: Boto3Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Threads that interrupt each other wherever they can, and a bucket for them.

    S3 judges a condition and writes at once; moto does one after the other.
    """
    put_object, alone, interval = bucket.client.put_object, Lock(), sys.getswitchinterval()

    def put_at_once(**request: Any) -> Any:
        with alone:
            return put_object(**request)

    monkeypatch.setattr(bucket.client, "put_object", put_at_once)
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.fixture(autouse=True)
def _patient_refreshes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refresh has a second, which a machine that is busy with something else may not give it."""
    serving = params().serving.model_copy(update={"refresh_timeout_seconds": PATIENCE_SECONDS})
    patient = params().model_copy(update={"serving": serving})
    monkeypatch.setattr(champion, "params", lambda: patient)


@pytest.fixture
def store() -> Iterator[ObstoreBucket]:
    """The artefacts bucket as the functions that serve see it, empty."""
    with own_store() as empty:
        yield empty


@pytest.fixture
def registry(bucket: Bucket) -> Registry:
    return Registry(bucket)


class MadeOnce:
    """What takes long to make: made once in a run, however many workers and tests need it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, bytes] = {}

    def __call__[T](self, name: str, make: Callable[[], T]) -> T:
        """Make it unless some worker has; whoever asks gets a copy to alter."""
        if name not in self._known:
            file = self._folder / f"{name}.pickle"
            with in_turn(file.with_suffix(".lock")):
                if not file.exists():
                    beside = file.with_suffix(".new")
                    beside.write_bytes(pickle.dumps(make()))
                    beside.rename(file)
            self._known[name] = file.read_bytes()
        made: T = pickle.loads(self._known[name])  # noqa: S301 - which this very run wrote
        return made


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """In the folder that the workers of a run share, and no other run has."""
    own = tmp_path_factory.getbasetemp()
    of_the_run = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    return MadeOnce(of_the_run / "made-once")


@dataclass(frozen=True)
class Candidate:
    """A small real model on the sample, and what a version of it has."""

    files: dict[str, bytes]
    findings: dict[str, bytes]
    verdict: Verdict
    population: Population


def candidate_on(body: bytes, decisions: Params) -> Candidate:
    """Train in a cloud of its own, and take what was published."""
    with pytest.MonkeyPatch.context() as patch, own_cloud() as bucket:
        patch.setattr(stage, "params", lambda: decisions)
        bucket.client.put_object(Bucket="raw", Key="raw/data.csv", Body=body)
        version = Registry(bucket).version(pipeline.retrain("execution-1")["nominated"]["version"])
        assert version is not None
        read = {name: bucket.get(file.key).body for name, file in version.files.items()}
        population = Registry(bucket).annex(version.version, POPULATION, Population)
        assert population is not None
        own = {name for name, file in version.files.items() if "/execution-1/" in file.key}
    return Candidate(
        files={name: read[name] for name in read if name not in own},
        findings={name: read[name] for name in own},
        verdict=version.verdict,
        population=population,
    )


def smaller(decisions: Params, trees: int) -> Params:
    """The same decisions with a forest that fits in no time."""
    return decisions.model_copy(
        update={"model": decisions.model.model_copy(update={"n_estimators": trees})}
    )


def tuning_of(decisions: Params, **values: tuple[int | None, ...]) -> Params:
    """The same decisions with another small grid of forests, and no other grid."""
    forests = decisions.tuning.grids["small"].random_forest
    assert forests is not None
    grid = Grid(random_forest=forests.model_copy(update=values))
    tuning = decisions.tuning.model_copy(update={"grids": {"small": grid}})
    return decisions.model_copy(update={"tuning": tuning})


def with_column(decisions: Params, name: str, **changed: Any) -> Params:
    """The same decisions with one column another in some ways."""
    column = decisions.columns[name].model_copy(update=changed)
    return decisions.model_copy(update={"columns": {**decisions.columns, name: column}})


def with_target(decisions: Params, lowest: float, highest: float, decimals: int) -> Params:
    """The same decisions with the target on another scale."""
    target = decisions.target.model_copy(
        update={"decimals": decimals, "bands": {"All": float(lowest)}}
    )
    return with_column(
        decisions, target.column, min=float(lowest), max=float(highest), decimals=decimals
    ).model_copy(update={"target": target})


@pytest.fixture(scope="session")
def candidate(made_once: MadeOnce) -> Candidate:
    return made_once("candidate", lambda: candidate_of(trees=5))


@pytest.fixture(scope="session")
def challenger(made_once: MadeOnce) -> Candidate:
    """Another model on the same data."""
    return made_once("challenger", lambda: candidate_of(trees=6))


def candidate_of(trees: int) -> Candidate:
    return candidate_on((ROOT / "data/sample.csv").read_bytes(), smaller(params(), trees=trees))


@pytest.fixture
def publish(registry: Registry) -> Callable[[Candidate], Version]:
    def publish_candidate(candidate: Candidate) -> Version:
        version = registry.publish(
            candidate.files, candidate.findings, candidate.verdict, "execution-1", NOW
        )
        registry.annotate(version.version, POPULATION, candidate.population)
        return version

    return publish_candidate


@pytest.fixture
def promote(
    registry: Registry, publish: Callable[[Candidate], Version]
) -> Callable[[Candidate], Champion]:
    """Publish a candidate and let it serve."""

    def publish_and_promote(candidate: Candidate) -> Champion:
        return registry.promote(publish(candidate), registry.champion(), PROMOTION, NOW)

    return publish_and_promote


def load_function(name: str) -> ModuleType:
    """Import a function's app.py anew, as a cold start does."""
    spec = importlib.util.spec_from_file_location(f"{name}_app", ROOT / f"functions/{name}/app.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def routes_of(module: ModuleType) -> set[tuple[str, str]]:
    """Every route of a function: its method, and its path as API Gateway has it."""
    app = module.app
    return {
        (route.method, re.sub(r"<(\w+)>", r"{\1}", route.path))
        for route in (*app._static_routes, *app._dynamic_routes)
    }


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: Any
    text: str = field(repr=False)
    size: int = 0  # bytes of what Lambda is handed: JSON, which holds the body as a string

    @property
    def said(self) -> Any:
        """The body without the names of its predictions, of which each is another."""
        return without_ids(self.body)


def without_ids(said: Any) -> Any:
    if isinstance(said, dict):
        return {name: without_ids(one) for name, one in said.items() if name != "prediction_id"}
    return [without_ids(one) for one in said] if isinstance(said, list) else said


@dataclass
class Api:
    """A function behind API Gateway: requests in, answers out."""

    module: ModuleType
    context: Context

    def __call__(self, method: str, path: str, body: object = None, **event: Any) -> Answer:
        text = body if body is None or isinstance(body, str) else json.dumps(body)
        request = {
            "httpMethod": method,
            "resource": path,
            "path": path,
            "headers": {"Content-Type": "application/json"} if text else {},
            "body": text,
            "isBase64Encoded": False,
            "requestContext": {},
            **event,
        }
        answer = self.module.handler(request, self.context)
        headers = {name: values[0] for name, values in answer["multiValueHeaders"].items()}
        is_json = "json" in headers.get("Content-Type", "") and answer["body"]
        parsed = json.loads(answer["body"]) if is_json else None
        size = len(json.dumps(answer))
        return Answer(answer["statusCode"], headers, parsed, answer["body"], size)


@pytest.fixture
def predict_api(store: ObstoreBucket, context: Context) -> Api:
    return Api(load_function("predict"), context)


@pytest.fixture
def dropdown_api(store: ObstoreBucket, context: Context) -> Api:
    return Api(load_function("dropdown"), context)


@pytest.fixture
def outcomes_api(store: ObstoreBucket, context: Context) -> Api:
    return Api(load_function("outcomes"), context)


@pytest.fixture
def approvals_api(store: ObstoreBucket, context: Context) -> Api:
    return Api(load_function("approvals"), context)


def emf_lines(printed: str) -> list[dict[str, Any]]:
    """The EMF lines among what was printed."""
    return [line for line in fact_lines(printed) if "_aws" in line]


def fact_lines(printed: str) -> list[dict[str, Any]]:
    """The lines of facts among what was printed, with metrics or without: not the logger's."""
    lines = [json.loads(text) for text in printed.splitlines() if text.startswith("{")]
    return [line for line in lines if "level" not in line]
