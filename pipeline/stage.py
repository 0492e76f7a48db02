"""Make a Lambda handler of a stage: inputs parsed, cache asked, lineage kept, one line logged.

A stage reads as its signature. Parameters of the types in `_GIVEN` are given by this module, the
others are inputs: the state machine's payload holds them under their names, and
`execution`, the name of the run.
"""

import hashlib
import importlib.metadata
import inspect
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, wraps
from pathlib import Path
from typing import Any, get_type_hints

import clinical
from aws_lambda_powertools.utilities.typing import LambdaContext
from clinical import telemetry
from clinical.artefacts import Artefact, Artefacts, Bucket, RawObject, canonical_json, s3_client
from clinical.environment import environment
from clinical.errors import ArtefactMissing, ClinicalError, PreconditionFailed, StorageUnavailable
from clinical.params import Frozen, Params, params
from clinical.registry import Registry
from pydantic import BaseModel

LINEAGE_ATTEMPTS = 20

type Handler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]


@dataclass(frozen=True)
class RawBucket:
    """Where data sets are uploaded, under `prefix`."""

    bucket: Bucket
    prefix: str = "raw/"


@dataclass(frozen=True)
class Run:
    """The execution under way; its lineage is read by the stage that publishes it."""

    execution: str
    now: datetime
    artefacts: Bucket

    @property
    def folder(self) -> str:
        return f"runs/{self.execution}"

    def lineage(self) -> bytes:
        return self.artefacts.get(f"{self.folder}/lineage.json").body


class Answer(Frozen):
    """What the cache remembers: an output, the files that it names, and whose work it was."""

    execution: str
    output: dict[str, Any]
    keys: tuple[str, ...]


def stage[Output: BaseModel](*, cached: bool = True) -> Callable[[Callable[..., Output]], Handler]:
    """Make a Lambda handler of a stage, which stays reachable as `handler.__wrapped__`.

    cached: whether equal inputs, parameters and code make an equal output, so that an earlier
    run's can be the answer. Not so for a stage that looks at the world or changes it.
    """

    def decorate(function: Callable[..., Output]) -> Handler:
        hints = get_type_hints(function)
        output_type: type[Output] = hints.pop("return")
        inputs = {name: kind for name, kind in hints.items() if kind not in _GIVEN}
        given = {name: _GIVEN[kind] for name, kind in hints.items() if kind in _GIVEN}
        name = function.__name__

        @telemetry.metrics().log_metrics(capture_cold_start_metric=True)
        @wraps(function)
        def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
            started = time.perf_counter()
            run = Run(event["execution"], datetime.now(UTC), _artefacts())
            arguments = {name: kind.model_validate(event[name]) for name, kind in inputs.items()}
            fingerprint = _fingerprint(name, inspect.getfile(function), arguments)
            record: dict[str, Any] = {
                "fingerprint": fingerprint,
                "inputs": {key: value.model_dump() for key, value in arguments.items()},
                "started_at": run.now.isoformat(),
            }
            answer = _recall(name, fingerprint) if cached else None
            try:
                if answer is None:
                    arguments |= {key: give(name, run) for key, give in given.items()}
                    output = function(**arguments)
                else:
                    output = output_type.model_validate(answer.output)
            except ClinicalError as error:
                telemetry.add(telemetry.Metric.STAGE_FAILURES, error=type(error).__name__)
                _trace(run, name, {**record, "error": type(error).__name__})
                raise
            else:
                if cached and answer is None:
                    _remember(name, fingerprint, run, output)
                record |= {
                    "output": output.model_dump(),
                    "from_cache_of": answer and answer.execution,
                }
                _trace(run, name, record)
            finally:
                telemetry.record_stage(
                    name,
                    time.perf_counter() - started,
                    cached=answer is not None,
                    properties={
                        "execution": run.execution,
                        "request_id": context.aws_request_id,
                    },
                )
            return output.model_dump(mode="json")

        stage_handler: Handler = handler
        return stage_handler

    return decorate


@cache
def _artefacts() -> Bucket:
    return Bucket(s3_client(), environment().artifacts_bucket)


_GIVEN: dict[Any, Callable[[str, Run], Any]] = {
    Artefacts: lambda name, run: Artefacts(_artefacts(), f"{run.folder}/{name}"),
    Params: lambda _name, _run: params(),
    RawBucket: lambda _name, _run: RawBucket(
        Bucket(s3_client(), environment().raw_bucket or environment().artifacts_bucket)
    ),
    Registry: lambda _name, _run: Registry(_artefacts()),
    Run: lambda _name, run: run,
}


def _fingerprint(name: str, source: str, arguments: dict[str, BaseModel]) -> str:
    """Digest all that a stage's output depends on."""
    return hashlib.sha256(
        canonical_json(
            {
                "stage": name,
                "inputs": {key: _content(value) for key, value in arguments.items()},
                "params": params().pipeline_digest,
                "code": _code_digest(source),
            }
        )
    ).hexdigest()


def _content(value: object) -> Any:  # noqa: ANN401 - JSON
    """Take of an input what it is, not where it lies: the same bytes are the same input."""
    match value:
        case Artefact():
            return value.sha256
        case RawObject():
            return None
        case BaseModel():
            return {field: _content(part) for field, part in value}
        case _:
            return value


@cache
def _code_digest(source: str) -> str:
    """Digest a stage's own file, all code that stages share, and of its libraries."""
    here = Path(__file__).parent
    shared = [*here.glob("*.py"), *Path(clinical.__path__[0]).glob("*.py")]
    digest = hashlib.sha256()
    for path in sorted([*shared, Path(source)], key=lambda path: path.name):
        digest.update(path.name.encode() + path.read_bytes())
    for installed in sorted(
        f"{found.metadata['Name']}=={found.version}" for found in importlib.metadata.distributions()
    ):
        digest.update(installed.encode())
    return digest.hexdigest()


def _recall(name: str, fingerprint: str) -> Answer | None:
    """Find an earlier answer, if there is one and the files that it names are still there."""
    try:
        answer = Answer.model_validate_json(
            _artefacts().get(f"cache/{name}/{fingerprint}.json").body
        )
    except ArtefactMissing:
        return None
    return answer if all(_artefacts().exists(key) for key in answer.keys) else None


def _remember(name: str, fingerprint: str, run: Run, output: BaseModel) -> None:
    answer = Answer(
        execution=run.execution,
        output=output.model_dump(mode="json"),
        keys=tuple(part.key for _, part in output if isinstance(part, Artefact)),
    )
    _artefacts().put(f"cache/{name}/{fingerprint}.json", canonical_json(answer))


def _trace(run: Run, name: str, record: dict[str, Any]) -> None:
    """Enter a stage into the run's lineage.json; parallel branches do so one after the other.

    Raises StorageUnavailable where others write without a pause.
    """
    key = f"{run.folder}/lineage.json"
    for _ in range(LINEAGE_ATTEMPTS):
        try:
            stored = _artefacts().get(key)
        except ArtefactMissing:
            stored = None
        lineage: dict[str, Any] = (
            json.loads(stored.body)
            if stored
            else {
                "execution": run.execution,
                "params_sha256": params().pipeline_digest,
                "stages": {},
            }
        )
        lineage["stages"][name] = record
        try:
            if stored:
                _artefacts().put_over(key, canonical_json(lineage), stored.etag)
            else:
                _artefacts().put_new(key, canonical_json(lineage))
        except PreconditionFailed:
            continue
        return
    raise StorageUnavailable(f"{key} was written by others {LINEAGE_ATTEMPTS} times in a row")
