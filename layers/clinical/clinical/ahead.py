"""Read the champion from S3 while the code that serves it is still being imported.

A cold start needs three objects: the pointer, then the graph and its reference. Threads read them
here, the latter two in parallel, and take no time from the imports. They decide nothing: a bucket
that is asked for one of these objects waits for it within its own deadline, the bytes are checked
as always, and an object that could not be read here is requested again by the bucket.

Functions import this module before anything else, so it imports little itself.
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
    """Objects that are being read. A future's result is None if its object could not be read.

    store: returns the client.
    """

    def __init__(self, store: "Callable[[], ObjectStore]") -> None:
        self._store = store
        self._coming: dict[str, Future[Found | None]] = {}

    def take(self, key: str) -> Future[Found | None] | None:
        """Return an object's future, once: whoever asks next wants the object as it is then."""
        return self._coming.pop(key, None)

    def read_champion(self, files: Iterable[str]) -> None:
        """Begin to read the pointer, and then these files of the version that it names."""

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

        # If it hangs, nobody waits for it: the client's timeout ends it, or the process does.
        Thread(target=read, daemon=True).start()


def champion(*files: str) -> Ahead | None:
    """Begin to read the champion and some of its files; None outside Lambda, in a test or a build.

    Until `imported`, Python looks for no garbage, because what is imported stays.
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
    """End what `champion` began: from here on, only what requests leave is garbage."""
    gc.freeze()
    gc.enable()
