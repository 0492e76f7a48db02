"""The stage cache: for equal inputs, parameters and code, an earlier run's output is reused."""

import hashlib
import sys
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import clinical
from clinical import telemetry
from clinical.artefacts import Artefact, RawObject, canonical_json, sealed_json, unsealed_json
from clinical.boto3_bucket import Boto3Bucket
from clinical.errors import ArtefactCorrupted, ArtefactMissing
from clinical.frozen import Frozen
from clinical.params import Params
from pydantic import BaseModel, ValidationError


class Answer(Frozen):
    """An output, and the execution that computed it."""

    execution: str
    output: dict[str, Any]


class Cache:
    """The cached outputs under `cache/` in the artefacts bucket."""

    def __init__(self, bucket: Boto3Bucket) -> None:
        self.bucket = bucket

    def recall(self, stage: str, fingerprint: str, execution: str) -> Answer | None:
        """Find a cached output that is intact and whose files still exist.

        The files are copied into this run's folder, so that every run is complete by itself and an
        old run's files can be deleted with it.
        """
        key = _key(stage, fingerprint)
        try:
            answer = Answer.model_validate(unsealed_json(key, self.bucket.get(key).body))
            output = {
                field: self._copied(part, execution) if _is_artefact(part) else part
                for field, part in answer.output.items()
            }
        except ArtefactMissing:
            return None
        except (ArtefactCorrupted, ValidationError) as error:
            telemetry.logger().error(
                "A cached output is corrupted and is not used.", error=type(error).__name__
            )
            telemetry.count(telemetry.Metric.ARTEFACTS_REFUSED, stage=stage)
            return None
        return answer.model_copy(update={"output": output})

    def remember(self, stage: str, fingerprint: str, execution: str, output: BaseModel) -> None:
        """Store an output for later runs with the same fingerprint."""
        answer = Answer(
            execution=execution,
            output=output.model_dump(mode="json"),
        )
        self.bucket.put(_key(stage, fingerprint), sealed_json(answer))

    def _copied(self, artefact: dict[str, str], execution: str) -> dict[str, str]:
        *_, stage, name = artefact["key"].split("/")
        key = f"runs/{execution}/{stage}/{name}"
        if key != artefact["key"]:
            self.bucket.copy(artefact["key"], key)
        return {**artefact, "key": key}


def fingerprint(stage: str, source: str, inputs: dict[str, BaseModel], params: Params) -> str:
    """Digest everything that a stage's output depends on.

    source: the path of the stage's source file.
    """
    return hashlib.sha256(
        canonical_json(
            {
                "stage": stage,
                "inputs": {name: _content(value) for name, value in inputs.items()},
                "params": params.pipeline_digest,
                "code": code_digest(source),
            }
        )
    ).hexdigest()


@cache
def code_digest(source: str) -> str:
    """Digest a stage's own file, all shared code, and its libraries.

    Shared code is that of its state machine, of all state machines, and of the layers.
    """
    own = Path(source)
    folders = (own.parent.parent, Path(__file__).parent, Path(clinical.__path__[0]))
    shared = [path for folder in folders for path in folder.glob("*.py")]
    digest = hashlib.sha256()
    for path in sorted({*shared, own}, key=lambda path: (path.name, path.parent.name)):
        digest.update(path.name.encode() + path.read_bytes())
    for installed in libraries():
        digest.update(installed.encode())
    return digest.hexdigest()


@cache
def libraries() -> tuple[str, ...]:
    """List the installed libraries with their versions, as the folders of their metadata have them.

    Each is named `<name>-<version>.dist-info`. To read their files takes 40 times as long, at every
    cold start. Source: the binary distribution format of the Python Packaging Authority.
    """
    found = {folder.name for entry in sys.path for folder in Path(entry).glob("*.dist-info")}
    return tuple(sorted(found))


# Messages to people, which change nothing that is computed.
_TOLD = frozenset({"notes"})


def _content(value: object) -> Any:  # noqa: ANN401 - JSON
    """Reduce an input to its content, without its place: the same bytes are the same input."""
    match value:
        case Artefact():
            return value.sha256
        case RawObject():
            return None
        case BaseModel():
            return {field: _content(part) for field, part in value if field not in _TOLD}
        case tuple():
            return [_content(part) for part in value]
        case dict():
            return {name: _content(part) for name, part in value.items()}
        case _:  # a date, or a time on one, is no JSON
            return value.isoformat() if isinstance(value, date) else value


def _is_artefact(part: object) -> bool:
    return isinstance(part, dict) and set(part) == set(Artefact.model_fields)


def _key(stage: str, fingerprint: str) -> str:
    return f"cache/{stage}/{fingerprint}.json"
