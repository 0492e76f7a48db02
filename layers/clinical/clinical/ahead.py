"""Read the champion while the serving code is still being imported.

A cold start waits for three objects: the pointer, then the graph and its reference. Threads read
them here, the latter two in parallel, without slowing the imports down. They decide nothing: a
bucket returns the bytes that have arrived, within its own deadline, and the caller verifies them;
the bucket reads anything else itself.

This module is imported before anything else, so it imports little.
"""

import gc
import json
import os
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

import obstore

from clinical.places import CHAMPION_KEY
from clinical.s3_client import s3_store

if TYPE_CHECKING:
    from obstore.store import ObjectStore


class Found(NamedTuple):
    """An object as S3 returned it."""

    body: bytes
    etag: str | None


class Ahead:
    """Objects that are being read; a future returns None if its object could not be read.

    store: returns the client.
    """

    def __init__(self, store: "Callable[[], ObjectStore]") -> None:
        self._store = store
        self._coming: dict[str, Future[Found | None]] = {}

    def take(self, key: str) -> Future[Found | None] | None:
        """Return an object's future, once: later callers need the object's current state."""
        return self._coming.pop(key, None)

    def read_champion(self, files: Iterable[str]) -> None:
        """Start reading the pointer, and then files of the version that it names."""

        def begin_with_files(pointer: Found) -> None:
            named = json.loads(pointer.body)["files"]
            for file in files:
                self._begin(named[file]["key"])

        self._begin(CHAMPION_KEY, begin_with_files)

    def _begin(self, key: str, then: Callable[[Found], None] = lambda _: None) -> None:
        coming = self._coming[key] = Future[Found | None]()
        coming.set_running_or_notify_cancel()  # so that nobody who gives up waiting cancels it

        def read() -> None:
            found = None
            try:
                answer = obstore.get(self._store(), key)
                found = Found(bytes(answer.bytes()), answer.meta["e_tag"])
                then(found)
            except Exception:  # noqa: BLE001, S110 - the bucket asks again, and reports it
                pass
            coming.set_result(found)

        # A read that hangs is never waited for: it ends with the client's timeout or the process.
        Thread(target=read, daemon=True).start()


def champion(*files: str) -> Ahead | None:
    """Start reading the champion and its files, in Lambda; None in a test or a build.

    Garbage collection is off until `imported`, because imported objects stay.
    """
    if "AWS_LAMBDA_FUNCTION_NAME" not in os.environ:
        return None
    gc.disable()
    # Pydantic would look for plugins in the metadata of every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    ahead = Ahead(lambda: s3_store(os.environ["ARTIFACTS_BUCKET"]))
    ahead.read_champion(files)
    return ahead


def imported() -> None:
    """Turn garbage collection on again, from here on for what requests leave behind."""
    gc.freeze()
    gc.enable()
