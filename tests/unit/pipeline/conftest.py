"""Stages run as the state machine runs them: by their handlers, against moto's S3."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stage
from clinical import params as decisions
from clinical.artefacts import Bucket
from stages.evaluate import evaluate
from stages.extract_combinations import extract_combinations
from stages.ingest import ingest
from stages.preprocess import preprocess
from stages.promote import promote
from stages.train import train
from stages.validate import validate

from tests.unit.conftest import Context, smaller

type State = dict[str, Any]


@pytest.fixture
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forest that fits in no time, where a test is not about the model."""
    small = smaller(decisions.params(), trees=5)
    monkeypatch.setattr(stage, "params", lambda: small)


@pytest.fixture
def upload(bucket: Bucket) -> Callable[[bytes], str]:
    """Put a CSV under raw/ and return its version."""

    def put(body: bytes, key: str = "raw/data.csv") -> str:
        return bucket.client.put_object(Bucket="raw", Key=key, Body=body)["VersionId"]

    return put


@pytest.fixture
def retrain(bucket: Bucket) -> Callable[[str], State]:
    """Run all stages in the order of the state machine, and return what each came to."""

    def run(execution: str, trigger: State | None = None) -> State:
        context = Context()
        came_to: State = {}

        def at(handler: Any, *inputs: str) -> State:
            event = {"execution": execution, **{name: came_to[name] for name in inputs}}
            answer: State = handler(event, context)
            return answer

        came_to["trigger"] = trigger or {}
        came_to["ingested"] = at(ingest, "trigger")
        came_to["validated"] = at(validate, "ingested")
        came_to["combined"] = at(extract_combinations, "validated")
        came_to["preprocessed"] = at(preprocess, "validated")
        came_to["trained"] = at(train, "preprocessed", "combined")
        came_to["evaluated"] = at(evaluate, "preprocessed", "trained")
        came_to["promoted"] = at(promote, "combined", "trained", "evaluated")
        return came_to

    return run


@pytest.fixture
def sample_bytes(sample: Path) -> bytes:
    return sample.read_bytes()
