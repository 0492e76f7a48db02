"""Stages run as the state machine runs them: by their handlers, against moto's S3."""

import hashlib
import io
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import stage
from clinical import params as decisions
from clinical.boto3_bucket import Boto3Bucket

from tests import pipeline
from tests.pipeline import State, held_by_the_cloud, hold
from tests.unit.conftest import MadeOnce, smaller

EXECUTIONS = ("one", "two", "three", "four")

type Retrained = Callable[..., State]


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
def retrained(
    upload: Callable[[bytes], str], retrain: Callable[..., State], made_once: MadeOnce
) -> Retrained:
    """Upload data and retrain, one after the other, in an empty bucket.

    The executions are called one, two and so on; what the last came to is returned. Where a test
    did so before, on the same decisions, its bucket, words and outcome are taken up, for what a
    test is about often comes after. Who patches more than the decisions uploads and retrains.
    """

    def of(*bodies: bytes) -> State:
        decided = vars(stage)["params"]()  # those that a test may have put in their place
        parts = (decided.model_dump_json().encode(), *bodies)
        digest = hashlib.sha256(b"".join(hashlib.sha256(one).digest() for one in parts))

        def make() -> tuple[bytes, State, str]:
            with redirect_stdout(io.StringIO()) as said:
                upload(bodies[-1])
                came_to = retrain(EXECUTIONS[len(bodies) - 1])
            return held_by_the_cloud(), came_to, said.getvalue()

        if bodies[:-1]:
            of(*bodies[:-1])
        held, came_to, said = made_once(f"retrained-{digest.hexdigest()}", make)
        hold(held)
        sys.stdout.write(said)
        return came_to

    return of


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
