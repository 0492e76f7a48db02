"""S3 through obstore, for the functions that serve requests: light to import, strict deadlines.

Every request runs in an event loop of its own, so that whatever it waits for (name resolution,
connection, credentials, response or body) is abandoned as soon as its time is up.
"""

import asyncio
import math
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self, override

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotModifiedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from clinical.ahead import Ahead
from clinical.artefacts import Bucket, Stored, what_to_start
from clinical.errors import (
    ArtefactMissing,
    PreconditionFailed,
    StorageDenied,
    StorageUnavailable,
)
from clinical.s3_client import s3_store

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult, PutMode
    from obstore.store import ObjectStore

LARGE_BYTES = 1024 * 1024  # of an object that is worth reading on


@dataclass
class Begun:
    """A large object whose end did not arrive in time: the part that has been read."""

    key: str = ""
    etag: str = ""
    size: int = 0
    body: bytearray = field(default_factory=bytearray)


class ObstoreBucket(Bucket):
    """An S3 bucket through obstore.

    A large object continues where the last deadline cut it off: a model that does not arrive within
    one deadline arrives within several.

    store: returns the client; called before each request, because a snapshot must not outlive it.
    ahead: what is being read already, for the first caller.
    until: the deadline of all requests, by time.monotonic().
    begun: kept from deadline to deadline.
    """

    def __init__(
        self,
        store: "Callable[[], ObjectStore]",
        name: str,
        ahead: Ahead | None = None,
        until: float = math.inf,
        begun: Begun | None = None,
    ) -> None:
        super().__init__(name)
        self.store = store
        self._ahead = ahead
        self._until = until
        self._begun = begun or Begun()

    def within(self, seconds: float) -> Self:
        """Return the same bucket with one deadline, from now, for all its requests.

        Only the first call gets what is being read already; later ones need current objects.
        """
        until = time.monotonic() + seconds
        ahead, self._ahead = self._ahead, None
        return type(self)(self.store, self.name, ahead, until, self._begun)

    @override
    def get(self, key: str) -> Stored:
        return self._asked(key, self._get(key, {}))

    @override
    def get_if_changed(self, key: str, etag: str) -> Stored | None:
        try:
            return self._asked(key, self._get(key, {"if_none_match": etag}))
        except _NotModified:
            return None

    @override
    def put(self, key: str, body: bytes) -> str:
        return self._asked(key, self._put(key, body, "overwrite"))

    @override
    def put_new(self, key: str, body: bytes) -> str:
        return self._asked(key, self._put(key, body, "create"))

    @override
    def put_over(self, key: str, body: bytes, etag: str) -> str:
        try:
            return self._asked(key, self._put(key, body, {"e_tag": etag}))
        except ArtefactMissing as error:  # S3's answer if the object was deleted in the meantime
            raise PreconditionFailed(f"{self.where(key)} was deleted in the meantime") from error

    @override
    def keys(self, prefix: str, suffix: str) -> list[str]:
        found = self._asked(prefix, self._listed(prefix.rpartition("/")[0]))
        return sorted(key for key in found if key.startswith(prefix) and key.endswith(suffix))

    async def _get(self, key: str, options: "GetOptions") -> Stored:
        if not options and self._ahead and (coming := self._ahead.take(key)):
            found = await asyncio.wrap_future(coming)
            if found:
                return Stored(found.body, self._etag(key, found.etag))
        begun = self._begun
        if begun.key == key and not options:
            return await self._read_on(begun)
        answer = await obstore.get_async(self.store(), key, options=options)
        etag = self._etag(key, answer.meta["e_tag"])
        size = answer.meta["size"]
        if size < LARGE_BYTES:
            return Stored(bytes(await answer.bytes_async()), etag)
        begun.key, begun.etag, begun.size, begun.body = key, etag, size, bytearray()
        return await self._to_the_end(begun, answer)

    async def _read_on(self, begun: Begun) -> Stored:
        """Read the rest of an object, or all of it again if it has changed."""
        key = begun.key
        if len(begun.body) == begun.size:
            return self._whole(begun)
        options: GetOptions = {"if_match": begun.etag, "range": {"offset": len(begun.body)}}
        try:
            answer = await obstore.get_async(self.store(), key, options=options)
        except PreconditionError:
            begun.key = ""
            return await self._get(key, {})
        return await self._to_the_end(begun, answer)

    async def _to_the_end(self, begun: Begun, answer: "GetResult") -> Stored:
        async for chunk in answer.stream():
            begun.body += chunk
        return self._whole(begun)

    def _whole(self, begun: Begun) -> Stored:
        body, begun.key, begun.body = bytes(begun.body), "", bytearray()
        return Stored(body, begun.etag)

    async def _put(self, key: str, body: bytes, mode: "PutMode") -> str:
        answer = await obstore.put_async(self.store(), key, body, mode=mode, use_multipart=False)
        return self._etag(key, answer["e_tag"])

    async def _listed(self, folder: str) -> list[str]:
        pages = obstore.list(self.store(), folder)
        return [entry["path"] async for page in pages for entry in page]

    def _etag(self, key: str, etag: str | None) -> str:
        if etag is None:
            raise StorageUnavailable(f"S3 answered without an ETag for {self.where(key)}")
        return etag

    def _read_ahead(self, key: str) -> Stored | None:
        """Wait within the deadline for an object that is already being read; None if it is not."""
        coming = self._ahead.take(key) if self._ahead else None
        try:
            found = coming.result(self._left()) if coming else None
        except TimeoutError as error:
            raise self._late(key) from error
        return Stored(found.body, self._etag(key, found.etag)) if found else None

    def _asked[Answer](self, key: str, request: Coroutine[object, object, Answer]) -> Answer:
        """Run a request within the deadline, and translate what S3 refuses into our errors."""
        where = self.where(key)
        try:
            return asyncio.run(self._in_time(request))
        except TimeoutError as error:
            raise self._late(key) from error
        except NotModifiedError as error:
            raise _NotModified from error
        except FileNotFoundError as error:
            raise ArtefactMissing(f"{where} does not exist") from error
        except UnauthenticatedError as error:  # what obstore makes of any failure to get keys
            raise StorageUnavailable(f"there are no credentials to access {where}") from error
        except PermissionDeniedError as error:
            raise StorageDenied(f"the role is not allowed to access {where}") from error
        except (AlreadyExistsError, PreconditionError) as error:
            raise PreconditionFailed(f"{where} changed in the meantime") from error
        except BaseError as error:
            raise StorageUnavailable(
                f"S3 could not be reached for {where}: {type(error).__name__}{what_to_start()}"
            ) from error

    async def _in_time[Answer](self, request: Coroutine[object, object, Answer]) -> Answer:
        async with asyncio.timeout(self._left()):
            return await request

    def _left(self) -> float | None:
        """Return the seconds until the deadline, if there is one."""
        return None if math.isinf(self._until) else max(0.0, self._until - time.monotonic())

    def _late(self, key: str) -> StorageUnavailable:
        return StorageUnavailable(
            f"S3 did not respond in time for {self.where(key)}{what_to_start()}"
        )


def s3_bucket(name: str, ahead: Ahead | None = None) -> ObstoreBucket:
    """Return a bucket of the S3 endpoint that the environment names, as boto3 reads it.

    ahead: what is already being read from it.
    """
    return ObstoreBucket(lambda: s3_store(name), name, ahead)


class _NotModified(Exception):
    """When S3 answers 304; not an error, and never seen by callers."""
