import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import NoReturn

import obstore
import pytest
from clinical import ahead
from clinical.ahead import Ahead
from clinical.champion import ChampionFollower
from clinical.errors import ModelUnavailable, StorageUnavailable
from clinical.obstore_bucket import ObstoreBucket
from clinical.registry import CHAMPION_KEY, MODEL, REFERENCE, Champion, Registry
from model.loader import Model, load

from tests.patience import PATIENCE_SECONDS
from tests.unit.conftest import Candidate

SHORT_SECONDS = 0.05  # a deadline that is to pass


class Gate:
    """What threads read passes it, unless it is shut for a key.

    asked: the keys for which a thread has come.
    """

    def __init__(self) -> None:
        self.asked: set[str] = set()
        self._shut: set[str] = set()
        self._changed = threading.Condition()
        self._get = obstore.get

    def get(self, store: object, key: str) -> object:
        with self._changed:
            self.asked.add(key)
            self._changed.notify_all()
            self._changed.wait_for(lambda: key not in self._shut, PATIENCE_SECONDS)
        return self._get(store, key)  # type: ignore[arg-type]

    def shut(self, *keys: str) -> None:
        with self._changed:
            self._shut = set(keys)
            self._changed.notify_all()

    def wait_until_asked(self, *keys: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.asked >= set(keys), PATIENCE_SECONDS)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    monkeypatch.setattr(obstore, "get", gate.get)
    yield gate
    gate.shut()


@pytest.fixture
def bucket(store: ObstoreBucket) -> ObstoreBucket:
    """Models are published to where they serve from."""
    return store


@pytest.fixture
def champion(promote: Callable[[Candidate], Champion], candidate: Candidate) -> Champion:
    return promote(candidate)


def read_ahead(bucket: ObstoreBucket) -> ObstoreBucket:
    """Begin to read the champion, and give the bucket that hands it out."""
    begun = Ahead(bucket.store)
    begun.read_champion((MODEL, REFERENCE))
    return ObstoreBucket(bucket.store, bucket.name, begun)


def test_graph_and_reference_are_read_side_by_side(
    bucket: ObstoreBucket, champion: Champion, gate: Gate
) -> None:
    keys = (champion.model.key, champion.reference.key)
    gate.shut(*keys)

    read_ahead(bucket)

    gate.wait_until_asked(*keys)  # while neither is there


def test_what_is_read_ahead_is_not_asked_for_again(
    bucket: ObstoreBucket, champion: Champion, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = Registry(bucket).champion()

    async def asked(*_: object, **__: object) -> NoReturn:
        raise AssertionError

    monkeypatch.setattr(obstore, "get_async", asked)
    reading = read_ahead(bucket)

    pointer = Registry(reading).champion()

    assert pointer == expected
    assert load(reading, champion).version == champion.version


@pytest.mark.parametrize("hangs", ["pointer", "model", "reference"])
def test_a_read_that_hangs_costs_one_deadline_and_the_next_look_asks_again(
    bucket: ObstoreBucket, champion: Champion, gate: Gate, hangs: str
) -> None:
    keys = {
        "pointer": CHAMPION_KEY,
        "model": champion.model.key,
        "reference": champion.reference.key,
    }
    gate.shut(keys[hangs])
    reading = read_ahead(bucket)
    if hangs != "pointer":
        reading.get(CHAMPION_KEY)  # after which the others are being read

    with pytest.raises(StorageUnavailable, match=f"in time for s3://artifacts/{keys[hangs]}"):
        reading.within(SHORT_SECONDS).get(keys[hangs])

    expected = bucket.get(keys[hangs])
    assert reading.within(PATIENCE_SECONDS).get(keys[hangs]) == expected


def test_what_could_not_be_read_ahead_is_asked_for_as_ever(
    bucket: ObstoreBucket, champion: Champion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise obstore.exceptions.GenericError("secret")

    monkeypatch.setattr(obstore, "get", refuse)
    reading = read_ahead(bucket)

    assert ChampionFollower(lambda: reading, load).current().version == champion.version


@pytest.mark.parametrize("file", [MODEL, REFERENCE])
def test_a_file_that_was_altered_is_refused_though_it_was_read_ahead(
    bucket: ObstoreBucket, champion: Champion, file: str
) -> None:
    key = champion.files[file].key
    bucket.put(key, bucket.get(key).body + b" ")
    follower: ChampionFollower[Model] = ChampionFollower(lambda: read_ahead(bucket), load)

    with pytest.raises(ModelUnavailable, match="The champion is corrupted in S3"):
        follower.current()


@pytest.mark.parametrize("pointer", [b"no JSON", b"[]", b'{"files": {}}', b'{"files": 1}'])
def test_a_pointer_that_is_none_is_refused_though_it_was_read_ahead(
    bucket: ObstoreBucket, pointer: bytes
) -> None:
    bucket.put(CHAMPION_KEY, pointer)
    follower: ChampionFollower[Model] = ChampionFollower(lambda: read_ahead(bucket), load)

    with pytest.raises(ModelUnavailable, match="The champion is corrupted in S3"):
        follower.current()


def test_where_nothing_was_promoted_that_is_the_reason(bucket: ObstoreBucket) -> None:
    follower: ChampionFollower[Model] = ChampionFollower(lambda: read_ahead(bucket), load)

    with pytest.raises(ModelUnavailable, match="start the retrain state machine"):
        follower.current()


def test_only_a_lambda_environment_reads_ahead(
    bucket: ObstoreBucket, champion: Champion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "s3_store", lambda name: {"artifacts": bucket.store()}[name])
    assert ahead.champion(MODEL) is None

    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "predict")
    begun = ahead.champion(MODEL)

    assert begun is not None
    coming = begun.take(CHAMPION_KEY)
    assert coming is not None
    found = coming.result(PATIENCE_SECONDS)
    assert found is not None
    assert found.body == bucket.get(CHAMPION_KEY).body


def test_reading_begins_before_anything_large_is_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, clinical.ahead; print(*sys.modules)"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )

    large = {"pydantic", "aws_lambda_powertools", "asyncio", "numpy", "onnxruntime", "yaml"}
    assert not large & set(done.stdout.split())
