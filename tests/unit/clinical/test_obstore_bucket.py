import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import obstore
import pytest
from clinical.errors import PreconditionFailed, StorageDenied, StorageUnavailable
from clinical.obstore_bucket import LARGE_BYTES, ObstoreBucket
from clinical.s3_client import s3_store
from obstore import exceptions
from snapshot_restore_py import get_after_restore


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        (exceptions.PermissionDeniedError("secret"), StorageDenied),
        (exceptions.UnauthenticatedError("secret"), StorageUnavailable),
        (exceptions.PreconditionError("secret"), PreconditionFailed),
        (exceptions.AlreadyExistsError("secret"), PreconditionFailed),
        (exceptions.GenericError("secret"), StorageUnavailable),
        (exceptions.JoinError("secret"), StorageUnavailable),
        (TimeoutError("secret"), StorageUnavailable),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_what_s3_refuses_is_said_in_this_systems_words(
    store: ObstoreBucket,
    monkeypatch: pytest.MonkeyPatch,
    refused: Exception,
    expected: type[Exception],
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise refused

    monkeypatch.setattr(obstore, "get_async", refuse)

    with pytest.raises(expected, match="s3://artifacts/key") as told:
        store.get("key")

    assert "secret" not in str(told.value)


def test_nothing_is_asked_once_the_time_is_up(store: ObstoreBucket) -> None:
    store.put("key", b"body")

    with pytest.raises(StorageUnavailable, match="in time"):
        store.within(-1).get("key")

    assert store.within(60).get("key").body == b"body"


def test_a_restored_snapshot_makes_its_client_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    before = s3_store("artifacts")
    assert s3_store("artifacts") is before

    for hook, arguments, named in get_after_restore():
        if hook == s3_store.cache_clear:
            hook(*arguments, **named)

    assert s3_store("artifacts") is not before


def test_serving_imports_no_boto3() -> None:
    """Importing and making it was 40% of a cold start."""
    script = "import sys, clinical.api, clinical.champion, model.loader; print(*sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )

    imported = set(done.stdout.split())
    assert {"clinical.obstore_bucket", "obstore"} <= imported
    assert "boto3" not in imported


CHUNK = LARGE_BYTES // 2


class Slow:
    """An S3 that hands out one chunk of an object a request, and then nothing more.

    asked: from which byte on each request asked.
    """

    def __init__(self, body: bytes) -> None:
        self.body, self.etag = body, '"one"'
        self.asked: list[int] = []

    async def get(self, _store: object, _key: str, *, options: dict[str, Any]) -> "Answer":
        if options.get("if_match", self.etag) != self.etag:
            raise exceptions.PreconditionError("changed")
        start = options.get("range", {}).get("offset", 0)
        self.asked.append(start)
        return Answer(self.body[start:], {"e_tag": self.etag, "size": len(self.body)})


@dataclass
class Answer:
    rest: bytes
    meta: dict[str, Any]

    async def stream(self) -> AsyncIterator[bytes]:
        yield self.rest[:CHUNK]
        if len(self.rest) > CHUNK:
            raise TimeoutError  # as the deadline does, wherever it finds the request


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    slow = Slow(random.Random(1).randbytes(5 * CHUNK + 7))  # noqa: S311 - no secret
    monkeypatch.setattr(obstore, "get_async", slow.get)
    return slow


def test_a_large_object_is_read_on_where_the_time_was_up(store: ObstoreBucket, slow: Slow) -> None:
    for _ in range(5):
        with pytest.raises(StorageUnavailable, match="in time"):
            store.within(60).get("model")

    read = store.within(60).get("model")

    assert (read.body, read.etag) == (slow.body, slow.etag)
    assert slow.asked == [0, *(CHUNK * part for part in range(1, 6))]


def test_an_object_that_changed_meanwhile_is_read_anew(store: ObstoreBucket, slow: Slow) -> None:
    with pytest.raises(StorageUnavailable):
        store.within(60).get("model")
    slow.body, slow.etag = bytes(CHUNK), '"two"'
    slow.body += bytes(CHUNK)

    with pytest.raises(StorageUnavailable):
        store.within(60).get("model")
    read = store.within(60).get("model")

    assert (read.body, read.etag) == (bytes(2 * CHUNK), '"two"')


def test_another_object_takes_the_place_of_one_that_was_begun(
    store: ObstoreBucket, slow: Slow
) -> None:
    for key in ("model", "other", "model"):
        with pytest.raises(StorageUnavailable):
            store.within(60).get(key)

    assert slow.asked == [0, 0, 0]
