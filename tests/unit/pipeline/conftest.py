"""Stages run as the state machine runs them: by their handlers, against moto's S3."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import stage
from clinical import params as decisions
from clinical.boto3_bucket import Boto3Bucket

from tests import pipeline
from tests.pipeline import State
from tests.unit.conftest import smaller


@pytest.fixture
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forest that fits in no time, where a test is not about the model."""
    small = smaller(decisions.params(), trees=5)
    monkeypatch.setattr(stage, "params", lambda: small)


@pytest.fixture
def upload(bucket: Boto3Bucket) -> Callable[[bytes], str]:
    """Put a CSV under raw/ and return its version."""

    def put(body: bytes, key: str = "raw/data.csv") -> str:
        return bucket.client.put_object(Bucket="raw", Key=key, Body=body)["VersionId"]

    return put


@pytest.fixture
def retrain(bucket: Boto3Bucket) -> Callable[..., State]:
    """Run all stages in the order of the state machine, and return what each came to."""
    return pipeline.retrain


@pytest.fixture
def sample_bytes(sample: Path) -> bytes:
    return sample.read_bytes()


def without_signal(body: bytes) -> bytes:
    """The same patients with each other's scores: there is nothing to learn."""
    header, *lines = body.decode().splitlines()
    cells = [line.split(",") for line in lines]
    scores = np.random.default_rng(1).permutation([row[-1] for row in cells])
    mixed = [",".join([*row[:-1], score]) for row, score in zip(cells, scores, strict=True)]
    return "\n".join([header, *mixed, ""]).encode()
