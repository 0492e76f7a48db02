import os
import subprocess
import sys

import obstore
import pytest
from clinical.errors import PreconditionFailed, StorageDenied, StorageUnavailable
from clinical.obstore_bucket import ObstoreBucket, s3_store
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
    """Importing and making it was 40 % of a cold start."""
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
