"""Read the champion while what will serve it is still being imported.

A cold start waits for three objects: the pointer, then the graph and its reference. Threads read
them here, the latter two side by side, and take no time from the imports. They decide nothing. A
bucket that is asked for such an object gives the bytes that came, within its own deadline, and
whoever opens them checks them; what did not come, the bucket asks for itself.

This is imported before anything else, so it imports little.
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
    """An object as S3 answered it."""

    body: bytes
    etag: str | None


class Ahead:
    """Objects that are being read; a future that gives None is of one that could not be read.

    store: gives the client.
    """

    def __init__(self, store: "Callable[[], ObjectStore]") -> None:
        self._store = store
        self._coming: dict[str, Future[Found | None]] = {}

    def take(self, key: str) -> Future[Found | None] | None:
        """Give what will be there of an object, once: the next to ask wants it as it is then."""
        return self._coming.pop(key, None)

    def read_champion(self, files: Iterable[str]) -> None:
        """Begin to read the pointer, and then files of the version that it names."""

        def begin_with_files(pointer: Found) -> None:
            named = json.loads(pointer.body)["files"]
            for file in files:
                self._begin(named[file]["key"])

        self._begin(CHAMPION_KEY, begin_with_files)

    def _begin(self, key: str, then: Callable[[Found], None] = lambda _: None) -> None:
        coming = self._coming[key] = Future[Found | None]()
        coming.set_running_or_notify_cancel()  # so that who waits no longer leaves it alone

        def read() -> None:
            found = None
            try:
                answer = obstore.get(self._store(), key)
                found = Found(bytes(answer.bytes()), answer.meta["e_tag"])
                then(found)
            except Exception:  # noqa: BLE001, S110 - whatever it is, the bucket asks and says it
                pass
            coming.set_result(found)

        # Never waited for where it hangs: the client's own timeout ends it, or the process does.
        Thread(target=read, daemon=True).start()


def champion(*files: str) -> Ahead | None:
    """Begin to read the champion and files of it in Lambda; None in a test or a build.

    Until `imported`, no garbage is looked for: what is imported stays.
    """
    if "AWS_LAMBDA_FUNCTION_NAME" not in os.environ:
        return None
    gc.disable()
    ahead = Ahead(lambda: s3_store(os.environ["ARTIFACTS_BUCKET"]))
    ahead.read_champion(files)
    return ahead


def imported() -> None:
    """End what `champion` began: from here on garbage is looked for, in what requests leave."""
    gc.freeze()
    gc.enable()
