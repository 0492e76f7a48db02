"""Files are scored by a real champion, which serves all tests of a module."""

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from clinical.artefacts import RawObject
from clinical.boto3_bucket import Boto3Bucket
from clinical.obstore_bucket import ObstoreBucket
from clinical.params import params
from clinical.registry import Champion, Registry
from model.loader import Model, load
from score.answering import Answering
from score.captured import Predictions
from score.formats import Found
from score.keys import part_key, summary_key
from score.known import format_of
from score.scoring import Scoring
from score.source import Source
from score.stages.split import added
from score.state import Counts, Details, Input, Written

from tests import pipeline
from tests.pipeline import State, held_by_the_cloud, hold, mirror, own_cloud, own_store
from tests.unit.conftest import NOW, PROMOTION, Candidate

SAMPLE = Path(__file__).parents[4] / "data/sample.csv"
ID = re.compile(rb"[0-9a-f]{32}")
SEED = "0123456789abcdef" * 2
NOWHERE = Written(key="", rows=0, bytes=0, sha256="")


@dataclass(frozen=True)
class Answered:
    """What a file came to, without the stages around."""

    found: Found
    columns: tuple[str, ...]
    parts: list[bytes]
    counts: list[Counts]

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)

    @property
    def problems(self) -> list[tuple[str, str | None, tuple[int, ...]]]:
        """Every problem of every part: its rule, its column and its first rows."""
        return [
            (one.rule, one.column, one.first_rows)
            for counts in self.counts
            for one in counts.problems
        ]


@dataclass
class Desk:
    """Where files are handed in: both buckets of a cloud, and the model that serves."""

    artefacts: Boto3Bucket
    store: ObstoreBucket
    champion: Champion
    model: Model
    number: int = 0

    @property
    def raw(self) -> Boto3Bucket:
        return Boto3Bucket(self.artefacts.client, "raw")

    @property
    def registry(self) -> Registry:
        return Registry(self.artefacts)

    def put(self, body: bytes, name: str = "patients.csv") -> RawObject:
        key = f"score/in/{name}"
        put = self.raw.client.put_object(Bucket="raw", Key=key, Body=body)
        return RawObject(key=key, version_id=put["VersionId"])

    def source(self, body: bytes, name: str = "patients.csv") -> Source:
        return Source(self.raw, self.put(body, name), len(body))

    def answered(self, body: bytes, name: str = "patients.csv", seed: str = SEED) -> Answered:
        """Answer a file part by part, as the stages do."""
        source, decisions = self.source(body, name), params()
        kind = format_of(source.beginning)
        found = kind.found_out(source, decisions)
        details = Details(
            input=Input(
                key=source.name,
                version_id=source.object.version_id,
                bytes=source.size,
                sha256=source.sha256,
                format=kind.name,
            ),
            reading=found.reading,
            columns=added(found.reading.header, decisions),
            champion=self.champion,
            coverage=self.model.reference.interval.coverage,
            seed=seed,
            notes=found.notes,
        )
        parts, counts = [], []
        scoring = Scoring(self.model, decimal_commas=found.reading.decimal_commas)
        for part in found.parts:
            out, captured = io.BytesIO(), io.BytesIO()
            with Predictions(captured, decisions.features, seed, part.number) as predictions:
                answering = Answering(scoring, decisions, found.reading, predictions)
                kind.answer(source, part, details, answering, out)
            parts.append(out.getvalue())
            counts.append(answering.counts(NOWHERE))
        return Answered(found, details.columns, parts, counts)

    def scored(self, body: bytes, name: str = "patients.csv") -> "Scored":
        """Score a file by the handlers of all stages, started by hand."""
        self.put(body, name)
        return self.ran({"score": f"score/in/{name}"})

    def ran(self, given: State) -> "Scored":
        self.number += 1
        execution = f"execution-{self.number}"
        return Scored(self, execution, pipeline.score(execution, given))

    def promote(self, candidate: Candidate) -> Champion:
        """Publish a candidate and let it serve; its files are where functions serve from."""
        registry = self.registry
        version = registry.publish(
            candidate.files, candidate.findings, candidate.verdict, "execution-1", NOW
        )
        champion = registry.promote(version, registry.champion(), PROMOTION, NOW)
        mirror(self.artefacts, self.store)
        return champion


@dataclass(frozen=True)
class Scored:
    """What an execution came to, and left in the raw bucket."""

    desk: Desk
    execution: str
    came_to: State

    @property
    def summary(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.desk.raw.get(summary_key(self.execution)).body)
        return read

    @property
    def seed(self) -> str:
        """What the ids of its predictions were drawn from."""
        return seed_in(self.desk, self.came_to)

    @property
    def parts(self) -> list[bytes]:
        kind = self.summary["input"]["format"]
        numbers = range(len(self.came_to["parts"]))
        keys = [part_key(self.execution, number, kind) for number in numbers]
        return [self.desk.raw.get(key).body for key in keys]


def seed_in(desk: Desk, divided: State) -> str:
    """What `split` drew for an execution."""
    body = desk.artefacts.get(divided["plan"]["details"]["key"]).body
    return Details.model_validate_json(body).seed


def unnamed(body: bytes) -> bytes:
    """A text without the ids of its predictions, which depend on the parts that it has."""
    return ID.sub(b"", body)


@pytest.fixture(scope="module")
def desk(candidate: Candidate, challenger: Candidate) -> Iterator[Desk]:
    """A desk with a champion; the challenger was trained before, in what is one cloud by then."""
    with own_cloud() as bucket, own_store() as store:
        registry = Registry(bucket)
        version = registry.publish(
            candidate.files, candidate.findings, candidate.verdict, "execution-1", NOW
        )
        champion = registry.promote(version, None, PROMOTION, NOW)
        mirror(bucket, store)
        yield Desk(bucket, store, champion, load(store, champion))


@pytest.fixture
def own_desk(desk: Desk) -> Iterator[Desk]:
    """The same desk for a test that changes what others rely on."""
    held = held_by_the_cloud()
    yield desk
    hold(held)


@pytest.fixture(scope="session")
def lines() -> list[str]:
    """The sample as it would be scored: its header and its patients, without the outcome."""
    with SAMPLE.open(encoding="utf-8", newline="") as file:
        return [",".join(row[:-1]) for row in csv.reader(file)]


@pytest.fixture(scope="session")
def text(lines: list[str]) -> str:
    """A dozen of patients."""
    return "\n".join([*lines[:13], ""])


def cells_of(body: bytes, separator: str = ",", encoding: str = "utf-8-sig") -> list[list[str]]:
    """Take a CSV apart as any reader does."""
    decoded = io.StringIO(body.decode(encoding), newline="")
    return list(csv.reader(decoded, delimiter=separator, strict=True))
