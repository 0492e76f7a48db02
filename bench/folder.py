"""A bucket that is a folder of files, so that no S3 in this process is measured with a stage."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, override

from clinical.artefacts import Bucket, RawObject, Stored, Written
from clinical.errors import ArtefactMissing, PreconditionFailed

VERSION = "the-only-one"


@dataclass
class Requests:
    """What S3 would have been asked; it prices a listing as it does a write."""

    reads: int = 0
    writes: int = 0
    written: int = 0  # bytes


class Folder(Bucket):
    """A bucket with all that the pipeline asks of one; each object has one version."""

    def __init__(self, root: Path, requests: Requests) -> None:
        super().__init__(root.name)
        self._root = root
        self._requests = requests

    @override
    def get(self, key: str) -> Stored:
        return Stored(self._read(key).read_bytes(), self._etag(key))

    @override
    def get_if_changed(self, key: str, etag: str) -> Stored | None:
        return None if self._etag(key) == etag else self.get(key)

    def get_version(self, version: RawObject) -> bytes:
        return self.get(version.key).body

    def get_range(self, version: RawObject, start: int, end: int) -> bytes:
        with self._read(version.key).open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    @override
    def put(self, key: str, body: bytes) -> str:
        self._requests.writes += 1
        self._requests.written += len(body)
        path = self._root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        return self._etag(key)

    @override
    def put_new(self, key: str, body: bytes) -> str:
        if (self._root / key).exists():
            raise PreconditionFailed(f"{self.where(key)} exists")
        return self.put(key, body)

    @override
    def put_over(self, key: str, body: bytes, etag: str) -> str:
        if self._etag(key) != etag:
            raise PreconditionFailed(f"{self.where(key)} changed meanwhile")
        return self.put(key, body)

    @override
    def keys(self, prefix: str, suffix: str) -> list[str]:
        self._requests.writes += 1
        return sorted(one for one in self._all() if one.startswith(prefix) and one.endswith(suffix))

    def current(self, key: str) -> RawObject:
        self._read(key)
        return RawObject(key=key, version_id=VERSION)

    def written(self, version: RawObject) -> Written:
        found = self._read(version.key).stat()
        return Written(size=found.st_size, at=datetime.fromtimestamp(int(found.st_mtime), UTC))

    def within(self, _seconds: float) -> Self:
        """Give what has a deadline, as the bucket that models are served from has."""
        return self

    def _all(self) -> Iterator[str]:
        return (
            one.relative_to(self._root).as_posix() for one in self._root.rglob("*") if one.is_file()
        )

    def _read(self, key: str) -> Path:
        self._requests.reads += 1
        path = self._root / key
        if not path.is_file():
            raise ArtefactMissing(f"{self.where(key)} does not exist")
        return path

    def _etag(self, key: str) -> str:
        path = self._root / key
        return str(path.stat().st_mtime_ns) if path.exists() else ""
